"""Follows the transport of a JACK server: its place and tempo, exact to the frame; needs no MIDI."""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lakhnes.bridge.attempt import Attempt
from lakhnes.bridge.beat_clock import ClockState, ClockStatus, checked_bpm
from lakhnes.runtime.errors import PortError
from lakhnes.runtime.time.grid import TEMPI_BPM

_STOPPED, _STARTING = 0, (3, 4)
_HAS_BARS, _HAS_FRACTION = 0x10, 0x400
_SAME_TICKS = 2.0
"""What a place in whole ticks may differ by from the one that the frames tell."""
_SHORTEST_LOOK_SECONDS = 0.004
"""Between two looks: nobody tells of a jump."""
_MOST_UNSEEN_SECONDS = 1.0
"""How long ago a start or a jump may be that is seen now."""


class _TransportPosition(ctypes.Structure):
    """The beginning of `jack_position_t`, and room for the rest."""

    _pack_ = 1
    _fields_ = (
        ("unique_1", ctypes.c_uint64),
        ("usecs", ctypes.c_uint64),
        ("frame_rate", ctypes.c_uint32),
        ("frame", ctypes.c_uint32),
        ("valid", ctypes.c_int),
        ("bar", ctypes.c_int32),
        ("beat", ctypes.c_int32),
        ("tick", ctypes.c_int32),
        ("bar_start_tick", ctypes.c_double),
        ("beats_per_bar", ctypes.c_float),
        ("beat_type", ctypes.c_float),
        ("ticks_per_beat", ctypes.c_double),
        ("beats_per_minute", ctypes.c_double),
        ("rest", ctypes.c_uint8 * 184),
    )


@dataclass(frozen=True, slots=True)
class Transport:
    """A server's transport at the start of a cycle."""

    rolling: bool
    starting: bool
    """It waits for clients that are not ready yet."""
    seconds: float
    """When the cycle began, of the server's own clock."""
    frame: int
    """Of the song, at that time."""
    rate: int
    """Frames a second."""
    period: int
    """Frames of a cycle."""
    beats: float | None
    """Quarter notes from bar 1, at that time and in whole ticks; None where no program tells bars."""
    tick_beats: float
    """How long such a tick is."""
    bpm: float | None
    """Quarter notes a minute; None likewise."""


class TransportSource(Protocol):
    """A JACK server that answers for its transport; `ServerTransport` is one."""

    @property
    def lost(self) -> bool:
        """The server has ended."""

    def query(self) -> Transport:
        """Where the transport is."""

    def now(self) -> float:
        """The time on the server's clock, in seconds."""

    def roll(self, on: bool) -> None:
        """Starts or stops the transport of all programs."""


class ServerTransport:
    """The transport of a server, asked through a client of libjack; a `TransportSource`."""

    def __init__(self, library: ctypes.CDLL, client: int, lost: Callable[[], bool]) -> None:
        """Takes a client that stays open.

        Args:
            library: libjack, or what is linked to it.
            client: of libjack.
            lost: whether the server has ended.
        """
        self._library, self._client, self._lost = library, client, lost
        pointer = ctypes.c_void_p
        library.jack_transport_query.argtypes = [pointer, ctypes.POINTER(_TransportPosition)]
        library.jack_get_time.restype = ctypes.c_uint64
        library.jack_get_buffer_size.argtypes = [pointer]
        library.jack_get_buffer_size.restype = ctypes.c_uint32
        for name in ("jack_transport_start", "jack_transport_stop"):
            getattr(library, name).argtypes = [pointer]

    @property
    def lost(self) -> bool:
        """The server has ended."""
        return self._lost()

    def query(self) -> Transport:
        """Where the transport is."""
        told = _TransportPosition()
        state = int(self._library.jack_transport_query(self._client, ctypes.byref(told)))
        beats = bpm = None
        tick_beats = 0.0
        if told.valid & _HAS_BARS and told.ticks_per_beat > 0 and told.beat_type > 0:
            quarters = 4 / told.beat_type
            whole = (told.bar - 1) * told.beats_per_bar + told.beat - 1
            beats = (whole + told.tick / told.ticks_per_beat) * quarters
            tick_beats, bpm = quarters / told.ticks_per_beat, told.beats_per_minute * quarters
        return Transport(
            rolling=state != _STOPPED and state not in _STARTING,
            starting=state in _STARTING,
            seconds=told.usecs / 1e6,
            frame=told.frame,
            rate=told.frame_rate or 48_000,
            period=int(self._library.jack_get_buffer_size(self._client)),
            beats=beats,
            tick_beats=tick_beats,
            bpm=bpm,
        )

    def now(self) -> float:
        """The time on the server's clock, in seconds."""
        return int(self._library.jack_get_time()) / 1e6

    def roll(self, on: bool) -> None:
        """Starts or stops the transport of all programs."""
        (self._library.jack_transport_start if on else self._library.jack_transport_stop)(self._client)


class JackTransport:
    """The `BeatClock` of a JACK server's transport.

    A program that is the timebase master tells bars and tempo; without one the tempo is ours, and beats are
    counted from the song's start. A place is never beyond the cycle that the server is in, so that a jump,
    which comes with a cycle, is known before anything beyond it is played.
    """

    def __init__(
        self,
        enter: Callable[[], TransportSource],
        bpm: float = 120.0,
        *,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Enters the server.

        Args:
            enter: enters it; PortError if none answers.
            bpm: the tempo where no program tells one.
            now: seconds of the clock that states are asked for in.

        Raises:
            OptionError: for a tempo out of range.
            PortError: if no server answers.
        """
        self._lock = threading.Lock()
        self._bpm = self._own_bpm = checked_bpm(bpm)
        self._now = now
        self._reenter = Attempt(enter)
        self._jumps = 0
        self._position = 0.0
        self._status = ClockStatus.STOPPED
        self._last: Transport | None = None
        self._anchor = (0, 0.0)  # a frame of the song and its beat
        self._began = 0.0  # when the cycle began, in our time
        self._landed: float | None = None
        self._ahead = 0.0  # frames of the song that the server was ahead of its time at most
        self._looked = -math.inf
        self._server = enter()
        self._shift = now() - self._server.now()

    def state(self, now: float) -> ClockState:
        """Where the transport is at a time in seconds of `time.perf_counter`."""
        with self._lock:
            self._look(now)
            running = self._status is ClockStatus.RUNNING
            look = self._last.period / self._last.rate if self._last else _SHORTEST_LOOK_SECONDS
            return ClockState(
                self._position,
                self._bpm,
                running,
                self._jumps,
                self._status,
                foreign=True,
                landed=self._landed,
                look_seconds=max(_SHORTEST_LOOK_SECONDS, look),
            )

    def time_of(self, position: float) -> float:
        """When a position in beats will be reached if the tempo stays; `math.inf` while it stands."""
        with self._lock:
            if self._status is not ClockStatus.RUNNING or self._last is None:
                return math.inf
            return self._began + (position - self._beats(self._last)) * 60 / self._bpm

    def toggle(self, now: float) -> bool:
        """Starts or stops the transport of all programs; whether there is one."""
        with self._lock:
            if self._server.lost:
                return False
            self._server.roll(self._status is not ClockStatus.RUNNING)
            return True

    def check(self) -> str | None:
        """Enters a server that was started anew; what is wrong, None if nothing is."""
        if self._server.lost:
            try:
                server = self._reenter()
            except PortError:
                server = None
            if server is None:
                return "The JACK server has ended. lakhnes follows its transport again when it returns."
            with self._lock:
                self._server, self._last = server, None
                self._shift = self._now() - server.now()
        return None

    def _look(self, now: float) -> None:
        """Moves on to a time, and finds starts, stops and jumps."""
        if self._server.lost:
            self._change(ClockStatus.LOST)
            return
        told, before = self._server.query(), self._last
        if before is None:
            self._ahead = told.frame - told.seconds * told.rate
        moved = before is not None and self._has_moved(before, told)
        self._last = told
        self._began = told.seconds + self._shift
        self._anchor_at(told, anew=moved or before is None)
        place, stood = self._beats(told), self._position
        if told.rolling:
            within = min(max(now - self._began, 0.0), told.period / told.rate)
            place += within * self._bpm / 60
            turned = self._change(ClockStatus.RUNNING)
        else:
            turned = self._change(ClockStatus.WAITING if told.starting else ClockStatus.STOPPED)
        self._jumps += moved and not turned
        if not told.rolling:
            self._position = max(0.0, place)
            self._landed = None
        elif moved or turned:
            unseen = (
                (min(now - self._looked, _MOST_UNSEEN_SECONDS) + told.period / told.rate) * self._bpm / 60
            )
            self._position = max(0.0, place)
            self._landed = _landing(self._position, unseen, stood if turned else None)
        else:
            self._position = max(self._position, place)
        self._looked = max(now, self._looked)

    def _change(self, status: ClockStatus) -> bool:
        """Takes a status; whether it begins or ends to roll by that, which is a jump."""
        turned = (status is ClockStatus.RUNNING) != (self._status is ClockStatus.RUNNING)
        self._jumps += turned
        self._status = status
        return turned

    def _has_moved(self, before: Transport, told: Transport) -> bool:
        """Whether the transport is elsewhere than where it would have rolled to.

        A server that was held up makes up for it: then frames come faster than time, but not further.
        """
        ahead = told.frame - told.seconds * told.rate
        if not (before.rolling and told.rolling):
            self._ahead = ahead
            return told.frame != before.frame and not (before.rolling or told.rolling)
        moved = told.frame < before.frame or ahead > self._ahead + 2 * told.period
        self._ahead = ahead if moved else max(self._ahead, ahead)
        return moved

    def _anchor_at(self, told: Transport, *, anew: bool) -> None:
        """Keeps a frame whose beat is known: whole ticks are too coarse to tell it in every cycle."""
        slowest, fastest = TEMPI_BPM
        bpm = min(max(told.bpm or self._own_bpm, slowest), fastest)
        if told.beats is None:
            self._anchor = (0, 0.0)
        elif anew or bpm != self._bpm or abs(told.beats - self._beats(told)) > _SAME_TICKS * told.tick_beats:
            self._anchor = (told.frame, told.beats)
        self._bpm = bpm

    def _beats(self, told: Transport) -> float:
        frame, beat = self._anchor
        return beat + (told.frame - frame) / told.rate * self._bpm / 60


def _landing(place: float, unseen: float, stood: float | None) -> float:
    """Where the transport went, when it is seen a moment later: where it stood, or on a beat.

    Args:
        place: beats, where it is.
        unseen: beats that it may have rolled since.
        stood: beats, where it was before it began to roll; None if it rolled.
    """
    for origin in (stood, float(math.floor(place))):
        if origin is not None and 0 <= place - origin <= unseen:
            return origin
    return place
