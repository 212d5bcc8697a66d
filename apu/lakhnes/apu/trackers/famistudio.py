"""Scores as FamiStudio's text, with the tempo of FamiTracker: rows, delays and cuts.

The header says no version: FamiStudio reads texts of its own version only, or of none.
Source: FamiStudio's documentation, "Exporting and importing".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lakhnes.apu.instruments import Instrument, InstrumentSet
from lakhnes.apu.register_log import Tags
from lakhnes.apu.trackers.rows import CHANNELS, NAMES, Cell, TrackerRows, rows_of
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.time.grid import BeatGrid

CHANNEL_NAMES = {Voice.P1: "Square1", Voice.P2: "Square2", Voice.TR: "Triangle", Voice.NO: "Noise"}

NOISE_OFFSET = 31
"""Semitones from C0 to the note of the lowest noise: of its number, one higher, the low four bits count."""

_RELEASE_ROWS = 4  # that a released note may last


def famistudio_text(
    score: Score,
    grid: BeatGrid | None,
    instruments: InstrumentSet,
    tags: Tags,
    *,
    loop_bar: int | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Write a score as FamiStudio's text; arguments and result as for `famitracker_text`."""
    made = rows_of(score, grid, instruments, "FamiStudio", loops=loop_bar is not None)
    project = {
        "TempoMode": "FamiTracker",
        "Name": tags.shown_title,
        "Author": tags.shown_author,
        "Copyright": tags.licence,
        "Provenance": tags.record,  # of our own; FamiStudio skips attributes that it does not know
    }
    lines = [_line(0, "Project", project)]
    for name, instrument in made.instruments:
        lines.append(_line(1, "Instrument", {"Name": name}))
        lines += _envelopes(instrument)
    lines += _song(made, loop_bar)
    remarks = list(made.remarks)
    if any(effect[0] == "F" for row in made.sheet.rows for effect in row[CHANNELS - 1].effects):
        remarks.append("FamiStudio's text has no changes of tempo; the first one stays.")
    return "\n".join((*lines, "")), tuple(remarks)


def _line(depth: int, kind: str, attributes: Mapping[str, object]) -> str:
    """Return a line; attributes without a text are left out."""
    texts = ((key, " ".join(str(value).split()).replace('"', '""')) for key, value in attributes.items())
    return "\t" * depth + kind + "".join(f' {key}="{text}"' for key, text in texts if text)


def _envelopes(instrument: Instrument) -> Iterator[str]:
    """Yield the volume and duty envelopes of an instrument."""
    if instrument.volume is not None or instrument.release:
        held = instrument.volume.values if instrument.volume else (15,)
        values = (*held, *instrument.release, 0) if instrument.release else held
        loop = instrument.volume.loop if instrument.volume else None
        if instrument.release and loop is None:
            loop = len(held) - 1  # it is held there until its release
        release = len(held) if instrument.release else None
        yield _envelope("Volume", values, loop, release)
    if instrument.timbre is not None:
        yield _envelope("DutyCycle", instrument.timbre.values, instrument.timbre.loop, None)


def _envelope(kind: str, values: tuple[int, ...], loop: int | None, release: int | None) -> str:
    attributes: dict[str, object] = {"Type": kind, "Length": len(values)}
    attributes |= {} if loop is None else {"Loop": loop}
    attributes |= {} if release is None else {"Release": release}
    return _line(2, "Envelope", {**attributes, "Values": ",".join(map(str, values))})


def _song(made: TrackerRows, loop_bar: int | None) -> Iterator[str]:
    rows = made.sheet.rows
    length = made.pattern_rows(loop_bar)
    count = -(-len(rows) // length)
    song = {
        "Name": "Song",
        "Length": count,
        "LoopPoint": -1 if loop_bar is None else loop_bar * made.bar_rows // length,
        "PatternLength": length,
        "BeatLength": 4,
        "FamiTrackerTempo": made.tempo,
        "FamiTrackerSpeed": made.speed,
    }
    yield _line(1, "Song", song)
    if rest := len(rows) % length:
        yield _line(2, "PatternCustomSettings", {"Time": count - 1, "Length": rest})
    for voice, channel in CHANNEL_NAMES.items():
        yield _line(2, "Channel", {"Type": channel})
        names = [name for name, _ in made.instruments]
        notes = list(_notes([row[voice] for row in rows], voice, names))
        known: dict[tuple[str, ...], str] = {}
        order = []
        for first in range(0, count * length, length):
            here = [(row - first, note) for row, note in notes if 0 <= row - first < length]
            inside = tuple(_line(4, "Note", {"Time": time, **note}) for time, note in here)
            order.append(known.setdefault(inside, f"Pattern {len(known) + 1}"))
        for lines, name in known.items():
            yield _line(3, "Pattern", {"Name": name})
            yield from lines
        for number, name in enumerate(order):
            yield _line(3, "PatternInstance", {"Time": number, "Pattern": name})


def _notes(cells: list[Cell], voice: Voice, names: list[str]) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield row and attributes of each note and change of a channel."""
    begins = [row for row, cell in enumerate(cells) if cell.begins]
    after = dict(zip(begins, [*begins[1:], len(cells)], strict=False))
    for row, cell in enumerate(cells):
        said: dict[str, object] = {}
        values = {effect[0]: int(effect[1:], 16) for effect in cell.effects}
        if cell.begins:
            until = after[row]
            ends = (at for at in range(row + 1, until) if cells[at].note in ("---", "==="))
            end = next(ends, until)
            said = {"Value": _name(cell.note, voice), "Duration": end - row}
            if end < until and cells[end].note == "===":
                said |= {"Duration": min(until, end + _RELEASE_ROWS) - row, "Release": end - row}
            elif end < until and any(effect[0] == "G" for effect in cells[end].effects):
                said["Duration"] = end + 1 - row  # cut in that row
            said["Instrument"] = names[int(cell.instrument, 16)]
        elif cell.note == "---" and "G" in values:
            said["CutDelay"] = values.pop("G")
        if cell.volume != ".":
            said["Volume"] = int(cell.volume, 16)
        if "V" in values:
            said["DutyCycle"] = values["V"]
        if cell.begins and "G" in values:
            said["NoteDelay"] = values["G"]
        if "S" in values:
            said["CutDelay"] = values["S"] + (values.get("G", 0) if cell.begins else 0)
        if said:
            yield row, said


def _name(note: str, voice: Voice) -> str:
    """Return the name of a note in FamiStudio."""
    if voice is Voice.NO:
        offset = NOISE_OFFSET + int(note[0], 16)
        return f"{NAMES[offset % 12].rstrip('-')}{offset // 12}"
    return note.replace("-", "")


__all__ = ["CHANNEL_NAMES", "NOISE_OFFSET", "famistudio_text"]
