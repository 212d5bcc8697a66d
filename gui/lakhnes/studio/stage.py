"""What plays live: ports, sound, model and clock, wired to a performance."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from lakhnes.bridge.beat_clock import BeatClock, InternalClock, Paced, Startable
from lakhnes.bridge.clock_switch import ClockSwitch
from lakhnes.bridge.control_input import HELD_SECONDS, ControlInput
from lakhnes.bridge.echo import Echo
from lakhnes.bridge.jack_transport import JackTransport
from lakhnes.bridge.link_clock import LinkClock, link_session
from lakhnes.bridge.midi_clock import Joining, MidiClock
from lakhnes.bridge.midi_outlet import Channels, checked_channels
from lakhnes.bridge.osc import OscInput, OscOutlet, OscOutput
from lakhnes.bridge.outlet import Outlet
from lakhnes.bridge.performance import Performance
from lakhnes.bridge.port_watch import InputWatch
from lakhnes.bridge.ports import (
    MidiInput,
    open_input,
)
from lakhnes.bridge.recorder import Recorder
from lakhnes.bridge.rtmidi_backend import jack_transport
from lakhnes.runtime import BeatGrid, LiveComposer, Model, Request, Score
from lakhnes.runtime.errors import MissingExtraError, MusicError, PortError, SoundError
from lakhnes.runtime.time.grid import TEMPI_BPM
from lakhnes.studio.music_files import Forms, Music, write_music
from lakhnes.studio.osc_remote import OscRemote, OscTeller
from lakhnes.studio.outputs import Attempts, Awaited, MidiOut, Sound, Watching
from lakhnes.studio.wiring import Sync, Wiring

if TYPE_CHECKING:
    from lakhnes.apu.synth import Synth


_SYSTEM = 0xF0
_LEAD_SECONDS = 0.004
"""How much early events are sent to ports that place them exactly: a busy machine may be so late."""


class Stage:
    """A performance with all that belongs to it; a context manager, so that no note is left behind.

    What opens ports or sound takes its time, seconds at worst, and may be called from any thread while the
    music goes on.

    Attributes:
        seed: of the music.
        switch: the clock, our own or a DAW's.
        performance: what composes and plays.
        taken: is called when sound that was waited for is there; set it to hear of it.
        made: gives the record of what a model composed, for saved files; empty for none.
    """

    performance: Performance

    def __init__(
        self,
        wiring: Wiring,
        model: str | Model | None,
        request: Request,
        seed: int,
        bpm: float,
        meter: int,
        *,
        song: Score | None = None,
        optional: bool = False,
    ) -> None:
        """Takes what is asked for; nothing is opened before it is entered.

        Args:
            wiring: where music goes.
            model: what composes, or its name; None for the usual one.
            request: what is asked for.
            seed: of the music.
            bpm: tempo of the song.
            meter: beats of a bar.
            song: what is there to begin with; None for nothing.
            optional: whether it goes on in silence where ports and sound cannot be had.

        Raises:
            OptionError: for a tempo or meter out of range.
            PortError: if a JACK server's transport is to be followed and none answers.
            MissingExtraError: without what JACK's transport or Ableton Link needs, if it is to be followed.
        """
        self.seed = seed
        midi = MidiClock(bpm, beats_per_bar=meter, joining=wiring.joining, song_position=wiring.song_position)
        self._shared = _shared_clock(wiring.sync, bpm, meter)
        self.switch = ClockSwitch(InternalClock(bpm), midi, self._shared)
        self.switch.follow(wiring.sync is not Sync.INTERNAL, time.perf_counter())
        self._wiring, self._model, self._request = wiring, model, request
        self._channels = wiring.channels  # as they are now
        self._grid = BeatGrid.steady(bpm, meter)
        self._song, self._optional = song, optional
        self._stack = ExitStack()
        self._remarks: dict[str, str] = {}
        self._changing = RLock()  # over all that may be exchanged
        self._closed = False
        self.taken: Callable[[], None] = lambda: None
        self.made: Callable[[Model], str] = lambda model: ""
        self._control_name: str | None = None  # a port that comes back has the name that it had
        self._midi: MidiOut | None = None
        self._sound: Sound | None = None
        self._osc: OscOutput | None = None
        self._osc_outlet: OscOutlet | None = None
        self._router: ControlInput | None = None
        self._echo = Echo()
        self._watching = {part: Watching(self._changing) for part in ("ports", "control", "sound")}
        self._recorder = Recorder(
            lambda: self.performance.player.tick,
            lambda: self.switch.state(time.perf_counter()).bpm,
            self._grid.beats_per_bar,
            measured=lambda: self.switch.following,
        )

    def __enter__(self) -> Stage:
        try:
            with self._changing:
                self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every note and lets go of everything; from any thread, and may be called twice.

        It waits for what is being opened.
        """
        with self._changing:
            self._closed = True
            stack, self._stack = self._stack, ExitStack()
        stack.close()

    @property
    def clock(self) -> BeatClock:
        """Where in the song we are: the one of the clocks that counts."""
        return self.switch.followed if self.switch.following else self.switch.internal

    @property
    def beats_per_bar(self) -> int:
        """Beats of a bar."""
        return self._grid.beats_per_bar

    @property
    def sync(self) -> Sync:
        """Whose time it is."""
        return self._wiring.sync

    def toggle(self) -> bool:
        """Start or stop the clock that counts, or join it or leave it; whether there was anything to do."""
        clock = self.clock
        done = isinstance(clock, Startable) and clock.toggle(time.perf_counter())
        self.performance.wake()
        return done

    def set_bpm(self, bpm: float) -> bool:
        """Change the tempo of the clock that counts, up to the limits; whether it lets us."""
        clock = self.clock
        if not isinstance(clock, Paced):
            return False
        slowest, fastest = TEMPI_BPM
        clock.set_bpm(min(fastest, max(slowest, bpm)), time.perf_counter())
        self.performance.wake()
        return True

    @property
    def joining(self) -> Joining:
        """What is done about a MIDI clock that runs and has not said Start."""
        return self._wiring.joining

    @property
    def remarks(self) -> list[str]:
        """What could not be had, a sentence each."""
        return list(self._remarks.values())

    @property
    def lost(self) -> str | None:
        """What went away and has not come back, as a sentence; None if all is there."""
        lost = [part for part, watching in self._watching.items() if watching.lost]
        if not lost:
            return None
        what = "sound output" if lost == ["sound"] else "MIDI port"
        return f"The {what} disappeared and has not returned. Run `lakhnes doctor` to find the reason."

    @property
    def outputs(self) -> list[str]:
        """Names of the MIDI ports that are sent to."""
        midi = self._midi
        return [] if midi is None else midi.names

    @property
    def synth(self) -> Synth | None:
        """The built-in 2A03; None without."""
        sound = self._sound
        return None if sound is None else sound.synth

    @property
    def sound(self) -> str | None:
        """Name of the sound output; None without."""
        sound = self._sound
        return None if sound is None else sound.name

    @property
    def heard_on(self) -> str | None:
        """Name of the sound output that is heard now; None without one, and while it is gone."""
        return None if self._watching["sound"].lost else self.sound

    @property
    def deaf(self) -> str | None:
        """Why no clock of a DAW can be heard, as a sentence; None if it can."""
        if self._watching["control"].watch is not None:
            return None
        return self._remarks.get("control", "No MIDI port is open to receive the clock of a DAW.")

    def follow(self, midi: bool) -> None:
        """Plays in the time of the DAW whose clock comes in, or in our own.

        The port for it is opened if it is not open yet, which may take its time.

        Raises:
            MissingExtraError: without what MIDI needs.
        """
        with self._changing:
            if midi and not self._closed and self._watching["control"].watch is None:
                self._control()
        self.switch.follow(midi, time.perf_counter())
        self.performance.wake()

    def use_ports(self, ports: tuple[str, ...] | None) -> None:
        """Sends to other MIDI ports from now on; as soon as they are there, where nothing is sent now.

        Args:
            ports: existing ones, by a part of their names; empty for a new one, None for none.

        Raises:
            PortError: if one cannot be opened; those before are still in use then.
            MissingExtraError: without what MIDI needs.
            OptionError: if there are neither one nor four.
        """
        with self._changing:
            before = self._midi
            if self._closed or (before is not None and ports == before.ports):
                return
            if ports is None:
                self._midi = self._watching["ports"].watch = None
            else:
                try:
                    self._take_ports(ports)
                except PortError as error:
                    if before is not None or not self._optional:
                        raise
                    self._await_ports(ports, error)
                    return
            self._use_taken_ports()
            if before is not None:
                before.close()

    def _use_taken_ports(self) -> None:
        self._remarks.pop("ports", None)
        self._set_outlets()
        if self._midi is not None and self._watching["control"].watch is None:
            self._control()

    def _await_ports(self, ports: tuple[str, ...], error: PortError) -> None:
        def take() -> None:
            self._take_ports(ports)
            self._use_taken_ports()

        self._remarks["ports"] = str(error)
        self._watching["ports"].watch = Awaited(take, error)

    def set_channels(self, channels: Channels) -> None:
        """Sends on other channels, and hears the voices on them.

        Raises:
            OptionError: if one is not 1 to 16.
        """
        self._channels = checked_channels(channels)
        midi = self._midi
        if midi is not None:  # without the lock: who turns a knob does not wait until a port is open
            midi.outlet.set_channels(channels)
        router = self._router
        if router is not None:
            router.let_go()
            self._router = self._new_router()

    def use_sound(self, on: bool) -> None:
        """Plays on the built-in 2A03 from now on, or no longer; as soon as there is an output for it.

        Raises:
            SoundError: if there is none, and it does not go on in silence.
            MissingExtraError: without what sound needs.
        """
        with self._changing:
            before = self._sound
            if self._closed or (before is not None and on):
                return
            if on:
                try:
                    self._take_sound()
                except SoundError as error:
                    if not self._optional:
                        raise
                    self._await_sound(error)
                    return
            else:
                self._sound = self._watching["sound"].watch = None
            self._use_taken_sound()
            if before is not None:
                before.close()

    def _use_taken_sound(self) -> None:
        self._remarks.pop("sound", None)
        self._set_outlets()

    def _await_sound(self, error: SoundError) -> None:
        def take() -> None:
            self._take_sound()
            self._use_taken_sound()
            self.taken()

        self._remarks["sound"] = str(error)
        self._watching["sound"].watch = Awaited(take, error, Attempts().due)

    def save(self, paths: Sequence[Path]) -> int:
        """Writes what was played; the number of its notes.

        Raises:
            LakhnesError: if nothing was, or a file cannot be written.
        """
        score, grid = self._recorder.music()
        if not score.n_notes:
            raise MusicError("Nothing was played, so there is nothing to save. Play for longer.")
        record = self.made(self._model) if isinstance(self._model, Model) else ""
        forms = Forms(instruments=self._wiring.instrument)
        write_music(dict.fromkeys(paths, Music(score, grid=grid, record=record)), forms)
        return score.n_notes

    def _open(self) -> None:
        wiring = self._wiring
        if isinstance(self._shared, LinkClock):
            self._stack.callback(self._shared.close)
        if wiring.osc_to is not None:
            self._osc = self._stack.enter_context(OscOutput(wiring.osc_to))
            self._osc_outlet = OscOutlet(self._osc)
        self._stack.callback(self._close_outlets)
        pool = self._stack.enter_context(ThreadPoolExecutor(1))
        given = self._model
        loading = pool.submit(lambda: given if isinstance(given, Model) else Model.load(given))
        if wiring.ports is not None:
            self._try_ports()
        if wiring.synth:
            self._try_sound()
        if not self._outlets and not self._optional:
            raise PortError(" ".join(self.remarks))
        self._model = loading.result()
        composer = LiveComposer(self._model, self._grid, self._request, self.seed)
        if self._song is not None:
            composer.adopt(self._song)
        self.performance = Performance(
            composer,
            self.switch,
            [*self._outlets, self._recorder],
            ahead_bars=wiring.ahead_bars,
            offset_seconds=wiring.offset_seconds,
            clock_out=self._send_clock if wiring.clock_out else None,
            controls=wiring.controls,
            anew=wiring.anew,
            now=self._playing_time,
        )
        self._stack.callback(self.performance.close)
        self._stack.callback(self._close_control)
        if self._midi is not None:
            self._control()
        for watching in self._watching.values():
            self.performance.watch(watching)
        self.performance.watch(self._echo)
        if isinstance(self._shared, JackTransport):
            self.performance.watch(self._shared)
        if wiring.osc is not None:
            heard = OscInput(wiring.osc, OscRemote(self).commands())
            self._stack.callback(heard.close)
            self.performance.watch(heard)
        self.performance.open()
        if self._osc is not None:
            self._stack.callback(OscTeller(self, self._osc).close)

    @property
    def _outlets(self) -> list[Outlet]:
        midi = None if self._midi is None else self._midi.outlet
        return [outlet for outlet in (midi, self.synth, self._osc_outlet) if outlet is not None]

    def _set_outlets(self) -> None:
        self.performance.player.set_outlets([*self._outlets, self._recorder])

    def _playing_time(self) -> float:
        """The time at which is played: a moment early, where what is sent has its own time with it."""
        midi = self._midi
        return time.perf_counter() + (_LEAD_SECONDS if midi is not None and midi.exact else 0.0)

    def _send_clock(self, data: bytes) -> None:
        midi = self._midi
        if midi is not None:
            midi.outlet.raw(data, self.performance.player.clock_at)

    def _place_followers(self) -> None:
        self.performance.player.place_followers()

    def _let_go(self, pressed_before: float = math.inf) -> None:
        """Ends what is held on a keyboard that may be gone."""
        if self._router is not None:
            self._router.let_go(pressed_before)

    def _let_old_keys_go(self) -> None:
        self._let_go(time.perf_counter() - HELD_SECONDS)

    def _close_outlets(self) -> None:
        """Closes what the player may never have heard of."""
        if self._midi is not None:
            self._midi.close()
        if self._sound is not None:
            self._sound.close()

    def _close_control(self) -> None:
        watch = self._watching["control"].watch
        if isinstance(watch, InputWatch):
            watch.close()

    def _try_ports(self) -> None:
        """Sends to MIDI ports, unless there are none and nothing needs them."""
        wiring = self._wiring
        try:
            self._take_ports(wiring.ports or ())
        except (PortError, MissingExtraError) as error:
            needed = wiring.ports or wiring.control or wiring.sync is Sync.MIDI or wiring.clock_out
            if not self._optional and (needed or not wiring.synth):
                raise
            self._remarks["ports"] = str(error)
            if self._optional and isinstance(error, PortError):
                self._await_ports(wiring.ports or (), error)

    def _take_ports(self, ports: tuple[str, ...]) -> None:
        """Opens ports for an outlet; nothing is changed if they cannot be opened."""
        channels = self._channels
        self._midi = MidiOut(ports, self._wiring, channels, self._place_followers, self._echo.sent)
        if channels != self._channels:  # set just now
            self._midi.outlet.set_channels(self._channels)
        self._watching["ports"].watch = self._midi.watch

    def _new_router(self) -> ControlInput:
        along = self._wiring.play_along
        return ControlInput(self.performance, None, self._channels, notes=along, echo=self._echo)

    def _receive(self, data: bytes, now: float) -> None:
        """Takes a message from outside; MIDI clock is heard also while it does not count."""
        if data and data[0] >= _SYSTEM:
            self.switch.midi.receive(data, now)
            if self.switch.following:
                self.performance.wake()
        elif self._router is not None:
            self._router.receive(data, now)

    def _control(self) -> None:
        """Opens the port for clock and control; without one, music goes on unless it needs the clock."""
        wiring = self._wiring
        self._router = self._new_router()

        def opened() -> MidiInput:
            virtual = None if wiring.control else self._control_name
            port = open_input(wiring.control, virtual=virtual, callback=self._receive, backend=wiring.midi())
            self._control_name = port.name
            self._let_go()
            return port

        def disconnected() -> None:
            self._let_go()
            self.switch.midi.meet()

        try:
            watch = InputWatch(opened(), opened, disconnected=disconnected, looked=self._let_old_keys_go)
        except PortError as error:
            if not self._optional and (wiring.control is not None or wiring.sync is Sync.MIDI):
                raise
            self._remarks["control"] = f"No control port is open: {error}"
            return
        self._remarks.pop("control", None)
        self._watching["control"].watch = watch

    def _try_sound(self) -> None:
        """Plays on the built-in synthesiser, if there is a sound output for it."""
        try:
            self._take_sound()
        except (SoundError, MissingExtraError) as error:
            self._remarks["sound"] = str(error)
            if self._optional and isinstance(error, SoundError):
                self._await_sound(error)

    def _take_sound(self) -> None:
        self._sound = self._watching["sound"].watch = Sound(self._wiring.instrument)


def _shared_clock(sync: Sync, bpm: float, meter: int) -> JackTransport | LinkClock | None:
    """Return the clock that other programs share with us without MIDI; None if none is followed."""
    if sync is Sync.JACK:
        return JackTransport(jack_transport, bpm)
    return LinkClock(link_session(bpm), beats_per_bar=meter) if sync is Sync.LINK else None
