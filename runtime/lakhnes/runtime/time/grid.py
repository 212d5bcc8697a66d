"""The grid of a song: samples to bars, beats and ticks, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.time.tempo import Beats

PPQ = 480
"""Ticks of a beat."""

FEW_TEMPI_SAMPLES = 735
"""Samples, a frame, that a row may lie beside a tempo map of few tempi."""

TEMPI_BPM = (20.0, 400.0)
"""Slowest and fastest tempo of a grid."""


class Position(NamedTuple):
    """A place in bars, as a DAW counts."""

    bar: int
    """From 1; 0 and below before the song."""
    beat: int
    """From 1."""
    tick: int
    """0..479."""


@dataclass(frozen=True, slots=True, eq=False)
class BeatGrid:
    """Where the beats of a song lie in samples.

    Between its points time runs evenly, and beyond them as in the first and the last stretch.

    Raises:
        OptionError: if the points do not rise, or there are fewer than two.
    """

    samples: NDArray[np.float64]
    """[n] at 44.1 kHz, strictly rising."""
    ticks: NDArray[np.float64]
    """[n] at 480 a beat, strictly rising; a bar begins at 0."""
    beats_per_bar: int = 4
    tempi: tuple[tuple[int, float], ...] = ((0, 120.0),)
    """Tick and beats a minute of each tempo, as a MIDI file states them; the first at the song's start."""
    row_ticks: int = PPQ // 4
    """Ticks of the smallest step on which notes usually fall."""

    def __post_init__(self) -> None:
        if len(self.samples) < 2 or (np.diff(self.samples) <= 0).any() or (np.diff(self.ticks) <= 0).any():
            raise OptionError("A grid needs two points at least, each after the one before.")

    @classmethod
    def steady(cls, bpm: float, beats_per_bar: int = 4) -> BeatGrid:
        """A grid of one tempo from sample 0 on.

        Raises:
            OptionError: for a tempo or a bar out of range.
        """
        slowest, fastest = TEMPI_BPM
        if not slowest <= bpm <= fastest:
            raise OptionError(f"A tempo of {bpm:g} BPM is out of range; give {slowest:g} to {fastest:g}.")
        if not 1 <= beats_per_bar <= 16:
            raise OptionError(f"A bar of {beats_per_bar} beats is out of range; give 1 to 16.")
        points = np.array([0.0, 1.0])
        return cls(points * 60 * SAMPLE_RATE / bpm, points * PPQ, beats_per_bar, ((0, bpm),))

    @property
    def bpm(self) -> float:
        """The first tempo."""
        return self.tempi[0][1]

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar."""
        return self.beats_per_bar * PPQ

    @property
    def lead_ticks(self) -> int:
        """Ticks of the whole bars that a pick-up gets in front; less than a row is no pick-up."""
        first = self.tick(0)
        return 0 if first > -self.row_ticks else -(first // self.bar_ticks) * self.bar_ticks

    def scaled(self, factor: float) -> BeatGrid:
        """The same time counted in more or fewer beats: 2 for twice the tempo, 0.5 for half of it."""
        tempi = tuple((round(tick * factor), bpm * factor) for tick, bpm in self.tempi)
        row_ticks = round(self.row_ticks * factor)
        return replace(self, ticks=self.ticks * factor, tempi=tempi, row_ticks=row_ticks)

    def later(self, samples: float) -> BeatGrid:
        """The same beats so many samples later."""
        return replace(self, samples=self.samples + samples)

    def since(self, sample: float) -> BeatGrid:
        """The grid of what begins at a sample, with the bar that the sample is in as its first."""
        bar = math.floor(self.exact_tick(sample) / self.bar_ticks + 1e-6) * self.bar_ticks
        started = [(tick - bar, bpm) for tick, bpm in self.tempi]
        before = [bpm for tick, bpm in started if tick <= 0] or [self.bpm]
        tempi = ((0, before[-1]), *((tick, bpm) for tick, bpm in started if tick > 0))
        return replace(self, samples=self.samples - sample, ticks=self.ticks - bar, tempi=tempi)

    def in_few_tempi(self, tolerance: float = FEW_TEMPI_SAMPLES) -> BeatGrid:
        """A grid of as few tempi as follow this one, for a tempo map that is exact and can be read.

        Args:
            tolerance: samples that a point may lie beside it.
        """
        samples, ticks = self.samples, self.ticks
        points = [(float(ticks[0]), float(samples[0]))]
        first = 1
        while first < len(ticks):
            tick, sample = points[-1]
            low, high, end = 0.0, math.inf, first
            for place in range(first, len(ticks)):  # of all lines from here, those that pass near enough
                run = float(ticks[place]) - tick
                near = (
                    (samples[place] - tolerance - sample) / run,
                    (samples[place] + tolerance - sample) / run,
                )
                if max(low, near[0]) > min(high, near[1]):
                    break
                low, high, end = max(low, near[0]), min(high, near[1]), place + 1
            slope = (low + high) / 2
            run = float(ticks[end - 1]) - tick
            points.append((tick + run, sample + slope * run))
            first = end
        at = np.array(points)
        slopes = np.diff(at[:, 1]) / np.diff(at[:, 0])
        tempi = tuple(
            (round(tick), 60 * SAMPLE_RATE / (PPQ * slope))
            for (tick, _), slope in zip(points, slopes, strict=False)
        )
        return replace(self, samples=at[:, 1], ticks=at[:, 0], tempi=tempi)

    def exact_tick(self, sample: float) -> float:
        """The place of a sample in ticks, with its fraction."""
        return _along(sample, self.samples, self.ticks)

    def tick(self, sample: float) -> int:
        """The tick nearest to a sample."""
        return round(self.exact_tick(sample))

    def sample(self, tick: float) -> int:
        """The sample nearest to a tick; `tick` of it is the tick again."""
        return round(_along(tick, self.ticks, self.samples))

    def position(self, tick: int) -> Position:
        """A tick in bars and beats."""
        bar, inside = divmod(tick, self.bar_ticks)
        beat, rest = divmod(inside, PPQ)
        return Position(bar + 1, beat + 1, rest)

    def tick_of(self, position: Position) -> int:
        """The tick of a place in bars."""
        return (position.bar - 1) * self.bar_ticks + (position.beat - 1) * PPQ + position.tick


def grid_of_beats(beats: Beats) -> BeatGrid:
    """The grid of tracked beats: a point for each row, the first bar line at tick 0, swing kept."""
    row_ticks = PPQ / beats.rows_per_beat
    rows = np.arange(len(beats.rows)) - beats.downbeat
    later = (rows % 2) * (2 * beats.swing - 1) * row_ticks  # the second row of a pair
    tempi = [(round((row - beats.downbeat) * row_ticks), bpm) for row, bpm in beats.sections]
    return BeatGrid(
        beats.rows.astype(np.float64),
        rows * row_ticks + later,
        beats.beats_per_bar,
        tuple(tempi) or ((0, beats.bpm),),
        round(row_ticks),
    )


def _along(x: float, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
    """Straight lines through points, and beyond them the first and the last line."""
    right = min(max(int(np.searchsorted(xs, x, "right")), 1), len(xs) - 1)
    x0, x1, y0, y1 = xs[right - 1], xs[right], ys[right - 1], ys[right]
    return float(y0 + (x - x0) * (y1 - y0) / (x1 - x0))
