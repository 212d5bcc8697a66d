"""A score in a model's time, and the conversion back: frame by frame, or row by row if its beat is known.

Models learned rows of whole frames. A sixteenth at 120 BPM lasts 7.5 frames. Counted in frames it would be 7
and 8 in turn, a rhythm that nobody plays. A song with a grid is therefore converted to the nearest tempo with
whole frames per row. The composed notes then return to the song's own rows, at any tempo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, Codec, Timing, cleaned, free_time
from lakhnes.runtime.time.grid import BarPlace, BeatGrid, grid_of_beats
from lakhnes.runtime.time.quantise import moved, moved_part
from lakhnes.runtime.time.rows import Rows
from lakhnes.runtime.time.tempo import SURE, track_beats

_PARTS = (1, 2, 3, 4, 6, 8)
"""Number of equal parts that a row may be divided into if the music is finer."""

_FINEST = 3 * FRAME_SAMPLES
"""Shortest part of a row, in samples."""

_NEARLY_ALL = 0.85
"""Share of onsets that must lie on rows."""


class ModelTime(Protocol):
    """A score as a model reads it."""

    @property
    def score(self) -> Score:
        """The score in model time; with timing `frames` every event is on a frame."""

    @property
    def rows(self) -> Rows | None:
        """Rows on which new notes begin; None for free time."""

    @property
    def grid(self) -> BeatGrid | None:
        """On which the model counts the song; None for free time."""

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the song, on average."""

    def to_model(self, sample: int) -> int:
        """Return the model time of a sample of the song."""

    def to_song(self, time: int) -> int:
        """Return the sample of the song for a model time."""

    def articulated(self, voice: Voice, part: Part) -> Part:
        """Return a part of a voice, in model time, with its notes at their played length."""


@dataclass(frozen=True, slots=True)
class SongTime:
    """A song in the time of a model, with the model's codec."""

    time: ModelTime
    codec: Codec
    grid: BeatGrid | None
    """Grid of the song; None for free time."""

    def place_at(self, time: int) -> BarPlace | None:
        """The place in the song's bars at a model time; None in free time."""
        grid = self.time.grid
        return None if grid is None else grid.place(grid.tick(self.time.to_song(time)))


def whole_frames(grid: BeatGrid) -> int:
    """Return the nearest whole number of frames of a row, the even one on a tie."""
    return max(1, round(round(_row_samples(grid) / FRAME_SAMPLES, 6)))


def model_grid(grid: BeatGrid, timing: Timing) -> BeatGrid:
    """Return the steady grid in which a model composes; in `frames` a row has whole frames."""
    rows = model_rows(grid, timing)
    return replace(
        grid,
        samples=np.array([0.0, 1000 * rows.step]),
        ticks=np.array([0.0, 1000.0 * grid.row_ticks]),
    )


def model_rows(grid: BeatGrid, timing: Timing) -> Rows:
    """Return the rows of `model_grid`."""
    return Rows(whole_frames(grid) * FRAME_SAMPLES if timing is Timing.FRAMES else _row_samples(grid))


def model_pace(grid: BeatGrid, timing: Timing) -> float:
    """Return the samples of model time for each sample of a song, on average."""
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
    """Grid of the song."""
    step: float
    """Model samples of a row of the grid."""
    rows: Rows
    """Rows on which new notes begin: those of the grid, or even parts of them if the score is finer."""
    first: int
    """Number of the row at model time 0, counted from tick 0."""
    timing: Timing
    """Timing of the model."""

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the song, on average."""
        return self.step / _row_samples(self.grid)

    def to_model(self, sample: int) -> int:
        """Return the model time of a sample of the song."""
        return _told(self.grid, self.step, self.first, self.timing, sample)

    def to_song(self, time: int) -> int:
        """Return the sample of the song for a model time; a row returns to the grid's own row."""
        return self.grid.sample((time / self.step + self.first) * self.grid.row_ticks)

    def articulated(self, voice: Voice, part: Part) -> Part:
        """Return a part in model time as it is played: unchanged."""
        return part


def row_time(score: Score, grid: BeatGrid, timing: Timing) -> RowTime:
    """Return a score in the time of a model with some timing, row by row of its grid."""
    step = model_rows(grid, timing).step
    first = math.floor(grid.exact_tick(0) / grid.row_ticks + 1e-6)

    def told(sample: int) -> int:
        return _told(grid, step, first, timing, sample)

    frames = timing is Timing.FRAMES
    in_time = cleaned(score, lambda sample: told(sample) // FRAME_SAMPLES) if frames else moved(score, told)
    return RowTime(in_time, grid, step, _fine_enough(in_time, step, frames=frames), first, timing)


def beat_of(score: Score) -> BeatGrid | None:
    """Return the grid of a score's tracked beat; None for a score without notes, or if the beat is unsure."""
    beat, sure = likely_beat(score)
    return beat if sure else None


def likely_beat(score: Score) -> tuple[BeatGrid | None, bool]:
    """Return the grid of a score's likeliest beat, None for a score without notes, and whether it is sure."""
    if not score.n_notes:
        return None, False
    beats = track_beats(score)
    return grid_of_beats(beats), beats.confidence >= SURE


def model_time(score: Score, grid: BeatGrid | None, timing: Timing) -> ModelTime:
    """Return a score in the time of a model, row by row if it has a grid with rows."""
    if grid is None or not grid.row_ticks:
        return free_time(score, timing)
    return row_time(score, grid, timing)


def to_song(time: ModelTime, voice: Voice, score: Score, since: int = 0) -> Part:
    """Return a voice of a score in model time, from a moment on, converted to the time of the song."""
    part = time.articulated(voice, score.parts[voice])
    notes = tuple(note for note in part.notes if note.onset >= since)
    changes = tuple(change for change in part.changes if change.sample >= since)
    return moved_part(Part(notes, changes if notes else ()), time.to_song)


def _fine_enough(score: Score, step: float, *, frames: bool) -> Rows:
    """Return rows, or their coarsest even parts, that hold nearly all onsets of a score."""
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
    """Return the model time of a sample, with row `first` at 0; with timing `frames` a whole frame."""
    time = (grid.exact_tick(sample) / grid.row_ticks - first) * step
    if timing is Timing.SAMPLES:
        return round(time)
    return math.floor(time / FRAME_SAMPLES + 0.5) * FRAME_SAMPLES
