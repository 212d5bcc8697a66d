"""Whether a window can be opened here: Qt itself ends the process where it cannot."""

from __future__ import annotations

import ctypes
import os
import sys

from lakhnes.runtime.errors import ScreenError


def check_screen() -> None:
    """Looks for what Qt needs; only Linux can lack it.

    Raises:
        ScreenError: if something is missing; the message has the next step.
    """
    if sys.platform != "linux" or "QT_QPA_PLATFORM" in os.environ or os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise ScreenError("No display was found. Start the app in a desktop session.")
    try:
        ctypes.CDLL("libxcb-cursor.so.0")
        answers = _answers(ctypes.CDLL("libxcb.so.1"))
    except OSError as error:
        raise ScreenError(
            f"A library that Qt needs is missing ({error}). Debian, Ubuntu: apt install libxcb-cursor0 "
            "libxcb-icccm4 libxcb-keysyms1 libxkbcommon-x11-0"
        ) from error
    if not answers:
        name = os.environ["DISPLAY"]
        raise ScreenError(f"The display {name} does not answer. Start the app in a desktop session.")


def _answers(xcb: ctypes.CDLL) -> bool:
    """Return whether an X server accepts a connection."""
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = (ctypes.c_void_p,)
    connection = xcb.xcb_connect(None, None)
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not failed


__all__ = ["check_screen"]
