"""MIDI ports on a JACK server whose messages have their frames: `bridge/src`, compiled with the project."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from ctypes import c_int32, c_int64, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from lakhnes.bridge.jack_watch import open_client
from lakhnes.runtime.errors import PortError, PortLostError

_MIDI_TYPE = b"8 bit raw midi"
_IS_INPUT, _IS_OUTPUT = 1, 2
_STALE_SECONDS = 1.0
"""A note that is so late is not begun: after a stall of the server, say."""
_LONGEST = 11
"""Bytes of a message that is sent."""
_POLL_SECONDS = 0.001
_STOP_SECONDS = 1.0
_DRAIN_SECONDS = 0.5
"""What is sent just before a port is closed gets to go out."""
_FUNCTIONS = (
    "jack_port_get_buffer",
    "jack_midi_clear_buffer",
    "jack_midi_event_write",
    "jack_midi_get_event_count",
    "jack_midi_event_get",
    "jack_last_frame_time",
    "jack_frames_since_cycle_start",
)
"""That the process callback calls, in the order of `Jack` in jack_port.c."""


@cache
def port_library() -> ctypes.CDLL | None:
    """The compiled part; None where it was not built, so that rtmidi is used."""
    try:
        library = ctypes.CDLL(str(port_library_path()))
    except OSError:
        return None
    library.midi_size.restype = c_int64
    library.midi_begin.argtypes = [c_void_p, c_void_p, c_void_p, c_void_p, c_uint32, c_int32]
    library.midi_put.argtypes = [c_void_p, c_uint32, c_uint32, ctypes.c_char_p]
    library.midi_take.argtypes = [c_void_p, c_void_p, c_void_p]
    return library


def port_library_path() -> Path:
    """Where the compiled part is, or should be."""
    return Path(__file__).with_name("_jack_port.so")


class NativeJackPort:
    """An open port; times are seconds of `time.perf_counter`.

    What is to happen at a time is sent one of JACK's periods later, at its frame: so it can be sent a moment
    after its time and still be in its place.
    """

    def __init__(
        self,
        library_path: str,
        client: str,
        name: str,
        *,
        connect: str | None = None,
        receive: Callable[[list[int], float], None] | None = None,
    ) -> None:
        """Opens a port.

        Args:
            library_path: what is linked to libjack.
            client: what JACK is to call the client.
            name: of the port.
            connect: full name of the port of somebody else that it is connected to; None for none.
            receive: takes messages and their times, on a thread of our own, so that the port is one to hear.

        Raises:
            PortError: if it cannot be opened.
        """
        library = port_library()
        assert library is not None, "ask `port_library` first"
        self._library = ctypes.PyDLL(library._name)  # calls that only touch memory
        self._library.midi_put.argtypes = library.midi_put.argtypes
        self._library.midi_take.argtypes = library.midi_take.argtypes
        self._library.midi_waiting.argtypes = [c_void_p]
        self._name = name
        self._jack = _declared(ctypes.CDLL(library_path))
        self._quick = _declared(ctypes.PyDLL(library_path))
        self._receive = receive
        self._client = open_client(self._jack, client)
        self.handle = ctypes.create_string_buffer(library.midi_size())
        """The memory that the callback uses; it must not go while the client is there."""
        try:
            self._begin(library, connect)
        except PortError:
            self._jack.jack_client_close(self._client)
            raise
        self._period = int(self._jack.jack_get_buffer_size(self._client))
        self._period_seconds = self._period / int(self._jack.jack_get_sample_rate(self._client))
        self._shift = time.perf_counter() - int(self._quick.jack_get_time()) / 1e6
        self._going = receive is not None
        self._thread = threading.Thread(target=self._listen, name="MIDI input", daemon=True)
        if self._going:
            self._thread.start()

    def _begin(self, library: ctypes.CDLL, connect: str | None) -> None:
        """Registers the port, and hands it to the callback."""
        jack, sends = self._jack, self._receive is None
        flags = _IS_OUTPUT if sends else _IS_INPUT
        port = jack.jack_port_register(self._client, self._name.encode(), _MIDI_TYPE, flags, 0)
        if not port:
            raise PortError(
                f"MIDI port {self._name!r} cannot be opened: JACK allows no more ports. Close a program that "
                "has some."
            )
        functions = (c_void_p * len(_FUNCTIONS))(
            *(ctypes.cast(getattr(jack, name), c_void_p).value for name in _FUNCTIONS)
        )
        stale = int(_STALE_SECONDS * jack.jack_get_sample_rate(self._client))
        library.midi_begin(self.handle, functions, self._client, port, stale, sends)
        process = ctypes.cast(library.midi_process, c_void_p)
        jack.jack_set_process_callback(self._client, process, ctypes.addressof(self.handle))
        if jack.jack_activate(self._client) != 0:
            raise PortError(
                f"MIDI port {self._name!r} cannot be opened: the JACK server refuses it. Restart the server."
            )
        if connect is not None:
            own = jack.jack_port_name(port)
            ends = (own, connect.encode()) if sends else (connect.encode(), own)
            if jack.jack_connect(self._client, *ends) != 0:
                raise PortError(
                    f"MIDI port {connect!r} cannot be opened: JACK does not connect it. Run `lakhnes ports` "
                    "to see the ports."
                )

    def send(self, data: list[int]) -> None:
        """Sends a message now; PortLostError if it cannot."""
        self.send_at(data, time.perf_counter())

    def send_at(self, data: list[int], at: float) -> None:
        """Sends a message at a time, which may be a moment ago or to come.

        Raises:
            PortError: if it is longer than 11 bytes; no music is.
            PortLostError: if it cannot be sent.
        """
        if len(data) > _LONGEST:
            raise PortError(
                f"A MIDI message of {len(data)} bytes is too long for this port: {_LONGEST} at most."
            )
        usecs = max(0, round((at - self._shift) * 1e6))
        frame = int(self._quick.jack_time_to_frames(self._client, usecs)) + self._period
        if self._library.midi_put(self.handle, frame & 0xFFFFFFFF, len(data), bytes(data)):
            raise PortLostError(
                f"MIDI port {self._name!r} takes no more messages: the JACK server hangs. Restart it."
            )

    def close(self) -> None:
        """Closes the port, once what was sent is out: the ends of notes are the last."""
        self.deafen()
        end = time.perf_counter() + _DRAIN_SECONDS
        while self._receive is None and self._library.midi_waiting(self.handle):
            if time.perf_counter() > end:
                break
            time.sleep(_POLL_SECONDS)
        time.sleep(self._period_seconds)  # the cycle that took the last one
        self._jack.jack_deactivate(self._client)
        self._jack.jack_client_close(self._client)

    def deafen(self) -> None:
        """Listens no more; waits a moment for the thread, unless it is the one that calls."""
        self._going = False
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)

    def _listen(self) -> None:
        assert self._receive is not None
        frame, data = c_uint32(), ctypes.create_string_buffer(3)
        while self._going:
            while self._going and (length := self._library.midi_take(self.handle, ctypes.byref(frame), data)):
                usecs = int(self._quick.jack_frames_to_time(self._client, frame))
                self._receive(list(data.raw[:length]), usecs / 1e6 + self._shift)
            time.sleep(_POLL_SECONDS)


def _declared(library: Any) -> Any:
    """Says how libjack's functions are called."""
    text = ctypes.c_char_p
    for name, result, arguments in (
        ("jack_port_register", c_void_p, [c_void_p, text, text, ctypes.c_ulong, ctypes.c_ulong]),
        ("jack_port_name", text, [c_void_p]),
        ("jack_set_process_callback", ctypes.c_int, [c_void_p, c_void_p, c_void_p]),
        ("jack_activate", ctypes.c_int, [c_void_p]),
        ("jack_deactivate", ctypes.c_int, [c_void_p]),
        ("jack_client_open", c_void_p, [text, ctypes.c_int, c_void_p]),
        ("jack_client_close", ctypes.c_int, [c_void_p]),
        ("jack_connect", ctypes.c_int, [c_void_p, text, text]),
        ("jack_get_buffer_size", c_uint32, [c_void_p]),
        ("jack_get_sample_rate", c_uint32, [c_void_p]),
        ("jack_get_time", ctypes.c_uint64, []),
        ("jack_time_to_frames", c_uint32, [c_void_p, ctypes.c_uint64]),
        ("jack_frames_to_time", ctypes.c_uint64, [c_void_p, c_uint32]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
