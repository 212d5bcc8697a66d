"""Sampling: logits to a token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError


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

    def __post_init__(self) -> None:
        if self.temperature != 0 and not 0.01 <= self.temperature <= 100:
            raise OptionError(
                f"Temperature {self.temperature} is out of range; give 0, or 0.01 to 100, such as 1.0."
            )
        if self.top_k is not None and self.top_k < 1:
            raise OptionError(f"top-k {self.top_k} is out of range; give 1 or more, such as 32.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise OptionError(f"top-p {self.top_p} is out of range; give more than 0 and at most 1.")


USUAL_SAMPLING = Sampling(1.0, None, 0.98)
"""How the built-in model sounds best, by the musical statistics of `lakhnes evaluate`."""


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
