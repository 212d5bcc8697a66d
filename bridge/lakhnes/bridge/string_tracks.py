"""Guitars and basses with a track for each string, as hexaphonic pickups and tablature write them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from lakhnes.bridge.lines import Line
from lakhnes.bridge.monophony import share_alone
from lakhnes.bridge.smf import Track

_GUITARS = ((40, 45, 50, 55, 59, 64), (35, 40, 45, 50, 55, 59, 64), (30, 35, 40, 45, 50, 55, 59, 64))
"""MIDI pitches of the open strings of guitars of six, seven and eight strings, the lowest first."""
_BASSES = ((28, 33, 38, 43), (23, 28, 33, 38, 43), (23, 28, 33, 38, 43, 48))
"""The same of basses of four, five and six strings."""
_LETTERS = (
    *("eadgbe", "eadghe", "dadgbe", "dadgad", "dgdgbd", "dadfad", "beadgbe", "dgcfad"),
    *("eadg", "dadg", "beadg", "beadgc"),
)
"""What open strings are called, the lowest first."""
_FRETS = 24
_RETUNED = 12
"""Semitones by which an instrument may be tuned differently: a capo, or a part written an octave away."""
_DROPPED = 2
"""Semitones by which single strings may be tuned lower."""

_BASS_PROGRAMS = range(32, 40)

_ALONE = 0.9
"""Share of notes that a string plays one after the other; the rest are releases that come late."""

_BY_LETTER = re.compile(
    r"(?P<stem>.*?)\W*\b((low|high|lo|hi|top|bottom)\W*)?(?P<string>[a-h])([#b]|es)?(-?\d)?(\W*string)?\W*",
    re.IGNORECASE,
)
_BY_NUMBER = re.compile(
    r"(?P<stem>.*?)[\W_]*(str(ing|\.)?)?[\W_]*(?P<string>\d{1,2})(st|nd|rd|th)?(\W*str(ing|\.)?)?\W*",
    re.IGNORECASE,
)


class _StringName(NamedTuple):
    """What a track's name may say of a string."""

    kind: str
    """`letter`, `number`, or `same` where all strings have one name."""
    stem: str
    """The rest of the name, which is the instrument's."""
    string: str
    """The string's letter or number."""


class _String(NamedTuple):
    """A track that may be a string."""

    name: str
    """Its letter or number."""
    line: Line | None
    """What it plays; None for a string that the piece leaves out."""


def string_groups(
    lines: Sequence[Line], tracks: Sequence[Track], is_plucked: Callable[[Line], bool]
) -> list[list[Line]]:
    """Return the lines that are strings of one instrument, a list for each instrument.

    They are where the tracks of an instrument have one program, one line each, and names that differ in the
    number or the letter of a string, or not at all; where each plays one note after the other; and where all
    notes lie on the frets of a guitar or bass with as many strings in that order. Most strings must be
    played: two of six tracks may as well be two players.

    Args:
        lines: of a file, in the order of its tracks.
        tracks: of the file.
        is_plucked: whether a line is a guitar, a bass or the like, by its program or its name.
    """
    by_track = {line.track: line for line in lines if line.alone}
    groups: defaultdict[tuple[str, str], list[_String]] = defaultdict(list)
    for index, track in enumerate(tracks):
        line = by_track.get(index)
        if track.notes and (line is None or line.drums):
            continue
        for name in _readings(track.name):
            named = name.kind == "letter" and not name.stem and line is not None and not line.program
            if line is None or named or is_plucked(line):
                groups[name.kind, name.stem.casefold()].append(_String(name.string, line))
    found: list[list[Line]] = []
    for (kind, _), group in groups.items():
        for strings in _by_program(group):
            played = [string.line for string in strings if string.line is not None]
            taken = any(line is other for line in played for its in found for other in its)
            if not taken and _is_one(strings, kind):
                found.append(played)
    return found


def _by_program(group: Sequence[_String]) -> Iterator[list[_String]]:
    """The strings of a group that have one program: with those that nobody plays, and without."""
    for program in dict.fromkeys(string.line.program for string in group if string.line is not None):
        strings = [s for s in group if s.line is None or s.line.program == program]
        yield strings
        yield [string for string in strings if string.line is not None]


def name_of_strings(names: Sequence[str]) -> str:
    """Return the name of an instrument whose strings have a track each: what their names have in common."""
    common = set.intersection(*({(name.kind, name.stem) for name in _readings(its)} for its in names))
    return max((stem for _, stem in common), key=len, default="") or " ".join(filter(None, names))


def _readings(name: str) -> Iterator[_StringName]:
    """Every way in which a name may be a string's."""
    name = name.strip()
    for kind, pattern in (("letter", _BY_LETTER), ("number", _BY_NUMBER)):
        if match := pattern.fullmatch(name):
            yield _StringName(kind, match["stem"].rstrip(" -_#.,:(["), match["string"])
    yield _StringName("same", name, "")


def _is_one(strings: Sequence[_String], kind: str) -> bool:
    """Whether strings are those of one instrument, by their names and what they play."""
    played = [string.line for string in strings if string.line is not None]
    if 2 * len(played) <= len(strings):
        return False
    if kind == "number":
        strings = sorted(strings, key=lambda string: int(string.name))
        numbers = [int(string.name) for string in strings]
        if any(after != before + 1 for before, after in pairwise(numbers)):
            return False
    elif kind == "letter":
        letters = "".join(string.name.lower() for string in strings)
        if letters not in _LETTERS and letters[::-1] not in _LETTERS:
            return False
    lines = [string.line for string in strings]
    program = played[0].program
    tunings = (*_GUITARS, *_BASSES) if not program else _BASSES if program in _BASS_PROGRAMS else _GUITARS
    fits = any(_fits(order, tuning) for order in (lines, lines[::-1]) for tuning in tunings)
    return fits and all(share_alone(line.notes) >= _ALONE for line in played)


def _fits(strings: Sequence[Line | None], tuning: Sequence[int]) -> bool:
    """Whether each line lies on a string of an instrument, from the lowest to the highest."""
    if len(strings) != len(tuning):
        return False
    played = [
        (open_string, [note.pitch for note in line.notes])
        for open_string, line in zip(tuning, strings, strict=True)
        if line is not None
    ]
    means = [fmean(pitches) for _, pitches in played]
    if any(lower >= higher for lower, higher in pairwise(means)):
        return False
    return any(
        all(
            min(pitches) >= open_string + shift - _DROPPED and max(pitches) <= open_string + shift + _FRETS
            for open_string, pitches in played
        )
        for shift in range(-_RETUNED, _RETUNED + 1)
    )


__all__ = ["name_of_strings", "string_groups"]
