"""The chord of each bar: the triad in which most of what sounds lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.chords import Chord

Ints = NDArray[np.int64]

OTHER, NO_CHORD = 24, 25
"""A bar whose notes lie in no triad, and one in which no melodic voice plays."""

_BASS = 2.0  # what a note of the triangle weighs
_ROOT = 1.5  # what the root of a triad weighs
_FITS = 0.6  # of what sounds lies in the triad

_TRIADS = np.array(
    [
        np.roll(np.bincount(steps, minlength=12), root)
        for steps in ((0, 4, 7), (0, 3, 7))
        for root in range(12)
    ],
    np.float64,
)
"""Pitch classes of the 24 triads, float64 [24, 12]: major from C to B, then minor."""

_ROOTED = _TRIADS + (_ROOT - 1) * np.vstack([np.eye(12), np.eye(12)])


def chords(onsets: Ints, ends: Ints, pitches: Ints, bass: NDArray[np.bool_], n_bars: int, bar: int) -> Ints:
    """Returns the chord of each bar: 0 to 11 major from C on, 12 to 23 minor, `OTHER` or `NO_CHORD`.

    Args:
        onsets: int64 [n], of the notes of all melodic voices, in ticks.
        ends: int64 [n].
        pitches: int64 [n].
        bass: bool [n], the notes that are bass.
        n_bars: how many bars.
        bar: ticks of a bar.

    Returns:
        int64 [n_bars].
    """
    ends = np.minimum(ends, n_bars * bar)
    weights = np.zeros((n_bars, 12))
    while len(onsets):
        number = onsets // bar
        line = (number + 1) * bar
        here = np.minimum(ends, line) - onsets
        np.add.at(weights, (number, pitches % 12), here * np.where(bass, _BASS, 1.0))
        on = ends > line  # into the next bar
        onsets, ends, pitches, bass = line[on], ends[on], pitches[on], bass[on]
    found = np.argmax(weights @ _ROOTED.T, axis=1)
    inside = np.einsum("bc,bc->b", weights, _TRIADS[found])
    total = weights.sum(axis=1)
    return np.where(total == 0, NO_CHORD, np.where(inside >= _FITS * total, found, OTHER))


def triad_number(chord: Chord) -> int:
    """The number, as of `chords`, of a chord's triad; `OTHER` where that is neither major nor minor."""
    if chord.root is None:
        return NO_CHORD
    for third, first in ((4, 0), (3, 12)):
        if {(chord.root + third) % 12, (chord.root + 7) % 12} <= chord.notes:
            return first + chord.root
    return OTHER
