"""The player: sends a timeline's events to outlets, each at its moment.

Its thread does nothing else. It sleeps until the next event's absolute time, so nothing adds up; other
threads hand it what to do and wake it. `step` is the whole of it, without a thread: time is an argument.
"""

from __future__ import annotations

import math
import os
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from lakhnes.bridge.beat_clock import CLOCK, CLOCKS_PER_BEAT, BeatClock, ClockSender, ClockState, IdleClocks
from lakhnes.bridge.outlet import Outlet
from lakhnes.runtime.compose.timeline import Moment, Timeline
from lakhnes.runtime.music.events import Kind, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY
from lakhnes.runtime.time.grid import PPQ

LATE_SECONDS = 0.010
"""An event that is sent so much after its time is counted as late."""

IDLE_SECONDS = 0.05
"""Longest sleep, so that a clock that changes is noticed."""

STALE_SECONDS = 0.25
"""A note that is so late is left out: after a pause of the whole machine, say."""


_RECENT = 8192
_ALMOST = 1e-3  # ticks that a position may lack of a tick it means
_CLOCK_TICKS = PPQ // CLOCKS_PER_BEAT  # a place counts from its clock on: we look a moment after it began
_SHORTEST_SLEEP = 0.001
_AHEAD_SECONDS = 0.05  # that a clock may have come before its time, as one does that is heard a period ahead
_PRIORITY = 10  # of 1..99, as sound programs have; JACK's own threads come before it


class _Cursor(NamedTuple):
    """Where the sending is, which with an offset is before the clock or behind it."""

    tick: float
    run: tuple[int, int]  # how often the clock has jumped there, and gone round its loop
    later: float  # seconds after `time_of` that this run comes to a place; the offset among them
    wrapped: bool  # the run began at the loop's start, from its end
    first: int  # the tick at which a run that wrapped began
    end: float  # ticks of the loop's end, which is not played; `math.inf` without one


class Lateness:
    """How late events were sent.

    Attributes:
        sent: events.
        late: those that were sent more than `LATE_SECONDS` after their time.
        worst: seconds, of the latest one.
    """

    def __init__(self) -> None:
        self.sent = self.late = 0
        self.worst = 0.0
        self._recent = array("d")

    def count(self, seconds: float) -> None:
        """Counts an event that was sent so long after its time."""
        if len(self._recent) < _RECENT:
            self._recent.append(seconds)
        else:
            self._recent[self.sent % _RECENT] = seconds
        self.sent += 1
        self.late += seconds > LATE_SECONDS
        self.worst = max(self.worst, seconds)

    def recent(self) -> list[float]:
        """Seconds of the last events, in no order."""
        return list(self._recent)


class Player:
    """Plays a timeline to outlets in the time of a clock.

    Attributes:
        clock: where in the song we are.
        outlets: where the events go.
        lateness: how late they were sent.
        gaps: how often nothing was composed yet where the music was to go on.
        sounding: the pitch of each voice that sounds.
        muted: voices that are not heard.
        taken: voices that somebody plays; the timeline's events of these are left out.
        tick: of what is played just now, counted on over all starts and jumps; bars stay bars.
        furthest: the tick of the song up to which anything was played.
        clock_at: when the message for `clock_out` is due that is sent just now.
        started: when the clock began to run, where it was moved to last.
    """

    def __init__(
        self,
        timeline: Timeline,
        clock: BeatClock,
        outlets: Sequence[Outlet],
        *,
        offset_seconds: float = 0.0,
        clock_out: Callable[[bytes], None] | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Makes a player that stands still.

        Args:
            timeline: what is played.
            clock: where in the song we are.
            outlets: where the events go.
            offset_seconds: how much later everything is sent; earlier if negative.
            clock_out: takes MIDI clock messages, for others to follow; None sends none.
            now: the time.
        """
        self.clock = clock
        self.outlets = tuple(outlets)
        self.lateness = Lateness()
        self.gaps = 0
        self.sounding: dict[Voice, int] = {}
        self.muted: frozenset[Voice] = frozenset()
        self.taken: frozenset[Voice] = frozenset()
        self.tick = 0
        self.furthest = 0
        self.started = self.clock_at = -math.inf
        self._timeline = timeline
        self._offset = offset_seconds
        self._clock_out = clock_out
        self._sender = ClockSender()
        self._idle = IdleClocks()
        self._now = now
        self._began = 0.0  # when this step did
        self._quiet = -math.inf  # nothing is due before: everything was silenced then, or waited for a clock
        self._run = (-1, 0)
        self._jumps = -1  # of the clock, when it was looked at last
        self._later = offset_seconds
        self._cursor = 0  # the next tick to play
        self._jumped = False  # since anything was played
        self._began_at = 0  # the tick at which the clock began, where it was moved to last
        self._resume: int | None = None  # the beat at which to try again, while nothing is composed
        self._place = 0.0  # ticks, where the last step was
        self._before = 0  # ticks that were played before tick 0 of this run
        self._orders: deque[Callable[[float], None]] = deque()
        self._wake = threading.Event()
        self._closing = False

    @property
    def waiting(self) -> bool:
        """Whether the clock runs and nothing is composed here yet."""
        return self._resume is not None

    def place(self) -> int:
        """The tick from which on music is needed."""
        return self._cursor if self._resume is None else self._resume

    def order(self, what: Callable[[float], None]) -> None:
        """Hands the player's thread something to do at once; it is given the time."""
        self._orders.append(what)
        self._wake.set()

    def wake(self) -> None:
        """Lets the player's thread look at its clock again."""
        self._wake.set()

    def mute(self, voice: Voice, muted: bool = True) -> None:
        """Silences a voice at once, or lets it be heard from its next note on."""

        def do(now: float) -> None:
            self.muted = self.muted | {voice} if muted else self.muted - {voice}
            if muted:
                self._note_off(voice, now)

        self.order(do)

    def set_outlets(self, outlets: Sequence[Outlet]) -> None:
        """Sends to other outlets from now on.

        Args:
            outlets: those that were there before sound on. The others are silenced, and not closed.
                New ones hear the next notes.
        """
        new = tuple(outlets)

        def do(now: float) -> None:
            for outlet in self.outlets:
                if not any(outlet is other for other in new):
                    outlet.silence(now)
            self.outlets = new

        self.order(do)

    def place_followers(self) -> None:
        """Tells those who follow our clock where we are, for one of them is new."""
        self.order(lambda now: self._sender.forget())

    def refresh(self) -> None:
        """The timeline was changed under way: ends the notes that it does not have any more."""

        def do(now: float) -> None:
            there = {} if self.waiting else self._timeline.sounding(self._cursor)
            for voice, pitch in list(self.sounding.items()):
                if voice not in self.taken and there.get(voice) != pitch:
                    self._note_off(voice, now)

        self.order(do)

    def panic(self) -> None:
        """Ends everything that sounds, at once; the music goes on with its next notes."""
        self.order(self._silence)

    def press(self, voice: Voice, pitch: int, velocity: int) -> None:
        """Plays a note that somebody plays now."""

        def do(now: float) -> None:
            if voice not in self.muted:
                self._note_on(voice, pitch, velocity, now)

        self.order(do)

    def release(self, voice: Voice) -> None:
        """Ends the note that somebody played."""
        self.order(lambda now: self._note_off(voice, now))

    def run(self) -> None:
        """Plays until `close`; every note is ended then, whatever happened."""
        _come_first()
        try:
            while not self._closing:
                deadline = self.step(self._now())
                timeout = deadline - self._now()
                if timeout > 0:
                    self._wake.wait(timeout)
                self._wake.clear()
            state = self.clock.state(self._now())
            self._reach(state, self._sending(state))
        finally:
            now = self._now()
            self._silence(now)
            if self._clock_out is not None:
                for message in self._sender.due(replace(self.clock.state(now), running=False)):
                    self._clock_out(message)

    def close(self) -> None:
        """Lets `run` return."""
        self._closing = True
        self._wake.set()

    def step(self, now: float) -> float:
        """Does what is due.

        Returns:
            When it is to be called again, at the latest.
        """
        self._began = self._now()
        state = self.clock.state(now)
        place = self._sending(state)
        if self._orders:
            self._reach(state, place)
        while self._orders:
            self._orders.popleft()(now)
        self._later = place.later
        if place.run != self._run:
            self._jump(state, place, now)
        self._jumps = state.jumps
        if self._clock_out is not None:
            messages = self._sender.due(state)
            clock = self._sender.sent + 1 - messages.count(bytes([CLOCK]))
            for message in messages:
                self._send_clock(message, self.clock.time_of(clock / CLOCKS_PER_BEAT), now)
                clock += message[0] == CLOCK
            for message in self._idle.due(state, now):
                self._send_clock(message, now, now)
        latest = now + min(IDLE_SECONDS, state.look_seconds)
        if not state.running:
            return min(latest, self._idle.next)
        self._place = max(place.tick, self._place)
        reached = math.floor(place.tick + _ALMOST) + 1
        self._advance(reached if reached < place.end else math.ceil(place.end - _ALMOST), now)
        self.tick = max(self.tick, self._before + math.floor(self._place))
        due = self._next(state)
        return min(latest, due if due > now else now + _SHORTEST_SLEEP)

    def _send_clock(self, message: bytes, at: float, now: float) -> None:
        assert self._clock_out is not None
        self.clock_at = min(max(at, now - IDLE_SECONDS), now + IDLE_SECONDS)
        self._clock_out(message)

    def _reach(self, state: ClockState, place: _Cursor) -> None:
        """Lets `tick` be what it is just now, though nothing was sent for a while."""
        if state.running and place.run == self._run:
            self.tick = max(self.tick, self._before + math.floor(max(place.tick, self._place)))

    def _offset_ticks(self, state: ClockState) -> float:
        """How much later everything is sent, in ticks of the tempo now."""
        return self._offset * state.bpm / 60 * PPQ

    def _sending(self, state: ClockState) -> _Cursor:
        """Where the sending is: in a loop it goes from the end to the start at its own time."""
        beat = state.position - self._offset * state.bpm / 60
        run = (state.jumps - state.rounds, state.rounds)
        if state.loop is None or not state.running:
            tick = self._certain(state, beat * PPQ)
            return _Cursor(tick, run, self._offset, False, 0, math.inf)
        start, end = state.loop
        rounds = 0
        if beat > end - _ALMOST / PPQ or (state.wrapped and beat < start):
            rounds = math.floor((beat - start + _ALMOST / PPQ) / (end - start))
            beat -= rounds * (end - start)
        return _Cursor(
            beat * PPQ,
            (run[0], run[1] + rounds),
            self._offset + rounds * (end - start) * 60 / state.bpm,
            state.wrapped or rounds > 0,
            math.ceil(start * PPQ - _ALMOST),
            end * PPQ,
        )

    def _certain(self, state: ClockState, tick: float) -> float:
        """A place before the clock's, or the line in front of it at which another's clock may go back.

        What is sent early cannot wait for the clock on every beat. But a loop that is not known yet most
        often ends 1, 2, 4, 8 ... bars after the place where the clock began; these are waited for.
        """
        place = state.position * PPQ
        if not state.foreign or tick <= place or place < self._began_at:
            return tick
        bar = self._timeline.grid.bar_ticks
        bars = max((place - self._began_at) / bar, 0.5)
        line = self._began_at + (bar << math.floor(math.log2(bars)) + 1)
        if tick < line - 2 * _ALMOST:
            return tick
        self._quiet = self._began
        return line - 2 * _ALMOST

    def _due(self, tick: float) -> float:
        """When a tick is to be sent."""
        return self.clock.time_of(tick / PPQ) + self._later

    def _jump(self, state: ClockState, place: _Cursor, now: float) -> None:
        """The clock was started, stopped or moved: ends all notes and looks up the place anew."""
        self._run = place.run
        self._resume = None
        # What is sent next may be due a moment before now; the silence comes before it.
        if place.wrapped:
            self._cursor = place.first
            self._place = place.tick
            self._silence(min(now, self._due(self._cursor)))
        else:
            landed = state.landed if state.jumps != self._jumps else None  # else it left a loop of ours
            began = (state.position if landed is None else landed) * PPQ
            self._cursor = math.floor((began + _ALMOST) / _CLOCK_TICKS) * _CLOCK_TICKS
            self._place = began
            self._silence(min(now, self.clock.time_of(self._cursor / PPQ)))
        self._began_at = self._cursor
        self.started = now if state.running else -math.inf
        bar = self._timeline.grid.bar_ticks
        early = 0 if place.wrapped else max(0, round(-self._offset_ticks(state)))
        self._before = -(-(self.tick - early - PPQ // 8 - self._cursor) // bar) * bar

    def _advance(self, until: int, now: float) -> None:
        """Plays the ticks up to `until`, as far as they are composed."""
        if self._resume is not None:
            if until <= self._resume:
                return
            if self._timeline.known_until(self._resume) == self._resume:
                self._resume = -(-until // PPQ) * PPQ
                return
            self._cursor, self._resume = self._resume, None
        if until <= self._cursor:
            return
        known = self._timeline.known_until(self._cursor)
        self._play(self._timeline.moments(self._cursor, min(until, known)), now)
        self._cursor = until
        self.furthest = max(self.furthest, until)
        if known < until:
            for voice in [voice for voice in self.sounding if voice not in self.taken]:
                self._note_off(voice, now)
            self.gaps += not self._jumped  # a place that nobody was at before takes its time
            self._resume = -(-until // PPQ) * PPQ

    def _play(self, moments: Iterable[Moment], now: float) -> None:
        for tick, together in groupby(moments, lambda moment: moment.tick):
            self._jumped = False
            at = max(self._quiet, min(now + _AHEAD_SECONDS, self._due(tick)))
            self.tick = self._before + tick
            for voice, events in groupby(together, lambda moment: moment.event.voice):
                if voice is not None and voice not in self.taken and voice not in self.muted:
                    said = {event.kind: event.value for _, event in events}
                    self._say(voice, said, at, stale=now - at > STALE_SECONDS)
                    # Other threads may have held us up since `now`; that counts, too.
                    self.lateness.count(max(0.0, now - at + self._now() - self._began))

    def _say(self, voice: Voice, said: dict[Kind, int], at: float, *, stale: bool) -> None:
        """Plays all that one voice does at a moment."""
        if Kind.TIMBRE in said:
            self._change(voice, Kind.TIMBRE, said[Kind.TIMBRE], at)
        if Kind.NOTE_OFF in said or (stale and Kind.NOTE_ON in said):
            self._note_off(voice, at)
        if Kind.NOTE_ON in said and not stale:
            self._note_on(voice, said[Kind.NOTE_ON], said.get(Kind.VELOCITY, FULL_VELOCITY), at)
        elif Kind.VELOCITY in said:
            self._change(voice, Kind.VELOCITY, said[Kind.VELOCITY], at)

    def _next(self, state: ClockState) -> float:
        """When the next thing is due."""
        places = [self._timeline.known_until(self._cursor), self._timeline.next_tick(self._cursor)]
        if self._resume is not None:
            places = [self._resume]
        due = min(self._due(tick) for tick in places if tick is not None)
        if self._clock_out is not None:
            due = min(due, self.clock.time_of(self._sender.next_position(state)))
        return due

    def _note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        self.sounding[voice] = pitch
        for outlet in self.outlets:
            outlet.note_on(voice, pitch, velocity, at)

    def _note_off(self, voice: Voice, at: float) -> None:
        if self.sounding.pop(voice, None) is not None:
            for outlet in self.outlets:
                outlet.note_off(voice, at)

    def _change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        for outlet in self.outlets:
            outlet.change(voice, kind, value, at)

    def _silence(self, now: float) -> None:
        self._quiet = now
        self.sounding.clear()
        for outlet in self.outlets:
            outlet.silence(now)


def _come_first() -> None:
    """Lets this thread go before others as soon as it wakes, where the system allows it: it computes little.

    Linux does for users who may run JACK in real time. Threads that it starts have no such right.
    """
    if hasattr(os, "sched_setscheduler") and hasattr(os, "SCHED_RESET_ON_FORK"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(_PRIORITY))
