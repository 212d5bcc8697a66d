"""Follows an Ableton Link session: tempo, bars and play on the local network; needs no MIDI."""
# ruff: noqa: N802, N815 -- the names are those of LinkPython-extern

from __future__ import annotations

import importlib
import math
import threading
import time
from collections.abc import Callable
from typing import Protocol, cast

from lakhnes.bridge.beat_clock import ClockState, ClockStatus, checked_bpm
from lakhnes.runtime.errors import MissingExtraError
from lakhnes.runtime.time.grid import TEMPI_BPM

_MOST_DRIFT_BEATS = 0.25
"""A place further than this from where the tempo leads is a jump: a peer has moved the session's beats."""
_ALMOST_BEATS = 1e-6
_SHORTEST_LOOK_SECONDS = 0.001


class SessionState(Protocol):
    """The state of a session at a moment; times are microseconds of `LinkSession.clock`."""

    def tempo(self) -> float:
        """Return the beats a minute."""

    def setTempo(self, bpm: float, at_time: int) -> None:
        """Change the tempo."""

    def beatAtTime(self, at_time: int, quantum: float) -> float:
        """Return the beat of a time; beats that are multiples of the quantum begin its bars."""

    def timeAtBeat(self, beat: float, quantum: float) -> int:
        """Return the time of a beat."""

    def isPlaying(self) -> bool:
        """Return whether the peers that share start and stop play."""

    def setIsPlaying(self, is_playing: bool, at_time: int) -> None:
        """Start or stop these peers."""

    def timeForIsPlaying(self) -> int:
        """Return when they were started or stopped."""


class SessionClock(Protocol):
    """The clock of a session."""

    def micros(self) -> int:
        """Return the time now, in microseconds."""


class LinkSession(Protocol):
    """A session on the local network; `link.Link` of LinkPython-extern is one."""

    enabled: bool
    startStopSyncEnabled: bool

    def clock(self) -> SessionClock:
        """Return the clock that times are of."""

    def captureAppSessionState(self) -> SessionState:
        """Return the state now."""

    def commitAppSessionState(self, state: SessionState) -> None:
        """Share a state that was changed."""

    def numPeers(self) -> int:
        """Return how many other programs share the session."""


def link_session(bpm: float) -> LinkSession:
    """Join the session on the local network, or begin one.

    Args:
        bpm: its tempo if nobody else is there.

    Raises:
        MissingExtraError: if LinkPython-extern is not installed.
    """
    try:
        link = importlib.import_module("link")
    except ImportError:
        raise MissingExtraError("link", "Ableton Link") from None
    session = cast(LinkSession, link.Link(bpm))
    session.startStopSyncEnabled = True
    session.enabled = True
    return session


class LinkClock:
    """The `BeatClock` of a Link session.

    Link shares tempo and the phase of bars, and start and stop with the peers that want it. It shares no
    place in a song: the music begins with bar 1 at the first bar line after a start. A peer that moves the
    session's beats, as when two sessions meet, moves the music to the nearest place with the same phase.
    """

    def __init__(
        self,
        session: LinkSession,
        *,
        beats_per_bar: int = 4,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Take a session that is enabled.

        Args:
            session: what is followed.
            beats_per_bar: of the music; Link's quantum.
            now: seconds of the clock that states are asked for in.
        """
        self._session, self._quantum = session, float(beats_per_bar)
        self._lock = threading.Lock()
        self._clock = session.clock()
        self._shift = now() - self._clock.micros() / 1e6
        self._jumps = 0
        self._origin: float | None = None  # the session's beat of the song's start; None while it stands
        self._running = False
        self._position = 0.0
        self._landed: float | None = None  # where the last jump led; None for wherever it was seen
        self._last: tuple[float, float, float] | None = None  # time, beat and tempo of the last look

    def state(self, now: float) -> ClockState:
        """Return where the music is at a time in seconds of `time.perf_counter`."""
        with self._lock:
            session = self._session.captureAppSessionState()
            self._look(session, now)
            waiting = self._origin is not None and not self._running
            status = ClockStatus.RUNNING if self._running else ClockStatus.STOPPED
            look = math.inf
            if waiting and self._origin is not None:
                begins = self._seconds(session.timeAtBeat(self._origin, self._quantum))
                look = max(_SHORTEST_LOOK_SECONDS, begins - now)
            return ClockState(
                self._position,
                _played_bpm(session.tempo()),
                self._running,
                self._jumps,
                ClockStatus.WAITING if waiting else status,
                look_seconds=look,
                landed=self._landed,
            )

    def time_of(self, position: float) -> float:
        """Return when a position in beats is reached if the tempo stays; `math.inf` while it stands."""
        with self._lock:
            if not self._running or self._origin is None:
                return math.inf
            session = self._session.captureAppSessionState()
            return self._seconds(session.timeAtBeat(self._origin + position, self._quantum))

    def toggle(self, now: float) -> bool:
        """Start or stop all peers that share start and stop; the music begins at the next bar line."""
        with self._lock:
            session = self._session.captureAppSessionState()
            session.setIsPlaying(not session.isPlaying(), self._micros(now))
            self._session.commitAppSessionState(session)
            return True

    def set_bpm(self, bpm: float, now: float) -> None:
        """Change the tempo of the session, for all peers.

        Raises:
            OptionError: for a tempo out of range.
        """
        tempo = checked_bpm(bpm)
        with self._lock:
            session = self._session.captureAppSessionState()
            session.setTempo(tempo, self._micros(now))
            self._session.commitAppSessionState(session)

    @property
    def peers(self) -> int:
        """How many other programs share the session."""
        return self._session.numPeers()

    def close(self) -> None:
        """Leave the session."""
        self._session.enabled = False

    def _look(self, session: SessionState, now: float) -> None:
        """Move on to a time, and find starts, stops and jumps."""
        beat = session.beatAtTime(self._micros(now), self._quantum)
        moved = self._moved(session, beat, now)
        self._last = (now, beat, session.tempo())
        if not session.isPlaying():
            if self._running:
                self._jumps, self._landed = self._jumps + 1, None
            self._origin, self._running = None, False
            return
        if self._origin is None:
            self._origin = self._next_bar(session, beat)
            self._position = 0.0
        elif moved:
            if self._running:
                # The nearest place whose beat is in the phase that the session has now.
                off = (self._position - beat + self._quantum / 2) % self._quantum - self._quantum / 2
                self._position -= off
                if self._position < 0:
                    self._position += self._quantum
                self._origin = beat - self._position
                self._jumps, self._landed = self._jumps + 1, None
            else:
                self._origin = self._next_bar(session, beat)
        if self._running:
            self._position = max(self._position, beat - self._origin)
        elif beat >= self._origin - _ALMOST_BEATS:
            self._running, self._landed = True, 0.0
            self._jumps += 1
            self._position = max(0.0, beat - self._origin)

    def _moved(self, session: SessionState, beat: float, now: float) -> bool:
        """Return whether the beat is elsewhere than where the tempo led, the one before and the one now."""
        if self._last is None:
            return False
        then, before, bpm = self._last
        forth = beat - before - (now - then) * bpm / 60
        back = session.beatAtTime(self._micros(then), self._quantum) - before
        return min(abs(forth), abs(back)) > _MOST_DRIFT_BEATS

    def _next_bar(self, session: SessionState, beat: float) -> float:
        """Return the beat of the first bar line after the start, or after now if that is long ago."""
        started = session.beatAtTime(session.timeForIsPlaying(), self._quantum)
        if beat - started > self._quantum:  # it was started before we came
            started = beat
        return math.ceil(started / self._quantum - _ALMOST_BEATS) * self._quantum

    def _micros(self, seconds: float) -> int:
        return round((seconds - self._shift) * 1e6)

    def _seconds(self, micros: int) -> float:
        return micros / 1e6 + self._shift


def _played_bpm(bpm: float) -> float:
    """Return a tempo as far as we can play it."""
    slowest, fastest = TEMPI_BPM
    return min(max(bpm, slowest), fastest)
