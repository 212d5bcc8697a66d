"""A score in the time of a model that composes in bars, and the conversion back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lakhnes.runtime.bars.bars import TICKS_PER_BEAT, BarLines, Bars, articulated, notes_of
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, TICK_SAMPLES
from lakhnes.runtime.time.grid import PPQ, BeatGrid
from lakhnes.runtime.time.model_time import to_song


@dataclass(frozen=True, slots=True)
class BarTime:
    """A score in a model's time, tick by tick from a bar line."""

    score: Score
    """In model time; each note sounds up to the next one unless a rest ends it."""
    lines: BarLines
    articulation: tuple[int, ...]
    """Articulation of each `Voice`, as in `Bars`."""

    @classmethod
    def of(cls, score: Score, lines: BarLines, bars: Bars, articulation: tuple[int, ...]) -> BarTime:
        """Return a score together with its bars."""
        length = max(1, round(lines.tick(score.length))) * TICK_SAMPLES if score.length else 0
        parts = (Part(notes_of(bars, voice, length)) for voice in Voice)
        return cls(Score.of(parts, length), lines, articulation)

    @property
    def rows(self) -> None:
        """None: every tick may have notes."""
        return

    @property
    def grid(self) -> BeatGrid:
        """Grid of the song."""
        return self.lines.grid

    @property
    def ticks(self) -> BeatGrid:
        """Ticks of the grid in model time; for a grid of one tempo."""
        step = self.lines.factor * TICKS_PER_BEAT * TICK_SAMPLES
        return replace(self.grid, samples=np.array([0.0, 1000 * step]), ticks=np.array([0.0, 1000.0 * PPQ]))

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the song, on average."""
        return self.lines.bpm * TICKS_PER_BEAT * TICK_SAMPLES / (60 * SAMPLE_RATE)

    def to_model(self, sample: int) -> int:
        """Return the model time of a sample of the song, at the nearest tick."""
        return round(self.lines.nearest(sample)) * TICK_SAMPLES

    def to_song(self, time: int) -> int:
        """Return the sample of the song for a model time."""
        return self.lines.sample(time / TICK_SAMPLES)

    def articulated(self, voice: Voice, part: Part) -> Part:
        """Return a part in model time with its notes at their played length."""
        lines = self.lines
        bar = round(lines.beats_per_bar * min(1.0, lines.factor) * TICKS_PER_BEAT) * TICK_SAMPLES
        frame = FRAME_SAMPLES * self.pace
        return Part(tuple(articulated(part.notes, voice, self.articulation[voice], bar, frame)), part.changes)


def score_of(bars: Bars, grid: BeatGrid) -> Score:
    """Return bars as they sound on a grid, from its tick 0."""
    lines = BarLines(grid, bars.beats_per_bar, bars.bpm, 1.0, 0.0, bars.swing)
    length = bars.length * TICK_SAMPLES
    model = Score.of((Part(notes_of(bars, voice, length)) for voice in Voice), length)
    time = BarTime(model, lines, bars.articulation)
    return Score.of((to_song(time, voice, model) for voice in Voice), time.to_song(length))
