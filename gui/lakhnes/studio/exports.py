"""Songs out of the app: into files of every kind, and into small MIDI files for a DAW."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from lakhnes.apu.instruments import mixed_set
from lakhnes.apu.sound_files import SPREAD, SoundSettings
from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import BeatGrid, OptionError, OutputError, Score, Voice, retimed
from lakhnes.runtime.files import write_all
from lakhnes.runtime.music.editing import extract
from lakhnes.studio.file_names import check_outputs, written_files
from lakhnes.studio.music_files import Forms, Music, write_music
from lakhnes.studio.state import SongState


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The content and form of an exported file."""

    path: Path
    """Its ending says which of `WRITTEN` in `file_formats` it is."""
    voices: frozenset[Voice] | None = None
    """Those that are in it; None for those that are heard."""
    span: tuple[int, int] | None = None
    """First tick and the one after the last; None for the whole song."""
    exact: bool = False
    """Whether a MIDI file has one tick a sample and the chip's own values, rather than what DAWs expect."""
    raw_timing: bool = False
    """Whether a MIDI file for DAWs keeps every sample, rather than bars and beats."""
    sample_rate: int = 44_100
    """Sample rate of a sound file in Hz: 44100, 48000 or 96000."""
    bits: int = 24
    """Bits per sample of a sound file: 24, or 16 with dither."""
    stereo: bool = False
    """Whether a sound file has two channels, with the voices spread a little."""
    stems: bool = False
    """Whether each voice gets a sound file of its own."""
    loops: bool = False
    """Whether the end leads into the beginning: a file that can say so does; other sound has `passes`."""
    passes: int = 1
    """How often a loop is played in a sound file."""
    fade_seconds: float = 0.0
    """How long the end of a sound file fades out."""
    provenance: bool = True
    """Whether the file says how the music was made, if its format has a place for it."""
    replaces: frozenset[Path] = frozenset()
    """Existing files that the user agreed to replace; no others are replaced."""


def playing(state: SongState) -> tuple[Score, BeatGrid]:
    """Return the song at its playback tempo, and its grid."""
    if state.bpm == state.composed_bpm:
        return state.score, state.grid
    return retimed(state.score, state.grid, state.bpm)


def heard(state: SongState) -> frozenset[Voice]:
    """Return the audible voices: not muted, and not excluded by a solo."""
    return frozenset(voice for voice in Voice if state.audible(voice))


def chosen(
    state: SongState, voices: Collection[Voice], span: tuple[int, int] | None
) -> tuple[Score, BeatGrid]:
    """Return some voices of a span at the playback tempo; the span's first tick is tick 0 of its grid.

    Args:
        state: the song.
        voices: the others are empty.
        span: first tick and the one after the last; None for the whole song.

    Raises:
        OptionError: if there is no music.
    """
    score, grid = playing(state)
    start, end = (0, score.length) if span is None else (grid.sample(span[0]), grid.sample(span[1]))
    start, end = max(0, start), min(end, score.length)
    if start < end:
        score = extract(score, (start, end), voices) if span else score.only(voices)
        if score.n_notes:
            return score, grid
    where = "in these bars" if span else "in the song yet"
    raise OptionError(f"These voices have no notes {where}. Compose some, or choose other voices.")


def export(
    state: SongState, request: ExportRequest, progress: Callable[[float], None], record: str = ""
) -> tuple[list[Path], tuple[str, ...]]:
    """Writes files, all of them or none.

    Args:
        state: the song.
        request: what is wanted.
        progress: takes how much of a sound file is done, 0..1.
        record: how the song was made, as `Provenance.to_text` says it; empty for nothing.

    Returns:
        The files, and remarks on what was left out in them.

    Raises:
        LakhnesError: if something cannot be made or written, or a file exists that may not be replaced.
    """
    check_outputs([request.path])
    refuse_to_replace(path for path in targets(request) if path not in request.replaces)
    voices = heard(state) if request.voices is None else request.voices
    score, grid = chosen(state, voices, request.span)
    p1, p2, tr, no = (voice.instrument for voice in state.voices)
    forms = Forms(
        midi=MidiStyle.NES if request.exact else MidiStyle.DAW,
        raw_timing=request.raw_timing,
        instruments=mixed_set((p1, p2, tr, no)),
        sound=SoundSettings(
            request.sample_rate,
            request.bits,
            pan=SPREAD if request.stereo and not request.stems else None,
            fade_seconds=request.fade_seconds,
            volumes=None if request.stems else _volumes(state),
        ),
        stems=request.stems,
        voices=voices,
        passes=request.passes,
        provenance=request.provenance,
    )
    music = Music(score, grid=grid, loops=request.loops, record=record)
    return write_music({request.path: music}, forms, progress=progress)


def targets(request: ExportRequest) -> list[Path]:
    """Return the files that an export writes."""
    return written_files(request.path, stems=request.stems, voices=request.voices)


def is_there(path: Path) -> bool:
    """Return whether a file exists; False where it cannot be looked up, as writing reports why."""
    return os.path.exists(path)  # unlike `Path.exists` it raises nothing


def refuse_to_replace(paths: Iterable[Path]) -> None:
    """Refuses to write over files.

    Raises:
        OutputError: if one of them exists.
    """
    for path in paths:
        if is_there(path):
            raise OutputError(f"{path} already exists and was not replaced. Choose another name.")


def write_for_daw(
    state: SongState,
    folder: Path,
    name: str,
    voices: Collection[Voice],
    span: tuple[int, int] | None,
    *,
    each: bool,
    record: str = "",
) -> list[Path]:
    """Writes what is dragged into a DAW.

    Args:
        state: the song.
        folder: an existing folder.
        name: what the song is called.
        voices: those that are wanted.
        span: first tick and the one after the last; None for the whole song.
        each: a file for each voice that has notes, rather than one for all.
        record: how the song was made; empty for nothing.

    Returns:
        The files, in the order of the voices.

    Raises:
        OptionError: if there is no music.
        OutputError: if they cannot be written.
    """
    score, grid = chosen(state, voices, span)
    pieces = {f"{name}.mid": score}
    if each:
        pieces = {
            f"{name} {TRACK_NAMES[voice]}.mid": score.only((voice,))
            for voice in Voice
            if score.parts[voice].notes
        }
    files = {
        folder / file: midi_bytes(piece, MidiStyle.DAW, grid, text=record) for file, piece in pieces.items()
    }
    write_all(files)
    return list(files)


def _volumes(state: SongState) -> dict[str, float] | None:
    """Return the volumes of the voices; None for the console's own mix, if all are full."""
    volumes = {voice.name: state.voices[voice].volume for voice in Voice}
    return None if all(volume == 1 for volume in volumes.values()) else volumes


__all__ = [
    "ExportRequest",
    "chosen",
    "export",
    "heard",
    "is_there",
    "playing",
    "refuse_to_replace",
    "targets",
    "write_for_daw",
]
