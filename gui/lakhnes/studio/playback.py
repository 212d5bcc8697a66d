"""Playing the song of a session: where it stands, what is repeated, and whose clock counts."""

from __future__ import annotations

import math
from collections.abc import Callable

from lakhnes.bridge.beat_clock import ClockState
from lakhnes.bridge.lines import Line
from lakhnes.runtime import Voice
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.audition import Audition
from lakhnes.studio.jobs import Job, Jobs
from lakhnes.studio.metronome import Metronome
from lakhnes.studio.session import Session
from lakhnes.studio.stage import Stage
from lakhnes.studio.view import Message

_NOTE_SECONDS = 0.3
"""How long a note is heard by itself."""

_SOON = 0.05
"""Seconds before the song begins that is counted in, at which that is arranged."""

_STOP_SECONDS = 0.15
"""In which a song that is stopped has ended its notes."""


class Playback:
    """Plays, stops and seeks; before there is a stage, it keeps what is asked for until there is one.

    Attributes:
        loop: the span of ticks that is played again and again; None for none.
        audition: the track of a file that is heard.
        metronome: clicks on the beats.
        counts_in: whether a bar is counted before the song begins.
    """

    def __init__(
        self, session: Session, jobs: Jobs, say: Callable[[Message], None], now: Callable[[], float]
    ) -> None:
        """Plays nothing yet.

        Args:
            session: the song.
            jobs: what takes its time.
            say: takes messages.
            now: the time.
        """
        self.loop: tuple[int, int] | None = None
        self._session = session
        self._jobs = jobs
        self._say = say
        self._now = now
        self._stage: Stage | None = None
        self._sought = 0  # where the song was sent to last
        self.metronome = Metronome()
        self.counts_in = False
        self._start: float | None = None  # when the song begins that is counted in
        self._ends: dict[Voice, float] = {}  # when a note that is heard by itself ends
        self.audition = Audition(lambda: None if self._stage is None else self._stage.synth, now)

    def take(self, stage: Stage) -> None:
        """Plays on a stage from now on."""
        self._stage = stage
        self.set_loop(self.loop)
        self.seek(self._sought)

    def play(self) -> None:
        """Plays from where the song stands, or its start where it is over; after a counted bar, if so."""
        stage = self._stage
        if stage is None or self.following or self._start is not None:
            return
        self.audition.stop()
        self._end_notes(math.inf)
        if self.counts_in and stage.synth is not None and not self.clock(stage).running:
            state = self._session.state
            self._start = self._now() + _SOON + state.beats_per_bar * 60 / state.bpm
            self.metronome.count_in(stage.synth, self._start, state.bpm, state.beats_per_bar)
        else:
            self._begin(stage, self._now())

    def _begin(self, stage: Stage, now: float) -> None:
        over = self.over(self.clock(stage).position * PPQ)
        stage.switch.internal.start(now, 0.0 if over else None)
        stage.performance.wake()

    @property
    def counting(self) -> bool:
        """Whether a bar is counted just now."""
        return self._start is not None

    def stop(self) -> None:
        """Stops and keeps the place; counts no more."""
        if self._stage is not None and not self.following:
            if self._start is not None:
                self._start = None
                if self._stage.synth is not None:
                    self._stage.synth.forget_clicks()
            self._stage.switch.internal.stop(self._now())
            self._stage.performance.wake()

    def toggle(self) -> None:
        """Plays if the song stands, stops if it plays or is counted in; joins a DAW that rolls already."""
        if self._stage is not None and self.following:
            self._stage.switch.midi.toggle(self._now())
            self._stage.performance.wake()
        elif self._stage is not None and (self.counting or self.clock(self._stage).running):
            self.stop()
        else:
            self.play()

    def seek(self, tick: int) -> None:
        """Goes to a tick, at most to the song's end; before a model is loaded, as soon as it is."""
        self._sought = tick
        if self._stage is not None and not self.following:
            place = max(0, min(tick, self._session.state.end))
            self._stage.switch.internal.seek(place / PPQ, self._now())
            self._stage.performance.wake()

    def set_loop(self, span: tuple[int, int] | None) -> None:
        """Plays a span of ticks again and again; None goes on after it. A DAW has loops of its own."""
        if span is not None and self.following:
            return
        self.loop = span
        if self._stage is not None:
            if span is None:
                self._stage.switch.internal.clear_loop(self._now())
            else:
                self._stage.switch.internal.set_loop(span[0] / PPQ, span[1] / PPQ, self._now())
            self._stage.performance.wake()

    def hear(self, line: Line) -> None:
        """Plays the beginning of a track of a file; stops it if it is heard. The song stops for it."""
        if self.audition.line is line:
            self.audition.stop()
            return
        playing = self._stage is not None and self.clock(self._stage).running
        self.stop()
        self.audition.play(line, after=_STOP_SECONDS if playing else 0.0)

    def hear_note(self, voice: Voice, pitch: int, velocity: int) -> None:
        """Plays a note by itself, on every output; nothing while the song plays, which has the voice."""
        if self._stage is None or self.clock(self._stage).running:
            return
        self._stage.performance.player.press(voice, pitch, velocity)
        self._ends[voice] = self._now() + _NOTE_SECONDS

    def poll(self) -> None:
        """Ends what is over of that which is heard by itself."""
        self.audition.poll()
        now = self._now()
        self._end_notes(now)
        stage = self._stage
        if stage is None:
            return
        if self._start is not None and now > self._start - _SOON:
            start, self._start = self._start, None
            self._begin(stage, start)  # the clock stands until then, so that music and clicks are one
        if not self.following:
            clock = stage.switch.internal
            self.metronome.poll(stage.synth, clock, clock.state(now), now, self._session.state.beats_per_bar)

    def _end_notes(self, now: float) -> None:
        over = [voice for voice, end in self._ends.items() if end <= now]
        for voice in over:
            del self._ends[voice]
            if self._stage is not None and (now == math.inf or not self.clock(self._stage).running):
                self._stage.performance.player.release(voice)

    def panic(self) -> None:
        """Ends everything that sounds."""
        self.audition.stop()
        if self._stage is not None:
            self._stage.performance.player.panic()

    @property
    def place(self) -> int:
        """The tick where the song stands."""
        stage = self._stage
        return self._sought if stage is None else max(0, round(self.clock(stage).position * PPQ))

    @property
    def following(self) -> bool:
        """Whether a DAW's clock is followed."""
        return self._stage is not None and self._stage.switch.following

    def follow(self, midi: bool) -> None:
        """Follows a DAW's clock, or our own again."""
        if self._stage is not None:
            stage = self._stage

            def followed(_: None) -> None:
                if midi and stage.deaf is not None:
                    self._say(Message(stage.deaf, error=True))

            job = Job("Following the DAW", quiet=True)
            self._jobs.start(job, lambda job: stage.follow(midi), followed, lane="outputs")

    def clock(self, stage: Stage) -> ClockState:
        """Return the state of the active clock."""
        return stage.switch.state(self._now())

    def over(self, place: float) -> bool:
        """Return whether a place lies at the end of a song that is not endless."""
        state = self._session.state
        return not state.endless and state.end > 0 and place >= max(state.end, state.kept)
