"""Clips: passages of songs, all of one length, one rendering and one loudness."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.instruments import instrument_set
from lakhnes.apu.loudness import integrated_loudness
from lakhnes.apu.registers import registers_of
from lakhnes.apu.render import render
from lakhnes.runtime import SAMPLE_RATE, Model, Note, Part, Request, Score, compose_song
from lakhnes.runtime.errors import LakhnesError, StudyError
from lakhnes.runtime.music.editing import extract
from lakhnes.runtime.music.score import FULL_VELOCITY
from lakhnes.runtime.printable import printable
from lakhnes.studio.file_names import name_of
from lakhnes.studio.music_files import read_music
from lakhnes.study.plan import StudySource

PEAK = 10 ** (-1 / 20)
"""Highest sample of a clip, -1 dBFS."""

_FADE_IN_SECONDS, _FADE_OUT_SECONDS = 0.01, 0.5
_NOTES_PER_SECOND = 1  # fewest of a passage
_COMPOSED_CLIPS = 2  # a song is composed this many times as long as its clip
_MOST_FAILURES = 20  # songs of a model in a row without a passage
_TONE_HZ, _TONE_LEVEL = 660.0, 0.2

Sound = NDArray[np.float64]
"""Samples [frames] at 44.1 kHz."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a song, as long as a clip."""

    source: str
    song: str
    """Name of the file in its folder, or the seed of the model."""
    start: int
    """First sample in the song."""
    score: Score
    has_tone: bool = False
    """Whether a tone replaces the middle third: an attention check."""


def passages(
    source: StudySource,
    clip_seconds: float,
    rng: np.random.Generator,
    load_model: Callable[[str], Model],
    remark: Callable[[str], None],
) -> Iterator[Passage]:
    """Yield passages of a source without end.

    Args:
        source: a model, which composes a song for each passage; or files, which come round in random order.
        clip_seconds: length of each passage.
        rng: chooses seeds, files and passages.
        load_model: loads a model by its name or folder.
        remark: takes a sentence about every file that is left out.

    Raises:
        StudyError: if no song is long enough.
    """
    length = round(clip_seconds * SAMPLE_RATE)
    if source.files is None:
        assert source.model is not None
        songs = _composed(load_model(source.model), length, rng)
    else:
        songs = _read(source.files, rng, remark)
    failures, most = 0, _MOST_FAILURES
    for name, score, n_songs in songs:
        most = max(_MOST_FAILURES, n_songs)
        start = _start(score, length, rng)
        if start is not None:
            failures = 0
            yield Passage(source.name, name, start, _plain(extract(score, (start, start + length))))
            continue
        failures += 1
        if failures >= most:
            break
    raise StudyError(
        f"Source {source.name!r} has no song with {clip_seconds:g} s of music. Give longer songs, or a lower "
        "clip_seconds."
    )


def _composed(model: Model, length: int, rng: np.random.Generator) -> Iterator[tuple[str, Score, int]]:
    while True:
        seed = int(rng.integers(1 << 32))
        song = compose_song(model.twin(), Request(seed=seed), length_samples=_COMPOSED_CLIPS * length)
        for _ in song:
            pass
        yield f"seed {seed}", song.score(), 0


def _read(
    files: Path, rng: np.random.Generator, remark: Callable[[str], None]
) -> Iterator[tuple[str, Score, int]]:
    """Yield songs in random order, round after round; files that cannot be read drop out."""
    folder, found = files.parent, [files]
    if files.is_dir():
        folder = files
        found = sorted(path for path in files.rglob("*") if path.is_file() and name_of(path) != path.name)
    while found:
        for path in [found[i] for i in rng.permutation(len(found))]:
            try:
                score, _ = read_music(path).score()
            except LakhnesError as error:
                remark(f"{path.name} is left out: {error}")
                found.remove(path)
                continue
            yield printable(path.relative_to(folder).as_posix()), score, len(found)
    raise StudyError(f"{files} has no music that can be read. Give a music file, or a folder of them.")


def _start(score: Score, length: int, rng: np.random.Generator) -> int | None:
    """Return a random note's onset from which the music fills a clip; None if there is none."""
    notes = [note for part in score.parts for note in part.notes]
    end = max((note.end for note in notes), default=0)
    onsets = np.unique([note.onset for note in notes if note.onset + length <= end]).astype(np.int64)
    every = np.sort([note.onset for note in notes])
    counts = np.searchsorted(every, onsets + length) - np.searchsorted(every, onsets)
    onsets = onsets[counts >= max(2, _NOTES_PER_SECOND * length / SAMPLE_RATE)]
    return int(rng.choice(onsets)) if len(onsets) else None


def _plain(score: Score) -> Score:
    """Return a score without its own dynamics and timbres, so that every clip is played alike."""

    def plain(note: Note) -> Note:
        return replace(note, velocity=FULL_VELOCITY)

    return score.map_parts(lambda part: Part(tuple(map(plain, part.notes))))


def sound_of(passage: Passage, instrument: str) -> Sound:
    """Return a passage as the chip plays it, with its fades and its tone, float64 [frames]."""
    frames = passage.score.length
    blocks = list(render(registers_of(passage.score, instruments=instrument_set(instrument))))
    sound = np.zeros(frames)
    played = np.concatenate(blocks)[:frames] if blocks else np.zeros(0)
    sound[: len(played)] = played
    if passage.has_tone:
        third = slice(frames // 3, 2 * frames // 3)
        seconds = np.arange(third.stop - third.start) / SAMPLE_RATE
        sound[third] = _TONE_LEVEL * np.sin(2 * math.pi * _TONE_HZ * seconds)
    rise, fall = round(_FADE_IN_SECONDS * SAMPLE_RATE), round(_FADE_OUT_SECONDS * SAMPLE_RATE)
    sound[:rise] *= np.linspace(0, 1, rise)
    sound[-fall:] *= np.linspace(1, 0, fall)
    return sound


def common_gains(sounds: list[tuple[float, float]], wanted_lufs: float) -> tuple[float, list[float]]:
    """Return the loudness that all clips share, in LUFS, and the gain of each in dB.

    Args:
        sounds: loudness in LUFS and highest sample of each clip, before the gain.
        wanted_lufs: the loudness, if no clip exceeds `PEAK` with it; all clips are softer if one does.
    """
    highest = [lufs + 20 * math.log10(PEAK / peak) for lufs, peak in sounds]
    common = min([wanted_lufs, *highest])
    return common, [common - lufs for lufs, _ in sounds]


def measured(sound: Sound) -> tuple[float, float]:
    """Return the loudness in LUFS and the highest sample of a sound.

    Raises:
        StudyError: if it is silent.
    """
    lufs, peak = integrated_loudness(sound, SAMPLE_RATE), float(np.abs(sound).max(initial=0))
    if not math.isfinite(lufs):
        raise StudyError("A clip is silent. Give another seed, or other songs.")
    return lufs, peak


def flac_bytes(sound: Sound, gain_db: float) -> bytes:
    """Return a sound as a FLAC file of 16 bits, without tags."""
    import soundfile

    file = BytesIO()
    soundfile.write(file, sound * 10 ** (gain_db / 20), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
