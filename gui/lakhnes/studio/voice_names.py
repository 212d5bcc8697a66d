"""Names of several voices in a sentence."""

from __future__ import annotations

from collections.abc import Iterable

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import Voice


def voice_names(voices: Iterable[Voice]) -> str:
    """Return the names of voices in their order, such as "Pulse 1, Pulse 2 and Noise"."""
    *others, last = (TRACK_NAMES[voice] for voice in sorted(voices))
    return f"{', '.join(others)} and {last}" if others else last


__all__ = ["voice_names"]
