"""MIDI files in and out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lakhnes.bridge.any_midi import score_from_midi
from lakhnes.bridge.daw_midi import daw_midi_bytes
from lakhnes.bridge.midi_grid import grid_of_midi
from lakhnes.bridge.nes_midi import nes_midi_bytes, score_from_nes_midi
from lakhnes.bridge.smf import load
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.time.grid import BeatGrid


class MidiStyle(StrEnum):
    """How a score is written."""

    DAW = "daw"
    """Named tracks on channels 1, 2, 3 and 10, audible velocities, General MIDI drums; 480 ticks a beat."""
    NES = "nes"
    """As NES-MDB: one tick a sample, the chip's own values; nothing is lost."""


@dataclass(frozen=True, slots=True)
class MidiImport:
    """A MIDI file as a score."""

    score: Score
    remarks: tuple[str, ...]
    """What became of the file's tracks, a sentence each; empty if it was a score of this kind already."""
    grid: BeatGrid | None = None
    """The file's own tempo and bars, where its notes keep them."""


def import_midi(path: str | Path) -> MidiImport:
    """Reads any MIDI file.

    A file in NES-MDB's manner is read as it is. Of any other the lines are assigned to the voices by track
    name, else by channel, else by pitch and drum role, and made monophonic.

    Raises:
        FormatError: if it is empty, cut off, broken or no MIDI file.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    midi = load(path)
    score = score_from_nes_midi(midi)
    if score is not None:
        return MidiImport(score, ())
    try:
        return MidiImport(*score_from_midi(midi), grid_of_midi(midi))
    except ValueError as error:
        raise FormatError(path, str(error)) from None


def read_midi(path: str | Path) -> Score:
    """Reads any MIDI file; see `import_midi`."""
    return import_midi(path).score


def midi_bytes(score: Score, style: MidiStyle = MidiStyle.DAW, grid: BeatGrid | None = None) -> bytes:
    """A score as the content of a MIDI file, on a grid where style and score have one."""
    return nes_midi_bytes(score) if style is MidiStyle.NES else daw_midi_bytes(score, grid)


def write_midi(
    score: Score, path: str | Path, style: MidiStyle = MidiStyle.DAW, grid: BeatGrid | None = None
) -> None:
    """Writes a score as a MIDI file, on a grid where style and score have one.

    Raises:
        OutputError: if it cannot be written; nothing is left behind.
    """
    write_whole(Path(path), midi_bytes(score, style, grid))
