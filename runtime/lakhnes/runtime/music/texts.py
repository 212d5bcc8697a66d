"""TX1 and TX2 texts, read and written."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.music.events import MAX_SAMPLES, Event, Kind, parse_event
from lakhnes.runtime.music.score import Score, events_of_score, rank, score_from_events
from lakhnes.runtime.reading import read_at_most, reading

MAX_TEXT_BYTES = 8 << 20
"""Largest text of music, in bytes."""

_ENCODINGS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def parse_text(text: str, source: str | Path = "text") -> list[Event]:
    """Read the events of a TX1 or TX2 text, strictly.

    Args:
        text: one event per line; blank lines are ignored.
        source: its name in errors.

    Raises:
        FormatError: with source, line and reason.
    """
    events: list[Event] = []
    length = 0
    for number, line in enumerate(text.split("\n"), start=1):
        word = line.strip()
        if not word:
            continue
        try:
            event = parse_event(word)
        except ValueError as error:
            raise FormatError(source, str(error), line=number) from None
        if event.kind is Kind.END:
            raise FormatError(source, "<S> does not belong in a text; remove the line", line=number)
        length += event.value if event.kind is Kind.WAIT else 0
        if length > MAX_SAMPLES:
            raise FormatError(source, "longer than a day; check its waits", line=number)
        events.append(event)
    return events


def read_text(path: str | Path) -> Score:
    """Read a TX1 or TX2 file.

    Raises:
        FormatError: if it is not text, has a line that is no event, or no event at all.
    """
    return score_from_text(read_text_bytes(path), path)


def read_text_bytes(path: str | Path) -> bytes:
    """Return the content of a text of music.

    Raises:
        FormatError: if it is too long or cannot be read.
    """
    with reading(path, FormatError, "Give a shorter text"):
        return read_at_most(Path(path), MAX_TEXT_BYTES)


def decode_text(data: bytes, errors: str = "strict") -> str:
    """Return a text in UTF-8, or in the UTF-16 that its first two bytes announce, as some editors save it.

    Args:
        data: its content.
        errors: how to decode what is damaged, as in `bytes.decode`.

    Raises:
        ValueError: if it is no text, with the place.
    """
    mark = next((mark for mark in _ENCODINGS if data.startswith(mark)), b"")
    text = data[len(mark) :].decode(_ENCODINGS.get(mark, "utf-8"), errors)
    if (place := text.find("\0")) >= 0:
        raise ValueError(f"character {place + 1} is 0")
    return text


def score_from_text(data: bytes, source: str | Path = "text") -> Score:
    """Read the content of a TX1 or TX2 file.

    Args:
        data: UTF-8, or UTF-16 with its mark.
        source: its name in errors.

    Raises:
        FormatError: if it is not text, has a line that is no event, or no event at all.
    """
    try:
        text = decode_text(data)
    except ValueError as error:
        reason = f"byte {error.start}" if isinstance(error, UnicodeDecodeError) else str(error)
        raise FormatError(source, f"not a text ({reason}); give a text in UTF-8") from None
    events = parse_text(text.replace("\r\n", "\n").replace("\r", "\n"), source)
    if not events:
        raise FormatError(source, "empty; a TX1 or TX2 file has one event a line")
    return score_from_events(_settled(events))


def _settled(events: list[Event]) -> Iterator[Event]:
    """Yield events; those at one sample in the order of LakhNES: volumes and timbres after notes."""
    for _, moment in groupby(events, lambda event: event.kind is Kind.WAIT):
        yield from sorted(moment, key=rank)


def tx1_text(score: Score) -> str:
    """Return a score as TX1: notes without dynamics.

    As in LakhNES's files, no line feed ends the last line.
    """
    return "\n".join(map(str, events_of_score(score, expression=False)))


def tx2_text(score: Score) -> str:
    """Return a score as TX2: with velocity and timbre."""
    return "\n".join(map(str, events_of_score(score, expression=True)))
