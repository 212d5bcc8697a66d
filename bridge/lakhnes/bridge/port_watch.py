"""Ports that go away and come back: `Performance` asks these about once a second.

A port that is gone is opened again under its name, and connected to what it was connected to. What may wait
for somebody else, a server that hangs, is done by a thread of its own: looking never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakhnes.bridge.attempt import Attempt
from lakhnes.bridge.midi_outlet import MidiOutlet
from lakhnes.bridge.ports import MidiInput, MidiOutput, PatchBay
from lakhnes.runtime.errors import PortError

_SETTLED_LOOKS = 3
"""Looks after which a connection that was made again is one that somebody may undo: a server that has just
begun may lose it."""
_DOUBTFUL = -1
"""Instead of looks, for a connection that was missed once."""


class Connections:
    """What ports of ours are connected to, over the ends of either side.

    A connection is one until somebody undoes it while both ports are there. One that ended because a port
    was gone is made again when it is back.
    """

    def __init__(self) -> None:
        """Knows of none."""
        self._wanted: list[dict[str, int]] = []  # of each port: the other's name, looks until it is settled
        self._now: list[frozenset[str]] = []
        self._attempt: Attempt[None] | None = None

    def reopened(self) -> None:
        """Connect everything anew, for our ports are new ones."""
        self._attempt = None  # one to connect the ports before, which their server may never answer
        for wanted in self._wanted:
            for name in wanted:
                wanted[name] = _SETTLED_LOOKS

    def check(self, patch_bays: Sequence[PatchBay | None]) -> tuple[bool, bool]:
        """Looks what is connected, and connects what should be.

        Args:
            patch_bays: of our ports, as many at every call and in the same order.

        Returns:
            Whether something is connected that was not, and whether something no longer is.
        """
        self._wanted += [{} for _ in patch_bays[len(self._wanted) :]]
        missing: list[tuple[PatchBay, str]] = []
        before, self._now = self._now, []
        for patch_bay, wanted in zip(patch_bays, self._wanted, strict=True):
            there = patch_bay.connections() if patch_bay is not None else frozenset()
            self._now.append(there)
            if patch_bay is None:
                continue
            for name in there:
                wanted[name] = max(0, wanted.get(name, 0) - 1)
            for name in wanted.keys() - there:
                if not patch_bay.exists(name):
                    wanted[name] = _SETTLED_LOOKS
                elif wanted[name] > 0:
                    missing.append((patch_bay, name))
                elif wanted[name] == 0:
                    wanted[name] = _DOUBTFUL  # undone; or the server is ending, and has not said so yet
                else:
                    del wanted[name]
        self._make(missing)
        before += [frozenset()] * (len(self._now) - len(before))
        pairs = list(zip(before, self._now, strict=True))
        return any(now - old for old, now in pairs), any(old - now for old, now in pairs)

    def _make(self, missing: list[tuple[PatchBay, str]]) -> None:
        def connect() -> None:
            for patch_bay, name in missing:
                patch_bay.connect(name)

        if self._attempt is None and missing:
            self._attempt = Attempt(connect)
        if self._attempt is not None:
            self._attempt()
            if self._attempt.idle:
                self._attempt = None


_STANDS_STILL = (
    "The JACK server hangs. The music continues when the server does. If it does not, restart the server."
)
_GONE = "The MIDI port is gone. lakhnes reopens it when it returns, and sends nothing until then."


class OutletWatch:
    """Notices that an outlet's ports are gone, and opens them again when they are back.

    Attributes:
        ports: those that the outlet sends to.
        lost: whether one of them is gone now, or stands still.
    """

    def __init__(
        self,
        outlet: MidiOutlet,
        ports: Sequence[MidiOutput],
        reopen: Callable[[], Sequence[MidiOutput]],
        *,
        connected: Callable[[], None] = lambda: None,
    ) -> None:
        """Watches the open ports of an outlet.

        Args:
            outlet: what sends to the ports.
            ports: those that are open now.
            reopen: opens its ports anew, on a thread of its own; PortError if it cannot.
            connected: is called when somebody hears us who did not before.
        """
        self.ports = tuple(ports)
        self.lost = False
        self._outlet = outlet
        self._connected = connected
        self._connections = Connections()
        self._reopen = Attempt(reopen, _close)

    def check(self) -> str | None:
        """Looks; what is wrong, None if nothing is. It never waits long."""
        ports = self.ports
        if any(port.alive() and port.stalled() for port in ports):
            self.lost = True
            self._outlet.hold()
            return _STANDS_STILL
        if ports and self._outlet.lost and all(port.alive() for port in ports):
            self._go_on(ports)  # they stood still
            if self._outlet.lost:  # they are listed, and take nothing
                self.lost = True
                return _GONE
        self.lost = not self._outlet.alive()
        if self.lost:
            try:
                outputs = self._reopen()
            except PortError:
                outputs = None
            if outputs is None:
                return _GONE
            self.ports = tuple(outputs)
            self._connections.reopened()
            self._go_on(self.ports)
        new, _ = self._connections.check([port.patch_bay for port in self.ports])
        if new:
            self._connected()
        return None

    def close(self) -> None:
        """Opens nothing more."""
        self._reopen.end()

    def _go_on(self, ports: Sequence[MidiOutput]) -> None:
        self._outlet.reopen(ports)
        self.lost = self._outlet.lost
        self._connected()


class InputWatch:
    """The same for the port of clock and control.

    Attributes:
        lost: whether it is gone now, or stands still.
        port: the open port.
    """

    def __init__(
        self,
        port: MidiInput,
        reopen: Callable[[], MidiInput],
        *,
        disconnected: Callable[[], None] = lambda: None,
        looked: Callable[[], None] = lambda: None,
    ) -> None:
        """Takes an open port.

        Args:
            port: an open port.
            reopen: opens it anew; PortError if it cannot.
            disconnected: is called when somebody whom we heard is heard no more.
            looked: is called at every look.
        """
        self.lost = False
        self.port = port
        self._disconnected, self._looked = disconnected, looked
        self._connections = Connections()
        self._closed = False

        def opened() -> MidiInput:
            self.port.close()
            return reopen()

        self._reopen = Attempt(opened, lambda port: port.close())

    def check(self) -> str | None:
        """Looks; what is wrong, None if nothing is. It never waits long."""
        if self._closed:
            return None
        self._looked()
        if self.port.alive() and self.port.stalled():
            self.lost = True
            return _STANDS_STILL
        self.lost = not self.port.alive() and not self._closed
        if self.lost:
            try:
                port = self._reopen()
            except PortError:
                port = None
            if port is None:
                return "The MIDI port for clock and control is gone. lakhnes reopens it when it returns."
            self.port, self.lost = port, False
            self._connections.reopened()
        _, gone = self._connections.check([self.port.patch_bay])
        if gone:
            self._disconnected()
        return None

    def close(self) -> None:
        """Closes the port, and opens it no more; it is not lost by that."""
        self._closed = True
        self._reopen.end()
        self.port.close()


def _close(ports: Sequence[MidiOutput]) -> None:
    for port in ports:
        port.close()
