"""What plays live: ports, sound, model and clock, wired to a performance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakhnes.bridge import gm
from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.bridge.control_input import ControlInput
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.midi_outlet import Channels, MidiOutlet
from lakhnes.bridge.outlet import Outlet
from lakhnes.bridge.performance import Performance
from lakhnes.bridge.port_watch import InputWatch, OutletWatch
from lakhnes.bridge.ports import (
    OUTPUT_NAME,
    Backend,
    MidiInput,
    MidiOutput,
    open_input,
    open_output,
    open_voice_outputs,
)
from lakhnes.bridge.recorder import Recorder
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
from lakhnes.runtime import BeatGrid, LiveComposer, Model, Steering, Voice
from lakhnes.runtime.errors import MissingExtraError, OptionError, PortError, SoundError
from lakhnes.studio.music_files import Forms, Music, write_music

if TYPE_CHECKING:
    from lakhnes.apu.sound_device import SoundDevice


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where music goes, and where orders come from."""

    ports: tuple[str, ...]
    """Existing ports to send to; none for a new one."""
    virtual: str | None
    """Name of the new port; None for the usual one."""
    four: bool
    """Whether each voice gets a new port of its own."""
    channels: Channels
    """1..16 of each voice."""
    control: str | None
    """Existing port to hear; None for a new one."""
    play_along: bool
    """Whether notes that come in are played along with."""
    backend: str | None
    """`alsa`, `jack`, `coremidi` or `winmm`; None for the first that answers."""
    midi_sync: bool
    """Whether MIDI clock says when and how fast."""
    clock_out: bool
    """Whether MIDI clock is sent."""
    offset_seconds: float
    """How much later everything is sent."""
    synth: bool
    """Whether it is heard on the built-in 2A03, too."""
    instrument: str | None
    """Of that and of what is saved as sound."""
    ahead_bars: float
    """How much is composed in front of what is played."""


class SoundWatch:
    """Notices that the sound output is gone.

    Attributes:
        lost: whether it is gone now.
    """

    def __init__(self, device: SoundDevice) -> None:
        """Takes a device that was started."""
        self.lost = False
        self._device = device

    def check(self) -> str | None:
        """Looks; what is wrong, None if nothing is."""
        self.lost = not self._device.alive
        return "The sound output is gone; start again to have it back. MIDI goes on." if self.lost else None


class Stage:
    """A performance with all that belongs to it; a context manager, so that no note is left behind.

    Attributes:
        seed: of the music.
        clock: where in the song we are.
        performance: what composes and plays.
        outputs: names of the MIDI ports that are sent to.
        sound: name of the sound output; None without.
        remarks: what could not be had, a sentence each.
    """

    performance: Performance

    def __init__(
        self, wiring: Wiring, model: str | None, steering: Steering, seed: int, bpm: float, meter: int
    ) -> None:
        """Takes what is asked for; nothing is opened before it is entered.

        Raises:
            OptionError: for a tempo or meter out of range.
        """
        self.seed = seed
        self.clock: InternalClock | MidiClock = MidiClock(bpm) if wiring.midi_sync else InternalClock(bpm)
        self.outputs: list[str] = []
        self.sound: str | None = None
        self.remarks: list[str] = []
        self._wiring, self._model_name, self._steering = wiring, model, steering
        self._grid = BeatGrid.steady(bpm, meter)
        self._stack = ExitStack()
        self._control_name: str | None = None  # a port that comes back has the name that it had
        self._opened: tuple[MidiOutput, ...] = ()
        self._watches: list[OutletWatch | InputWatch | SoundWatch] = []
        self._recorder = Recorder(
            lambda: self.performance.player.tick,
            lambda: self.clock.state(time.perf_counter()).bpm,
            self._grid.beats_per_bar,
        )

    def __enter__(self) -> Stage:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def lost(self) -> str | None:
        """What went away and has not come back, as a sentence; None if all is there."""
        lost = [watch for watch in self._watches if watch.lost]
        if not lost:
            return None
        what = "sound output" if all(isinstance(watch, SoundWatch) for watch in lost) else "MIDI port"
        return f"The {what} went away and has not come back. `lakhnes doctor` looks for the reason."

    def save(self, paths: Sequence[Path]) -> int:
        """Writes what was played; the number of its notes.

        Raises:
            LakhnesError: if nothing was, or a file cannot be written.
        """
        score, grid = self._recorder.music()
        if not score.n_notes:
            raise OptionError("Nothing was played, so there is nothing to write. Let it play for longer.")
        write_music(dict.fromkeys(paths, Music(score, grid=grid)), Forms(instruments=self._wiring.instrument))
        return score.n_notes

    def _open(self) -> None:
        wiring = self._wiring
        outlets: list[Outlet] = []
        loading = self._stack.enter_context(ThreadPoolExecutor(1)).submit(Model.load, self._model_name)
        midi = self._midi()
        if midi is not None:
            outlets.append(midi)
        if wiring.synth:
            outlets += self._synth()
        if not outlets:
            raise PortError(" ".join(self.remarks))
        composer = LiveComposer(loading.result(), self._grid, self._steering, self.seed)
        self.performance = Performance(
            composer,
            self.clock,
            [*outlets, self._recorder],
            ahead_bars=wiring.ahead_bars,
            offset_seconds=wiring.offset_seconds,
            clock_out=midi.raw if midi is not None and wiring.clock_out else None,
        )
        self._stack.callback(self.performance.close)
        if midi is not None:
            self._control()
        for watch in self._watches:
            self.performance.watch(watch)
        self.performance.open()

    def _midi(self) -> MidiOutlet | None:
        """The outlet to MIDI ports; None where there are none and there may be sound."""
        try:
            outlet = MidiOutlet(self._open_outputs(), channels=self._wiring.channels)
        except (PortError, MissingExtraError) as error:
            wiring = self._wiring
            if not wiring.synth or wiring.ports or wiring.control or wiring.midi_sync or wiring.clock_out:
                raise
            self.remarks.append(str(error))
            return None
        self._stack.callback(outlet.close)
        self._watches.append(OutletWatch(outlet, self._open_outputs))
        return outlet

    def _open_outputs(self) -> tuple[MidiOutput, ...]:
        wiring = self._wiring
        backend = rtmidi_backend(wiring.backend)
        for output in self._opened:  # a server that stood still has them yet, and their names
            output.close()
        if wiring.ports:
            opened = _all_open(wiring.ports, backend)
        elif wiring.four:
            head = wiring.virtual or OUTPUT_NAME
            names = [f"{head} {gm.TRACK_NAMES[voice]}" for voice in Voice]
            opened = open_voice_outputs(backend, self.outputs or names)
        else:
            virtual = self.outputs[0] if self.outputs else wiring.virtual
            opened = (open_output(virtual=virtual, backend=backend),)
        self.outputs = [output.name for output in opened]
        self._opened = opened
        return opened

    def _control(self) -> None:
        """Opens the port for clock and control; without one, music goes on unless it needs the clock."""
        wiring = self._wiring
        clock = self.clock if isinstance(self.clock, MidiClock) else None
        router = ControlInput(self.performance, clock, wiring.channels, notes=wiring.play_along)

        def opened() -> MidiInput:
            virtual = None if wiring.control else self._control_name
            backend = rtmidi_backend(wiring.backend)
            port = open_input(wiring.control, virtual=virtual, callback=router.receive, backend=backend)
            self._control_name = port.name
            router.let_go()
            return port

        try:
            watch = InputWatch(opened(), opened)
        except PortError as error:
            if wiring.control is not None or wiring.midi_sync:
                raise
            self.remarks.append(f"Nothing can be controlled from outside: {error}")
            return
        self._stack.callback(lambda: watch.port.close())
        self._watches.append(watch)

    def _synth(self) -> list[Outlet]:
        """The built-in synthesiser, if there is a sound output for it."""
        from lakhnes.apu.sound_device import open_sound
        from lakhnes.apu.synth import Synth

        synth = Synth(self._wiring.instrument or "lead")
        try:
            device = open_sound(synth)
        except (SoundError, MissingExtraError) as error:
            self.remarks.append(str(error))
            return []
        self._stack.callback(device.close)
        device.start()
        self.sound = device.name
        self._watches.append(SoundWatch(device))
        return [synth]


def _all_open(names: Sequence[str], backend: Backend) -> tuple[MidiOutput, ...]:
    """The ports of these names; none stays open where one of them cannot be opened."""
    with ExitStack() as stack:
        opened = tuple(stack.enter_context(open_output(name, backend=backend)) for name in names)
        stack.pop_all()
    return opened
