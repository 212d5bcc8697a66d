"""The recorder: keeps what was played, as a score on bars and beats."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from lakhnes.bridge.tempo_fit import TempoStretch, fit_tempi, joined
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import Score, ScoreBuilder
from lakhnes.runtime.music.timing import FRAME_SAMPLES
from lakhnes.runtime.time.grid import PPQ, BeatGrid, TimeSignature

_KINDS = (Kind.NOTE_OFF, Kind.NOTE_ON, Kind.VELOCITY, Kind.TIMBRE)


@dataclass(slots=True)
class _Run:
    """When ticks were played, from a start of the clock to the next stop or jump."""

    measured: bool
    """Whether the tempo is told by these times; else it is that of the ticks."""
    ticks: array[int] = field(default_factory=lambda: array("q"))
    seconds: array[float] = field(default_factory=lambda: array("d"))
    bpms: array[float] = field(default_factory=lambda: array("d"))

    def stretches(self) -> list[TempoStretch]:
        """Where which tempo begins."""
        if self.measured:
            return fit_tempi(self.ticks, self.seconds, self.bpms[0])
        places = list(zip(self.ticks, self.bpms, strict=True))
        steps = [
            place for place, before in zip(places, [None, *places], strict=False) if _differs(place, before)
        ]
        return [TempoStretch(tick, bpm, math.inf) for tick, bpm in steps]


def _differs(place: tuple[int, float], before: tuple[int, float] | None) -> bool:
    return before is None or place[1] != before[1]


class Recorder:
    """An outlet that writes down what it is sent, some dozen bytes an event, so that hours are no matter."""

    def __init__(
        self,
        tick: Callable[[], int],
        bpm: Callable[[], float],
        beats_per_bar: int = 4,
        *,
        measured: Callable[[], bool] = lambda: True,
    ) -> None:
        """Begins with nothing.

        Args:
            tick: the tick of what is sent just now; never falling.
            bpm: the tempo just now.
            beats_per_bar: of the music.
            measured: whether that tempo is somebody else's and only measured, so that the times of all that
                is played tell it better.
        """
        self._tick, self._bpm, self._measured = tick, bpm, measured
        self._beats_per_bar = beats_per_bar
        self._ticks = array("q")
        self._said = array("H")
        self._sounding: dict[Voice, int] = {}  # tick at which each voice that sounds began
        self._runs: list[_Run] = []
        self._over = True  # the clock was stopped or moved since
        self._lock = Lock()

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Writes down the beginning of a note."""
        self._sounding[voice] = self._tick()
        self._write(Event(Kind.NOTE_ON, voice, pitch), at)
        if voice is not Voice.TR:
            self._write(Event(Kind.VELOCITY, voice, velocity), at)

    def note_off(self, voice: Voice, at: float) -> None:
        """Writes down the end of a note."""
        if voice in self._sounding:
            del self._sounding[voice]
            self._write(Event(Kind.NOTE_OFF, voice), at)

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Writes down a change."""
        self._write(Event(kind, voice, value), at)

    def silence(self, at: float) -> None:
        """Writes down the end of every note; one that has just begun lasts a frame, or it would be lost."""
        frame = math.ceil(self._bpm() / 60 * PPQ * FRAME_SAMPLES / SAMPLE_RATE)
        for voice, began in sorted(self._sounding.items()):
            self._write(Event(Kind.NOTE_OFF, voice), None, began + frame)
        self._sounding.clear()
        self._over = True

    def close(self) -> None:
        """Nothing is held."""

    def music(self) -> tuple[Score, BeatGrid]:
        """What was played so far, and where its beats lie; an empty score if nothing was."""
        with self._lock:
            ticks, said = self._ticks[:], self._said[:]
            tempi = joined([stretch for run in self._runs for stretch in run.stretches()])
        if not ticks:
            return Score(), BeatGrid.steady(self._bpm(), self._beats_per_bar)
        bar = self._beats_per_bar * PPQ
        first = ticks[0] // bar * bar
        grid = _grid([(max(0, one.tick - first), one.bpm) for one in tempi], self._beats_per_bar)
        builder = ScoreBuilder()
        last = max(ticks[-1], self._tick())
        for tick, code in zip((*ticks, last), (*said, None), strict=True):
            wait = grid.sample(tick - first) - builder.time
            if wait > 0:
                builder.add(Event(Kind.WAIT, None, wait))
            if code is not None:
                builder.add(Event(_KINDS[code >> 10], Voice(code >> 8 & 3), code & 0xFF))
        return builder.score(), grid

    def _write(self, event: Event, at: float | None, earliest: int = 0) -> None:
        """Writes something down.

        Args:
            event: what.
            at: when it was due; None where that tells nothing of the tempo.
            earliest: the tick before which it is not.
        """
        assert event.voice is not None
        tick = max(self._tick(), earliest)
        with self._lock:
            if at is not None or not self._runs:
                self._see(tick, 0.0 if at is None else at)
            self._ticks.append(tick)
            self._said.append(_KINDS.index(event.kind) << 10 | event.voice << 8 | event.value)

    def _see(self, tick: int, at: float) -> None:
        """Notes when a tick was played."""
        measured = self._measured()
        if self._over or self._runs[-1].measured != measured:
            self._runs.append(_Run(measured))
            self._over = False
        run = self._runs[-1]
        if not run.ticks or tick > run.ticks[-1]:
            run.ticks.append(tick)
            run.seconds.append(at)
            run.bpms.append(self._bpm())


def _grid(tempi: list[tuple[int, float]], beats_per_bar: int) -> BeatGrid:
    """The grid of a song whose tempo changes in steps; the first tempo holds from tick 0 on."""
    steps = {0: tempi[0][1], **dict(tempi)}
    ticks = [*steps, max(steps) + PPQ]
    samples = [0.0]
    for (tick, bpm), after in zip(steps.items(), ticks[1:], strict=True):
        samples.append(samples[-1] + (after - tick) * 60 * SAMPLE_RATE / bpm / PPQ)
    meter = (TimeSignature(0, beats_per_bar),)
    return BeatGrid(np.array(samples), np.array(ticks, np.float64), meter, tuple(steps.items()))
