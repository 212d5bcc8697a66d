"""What the parts of `live.py` share: figures, stamped outlets, a performance without threads, memory."""

import os
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge.beat_clock import BeatClock
from lakhnes.bridge.midi_outlet import DEFAULT_CHANNELS, MidiOutlet, Sender
from lakhnes.bridge.outlet import Outlet
from lakhnes.bridge.performance import Performance
from lakhnes.bridge.recorder import Recorder
from lakhnes.runtime import BeatGrid, Kind, LiveComposer, Model, Request, Voice

BPM = 120.0
ROW_SECONDS = 60 / BPM / 4
LATE_SECONDS = 0.010


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    part: str
    """Name of the part that measured it."""
    name: str
    value: float
    unit: str
    goal: float | None = None
    """The most that it may be; None if it is only told."""

    @property
    def ratio(self) -> float | None:
        """Share of the goal that is used; a goal of 0 is met or not."""
        if self.goal is None:
            return None
        return self.value / self.goal if self.goal else float(self.value > 0)


def spread(
    part: str, name: str, seconds: Sequence[float] | NDArray[np.float64], goals: dict[str, float]
) -> list[Figure]:
    """Median, 99th percentile and maximum of some times, in milliseconds."""
    found = {"p50": np.percentile(seconds, 50), "p99": np.percentile(seconds, 99), "max": np.max(seconds)}
    return [
        Figure(part, f"{name} {key}", float(value) * 1e3, "ms", goals.get(key))
        for key, value in found.items()
    ]


class Stamps:
    """A sender that writes down when each message of a note was sent, and when it was due; counts notes.

    Attributes:
        at: the time that the player gave to what is being sent; None for what is sent at no time of its own.
        sent: seconds, when the messages were sent.
        due: seconds, when the player says that they were due.
        channels: of the messages.
        ons: note-ons of each channel and key.
        offs: note-offs likewise.
    """

    def __init__(self, sender: Sender | None = None, now: Callable[[], float] = time.perf_counter) -> None:
        """Sends on to another, if there is one."""
        self.at: float | None = None
        self.sent, self.due, self.channels = array("d"), array("d"), array("b")
        self.ons: Counter[tuple[int, int]] = Counter()
        self.offs: Counter[tuple[int, int]] = Counter()
        self.first_note: float | None = None
        self.most_held = 0
        self._sender = sender
        self._now = now

    def send(self, data: Sequence[int]) -> None:
        """Sends, then takes the time."""
        if self._sender is not None:
            self._sender.send(data)
        now = self._now()
        kind, channel = data[0] & 0xF0, data[0] & 0x0F
        if kind == 0x90:
            self.ons[channel, data[1]] += 1
            held = self.ons[channel, data[1]] - self.offs[channel, data[1]]
            self.most_held = max(self.most_held, held)
            self.first_note = now if self.first_note is None else self.first_note
        elif kind == 0x80:
            self.offs[channel, data[1]] += 1
        if self.at is not None:
            self.sent.append(now)
            self.due.append(self.at)
            self.channels.append(channel)

    def alive(self) -> bool:
        """Whether the port is there."""
        return self._sender is None or self._sender.alive()

    def close(self) -> None:
        """Closes the port."""
        if self._sender is not None:
            self._sender.close()

    @property
    def unbalanced(self) -> int:
        """Channels and keys whose note-ons are not as many as their note-offs."""
        return sum(self.ons[key] != self.offs[key] for key in self.ons.keys() | self.offs.keys())

    def lateness(self, started: float) -> NDArray[np.float64]:
        """Seconds that each message was late, by the rows of a song that was started at a time."""
        due = np.array(self.due) - started
        rows = np.round(due / ROW_SECONDS) * ROW_SECONDS
        return np.array(self.sent) - started - rows

    def late_moments(self, late: NDArray[np.float64]) -> int:
        """What voices did too late: messages of a voice at one time count as one, as the player does."""
        places = np.round(np.array(self.due) / ROW_SECONDS, 3)
        late_ones = np.flatnonzero(late > LATE_SECONDS)
        return len({(places[index], self.channels[index]) for index in late_ones})


class Stamped:
    """An outlet that tells `Stamps` when what it sends was due."""

    def __init__(self, stamps: Stamps) -> None:
        """Sends through a `MidiOutlet`."""
        self._stamps = stamps
        self._outlet = MidiOutlet(stamps)

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Sends it on."""
        self._stamps.at = at
        self._outlet.note_on(voice, pitch, velocity, at)

    def note_off(self, voice: Voice, at: float) -> None:
        """Sends it on."""
        self._stamps.at = at
        self._outlet.note_off(voice, at)

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Sends it on."""
        self._stamps.at = at
        self._outlet.change(voice, kind, value, at)

    def silence(self, at: float) -> None:
        """Sends it on."""
        self._stamps.at = None
        self._outlet.silence(at)

    def close(self) -> None:
        """Sends it on."""
        self._stamps.at = None
        self._outlet.close()


def staged(
    model: Model,
    clock: BeatClock,
    outlet: Outlet,
    *,
    seed: int = 1,
    steering: Request | None = None,
    ahead_bars: float = 2.0,
    now: Callable[[], float] = time.perf_counter,
) -> Performance:
    """A performance as `lakhnes play` sets it up."""
    composer = LiveComposer(model, BeatGrid.steady(BPM), steering, seed)
    recorder = Recorder(lambda: performance.player.tick, lambda: clock.state(now()).bpm)
    performance = Performance(composer, clock, [outlet, recorder], ahead_bars=ahead_bars, now=now)
    return performance


class FakeTime:
    """A performance in a time of our own; no thread runs."""

    def __init__(self, model: Model, clock: BeatClock, seed: int = 1) -> None:
        """A performance that stands still."""
        self.now = 0.0
        self.stamps = Stamps(now=lambda: self.now)
        self.performance = staged(model, clock, Stamped(self.stamps), seed=seed, now=lambda: self.now)

    def arm(self) -> None:
        """Composes what is to be ahead."""
        while self.performance.compose_once():
            pass

    def play(self, seconds: float) -> None:
        """Lets time go on, the composer as fast as it wishes."""
        end = self.now + seconds
        while self.now < end:
            deadline = self.performance.player.step(self.now)
            self.arm()
            self.now = max(self.now + 1e-6, min(end, deadline))


def resident_megabytes() -> float:
    """Memory of this process that is resident; 0 where that cannot be known."""
    status = Path("/proc/self/statm")
    if not status.is_file():
        return 0.0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def note(text: str) -> None:
    """Tells what is measured now."""
    print(text, file=sys.stderr, flush=True)


CHANNELS = DEFAULT_CHANNELS
