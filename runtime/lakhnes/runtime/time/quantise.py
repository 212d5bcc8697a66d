"""Notes onto the rows of a song, and songs to another tempo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

import numpy as np

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE, Kind
from lakhnes.runtime.music.score import Change, Note, Part, Score
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.tempo import Beats

NEAR_SECONDS = 0.018
"""What lies within this of a row, a 60 Hz frame, is meant to be on it; ornaments between rows stay."""


def quantised(score: Score, beats: Beats, strength: float = 1.0) -> Score:
    """A score with its notes on the rows of its beats.

    Onsets, ends and changes that lie near a row move onto it; no note is lost, and none overlaps the next.

    Args:
        score: any score.
        beats: of this score.
        strength: 0 (nothing moves) to 1 (onto the row).

    Raises:
        OptionError: for a strength out of range.
    """
    if not 0 <= strength <= 1:
        raise OptionError(f"A strength of {strength:g} is out of range; give 0 to 1.")
    near = np.minimum(NEAR_SECONDS * SAMPLE_RATE, np.diff(beats.rows).min() / 3)

    def moved(sample: int) -> int:
        right = int(np.searchsorted(beats.rows, sample))
        rows = beats.rows[max(0, right - 1) : right + 1]
        row = int(rows[np.abs(rows - sample).argmin()])
        return round(sample + strength * (row - sample)) if abs(row - sample) <= near else sample

    return _moved_score(score, moved)


def snapped(part: Part, grid: BeatGrid) -> Part:
    """A part on the rows of a grid, where it lies near them."""

    def moved(sample: int) -> int:
        row = grid.sample(round(grid.exact_tick(sample) / grid.row_ticks) * grid.row_ticks)
        return row if abs(row - sample) <= NEAR_SECONDS * SAMPLE_RATE else sample

    return _moved_part(part, moved)


def retimed(score: Score, grid: BeatGrid, bpm: float) -> tuple[Score, BeatGrid]:
    """A score at another tempo: what was on a beat is on that beat.

    Args:
        score: any score.
        grid: of this score. Its tempo may change; that of the result does not.
        bpm: beats a minute.

    Returns:
        The score, beginning with the bar that its first moment is in, and its grid.

    Raises:
        OptionError: for a tempo out of range.
    """
    steady = BeatGrid.steady(bpm, grid.beats_per_bar)
    lead = grid.lead_ticks

    def moved(sample: int) -> int:
        return max(0, steady.sample(grid.exact_tick(sample) + lead))

    return _moved_score(score, moved), steady


def _moved_score(score: Score, moved: Callable[[int], int]) -> Score:
    parts = [_moved_part(part, moved) for part in score.parts]
    ends = [part.notes[-1].end for part in parts if part.notes]
    changes = [part.changes[-1].sample for part in parts if part.changes]
    return Score((parts[0], parts[1], parts[2], parts[3]), max([moved(score.length), *ends, *changes]))


def _moved_part(part: Part, moved: Callable[[int], int]) -> Part:
    notes: list[Note] = []
    for note in part.notes:
        onset = max(0, moved(note.onset))
        if notes and onset <= notes[-1].onset:  # both belong to one row: the second keeps behind the first
            onset = max(note.onset, notes[-1].onset + 1)
        if notes and notes[-1].end > onset:
            notes[-1] = replace(notes[-1], length=onset - notes[-1].onset)
        notes.append(replace(note, onset=onset, length=max(1, moved(note.end) - onset)))
    onsets = {note.onset for note in notes}
    changes: dict[tuple[int, Kind], Change] = {}
    for change in part.changes:
        sample = max(0, moved(change.sample))
        if change.kind is Kind.VELOCITY and sample in onsets:
            sample = change.sample
        if not (change.kind is Kind.VELOCITY and sample in onsets):
            changes[sample, change.kind] = replace(change, sample=sample)
    return Part(tuple(notes), tuple(sorted(changes.values(), key=attrgetter("order"))))
