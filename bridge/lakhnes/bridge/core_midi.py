"""CoreMIDI tells of ports that come and go only on the run loop of the thread that was its first client."""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from collections.abc import Callable
from typing import Any

_TURN_SECONDS = 0.25
_READY_SECONDS = 3.0


class RunLoopThread:
    """Is CoreMIDI's first client, and runs its loop for as long as the program lives."""

    def __init__(self, rtmidi: Any, turn: Callable[[float], object]) -> None:
        """Begins, and waits until it is the first client.

        Args:
            rtmidi: the module.
            turn: runs the loop of the thread that calls for so many seconds.
        """
        self._rtmidi, self._turn = rtmidi, turn
        self._going = True
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="CoreMIDI", daemon=True)
        self._thread.start()
        self._ready.wait(_READY_SECONDS)

    def _run(self) -> None:
        client = self._rtmidi.MidiIn(self._rtmidi.API_MACOSX_CORE, name="LakhNES watch")
        self._ready.set()
        while self._going:
            self._turn(_TURN_SECONDS)
        client.delete()

    def stop(self) -> None:
        """Ends it."""
        self._going = False
        self._thread.join()


def keep_lists_fresh(rtmidi: Any) -> None:
    """Lets lists of ports be true from now on; to be called once, before any other client is made."""
    path = ctypes.util.find_library("CoreFoundation")
    if path is None:
        return
    library = ctypes.CDLL(path)
    library.CFRunLoopRunInMode.argtypes = [ctypes.c_void_p, ctypes.c_double, ctypes.c_bool]
    mode = ctypes.c_void_p.in_dll(library, "kCFRunLoopDefaultMode")
    RunLoopThread(rtmidi, lambda seconds: library.CFRunLoopRunInMode(mode, seconds, False))
