"""MIDI files in and out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lakhnes.bridge.any_midi import in_one_time, score_from_midi
from lakhnes.bridge.daw_midi import daw_midi_bytes
from lakhnes.bridge.instruments import read_lines
from lakhnes.bridge.lines import Line
from lakhnes.bridge.midi_grid import grid_of_midi
from lakhnes.bridge.nes_midi import nes_midi_bytes, score_from_nes_midi
from lakhnes.bridge.smf import load
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.time.grid import BeatGrid

MIDI_ENDINGS = (".mid", ".midi", ".smf", ".kar", ".rmi", ".midi2", ".mid.gz", ".midi.gz")
"""Of files that `import_midi` reads; what is in them counts, not the ending."""


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
    """What is damaged, and what became of the file's tracks, a sentence each; none on a file of ours."""
    grid: BeatGrid | None = None
    """The file's own tempi, meters and keys; None where it states none, and its notes keep to no beat."""
    texts: tuple[str, ...] = ()
    """Texts at its beginning."""


def import_midi(path: str | Path, voices: str = "", *, arpeggio: bool = False) -> MidiImport:
    """Reads any MIDI file.

    A file in NES-MDB's manner is read as it is. Of any other the lines are assigned to the voices: as it is
    wanted, else by the chip's names, else by their musical role; and made monophonic.

    Args:
        path: the file.
        voices: which tracks voices are to play, such as `P1=Flute,TR=3`; empty for what seems best.
        arpeggio: whether a chord part that has one voice becomes an arpeggio at the rate of frames.

    Raises:
        FormatError: if no music can be read from it.
        OptionError: if a voice is to play a track that there is not.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    midi = load(path)
    texts = tuple(text for track in midi.tracks for text in track.texts)
    score = None if voices else score_from_nes_midi(midi)
    if score is not None:
        return MidiImport(score, (), texts=texts)
    try:
        score, remarks = score_from_midi(midi, voices, arpeggio=arpeggio)
        return MidiImport(score, remarks, grid_of_midi(in_one_time(midi)), texts)
    except ValueError as error:
        raise FormatError(path, str(error)) from None


def midi_lines(path: str | Path) -> list[Line]:
    """The tracks of a MIDI file that have notes, one for each channel, with the numbers that users give.

    Raises:
        FormatError: if no music can be read from it.
        OSError: if it cannot be opened.
    """
    return read_lines(in_one_time(load(Path(path))))[0]


def read_midi(path: str | Path) -> Score:
    """Reads any MIDI file; see `import_midi`."""
    return import_midi(path).score


def midi_bytes(
    score: Score, style: MidiStyle = MidiStyle.DAW, grid: BeatGrid | None = None, *, text: str = ""
) -> bytes:
    """A score as the content of a MIDI file, on a grid where style and score have one.

    Args:
        score: any score.
        style: of the file.
        grid: where the score's beats lie.
        text: a text event at the beginning of the first track, such as `Provenance.to_text`; empty for none.
    """
    if style is MidiStyle.NES:
        return nes_midi_bytes(score, text=text)
    return daw_midi_bytes(score, grid, text=text)


def write_midi(
    score: Score, path: str | Path, style: MidiStyle = MidiStyle.DAW, grid: BeatGrid | None = None
) -> None:
    """Writes a score as a MIDI file, on a grid where style and score have one.

    Raises:
        OutputError: if it cannot be written; nothing is left behind.
    """
    write_whole(Path(path), midi_bytes(score, style, grid))
