"""Scales by name, as pitch classes."""

from __future__ import annotations

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


def parse_scale(text: str) -> frozenset[int]:
    """Reads a scale as pitch classes 0..11.

    Args:
        text: root and name, such as `a minor`, `F# dorian` or `Bb major-pentatonic`, or pitch classes, such
            as `0,2,4,7,9`.

    Raises:
        OptionError: if it is neither.
    """
    words = text.strip().lower().split(maxsplit=1)
    numbers = text.replace(",", " ").split()
    if numbers and all(number.isdecimal() and int(number) < 12 for number in numbers):
        return frozenset(map(int, numbers))
    name = words[1].replace(" ", "-") if len(words) == 2 else "major"
    letter, accidentals = (words[0][0], words[0][1:]) if words else ("", "")
    if letter not in NOTE_NAMES or set(accidentals) - {"#", "b"} or name not in SCALES:
        raise OptionError(
            f"{text!r} is no scale: give a root and a name, such as 'a minor', or pitch classes, such as "
            f"'0,2,4,7,9'. Names are {', '.join(SCALES)}."
        )
    root = NOTE_NAMES[letter] + accidentals.count("#") - accidentals.count("b")
    return frozenset((root + step) % 12 for step in SCALES[name])
