"""Musical statistics of songs, and the overlap of two sets of songs in them.

Each feature of a song is a histogram over fixed bins that sums to 1. The histogram of a set is the mean over
its songs, so every song counts the same. The overlap of two sets is the shared area of their histograms,
0..1. The overlap of the data's own songs is the ceiling; with few songs it is well below 1.

References:
- Yang & Lerch 2018, "On the evaluation of generative models in music": comparing sets of songs by features
  such as pitch classes, intervals, note lengths and inter-onset intervals, and by overlapping areas; here of
  the features themselves, not of distances between songs.
- Mogren 2016, "C-RNN-GAN", section 4: scale consistency, the share of notes in the best standard scale.
- Dong et al. 2018, "MuseGAN", section 5: empty bars; here empty voices, because these songs have no bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lakhnes.export.dynamics_statistics import DYNAMIC_FEATURES, dynamics
from lakhnes.runtime.decode.processors import MELODIC
from lakhnes.runtime.music.editing import extract
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.scales import SCALES
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, clean_frames

Histogram = NDArray[np.float64]

_FRAME_EDGES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""First number of frames of each bin of lengths; the last bin is open."""

_WIDEST_INTERVAL = 24
"""Widest interval in semitones; wider ones count as this."""

_PHRASE = 8
"""Notes of a phrase, for self-similarity."""

_LATE_FRAMES = 1
"""Difference in frames between the times of a phrase and its repetition: rows vary by a frame."""

_SPLITS = 50
"""Number of random divisions of the data, for the ceiling."""


_DENSITY_EDGES = tuple(range(0, 42, 2))
_SCALE_EDGES = tuple(place / 20 for place in range(10, 21))
_REPEAT_EDGES = tuple(place / 10 for place in range(11))

FEATURES = {
    "pitch classes": 12,
    "intervals": 2 * _WIDEST_INTERVAL + 1,
    "note lengths": len(_FRAME_EDGES),
    "inter-onset intervals": len(_FRAME_EDGES),
    "polyphony": 5,
    "empty voices": 5,
    "notes a second": len(_DENSITY_EDGES),
    "scale consistency": len(_SCALE_EDGES),
    "self-similarity": len(_REPEAT_EDGES),
    **DYNAMIC_FEATURES,
}
"""The features, with their numbers of bins:

- pitch classes, of all notes of P1, P2 and TR;
- intervals, semitones from each note of P1, P2 and TR to the voice's next;
- note lengths and inter-onset intervals, frames, of the notes of each voice;
- polyphony, the share of time in which each number of voices sounds;
- empty voices, the number of the four voices without a note;
- notes a second, of all voices;
- scale consistency, the share of notes in the best of 24 scales: major (with the notes of natural minor) and
  harmonic minor, on twelve roots each;
- self-similarity, the share of phrases of eight notes of a melodic voice that the voice has played before in
  the song: the same pitches, and the same times between onsets within a frame. Every note starts a phrase;
- for songs with dynamics, the features of `dynamics_statistics`.
"""


@dataclass(frozen=True, slots=True)
class SongFeatures:
    """The features of one song."""

    histograms: dict[str, Histogram]
    """Histograms by name; a feature is missing if the song is too empty."""
    numbers: dict[str, float]
    """Numbers by name, for the features that have a mean."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap of two sets of songs in one feature."""

    name: str
    overlap: float
    """0..1, shared area of the two histograms."""
    ceiling: float
    """Overlap of random divisions of the data into sets of the same sizes."""
    model_mean: float | None
    """Mean over the model's songs, if the feature is a number."""
    data_mean: float | None


def cut(score: Score, samples: int) -> Score:
    """Return the start of a song."""
    length = min(samples, score.length)
    return extract(score, (0, length)) if length < score.length else score


def song_features(score: Score) -> SongFeatures:
    """Measure a song, on 60 Hz frames.

    Args:
        score: in either timing; it is cleaned first.
    """
    score = clean_frames(score)
    notes = {voice: score.parts[voice].notes for voice in Voice}
    onsets = {v: np.array([n.onset // FRAME_SAMPLES for n in notes[v]], np.int64) for v in Voice}
    pitches = {v: np.array([n.pitch for n in notes[v]], np.int64) for v in Voice}
    lengths = np.array([n.length // FRAME_SAMPLES for v in Voice for n in notes[v]], np.int64)
    melodic = np.concatenate([pitches[voice] for voice in MELODIC])
    classes = np.bincount(melodic % 12, minlength=12).astype(np.float64)
    intervals = np.concatenate([np.diff(pitches[voice]) for voice in MELODIC])
    intervals = intervals.clip(-_WIDEST_INTERVAL, _WIDEST_INTERVAL) + _WIDEST_INTERVAL
    between = np.concatenate([np.diff(onsets[voice]) for voice in Voice])

    histograms: dict[str, Histogram] = {}
    numbers: dict[str, float] = {}
    for name, counts in (
        ("pitch classes", classes),
        ("intervals", np.bincount(intervals, minlength=2 * _WIDEST_INTERVAL + 1)),
        ("note lengths", _in_bins(lengths, _FRAME_EDGES)),
        ("inter-onset intervals", _in_bins(between, _FRAME_EDGES)),
        ("polyphony", _voices_sounding(score)),
        *(dynamics(score).items() if score.has_expression else ()),
    ):
        if counts.sum():
            histograms[name] = counts / counts.sum()
    empty = sum(not notes[voice] for voice in Voice)
    histograms["empty voices"] = np.eye(5)[empty]
    numbers["empty voices"] = empty
    if "polyphony" in histograms:
        numbers["polyphony"] = float(histograms["polyphony"] @ np.arange(5))
    singles = {
        "notes a second": (score.n_notes / score.seconds, _DENSITY_EDGES) if score.length else None,
        "scale consistency": (scale_consistency(classes), _SCALE_EDGES) if classes.any() else None,
    }
    similar = self_similarity([(pitches[voice], onsets[voice]) for voice in MELODIC])
    singles["self-similarity"] = None if similar is None else (similar, _REPEAT_EDGES)
    for name, single in singles.items():
        if single is not None:
            numbers[name], edges = single
            histograms[name] = _in_bins(np.array([numbers[name]]), edges)
    return SongFeatures(histograms, numbers)


def _in_bins(values: NDArray[np.generic], edges: Sequence[float]) -> Histogram:
    """Return counts of the bins that begin at the edges.

    The first bin includes values before it, and the last bin is open.
    """
    bins = np.maximum(np.searchsorted(np.asarray(edges), values, side="right") - 1, 0)
    return np.bincount(bins, minlength=len(edges)).astype(np.float64)


def _voices_sounding(score: Score) -> Histogram:
    """Return the samples in which 0 to 4 voices sound."""
    moments = sorted(
        moment for part in score.parts for note in part.notes for moment in ((note.onset, 1), (note.end, -1))
    )
    counts = np.zeros(5)
    sounding = 0
    for (start, change), (end, _) in pairwise([(0, 0), *moments, (score.length, 0)]):
        sounding += change
        counts[sounding] += end - start
    return counts


def scale_consistency(classes: Histogram) -> float:
    """Return the share of notes in the best of 24 scales.

    Args:
        classes: number of notes of each pitch class, float64 [12]; not all 0.
    """
    shares = [
        classes[[(root + step) % 12 for step in SCALES[name]]].sum()
        for name in ("major", "harmonic-minor")
        for root in range(12)
    ]
    return float(max(shares) / classes.sum())


def self_similarity(voices: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> float | None:
    """Return the share of phrases that their voice has played before.

    Args:
        voices: pitches and onsets in frames of the notes of each.

    Returns:
        0..1; None if no voice has a phrase.
    """
    phrases = again = 0
    for pitches, onsets in voices:
        count = len(pitches) - _PHRASE + 1
        if count < 1:
            continue
        played = sliding_window_view(pitches, _PHRASE)  # [count, 8]
        times = sliding_window_view(np.diff(onsets), _PHRASE - 1)  # [count, 7]
        _, kind = np.unique(played, axis=0, return_inverse=True)
        earlier: dict[int, list[int]] = {}
        for place, its_kind in enumerate(kind.ravel().tolist()):
            same = earlier.setdefault(its_kind, [])
            if same:
                differences = np.abs(times[same] - times[place])
                again += bool((differences.max(1) <= _LATE_FRAMES).any())
            same.append(place)
        phrases += count
    return again / phrases if phrases else None


def overlaps(model: Sequence[SongFeatures], data: Sequence[SongFeatures], seed: int = 0) -> list[Overlap]:
    """Compare a model's songs with the data's, feature by feature; features that the data lack are left out.

    Dynamics are compared if the model's songs have any.

    Args:
        model: the model's songs.
        data: the data's songs; at least two.
        seed: seed of the random divisions for the ceiling.
    """
    rng = np.random.default_rng(seed)
    # As many of the data's songs as the model has, against the rest; halves if the data have too few.
    size = min(len(model), len(data) // 2)
    divisions = [rng.permutation(len(data)) for _ in range(_SPLITS)]
    rows = []
    dynamic = any(name in song.histograms for song in model for name in DYNAMIC_FEATURES)
    for name in FEATURES:
        if not any(name in song.histograms for song in data) or (name in DYNAMIC_FEATURES and not dynamic):
            continue
        ours, theirs = (_table(songs, name) for songs in (model, data))
        shared = [_shared(theirs[order[:size]], theirs[order[size:]]) for order in divisions]
        means = [
            float(np.mean(numbers)) if numbers else None
            for numbers in (
                [song.numbers[name] for song in songs if name in song.numbers] for songs in (model, data)
            )
        ]
        rows.append(Overlap(name, _shared(ours, theirs), float(np.mean(shared)), *means))
    return rows


def _table(songs: Sequence[SongFeatures], name: str) -> NDArray[np.float64]:
    """Return the histograms of a feature, float64 [songs, bins]; NaN for a song that lacks it."""
    missing = np.full(FEATURES[name], np.nan)
    return np.array([song.histograms.get(name, missing) for song in songs])


def _shared(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the shared area of the mean histograms of two sets; 0 if a set has none."""
    known = [table[~np.isnan(table[:, 0])] for table in (one, other)]
    if not all(len(table) for table in known):
        return 0.0
    return float(np.minimum(known[0].mean(0), known[1].mean(0)).sum())
