"""The studio: a session, what composes for it and what plays it, under one roof.

A window calls its methods, always from one thread, and `poll` many times a second; nothing here waits. What
takes its time is a job. Whatever way the session's state changes, by a control, an undo or a file,
`_apply` sees the difference and tells it to whom it concerns.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lakhnes.apu.instruments import mixed_set
from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.runtime import LakhnesError, Model, OptionError, Request, Score, Voice
from lakhnes.runtime.music.editing import extract, with_tail
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.jobs import Job, Jobs
from lakhnes.studio.preferences import STEERING_FIELDS
from lakhnes.studio.session import Session
from lakhnes.studio.stage import Stage, Wiring
from lakhnes.studio.state import SongState
from lakhnes.studio.view import Message, View

NEW_BARS = 8
"""Length of a new song that does not go on by itself, and of what `more` adds."""

_SETTLE_SECONDS = 0.25
"""How long a hand must rest before what was composed ahead is composed anew."""

_COLLECT_SECONDS = 0.1
"""How often what is composed is taken into the song, which takes the longer the longer the song is."""

_RANGES = ("lowest", "highest")

Choice = tuple[str, ...] | None
"""Where MIDI goes: None nowhere, () to a port of our own, else to existing ports."""


class Studio:
    """A song under work, composed and played.

    Attributes:
        session: the song; change it through the methods here or its own, and `poll`.
        jobs: what is being done.
        stage: what plays; None before a model is loaded.
        say: takes messages; set it to hear them.
    """

    def __init__(
        self,
        state: SongState | None = None,
        *,
        load: Callable[[str], Model] = Model.load,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begins with a song; nothing is loaded before `open`.

        Args:
            state: what to begin with; a new song if None.
            load: finds and loads a model by its name or folder.
            now: the time.
        """
        self.session = Session(state or SongState(seed=secrets.randbelow(1 << 32)))
        self.jobs = Jobs(lambda job, text: self.say(Message(text, error=True)))
        self.stage: Stage | None = None
        self.say: Callable[[Message], None] = lambda message: None
        self._models: dict[str, Model] = {}  # jobs use these, the stage's composer a twin
        self._composing = ""  # name of the model that composes
        self._awaited: set[str] = set()  # names of models that the session wants and that are being loaded
        self._load, self._now = load, now
        self._applied = self.session.state
        self._edition = 0
        self._ringing: tuple[int, frozenset[Voice]] = (
            0,
            frozenset(),
        )  # over the end of such a length
        self._collects = 0.0  # when what is composed is looked at again
        self._loop: tuple[int, int] | None = None
        self._sought = 0  # where the song was sent to last
        self._steered: float | None = None  # when the steering was changed and nothing came of it yet
        self._ports: Choice = None
        self._sound = False

    # From the beginning to the end

    def open(self, ports: Choice = (), *, sound: bool = True) -> None:
        """Loads the model, begins to compose, and opens the outputs.

        Args:
            ports: where MIDI goes.
            sound: whether the built-in sound is heard.
        """
        self._ports, self._sound = ports, sound
        name = self.session.state.model
        self._fetch(name, lambda: self._begin(name))

    def close(self, seconds: float | None = None) -> bool:
        """Ends every note and everything that is being done; may be called twice.

        Args:
            seconds: how long it waits at most, for a sound output that does not answer may take for ever;
                None for as long as it takes.

        Returns:
            Whether all of it has ended.
        """
        if self.stage is not None:
            self.stage.performance.player.panic()  # whatever the rest has to wait for
        ending = threading.Thread(target=self._end, name="lakhnes end", daemon=True)
        ending.start()
        ending.join(seconds)
        return not ending.is_alive()

    def _end(self) -> None:
        self.jobs.close()
        if self.stage is not None:
            self.stage.close()

    def poll(self) -> View:
        """Takes in what happened meanwhile, and passes on what was changed; what there is to show."""
        self.jobs.deliver()
        if self.stage is not None:
            self._apply(self.stage)  # first: what is composed for a song that was replaced is not collected
            self._collect(self.stage)
            self._follow_place(self.stage)
        return self.view()

    # Transport

    def play(self) -> None:
        """Plays from where the song stands; from its start where it is over."""
        if self.stage is None or self.following:
            return
        place = self._place()
        self.stage.switch.internal.start(self._now(), 0.0 if self._over(place) else None)
        self.stage.performance.wake()

    def stop(self) -> None:
        """Stops and keeps the place."""
        if self.stage is not None and not self.following:
            self.stage.switch.internal.stop(self._now())
            self.stage.performance.wake()

    def toggle(self) -> None:
        """Plays if the song stands, stops if it plays."""
        if self.view().playing:
            self.stop()
        else:
            self.play()

    def seek(self, tick: int) -> None:
        """Goes to a tick, at most to the song's end; before a model is loaded, as soon as it is."""
        self._sought = tick
        if self.stage is not None and not self.following:
            place = max(0, min(tick, self.session.state.end))
            self.stage.switch.internal.seek(place / PPQ, self._now())
            self.stage.performance.wake()

    def set_loop(self, span: tuple[int, int] | None) -> None:
        """Plays a span of ticks again and again; None goes on after it. A DAW has loops of its own."""
        if span is not None and self.following:
            return
        self._loop = span
        if self.stage is not None:
            if span is None:
                self.stage.switch.internal.clear_loop(self._now())
            else:
                self.stage.switch.internal.set_loop(span[0] / PPQ, span[1] / PPQ, self._now())
            self.stage.performance.wake()

    @property
    def place(self) -> int:
        """The tick where the song stands."""
        return self._sought if self.stage is None else max(0, round(self._place()))

    @property
    def settled(self) -> bool:
        """Whether the composer goes on with the session's song as it is."""
        if self.stage is None or self._steered is not None:
            return False
        same = self._applied is self.session.state or self._applied.score is self.session.state.score
        return same and self.stage.performance.composer.timeline.edition == self._edition

    @property
    def following(self) -> bool:
        """Whether a DAW's clock is followed."""
        return self.stage is not None and self.stage.switch.following

    def follow(self, midi: bool) -> None:
        """Follows a DAW's clock, or our own again."""
        if self.stage is not None:
            stage = self.stage

            def followed(_: None) -> None:
                if midi and stage.deaf is not None:
                    self.say(Message(stage.deaf, error=True))

            job = Job("Following the DAW", quiet=True)
            self.jobs.start(job, lambda job: stage.follow(midi), followed, lane="outputs")

    def panic(self) -> None:
        """Ends everything that sounds."""
        if self.stage is not None:
            self.stage.performance.player.panic()

    # The song

    def new(self, seed: int | None = None) -> None:
        """Begins another song; what was there can be had back by undoing."""
        state = self.session.state
        bar = state.beats_per_bar * PPQ
        self.begin(
            "New song",
            score=Score(),
            seed=secrets.randbelow(1 << 32) if seed is None else seed,
            composed_bpm=state.bpm,
            kept=0 if state.endless else NEW_BARS * bar,
        )

    def begin(self, label: str, *, place: int = 0, **song: Any) -> None:
        """Puts another song in the place of this one, which can be had back by undoing.

        Args:
            label: what was done, for people.
            place: the tick where it stands.
            song: as `Session.begin` takes it.
        """
        self.session.begin(label, **song)
        self.set_loop(None)
        self.seek(place)

    def more(self, bars: int = NEW_BARS) -> None:
        """Goes on composing: so many bars after what was heard or asked for, or after the song's end."""
        state = self.session.state
        bar = state.beats_per_bar * PPQ
        end = state.kept if state.endless else max(state.kept, state.end)
        self.session.change("Continue", kept=(-(-end // bar) + bars) * bar)

    def set_bpm(self, bpm: float) -> None:
        """Plays at another tempo; what nobody has heard yet is composed anew at it."""
        self.session.change("Tempo", key="bpm", bpm=bpm)
        self._forget_unheard()

    def set_beats_per_bar(self, beats: int) -> None:
        """Composes in other bars; only while nothing was heard."""
        if not self.session.state.kept:
            self.session.change("Beats per bar", key="meter", beats_per_bar=beats)
            self._forget_unheard()

    def use_model(self, name: str) -> None:
        """Loads another model, which composes from then on.

        Args:
            name: of a model, or its folder.
        """

        def there() -> None:
            self.session.change("Model", model=name)
            if self.stage is None:  # the one before could not be loaded
                self._begin(name)

        self._fetch(name, there, quiet=False)

    def with_model(self, name: str, then: Callable[[Model], None]) -> None:
        """Hands over a model for jobs of the lane `compose`, loaded first if it must be.

        Args:
            name: of a model, or its folder.
            then: takes it, where `poll` is called; not if it cannot be had, which is said.
        """
        self._fetch(name, lambda: then(self._models[name]), quiet=False)

    @property
    def model(self) -> Model | None:
        """The model for jobs of the lane `compose`; None before it is loaded."""
        return self._models.get(self._composing)

    def loaded_model(self) -> Model:
        """The same.

        Raises:
            OptionError: before it is loaded.
        """
        if self.model is None:
            raise OptionError("The model is being loaded; try again in a moment.")
        return self.model

    def undo(self) -> None:
        """Takes the last step back."""
        self.session.undo()

    def redo(self) -> None:
        """Does again what was undone."""
        self.session.redo()

    # Outputs

    def use_ports(self, ports: Choice) -> None:
        """Sends MIDI elsewhere, or nowhere."""
        self._ports = ports
        if self.stage is not None:
            stage = self.stage
            self.jobs.start(
                Job("Opening the MIDI port", quiet=True), lambda job: stage.use_ports(ports), lane="outputs"
            )

    def use_sound(self, on: bool) -> None:
        """Switches the built-in sound on or off."""
        self._sound = on
        if self.stage is not None:
            stage = self.stage
            self.jobs.start(
                Job("Opening the sound", quiet=True),
                lambda job: stage.use_sound(on),
                lambda _: self._tell_synth(stage, self.session.state),
                lane="outputs",
            )

    def view(self) -> View:
        """What there is to show."""
        if self.stage is None:
            return View(bpm=self.session.state.bpm, loop=self._loop)
        status = self.stage.performance.status()
        synth = self.stage.synth
        return View(
            ready=True,
            playing=status.clock.running,
            clock=status.clock.status,
            following=self.following,
            place=max(0.0, status.clock.position * PPQ),
            bpm=status.clock.bpm,
            waiting=status.waiting,
            loop=None if self.following else self._loop,
            sounding=status.sounding,
            peaks=synth.peaks() if synth is not None else (0.0, 0.0, 0.0, 0.0),
            ports=tuple(self.stage.outputs),
            sound=self.stage.heard_on,
            sent=status.sent,
            late=status.late,
            worst_seconds=status.worst_seconds,
            gaps=status.gaps,
            problems=(*status.problems, *self._failure(self.stage)),
        )

    # What happens in `poll`

    def _fetch(
        self,
        name: str,
        then: Callable[[], None],
        *,
        quiet: bool = True,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Loads a model unless it is there."""

        def load(job: Job) -> Model:
            try:
                return self._load(name)
            except BaseException:
                self.jobs.post(failed)
                raise

        def loaded(model: Model) -> None:
            self._models[name] = model
            then()

        if name in self._models:
            then()
        else:
            self.jobs.start(Job(f"Loading {name}", quiet=quiet), load, loaded, lane="model")

    def _begin(self, name: str) -> None:
        """A model is there: composing begins, and the outputs are opened.

        Args:
            name: of the model; a session that was opened meanwhile may want another one.
        """
        state = self.session.state
        self._composing = name
        try:
            request = state.request
        except LakhnesError:  # `_apply` says it
            request = Request()
        stage = Stage(
            Wiring(ports=None, ahead_bars=state.ahead_bars),
            self._models[name].twin(),
            request,
            state.seed,
            state.bpm,
            state.beats_per_bar,
            optional=True,
        )
        stage.__enter__()
        stage.performance.composer.rests = True
        self.stage = stage
        self._applied = SongState(
            beats_per_bar=state.beats_per_bar
        )  # so that all that is otherwise in the session is told
        self._apply(stage)
        self.set_loop(self._loop)
        self.seek(self._sought)
        if self._ports is not None:
            self.use_ports(self._ports)
        if self._sound:
            self.use_sound(True)

    def _collect(self, stage: Stage) -> None:
        """Takes what was composed or played along into the song."""
        began = self._now()
        timeline = stage.performance.composer.timeline
        if began < self._collects or timeline.edition != self._edition:
            return  # not yet; or what was composed belongs to a song that is no more
        changes = timeline.take_changes()
        if changes is None:
            return
        state = self.session.state
        tick, tail = changes
        score = with_tail(state.score, tail, state.grid.sample(tick))
        self.session.amend(score=score)
        self._applied = replace(self._applied, score=self.session.state.score)
        self._ringing = score.length, frozenset(timeline.sounding(state.grid.tick(score.length)))
        self._collects = began + max(_COLLECT_SECONDS, 10 * (self._now() - began))

    def _follow_place(self, stage: Stage) -> None:
        """Keeps what is heard, composes anew what is not yet, and stops at the end of a song that has one."""
        state = self.session.state
        clock = stage.switch.state(self._now())
        place = clock.position * PPQ
        bar = state.beats_per_bar * PPQ
        if clock.running and place < state.end:
            self.session.amend(kept=max(state.kept, min(state.end, math.ceil(place / bar + 1e-9) * bar)))
        if clock.running and not self.following and self._loop is None and self._over(place):
            self.stop()
        if self._steered is not None and self._now() - self._steered > _SETTLE_SECONDS:
            self._steered = None
            self._compose_anew(stage, clock.running)

    def _compose_anew(self, stage: Stage, running: bool) -> None:
        """Forgets what was composed ahead and not heard, from the next bar on."""
        state = self.session.state
        bar = state.beats_per_bar * PPQ
        cut = max(state.kept, stage.performance.next_bar() if running else 0)
        cut = -(-cut // bar) * bar
        if cut < state.end:
            self.session.amend(score=extract(state.score, (0, state.grid.sample(cut))))

    def _apply(self, stage: Stage) -> None:
        """Tells everybody what has changed in the session since the last time."""
        self._forget_unheard()
        old, new = self._applied, self.session.state
        if new is old:
            return
        self._applied = new
        performance = stage.performance
        if any(getattr(old, name) != getattr(new, name) for name in STEERING_FIELDS) or any(
            getattr(a, name) != getattr(b, name)
            for a, b in zip(old.voices, new.voices, strict=True)
            for name in _RANGES
        ):
            try:
                performance.steer(new.request)
            except LakhnesError as error:
                self.say(Message(str(error), error=True))
            else:
                self._steered = self._now()
        song = ("composed_bpm", "beats_per_bar", "model")
        if new.score is not old.score or any(getattr(old, name) != getattr(new, name) for name in song):
            self._adopt(stage, new)
        if new.bpm != old.bpm:
            stage.switch.internal.set_bpm(new.bpm, self._now())
        performance.ahead_bars = new.ahead_bars
        performance.target = new.kept
        performance.limit = None if new.endless else max(new.kept, new.end)
        for voice in Voice:
            if new.audible(voice) != old.audible(voice):
                performance.player.mute(voice, not new.audible(voice))
        channels = tuple(voice.channel for voice in new.voices)
        if channels != tuple(voice.channel for voice in old.voices):
            stage.set_channels((channels[0], channels[1], channels[2], channels[3]))
        if new.volume != old.volume or new.voices != old.voices:
            self._tell_synth(stage, new)
        performance.wake()

    def _forget_unheard(self) -> None:
        """Forgets a song of which nothing was heard where it is to have another tempo or other bars.

        That is no step: what is composed and heard by the time that the tempo is undone stays.
        """
        state = self.session.state
        if state.kept or (
            state.bpm == state.composed_bpm and state.beats_per_bar == self._applied.beats_per_bar
        ):
            return
        self.session.amend(score=Score(), composed_bpm=state.bpm)
        if self.session.state is not state:
            self.session.edits += 1

    def _adopt(self, stage: Stage, state: SongState) -> None:
        """Lets the composer go on with the session's song."""
        length, voices = self._ringing
        ringing = voices if length == state.score.length else frozenset()
        changes: dict[str, Any] = {"grid": state.grid, "ringing": ringing}
        if not state.score.length:
            changes["seed"] = state.seed
        if state.model != self._composing:
            if state.model not in self._models:  # what composes now goes on until it is there
                self._await_model(stage, state.model)
            else:
                changes["model"] = self._models[state.model].twin()
                self._composing = state.model
        stage.performance.adopt(state.score, **changes)
        self._edition += 1

    def _await_model(self, stage: Stage, name: str) -> None:
        """Loads a model that the session wants; where it cannot be had, the one that composes stays."""
        if name in self._awaited:
            return
        self._awaited.add(name)

        def there() -> None:
            self._awaited.discard(name)
            self._adopt(stage, self.session.state)

        def failed() -> None:
            self._awaited.discard(name)
            if self.session.state.model == name:
                self.session.amend(model=self._composing)
                self._applied = replace(self._applied, model=self._composing)

        self._fetch(name, there, failed=failed)

    def _tell_synth(self, stage: Stage, state: SongState) -> None:
        if stage.synth is None:
            return
        p1, p2, tr, no = (voice.instrument for voice in state.voices)
        stage.synth.set_instruments(mixed_set((p1, p2, tr, no)))
        stage.synth.set_volume(state.volume)
        for voice in Voice:
            stage.synth.set_volume(state.voices[voice].volume, voice)

    @staticmethod
    def _failure(stage: Stage) -> tuple[str, ...]:
        """What ended composing or playing for good, as a sentence."""
        error = stage.performance.error
        if error is None:
            return ()
        return (f"Playing broke down ({type(error).__name__}: {error}). Save the song and start again.",)

    def _place(self) -> float:
        assert self.stage is not None
        return self.stage.switch.state(self._now()).position * PPQ

    def _over(self, place: float) -> bool:
        """Whether a place lies at the end of a song that has one."""
        state = self.session.state
        return not state.endless and state.end > 0 and place >= max(state.end, state.kept)


__all__ = ["NEW_BARS", "Choice", "ClockStatus", "Studio"]
