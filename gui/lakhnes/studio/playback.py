"""Playing the song of a session: where it stands, what is repeated, and whose clock counts."""

from __future__ import annotations

from collections.abc import Callable

from lakhnes.bridge.beat_clock import ClockState
from lakhnes.bridge.lines import Line
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.audition import Audition
from lakhnes.studio.jobs import Job, Jobs
from lakhnes.studio.session import Session
from lakhnes.studio.stage import Stage
from lakhnes.studio.view import Message

_STOP_SECONDS = 0.15
"""In which a song that is stopped has ended its notes."""


class Playback:
    """Plays, stops and seeks; before there is a stage, it keeps what is asked for until there is one.

    Attributes:
        loop: the span of ticks that is played again and again; None for none.
        audition: the track of a file that is heard.
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
        self.audition = Audition(lambda: None if self._stage is None else self._stage.synth, now)

    def take(self, stage: Stage) -> None:
        """Plays on a stage from now on."""
        self._stage = stage
        self.set_loop(self.loop)
        self.seek(self._sought)

    def play(self) -> None:
        """Plays from where the song stands; from its start where it is over."""
        if self._stage is None or self.following:
            return
        self.audition.stop()
        over = self.over(self.clock(self._stage).position * PPQ)
        self._stage.switch.internal.start(self._now(), 0.0 if over else None)
        self._stage.performance.wake()

    def stop(self) -> None:
        """Stops and keeps the place."""
        if self._stage is not None and not self.following:
            self._stage.switch.internal.stop(self._now())
            self._stage.performance.wake()

    def toggle(self) -> None:
        """Plays if the song stands, stops if it plays."""
        if self._stage is not None and self.clock(self._stage).running:
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
        """What the clock that counts says now."""
        return stage.switch.state(self._now())

    def over(self, place: float) -> bool:
        """Whether a place lies at the end of a song that has one."""
        state = self._session.state
        return not state.endless and state.end > 0 and place >= max(state.end, state.kept)
