"""Memorisation: the longest run of intervals and durations that a song shares with the training data.

A step leads from one note of a voice to its next: the interval in semitones and the time between their onsets
in 60 Hz frames. A run of n steps is a phrase of n+1 notes. The training data contain it if any melodic voice
of any song has the same steps in a row, in any key. Drums have no intervals and are left out. Songs share
their figures, and a repeated note is a figure too. The number therefore means little by itself: compare it
with the same number for songs that the model never read.

The search is exact: a suffix array of all voices, made by prefix doubling (Manber & Myers 1993, "Suffix
arrays: a new method for on-line string searches"). The longest match of a place is with one of its two
neighbours from the training data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.processors import MELODIC
from lakhnes.runtime.music.events import Event, Kind
from lakhnes.runtime.music.timing import FRAME_SAMPLES, Codec

_LONGEST_STEP = 1023
"""Longest time between two notes in frames; longer times count as this."""

_FLICKER_SAMPLES = FRAME_SAMPLES // 2
"""Shortest note in samples; a shorter one is a sound driver's flicker."""

_MAX_ROUNDS = 16
"""Longest distinct matches: 2 ** 16 steps."""


@dataclass(frozen=True, slots=True)
class MelodicSteps:
    """The steps of the melodic voices of songs, voice after voice."""

    values: NDArray[np.int64]
    """[n]: interval and duration as one number; a unique negative number after each voice."""
    songs: NDArray[np.int64]
    """[n]: index of each step's song."""


@dataclass(frozen=True, slots=True)
class CopiedRun:
    """The longest run of a song that occurs in the training data."""

    steps: int
    """Its length in steps, one less than its notes."""
    different: int
    """Number of different steps in it; 1 for a repeated note."""
    song: int
    """Index of the song."""
    found_in: int
    """Index of a training song that has it; -1 for no run."""


@dataclass(frozen=True, slots=True)
class RunLengths:
    """The lengths of the longest runs of several songs."""

    median: float
    """Median, in steps."""
    ninth_decile: float
    """90th percentile, in steps: one song of ten has a longer run."""
    longest: CopiedRun
    """Maximum, in steps."""


def run_lengths(runs: Sequence[CopiedRun]) -> RunLengths:
    """Summarise the runs of some songs, at least one."""
    steps = [run.steps for run in runs]
    median, ninth_decile = np.percentile(steps, (50, 90)).tolist()
    return RunLengths(median, ninth_decile, max(runs, key=lambda run: run.steps))


def steps_of_songs(songs: Iterable[Sequence[int] | NDArray[np.uint16]], codec: Codec) -> MelodicSteps:
    """Return the steps of songs of token ids."""
    listed = [np.asarray(song, np.int64) for song in songs]
    waits = codec.wait_samples
    pitches = {
        voice: np.array([_pitch(event, voice) for event in codec.vocabulary.events], np.int64)
        for voice in MELODIC
    }
    values: list[NDArray[np.int64]] = []
    owners: list[NDArray[np.int64]] = []
    for place, song in enumerate(listed):
        time = np.cumsum(waits[song])
        for voice in MELODIC:
            at = np.flatnonzero(pitches[voice][song] >= 0)
            onsets = time[at]
            kept = at[np.diff(onsets, append=onsets[-1:] + FRAME_SAMPLES) > _FLICKER_SAMPLES]
            if len(kept) < 2:
                continue
            intervals = np.diff(pitches[voice][song[kept]])
            frames = np.rint(np.diff(time[kept]) / FRAME_SAMPLES).astype(np.int64)
            steps = (intervals + 128) * (_LONGEST_STEP + 1) + np.minimum(frames, _LONGEST_STEP)
            values += [steps, np.array([-1 - len(owners)])]
            owners.append(np.full(len(steps) + 1, place))
    nothing = np.zeros(0, np.int64)
    return MelodicSteps(np.concatenate([nothing, *values]), np.concatenate([nothing, *owners]))


def _pitch(event: Event, voice: object) -> int:
    return event.value if event.kind is Kind.NOTE_ON and event.voice is voice else -1


def longest_runs(songs: MelodicSteps, training: MelodicSteps, n_songs: int) -> list[CopiedRun]:
    """Find the longest run of each song in the training data.

    Args:
        songs: the steps of the songs.
        training: the steps of the training data.
        n_songs: number of songs; one without a step has a run of 0.
    """
    found = [CopiedRun(0, 0, song, -1) for song in range(n_songs)]
    if not len(songs.values) or not len(training.values):
        return found
    lengths, places = _matches(songs.values, training.values)
    for at in np.argsort(lengths, kind="stable"):  # the longest of a song is the last
        if lengths[at]:
            song = int(songs.songs[at])
            length, place = int(lengths[at]), int(training.songs[places[at]])
            different = len(set(songs.values[at : at + length].tolist()))
            found[song] = CopiedRun(length, different, song, place)
    return found


def _matches(
    songs: NDArray[np.int64], training: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the longest match of every place of the songs: its length and its training place."""
    n = len(training)
    # The numbers after voices must all differ, so that no match continues from one voice to the next.
    apart = np.where(songs < 0, songs - (1 + n), songs)
    levels = _ranks(np.concatenate([training, apart]))
    order = np.argsort(levels[-1], kind="stable")
    trained = np.where(order < n, np.arange(len(order)), -1)
    before = np.maximum.accumulate(trained)
    after = np.minimum.accumulate(np.where(trained < 0, len(order), trained)[::-1])[::-1]
    asked = np.flatnonzero(order >= n)
    query = order[asked]
    best = np.zeros(len(songs), np.int64)
    where = np.zeros(len(songs), np.int64)
    for neighbour in (before[asked], after[asked]):
        there = (neighbour >= 0) & (neighbour < len(order))
        mine, other = query[there], order[neighbour[there]]
        length = _common(levels, mine, other)
        better = length > best[mine - n]
        best[mine[better] - n] = length[better]
        where[mine[better] - n] = other[better]
    return best, where


def _ranks(values: NDArray[np.int64]) -> list[NDArray[np.int32]]:
    """Return the ranks of all windows of 1, 2, 4, ... values; equal windows have equal ranks."""
    _, rank = np.unique(values, return_inverse=True)
    levels = [rank.astype(np.int32)]
    while len(levels) <= _MAX_ROUNDS and int(levels[-1].max()) + 1 < len(values):
        length = 1 << (len(levels) - 1)
        following = np.zeros(len(values), np.int64)
        following[:-length] = levels[-1][length:].astype(np.int64) + 1
        pairs = levels[-1].astype(np.int64) * (len(values) + 1) + following
        _, rank = np.unique(pairs, return_inverse=True)
        levels.append(rank.astype(np.int32))
    return levels


def _common(
    levels: list[NDArray[np.int32]], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of equal values from each pair of places."""
    length = np.zeros(len(one), np.int64)
    end = len(levels[0])
    for exponent in reversed(range(len(levels))):
        a, b = one + length, other + length
        inside = (np.maximum(a, b) < end).nonzero()[0]
        same = inside[levels[exponent][a[inside]] == levels[exponent][b[inside]]]
        length[same] += 1 << exponent
    return length
