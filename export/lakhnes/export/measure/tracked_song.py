"""A song as arrays, from which every figure is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime import Beats, Note, Part, Score, Voice, clean_frames, track_beats
from lakhnes.runtime.music.timing import FRAME_SAMPLES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FRAMES_PER_SECOND = 60

PITCHED = (Voice.P1, Voice.P2, Voice.TR)
"""Voices whose pitches are notes."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedVoice:
    """The notes of one voice."""

    onsets: Ints
    """int64 [n]: onset in frames; strictly rising."""
    ends: Ints
    """int64 [n]: first frame after each note."""
    pitches: Ints
    """int64 [n]: MIDI pitches; for the noise 1 to 16."""
    rows: Ints
    """int64 [n]: tracked row nearest to each onset, counted from the first downbeat."""

    def __len__(self) -> int:
        return len(self.onsets)

    @property
    def lengths(self) -> Ints:
        """int64 [n]: frames that each note sounds."""
        return self.ends - self.onsets

    @property
    def steps(self) -> Ints:
        """int64 [n - 1]: frames from each onset to the next."""
        return np.diff(self.onsets)


class TrackedSong:
    """A song in 60 Hz frames, with its tracked beats.

    Attributes:
        score: the song, in clean frames.
        beats: tracked rows, beats and bars.
        n_frames: length of the song in frames.
        lines: the notes of each `Voice`.
    """

    def __init__(self, score: Score) -> None:
        """Clean a song and track its beats.

        Args:
            score: in any timing.
        """
        self.score = clean_frames(score)
        self.beats: Beats = track_beats(self.score)
        self.n_frames = self.score.length // FRAME_SAMPLES
        self.lines = tuple(self._line(part) for part in self.score.parts)

    def _line(self, part: Part) -> TrackedVoice:
        onsets, ends, pitches = _arrays(part.notes)
        rows = np.rint(self.places(onsets)).astype(np.int64) - self.beats.downbeat
        return TrackedVoice(onsets // FRAME_SAMPLES, ends // FRAME_SAMPLES, pitches, rows)

    def places(self, samples: Ints) -> Floats:
        """Return the positions of samples in tracked rows, with fractions: `Beats.place` for an array."""
        rows = self.beats.rows.astype(np.float64)
        step = float(np.median(np.diff(rows)))
        places = np.interp(samples, rows, np.arange(len(rows)))
        places = places + np.minimum(samples - rows[0], 0) / step
        return np.asarray(places + np.maximum(samples - rows[-1], 0) / step)

    @property
    def seconds(self) -> float:
        """Length of the song in seconds."""
        return self.n_frames / FRAMES_PER_SECOND

    @property
    def bar_rows(self) -> int:
        """Rows per bar."""
        return self.beats.rows_per_beat * self.beats.beats_per_bar

    @cached_property
    def bar_lines(self) -> Ints:
        """int64 [bars + 1]: frames of the bar lines inside the song."""
        rows = self.beats.rows[self.beats.downbeat :: self.bar_rows]
        frames = np.rint(rows / FRAME_SAMPLES).astype(np.int64)
        return frames[(frames >= 0) & (frames <= self.n_frames)]

    @cached_property
    def onsets(self) -> Ints:
        """int64 [n]: frames of the onsets of all voices, rising; one for each note."""
        return np.sort(np.concatenate([line.onsets for line in self.lines]))

    @cached_property
    def roll(self) -> Ints:
        """int64 [4, frames]: the sounding pitch of each voice; -1 for silence."""
        roll = np.full((len(Voice), self.n_frames), -1, np.int64)
        for voice, line in zip(Voice, self.lines, strict=True):
            for onset, end, pitch in zip(line.onsets, line.ends, line.pitches, strict=True):
                roll[voice, onset:end] = pitch
        return roll

    @cached_property
    def classes(self) -> Floats:
        """float64 [12, frames]: number of P1, P2 and TR that sound each pitch class."""
        classes = np.zeros((12, self.n_frames))
        for voice in PITCHED:
            sounding = np.flatnonzero(self.roll[voice] >= 0)
            classes[self.roll[voice, sounding] % 12, sounding] += 1
        return classes


def _arrays(notes: tuple[Note, ...]) -> tuple[Ints, Ints, Ints]:
    """Return onsets, ends and pitches of notes."""
    table = np.array([(note.onset, note.end, note.pitch) for note in notes], np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def mean(values: NDArray[np.generic] | Sequence[float]) -> float:
    """Return the mean of values; NaN for no values."""
    return float(np.mean(np.asarray(values, np.float64))) if len(values) else float("nan")


def spread(values: NDArray[np.generic]) -> float:
    """Return the standard deviation of values; NaN for fewer than two."""
    return float(np.std(values.astype(np.float64))) if len(values) > 1 else float("nan")


def entropy(values: NDArray[np.generic]) -> float:
    """Return the entropy in bits of repeated values; NaN for no values."""
    if not len(values):
        return float("nan")
    return entropy_of_weights(np.unique(values, return_counts=True)[1].astype(np.float64))


def entropy_of_weights(weights: Floats) -> float:
    """Return the entropy in bits of unnormalised weights; NaN if all are 0."""
    total = weights.sum()
    if total <= 0:
        return float("nan")
    shares = weights[weights > 0] / total
    return float(-(shares * np.log2(shares)).sum())


def log2(value: float) -> float:
    """Return the binary logarithm of a length or a rate; NaN for 0 or NaN."""
    return float(np.log2(value)) if value > 0 else float("nan")
