"""Which lines of a file a user gives to which voice: `P1=Flute,TR=3`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lakhnes.bridge.lines import Line
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import Voice

NOTHING = "none"
"""What a voice is given that is to be silent."""

_BEGINNING = re.compile(rf",\s*(?=(?:{'|'.join(Voice.__members__)})\s*=)", re.IGNORECASE)


def lines_of_voices(text: str, lines: Sequence[Line]) -> dict[Voice, list[Line]]:
    """Reads what voices are to play.

    Args:
        text: such as `P1=Flute,TR=3,NO=4+5,P2=none`: the names or numbers of tracks.
        lines: of the file, with their numbers.

    Raises:
        OptionError: for a voice or a track that there is not, or a name that several have.
    """
    chosen: dict[Voice, list[Line]] = {}
    for item in _BEGINNING.split(text.strip()):
        name, equals, wanted = item.partition("=")
        name, wanted = name.strip().upper(), wanted.strip()
        if not equals or name not in Voice.__members__ or not wanted:
            raise OptionError(f"{item!r} gives no track to a voice; write it as 'P1=Flute,TR=3'.")
        if Voice[name] in chosen:
            raise OptionError(f"{text!r} gives two tracks to {name}; join them as '{name}=1+2'.")
        chosen[Voice[name]] = [] if wanted.casefold() == NOTHING else _found(wanted, lines)
    return chosen


def numbered(text: str, lines: Sequence[Line]) -> str:
    """Return what voices are to play in another form: all tracks by their numbers.

    Args:
        text: as `lines_of_voices` reads it.
        lines: of the file, with their numbers.

    Raises:
        OptionError: as `lines_of_voices` does.
    """
    chosen = lines_of_voices(text, lines).items()
    tracks = {voice.name: "+".join(str(line.number) for line in given) or NOTHING for voice, given in chosen}
    return ",".join(f"{name}={numbers}" for name, numbers in tracks.items())


def _found(wanted: str, lines: Sequence[Line]) -> list[Line]:
    """The lines that a name or a number means; several are joined by plus signs."""
    whole = _named(wanted, lines)
    if whole is not None:
        return [whole]
    found = [_named(part.strip(), lines) for part in wanted.split("+")]
    if None in found:
        there = ", ".join(f"{line.number} {line.label}" for line in lines) or "none with notes"
        raise OptionError(f"There is no track {wanted!r}; the file has {there}.")
    return [line for line in found if line is not None]


def _named(wanted: str, lines: Sequence[Line]) -> Line | None:
    """The line of a number or name, or of a part of a name."""
    name = wanted.casefold()
    for fits in (
        [line for line in lines if str(line.number) == wanted],
        [line for line in lines if line.name.casefold() == name],
        [line for line in lines if name and name in line.name.casefold()],
    ):
        if len(fits) > 1:
            numbers = ", ".join(f"{line.number} {line.label}" for line in fits)
            raise OptionError(f"{wanted!r} may be one of {len(fits)} tracks; give its number: {numbers}.")
        if fits:
            return fits[0]
    return None


__all__ = ["NOTHING", "lines_of_voices", "numbered"]
