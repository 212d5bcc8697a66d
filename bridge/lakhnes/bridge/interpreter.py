"""Python itself, set up so that music stays in time."""

from __future__ import annotations

import ctypes
import gc
import sys

from lakhnes.bridge.app_nap import stay_awake

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while another waits for it; Python's 5 ms would be heard."""

_OLDEST = 2


def keep_time() -> None:
    """Lets threads take turns and wake more often, and keeps garbage collections short, until the end.

    A collection of the oldest generation stops every thread and looks at all objects: 50 to 100 ms with what
    the app has loaded. Here nothing that is there now, or survives such a collection, is looked at again. The
    price: a cycle of objects that is given up later than that is never freed.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform == "win32":
        ctypes.WinDLL("winmm").timeBeginPeriod(1)  # waits end on ticks of 15.6 ms otherwise
    if sys.platform == "darwin":
        stay_awake()
    if _spare_survivors not in gc.callbacks:
        gc.callbacks.append(_spare_survivors)
    gc.freeze()


def _spare_survivors(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] == _OLDEST:
        gc.freeze()


__all__ = ["SWITCH_SECONDS", "keep_time"]
