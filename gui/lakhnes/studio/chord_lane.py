"""The chords of a song's bars as a state holds them: one name per bar, repeated without end."""

from __future__ import annotations

from functools import lru_cache

from lakhnes.runtime import Chord, OptionError, parse_chords
from lakhnes.runtime.music.chords import NO_CHORD, chord_names


@lru_cache(16)
def chords_of(text: str) -> tuple[Chord, ...]:
    """Return the chords of a text as `SongState` holds it; none for an empty or invalid text."""
    try:
        return parse_chords(text) if text else ()
    except OptionError:
        return ()


def chord_at(text: str, bar: int) -> Chord:
    """Return the chord of a bar, counted from 0."""
    chords = chords_of(text)
    return chords[bar % len(chords)] if chords else NO_CHORD


def with_chords(text: str, bar: int, typed: str) -> str:
    """Return the text with other chords from a bar on.

    The repeated part keeps its length, or doubles until it reaches the new bars.

    Args:
        text: as a state holds it.
        bar: the first that changes, from 0 on.
        typed: its chord, or those of as many bars; empty for no chord.

    Raises:
        OptionError: if one is unknown.
    """
    new = parse_chords(typed) if typed.strip() else (NO_CHORD,)
    chords = list(chords_of(text)) or [NO_CHORD] * (bar if bar else len(new))
    while len(chords) < bar + len(new):
        chords += chords
    chords[bar : bar + len(new)] = new
    return "" if all(chord.root is None for chord in chords) else chord_names(chords)


__all__ = ["chord_at", "chords_of", "with_chords"]
