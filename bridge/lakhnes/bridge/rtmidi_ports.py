"""Open MIDI ports of python-rtmidi: sending, listening, and being lost."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

from lakhnes.bridge.jack_watch import JackWatch
from lakhnes.runtime.errors import PortLostError

_JACK_BUFFER_BYTES = 12_000
"""What may wait for JACK's next cycle. rtmidi's buffer has 16,384; when it is full, a send never returns."""

_LENGTH_BYTES = 4
"""That rtmidi puts before each message."""

_POLL_SECONDS = 0.001
"""How often an input is looked at."""

_STOP_SECONDS = 1.0
"""What a callback that is busy gets when its port is closed."""


class Poller:
    """Takes messages out of an input's queue, on a thread of its own.

    rtmidi could call us from its thread instead. But that is JACK's real-time thread, and all sound would
    wait for our interpreter; and closing a port while its thread waits for the interpreter is a crash.
    """

    def __init__(self, handle: Any, receive: Callable[[list[int]], None]) -> None:
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
        self, rtmidi: Any, handle: Any, name: str, virtual: bool, poller: Poller | None = None
    ) -> None:
        """Takes over an open port of rtmidi, and for an input what listens to it."""
        self._error = rtmidi.RtMidiError
        self.handle = handle
        """rtmidi's object."""
        self._name = name
        self._virtual = virtual
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
            return self._virtual or self._name in self.handle.get_ports()
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
    """An open port on a JACK server, which may end at any time; a `RawPort`."""

    def __init__(self, port: RtMidiPort, name: str, watch: JackWatch, full_name: str) -> None:
        """Takes over an open port and the watch over its server.

        Args:
            port: the port itself.
            name: its name.
            watch: opened before the port.
            full_name: under which JACK lists it, or the one that it is connected to.
        """
        self._port = port
        self._name = name
        self._watch = watch
        # Where somebody was faster JACK has changed the client's name; then only the server is watched.
        self._full_name = full_name if watch.has_port(full_name) else None
        self._frame, self._waiting_bytes = watch.frame(), 0
        # rtmidi's object must not be destroyed unless `close` finds the server alive: see `jack_watch`.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(port.handle))

    def send(self, data: list[int]) -> None:
        """Sends a message; raises PortLostError also where JACK would take it and drop it."""
        frame = self._watch.frame()
        if frame != self._frame:  # a cycle has emptied the buffer
            self._frame, self._waiting_bytes = frame, 0
        self._waiting_bytes += len(data) + _LENGTH_BYTES
        if self._watch.lost or self._waiting_bytes > _JACK_BUFFER_BYTES:
            raise PortLostError(
                f"MIDI port {self._name!r} is gone: the JACK server has ended or stands still. Start it anew."
            )
        self._port.send(data)

    def alive(self) -> bool:
        """Whether the server works, and the port is there."""
        return self._watch.alive() and (self._full_name is None or self._watch.has_port(self._full_name))

    def close(self) -> None:
        """Closes the port; where the server has ended it is left as it is, for closing it could hang."""
        if self._watch.alive():
            self._port.close()
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(self._port.handle))
        else:
            self._port.deafen()
        self._watch.close()
