"""Where things lie in the roll: ticks along it, four lanes down it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime import BeatGrid, Part, Voice
from lakhnes.runtime.time.grid import PPQ

HEADER, RULER = 108, 30
"""Pixels of the names at the left and of the bar numbers at the top."""

PIXELS_PER_BEAT = (4.0, 400.0)
"""From farthest away to nearest."""

LEAST_LANE = 56
"""Pixels a lane is high at least; with less room the roll scrolls."""

LEAST_NOTE = 7
"""Pixels a note is high at least, whatever room its pitch has."""

_MARGIN = 8  # pixels in front of the first beat
_GAP = 6  # pixels under each lane
_LEAST_PITCHES = 19  # an octave and a half


@dataclass(frozen=True, slots=True)
class Axis:
    """Time along the roll."""

    pixels_per_beat: float
    """4..400."""
    scroll: int = 0
    """Pixels that lie to the left of what is seen."""

    def x(self, tick: float) -> float:
        """The pixel of a tick."""
        return HEADER + _MARGIN - self.scroll + tick * self.pixels_per_beat / PPQ

    def tick(self, x: float) -> float:
        """The tick of a pixel; below 0 in front of the song."""
        return (x - HEADER - _MARGIN + self.scroll) * PPQ / self.pixels_per_beat

    def zoomed(self, factor: float, x: float) -> Axis:
        """Nearer for a factor over 1; what lies at a pixel stays there where that can be."""
        least, most = PIXELS_PER_BEAT
        near = min(max(self.pixels_per_beat * factor, least), most)
        inside = x - HEADER - _MARGIN
        return Axis(near, max(0, round((inside + self.scroll) * near / self.pixels_per_beat - inside)))

    def extent(self, tick: float) -> float:
        """Pixels from the left end of an unscrolled roll, without its header, to a tick."""
        return _MARGIN + tick * self.pixels_per_beat / PPQ

    @classmethod
    def fitting(cls, span: tuple[float, float], width: int) -> Axis:
        """The axis that shows a span of ticks in a roll of a width, as large as it fits."""
        least, most = PIXELS_PER_BEAT
        room = max(1, width - HEADER - 5 * _MARGIN)
        near = min(max(room * PPQ / max(span[1] - span[0], 1), least), most)
        return cls(near, max(0, round(span[0] * near / PPQ)))


@dataclass(frozen=True, slots=True)
class Lane:
    """One voice's place in the roll."""

    voice: Voice
    top: int
    """Pixels."""
    height: int
    low: int
    """Lowest pitch that has a row."""
    high: int

    @property
    def bottom(self) -> int:
        """First pixel under it."""
        return self.top + self.height

    def edge(self, pitch: int) -> int:
        """The upper pixel of a pitch's row; the row ends at that of the pitch below."""
        return self.top + round((self.high - pitch) * self.height / (self.high - self.low + 1))

    def row(self, pitch: int) -> tuple[int, int]:
        """Upper pixel and height of a note of a pitch."""
        top, bottom = self.edge(pitch), self.edge(pitch - 1)
        more = max(0, LEAST_NOTE - (bottom - top))
        return top - more // 2, bottom - top + more


@dataclass(frozen=True, slots=True, eq=False)
class PlacedNotes:
    """A voice's notes in ticks."""

    starts: NDArray[np.float64]
    """[n], rising."""
    ends: NDArray[np.float64]
    """[n], rising; none lies after the next start."""
    pitches: NDArray[np.int64]
    """[n]."""

    @classmethod
    def of(cls, part: Part, grid: BeatGrid) -> PlacedNotes:
        """Places what a voice plays."""
        n = len(part.notes)
        starts = np.fromiter((note.onset for note in part.notes), np.float64, n)
        ends = np.fromiter((note.onset + note.length for note in part.notes), np.float64, n)
        pitches = np.fromiter((note.pitch for note in part.notes), np.int64, n)
        return cls(_ticks(starts, grid), _ticks(ends, grid), pitches)

    def between(self, first: float, last: float) -> slice:
        """Those that sound between two ticks."""
        return slice(
            int(np.searchsorted(self.ends, first, "right")), int(np.searchsorted(self.starts, last, "left"))
        )

    def first_difference(self, other: PlacedNotes) -> float | None:
        """The tick from which on two voices play something else; None if they never do."""
        n = min(len(self.starts), len(other.starts))
        differ = (
            (self.starts[:n] != other.starts[:n])
            | (self.ends[:n] != other.ends[:n])
            | (self.pitches[:n] != other.pitches[:n])
        )
        at = int(np.argmax(differ)) if differ.any() else n
        begins = [float(notes.starts[at]) for notes in (self, other) if at < len(notes.starts)]
        return min(begins, default=None)


def _ticks(samples: NDArray[np.float64], grid: BeatGrid) -> NDArray[np.float64]:
    """The grid's ticks of many samples at once."""
    right = np.clip(np.searchsorted(grid.samples, samples, "right"), 1, len(grid.samples) - 1)
    x0, y0 = grid.samples[right - 1], grid.ticks[right - 1]
    return np.asarray(
        y0 + (samples - x0) * (grid.ticks[right] - y0) / (grid.samples[right] - x0), dtype=np.float64
    )


def lanes_of(notes: tuple[PlacedNotes, ...], height: int, scroll: int = 0) -> tuple[Lane, ...]:
    """The lanes of a song: of one height, each with room for what its voice plays.

    Args:
        notes: by voice.
        height: pixels of the roll, ruler and all.
        scroll: pixels that the lanes are moved up.
    """
    each = lane_height(height)
    return tuple(
        Lane(voice, RULER - scroll + voice * (each + _GAP), each, *_pitches(notes[voice], voice))
        for voice in Voice
    )


def lane_height(height: int) -> int:
    """Pixels a lane of a roll is high."""
    return max(LEAST_LANE, (height - RULER) // len(Voice) - _GAP)


def lanes_height(height: int) -> int:
    """Pixels that ruler and lanes of a roll of a height take; more than it is for a low one."""
    return RULER + len(Voice) * (lane_height(height) + _GAP)


def _pitches(notes: PlacedNotes, voice: Voice) -> tuple[int, int]:
    """The lowest and the highest pitch of a lane."""
    if voice is Voice.NO:
        return 1, 16
    low = high = 48 if voice is Voice.TR else 66
    if len(notes.pitches):
        low, high = int(notes.pitches.min()) - 1, int(notes.pitches.max()) + 1
    missing = max(0, _LEAST_PITCHES - (high - low + 1))
    return low - missing // 2, high + missing - missing // 2


_LETTERS = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def pitch_name(voice: Voice, pitch: int) -> str:
    """A pitch as musicians say it: C4 is the middle one; the noise's are numbers."""
    return str(pitch) if voice is Voice.NO else f"{_LETTERS[pitch % 12]}{pitch // 12 - 1}"


def place_name(grid: BeatGrid, tick: float) -> str:
    """A place as bar and beat, such as 3.2; with hundredths of the beat where it lies between."""
    position = grid.position(round(tick))
    hundredths = position.tick * 100 // PPQ
    return f"{position.bar}.{position.beat}" + (f"+.{hundredths:02d}" if hundredths else "")
