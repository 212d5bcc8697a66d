"""Ports that go away and come back: `Performance` asks these about once a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakhnes.bridge.midi_outlet import MidiOutlet
from lakhnes.bridge.ports import MidiInput, MidiOutput
from lakhnes.runtime.errors import PortError


class OutletWatch:
    """Notices that an outlet's port is gone, and opens it again when it is back.

    Attributes:
        lost: whether it is gone now.
    """

    def __init__(self, outlet: MidiOutlet, reopen: Callable[[], Sequence[MidiOutput]]) -> None:
        """Takes an outlet, and what opens its ports anew."""
        self.lost = False
        self._outlet = outlet
        self._reopen = reopen

    def check(self) -> str | None:
        """Looks; what is wrong, None if nothing is."""
        self.lost = not self._outlet.alive()
        if self.lost:
            try:
                outputs = self._reopen()
            except PortError:
                return "The MIDI port is gone. Nothing is sent until it is back; then it goes on by itself."
            self._outlet.reopen(outputs)
            self.lost = False
        return None


class InputWatch:
    """The same for the port of clock and control.

    Attributes:
        lost: whether it is gone now.
        port: the open port.
    """

    def __init__(self, port: MidiInput, reopen: Callable[[], MidiInput]) -> None:
        """Takes an open port, and what opens it anew."""
        self.lost = False
        self.port = port
        self._reopen = reopen

    def check(self) -> str | None:
        """Looks; what is wrong, None if nothing is."""
        self.lost = not self.port.alive()
        if self.lost:
            self.port.close()
            try:
                self.port = self._reopen()
            except PortError:
                return "The MIDI port for clock and control is gone; it is opened again when it is back."
            self.lost = False
        return None
