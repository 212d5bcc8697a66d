"""The key of a song as the roll shades it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lakhnes.gui.scale_box import key_and_scale
from lakhnes.runtime import OptionError, parse_scale


@dataclass(frozen=True, slots=True)
class ShownScale:
    """The notes that melodies keep to."""

    notes: frozenset[int]
    """Pitch classes."""
    tonic: int | None
    """Pitch class; None where the scale has none."""


@lru_cache(16)
def shown_scale(text: str) -> ShownScale | None:
    """The scale of a text as `SongState` holds it; None for none, or for what is no scale yet."""
    try:
        notes = parse_scale(text) if text else frozenset[int]()
    except OptionError:
        return None
    if not notes:
        return None
    found = key_and_scale(text)
    return ShownScale(notes, None if found is None else found[0])
