"""The geometry of the roll: ticks across, four lanes down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import BeatGrid, Note, Part, Voice
from lakhnes.runtime.music.events import VOCABULARY_PITCHES
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.note_columns import columns_of

HEADER, RULER, CHORDS = 108, 30, 20
"""Pixels of the names on the left, the bar numbers at the top, and the chords below those."""

TOP = RULER + CHORDS
"""Pixels above the lanes."""

PIXELS_PER_BEAT = (4.0, 400.0)
"""Smallest and largest zoom."""

LEAST_LANE = 48
"""Least height of a lane in pixels; with less room the roll scrolls."""

LEAST_NOTE = 7
"""Least height of a note in pixels, also if its row is lower."""

_EMPTY = Part()
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
        """Return the pixel of a tick."""
        return HEADER + _MARGIN - self.scroll + tick * self.pixels_per_beat / PPQ

    def tick(self, x: float) -> float:
        """Return the tick of a pixel; negative before the song."""
        return (x - HEADER - _MARGIN + self.scroll) * PPQ / self.pixels_per_beat

    def zoomed(self, factor: float, x: float) -> Axis:
        """Return the axis zoomed in for a factor over 1; the music at a pixel stays there if possible."""
        least, most = PIXELS_PER_BEAT
        near = min(max(self.pixels_per_beat * factor, least), most)
        inside = x - HEADER - _MARGIN
        return Axis(near, max(0, round((inside + self.scroll) * near / self.pixels_per_beat - inside)))

    def extent(self, tick: float) -> float:
        """Return the pixels from the left end of an unscrolled roll, without its header, to a tick."""
        return _MARGIN + tick * self.pixels_per_beat / PPQ

    @classmethod
    def fitting(cls, span: tuple[float, float], width: int) -> Axis:
        """Return the axis that fits a span of ticks into a width."""
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
        """Return the upper pixel of a pitch's row; the row ends where that of the next lower pitch starts."""
        return self.top + round((self.high - pitch) * self.height / (self.high - self.low + 1))

    def pitch_at(self, y: float) -> int:
        """Return the pitch of the row at a pixel, within the range of the voice."""
        row = self.high - math.floor((y - self.top) * (self.high - self.low + 1) / self.height)
        pitches = VOCABULARY_PITCHES[self.voice]
        return min(max(row, self.low, pitches[0]), self.high, pitches[-1])

    def row(self, pitch: int) -> tuple[int, int]:
        """Return the upper pixel and the height of a note."""
        top, bottom = self.edge(pitch), self.edge(pitch - 1)
        more = max(0, LEAST_NOTE - (bottom - top))
        return top - more // 2, bottom - top + more


class Zone(Enum):
    """Where in a note a hand takes it."""

    START = 0
    BODY = 1
    END = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """A note under a hand."""

    voice: Voice
    note: Note
    zone: Zone


def zone_at(x: float, left: float, right: float) -> Zone:
    """Return the part of a note that a pixel lies in; short notes have no edges to grab.

    Args:
        x: the pixel.
        left: the first pixel of the note.
        right: the pixel after its last.
    """
    edge = min(7.0, (right - left) / 3)
    if x >= right - edge and right - left >= 6:
        return Zone.END
    return Zone.START if x < left + edge and right - left >= 18 else Zone.BODY


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
    def of(cls, part: Part, grid: BeatGrid, known: Part = _EMPTY) -> PlacedNotes:
        """Return the notes of a part, placed on a grid.

        Args:
            part: the part.
            grid: the grid.
            known: another form of the part, which was placed before; only what differs takes time.
        """
        columns = columns_of(part.notes, known.notes)
        return cls(grid.exact_ticks(columns.onsets), grid.exact_ticks(columns.ends), columns.pitches)

    def between(self, first: float, last: float) -> slice:
        """Return the range of notes that sound between two ticks."""
        return slice(
            int(np.searchsorted(self.ends, first, "right")), int(np.searchsorted(self.starts, last, "left"))
        )

    def first_difference(self, other: PlacedNotes) -> float | None:
        """Return the first tick at which two voices differ; None if they are equal."""
        n = min(len(self.starts), len(other.starts))
        differ = (
            (self.starts[:n] != other.starts[:n])
            | (self.ends[:n] != other.ends[:n])
            | (self.pitches[:n] != other.pitches[:n])
        )
        at = int(np.argmax(differ)) if differ.any() else n
        begins = [float(notes.starts[at]) for notes in (self, other) if at < len(notes.starts)]
        return min(begins, default=None)


def lanes_of(notes: tuple[PlacedNotes, ...], height: int, scroll: int = 0) -> tuple[Lane, ...]:
    """Return the lanes of a song: equally high, each with rows for the pitches of its voice.

    Args:
        notes: by voice.
        height: pixels of the roll, ruler and all.
        scroll: pixels that the lanes are moved up.
    """
    each = lane_height(height)
    return tuple(
        Lane(voice, TOP - scroll + voice * (each + _GAP), each, *_pitches(notes[voice], voice))
        for voice in Voice
    )


def lane_height(height: int) -> int:
    """Return the height of a lane in pixels."""
    return max(LEAST_LANE, (height - TOP) // len(Voice) - _GAP)


def lanes_height(height: int) -> int:
    """Return the pixels that ruler and lanes need in a roll of some height, or more if it is low."""
    return TOP + len(Voice) * (lane_height(height) + _GAP)


def _pitches(notes: PlacedNotes, voice: Voice) -> tuple[int, int]:
    """Return the lowest and the highest pitch of a lane."""
    if voice is Voice.NO:
        return 1, 16
    low = high = 48 if voice is Voice.TR else 66
    if len(notes.pitches):
        low, high = int(notes.pitches.min()) - 1, int(notes.pitches.max()) + 1
    missing = max(0, _LEAST_PITCHES - (high - low + 1))
    return low - missing // 2, high + missing - missing // 2


_LETTERS = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def pitch_name(voice: Voice, pitch: int) -> str:
    """Return the name of a pitch: C4 is middle C; noise pitches are numbers."""
    return str(pitch) if voice is Voice.NO else f"{_LETTERS[pitch % 12]}{pitch // 12 - 1}"


def place_name(grid: BeatGrid, tick: float) -> str:
    """Return a place as bar and beat, such as 3.2, with hundredths of a beat between beats."""
    position = grid.position(round(tick))
    hundredths = position.tick * 100 // PPQ
    return f"{position.bar}.{position.beat}" + (f"+.{hundredths:02d}" if hundredths else "")


def note_words(voice: Voice, note: Note, grid: BeatGrid) -> str:
    """Return a note in words, such as "Pulse 1  C5  bar 3.2, 0.5 beats, volume 12"."""
    first, last = grid.tick(note.onset), grid.tick(note.end)
    beats = f"{(last - first) / PPQ:.3g}"
    volume = "" if voice is Voice.TR else f", volume {note.velocity}"
    return (
        f"{TRACK_NAMES[voice]}  {pitch_name(voice, note.pitch)}  "
        f"bar {place_name(grid, first)}, {beats} beat{'s' * (beats != '1')}{volume}"
    )
