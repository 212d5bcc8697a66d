"""The grid of a song: converts samples to bars, beats and ticks, and back."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.time.tempo import Beats

_State = TypeVar("_State")

PPQ = 480
"""Ticks of a beat."""

_FEEL = PPQ // 24  # ticks in which nobody hears whether a note is on the beat

FEW_TEMPI_SAMPLES = 735
"""Largest distance in samples, one frame, between a row and a simplified tempo map."""

TEMPI_BPM = (20.0, 400.0)
"""Slowest and fastest tempo of a grid, in beats a minute."""


class Position(NamedTuple):
    """A position in bars, as a DAW counts."""

    bar: int
    """Bar, from 1; 0 and below before the song."""
    beat: int
    """Beat, from 1, in units of the meter's denominator."""
    tick: int
    """Tick, 0..479; fewer if beats are shorter than a quarter note."""


class BarPlace(NamedTuple):
    """A place in the bars of a song, as music feels it."""

    bar: int
    """From 0 on; below 0 before the song."""
    beat: int
    """From 0 on."""
    beats: int
    """Number of beats of the bar."""
    on_beat: bool
    """Whether it is just at the beat, and not after it."""

    @property
    def strong(self) -> bool:
        """Whether it is a strong beat: the first of the bar, or of a half or a third of it."""
        group = next(
            (beats for beats in (3, 2) if self.beats % beats == 0 and self.beats > beats), self.beats
        )
        return self.on_beat and self.beat % group == 0


class TimeSignature(NamedTuple):
    """The meter of the bars from a tick on."""

    tick: int
    """Tick of its first bar; the bar before may be shortened."""
    numerator: int = 4
    """Beats of a bar, 1..255."""
    denominator: int = 4
    """Denominator: 4 for a quarter note; a power of two, 1..128."""

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
    """Number of sharps, or of flats if negative: -7 to 7."""
    minor: bool


@dataclass(frozen=True, slots=True, eq=False)
class BeatGrid:
    """The beats of a song, in samples.

    Time runs evenly between the points. Beyond them it continues at the rate of the first and the last
    stretch.

    Raises:
        OptionError: if there are fewer than two points, or points or meters do not rise.
    """

    samples: NDArray[np.float64]
    """[n] at 44.1 kHz, strictly rising."""
    ticks: NDArray[np.float64]
    """[n] at 480 a quarter note, strictly rising; a bar begins at 0."""
    signatures: tuple[TimeSignature, ...] = (TimeSignature(0),)
    """The meters in order of time, at least one; the first at tick 0."""
    tempi: tuple[tuple[int, float], ...] = ((0, 120.0),)
    """Tick and beats a minute of each tempo, as a MIDI file states them.

    The first is at the start of the song.
    """
    row_ticks: int = PPQ // 4
    """Ticks of the smallest step on which most notes fall; 0 if they fall anywhere."""
    keys: tuple[KeySignature, ...] = ()
    """The stated keys, in order of time."""
    swing: float = 0.5
    """Share of a pair of rows that the first row takes, where the points swing; 0.5 if they are straight."""

    def __post_init__(self) -> None:
        if len(self.samples) < 2 or (np.diff(self.samples) <= 0).any() or (np.diff(self.ticks) <= 0).any():
            raise OptionError("A grid needs two points at least, each after the one before.")
        places = [signature.tick for signature in self.signatures]
        if places[:1] != [0] or any(before >= after for before, after in pairwise(places)):
            raise OptionError("A grid needs a meter at its beginning, and others each after the one before.")

    @classmethod
    def steady(cls, bpm: float, beats_per_bar: int = 4) -> BeatGrid:
        """Return a grid of one tempo from sample 0 on.

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
        """Ticks of a short first bar with its own meter; 0 if the song has none."""
        first, *others = self.signatures
        is_short = others and others[0].tick <= first.bar_ticks and others[0].tick < others[0].bar_ticks
        return others[0].tick if is_short else 0

    @property
    def beats_per_bar(self) -> int:
        """Quarter notes of the first full bar; of two bars if one is no whole number of them."""
        ticks = self.signatures[1 if self.pick_up_ticks else 0].bar_ticks
        quarters = ticks // PPQ if ticks % PPQ == 0 else 2 * ticks // PPQ
        return quarters if 1 <= quarters <= 16 else 4

    @property
    def lead_ticks(self) -> int:
        """Ticks of the whole bars in front of a pick-up; less than a row is no pick-up."""
        first = self.tick(0)
        return 0 if first > -max(1, self.row_ticks) else -(first // self.bar_ticks) * self.bar_ticks

    def scaled(self, factor: float) -> BeatGrid:
        """Return the same time counted in more or fewer beats: 2 for twice the tempo, 0.5 for half."""
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
        """Return the same beats, some samples later."""
        return replace(self, samples=self.samples + samples)

    def since(self, sample: float) -> BeatGrid:
        """Return the grid from a sample on; its first bar is the one that contains the sample."""
        line = self.bars_later(self.tick(sample), 0)
        first = min(max(0, int(np.searchsorted(self.ticks, line, "right")) - 1), len(self.ticks) - 2)
        signatures = _since(line, [(signature.tick, signature) for signature in self.signatures])
        keys = _since(line, [(key.tick, key) for key in self.keys])
        return replace(
            self,
            samples=self.samples[first:] - sample,
            ticks=self.ticks[first:] - line,
            signatures=tuple(signature._replace(tick=tick) for tick, signature in signatures),
            tempi=tuple((tick, bpm) for tick, (_, bpm) in _since(line, [(t[0], t) for t in self.tempi])),
            keys=tuple(key._replace(tick=tick) for tick, key in keys),
        )

    def in_few_tempi(self, tolerance: float = FEW_TEMPI_SAMPLES) -> BeatGrid:
        """Return a grid with few tempi that follows this one, for an exact and readable tempo map.

        Args:
            tolerance: largest distance in samples between a point and the map.
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
        """Return the position of a sample in ticks, with its fraction."""
        return _along(sample, self.samples, self.ticks)

    def exact_ticks(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the positions of samples in ticks, with their fractions.

        Args:
            samples: Float [n], in any order.
        """
        right = np.clip(np.searchsorted(self.samples, samples, "right"), 1, len(self.samples) - 1)
        x0, y0 = self.samples[right - 1], self.ticks[right - 1]
        ticks = y0 + (samples - x0) * (self.ticks[right] - y0) / (self.samples[right] - x0)
        return np.asarray(ticks, dtype=np.float64)

    def tick(self, sample: float) -> int:
        """Return the tick nearest to a sample."""
        return round(self.exact_tick(sample))

    def sample(self, tick: float) -> int:
        """Return the sample nearest to a tick; `tick` of this sample returns the tick."""
        return round(_along(tick, self.ticks, self.samples))

    def position(self, tick: int) -> Position:
        """Return the position of a tick in bars and beats."""
        bars = 0
        for signature, after in self._stretches():
            if after is None or tick < after:
                break
            bars += -((signature.tick - after) // signature.bar_ticks)
        bar, inside = divmod(tick - signature.tick, signature.bar_ticks)
        beat, rest = divmod(inside, signature.beat_ticks)
        return Position(bars + bar + 1, beat + 1, rest)

    def place(self, tick: int) -> BarPlace:
        """Return the place of a tick in its bar, to a 24th of a beat."""
        near = round(tick / _FEEL) * _FEEL
        position = self.position(near)
        beats = [meter.numerator for meter, after in self._stretches() if after is None or near < after]
        return BarPlace(position.bar - 1, position.beat - 1, beats[0], position.tick == 0)

    def tick_of(self, position: Position) -> int:
        """Return the tick of a position in bars."""
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
        """Return the bar line some bars after the one at or before a tick."""
        return self.tick_of(Position(self.position(tick).bar + bars, 1, 0))

    def bar_lines(self, start: float, end: float) -> Iterator[int]:
        """Yield the ticks from `start` to `end` at which bars begin."""
        for signature, after in self._stretches():
            bar = signature.bar_ticks
            low = start if signature is self.signatures[0] else max(start, signature.tick)
            line = signature.tick - math.floor((signature.tick - low) / bar) * bar
            while line <= end and (after is None or line < after):
                yield line
                line += bar

    def _stretches(self) -> Iterator[tuple[TimeSignature, int | None]]:
        """Yield each meter with the tick of the next one."""
        return zip_longest(self.signatures, (signature.tick for signature in self.signatures[1:]))


def grid_of_beats(beats: Beats) -> BeatGrid:
    """Return the grid of tracked beats: a point per row, the first bar line at tick 0, swing included."""
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


def _since(line: int, states: Sequence[tuple[int, _State]]) -> list[tuple[int, _State]]:
    """Return the states that hold from a bar line on, each with its tick from there; 0 if it held already."""
    now = sum(tick <= line for tick, _ in states[1:])
    return [(0 if tick <= max(0, line) else tick - line, state) for tick, state in states[now:]]


def _along(x: float, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
    """Straight lines through points, and beyond them the first and the last line."""
    last = len(xs) - 1
    # Not by numpy's search: that lets go of the interpreter, which another thread may then keep for long.
    right = 1 if last == 1 else min(max(bisect_right(xs, x), 1), last)
    x0, x1, y0, y1 = float(xs[right - 1]), float(xs[right]), float(ys[right - 1]), float(ys[right])
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)
