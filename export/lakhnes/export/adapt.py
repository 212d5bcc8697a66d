"""Arbitrary MIDI for the four voices, so that as much of it as possible becomes chiptune.

Lines are assigned as everywhere in the project (`bridge.voices`): by name, else by their role in the music;
polyphonic lines give their top and bass lines; drums become noise by their kind. A file with more lines than
voices gives several songs, each of other lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from lakhnes.bridge.any_midi import in_one_time
from lakhnes.bridge.instruments import read_lines
from lakhnes.bridge.kits import drum_lines
from lakhnes.bridge.lines import Line
from lakhnes.bridge.midi_grid import grid_of_midi
from lakhnes.bridge.smf import MidiFile
from lakhnes.bridge.voices import MELODIC, arrange
from lakhnes.export.adapt_legacy import UnfitError
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.score import Note, Part, Score
from lakhnes.runtime.time.grid import BeatGrid

SHORTEST = 5.0
"""Seconds that a song lasts at least."""

MIN_NOTES = 16
"""Notes that a song has at least."""

MOST_NOTES = 200_000
"""Files with more are no music for four voices."""

_MIN_LINE_NOTES = 4
_MIN_LINE_SHARE = 0.05
"""A line has at least so many notes, and so much of the fullest line's."""

_MOST_LINES = 12
"""Of more than these a random choice is combined."""

_PAUSE = 2 * SAMPLE_RATE
"""A silence of all voices that is longer is a hole."""

_MOST_HOLES = 0.5
"""Share of a song that may be holes."""


class Adapted(NamedTuple):
    """A song that a file gives."""

    score: Score
    """From its first onset on."""
    grid: BeatGrid | None
    """The beats that the file states, in the time of the score; None where it states none."""
    states_meter: bool
    """Whether it says how many of them a bar has; else a grid has four."""


def adapt(
    midi: MidiFile, rng: np.random.Generator, *, arrangements: int = 8, max_seconds: float = 600.0
) -> list[Adapted]:
    """The songs that a file gives.

    Args:
        midi: any file.
        rng: which lines are combined, where there are many ways.
        arrangements: how many songs at most.
        max_seconds: where longer songs are cut.

    Raises:
        UnfitError: if it gives none.
    """
    if sum(len(track.notes) for track in midi.tracks) > 2 * MOST_NOTES:
        raise UnfitError(f"more than {MOST_NOTES:,} notes")
    midi = in_one_time(midi)
    lines, _ = read_lines(midi)
    if not lines:
        raise UnfitError("no notes")
    drums = drum_lines(lines)
    melodic = _worthwhile([line for line in lines if line not in drums])
    songs: list[Adapted] = []
    grid, states_meter = grid_of_midi(midi), any(track.signatures for track in midi.tracks)
    reason = ""
    voices = 0
    for choice in _choices(melodic, rng, arrangements):
        try:
            start, song = _song([*choice, *drums], round(max_seconds * SAMPLE_RATE))
        except UnfitError as error:
            reason = reason or str(error)
            continue
        playing = sum(bool(song.parts[voice].notes) for voice in MELODIC)
        if playing >= voices and all(song != other.score for other in songs):
            voices = playing  # that of the first, which has all lines to choose from
            songs.append(Adapted(song, grid and grid.later(-start), states_meter))
        if len(songs) == arrangements:
            break
    if not songs:
        raise UnfitError(reason or "no notes")
    return songs


def _worthwhile(lines: Sequence[Line]) -> list[Line]:
    """The lines that say something, each once: those doubled in octaves or unison are one."""
    fullest = max((len(line.notes) for line in lines), default=0)
    least = max(_MIN_LINE_NOTES, _MIN_LINE_SHARE * fullest)
    kept: dict[tuple[tuple[int, int], ...], Line] = {}
    for line in lines:
        if len(line.notes) >= least:
            says = tuple(sorted((note.onset, note.pitch % 12) for note in line.notes))
            kept.setdefault(says, line)
    return list(kept.values()) or list(lines)


def _choices(lines: Sequence[Line], rng: np.random.Generator, wanted: int) -> list[tuple[Line, ...]]:
    """Which lines play: all, from which the fullest are taken; then threes or, where there are few, fewer."""
    everything = tuple(lines)
    if len(lines) < 2 or wanted == 1:
        return [everything]
    if len(lines) > _MOST_LINES:
        drawn = sorted(rng.choice(len(lines), _MOST_LINES, replace=False))
        lines = [lines[index] for index in drawn]
    others = list(combinations(lines, min(3, len(lines) - 1)))
    return [everything, *(others[index] for index in rng.permutation(len(others)))]


def _song(lines: Sequence[Line], longest: int) -> tuple[int, Score]:
    """The song of some lines from its first onset on, and the sample of that onset."""
    notes = {voice: part.notes for voice, part in arrange(lines).parts.items()}
    start = min(part[0].onset for part in notes.values() if part)
    four = [Part()] * len(Voice)
    for voice, part in notes.items():
        four[voice] = Part(
            tuple(_moved(note, -start, longest) for note in part if note.onset < start + longest)
        )
    length = max(part.notes[-1].end for part in four if part.notes)
    song = Score.of(four, length)
    _judge(song)
    return start, song


def _moved(note: Note, samples: int, longest: int) -> Note:
    onset = note.onset + samples
    return Note(onset, min(note.length, longest - onset), note.pitch, note.velocity)


def _judge(song: Score) -> None:
    """Refuses songs from which nothing is to be learnt."""
    if song.seconds < SHORTEST:
        raise UnfitError(f"it lasts {song.seconds:.1f} s, less than {SHORTEST:.0f}")
    if song.n_notes < MIN_NOTES:
        raise UnfitError(f"{song.n_notes} notes, fewer than {MIN_NOTES}")
    if len({(voice, note.pitch) for voice in Voice for note in song.parts[voice].notes}) < 2:
        raise UnfitError("one note, repeated")
    spans = sorted((note.onset, note.end) for part in song.parts for note in part.notes)
    sounded = holes = 0
    for onset, end in spans:
        if onset - sounded > _PAUSE:
            holes += onset - sounded
        sounded = max(sounded, end)
    if holes > _MOST_HOLES * song.length:
        raise UnfitError(f"silent for {100 * holes / song.length:.0f} % of its time")
