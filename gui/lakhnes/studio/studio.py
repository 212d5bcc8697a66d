"""The studio: a session with its composer and its player.

A window calls its methods, always from one thread, and `poll` many times a second; nothing here waits.
Slow work is a job. However the session's state changes, by a control, an undo or a file, `_apply` finds the
difference and passes it on.
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
from lakhnes.runtime import LakhnesError, Model, Request, Score, Voice
from lakhnes.runtime.music.editing import extract, with_tail
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.jobs import Job, Jobs
from lakhnes.studio.models import Models
from lakhnes.studio.playback import Playback
from lakhnes.studio.session import Session
from lakhnes.studio.stage import Stage
from lakhnes.studio.state import SongState, differently_steered
from lakhnes.studio.view import Message, View
from lakhnes.studio.wiring import Wiring

NEW_BARS = 8
"""Length of a new song that does not go on by itself, and of what `more` adds."""

_SETTLE_SECONDS = 0.25
"""Pause after a change of the steering before the music composed ahead is composed again."""

_COLLECT_SECONDS = 0.1
"""Least time between two updates of the song, which take longer in a long song."""


Choice = tuple[str, ...] | None
"""Where MIDI goes: None nowhere, () to a port of our own, else to existing ports."""


class Studio:
    """A song that is composed, edited and played.

    Attributes:
        session: the song; change it through the methods here or its own, and `poll`.
        jobs: what is being done.
        models: what composes.
        playback: where the song stands, and whether it plays.
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
        self.models = Models(load, self.jobs)
        self.playback = Playback(self.session, self.jobs, lambda message: self.say(message), now)
        self._now = now
        self._applied = self.session.state
        self._edition = 0
        self._ringing: tuple[int, frozenset[Voice]] = (
            0,
            frozenset(),
        )  # over the end of such a length
        self._collects = 0.0  # when what is composed is looked at again
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
        self.models.fetch(name, lambda _: self._begin(name))

    def close(self, seconds: float | None = None) -> bool:
        """Ends every note and everything that is being done; may be called twice.

        Args:
            seconds: longest wait, because a sound output may never answer;
                None for as long as it takes.

        Returns:
            Whether all of it has ended.
        """
        self.playback.audition.stop()
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
        self.playback.poll()
        if self.stage is not None:
            self._apply(self.stage)  # first: what is composed for a song that was replaced is not collected
            self._collect(self.stage)
            self._follow_place(self.stage)
        return self.view()

    @property
    def settled(self) -> bool:
        """Whether the composer goes on with the session's song as it is."""
        old, new = self._applied, self.session.state
        if self.stage is None or self._steered is not None or differently_steered(old, new):
            return False
        return old.score is new.score and self.stage.performance.composer.timeline.edition == self._edition

    # The song

    def new(self, seed: int | None = None, bars: int | None = None) -> None:
        """Start another song; undo restores the old one.

        Args:
            seed: of the song; None for any.
            bars: how long it is; 0 for one that goes on as it comes, None for one that does if this one does.
        """
        state = self.session.state
        endless = state.endless if bars is None else bars == 0
        length = 0 if endless else bars or NEW_BARS
        self.begin(
            "New song",
            score=Score(),
            seed=secrets.randbelow(1 << 32) if seed is None else seed,
            composed_bpm=state.bpm,
            endless=endless,
            kept=length * state.beats_per_bar * PPQ,
            composed=False,
            edits=0,
            sources=(),
        )

    def begin(self, label: str, *, place: int = 0, **song: Any) -> None:
        """Puts another song in the place of this one, which can be had back by undoing.

        Args:
            label: what was done, for people.
            place: the tick where it stands.
            song: as `Session.begin` takes it.
        """
        self.session.begin(label, **song)
        self.playback.set_loop(None)
        self.playback.seek(place)

    def more(self, bars: int = NEW_BARS) -> None:
        """Compose more bars after the heard or requested music, or after the song's end."""
        state = self.session.state
        bar = state.beats_per_bar * PPQ
        end = state.kept if state.endless else max(state.kept, state.end)
        self.session.change("Continue", kept=(-(-end // bar) + bars) * bar)

    def set_bpm(self, bpm: float) -> None:
        """Play at another tempo; music that has not been heard is composed again at it."""
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

        def there(_: Model) -> None:
            self.session.change("Model", model=name)
            if self.stage is None:  # the one before could not be loaded
                self._begin(name)

        self.models.fetch(name, there, quiet=False)

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
        """Return the current view."""
        if self.stage is None:
            return View(bpm=self.session.state.bpm, loop=self.playback.loop)
        loop = None if self.playback.following else self.playback.loop
        return View.of(self.stage, loop)

    # Parts of `poll`

    def _begin(self, name: str) -> None:
        """Start composing with a loaded model, and open the outputs.

        Args:
            name: of the model; a session that was opened meanwhile may want another one.
        """
        state = self.session.state
        try:
            request = state.request
        except LakhnesError:  # `_apply` says it
            request = Request()
        stage = Stage(
            Wiring(ports=None, ahead_bars=state.ahead_bars),
            self.models.twin(name),
            request,
            state.seed,
            state.bpm,
            state.beats_per_bar,
            optional=True,
        )
        stage.__enter__()
        stage.performance.composer.rests = True
        stage.taken = lambda: self.jobs.post(lambda: self._tell_synth(stage, self.session.state))
        self.stage = stage
        self._applied = SongState(
            beats_per_bar=state.beats_per_bar
        )  # so that every other difference is applied
        self._apply(stage)
        self.playback.take(stage)
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
        self.session.amend(score=score, composed=True)
        self._applied = replace(self._applied, score=self.session.state.score)
        self._ringing = score.length, frozenset(timeline.sounding(state.grid.tick(score.length)))
        self._collects = began + max(_COLLECT_SECONDS, 10 * (self._now() - began))

    def _follow_place(self, stage: Stage) -> None:
        """Keep the heard music, compose the rest again if needed, and stop at the end of a song."""
        state = self.session.state
        clock = self.playback.clock(stage)
        place = clock.position * PPQ
        bar = state.beats_per_bar * PPQ
        if clock.running and place < state.end:
            self.session.amend(kept=max(state.kept, min(state.end, math.ceil(place / bar + 1e-9) * bar)))
        if clock.running and self.playback.loop is None and self.playback.over(place):
            self.playback.stop()
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
        if differently_steered(old, new):
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
        if state.model in self.models:
            if state.model != self.models.composing:
                changes["model"] = self.models.twin(state.model)
        else:  # the current model continues until the new one is loaded
            self._await_model(stage, state.model)
        stage.performance.adopt(state.score, **changes)
        self._edition += 1

    def _await_model(self, stage: Stage, name: str) -> None:
        """Loads a model that the session wants; where it cannot be had, the one that composes stays."""

        def failed() -> None:
            if self.session.state.model == name:
                self.session.amend(model=self.models.composing)
                self._applied = replace(self._applied, model=self.models.composing)

        self.models.expect(name, lambda: self._adopt(stage, self.session.state), failed)

    def _tell_synth(self, stage: Stage, state: SongState) -> None:
        if stage.synth is None:
            return
        p1, p2, tr, no = (voice.instrument for voice in state.voices)
        stage.synth.set_instruments(mixed_set((p1, p2, tr, no)))
        stage.synth.set_volume(state.volume)
        for voice in Voice:
            stage.synth.set_volume(state.voices[voice].volume, voice)


__all__ = ["NEW_BARS", "Choice", "ClockStatus", "Studio"]
