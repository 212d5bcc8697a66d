"""A score in a model's time, and the way back: frame by frame, or row by row where its beat is known.

Models hear rows as a whole number of frames. A sixteenth at 120 BPM lasts 7.5 frames; counted in frames it
would be 7 and 8 in turn, a rhythm that nobody plays. So a song with a grid is told to the model at the
nearest tempo of whole frames a row, and what it composes goes back onto the song's own rows, whatever their
tempo does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, Codec, Timing, cleaned, free_time
from lakhnes.runtime.time.grid import BeatGrid, grid_of_beats
from lakhnes.runtime.time.quantise import moved, moved_part
from lakhnes.runtime.time.rows import Rows
from lakhnes.runtime.time.tempo import SURE, track_beats

_PARTS = (1, 2, 3, 4, 6, 8)
"""Into so many equal parts a row may be cut where the music is finer."""

_FINEST = 3 * FRAME_SAMPLES
"""Samples of the finest part of a row; what is finer is no row any more."""

_NEARLY_ALL = 0.85
"""Share of onsets that rows must hold."""


class ModelTime(Protocol):
    """A score as a model reads it."""

    @property
    def score(self) -> Score:
        """In the model's time: with timing `frames` every event lies on a frame."""

    @property
    def rows(self) -> Rows | None:
        """Its rows, on which new notes begin; None for free time."""

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the song, on average."""

    def to_model(self, sample: int) -> int:
        """The model time of a sample of the song."""

    def to_song(self, time: int) -> int:
        """The sample of the song that a model time stands for."""

    def articulated(self, voice: Voice, part: Part) -> Part:
        """A part of a voice, in model time, with its notes as long as they are played."""


@dataclass(frozen=True, slots=True)
class SongTime:
    """A song in the time of a model, and how the model says it."""

    time: ModelTime
    codec: Codec
    grid: BeatGrid | None
    """On which the song lies; None for free time."""


def whole_frames(grid: BeatGrid) -> int:
    """Frames of a row for a model: the nearest whole number, the even one of two that are as near."""
    return max(1, round(round(_row_samples(grid) / FRAME_SAMPLES, 6)))


def model_grid(grid: BeatGrid, timing: Timing) -> BeatGrid:
    """The steady grid of the time in which a model composes; in `frames` a row has whole frames."""
    rows = model_rows(grid, timing)
    return replace(
        grid,
        samples=np.array([0.0, 1000 * rows.step]),
        ticks=np.array([0.0, 1000.0 * grid.row_ticks]),
    )


def model_rows(grid: BeatGrid, timing: Timing) -> Rows:
    """The rows of `model_grid`."""
    return Rows(whole_frames(grid) * FRAME_SAMPLES if timing is Timing.FRAMES else _row_samples(grid))


def model_pace(grid: BeatGrid, timing: Timing) -> float:
    """Samples of model time for each sample of a song, on average."""
    return model_rows(grid, timing).step / _row_samples(grid)


def _row_samples(grid: BeatGrid) -> float:
    samples, ticks = grid.samples, grid.ticks
    return float((samples[-1] - samples[0]) / (ticks[-1] - ticks[0]) * grid.row_ticks)


@dataclass(frozen=True, slots=True)
class RowTime:
    """A score in a model's time, row by row."""

    score: Score
    """In model time."""
    grid: BeatGrid
    """Of the song."""
    step: float
    """Model samples of a row of the grid."""
    rows: Rows
    """On which new notes begin: those of the grid, or even parts of them where the score is finer."""
    first: int
    """Number, from tick 0 on, of the row that is at model time 0."""
    timing: Timing
    """Of the model."""

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the song, on average."""
        return self.step / _row_samples(self.grid)

    def to_model(self, sample: int) -> int:
        """The model time of a sample of the song."""
        return _told(self.grid, self.step, self.first, self.timing, sample)

    def to_song(self, time: int) -> int:
        """The sample of the song that a model time stands for; that of a row is the grid's own."""
        return self.grid.sample((time / self.step + self.first) * self.grid.row_ticks)

    def articulated(self, voice: Voice, part: Part) -> Part:
        """A part in model time as it is played: as it is."""
        return part


def row_time(score: Score, grid: BeatGrid, timing: Timing) -> RowTime:
    """A score in the time of a model of some timing, row by row of its grid."""
    step = model_rows(grid, timing).step
    first = math.floor(grid.exact_tick(0) / grid.row_ticks + 1e-6)

    def told(sample: int) -> int:
        return _told(grid, step, first, timing, sample)

    frames = timing is Timing.FRAMES
    in_time = cleaned(score, lambda sample: told(sample) // FRAME_SAMPLES) if frames else moved(score, told)
    return RowTime(in_time, grid, step, _fine_enough(in_time, step, frames=frames), first, timing)


def beat_of(score: Score) -> BeatGrid | None:
    """The grid of a score's own beat, if it has one that is sure."""
    if not score.n_notes:
        return None
    beats = track_beats(score)
    return grid_of_beats(beats) if beats.confidence >= SURE else None


def model_time(score: Score, grid: BeatGrid | None, timing: Timing) -> ModelTime:
    """A score in the time of a model, row by row if it has a grid with rows."""
    if grid is None or not grid.row_ticks:
        return free_time(score, timing)
    return row_time(score, grid, timing)


def to_song(time: ModelTime, voice: Voice, score: Score, since: int = 0) -> Part:
    """What a voice of a score in model time plays from a moment on, in the time of the song."""
    part = time.articulated(voice, score.parts[voice])
    notes = tuple(note for note in part.notes if note.onset >= since)
    changes = tuple(change for change in part.changes if change.sample >= since)
    return moved_part(Part(notes, changes if notes else ()), time.to_song)


def _fine_enough(score: Score, step: float, *, frames: bool) -> Rows:
    """Rows, or the coarsest even part of them, on which nearly all onsets of a score lie."""
    onsets = np.array([note.onset for part in score.parts for note in part.notes])
    best, most = Rows(step), -1.0
    for parts in _PARTS:
        rows = Rows(step / parts)
        if parts > 1 and (rows.step < _FINEST or (frames and rows.step % FRAME_SAMPLES)):
            continue
        places = onsets / rows.step
        share = float((abs(places - places.round()) * rows.step <= rows.near).mean()) if onsets.size else 1.0
        if share >= _NEARLY_ALL:
            return rows
        if share > most:
            best, most = rows, share
    return best


def _told(grid: BeatGrid, step: float, first: int, timing: Timing, sample: int) -> int:
    """The model time of a sample of a song whose row `first` is at 0; with timing `frames` a whole frame."""
    time = (grid.exact_tick(sample) / grid.row_ticks - first) * step
    if timing is Timing.SAMPLES:
        return round(time)
    return math.floor(time / FRAME_SAMPLES + 0.5) * FRAME_SAMPLES
