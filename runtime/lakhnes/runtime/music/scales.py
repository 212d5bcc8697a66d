"""Scales by name, as pitch classes."""

from __future__ import annotations

import re
from collections.abc import Collection

from lakhnes.runtime.errors import OptionError

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic-minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic-minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "phrygian-dominant": (0, 1, 4, 5, 7, 8, 10),
    "double-harmonic": (0, 1, 4, 5, 7, 8, 11),
    "hungarian-minor": (0, 2, 3, 6, 7, 8, 11),
    "major-pentatonic": (0, 2, 4, 7, 9),
    "minor-pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "hirajoshi": (0, 2, 3, 7, 8),
    "in-sen": (0, 1, 5, 7, 10),
    "whole-tone": (0, 2, 4, 6, 8, 10),
    "diminished": (0, 2, 3, 5, 6, 8, 9, 11),
    "chromatic": tuple(range(12)),
}
"""Semitones above the root of each scale by name."""

NOTE_NAMES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
"""Pitch classes of the note names."""


_ALIASES = {"maj": "major", "ma": "major", "M": "major", "min": "minor", "mi": "minor", "m": "minor"}
CLASS_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""Name of each pitch class, in names of scales and chords."""


def parse_scale(text: str) -> frozenset[int]:
    """Read a scale as pitch classes 0..11.

    Args:
        text: root and name, such as `a minor`, `F# dorian`, `Bb major-pentatonic`, `Am` or `Cmaj`, or pitch
            classes, such as `0,2,4,7,9`.

    Raises:
        OptionError: if it is neither.
    """
    numbers = text.replace(",", " ").split()
    if numbers and all(number.isdecimal() and int(number) < 12 for number in numbers):
        return frozenset(map(int, numbers))
    plain = text.strip().replace("\u266f", "#").replace("\u266d", "b")
    found = re.fullmatch(r"([A-Ga-g])([#b]*)[\s-]*(.*)", plain)
    given = found[3].strip() if found else ""
    name = _ALIASES.get(given, _ALIASES.get(given.lower(), given.lower().replace(" ", "-"))) or "major"
    if found is None or name not in SCALES:
        raise OptionError(
            f"{text!r} is no scale: give a root and a name, such as 'a minor', or pitch classes, such as "
            f"'0,2,4,7,9'. Names are {', '.join(SCALES)}."
        )
    root = pitch_class(found[1] + found[2])
    return frozenset((root + step) % 12 for step in SCALES[name])


def keys_of(pitch_classes: Collection[int], *, more: bool = False) -> list[int]:
    """The keys that have just these pitch classes: tonic 0..11 for major ones, plus 12 for minor ones.

    Args:
        pitch_classes: 0 (C) to 11 (B).
        more: whether keys may have more than these.
    """
    wanted = frozenset(pitch_classes)
    found = []
    for offset, name in ((0, "major"), (12, "minor")):
        for tonic in range(12):
            notes = {(tonic + step) % 12 for step in SCALES[name]}
            if wanted == notes or (more and wanted < notes):
                found.append(tonic + offset)
    return found


def pitch_class(name: str) -> int:
    """Return the pitch class, 0 (C) to 11 (B), of a note name such as `C`, `f#` or `Bb`."""
    return (NOTE_NAMES[name[0].lower()] + name[1:].count("#") - name[1:].count("b")) % 12


def scale_name(pitch_classes: Collection[int]) -> str:
    """Return a name for a scale, such as `C# major (or A# minor)`, or its pitch classes if it has no name."""
    wanted = frozenset(pitch_classes)
    for name, steps in SCALES.items():
        if len(steps) == len(wanted) < 12:
            for root in range(12):
                if wanted == {(root + step) % 12 for step in steps}:
                    minor = f" (or {CLASS_NAMES[(root + 9) % 12]} minor)" if name == "major" else ""
                    return f"{CLASS_NAMES[root]} {name}{minor}"
    return ",".join(map(str, sorted(wanted)))
