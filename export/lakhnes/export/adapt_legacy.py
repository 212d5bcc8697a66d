"""Arbitrary MIDI for the four voices, as LakhNES adapted Lakh MIDI for pre-training.

Every monophonic melodic instrument may become P1, P2 or TR. Up to 16 of all placements are drawn.
One drum track becomes the noise, with a random noise period for each drum.
Source: LakhNES `data/adapt_lakh_to_nes.py`, which reads files with pretty_midi.

Differences: the random seed comes from the file's content, so a file always gives the same songs. It may read
files that pretty_midi cannot. The length of a file ignores lyrics, key signatures and pitch bends after its
last note. Of drum hits that begin and end together, the lowest counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import NamedTuple

import numpy as np

from lakhnes.bridge.gm import DRUM_CHANNEL
from lakhnes.bridge.note_pairs import paired_notes
from lakhnes.bridge.smf import MidiFile, NoteMessage
from lakhnes.bridge.tempo_map import tempo_map
from lakhnes.runtime.music.events import SAMPLE_RATE, VOCABULARY_PITCHES, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY, Note, Part, Score

MAX_FILE_BYTES = 512 * 1024
"""Larger files are skipped, in bytes."""

SHORTEST, LONGEST = 5.0, 600.0
"""Shortest and longest file in seconds."""

CLIP = 180 * SAMPLE_RATE
"""Samples of music that are kept."""

_MOST_INSTRUMENTS = 32
"""Number of instruments above which a random choice is placed."""

_MELODIC = (Voice.P1, Voice.P2, Voice.TR)


class UnfitError(Exception):
    """The reason why a file gives no song, without a full stop."""


class _TimedNote(NamedTuple):
    """A note in samples, sorted by onset and then by end, as in LakhNES."""

    onset: int
    end: int
    pitch: int
    velocity: int


class _MidiInstrument(NamedTuple):
    is_drums: bool
    notes: tuple[_TimedNote, ...]


def adapt_legacy(midi: MidiFile, rng: np.random.Generator, arrangements: int = 16) -> list[Score]:
    """Return the songs that LakhNES makes from a file.

    Args:
        midi: any file.
        rng: random generator for placements and the drums' noise periods.
        arrangements: most songs of a file.

    Raises:
        UnfitError: if LakhNES skips such a file.
    """
    instruments = _instruments(midi)
    melodic = _placeable([i for i in instruments if not i.is_drums])
    drums = [i for i in instruments if i.is_drums]
    if not melodic:
        raise UnfitError("no melodic instrument that is monophonic and in range")
    placements = _placements(len(melodic), rng)
    if len(placements) > arrangements:
        drawn = rng.choice(len(placements), arrangements, replace=False)
        placements = [placements[index] for index in drawn]
    chosen = [int(rng.integers(len(drums))) if drums else -1 for _ in placements]
    songs = []
    for placement, drum in zip(placements, chosen, strict=True):
        parts: dict[Voice, tuple[_TimedNote, ...]] = {}
        for voice, index in zip(_MELODIC, placement, strict=True):
            if index >= 0:
                known = VOCABULARY_PITCHES[voice]
                parts[voice] = tuple(note for note in melodic[index].notes if note.pitch in known)
        if drum >= 0:
            parts[Voice.NO] = drums[drum].notes
        song = _song(parts, rng)
        if song is not None:
            songs.append(song)
    if not songs:
        raise UnfitError("no notes in the range of the voices")
    return songs


def _instruments(midi: MidiFile) -> list[_MidiInstrument]:
    """Return the instruments as in pretty_midi: one for each track, channel and program that plays."""
    if midi.division < 0:
        raise UnfitError("its time is in SMPTE frames")
    tempo = tempo_map(midi.tracks[:1], midi.division)
    instruments: list[_MidiInstrument] = []
    ends: list[int] = [tempo.to_samples(ticks) for track in midi.tracks for ticks, _, _ in track.signatures]
    for track in midi.tracks:
        by_channel: defaultdict[int, list[NoteMessage]] = defaultdict(list)
        for message in track.notes:
            by_channel[message.channel].append(message)
        for channel, messages in by_channel.items():
            changes = [(ticks, program) for ticks, on, program in track.programs if on == channel]
            starts = [ticks for ticks, _ in changes]
            by_program: defaultdict[int, list[_TimedNote]] = defaultdict(list)
            for note in paired_notes(messages):
                place = bisect_right(starts, note.end)  # the program at the note's end, as in pretty_midi
                onset, end = tempo.to_samples(note.onset), tempo.to_samples(note.end)
                if note.onset < note.end:
                    sound = _TimedNote(onset, end, note.pitch, note.velocity)
                    by_program[changes[place - 1][1] if place else 0].append(sound)
            instruments += [
                _MidiInstrument(channel == DRUM_CHANNEL, tuple(sorted(notes)))
                for notes in by_program.values()
            ]
            if by_program:
                ends += [tempo.to_samples(c.ticks) for c in track.controls if c.channel == channel]
    ends += [note.end for instrument in instruments for note in instrument.notes]
    seconds = max(ends, default=0) / SAMPLE_RATE
    if not SHORTEST <= seconds <= LONGEST:
        raise UnfitError(f"it lasts {seconds:.1f} s, not {SHORTEST:.0f} to {LONGEST:.0f}")
    return instruments


def _placeable(instruments: Sequence[_MidiInstrument]) -> list[_MidiInstrument]:
    """Return the instruments in range and monophonic, without duplicates."""
    known = VOCABULARY_PITCHES[Voice.TR]
    kept: dict[tuple[tuple[int, str], ...], _MidiInstrument] = {}
    for instrument in instruments:
        pitches = [note.pitch for note in instrument.notes]
        if max(pitches) < known[0] or min(pitches) > known[-1]:
            continue
        if all(note.end <= after.onset for note, after in pairwise(instrument.notes)):
            says = tuple((note.pitch, f"{note.onset / SAMPLE_RATE:.1f}") for note in instrument.notes)
            kept.setdefault(says, instrument)
    return list(kept.values())


def _placements(count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return all placements of instruments on P1, P2 and TR; -1 for none."""
    indices = list(range(count))
    if count > _MOST_INSTRUMENTS:
        indices = [int(index) for index in rng.choice(count, _MOST_INSTRUMENTS, replace=False)]
    missing = [-1] * max(0, len(_MELODIC) - count)
    return sorted(set(permutations([*indices, *missing], len(_MELODIC))))


def _song(parts: dict[Voice, tuple[_TimedNote, ...]], rng: np.random.Generator) -> Score | None:
    """Return one song, from its first onset, clipped; None if no notes are left."""
    sounding = [notes for notes in parts.values() if notes]
    if not sounding:
        return None
    start = min(notes[0].onset for notes in sounding)
    end = min(max(note.end for notes in sounding for note in notes), start + CLIP)
    noise = rng.integers(1, 17, size=128)
    four = [Part()] * len(Voice)
    for voice, sounds in parts.items():
        notes: list[Note] = []
        before = -1
        for sound in sounds:
            if voice is Voice.NO and sound.onset < before:
                continue
            before = sound.end
            if sound.end > end or sound.onset == sound.end:
                continue
            velocity = FULL_VELOCITY if voice is Voice.TR else round(1 + 14 * sound.velocity / 127)
            pitch = int(noise[sound.pitch]) if voice is Voice.NO else sound.pitch
            notes.append(Note(sound.onset - start, sound.end - sound.onset, pitch, velocity))
        four[voice] = Part(tuple(notes))
    if not any(part.notes for part in four):
        return None
    return Score.of(four, end - start)
