"""Statistics of choices and ratings: intervals, strengths, agreement."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""Standard errors on either side of a 95 % interval."""

_STEPS, _TOLERANCE = 100, 1e-10


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(wins: float, n: int) -> Estimate | None:
    """Return the share of wins with the Wilson score interval; None without trials.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22, 1927.
    """
    if not n:
        return None
    share, z2 = wins / n, Z_95**2 / n
    centre = (share + z2 / 2) / (1 + z2)
    half = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2)
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half))


def mean(values: Sequence[float]) -> Estimate | None:
    """Return the mean with its interval by the normal approximation; None for fewer than two values."""
    if len(values) < 2:
        return None
    centre = float(np.mean(values))
    half = Z_95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate(centre, centre - half, centre + half)


def bradley_terry(wins: NDArray[np.float64]) -> list[Estimate] | None:
    """Return the strength of each player as natural log odds; their mean is 0.

    A strength that is higher by d wins against another with odds of exp(d). Half a win each way is added to
    every pair that met, so that a player who always wins has a finite strength. The intervals come from the
    Fisher information of the real matches.

    Args:
        wins: float64 [n, n]; row i, column j holds how often i won against j.

    Returns:
        The strengths; None if some players are linked to the others by no chain of matches.

    Source: R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs I", Biometrika 39, 1952.
    """
    n = len(wins)
    met = wins + wins.T
    if n < 2 or np.linalg.matrix_rank(_laplacian((met > 0).astype(np.float64))) < n - 1:
        return None
    smoothed = wins + 0.5 * (met > 0)
    both = smoothed + smoothed.T
    strengths = np.zeros(n)
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(strengths[None] - strengths[:, None]))  # [n, n], i wins against j
        gradient = (smoothed - both * expected).sum(1)
        step = np.linalg.pinv(_laplacian(both * expected * (1 - expected))) @ gradient
        strengths = strengths + np.clip(step, -2, 2)
        if np.abs(step).max() < _TOLERANCE:
            break
    strengths -= strengths.mean()
    expected = 1 / (1 + np.exp(strengths[None] - strengths[:, None]))
    covariance = np.linalg.pinv(_laplacian(met * expected * (1 - expected)))
    halves = Z_95 * np.sqrt(np.diag(covariance))
    return [Estimate(float(s), float(s - h), float(s + h)) for s, h in zip(strengths, halves, strict=True)]


def _laplacian(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.diag(weights.sum(1)) - weights, np.float64)


def nominal(one: float, other: float) -> float:
    """Return the distance of two values that are only the same or different."""
    return float(one != other)


def interval(one: float, other: float) -> float:
    """Return the distance of two values on a scale of equal steps."""
    return (one - other) ** 2


def agreement(
    units: Sequence[Sequence[float]], distance: Callable[[float, float], float] = nominal
) -> float | None:
    """Return Krippendorff's alpha: 1 if listeners agree, 0 if they answer like chance.

    Args:
        units: for each clip or pair, the values of the listeners who judged it.
        distance: `nominal` or `interval`.

    Returns:
        The alpha; None if no unit has two values, or all values are the same.

    Source: K. Krippendorff, "Content analysis", chapter 11.
    """
    pairable = [Counter(unit) for unit in units if len(unit) > 1]
    everything = sum(pairable, Counter[float]())
    total = everything.total()
    expected = _disagreement(everything, distance) / (total - 1) if total else 0.0
    if not expected:
        return None
    observed = sum(_disagreement(unit, distance) / (unit.total() - 1) for unit in pairable)
    return 1 - observed / expected


def _disagreement(counts: Counter[float], distance: Callable[[float, float], float]) -> float:
    """Return the sum of the distances of all ordered pairs."""
    return sum(m * n * distance(one, other) for one, m in counts.items() for other, n in counts.items())
