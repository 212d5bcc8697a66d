"""A classifier two-sample test: can a classifier separate two sets of songs that are new to it?

An area under the ROC curve (AUC) of 0.5 means never, 1 means always. Songs of one group, such as a game, are
never in both the training part and the test part.

References:
- Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests".
- Obuchowski 1997, "Nonparametric analysis of clustered ROC curve data": the standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lakhnes.export.measure.tracked_song import Floats, Ints

PENALTY = 3.0
"""Weight of the squared coefficients against the summed loss of the songs, on features of variance 1."""

_FOLDS = 5
_REPEATS = 20
_WIDEST = 3.0  # standard deviations; larger values count as this
_NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class Area:
    """The area under a ROC curve."""

    value: float
    """0.5 if the sets look alike; lower values are chance."""
    error: float
    """Standard error over the songs and their groups."""


def two_sample_area(
    one: Floats,
    other: Floats,
    one_groups: Sequence[str],
    other_groups: Sequence[str],
    *,
    seed: int = 0,
) -> Area:
    """Return how well a regularised logistic regression separates two sets of songs.

    The songs are divided into five folds, twenty times. A song of one set is compared with a song of the
    other if both are in the fold that the regression was not fitted to. Regressions of different folds are
    never compared with each other.

    Args:
        one: float64 [m, features]; NaN for a missing feature. At least two songs.
        other: float64 [n, features].
        one_groups: group of each song of one set.
        other_groups: group of each song of the other set.
        seed: seed of the divisions.

    Raises:
        ValueError: if a set has fewer than two groups.
    """
    if len(set(one_groups)) < 2 or len(set(other_groups)) < 2:
        raise ValueError("each set needs songs of two groups at least")
    rng = np.random.default_rng(seed)
    n_folds = min(_FOLDS, len(set(one_groups)), len(set(other_groups)))
    wins = np.zeros((len(one), len(other)))
    counts = np.zeros((len(one), len(other)))
    for _ in range(_REPEATS):
        one_folds = _folds(one_groups, n_folds, rng)
        other_folds = _folds(other_groups, n_folds, rng)
        for fold in range(n_folds):
            judged = np.flatnonzero(one_folds == fold), np.flatnonzero(other_folds == fold)
            verdict = _fit(one[one_folds != fold], other[other_folds != fold])
            ours, theirs = verdict(one[judged[0]]), verdict(other[judged[1]])
            wins[np.ix_(*judged)] += _wins(ours, theirs)
            counts[np.ix_(*judged)] += 1
    pairs = np.divide(wins, counts, out=np.full(wins.shape, np.nan), where=counts > 0)
    return _area(pairs, one_groups, other_groups)


def single_area(
    one: Floats, other: Floats, one_groups: Sequence[str], other_groups: Sequence[str]
) -> Area | None:
    """Return how well one feature alone separates two sets: over 0.5 if it is larger in the first.

    Args:
        one: float64 [m]; NaN for a missing value.
        other: float64 [n].
        one_groups: group of each song of one set.
        other_groups: group of each song of the other set.

    Returns:
        None if fewer than two groups of a set have the feature.
    """
    ours, theirs = ~np.isnan(one), ~np.isnan(other)
    one_groups = [group for group, known in zip(one_groups, ours, strict=True) if known]
    other_groups = [group for group, known in zip(other_groups, theirs, strict=True) if known]
    if len(set(one_groups)) < 2 or len(set(other_groups)) < 2:
        return None
    return _area(_wins(one[ours], other[theirs]), one_groups, other_groups)


def clustered_error(values: Floats, groups: Sequence[str]) -> float:
    """Return the standard error of the mean of grouped values.

    Args:
        values: float64 [n], without NaN.
        groups: group of each value.

    Returns:
        NaN for fewer than two groups.
    """
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(member.max(initial=-1)) + 1
    if n_groups < 2:
        return float("nan")
    sums = np.bincount(member, values - values.mean())
    return float(np.sqrt(n_groups / (n_groups - 1) * (sums**2).sum()) / len(values))


def _area(pairs: Floats, one_groups: Sequence[str], other_groups: Sequence[str]) -> Area:
    """Return the area of pairs, float64 [m, n]: 1 if the first set's song is judged more like that set."""
    ours, theirs = np.nanmean(pairs, axis=1), np.nanmean(pairs, axis=0)
    errors = clustered_error(ours, one_groups), clustered_error(theirs, other_groups)
    return Area(float(np.nanmean(pairs)), float(np.hypot(*errors)))


def _wins(ours: Floats, theirs: Floats) -> Floats:
    """Return float64 [m, n]: 1 if ours is larger, a half if both are equal."""
    difference = ours[:, None] - theirs[None, :]
    return np.asarray((difference > 0) + 0.5 * (difference == 0))


def _folds(groups: Sequence[str], n_folds: int, rng: np.random.Generator) -> Ints:
    """Return the fold of each song; groups stay together, and each goes to the smallest fold."""
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(member)
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled, fold = np.zeros(n_folds), np.zeros(len(sizes), np.int64)
    for group in order:
        fold[group] = int(np.argmin(filled))
        filled[fold[group]] += sizes[group]
    return fold[member]


@dataclass(frozen=True, slots=True, eq=False)
class _Verdict:
    """A fitted regression; a higher value is more like the first set."""

    mean: Floats
    scale: Floats
    weights: Floats

    def __call__(self, songs: Floats) -> Floats:
        return _scaled(songs, self.mean, self.scale) @ self.weights


def _scaled(songs: Floats, middle: Floats, scale: Floats) -> Floats:
    """Return features with mean 0 and variance 1; missing values become the mean."""
    return np.nan_to_num(np.clip((songs - middle) / scale, -_WIDEST, _WIDEST))


def _fit(one: Floats, other: Floats) -> _Verdict:
    """Fit a logistic regression by Newton's method; both sets count the same, whatever their sizes."""
    songs = np.concatenate([one, other])
    known = ~np.isnan(songs)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, songs, 0).sum(axis=0) / count
    scale = np.sqrt(np.where(known, (songs - middle) ** 2, 0).sum(axis=0) / count)
    scale[scale < 1e-9] = 1.0
    inputs = np.column_stack([_scaled(songs, middle, scale), np.ones(len(songs))])
    target = np.repeat([1.0, 0.0], [len(one), len(other)])
    weight = np.repeat([len(songs) / 2 / len(one), len(songs) / 2 / len(other)], [len(one), len(other)])
    penalty = np.full(inputs.shape[1], PENALTY)
    penalty[-1] = 1e-6  # the intercept is free
    weights = np.zeros(inputs.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (weight * (chance - target)) + penalty * weights
        curve = (inputs * (weight * chance * (1 - chance))[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return _Verdict(middle, scale, weights[:-1])
