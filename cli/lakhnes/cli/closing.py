"""Closing a Windows console: the program has some seconds, in which it ends its notes."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_CLOSING = (2, 5, 6)  # the window is closed, the user logs off, the system shuts down
_SECONDS = 4.5
"""Windows ends the program after 5 in any case."""


@contextmanager
def console_closing(
    asked: Callable[[], None], kernel: Any = None, function_type: Any = None
) -> Iterator[None]:
    """Asks for the end when the console is closed, and lets the program live until the block has ended.

    Args:
        asked: is called on a thread of the system.
        kernel: the system's `kernel32`; on other systems, where it is None, nothing happens.
        function_type: makes a function of the system's kind of one of ours.
    """
    if sys.platform == "win32" and kernel is None:
        kernel, function_type = ctypes.WinDLL("kernel32"), ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)
    if kernel is None:
        yield
        return
    ended = threading.Event()

    def handle(event: int) -> int:
        if event not in _CLOSING:
            return 0
        asked()
        ended.wait(_SECONDS)  # when this returns, the program is ended
        return 1

    handler = function_type(handle)
    kernel.SetConsoleCtrlHandler(handler, 1)
    try:
        yield
    finally:
        ended.set()
        kernel.SetConsoleCtrlHandler(handler, 0)
