"""Relation of each bar of a voice to its earlier bars: the same, varied, the same rhythm, or new.

A model that names the relation before it composes a bar decides once for the whole bar whether it returns.
Note by note, each repeated note makes the next repetition likelier, and songs repeat themselves too much.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import TICK_SAMPLES

Ints = NDArray[np.int64]

_SAME = (1, 2, 3, 4, 6, 8, 12, 16)  # distances in bars
_VARIED = (1, 2, 4, 8, 16)
_RHYTHM = (1, 2, 4, 8)

NEW, EMPTY = 0, 1
"""A bar that resembles none of the compared ones, and one in which no note begins."""

SAME = EMPTY + 1
"""The first relation of a bar whose notes equal those of an earlier one, in onset and pitch."""

VARIED = SAME + len(_SAME)
"""The first relation of a bar that shares at least half of its notes with an earlier one."""

RHYTHM = VARIED + len(_VARIED)
"""The first relation of a bar with the onsets of an earlier one and other pitches."""

N_RELATIONS = RHYTHM + len(_RHYTHM)
"""Number of relations."""

DISTANCES = (0, 0, *_SAME, *_VARIED, *_RHYTHM)
"""For each relation the distance of the earlier bar; 0 for none."""

FARTHEST = max(DISTANCES)
"""Largest distance in bars."""

_SHARED = 0.5  # notes that both bars have, divided by the notes that either has
_PITCHES = 128


def relations(ticks: Ints, pitches: Ints, n_bars: int, bar_ticks: int) -> Ints:
    """Return the relation of each bar of one voice.

    Args:
        ticks: int64 [n], ascending: onset of each note, in ticks from the first bar line.
        pitches: int64 [n]: pitch of each note, 0 to 127.
        n_bars: number of bars.
        bar_ticks: ticks of a bar.

    Returns:
        int64 [n_bars]: 0 to `N_RELATIONS` - 1.
    """
    edges = np.searchsorted(ticks, np.arange(n_bars + 1) * bar_ticks)
    codes = (ticks % bar_ticks * _PITCHES + pitches).tolist()
    bars = [codes[first:last] for first, last in pairwise(edges.tolist())]
    return np.array([_relation(bars, bar) for bar in range(n_bars)], np.int64)


class KnownRelations:
    """The relations of bars that exist already, each found when it is first needed."""

    def __init__(self, score: Score, n_bars: Mapping[Voice, int], bar_ticks: int) -> None:
        """Take existing music.

        Args:
            score: in model time.
            n_bars: for each voice, the number of bars from the first one that stay as they are.
            bar_ticks: ticks of a bar.
        """
        self._score, self._n_bars, self._bar_ticks = score, n_bars, bar_ticks
        self._found: dict[Voice, list[int]] = {}

    def of(self, bar: int) -> dict[Voice, int]:
        """Return the relation of a bar in each voice in which it exists."""
        return {voice: self._of_voice(voice)[bar] for voice, n in self._n_bars.items() if 0 <= bar < n}

    def _of_voice(self, voice: Voice) -> list[int]:
        if voice not in self._found:
            notes = self._score.parts[voice].notes
            ticks = np.array([note.onset // TICK_SAMPLES for note in notes], np.int64)
            pitches = np.array([note.pitch for note in notes], np.int64)
            self._found[voice] = relations(ticks, pitches, self._n_bars[voice], self._bar_ticks).tolist()
        return self._found[voice]


def _relation(bars: list[list[int]], bar: int) -> int:
    notes = bars[bar]
    if not notes:
        return EMPTY
    for place, distance in enumerate(_SAME):
        if distance <= bar and bars[bar - distance] == notes:
            return SAME + place
    mine = set(notes)
    shared = [
        len(mine & set(bars[bar - distance])) / len(mine | set(bars[bar - distance]))
        for distance in _VARIED
        if distance <= bar
    ]
    if shared and max(shared) >= _SHARED:
        return VARIED + shared.index(max(shared))
    for place, distance in enumerate(_RHYTHM if len(notes) > 1 else ()):
        if distance <= bar and _onsets(bars[bar - distance]) == _onsets(notes):
            return RHYTHM + place
    return NEW


def _onsets(notes: list[int]) -> list[int]:
    return [note // _PITCHES for note in notes]
