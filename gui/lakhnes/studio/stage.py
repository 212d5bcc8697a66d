"""What plays live: ports, sound, model and clock, wired to a performance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.bridge.clock_switch import ClockSwitch
from lakhnes.bridge.control_input import ControlInput
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.midi_outlet import Channels, checked_channels
from lakhnes.bridge.outlet import Outlet
from lakhnes.bridge.performance import Performance
from lakhnes.bridge.port_watch import InputWatch, OutletWatch
from lakhnes.bridge.ports import (
    MidiInput,
    open_input,
)
from lakhnes.bridge.recorder import Recorder
from lakhnes.runtime import BeatGrid, LiveComposer, Model, Request, Score
from lakhnes.runtime.errors import MissingExtraError, MusicError, PortError, SoundError
from lakhnes.studio.music_files import Forms, Music, write_music
from lakhnes.studio.outputs import MidiOut, Sound
from lakhnes.studio.wiring import Wiring

if TYPE_CHECKING:
    from lakhnes.apu.synth import Synth


_SYSTEM = 0xF0


class _Watching:
    """Looks after what is in use just now; that may be exchanged."""

    def __init__(self, lock: AbstractContextManager[bool]) -> None:
        self.watch: OutletWatch | InputWatch | Sound | None = None
        self._lock = lock

    @property
    def lost(self) -> bool:
        return self.watch is not None and self.watch.lost

    def check(self) -> str | None:
        with self._lock:  # what is being exchanged is not gone
            return self.watch.check() if self.watch is not None else None


class Stage:
    """A performance with all that belongs to it; a context manager, so that no note is left behind.

    What opens ports or sound takes its time, seconds at worst, and may be called from any thread while the
    music goes on.

    Attributes:
        seed: of the music.
        switch: the clock, our own or a DAW's.
        performance: what composes and plays.
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
        """
        self.seed = seed
        self.switch = ClockSwitch(InternalClock(bpm), MidiClock(bpm))
        self.switch.follow(wiring.midi_sync, time.perf_counter())
        self._wiring, self._model, self._request = wiring, model, request
        self._channels = wiring.channels  # as they are now
        self._grid = BeatGrid.steady(bpm, meter)
        self._song, self._optional = song, optional
        self._stack = ExitStack()
        self._remarks: dict[str, str] = {}
        self._changing = RLock()  # over all that may be exchanged
        self._closed = False
        self._control_name: str | None = None  # a port that comes back has the name that it had
        self._midi: MidiOut | None = None
        self._sound: Sound | None = None
        self._router: ControlInput | None = None
        self._watching = {part: _Watching(self._changing) for part in ("ports", "control", "sound")}
        self._recorder = Recorder(
            lambda: self.performance.player.tick,
            lambda: self.switch.state(time.perf_counter()).bpm,
            self._grid.beats_per_bar,
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
    def clock(self) -> InternalClock | MidiClock:
        """Where in the song we are: the one of the two clocks that counts."""
        return self.switch.midi if self.switch.following else self.switch.internal

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
        return f"The {what} went away and has not come back. `lakhnes doctor` looks for the reason."

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
        return self._remarks.get("control", "No MIDI port is open by which a DAW's clock could come in.")

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
        """Sends to other MIDI ports from now on.

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
                self._take_ports(ports)
            self._remarks.pop("ports", None)
            self._set_outlets()
            if before is not None:
                before.outlet.close()
            if self._midi is not None and self._watching["control"].watch is None:
                self._control()

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
        """Plays on the built-in 2A03 from now on, or no longer.

        Raises:
            SoundError: if there is no sound output.
            MissingExtraError: without what sound needs.
        """
        with self._changing:
            before = self._sound
            if self._closed or on == (before is not None):
                return
            if on:
                self._take_sound()
            else:
                self._sound = self._watching["sound"].watch = None
            self._set_outlets()
            if before is not None:
                before.close()
            self._remarks.pop("sound", None)

    def save(self, paths: Sequence[Path]) -> int:
        """Writes what was played; the number of its notes.

        Raises:
            LakhnesError: if nothing was, or a file cannot be written.
        """
        score, grid = self._recorder.music()
        if not score.n_notes:
            raise MusicError("Nothing was played, so there is nothing to write. Let it play for longer.")
        write_music(dict.fromkeys(paths, Music(score, grid=grid)), Forms(instruments=self._wiring.instrument))
        return score.n_notes

    def _open(self) -> None:
        wiring = self._wiring
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
        composer = LiveComposer(loading.result(), self._grid, self._request, self.seed)
        if self._song is not None:
            composer.adopt(self._song)
        self.performance = Performance(
            composer,
            self.switch,
            [*self._outlets, self._recorder],
            ahead_bars=wiring.ahead_bars,
            offset_seconds=wiring.offset_seconds,
            clock_out=self._send_clock if wiring.clock_out else None,
        )
        self._stack.callback(self.performance.close)
        self._stack.callback(self._close_control)
        if self._midi is not None:
            self._control()
        for watching in self._watching.values():
            self.performance.watch(watching)
        self.performance.open()

    @property
    def _outlets(self) -> list[Outlet]:
        midi = None if self._midi is None else self._midi.outlet
        return [outlet for outlet in (midi, self.synth) if outlet is not None]

    def _set_outlets(self) -> None:
        self.performance.player.set_outlets([*self._outlets, self._recorder])

    def _send_clock(self, data: bytes) -> None:
        midi = self._midi
        if midi is not None:
            midi.outlet.raw(data)

    def _close_outlets(self) -> None:
        """Closes what the player may never have heard of."""
        if self._midi is not None:
            self._midi.outlet.close()
        if self._sound is not None:
            self._sound.close()

    def _close_control(self) -> None:
        watch = self._watching["control"].watch
        if isinstance(watch, InputWatch):
            watch.port.close()

    def _try_ports(self) -> None:
        """Sends to MIDI ports, unless there are none and nothing needs them."""
        wiring = self._wiring
        try:
            self._take_ports(wiring.ports or ())
        except (PortError, MissingExtraError) as error:
            needed = wiring.ports or wiring.control or wiring.midi_sync or wiring.clock_out
            if not self._optional and (needed or not wiring.synth):
                raise
            self._remarks["ports"] = str(error)

    def _take_ports(self, ports: tuple[str, ...]) -> None:
        """Opens ports for an outlet; nothing is changed if they cannot be opened."""
        channels = self._channels
        self._midi = MidiOut(ports, self._wiring, channels)
        if channels != self._channels:  # set just now
            self._midi.outlet.set_channels(self._channels)
        self._watching["ports"].watch = self._midi.watch

    def _new_router(self) -> ControlInput:
        along = self._wiring.play_along
        return ControlInput(self.performance, None, self._channels, notes=along)

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
            if self._router is not None:
                self._router.let_go()
            return port

        try:
            watch = InputWatch(opened(), opened)
        except PortError as error:
            if not self._optional and (wiring.control is not None or wiring.midi_sync):
                raise
            self._remarks["control"] = f"Nothing can be controlled from outside: {error}"
            return
        self._remarks.pop("control", None)
        self._watching["control"].watch = watch

    def _try_sound(self) -> None:
        """Plays on the built-in synthesiser, if there is a sound output for it."""
        try:
            self._take_sound()
        except (SoundError, MissingExtraError) as error:
            self._remarks["sound"] = str(error)

    def _take_sound(self) -> None:
        self._sound = self._watching["sound"].watch = Sound(self._wiring.instrument)
