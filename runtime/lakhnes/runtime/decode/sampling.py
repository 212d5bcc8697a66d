"""Sampling: logits to a token."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError

MAX_SURPRISE = 6.0
"""Nats a token; where nothing at all can be foreseen it is log 631, 6.4."""

_RECENT_TOKENS = 64
_GAIN = 0.5  # by which the logarithm of the temperature rises for each nat that is missing
_MOST = 1.6  # times the temperature


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    Raises:
        OptionError: if a value is out of its range.
    """

    temperature: float = 1.0
    """0 takes the likeliest token; 1 the model's own probabilities; more is wilder."""
    top_k: int | None = None
    """Only the k likeliest tokens; None for all."""
    top_p: float | None = None
    """Only the likeliest tokens that together reach this probability, 0..1; None for all."""
    surprise: float | None = None
    """Nats a token: where a song has become easier to foresee than this, the temperature rises until it is
    not; see `Mirostat`. None leaves it as it is."""

    def __post_init__(self) -> None:
        if self.temperature != 0 and not 0.01 <= self.temperature <= 100:
            raise OptionError(
                f"Temperature {self.temperature} is out of range; give 0, or 0.01 to 100, such as 1.0."
            )
        if self.top_k is not None and self.top_k < 1:
            raise OptionError(f"top-k {self.top_k} is out of range; give 1 or more, such as 32.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise OptionError(f"top-p {self.top_p} is out of range; give more than 0 and at most 1.")
        if self.surprise is not None and not 0 < self.surprise <= MAX_SURPRISE:
            raise OptionError(
                f"A surprise of {self.surprise} is out of range; give more than 0 and at most "
                f"{MAX_SURPRISE:g}, such as 1.3."
            )


USUAL_SAMPLING = Sampling(1.0, None, 0.99)
"""How the built-in model sounds best, by the musical statistics of `lakhnes evaluate`."""


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms of the probabilities: logits [..., V] to float64 [..., V]."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def candidates(
    logits: NDArray[np.float32], sampling: Sampling
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The tokens that may come and their probabilities.

    Args:
        logits: float32 [V]; -inf for what may not come at all. One at least must be finite.
        sampling: temperature and cuts.

    Returns:
        Token ids [n], likeliest first wherever a cut needs the order, and float64 [n], summing to 1.

    Source: LakhNES `model/sampler.py`: temperature, softmax, the top k, renormalised.
    """
    if sampling.temperature == 0:
        return np.array([logits.argmax()]), np.ones(1)
    tokens = (logits > -np.inf).nonzero()[0]  # first, for argpartition is slow among many equals
    scores = logits[tokens]
    if sampling.top_k is not None and sampling.top_k < len(tokens):
        top = scores.argpartition(-sampling.top_k)[-sampling.top_k :]
        tokens, scores = tokens[top], scores[top]
    weights = np.exp((scores.astype(np.float64) - scores.max()) / sampling.temperature)
    if sampling.top_p is not None:
        order = np.argsort(-weights, kind="stable")
        tokens, weights = tokens[order], weights[order]
        reached = np.cumsum(weights)
        n = int(np.searchsorted(reached, sampling.top_p * reached[-1])) + 1
        tokens, weights = tokens[:n], weights[:n]
    return tokens, weights / weights.sum()


def draw(logits: NDArray[np.float32], sampling: Sampling, rng: np.random.Generator) -> int:
    """Draws a token; it takes one number of `rng` whatever the options, so that takes stay comparable.

    Args:
        logits: float32 [V]; -inf for what may not come at all. One at least must be finite.
        sampling: temperature and cuts.
        rng: the source of chance.
    """
    tokens, probabilities = candidates(logits, sampling)
    place = probabilities.cumsum().searchsorted(rng.random(), side="right")
    return int(tokens[min(int(place), len(tokens) - 1)])


class Mirostat:
    """Keeps a song from circling in ever smaller loops, as models do that hear only themselves.

    It follows how little the recent tokens were foreseen. Where that falls below `Sampling.surprise`, the
    temperature rises, the more the more is missing.

    Source: Basu et al. 2021, "Mirostat: a neural text decoding algorithm that directly controls perplexity",
    for holding the surprise; there it is held from both sides, by a cut.
    """

    def __init__(self, sampling: Sampling) -> None:
        """Begins.

        Args:
            sampling: what is asked for; a lower temperature asks for less surprise.
        """
        self._recent: float | None = None  # surprise of the recent tokens; None where it was not followed
        self.ask(sampling)

    def ask(self, sampling: Sampling) -> None:
        """Goes on with another sampling; one that no token was drawn with leaves no trace."""
        self._sampling = sampling
        self._least = (sampling.surprise or 0.0) * min(1.0, sampling.temperature)

    @property
    def surprise(self) -> float | None:
        """Surprise of the recent tokens, in nats a token; None where the sampling does not ask for it."""
        if not self._least:
            return None
        return self._least if self._recent is None else self._recent

    @property
    def sampling(self) -> Sampling:
        """How the next token is drawn."""
        if self.surprise is None or self.surprise >= self._least:
            return self._sampling
        rise = min(_MOST, float(np.exp(_GAIN * (self._least - self.surprise))))
        return replace(self._sampling, temperature=min(100.0, self._sampling.temperature * rise))

    def observe(self, logits: NDArray[np.float32], token: int) -> None:
        """Takes what was drawn.

        Args:
            logits: float32 [V], of what could come.
            token: what came.
        """
        before = self.surprise
        if before is None:
            self._recent = None
            return
        likely = float(logits.max())
        nats = float(np.log(np.exp(logits - likely).sum(dtype=np.float64))) + likely - float(logits[token])
        self._recent = before + (min(nats, MAX_SURPRISE) - before) / _RECENT_TOKENS
