"""A score in the time of a model that composes in bars, and the way back."""

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
    """A score in a model's time, tick by tick from a bar line on."""

    score: Score
    """In model time; its notes sound up to the next one where there is no rest."""
    lines: BarLines
    articulation: tuple[int, ...]
    """Of each `Voice`, as in `Bars`."""

    @classmethod
    def of(cls, score: Score, lines: BarLines, bars: Bars, articulation: tuple[int, ...]) -> BarTime:
        """A score that is also given in bars."""
        length = max(1, round(lines.tick(score.length))) * TICK_SAMPLES if score.length else 0
        parts = (Part(notes_of(bars, voice, length)) for voice in Voice)
        return cls(Score.of(parts, length), lines, articulation)

    @property
    def rows(self) -> None:
        """It has none: every tick may have notes."""
        return

    @property
    def grid(self) -> BeatGrid:
        """Of the song."""
        return self.lines.grid

    @property
    def ticks(self) -> BeatGrid:
        """The ticks of the grid in model time; of a grid of one tempo."""
        step = self.lines.factor * TICKS_PER_BEAT * TICK_SAMPLES
        return replace(self.grid, samples=np.array([0.0, 1000 * step]), ticks=np.array([0.0, 1000.0 * PPQ]))

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the song, on average."""
        return self.lines.bpm * TICKS_PER_BEAT * TICK_SAMPLES / (60 * SAMPLE_RATE)

    def to_model(self, sample: int) -> int:
        """The model time of a sample of the song: that of the nearest tick."""
        return round(self.lines.nearest(sample)) * TICK_SAMPLES

    def to_song(self, time: int) -> int:
        """The sample of the song that a model time stands for."""
        return self.lines.sample(time / TICK_SAMPLES)

    def articulated(self, voice: Voice, part: Part) -> Part:
        """A part in model time with its notes as long as they are played."""
        lines = self.lines
        bar = round(lines.beats_per_bar * min(1.0, lines.factor) * TICKS_PER_BEAT) * TICK_SAMPLES
        frame = FRAME_SAMPLES * self.pace
        return Part(tuple(articulated(part.notes, voice, self.articulation[voice], bar, frame)), part.changes)


def score_of(bars: Bars, grid: BeatGrid) -> Score:
    """Bars as they sound on a grid, from its tick 0 on."""
    lines = BarLines(grid, bars.beats_per_bar, bars.bpm, 1.0, 0.0, bars.swing)
    length = bars.length * TICK_SAMPLES
    model = Score.of((Part(notes_of(bars, voice, length)) for voice in Voice), length)
    time = BarTime(model, lines, bars.articulation)
    return Score.of((to_song(time, voice, model) for voice in Voice), time.to_song(length))
