"""The recorder: keeps what was played, as a score on bars and beats."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from threading import Lock

import numpy as np

from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import Score, ScoreBuilder
from lakhnes.runtime.music.timing import FRAME_SAMPLES
from lakhnes.runtime.time.grid import PPQ, BeatGrid, TimeSignature

_KINDS = (Kind.NOTE_OFF, Kind.NOTE_ON, Kind.VELOCITY, Kind.TIMBRE)
_TEMPO_STEP = 0.005
"""Share of the tempo that it must change by to be written down."""


class Recorder:
    """An outlet that writes down what it is sent: twelve bytes an event, so that hours are no matter."""

    def __init__(self, tick: Callable[[], int], bpm: Callable[[], float], beats_per_bar: int = 4) -> None:
        """Begins with nothing.

        Args:
            tick: the tick of what is sent just now; never falling.
            bpm: the tempo just now.
            beats_per_bar: of the music.
        """
        self._tick, self._bpm = tick, bpm
        self._beats_per_bar = beats_per_bar
        self._ticks = array("q")
        self._said = array("H")
        self._sounding: dict[Voice, int] = {}  # tick at which each voice that sounds began
        self._tempi: list[tuple[int, float]] = []
        self._lock = Lock()

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Writes down the beginning of a note."""
        self._sounding[voice] = self._tick()
        self._write(Event(Kind.NOTE_ON, voice, pitch))
        if voice is not Voice.TR:
            self._write(Event(Kind.VELOCITY, voice, velocity))

    def note_off(self, voice: Voice, at: float) -> None:
        """Writes down the end of a note."""
        if voice in self._sounding:
            del self._sounding[voice]
            self._write(Event(Kind.NOTE_OFF, voice))

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Writes down a change."""
        self._write(Event(kind, voice, value))

    def silence(self, at: float) -> None:
        """Writes down the end of every note; one that has just begun lasts a frame, or it would be lost."""
        frame = math.ceil(self._bpm() / 60 * PPQ * FRAME_SAMPLES / SAMPLE_RATE)
        for voice, began in sorted(self._sounding.items()):
            self._write(Event(Kind.NOTE_OFF, voice), began + frame)
        self._sounding.clear()

    def close(self) -> None:
        """Nothing is held."""

    def music(self) -> tuple[Score, BeatGrid]:
        """What was played so far, and where its beats lie; an empty score if nothing was."""
        with self._lock:
            ticks, said, tempi = self._ticks[:], self._said[:], list(self._tempi)
        if not ticks:
            return Score(), BeatGrid.steady(self._bpm(), self._beats_per_bar)
        bar = self._beats_per_bar * PPQ
        first = ticks[0] // bar * bar
        grid = _grid([(max(0, tick - first), bpm) for tick, bpm in tempi], self._beats_per_bar)
        builder = ScoreBuilder()
        last = max(ticks[-1], self._tick())
        for tick, code in zip((*ticks, last), (*said, None), strict=True):
            wait = grid.sample(tick - first) - builder.time
            if wait > 0:
                builder.add(Event(Kind.WAIT, None, wait))
            if code is not None:
                builder.add(Event(_KINDS[code >> 10], Voice(code >> 8 & 3), code & 0xFF))
        return builder.score(), grid

    def _write(self, event: Event, earliest: int = 0) -> None:
        assert event.voice is not None
        tick, bpm = max(self._tick(), earliest), self._bpm()
        with self._lock:
            if not self._tempi or abs(bpm / self._tempi[-1][1] - 1) > _TEMPO_STEP:
                self._tempi.append((tick, bpm))
            self._ticks.append(tick)
            self._said.append(_KINDS.index(event.kind) << 10 | event.voice << 8 | event.value)


def _grid(tempi: list[tuple[int, float]], beats_per_bar: int) -> BeatGrid:
    """The grid of a song whose tempo changes in steps; the first tempo holds from tick 0 on."""
    steps = {0: tempi[0][1], **dict(tempi)}
    ticks = [*steps, max(steps) + PPQ]
    samples = [0.0]
    for (tick, bpm), after in zip(steps.items(), ticks[1:], strict=True):
        samples.append(samples[-1] + (after - tick) * 60 * SAMPLE_RATE / bpm / PPQ)
    meter = (TimeSignature(0, beats_per_bar),)
    return BeatGrid(np.array(samples), np.array(ticks, np.float64), meter, tuple(steps.items()))
