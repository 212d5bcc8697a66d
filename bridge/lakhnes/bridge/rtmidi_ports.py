"""Open MIDI ports of python-rtmidi: sending, listening, and being lost."""

from __future__ import annotations

import ctypes
import re
import threading
import time
from typing import Any, Protocol

from lakhnes.bridge.jack_port import NativeJackPort
from lakhnes.bridge.jack_watch import JackWatch
from lakhnes.runtime.errors import PortLostError

_JACK_BUFFER_BYTES = 12_000
"""What may wait for JACK's next cycle. rtmidi's buffer has 16,384; when it is full, a send never returns."""

_LENGTH_BYTES = 4
"""That rtmidi puts before each message."""

_POLL_SECONDS = 0.001
"""How often an input is looked at."""

_APPEAR_SECONDS = 1.0
"""How long a port that was opened may be unknown to other clients."""

_STOP_SECONDS = 1.0
"""What a callback that is busy gets when its port is closed."""


NUMBERED = "Windows MM"
"""The back end on which rtmidi ends a port's name with its number; that changes when others come and go."""


def without_number(name: str, backend: str) -> str:
    """A port's name as its maker gave it.

    Args:
        name: as rtmidi lists it.
        backend: the name of the back end.
    """
    return re.sub(r" \d+$", "", name) if backend == NUMBERED else name


class Receive(Protocol):
    """Takes a message that came in."""

    def __call__(self, data: list[int], at: float | None = None, /) -> None:
        """Takes its bytes, and when it came if that is known."""


class Poller:
    """Takes messages out of an input's queue, on a thread of its own.

    rtmidi could call us from its thread instead. But that is JACK's real-time thread, and all sound would
    wait for our interpreter; and closing a port while its thread waits for the interpreter is a crash.
    """

    def __init__(self, handle: Any, receive: Receive) -> None:
        """Begins to listen to an open input of rtmidi."""
        self._handle = handle
        self._receive = receive
        self._going = True
        self._thread = threading.Thread(target=self._run, name="MIDI input", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._going:
            while self._going and (event := self._handle.get_message()) is not None:
                self._receive(event[0])
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Looks no more; waits a moment for the thread, unless it is the one that calls."""
        self._going = False
        if self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)


class RtMidiPort:
    """An open port; a `RawPort`."""

    def __init__(
        self,
        rtmidi: Any,
        handle: Any,
        name: str,
        virtual: bool,
        poller: Poller | None = None,
        *,
        backend: str = "",
    ) -> None:
        """Takes over an open port of rtmidi.

        Args:
            rtmidi: the module.
            handle: its object.
            name: of the port, as it is listed.
            virtual: it is a new port of ours.
            poller: what listens to an input.
            backend: the name of the back end.
        """
        self._error = rtmidi.RtMidiError
        self.handle = handle
        """rtmidi's object."""
        self._name = name
        self._virtual = virtual
        self._backend = backend
        self._poller = poller

    def send(self, data: list[int]) -> None:
        """Sends a message.

        Raises:
            PortLostError: if the port is gone.
        """
        try:
            self.handle.send_message(data)
        except self._error as error:
            raise PortLostError(f"MIDI port {self._name!r} is gone ({error}): open it again.") from error

    def alive(self) -> bool:
        """A port of our own is there as long as the system is; an existing one is where it is listed."""
        try:
            if self._virtual:
                return True
            mine = without_number(self._name, self._backend)
            return any(without_number(name, self._backend) == mine for name in self.handle.get_ports())
        except self._error:
            return False

    def close(self) -> None:
        """Closes the port."""
        self.deafen()
        self.handle.close_port()
        self.handle.delete()

    def deafen(self) -> None:
        """Listens no more."""
        if self._poller is not None:
            self._poller.stop()


class JackPort:
    """An open port on a JACK server, which may end or stand still at any time; a `RawPort`."""

    def __init__(
        self, port: RtMidiPort | NativeJackPort, name: str, watch: JackWatch, full_name: str, *, own: bool
    ) -> None:
        """Takes over an open port and the watch over its server.

        Args:
            port: the port itself.
            name: its name.
            watch: opened before the port.
            full_name: under which JACK lists it, or the one that it is connected to.
            own: it is a new port of ours.
        """
        self._port = port
        self._name = name
        self._watch = watch
        # Where somebody was faster JACK has changed the client's name; then only the server is watched.
        self._full_name = full_name if _appears(watch, full_name) else None
        self.patch_bay = None if self._full_name is None or not own else JackPatchBay(watch, full_name)
        """Tells and makes the connections of a port of our own."""
        self._send_at = port.send_at if isinstance(port, NativeJackPort) else None
        self._frame, self._waiting_bytes = watch.frame(), 0
        # rtmidi's object must not be destroyed unless `close` finds the server alive: see `jack_watch`.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(port.handle))

    def send(self, data: list[int]) -> None:
        """Sends a message; raises PortLostError also where JACK would take it and drop it."""
        self._check(data)
        self._port.send(data)

    @property
    def exact(self) -> bool:
        """Whether messages can be sent at their time, to the frame."""
        return self._send_at is not None

    def send_at(self, data: list[int], at: float) -> None:
        """Sends a message at a time, exactly one of JACK's periods later, if it can; raises as `send`."""
        self._check(data)
        if self._send_at is None:
            self._port.send(data)
        else:
            self._send_at(data, at)

    def _check(self, data: list[int]) -> None:
        frame = self._watch.frame()
        if frame != self._frame:  # a cycle has emptied the buffer
            self._frame, self._waiting_bytes = frame, 0
        self._waiting_bytes += len(data) + _LENGTH_BYTES
        if self._watch.lost or self._waiting_bytes > _JACK_BUFFER_BYTES:
            raise PortLostError(
                f"MIDI port {self._name!r} is gone: the JACK server has ended or hangs. Restart it."
            )

    def alive(self) -> bool:
        """Whether the server and the port are there; a server that stands still keeps its ports."""
        return not self._watch.lost and (self._full_name is None or self._watch.has_port(self._full_name))

    def stalled(self) -> bool:
        """Whether the server stands still."""
        return self._watch.stalled()

    def close(self) -> None:
        """Closes the port; where the server does not work it is left as it is, for closing it could hang."""
        if self._watch.runs():
            self._port.close()
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(self._port.handle))
        else:
            self._port.deafen()
        self._watch.close()


def _appears(watch: JackWatch, name: str) -> bool:
    """Whether a port is there, or is soon: a server takes its time to tell of one that was just opened."""
    end = time.monotonic() + _APPEAR_SECONDS
    while not watch.has_port(name) and not watch.lost and time.monotonic() < end:
        time.sleep(0.005)
    return watch.has_port(name)


class JackPatchBay:
    """The connections of a port of our own on a JACK server; a `PatchBay`."""

    def __init__(self, watch: JackWatch, name: str) -> None:
        """Takes the watch over the server, and the full name of a port that is there."""
        self._watch = watch
        self._name = name
        self._sends = name in watch.ports(outputs=False)

    def connections(self) -> frozenset[str]:
        """The full names of the ports that it is connected to."""
        return self._watch.connections(self._name)

    def exists(self, name: str) -> bool:
        """Whether there is a port of that full name."""
        return self._watch.has_port(name)

    def connect(self, name: str) -> None:
        """Connects it to a port; waits while the server stands still."""
        ends = (self._name, name) if self._sends else (name, self._name)
        self._watch.connect(*ends)
