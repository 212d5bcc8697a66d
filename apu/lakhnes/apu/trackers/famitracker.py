"""Scores as FamiTracker's text export, which its successors and FamiStudio read too.

Instruments become envelopes of volume and duty; see `rows` for the rest.
Source: text exports of FamiTracker 0.4.6; its manual on effects and on tempo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lakhnes.apu.instruments import Instrument, InstrumentSet
from lakhnes.apu.register_log import Tags
from lakhnes.apu.trackers.rows import CHANNELS, Cell, TrackerRows, rows_of
from lakhnes.runtime.errors import MusicError
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.time.grid import BeatGrid

_MAX_PATTERNS, _MAX_ROWS = 128, 256
_VOLUME_MACRO, _DUTY_MACRO = 0, 4
_LAST_EFFECT = 3  # of the four that a cell has


def famitracker_text(
    score: Score,
    grid: BeatGrid | None,
    instruments: InstrumentSet,
    tags: Tags,
    *,
    loop_bar: int | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Write a score as a text export.

    Args:
        score: any.
        grid: its beats; None for rows of six frames.
        instruments: how its notes are played.
        tags: title, author and licence.
        loop_bar: the bar to which its end leads back, from 0; None if it ends.

    Returns:
        The text, and sentences about what the text cannot hold.

    Raises:
        MusicError: if the song is longer than the tracker's songs.
    """
    made = rows_of(score, grid, instruments, "FamiTracker", loops=loop_bar is not None)
    length = _pattern_rows(made, loop_bar)
    last = made.sheet.rows[-1][CHANNELS - 1]
    last.effects[_LAST_EFFECT:] = []
    last.effects.append("C00" if loop_bar is None else f"B{loop_bar * made.bar_rows // length:02X}")
    lines = (*_head(tags, made.instruments), *_track(made, length), "# End of export", "")
    return "\n".join(lines), tuple(made.remarks)


def _quoted(text: str) -> str:
    """Return a text as one line in quotation marks, with inner ones doubled."""
    return '"' + " ".join(text.split()).replace('"', '""') + '"'


def _head(tags: Tags, names: Sequence[tuple[str, Instrument]]) -> Iterator[str]:
    yield "# FamiTracker text export 0.4.2"
    yield ""
    for key, text in (
        ("TITLE", tags.shown_title),
        ("AUTHOR", tags.shown_author),
        ("COPYRIGHT", tags.licence),
    ):
        yield f"{key:15} {_quoted(text)}"
    yield f"COMMENT {_quoted(tags.record)}"
    yield from ("", "MACHINE 0", "FRAMERATE 0", "EXPANSION 0", "VIBRATO 1", "SPLIT 32", "")
    lines, numbers = [], {_VOLUME_MACRO: 0, _DUTY_MACRO: 0}
    for number, (name, instrument) in enumerate(names):
        used = {_VOLUME_MACRO: -1, _DUTY_MACRO: -1}
        for kind, macro in (
            (_VOLUME_MACRO, _volume_macro(instrument)),
            (_DUTY_MACRO, _duty_macro(instrument)),
        ):
            if macro:
                used[kind] = numbers[kind]
                yield f"MACRO {kind} {numbers[kind]} {macro}"
                numbers[kind] += 1
        lines.append(f"INST2A03 {number} {used[_VOLUME_MACRO]} -1 -1 -1 {used[_DUTY_MACRO]} {_quoted(name)}")
    yield from ("", *lines, "")


def _volume_macro(instrument: Instrument) -> str:
    """Return loop, release, setting and values of the volume envelope; empty without one."""
    if instrument.volume is None and not instrument.release:
        return ""
    held = instrument.volume.values if instrument.volume else (15,)
    loop = instrument.volume.loop if instrument.volume else None
    values = (*held, *instrument.release, 0) if instrument.release else held
    release = len(held) - 1 if instrument.release else -1
    return f"{-1 if loop is None else loop} {release} 0 : {' '.join(map(str, values))}"


def _duty_macro(instrument: Instrument) -> str:
    if instrument.timbre is None:
        return ""
    loop = -1 if instrument.timbre.loop is None else instrument.timbre.loop
    return f"{loop} -1 0 : {' '.join(map(str, instrument.timbre.values))}"


def _pattern_rows(made: TrackerRows, loop_bar: int | None) -> int:
    """Return the rows of a pattern: longer ones where there would be too many patterns."""
    length, n_rows = made.pattern_rows(loop_bar), len(made.sheet.rows)
    while n_rows > length * _MAX_PATTERNS and length * 2 <= _MAX_ROWS and not loop_bar:
        length *= 2
    if n_rows > length * _MAX_PATTERNS:
        raise MusicError(f"{n_rows} rows are too many for FamiTracker; cut the song.")
    return length


def _track(made: TrackerRows, length: int) -> Iterator[str]:
    """Yield the track's lines: patterns of whole bars, equal ones of a channel once."""
    sheet = made.sheet
    columns = [max(1, *(len(row[channel].effects) for row in sheet.rows)) for channel in range(CHANNELS)]
    blank = [Cell().text(count) for count in columns]
    patterns: list[dict[tuple[str, ...], int]] = [{} for _ in range(CHANNELS)]
    orders = []
    for first in range(0, len(sheet.rows), length):
        rows = sheet.rows[first : first + length]
        order = []
        for channel, known in enumerate(patterns):
            cells = tuple(row[channel].text(columns[channel]) for row in rows)
            cells += (blank[channel],) * (length - len(cells))
            order.append(known.setdefault(cells, len(known)))
        orders.append(order)
    yield f'TRACK {length} {made.speed} {made.tempo} "Song"'
    yield f"COLUMNS : {' '.join(map(str, columns))}"
    yield ""
    for number, order in enumerate(orders):
        yield f"ORDER {number:02X} : {' '.join(f'{pattern:02X}' for pattern in order)}"
    contents = [list(known) for known in patterns]
    for number in range(max(map(len, contents))):
        yield ""
        yield f"PATTERN {number:02X}"
        for row in range(length):
            cells_of = [
                content[number][row] if number < len(content) else blank[channel]
                for channel, content in enumerate(contents)
            ]
            yield f"ROW {row:02X} : {' : '.join(cells_of)}"
    yield ""


__all__ = ["famitracker_text"]
