"""The notes of a voice as arrays. Building them takes long for a long song, so they are kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from operator import attrgetter
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime import Note, Score
from lakhnes.runtime.music.score import shared_ends

_KEPT = 24
"""Number of voices whose arrays are kept: those of the last few forms of a song."""

_onset, _length, _pitch = attrgetter("onset"), attrgetter("length"), attrgetter("pitch")


@dataclass(frozen=True, slots=True, eq=False)
class NoteColumns:
    """Notes in the order of time."""

    onsets: NDArray[np.float64]
    """[n] samples."""
    ends: NDArray[np.float64]
    """[n] samples."""
    pitches: NDArray[np.int64]
    """[n] MIDI pitches."""

    @classmethod
    def of(cls, notes: tuple[Note, ...]) -> NoteColumns:
        """Return the arrays of some notes."""
        n = len(notes)
        onsets = np.fromiter(map(_onset, notes), np.float64, n)
        lengths = np.fromiter(map(_length, notes), np.float64, n)
        return cls(onsets, onsets + lengths, np.fromiter(map(_pitch, notes), np.int64, n))

    def with_middle(self, same: int, middle: NoteColumns, back: int) -> NoteColumns:
        """Return the first `same` and the last `back` notes, with others between them."""
        rest = len(self.onsets) - back
        ours, theirs = ((columns.onsets, columns.ends, columns.pitches) for columns in (self, middle))
        onsets, ends, pitches = (
            np.concatenate((mine[:same], new, mine[rest:])) for mine, new in zip(ours, theirs, strict=True)
        )
        return NoteColumns(onsets, ends, pitches)


_kept: OrderedDict[int, tuple[tuple[Note, ...], NoteColumns]] = OrderedDict()  # by the identity of the notes
_lock = Lock()


def columns_of(notes: tuple[Note, ...], known: tuple[Note, ...] = ()) -> NoteColumns:
    """Return the arrays of a voice's notes; any thread may ask.

    Args:
        notes: the notes.
        known: another form of them; if its arrays are kept, only what differs is built.
    """
    with _lock:
        kept, other = _kept.get(id(notes)), _kept.get(id(known))
        if kept is not None:
            _kept.move_to_end(id(notes))
            return kept[1]
    if other is None:
        columns = NoteColumns.of(notes)
    else:
        same, back = shared_ends(known, notes)
        columns = other[1].with_middle(same, NoteColumns.of(notes[same : len(notes) - back]), back)
    with _lock:
        _kept[id(notes)] = notes, columns
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return columns


def prepare_columns(score: Score, known: Score) -> None:
    """Build the arrays of a score in the background, so that a window need not.

    Args:
        score: the score that is shown next.
        known: the score that is shown now.
    """
    for part, old in zip(score.parts, known.parts, strict=True):
        columns_of(part.notes, old.notes)


__all__ = ["NoteColumns", "columns_of", "prepare_columns"]
