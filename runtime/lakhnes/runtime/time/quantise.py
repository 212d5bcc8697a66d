"""Moving notes onto the rows of a song, and songs to another tempo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

import numpy as np

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE, Kind
from lakhnes.runtime.music.score import Change, Note, Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.tempo import Beats

NEAR_SECONDS = 0.018
"""Distance in seconds, about a 60 Hz frame, within which a note belongs to a row; other ornaments stay."""


def quantised(score: Score, beats: Beats, strength: float = 1.0) -> Score:
    """Return a score with its notes on the rows of its beats.

    Onsets, ends and changes near a row move onto it. No note is lost, and none overlaps the next. None
    becomes shorter than a frame or half its length; such an onset stays in place.

    Args:
        score: any score.
        beats: the beats of this score.
        strength: 0 (nothing moves) to 1 (onto the row).

    Raises:
        OptionError: for a strength out of range.
    """
    if not 0 <= strength <= 1:
        raise OptionError(f"A strength of {strength:g} is out of range; give 0 to 1.")
    near = np.minimum(NEAR_SECONDS * SAMPLE_RATE, np.diff(beats.rows).min() / 3)

    def on_row(sample: int) -> int:
        right = int(np.searchsorted(beats.rows, sample))
        rows = beats.rows[max(0, right - 1) : right + 1]
        row = int(rows[np.abs(rows - sample).argmin()])
        return round(sample + strength * (row - sample)) if abs(row - sample) <= near else sample

    return _moved_score(score, lambda part: _quantised_part(part, on_row), on_row)


def retimed(score: Score, grid: BeatGrid, bpm: float) -> tuple[Score, BeatGrid]:
    """Return a score at another tempo; every note keeps its beat.

    Args:
        score: any score.
        grid: the grid of this score. Its tempo may change; the tempo of the result does not.
        bpm: beats a minute.

    Returns:
        The score, starting with the bar of its first moment, and its grid.

    Raises:
        OptionError: for a tempo out of range.
    """
    lead = grid.lead_ticks
    later = [s._replace(tick=s.tick + lead) for s in grid.signatures[1:]]
    keys = tuple(key._replace(tick=key.tick + lead if key.tick else 0) for key in grid.keys)
    steady = replace(
        BeatGrid.steady(bpm), signatures=(grid.signatures[0], *later), keys=keys, row_ticks=grid.row_ticks
    )

    return moved(score, lambda sample: max(0, steady.sample(grid.exact_tick(sample) + lead))), steady


def moved(score: Score, to: Callable[[int], int]) -> Score:
    """Return a score moved to another time.

    Args:
        score: any score.
        to: returns the new time of a sample; must rise with it.
    """
    return _moved_score(score, lambda part: moved_part(part, to), to)


def moved_part(part: Part, to: Callable[[int], int]) -> Part:
    """Return a part moved to another time; notes that fall together keep their order."""
    notes: list[Note] = []
    for note in part.notes:
        onset = max(0, to(note.onset))
        if notes and onset <= notes[-1].onset:
            onset = notes[-1].onset + 1
        if notes and notes[-1].end > onset:
            notes[-1] = replace(notes[-1], length=onset - notes[-1].onset)
        notes.append(replace(note, onset=onset, length=max(1, to(note.end) - onset)))
    return _with_changes(notes, part, to)


def _quantised_part(part: Part, on_row: Callable[[int], int]) -> Part:
    """Return a part with onsets, ends and changes on rows, as far as its notes keep their length."""
    least = [min(note.length, max(FRAME_SAMPLES, -(-note.length // 2))) for note in part.notes]
    following = [note.onset for note in part.notes[1:]]
    onsets: list[int] = []
    for place, note in enumerate(part.notes):
        onset = on_row(note.onset)
        low = onsets[-1] + least[place - 1] if onsets else 0
        high = following[place] - least[place] if place < len(following) else onset
        onsets.append(onset if low <= onset <= high else note.onset)
    notes = []
    for place, (note, onset) in enumerate(zip(part.notes, onsets, strict=True)):
        after = onsets[place + 1] if place < len(following) else None
        end = max(on_row(note.end), onset + least[place])
        if after is not None:
            end = after if note.end == following[place] else min(end, after)
        notes.append(replace(note, onset=onset, length=end - onset))
    return _with_changes(notes, part, on_row)


def _moved_score(score: Score, part: Callable[[Part], Part], to: Callable[[int], int]) -> Score:
    parts = [part(one) for one in score.parts]
    ends = [part.notes[-1].end for part in parts if part.notes]
    changes = [part.changes[-1].sample for part in parts if part.changes]
    return Score.of(parts, max([to(score.length), *ends, *changes]))


def _with_changes(notes: list[Note], part: Part, to: Callable[[int], int]) -> Part:
    """Return moved notes with the changes of their part."""
    onsets = {note.onset for note in notes}
    changes: dict[tuple[int, Kind], Change] = {}
    for change in part.changes:
        sample = max(0, to(change.sample))
        if change.kind is Kind.VELOCITY and sample in onsets:
            sample = change.sample
        if not (change.kind is Kind.VELOCITY and sample in onsets):
            changes[sample, change.kind] = replace(change, sample=sample)
    together = tuple(sorted(changes.values(), key=attrgetter("order")))
    return Part(tuple(notes), together if notes else ())
