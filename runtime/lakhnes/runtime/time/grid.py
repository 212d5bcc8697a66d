"""The grid of a song: samples to bars, beats and ticks, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
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
    """From 1; what the denominator of the bar's meter names."""
    tick: int
    """0..479; fewer where beats are shorter than a quarter note."""


class TimeSignature(NamedTuple):
    """The meter of the bars from a tick on."""

    tick: int
    """Where its first bar begins; a bar before it may be cut short there."""
    numerator: int = 4
    """Beats of a bar, 1..255."""
    denominator: int = 4
    """What a beat is: 4 for a quarter note; a power of two, 1..128."""

    @property
    def beat_ticks(self) -> int:
        """Ticks of one of its beats."""
        return 4 * PPQ // self.denominator

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar."""
        return self.numerator * self.beat_ticks


class KeySignature(NamedTuple):
    """The key from a tick on."""

    tick: int
    sharps: int
    """-7 (seven flats) to 7."""
    minor: bool


@dataclass(frozen=True, slots=True, eq=False)
class BeatGrid:
    """Where the beats of a song lie in samples.

    Between its points time runs evenly, and beyond them as in the first and the last stretch.

    Raises:
        OptionError: if the points do not rise, or there are fewer than two; or the same of its meters.
    """

    samples: NDArray[np.float64]
    """[n] at 44.1 kHz, strictly rising."""
    ticks: NDArray[np.float64]
    """[n] at 480 a quarter note, strictly rising; a bar begins at 0."""
    signatures: tuple[TimeSignature, ...] = (TimeSignature(0),)
    """The meters, one at least, in time; the first at 0."""
    tempi: tuple[tuple[int, float], ...] = ((0, 120.0),)
    """Tick and beats a minute of each tempo, as a MIDI file states them; the first at the song's start."""
    row_ticks: int = PPQ // 4
    """Ticks of the smallest step on which notes usually fall; 0 where they fall anywhere."""
    keys: tuple[KeySignature, ...] = ()
    """The keys that are stated, in time."""
    swing: float = 0.5
    """Share of a pair of rows that the first takes, where the points swing; 0.5 where they are straight."""

    def __post_init__(self) -> None:
        if len(self.samples) < 2 or (np.diff(self.samples) <= 0).any() or (np.diff(self.ticks) <= 0).any():
            raise OptionError("A grid needs two points at least, each after the one before.")
        places = [signature.tick for signature in self.signatures]
        if places[:1] != [0] or any(before >= after for before, after in pairwise(places)):
            raise OptionError("A grid needs a meter at its beginning, and others each after the one before.")

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
        signature = TimeSignature(0, beats_per_bar)
        return cls(points * 60 * SAMPLE_RATE / bpm, points * PPQ, (signature,), ((0, bpm),))

    @property
    def bpm(self) -> float:
        """The first tempo."""
        return self.tempi[0][1]

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar of the first meter."""
        return self.signatures[0].bar_ticks

    @property
    def pick_up_ticks(self) -> int:
        """Ticks of a short first bar that has a meter of its own; 0 where there is none."""
        first, *others = self.signatures
        is_short = others and others[0].tick <= first.bar_ticks and others[0].tick < others[0].bar_ticks
        return others[0].tick if is_short else 0

    @property
    def beats_per_bar(self) -> int:
        """Quarter notes of the first bar that is no pick-up; of two bars where one has half a one."""
        ticks = self.signatures[1 if self.pick_up_ticks else 0].bar_ticks
        quarters = ticks // PPQ if ticks % PPQ == 0 else 2 * ticks // PPQ
        return quarters if 1 <= quarters <= 16 else 4

    @property
    def lead_ticks(self) -> int:
        """Ticks of the whole bars that a pick-up gets in front; less than a row is no pick-up."""
        first = self.tick(0)
        return 0 if first > -max(1, self.row_ticks) else -(first // self.bar_ticks) * self.bar_ticks

    def scaled(self, factor: float) -> BeatGrid:
        """The same time counted in more or fewer beats: 2 for twice the tempo, 0.5 for half of it."""
        tempi = tuple((round(tick * factor), bpm * factor) for tick, bpm in self.tempi)
        return replace(
            self,
            ticks=self.ticks * factor,
            tempi=tempi,
            row_ticks=round(self.row_ticks * factor),
            signatures=tuple(s._replace(tick=round(s.tick * factor)) for s in self.signatures),
            keys=tuple(key._replace(tick=round(key.tick * factor)) for key in self.keys),
        )

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
        bars = 0
        for signature, after in self._stretches():
            if after is None or tick < after:
                break
            bars += -((signature.tick - after) // signature.bar_ticks)
        bar, inside = divmod(tick - signature.tick, signature.bar_ticks)
        beat, rest = divmod(inside, signature.beat_ticks)
        return Position(bars + bar + 1, beat + 1, rest)

    def tick_of(self, position: Position) -> int:
        """The tick of a place in bars."""
        bar = position.bar - 1
        for signature, after in self._stretches():
            bars = math.inf if after is None else -((signature.tick - after) // signature.bar_ticks)
            if bar < bars:
                break
            bar -= int(bars)
        return (
            signature.tick
            + bar * signature.bar_ticks
            + (position.beat - 1) * signature.beat_ticks
            + position.tick
        )

    def bars_later(self, tick: int, bars: int) -> int:
        """The tick of the bar line that is so many bars after the one at or before a tick."""
        return self.tick_of(Position(self.position(tick).bar + bars, 1, 0))

    def bar_lines(self, start: float, end: float) -> Iterator[int]:
        """The ticks from `start` to `end` at which bars begin."""
        for signature, after in self._stretches():
            bar = signature.bar_ticks
            low = start if signature is self.signatures[0] else max(start, signature.tick)
            line = signature.tick - math.floor((signature.tick - low) / bar) * bar
            while line <= end and (after is None or line < after):
                yield line
                line += bar

    def _stretches(self) -> Iterator[tuple[TimeSignature, int | None]]:
        """Each meter and the tick of the next one."""
        return zip_longest(self.signatures, (signature.tick for signature in self.signatures[1:]))


def grid_of_beats(beats: Beats) -> BeatGrid:
    """The grid of tracked beats: a point for each row, the first bar line at tick 0, swing kept."""
    row_ticks = PPQ / beats.rows_per_beat
    rows = np.arange(len(beats.rows)) - beats.downbeat
    later = (rows % 2) * (2 * beats.swing - 1) * row_ticks  # the second row of a pair
    tempi = [(round((row - beats.downbeat) * row_ticks), bpm) for row, bpm in beats.sections]
    return BeatGrid(
        beats.rows.astype(np.float64),
        rows * row_ticks + later,
        (TimeSignature(0, beats.beats_per_bar),),
        tuple(tempi) or ((0, beats.bpm),),
        round(row_ticks),
        swing=beats.swing,
    )


def _along(x: float, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
    """Straight lines through points, and beyond them the first and the last line."""
    right = min(max(int(np.searchsorted(xs, x, "right")), 1), len(xs) - 1)
    x0, x1, y0, y1 = xs[right - 1], xs[right], ys[right - 1], ys[right]
    return float(y0 + (x - x0) * (y1 - y0) / (x1 - x0))
