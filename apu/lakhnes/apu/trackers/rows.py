"""Scores as the rows of a tracker.

A row is a sixteenth. Notes between rows are delayed (Gxx), those that end in their row are cut (Sxx); volumes
stand in the volume column, duties are effects (Vxx), tempi too (Fxx).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from lakhnes.apu.instruments import Instrument, InstrumentSet
from lakhnes.runtime.music.events import SAMPLE_RATE, Kind, Voice
from lakhnes.runtime.music.score import Note, Score
from lakhnes.runtime.time.grid import PPQ, BeatGrid

USUAL_BPM = 150.0
"""Tempo at which a row has six frames: of songs without one of their own."""

LOWEST = {Voice.P1: 24, Voice.P2: 24, Voice.TR: 12}
"""MIDI pitch of C-0; the triangle sounds an octave below the pulses."""

NAMES = ("C-", "C#", "D-", "D#", "E-", "F-", "F#", "G-", "G#", "A-", "A#", "B-")
TEMPI = range(32, 256)
"""Tempi that the tracker has."""

_HIGHEST_OFFSET = 95  # B-7
_ROW_TICKS = PPQ // 4
_SPEEDS = (6, 3, 12)  # frames of a row at a tempo of 150
CHANNELS = 5
"""Channels of the console, the DMC's too."""
_MAX_EFFECTS = 4


@dataclass(slots=True)
class Cell:
    """A channel's place in a row."""

    note: str = "..."
    instrument: str = ".."
    volume: str = "."
    effects: list[str] = field(default_factory=list)
    delay: int = 0
    """Frames by which the note is late."""

    @property
    def begins(self) -> bool:
        """Return whether a note begins in it."""
        return self.note not in ("...", "---", "===")

    def text(self, columns: int) -> str:
        """Return the cell as text."""
        effects = [*self.effects, *["..."] * (columns - len(self.effects))]
        return " ".join((self.note, self.instrument, self.volume, *effects))


class Sheet:
    """Rows that are filled.

    Attributes:
        rows: [row][channel]
        lost: what the rows cannot hold, with counts.
    """

    def __init__(self, n_rows: int, frames_of_a_row: float, *, loops: bool) -> None:
        self.rows = [[Cell() for _ in range(CHANNELS)] for _ in range(n_rows)]
        self.lost: dict[str, int] = {}
        self._frames, self._loops = frames_of_a_row, loops

    def place(self, row: float) -> tuple[int, int]:
        """Return the row and the frames after it."""
        whole = int(row)
        delay = round((row - whole) * self._frames)
        if delay >= self._frames - 0.5:
            whole, delay = whole + 1, 0
        if whole >= len(self.rows):
            whole, delay = len(self.rows) - 1, max(0, int(self._frames) - 1)
        return whole, delay

    def ends_with_song(self, row: float) -> bool:
        """Return whether something ends only because the song does."""
        return not self._loops and row >= len(self.rows) - 0.5 / self._frames

    def lose(self, what: str) -> None:
        """Count something that rows cannot hold."""
        self.lost[what] = self.lost.get(what, 0) + 1

    def add_effect(self, cell: Cell, effect: str) -> None:
        """Add an effect if there is room."""
        if len(cell.effects) < _MAX_EFFECTS:
            cell.effects.append(effect)
        else:
            self.lose("effects")


class TrackerRows(NamedTuple):
    """A song in rows."""

    sheet: Sheet
    speed: int
    """Frames of a row at a tempo of 150."""
    tempo: int
    bar_rows: int
    instruments: list[tuple[str, Instrument]]
    remarks: list[str]
    """Sentences about what the rows cannot hold."""

    def pattern_rows(self, loop_bar: int | None) -> int:
        """Return a pattern's rows: whole bars, up to 64 rows, with a pattern start at the loop."""
        most = max(1, 64 // self.bar_rows)
        return self.bar_rows * next(bars for bars in range(most, 0, -1) if not (loop_bar or 0) % bars)


def rows_of(
    score: Score, grid: BeatGrid | None, instruments: InstrumentSet, tracker: str, *, loops: bool = False
) -> TrackerRows:
    """Put a score into rows.

    Args:
        score: any.
        grid: its beats; None for rows of six frames.
        instruments: how its notes are played.
        tracker: its name, for remarks.
        loops: whether the song's end leads into its beginning.
    """
    grid, instruments = grid or BeatGrid.steady(USUAL_BPM), instruments.beside(score.parts)
    few = grid.in_few_tempi()
    tempi = [tempo for tempo in few.tempi if tempo[0] < grid.tick(score.length)] or [few.tempi[0]]
    slowest, fastest = (pick(bpm for _, bpm in tempi) for pick in (min, max))
    fitting = (s for s in _SPEEDS if slowest * s / 6 >= TEMPI[0] - 0.5 and fastest * s / 6 < TEMPI[-1] + 0.5)
    speed = next(fitting, _SPEEDS[0])
    lead = grid.lead_ticks
    start = grid.exact_tick(0) if not lead else -lead
    n_rows = max(1, -(-round((grid.exact_tick(score.length) - start) * 100) // (100 * _ROW_TICKS)))
    sheet = Sheet(n_rows, 6 * USUAL_BPM / tempi[0][1], loops=loops)

    def row_of(sample: int) -> float:
        return max(0.0, (grid.exact_tick(sample) - start) / _ROW_TICKS)

    for voice in Voice:
        _fill(sheet, voice, score, instruments, row_of)
    tempo_of = [min(TEMPI[-1], max(TEMPI[0], round(bpm * speed / 6))) for _, bpm in tempi]
    for (tick, _), tempo in list(zip(tempi, tempo_of, strict=True))[1:]:
        row, _ = sheet.place(max(0.0, (tick - start) / _ROW_TICKS))
        sheet.add_effect(sheet.rows[row][CHANNELS - 1], f"F{tempo:02X}")
    remarks = _remarks(sheet, instruments, tracker, (tempi[0][1], tempo_of[0] * 6 / speed))
    bar_rows = max(1, grid.bar_ticks // _ROW_TICKS)
    return TrackerRows(sheet, speed, tempo_of[0], bar_rows, _instruments_of(instruments), [*remarks])


def _remarks(
    sheet: Sheet, instruments: InstrumentSet, tracker: str, tempi: tuple[float, float]
) -> Iterator[str]:
    bpm, told_bpm = tempi
    if abs(bpm - told_bpm) >= 0.05:
        yield f"{tracker}'s tempo is {told_bpm:g} rather than {bpm:.1f} BPM."
    for what, count in sheet.lost.items():
        yield f"{tracker}'s rows have no room for {count} {what}."
    pulses = (instruments.p1, instruments.p2, instruments.tr)
    if any(instrument.vibrato or instrument.slide for instrument in pulses):
        yield f"Vibrato and slides of the instruments are left out in {tracker}'s text."


def _instruments_of(instruments: InstrumentSet) -> list[tuple[str, Instrument]]:
    """Return the instruments with their names, in order."""
    drums = [(f"Noise {number}", drum.instrument) for number, drum in enumerate(instruments.no, 1)]
    return [("Pulse 1", instruments.p1), ("Pulse 2", instruments.p2), ("Triangle", instruments.tr), *drums]


def _fill(
    sheet: Sheet,
    voice: Voice,
    score: Score,
    instruments: InstrumentSet,
    row_of: Callable[[int], float],
) -> None:
    """Put a voice's part into its channel."""
    part = score.parts[voice]
    for note in part.notes:
        row, delay = sheet.place(row_of(note.onset))
        cell = sheet.rows[row][voice]
        if cell.begins:
            sheet.lose("notes")
            continue
        instrument = instruments.of(voice, note.pitch)
        number = int(voice)
        if voice is Voice.NO:
            number += next(i for i, drum in enumerate(instruments.no) if note.pitch <= drum.highest)
        cell.note, cell.instrument, cell.delay = name_of_note(voice, note.pitch), f"{number:02X}", delay
        cell.effects[:] = [effect for effect in cell.effects if effect[0] not in "GS"]
        if voice is not Voice.TR:
            cell.volume = f"{note.velocity:X}"
        if delay:
            sheet.add_effect(cell, f"G{delay:02X}")
        _end(sheet, voice, note, instrument, row_of(_end_of(note, instrument)), row)
    for change in part.changes:
        row, delay = sheet.place(row_of(change.sample))
        cell = sheet.rows[row][voice]
        if change.kind is Kind.TIMBRE:
            cell.effects[:] = [effect for effect in cell.effects if effect[0] != "V"]
            sheet.add_effect(cell, f"V{change.value:02X}")
        elif cell.volume == "." and cell.note == "...":
            cell.volume = f"{change.value:X}"
        else:
            sheet.lose("changes of volume")


def _end_of(note: Note, instrument: Instrument) -> int:
    gate = instrument.gate_frames
    return note.end if gate is None else min(note.end, note.onset + gate * SAMPLE_RATE // 60)


def _end(sheet: Sheet, voice: Voice, note: Note, instrument: Instrument, at: float, begun: int) -> None:
    """End a note, unless the next note does."""
    if sheet.ends_with_song(at):
        return
    row, delay = sheet.place(at)
    cell = sheet.rows[row][voice]
    if row == begun:
        sheet.add_effect(cell, f"S{max(1, delay - cell.delay):02X}")
        return
    cell.note = "===" if instrument.release else "---"
    if delay:
        sheet.add_effect(cell, f"G{delay:02X}")


def name_of_note(voice: Voice, pitch: int) -> str:
    """Return a note as rows write it, moved by octaves if the tracker lacks it.

    Args:
        voice: any.
        pitch: MIDI pitch; for the noise 1 to 16.
    """
    if voice is Voice.NO:
        return f"{pitch - 1:X}-#"
    offset = pitch - LOWEST[voice]
    while offset < 0:
        offset += 12
    while offset > _HIGHEST_OFFSET:
        offset -= 12
    return f"{NAMES[offset % 12]}{offset // 12}"


__all__ = [
    "CHANNELS",
    "LOWEST",
    "NAMES",
    "TEMPI",
    "USUAL_BPM",
    "Cell",
    "Sheet",
    "TrackerRows",
    "name_of_note",
    "rows_of",
]
