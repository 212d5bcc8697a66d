"""What live music is sent to: MIDI ports and the built-in sound, each opened again when it comes back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from lakhnes.bridge import gm
from lakhnes.bridge.midi_outlet import Channels, MidiOutlet
from lakhnes.bridge.port_watch import InputWatch, OutletWatch
from lakhnes.bridge.ports import OUTPUT_NAME, Backend, MidiOutput, open_output, open_voice_outputs
from lakhnes.runtime import Voice
from lakhnes.runtime.errors import LakhnesError, MissingExtraError, PortError, SoundError
from lakhnes.studio.wiring import Wiring

if TYPE_CHECKING:
    from lakhnes.apu.sound_device import SoundDevice
    from lakhnes.apu.synth import Synth

_RARELY, _OFTEN = 30, 2
"""Looks between two attempts to have sound while nothing speaks for it, and where nothing could: each attempt
takes another process."""

_PERSISTENCE = 5
"""Attempts after a sign of sound has changed: what shows itself may not answer yet."""


class MidiOut:
    """MIDI ports that are open for the voices.

    Attributes:
        ports: what was asked for: existing ones by a part of their names, or none for new ones.
        outlet: what sends to them.
        watch: notices that they are gone, and opens them again when they are back.
    """

    def __init__(
        self,
        ports: tuple[str, ...],
        wiring: Wiring,
        channels: Channels,
        connected: Callable[[], None] = lambda: None,
        sent: Callable[[Sequence[int]], None] = lambda data: None,
    ) -> None:
        """Opens ports.

        Args:
            ports: existing ones by a part of their names, or none for new ones.
            wiring: how they are opened.
            channels: 1..16 of each voice.
            connected: is called when somebody hears us who did not before.
            sent: is told of every message that is sent.

        Raises:
            PortError: if one cannot be opened; none stays open then.
            MissingExtraError: without what MIDI needs.
            OptionError: if there are neither one nor four.
        """
        self.ports = ports
        self._wiring = wiring
        opened = self._open([])
        try:
            self.outlet = MidiOutlet(opened, channels=channels, sent=sent)
        except BaseException:
            for output in opened:
                output.close()
            raise
        self.watch = OutletWatch(self.outlet, opened, self._reopen, connected=connected)

    @property
    def names(self) -> list[str]:
        """Of the open ports."""
        return [output.name for output in self.watch.ports]

    @property
    def exact(self) -> bool:
        """Whether what is sent lies at its time, to the frame."""
        return all(output.exact for output in self.watch.ports)

    def close(self) -> None:
        """Silences everything and closes the ports."""
        self.watch.close()
        self.outlet.close()

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
        for output in self.watch.ports:  # a server that stood still has them yet, and their names
            output.close()
        return self._open(names)


def _all_open(names: Sequence[str], backend: Backend) -> tuple[MidiOutput, ...]:
    """The ports of these names; none stays open where one of them cannot be opened."""
    with ExitStack() as stack:
        opened = tuple(stack.enter_context(open_output(name, backend=backend)) for name in names)
        stack.pop_all()
    return opened


def sound_signs() -> tuple[object, ...] | None:
    """What speaks for a sound output, cheap to look at: it changes when a server or a card comes or goes.

    Returns:
        Names of sound cards, of what JACK servers share and of sockets of sound servers; None on a system
        where nothing of the kind is known.
    """
    if not sys.platform.startswith("linux"):
        return None
    run = os.environ.get("XDG_RUNTIME_DIR", "")
    places = (("/dev/snd", ""), ("/dev/shm", "jack"), ("/tmp", "jack"), (run, "pipewire"), (run, "pulse"))
    return tuple(_names(folder, start) for folder, start in places)


def _names(folder: str, start: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(name for name in os.listdir(folder) if name.startswith(start)))
    except OSError:
        return ()


class Attempts:
    """Says at each look whether to try again to have sound: soon after something has changed, else seldom."""

    def __init__(self, signs: Callable[[], tuple[object, ...] | None] | None = None) -> None:
        """Begins with what there is now.

        Args:
            signs: what speaks for a sound output; `sound_signs` if None.
        """
        self._find = signs or sound_signs
        self._signs = self._find()
        self._looks = self._left = 0

    def due(self) -> bool:
        """Whether it is worth another attempt now."""
        self._looks += 1
        signs = self._find()
        if signs is None:
            return self._looks % _OFTEN == 0
        if signs != self._signs:
            self._signs, self._left = signs, _PERSISTENCE
        if self._left:
            self._left -= 1
            return True
        return self._looks % _RARELY == 0


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
        self._attempts = Attempts()
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
            if not self._attempts.due() or not self._reopened():
                return "The sound output has disappeared. It reopens when it returns. MIDI continues."
            self.lost = False
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


class Awaited:
    """An output that was asked for and is not there yet; it is used as soon as it is.

    Attributes:
        lost: whether it is gone that was there; it never was.
    """

    lost = False

    def __init__(
        self, take: Callable[[], None], error: LakhnesError, due: Callable[[], bool] = lambda: True
    ) -> None:
        """Waits.

        Args:
            take: opens it and uses it from then on.
            error: why it cannot be had now.
            due: says at each look whether to try.
        """
        self._take, self._problem, self._due = take, str(error), due

    def check(self) -> str | None:
        """Tries to have it; what is wrong, None if it is used now."""
        if self._due():
            try:
                self._take()
            except (PortError, SoundError) as error:
                self._problem = str(error)
            else:
                return None
        return self._problem


class Watching:
    """Looks after what is in use just now; that may be exchanged.

    Attributes:
        watch: what looks; None for nothing to look after.
    """

    def __init__(self, lock: AbstractContextManager[bool]) -> None:
        """Begins with nothing.

        Args:
            lock: is held while it is looked.
        """
        self.watch: OutletWatch | InputWatch | Sound | Awaited | None = None
        self._lock = lock

    @property
    def lost(self) -> bool:
        """Whether it is gone now."""
        return self.watch is not None and self.watch.lost

    def check(self) -> str | None:
        """Looks; what is wrong, None if nothing is."""
        with self._lock:  # what is being exchanged is not gone
            return self.watch.check() if self.watch is not None else None
