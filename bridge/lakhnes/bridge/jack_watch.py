"""Whether a JACK server lives, asked of rtmidi's own copy of libjack.

When a server dies, what is sent goes on to "succeed". Opening a client to find out has two prices: it shows
in everybody's patch bay, and where clients of a dead server are left libjack then frees them, so that closing
one of them afterwards is a crash. A `JackWatch` is a client that is never activated: it has no ports, has no
part in the graph, and JACK tells it of the server's end. It is opened before the port that it watches and
closed after it; and what belonged to a dead server is left alone for good.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

from lakhnes.bridge.jack_transport import ServerTransport
from lakhnes.runtime.errors import PortError

OPEN_SECONDS = 3.0
"""How long a server may take to let a client in; one that is stopped would never answer."""

STALL_SECONDS = 1.5
"""How long a living server may go without a cycle, as when its sound card was pulled."""

_CYCLE_SECONDS = 1.0
"""Longer than any server's cycle."""

_NO_START = 1
_MIDI_TYPE = b"8 bit raw midi"
_IS_INPUT, _IS_OUTPUT = 1, 2
_SEMAPHORE_BYTES = 128
"""More than any system's sem_t has."""

_stuck: threading.Thread | None = None
"""An attempt to open that the server has not answered."""


def silence(library_path: str) -> None:
    """Keeps libjack and ALSA from writing to the terminal.

    What they call instead is a C function that heeds no arguments and needs no interpreter: it may be called
    from a real-time thread, and after Python's end.

    Args:
        library_path: rtmidi's extension module; the libraries that it is linked to are found through it.
    """
    library = ctypes.CDLL(library_path)
    nothing = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p)
    for name in ("jack_set_error_function", "jack_set_info_function", "snd_lib_error_set_handler"):
        setter = getattr(library, name, None)
        if setter is not None:
            setter.argtypes, setter.restype = [ctypes.c_void_p], None
            setter(nothing)


class JackWatch:
    """An eye on the JACK server that clients of this process would reach now; several may share it."""

    def __init__(self, library_path: str, *, now: Callable[[], float] = time.perf_counter) -> None:
        """Enters the server as a client without ports.

        Args:
            library_path: as for `silence`.
            now: seconds that only grow.

        Raises:
            PortError: if no server answers.
        """
        # Calls that may wait let other threads run (CDLL); those that only read memory do not (PyDLL),
        # for giving up the interpreter and getting it back costs the sender more than they do.
        self._slow = ctypes.CDLL(library_path)
        self._quick = ctypes.PyDLL(library_path)
        _declare(self._slow)
        _declare(self._quick)
        self._now = now
        self._client = open_client(self._slow, "LakhNES watch")
        self._libc: Any = ctypes.PyDLL(None)
        self._semaphore = self._told_of_shutdown()
        self._frame, self._frame_since = self.frame(), now()
        self._lock = threading.Lock()
        self._users = 1

    def _told_of_shutdown(self) -> int:
        """A semaphore that JACK posts, from a thread of its own, when the server ends."""
        self._libc.calloc.restype = ctypes.c_void_p
        # Not Python's memory: for a server's end may come whenever this process still lives.
        semaphore = int(self._libc.calloc(1, _SEMAPHORE_BYTES))
        self._libc.sem_getvalue.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
        # macOS has no such semaphores; there a dead server is one that stands still.
        if self._libc.sem_init(ctypes.c_void_p(semaphore), 0, 0) == 0:
            post = ctypes.cast(self._libc.sem_post, ctypes.c_void_p)
            self._slow.jack_on_shutdown(self._client, post, semaphore)
        return semaphore

    @property
    def lost(self) -> bool:
        """The server has ended since; costs next to nothing."""
        if not self._client:
            return True
        posted = ctypes.c_int(0)
        self._libc.sem_getvalue(self._semaphore, ctypes.byref(posted))
        return posted.value > 0

    def frame(self) -> int:
        """The server's time at the start of its current cycle, in samples; 0 once it has ended."""
        return 0 if self.lost else int(self._quick.jack_last_frame_time(self._client))

    def stalled(self) -> bool:
        """Whether the server is there and stands still; to be asked about once a second."""
        frame, now = self.frame(), self._now()
        if self.lost:
            return False
        if frame != self._frame:
            self._frame, self._frame_since = frame, now
        return now - self._frame_since >= STALL_SECONDS

    def runs(self) -> bool:
        """Waits for the server's next cycle; false where none comes within a second."""
        frame, end = self.frame(), self._now() + _CYCLE_SECONDS
        while not self.lost and self._now() < end:
            if self.frame() != frame:
                return True
            time.sleep(0.001)
        return False

    def has_port(self, name: str) -> bool:
        """Whether a port of that full name, `client:port`, is there."""
        return not self.lost and bool(self._quick.jack_port_by_name(self._client, name.encode()))

    def ports(self, *, outputs: bool) -> list[str]:
        """The full names of the MIDI ports of others.

        Args:
            outputs: those that one can send to, which JACK calls inputs; else those that one can hear.
        """
        if self.lost:
            return []
        flags = _IS_INPUT if outputs else _IS_OUTPUT
        return self._names(self._slow.jack_get_ports(self._client, None, _MIDI_TYPE, flags))

    def connections(self, name: str) -> frozenset[str]:
        """The full names of the ports that a port is connected to."""
        port = 0 if self.lost else self._quick.jack_port_by_name(self._client, name.encode())
        if not port:
            return frozenset()
        return frozenset(self._names(self._slow.jack_port_get_all_connections(self._client, port)))

    def connect(self, source: str, target: str) -> None:
        """Connects two ports, as far as both are there; waits while the server stands still."""
        if not self.lost:
            self._slow.jack_connect(self._client, source.encode(), target.encode())

    def _names(self, found: Any) -> list[str]:
        """The names in a list of libjack's, which is freed."""
        names: list[str] = []
        while found and (name := found[len(names)]) is not None:
            names.append(name.decode(errors="replace"))
        if found:
            self._slow.jack_free(ctypes.cast(found, ctypes.c_void_p))
        return names

    def transport(self) -> ServerTransport:
        """The server's transport, for as long as this watch is open."""
        return ServerTransport(self._quick, self._client, lambda: self.lost)

    def share(self) -> JackWatch:
        """The same watch for one user more, who closes it too."""
        with self._lock:
            self._users += 1
        return self

    def close(self) -> None:
        """Leaves the server with the last user; never waits for one that has ended or stands still."""
        with self._lock:
            self._users -= 1
            if self._users != 0:
                return
            if self.runs():
                self._slow.jack_client_close(self._client)
                self._libc.free(ctypes.c_void_p(self._semaphore))
            self._client = 0


def _declare(library: Any) -> None:
    """Says how libjack's functions are called."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("jack_client_open", pointer, [text, ctypes.c_int, pointer]),
        ("jack_client_close", ctypes.c_int, [pointer]),
        ("jack_on_shutdown", None, [pointer, pointer, pointer]),
        ("jack_last_frame_time", ctypes.c_uint32, [pointer]),
        ("jack_port_by_name", pointer, [pointer, text]),
        ("jack_get_ports", ctypes.POINTER(text), [pointer, text, text, ctypes.c_ulong]),
        ("jack_port_get_all_connections", ctypes.POINTER(text), [pointer, pointer]),
        ("jack_connect", ctypes.c_int, [pointer, text, text]),
        ("jack_free", None, [pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def open_client(library: Any, name: str) -> int:
    """A new client, in bounded time: a thread waits in our stead.

    Args:
        library: what is linked to libjack, told how `jack_client_open` and `jack_client_close` are called.
        name: of the client.

    Raises:
        PortError: if no server lets it in.
    """
    global _stuck
    if _stuck is not None and _stuck.is_alive():
        raise PortError("The JACK server does not answer: restart it.")
    lock = threading.Lock()
    clients: list[int] = []
    given_up = False

    def open_it() -> None:
        client = library.jack_client_open(name.encode(), _NO_START, None) or 0
        with lock:
            clients.append(client)
            late = given_up
        if late and client:
            library.jack_client_close(client)

    thread = threading.Thread(target=open_it, name="JACK open", daemon=True)
    thread.start()
    thread.join(OPEN_SECONDS)
    with lock:
        if not clients:
            given_up, _stuck = True, thread
            raise PortError("The JACK server does not answer: restart it.")
    if not clients[0]:
        raise PortError("No JACK server answers: start one, for example with qjackctl.")
    return clients[0]
