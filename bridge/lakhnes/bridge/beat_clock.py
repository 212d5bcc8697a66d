"""What beat it is: the clock that the player follows, one of our own, and the clock sent to others."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.time.grid import TEMPI_BPM

CLOCKS_PER_BEAT = 24
"""MIDI clocks of a quarter note."""
CLOCKS_PER_UNIT = 6
"""MIDI clocks of a unit of song position, a sixteenth."""
SONG_UNITS = 1 << 14
"""Units that a song position can tell: 14 bits, 1024 bars of four beats."""

CLOCK = 0xF8
"""Timing clock, 24 a beat."""
START = 0xFA
"""Play from the song's start, at the next clock."""
CONTINUE = 0xFB
"""Play from where it is, at the next clock."""
STOP = 0xFC
"""Stop, and keep the place."""
SONG_POSITION = 0xF2
"""Go to a sixteenth of the song, given in two bytes of seven bits, the low one first."""

_ROUNDING_BEATS = 1e-6
"""A clock counts as reached when so little is missing: time to position and back is not exact."""
_MOST_BEHIND = CLOCKS_PER_BEAT
"""Clocks that are sent in a bunch to catch up; further behind, the receivers are located anew."""


def checked_bpm(bpm: float) -> float:
    """A tempo as it is.

    Raises:
        OptionError: if it is out of range.
    """
    slowest, fastest = TEMPI_BPM
    if not slowest <= bpm <= fastest:
        raise OptionError(f"A tempo of {bpm:g} BPM is out of range; give {slowest:g} to {fastest:g}.")
    return float(bpm)


class ClockStatus(StrEnum):
    """What a clock is doing."""

    STOPPED = "stopped"
    RUNNING = "running"
    HEARD = "heard"
    """Follows another clock that ticks, but has not said whether it runs."""
    WAITING = "waiting"
    """Follows another clock that was not heard yet, or was started and has not ticked yet."""
    LOST = "lost"
    """The other clock fell silent without a Stop."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """Where a clock is at one moment."""

    position: float
    """Beats (quarter notes) since the song's start; never falls while `jumps` stays."""
    bpm: float
    """Beats a minute, now or when it was last known; always finite."""
    running: bool
    """The position moves."""
    jumps: int
    """Rises with every start, stop, continue and seek: close the notes and look up the place anew."""
    status: ClockStatus
    """The same in more words, for people."""
    loop: tuple[float, float] | None = None
    """Beats of the loop that it runs in, from whose end it goes on at its start; None without."""
    wrapped: bool = False
    """Whether the last jump was this loop's own, from its end to its start."""
    rounds: int = 0
    """How many of the jumps were those of loops."""
    foreign: bool = False
    """The clock is another machine's: its tempo is measured, and it may jump at any beat."""
    landed: float | None = None
    """Beats where the last jump led, which may have been a moment ago; None for `position`."""
    look_seconds: float = math.inf
    """How soon it is to be looked at again at the latest, where nobody tells of a jump."""


class BeatClock(Protocol):
    """Tells position from time, and time from position."""

    def state(self, now: float) -> ClockState:
        """Where the clock is.

        Args:
            now: the present, in seconds of `time.perf_counter`; no time to come.
        """
        ...

    def time_of(self, position: float) -> float:
        """When a position will be reached, as far as is known now.

        A clock that follows another may be held up: when this time has come and `state` is not there yet,
        the other clock is late; ask again a little later.

        Args:
            position: beats since the song's start. One at or beyond the end of the loop that the clock runs
                in stands for that end: nothing beyond is reached.

        Returns:
            Seconds of `time.perf_counter`, in the past for a position behind; `math.inf` while it stands.
        """
        ...


@runtime_checkable
class Startable(Protocol):
    """A clock that the user may start and stop, or join and leave."""

    def toggle(self, now: float) -> bool:
        """Start it or stop it.

        Args:
            now: seconds of `time.perf_counter`.

        Returns:
            Whether there was anything to do: another machine may be left to itself.
        """
        ...


@runtime_checkable
class Paced(Protocol):
    """A clock whose tempo the user may change."""

    def set_bpm(self, bpm: float, now: float) -> None:
        """Change the tempo from now on; OptionError if it is out of range."""
        ...


class InternalClock:
    """A clock of our own: runs evenly, and obeys the user at once; it may run round in a loop.

    Any thread may call it. A call whose time is before that of the call before it counts as made at that
    time, so that two threads never see the position fall.
    """

    def __init__(self, bpm: float = 120.0) -> None:
        """A clock that stands at the song's start.

        Raises:
            OptionError: for a tempo out of range.
        """
        self._lock = threading.Lock()
        self._bpm = checked_bpm(bpm)
        self._position = 0.0
        self._since = -math.inf
        self._running = False
        self._jumps = self._rounds = 0
        self._loop: tuple[float, float] | None = None
        self._wrapped = False

    def state(self, now: float) -> ClockState:
        """Where the clock is at a time in seconds of `time.perf_counter`."""
        with self._lock:
            self._advance(now)
            status = ClockStatus.RUNNING if self._running else ClockStatus.STOPPED
            loop = self._loop if self._inside else None
            return ClockState(
                self._position,
                self._bpm,
                self._running,
                self._jumps,
                status,
                loop,
                self._wrapped,
                self._rounds,
            )

    def time_of(self, position: float) -> float:
        """When a position in beats, or a loop's end before it, is reached; `math.inf` while it stands."""
        with self._lock:
            if not self._running:
                return math.inf
            if self._loop is not None and self._inside:
                position = min(position, self._loop[1])
            return self._since + (position - self._position) * 60 / self._bpm

    def start(self, now: float, position: float | None = None) -> None:
        """Starts, or goes on elsewhere; a running clock that is given no position just runs on.

        Args:
            now: seconds of `time.perf_counter`.
            position: beats since the song's start; where it stands if None.

        Raises:
            OptionError: for a position before the song's start.
        """
        place = None if position is None else _checked_position(position)
        with self._lock:
            self._advance(now)
            if self._running and place is None:
                return
            if place is not None:
                self._position = place
            self._running = True
            self._jump()

    def stop(self, now: float) -> None:
        """Stops and keeps the place; a clock that stands is left as it is."""
        with self._lock:
            self._advance(now)
            if self._running:
                self._running = False
                self._jump()

    def toggle(self, now: float) -> bool:
        """Starts or stops; there is always something to do."""
        if self.state(now).running:
            self.stop(now)
        else:
            self.start(now)
        return True

    def seek(self, position: float, now: float) -> None:
        """Goes to a position in beats, running or not.

        Raises:
            OptionError: for a position before the song's start.
        """
        place = _checked_position(position)
        with self._lock:
            self._advance(now)
            self._position = place
            self._jump()

    def set_loop(self, start: float, end: float, now: float = -math.inf) -> None:
        """Goes on from one place whenever another is reached.

        A clock that is at the end already, or beyond it, runs on until it is moved before it.

        Args:
            start: beats since the song's start.
            end: the same, later.
            now: seconds of `time.perf_counter`; by default when the clock was looked at last.

        Raises:
            OptionError: if the end is not after the start, or the start before the song's.
        """
        if not (0 <= start < end < math.inf and end - start > _ROUNDING_BEATS):
            raise OptionError(f"There is no loop from beat {start:g} to {end:g}; let it end after its start.")
        with self._lock:
            self._advance(now)
            self._loop, self._wrapped = (float(start), float(end)), False

    def clear_loop(self, now: float = -math.inf) -> None:
        """Runs on beyond the loop's end from now on; by default from when the clock was looked at last."""
        with self._lock:
            self._advance(now)
            self._loop, self._wrapped = None, False

    def set_bpm(self, bpm: float, now: float) -> None:
        """Changes the tempo from now on; the position goes on without a gap.

        Raises:
            OptionError: for a tempo out of range.
        """
        tempo = checked_bpm(bpm)
        with self._lock:
            self._advance(now)
            self._bpm = tempo

    def _advance(self, now: float) -> None:
        if now <= self._since:
            return
        inside = self._inside
        if self._running:
            self._position += (now - self._since) * self._bpm / 60
        self._since = now
        if self._running and inside:
            self._go_round()

    @property
    def _inside(self) -> bool:
        """Whether the loop's end is still to come, by more than the rounding."""
        return self._loop is not None and self._position < self._loop[1] - _ROUNDING_BEATS

    def _go_round(self) -> None:
        """Goes back to the loop's start as often as its end was passed."""
        assert self._loop is not None
        start, end = self._loop
        over = self._position - end
        if over < -_ROUNDING_BEATS:
            return
        rounds = math.floor((over + _ROUNDING_BEATS) / (end - start))
        rest = over - rounds * (end - start)
        self._position = start + max(rest, 0.0)
        if rest < 0:  # reached but for the rounding; what is missing is not lost
            self._since -= rest * 60 / self._bpm
        self._jumps += 1 + rounds
        self._rounds += 1 + rounds
        self._wrapped = True

    def _jump(self) -> None:
        self._jumps += 1
        self._wrapped = False


class ClockSender:
    """MIDI clock for others, told step by step from the states of our clock; pure, sends nothing itself.

    The sending thread calls `due` whenever it wakes and sends what it gets, and merges
    `time_of(next_position(state))` with the deadlines of the notes.

    A place between two sixteenths cannot be told: receivers are sent to the next sixteenth, and get their
    first clock when our position is there. A place that was passed less than a clock ago still counts, so
    that a thread that wakes late sends Start for the song's start. Past 1024 bars of four beats the song
    position begins again from 0, which keeps such bars in place.
    """

    def __init__(self) -> None:
        self._running = False
        self._jumps = -1
        self._next = 0  # the clock to send next, counted from the song's start

    @property
    def sent(self) -> int:
        """The clock that was sent last, from the song's start; the one before the next where none was."""
        return self._next - 1

    def due(self, state: ClockState) -> list[bytes]:
        """The messages to send now, in order.

        Args:
            state: our clock now.

        Returns:
            Raw MIDI messages, none if nothing is due.
        """
        messages = []
        if self._to_locate(state) or (self._running and not state.running):
            if self._running:
                messages.append(bytes([STOP]))
            if state.running:
                messages += self._locate(state.position)
        self._running, self._jumps = state.running, state.jumps
        if state.running:
            reached = math.floor((state.position + _ROUNDING_BEATS) * CLOCKS_PER_BEAT)
            messages += [bytes([CLOCK])] * max(reached + 1 - self._next, 0)
            self._next = max(self._next, reached + 1)
        return messages

    def next_position(self, state: ClockState) -> float:
        """The position in beats at which `due` has something to say next.

        Returns:
            The state's own position if something is due already, `math.inf` while the clock stands.
        """
        if self._to_locate(state) or self._running != state.running:
            return state.position
        return self._next / CLOCKS_PER_BEAT if state.running else math.inf

    def forget(self) -> None:
        """Somebody new listens: where we are is told again, if we run."""
        self._running = False

    def _to_locate(self, state: ClockState) -> bool:
        """Whether the receivers have to be told a new place."""
        if not state.running:
            return False
        if not self._running or state.jumps != self._jumps:
            return True
        return state.position * CLOCKS_PER_BEAT > self._next + _MOST_BEHIND

    def _locate(self, position: float) -> list[bytes]:
        clocks = max(position, 0.0) * CLOCKS_PER_BEAT
        unit = math.floor((clocks - 1) / CLOCKS_PER_UNIT) + 1  # the first that is not a whole clock behind
        self._next = unit * CLOCKS_PER_UNIT
        if unit == 0:
            return [bytes([START])]
        told = unit % SONG_UNITS
        return [bytes([SONG_POSITION, told & 0x7F, told >> 7]), bytes([CONTINUE])]


class IdleClocks:
    """The MIDI clocks that are sent while we stand, so that others know the tempo before they start; pure."""

    def __init__(self) -> None:
        self.next = math.inf
        """When the next one is due, seconds of `time.perf_counter`; `math.inf` for none."""

    def due(self, state: ClockState, now: float) -> list[bytes]:
        """The messages to send now.

        Args:
            state: our clock now; one that follows another and has none of its own has no tempo to tell.
            now: seconds of `time.perf_counter`.
        """
        if state.status is not ClockStatus.STOPPED:
            self.next = math.inf
            return []
        interval = 60 / (CLOCKS_PER_BEAT * state.bpm)
        if not now - _MOST_BEHIND * interval < self.next < math.inf:
            self.next = now + interval
        n_due = max(0, math.floor((now - self.next) / interval + 1))
        self.next += n_due * interval
        return [bytes([CLOCK])] * n_due


def _checked_position(position: float) -> float:
    if not 0 <= position < math.inf:
        raise OptionError(f"A position of {position:g} beats is not in the song; give 0 or more.")
    return float(position)
