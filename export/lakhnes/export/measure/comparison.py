"""The full comparison of composed songs with human songs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lakhnes.export.measure.figures import HELD, OPEN, figures_of, table_of
from lakhnes.export.measure.repetition import DISTANCES
from lakhnes.export.measure.songs import HumanSongs, cut_alike
from lakhnes.export.measure.tracked_song import Floats
from lakhnes.export.measure.two_sample import Area, clustered_error, single_area, two_sample_area
from lakhnes.runtime import Score

STRUCTURE: tuple[str, ...] = (
    "passage of 8 s returns",
    "longest passage that returns",
    "match at 4 bars",
    "tempo stability",
    "period of the drums",
    "time in notes over 2 s",
    "longest rest of a voice",
    "notes in figures of six and more",
    "dissonance P1-TR",
    "dissonance P2-TR",
    "bass on the root",
    "over 60 notes a second",
    "time over 60 notes a second",
    "pitch-class entropy",
    "pitch-class entropy of a bar",
    "pitch-class entropy of four bars",
    "time sounding, P1",
    "time sounding, P2",
    "time sounding, TR",
    "time sounding, NO",
)
"""Figures of structure and surface, in the order of the report."""


@dataclass(frozen=True, slots=True)
class Side:
    """A figure of one set of songs."""

    mean: float | None
    """None if no song has it."""
    error: float | None
    """Standard error over songs, with the songs of one game together; None for fewer than two games."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A figure of composed songs and of human songs."""

    name: str
    composed: Side
    human: Side


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """A feature, and its own ability to separate the sets."""

    name: str
    area: Area
    """AUC; over 0.5 if the feature is larger in composed songs."""
    composed: Side
    human: Side


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of composed songs with human songs."""

    composed_songs: int
    human_songs: int
    games: int
    """Number of games of the human songs."""
    every: Area
    """AUC of the classifier with all features."""
    open: Area
    """AUC with the open half, which may be used to choose and to train."""
    held: Area
    """AUC with the held half."""
    among_humans: Area | None
    """AUC with all features between human songs of two halves of the games: that of a perfect model. None for
    too few games."""
    told_apart: tuple[FeatureRow, ...]
    """The features of the open half, the best separators first."""
    structure: tuple[FigureRow, ...]
    similarity: tuple[FigureRow, ...]
    """Match of bars at distances of 1 to 16 bars."""
    similarity_difference: float | None
    """Mean absolute difference of the two."""


def compare(
    composed: Sequence[Score],
    human: HumanSongs,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Compare composed songs with human songs.

    Args:
        composed: at least two songs; they are cut to the same spread of lengths.
        human: the human songs.
        seed: seed of the classifier's divisions.
        progress: called with the songs measured and their total.
    """
    total = len(composed) + len(human.scores)
    figures: list[dict[str, float]] = []
    for score in (*cut_alike(composed, human.scores), *human.scores):
        figures.append(figures_of(score))
        progress(len(figures), total)
    ours, theirs = figures[: len(composed)], figures[len(composed) :]
    own = tuple(f"song {number}" for number in range(len(composed)))
    groups = human.groups if human.games > 1 else tuple(f"song {n}" for n in range(len(theirs)))

    def area(names: Sequence[str]) -> Area:
        return two_sample_area(table_of(ours, names), table_of(theirs, names), own, groups, seed=seed)

    def row(name: str) -> FigureRow:
        return FigureRow(name, _side(_column(ours, name), own), _side(_column(theirs, name), groups))

    similarity = tuple(row(f"match at {distance} bars") for distance in DISTANCES)
    differences = [
        abs(each.composed.mean - each.human.mean)
        for each in similarity
        if each.composed.mean is not None and each.human.mean is not None
    ]
    told_apart = []
    for name in OPEN:
        alone = single_area(_column(ours, name), _column(theirs, name), own, groups)
        if alone is not None:
            sides = row(name)
            told_apart.append(FeatureRow(name, alone, sides.composed, sides.human))
    told_apart.sort(key=lambda feature: -abs(feature.area.value - 0.5))
    return Comparison(
        len(ours),
        len(theirs),
        human.games,
        area((*OPEN, *HELD)),
        area(OPEN),
        area(HELD),
        _among(table_of(theirs, (*OPEN, *HELD)), groups, seed),
        tuple(told_apart),
        tuple(map(row, STRUCTURE)),
        similarity,
        float(np.mean(differences)) if differences else None,
    )


def _column(songs: Sequence[dict[str, float]], name: str) -> Floats:
    return table_of(songs, (name,))[:, 0]


def _side(values: Floats, groups: Sequence[str]) -> Side:
    known = ~np.isnan(values)
    if not known.any():
        return Side(None, None)
    error = clustered_error(values[known], [g for g, has in zip(groups, known, strict=True) if has])
    return Side(float(values[known].mean()), None if np.isnan(error) else error)


_DIVISIONS = 8  # of the games into halves


def _among(songs: Floats, groups: Sequence[str], seed: int) -> Area | None:
    """Return the mean area between halves of the games, over several divisions."""
    games = sorted(set(groups))
    if len(games) < 4:
        return None
    member = np.asarray(groups)
    areas = []
    for division in range(_DIVISIONS):
        rng = np.random.default_rng([seed, division])
        half = np.isin(member, rng.permutation(games)[: len(games) // 2])
        areas.append(
            two_sample_area(
                songs[half], songs[~half], member[half].tolist(), member[~half].tolist(), seed=division
            )
        )
    return Area(float(np.mean([a.value for a in areas])), float(np.mean([a.error for a in areas])))
