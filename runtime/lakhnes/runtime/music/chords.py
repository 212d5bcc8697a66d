"""Chords by name, as musicians write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.scales import pitch_class

_TRIADS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "5": (0, 7),
}
_SIXTHS_AND_SEVENTHS = {
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "6/9": (0, 4, 7, 9, 2),
    "m6/9": (0, 3, 7, 9, 2),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "mmaj7": (0, 3, 7, 11),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug7": (0, 4, 8, 10),
    "augmaj7": (0, 4, 8, 11),
    "7b5": (0, 4, 6, 10),
    "maj7b5": (0, 4, 6, 11),
    "7sus2": (0, 2, 7, 10),
    "7sus4": (0, 5, 7, 10),
}
_HIGHER = {
    "add9": (0, 4, 7, 2),
    "madd9": (0, 3, 7, 2),
    "add11": (0, 4, 7, 5),
    "9": (0, 4, 7, 10, 2),
    "maj9": (0, 4, 7, 11, 2),
    "m9": (0, 3, 7, 10, 2),
    "9sus4": (0, 5, 7, 10, 2),
    "7b9": (0, 4, 7, 10, 1),
    "7#9": (0, 4, 7, 10, 3),
    "7#11": (0, 4, 7, 10, 6),
    "7b13": (0, 4, 7, 10, 8),
    "maj7#11": (0, 4, 7, 11, 6),
    "11": (0, 4, 7, 10, 2, 5),
    "m11": (0, 3, 7, 10, 2, 5),
    "13": (0, 4, 7, 10, 2, 9),
    "maj13": (0, 4, 7, 11, 2, 9),
    "m13": (0, 3, 7, 10, 2, 9),
}
CHORDS: dict[str, tuple[int, ...]] = {**_TRIADS, **_SIXTHS_AND_SEVENTHS, **_HIGHER}
"""Semitones above the root of each kind of chord by what follows the root in its name."""

NO_CHORD_NAME = "N.C."
"""Of a bar without a chord."""

_SPELLINGS = (
    (r"[()\s]", ""),
    (r"\u03947?", "maj7"),  # a triangle
    (r"[Mm]aj|ma(?!j)|M", "maj"),
    (r"\u00f8", "m7b5"),  # a stroke through a circle
    (r"min|mi|-|m(?!aj)", "m"),
    (r"\u00b0|dim|o", "dim"),
    (r"\+|aug", "aug"),
)
_ALIASES = {
    "maj": "",
    "sus": "sus4",
    "7sus": "7sus4",
    "9sus": "9sus4",
    "2": "add9",
    "4": "add11",
    "69": "6/9",
    "m69": "m6/9",
    "7#5": "aug7",
    "maj7#5": "augmaj7",
    "m7b57": "m7b5",
    "majadd9": "add9",
    "maj6": "6",
    "#5": "aug",
    "mb5": "dim",
}
_SIGNS = str.maketrans("\u266f\u266d", "#b")
_NAME = re.compile(r"([A-Ga-g])([#b\u266f\u266d]*)(.*?)(?:/([A-Ga-g])([#b\u266f\u266d]*))?")


@dataclass(frozen=True, slots=True)
class Chord:
    """What a bar is to sound like."""

    name: str
    """As it was written, but for the signs, such as `Am7/G`; `N.C.` for none."""
    notes: frozenset[int] = frozenset()
    """Pitch classes 0 (C) to 11 (B), the bass among them; none where there is no chord."""
    root: int | None = None
    """Pitch class; None where there is no chord."""
    bass: int | None = None
    """Pitch class that the bass is to have: the one after the stroke, or the root."""


NO_CHORD = Chord(NO_CHORD_NAME)
"""No chord at all."""


def parse_chords(text: str) -> tuple[Chord, ...]:
    """Reads chords, one for each bar.

    Args:
        text: names such as `Am F C G`, `Dm7 | G7 | Cmaj7`, `F/G`, `Bdim`, `N.C.` for a bar without a chord or
            `%` for the chord of the bar before.

    Raises:
        OptionError: if it names none, or one that is unknown.
    """
    found: list[Chord] = []
    for name in text.replace(",", " ").replace("|", " ").split():
        if name == "%" and found:
            found.append(found[-1])
        else:
            found.append(parse_chord(name))
    if not found:
        raise OptionError("No chord is named; give one for each bar, such as 'Am F C G'.")
    return tuple(found)


def parse_chord(name: str) -> Chord:
    """Reads one chord, such as `C`, `F#m7`, `Gsus4` or `F/G`.

    Raises:
        OptionError: if it is unknown.
    """
    if name.upper() in ("N.C.", "NC", "N.C"):
        return NO_CHORD
    found = _NAME.fullmatch(name)
    parts = [] if found is None else [(part or "").translate(_SIGNS) for part in found.groups()]
    steps = _steps(parts[2]) if parts else None
    if steps is None:
        raise OptionError(
            f"{name!r} is no chord that lakhnes knows; give a root and a kind, such as C, Am, F#m7, Gsus4, "
            "Bdim, Caug, Ebmaj7 or F/G, or N.C. for none."
        )
    letter, sign, kind, bass_letter, bass_sign = parts
    root = pitch_class(letter + sign)
    bass = pitch_class(bass_letter + bass_sign) if bass_letter else root
    written = letter.upper() + sign + kind
    below = f"/{bass_letter.upper()}{bass_sign}" if bass_letter else ""
    return Chord(written + below, frozenset({*((root + step) % 12 for step in steps), bass}), root, bass)


def chord_names(chords: Iterable[Chord]) -> str:
    """The names of some chords, as `parse_chords` reads them."""
    return " ".join(chord.name for chord in chords)


def _steps(kind: str) -> tuple[int, ...] | None:
    """Semitones above the root of a kind of chord, however it is written; None for one that is unknown."""
    if kind in CHORDS:
        return CHORDS[kind]
    for spelling, usual in _SPELLINGS:
        kind = re.sub(spelling, usual, kind)
    return CHORDS.get(_ALIASES.get(kind, kind))


__all__ = ["CHORDS", "NO_CHORD", "Chord", "chord_names", "parse_chord", "parse_chords"]
