"""Songs into the app: sessions as they were saved, and any music that can be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lakhnes.runtime import SAMPLE_RATE, BeatGrid, OptionError, Score, file_sha256, retimed
from lakhnes.runtime.music.editing import fit_to_vocabulary
from lakhnes.runtime.time.grid import PPQ, TEMPI_BPM
from lakhnes.runtime.time.quantise import moved as in_time
from lakhnes.studio.file_names import name_of
from lakhnes.studio.music_files import Music, read_music
from lakhnes.studio.session_file import ENDING, read_song
from lakhnes.studio.state import SongState, Whereabouts

_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Opened:
    """The result of opening a file."""

    state: SongState
    """The whole of it, with the song of the file."""
    session: bool
    """Whether the file is a session."""
    whereabouts: Whereabouts
    """A session's file, and where it stood; the name of other music."""
    remarks: tuple[str, ...] = ()
    """Remarks for the user, a sentence each."""


def open_file(path: Path, state: SongState, voices: str = "", *, arpeggio: bool = False) -> Opened:
    """Reads a file, whatever it is.

    Args:
        path: a session or music; what it begins with counts as well as its ending.
        state: what stays where the file is music.
        voices: which tracks of a MIDI file voices play; empty for what seems best.
        arpeggio: whether chords of a MIDI file become arpeggios where one voice plays them.

    Raises:
        FormatError: if the file is broken.
        OptionError: if there is no such file, it is of another kind, or it has no notes.
        OSError: if it cannot be opened.
    """
    if not path.exists():
        raise OptionError(f"{path} no longer exists. Open another file.")
    if path.is_dir():
        raise OptionError(f"{path} is a folder; open a file in it.")
    if path.name.lower().endswith(ENDING) or _begins_as_zip(path):
        stamp = path.stat().st_mtime_ns
        read, whereabouts = read_song(path)
        score, _ = fit_to_vocabulary(read.score)
        read = replace(read, score=score)
        here = Whereabouts(whereabouts.place, str(path.absolute()), stamp)
        return Opened(replace(read, kept=max(read.kept, read.end)), True, here)
    return _of_music(path, state, read_music(path, voices, arpeggio=arpeggio))


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _of_music(path: Path, state: SongState, music: Music) -> Opened:
    """Return the song of any music, at one steady tempo and in bars of one length."""
    score, found = music.score()
    fitted, moved = fit_to_vocabulary(score)
    if not fitted.n_notes:
        raise OptionError(f"{path} has no notes that the four voices can play; open another file.")
    remarks = [*music.remarks, *found]
    if moved:
        remarks.append(f"{moved} notes outside the voices' ranges were shifted by octaves.")
    music = replace(music, origin=fitted, remarks=()).on_grid()
    score, _ = music.score()
    if music.grid is None:
        # Where nobody knows its beat, it is heard as it was, and the bars mean nothing.
        opened = replace(state, score=score, composed_bpm=state.bpm)
        remarks.append(
            f"No steady beat was found, so the notes keep their own timing over bars of {state.bpm:g} BPM."
        )
    else:
        bpm = _steady_bpm(score, music.grid)
        if len(music.grid.tempi) > 1:
            remarks.append(f"Its tempo changes; the song now uses {bpm:g} BPM throughout.")
        beats, pick_up = music.grid.beats_per_bar, music.grid.pick_up_ticks
        if len(music.grid.signatures) > 1 + (pick_up > 0):
            remarks.append(f"Its metre changes; all bars now have {beats} beats.")
        score, steady = retimed(score, music.grid, bpm)
        lead = steady.sample(-pick_up % (beats * PPQ))
        score = in_time(score, lambda sample: sample + lead)
        opened = replace(state, score=score, composed_bpm=bpm, bpm=bpm, beats_per_bar=beats)
    named = Whereabouts(name=name_of(path))
    opened = replace(opened, kept=opened.end, composed=False, edits=0, sources=(file_sha256(path),))
    return Opened(opened, False, named, tuple(remarks))


def _steady_bpm(score: Score, grid: BeatGrid) -> float:
    """Return the tempo of a song; the mean if it changes."""
    bpm = grid.bpm
    if len(grid.tempi) > 1:
        beats = (grid.exact_tick(score.length) - grid.exact_tick(0)) / PPQ
        bpm = beats * 60 * SAMPLE_RATE / score.length
    return min(max(round(bpm, 2), TEMPI_BPM[0]), TEMPI_BPM[1])


__all__ = ["Opened", "open_file"]
