"""App Nap: macOS lets a program whose window is hidden wake late, unless it says what it is doing."""

from __future__ import annotations

import ctypes
import ctypes.util
from typing import Any

_USER_INITIATED_LATENCY_CRITICAL = 0xFF00FFFFFF
_REASON = b"Playing music"


def stay_awake(objc: Any = None) -> None:
    """Says that music is played, until the program ends.

    Args:
        objc: the Objective-C runtime; None for the system's.
    """
    if objc is None:
        ctypes.CDLL(ctypes.util.find_library("Foundation"))  # its classes are there then
        objc = ctypes.CDLL(ctypes.util.find_library("objc"))
    pointer = ctypes.c_void_p
    for find in (objc.objc_getClass, objc.sel_registerName):
        find.restype, find.argtypes = pointer, [ctypes.c_char_p]

    def send(target: int, message: bytes, *arguments: tuple[Any, object]) -> int:
        # A call is made as its types say, so they are set for each.
        objc.objc_msgSend.restype = pointer
        objc.objc_msgSend.argtypes = [pointer, pointer, *(kind for kind, _ in arguments)]
        values = (value for _, value in arguments)
        return int(objc.objc_msgSend(target, objc.sel_registerName(message), *values) or 0)

    process = send(objc.objc_getClass(b"NSProcessInfo"), b"processInfo")
    text = send(objc.objc_getClass(b"NSString"), b"stringWithUTF8String:", (ctypes.c_char_p, _REASON))
    options = (ctypes.c_uint64, _USER_INITIATED_LATENCY_CRITICAL)
    activity = send(process, b"beginActivityWithOptions:reason:", options, (pointer, text))
    send(activity, b"retain")  # it ends when it is let go
