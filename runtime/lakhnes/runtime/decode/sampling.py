"""Sampling: from logits to a token."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError

MAX_SURPRISE = 6.0
"""Highest surprise in nats a token; random events of 631 tokens would have log 631, 6.4."""

_RECENT_TOKENS = 64
_GAIN = 0.5  # rise of the logarithm of the temperature for each missing nat
_MOST = 1.6  # highest factor of the temperature


@dataclass(frozen=True, slots=True)
class Sampling:
    """Settings of the draw.

    Raises:
        OptionError: if a value is out of its range.
    """

    temperature: float = 1.0
    """Temperature: 0 takes the likeliest token, 1 uses the model's probabilities.

    A higher value gives more variety.
    """
    top_k: int | None = None
    """Top-k: only the k likeliest tokens; None for all."""
    top_p: float | None = None
    """Top-p: only the likeliest tokens that together reach this probability, 0..1; None for all."""
    surprise: float | None = None
    """Target surprise in nats a token. If a song becomes more predictable, the temperature rises; see
    `Mirostat`. None keeps the temperature constant."""

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
"""The best settings for the built-in model, by the musical statistics of `lakhnes evaluate`."""


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the logarithms of the probabilities: logits [..., V] to float64 [..., V]."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def candidates(
    logits: NDArray[np.float32], sampling: Sampling
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the possible tokens and their probabilities.

    Args:
        logits: float32 [V]; -inf for a forbidden token. At least one must be finite.
        sampling: temperature, top-k and top-p.

    Returns:
        Token ids [n], sorted by probability if a cut needs the order, and float64 [n], summing to 1.

    Source: LakhNES `model/sampler.py`: temperature, softmax, the top k, renormalised.
    """
    if sampling.temperature == 0:
        return np.array([logits.argmax()]), np.ones(1)
    tokens = (logits > -np.inf).nonzero()[0]  # first, because argpartition is slow among many equal values
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
    """Draw a token. It takes one number of `rng` with any settings, so that takes stay comparable.

    Args:
        logits: float32 [V]; -inf for a forbidden token. At least one must be finite.
        sampling: temperature, top-k and top-p.
        rng: the random generator.
    """
    tokens, probabilities = candidates(logits, sampling)
    place = probabilities.cumsum().searchsorted(rng.random(), side="right")
    return int(tokens[min(int(place), len(tokens) - 1)])


class Mirostat:
    """Control of the temperature that keeps a song from circling.

    A model that hears only itself may repeat ever smaller loops. Mirostat measures the surprise of recent
    tokens. If it falls below `Sampling.surprise`, the temperature rises in proportion to the gap.

    Source: Basu et al. 2021, "Mirostat: a neural text decoding algorithm that directly controls perplexity",
    for the target surprise; there a cut holds it from both sides.
    """

    def __init__(self, sampling: Sampling) -> None:
        """Start without a history.

        Args:
            sampling: the requested settings; a lower temperature also lowers the target.
        """
        self._recent: float | None = None  # surprise of the recent tokens; None if it was not measured
        self.ask(sampling)

    def ask(self, sampling: Sampling) -> None:
        """Continue with other settings; settings without a drawn token leave no trace."""
        self._sampling = sampling
        self._least = (sampling.surprise or 0.0) * min(1.0, sampling.temperature)

    @property
    def surprise(self) -> float | None:
        """Surprise of the recent tokens, in nats a token; None if the settings have no target."""
        if not self._least:
            return None
        return self._least if self._recent is None else self._recent

    @property
    def sampling(self) -> Sampling:
        """Settings of the next draw."""
        if self.surprise is None or self.surprise >= self._least:
            return self._sampling
        rise = min(_MOST, float(np.exp(_GAIN * (self._least - self.surprise))))
        return replace(self._sampling, temperature=min(100.0, self._sampling.temperature * rise))

    def observe(self, logits: NDArray[np.float32], token: int) -> None:
        """Measure the surprise of a drawn token.

        Args:
            logits: float32 [V] of the draw.
            token: the drawn token.
        """
        before = self.surprise
        if before is None:
            self._recent = None
            return
        likely = float(logits.max())
        nats = float(np.log(np.exp(logits - likely).sum(dtype=np.float64))) + likely - float(logits[token])
        self._recent = before + (min(nats, MAX_SURPRISE) - before) / _RECENT_TOKENS
