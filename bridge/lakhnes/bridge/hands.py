"""Playing along: the voices that somebody plays, and what they play, for the composer to hear."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from lakhnes.bridge.beat_clock import BeatClock
from lakhnes.bridge.player import Player
from lakhnes.runtime.compose.timeline import Moment, Timeline
from lakhnes.runtime.music.events import Event, Kind, Voice, octave_shifted
from lakhnes.runtime.time.grid import PPQ

REST_BARS = 4
"""A voice that somebody played is composed again after so many bars of rest."""


class Hands:
    """Whoever plays along: notes go to the player at once, and to the composer when it asks for them.

    `press` and `release` may be called from any thread, the others by the composer's.
    """

    def __init__(
        self,
        player: Player,
        timeline: Timeline,
        clock: BeatClock,
        taken: Callable[[], None],
        *,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begins with nobody playing.

        Args:
            player: what sends the notes, and knows whose the voices are.
            timeline: the song that is played along with.
            clock: where in the song we are.
            taken: is called when a voice becomes somebody's.
            now: the time.
        """
        self._player = player
        self._timeline = timeline
        self._clock = clock
        self._on_taken = taken
        self._now = now
        self._heard: deque[Moment] = deque()
        self._rests_since: dict[Voice, int] = {}  # the tick at which somebody last played a voice
        self._taking = threading.Lock()  # over the voices that somebody plays

    def press(self, voice: Voice, pitch: int, velocity: int) -> None:
        """Somebody plays a note; its voice is theirs from now on, and the others are composed around it.

        Args:
            voice: which.
            pitch: MIDI pitch, shifted by octaves into what the voice has; for the noise 1..16.
            velocity: 1..15.
        """
        pitch = octave_shifted(voice, pitch)
        with self._taking:
            self._rests_since[voice] = self._player.place()  # before anybody may think that it rests
            if voice not in self._player.taken:
                self._player.taken = self._player.taken | {voice}
                self._on_taken()
        self._player.press(voice, pitch, velocity)
        self._hear(voice, Event(Kind.NOTE_ON, voice, pitch))

    def release(self, voice: Voice) -> None:
        """Somebody lets a note go."""
        if voice in self._player.taken:
            self._player.release(voice)
            self._hear(voice, Event(Kind.NOTE_OFF, voice))

    def heard(self) -> list[Moment]:
        """Returns the notes that were played since the last call."""
        moments = []
        while self._heard:
            moments.append(self._heard.popleft())
        return moments

    def end_rests(self) -> bool:
        """Gives voices back to the composer that nobody has played for some bars; whether there were any."""
        place = self._player.place()
        with self._taking:
            taken = self._player.taken
            for voice in taken:
                since = self._rests_since.get(voice, place)
                rests = abs(place - since) > REST_BARS * self._timeline.grid.bar_ticks
                if rests and voice not in self._player.sounding:
                    self._player.taken = self._player.taken - {voice}
            return self._player.taken != taken

    def _hear(self, voice: Voice, event: Event) -> None:
        """Keeps what somebody played, on the nearest row."""
        state = self._clock.state(self._now())
        row = self._timeline.grid.row_ticks
        tick = round(state.position * PPQ / row) * row
        if event.kind is Kind.NOTE_OFF:
            tick = max(tick, self._rests_since.get(voice, 0) + row)
        self._rests_since[voice] = tick
        if state.running:
            self._heard.append(Moment(tick, event))
