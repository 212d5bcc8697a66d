"""What live music is sent to: MIDI ports and the built-in sound, each opened again when it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lakhnes.bridge import gm
from lakhnes.bridge.midi_outlet import Channels, MidiOutlet
from lakhnes.bridge.port_watch import OutletWatch
from lakhnes.bridge.ports import OUTPUT_NAME, Backend, MidiOutput, open_output, open_voice_outputs
from lakhnes.runtime import Voice
from lakhnes.runtime.errors import MissingExtraError, SoundError
from lakhnes.studio.wiring import Wiring

if TYPE_CHECKING:
    from lakhnes.apu.sound_device import SoundDevice
    from lakhnes.apu.synth import Synth

_SOUND_CHECKS = 4
"""Looks between two attempts to have the sound back: each takes another process."""


class MidiOut:
    """MIDI ports that are open for the voices.

    Attributes:
        ports: what was asked for: existing ones by a part of their names, or none for new ones.
        outlet: what sends to them.
        watch: notices that they are gone, and opens them again when they are back.
    """

    def __init__(self, ports: tuple[str, ...], wiring: Wiring, channels: Channels) -> None:
        """Opens ports.

        Raises:
            PortError: if one cannot be opened; none stays open then.
            MissingExtraError: without what MIDI needs.
            OptionError: if there are neither one nor four.
        """
        self.ports = ports
        self._wiring = wiring
        self._opened = self._open([])
        try:
            self.outlet = MidiOutlet(self._opened, channels=channels)
        except BaseException:
            for output in self._opened:
                output.close()
            raise
        self.watch = OutletWatch(self.outlet, self._reopen)

    @property
    def names(self) -> list[str]:
        """Of the open ports."""
        return [output.name for output in self._opened]

    def _open(self, before: Sequence[str]) -> tuple[MidiOutput, ...]:
        """Existing ports, or new ones: these have the names that they had before, if they had any."""
        wiring, backend = self._wiring, self._wiring.midi()
        if self.ports:
            return _all_open(self.ports, backend)
        if wiring.four:
            head = wiring.virtual or OUTPUT_NAME
            names = [f"{head} {gm.TRACK_NAMES[voice]}" for voice in Voice]
            return open_voice_outputs(backend, before or names)
        return (open_output(virtual=before[0] if before else wiring.virtual, backend=backend),)

    def _reopen(self) -> tuple[MidiOutput, ...]:
        """The ports that were lost, by the names that they had."""
        names = self.names
        for output in self._opened:  # a server that stood still has them yet, and their names
            output.close()
        self._opened = self._open(names)
        return self._opened


def _all_open(names: Sequence[str], backend: Backend) -> tuple[MidiOutput, ...]:
    """The ports of these names; none stays open where one of them cannot be opened."""
    with ExitStack() as stack:
        opened = tuple(stack.enter_context(open_output(name, backend=backend)) for name in names)
        stack.pop_all()
    return opened


class Sound:
    """The built-in 2A03 on an open sound output.

    Attributes:
        synth: what is heard.
        lost: whether the output is gone now.
    """

    def __init__(self, instrument: str | None) -> None:
        """Opens the output.

        Raises:
            SoundError: if there is none.
            MissingExtraError: without what sound needs.
        """
        from lakhnes.apu.sound_device import find_sound_output
        from lakhnes.apu.synth import Synth

        find_sound_output()  # a synthesiser takes longer, and who has no sound is to know it soon
        self.synth = Synth(instrument or "lead")
        self.lost = False
        self._checks = 0
        self._device = _started(self.synth)

    @property
    def name(self) -> str:
        """Of the output."""
        return self._device.name

    def close(self) -> None:
        """Lets go of the output."""
        self._device.close()

    def check(self) -> str | None:
        """Looks whether the output is there, and tries to get it back; what is wrong, None if nothing is."""
        self.lost = not self._device.alive
        if self.lost:
            self._checks += 1
            if self._checks % _SOUND_CHECKS or not self._reopened():
                return "The sound output is gone; it is opened again when it is back. MIDI goes on."
            self.lost, self._checks = False, 0
        return None

    def _reopened(self) -> bool:
        """Opens the output that was lost, with the same synthesiser; whether it is back.

        Another output is not taken: a JACK server that is to come back may need it.
        """
        from lakhnes.apu.sound_device import find_sound_output

        try:
            if find_sound_output().name != self.name:
                return False
            self._device.close()
            self._device = _started(self.synth)
        except (SoundError, MissingExtraError):
            return False
        return True


def _started(synth: Synth) -> SoundDevice:
    from lakhnes.apu.sound_device import open_sound

    device = open_sound(synth)
    try:
        device.start()
    except BaseException:
        device.close()
        raise
    return device
