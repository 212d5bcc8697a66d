"""Figures of time: tempo, onsets, drums, density."""

from __future__ import annotations

import numpy as np

from lakhnes.export.measure.tracked_song import (
    FRAMES_PER_SECOND,
    PITCHED,
    Floats,
    Ints,
    TrackedSong,
    TrackedVoice,
    entropy,
    log2,
    mean,
    spread,
)
from lakhnes.runtime import Part, Score, Voice, track_beats
from lakhnes.runtime.music.timing import FRAME_SAMPLES

FLOOD = 60
"""Notes a second, over all voices, from which music becomes noise."""

_WINDOW = 8 * FRAMES_PER_SECOND  # share of the tempo of a window
_HOP = 4 * FRAMES_PER_SECOND
_SAME_TEMPO = 0.04
_RATIOS = np.array([1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 8 / 3, 3, 4])
"""Ratios of tempi of one pulse: the tracker may count windows in different beats."""

_FLOOD_WINDOW = 5 * FRAMES_PER_SECOND
_DRUM_LAGS = range(15, 4 * FRAMES_PER_SECOND + 1)  # frames: a quarter of a second to four
_DRUM_WINDOW = 12 * FRAMES_PER_SECOND  # patterns change from section to section
_FEWEST_HITS = 8
_LATE = 1  # frames that an onset may be off: rows vary by a frame


def rhythm_figures(music: TrackedSong) -> dict[str, float]:
    """Return the figures of tempo, onsets, drums and density of a song; NaN for missing ones."""
    return {**_tempo(music), **_onsets(music), **_drums(music), **_density(music)}


def _tempo(music: TrackedSong) -> dict[str, float]:
    beats = music.beats
    row = float(np.median(np.diff(beats.rows))) / FRAME_SAMPLES
    places = music.places(music.onsets * FRAME_SAMPLES)
    off = np.abs(places - np.rint(places)) * row
    return {
        "tempo stability": tempo_stability(music),
        "beat confidence": beats.confidence,
        "tempo": log2(beats.bpm),
        "row length": log2(row),
        "tempo changes": float(len(beats.sections) - 1),
        "onsets on rows": mean(off <= _LATE),
    }


def tempo_stability(music: TrackedSong) -> float:
    """Return the share of 8 s windows, 4 s apart, with the tempo of the whole song.

    Each window is tracked separately. Its tempo may be a simple multiple of the song's, within 4 %; by
    chance, one of three tempi is. Windows with fewer than eight notes do not count.
    """
    kept = []
    for start in range(0, max(1, music.n_frames - _WINDOW + 1), _HOP):
        window = _excerpt(music.score, start * FRAME_SAMPLES, (start + _WINDOW) * FRAME_SAMPLES)
        if window.n_notes < 8:
            continue
        beats = track_beats(window)
        ratio = beats.bpm / music.beats.bpm / _RATIOS
        kept.append(bool((np.abs(ratio - 1) < _SAME_TEMPO).any()))
    return mean(np.array(kept))


def _excerpt(score: Score, start: int, end: int) -> Score:
    """Return the notes that begin in a window."""
    p1, p2, tr, no = (
        Part(tuple(note for note in part.notes if start <= note.onset < end)) for part in score.parts
    )
    return Score((p1, p2, tr, no), score.length)


def _onsets(music: TrackedSong) -> dict[str, float]:
    moments, together = np.unique(music.onsets, return_counts=True)
    steps = np.diff(moments)
    beat, bar = music.beats.rows_per_beat, music.bar_rows
    rows = np.concatenate([line.rows for line in music.lines])
    bars = np.arange(rows.min() // bar, rows.max() // bar + 1) if len(rows) else np.zeros(0, np.int64)
    common = np.bincount(steps).max() if len(steps) else 0
    lengths = np.concatenate([line.lengths for line in music.lines])
    return {
        "entropy of steps": entropy(steps),
        "entropy of steps after a step": _conditional_entropy(steps),
        "commonest step": common / len(steps) if len(steps) else float("nan"),
        "onsets on beats": mean(rows % beat == 0),
        "bars begun": mean(np.isin(bars * bar, rows)),
        "voices beginning together": mean(together >= 2),
        "three voices beginning together": mean(together >= 3),
        "notes of two frames": mean(lengths <= 2),
        "notes of four frames": mean(lengths <= 4),
        "pulses in one rhythm": _shared_onsets(music.lines[Voice.P1], music.lines[Voice.P2]),
        "bass with the drums": _shared_onsets(music.lines[Voice.TR], music.lines[Voice.NO]),
    }


def _conditional_entropy(values: Ints) -> float:
    """Return the entropy in bits of a value, given the one before."""
    if len(values) < 2:
        return float("nan")
    pairs = values[:-1] * (values.max() + 1) + values[1:]
    return entropy(pairs) - entropy(values[:-1])


def _shared_onsets(one: TrackedVoice, other: TrackedVoice) -> float:
    """Return the share of the sparser line's onsets at which the other line begins a note too."""
    few, many = sorted((one.onsets, other.onsets), key=len)
    return mean(np.isin(few, many)) if len(few) >= _FEWEST_HITS else float("nan")


def _drums(music: TrackedSong) -> dict[str, float]:
    line = music.lines[Voice.NO]
    period, lag = drums_period(music)
    gaps = np.diff(np.concatenate([[0], line.onsets, [music.n_frames]]))
    return {
        "period of the drums": period,
        "length of the drums' period": log2(lag),
        "drum hits a second": len(line) / music.seconds if music.n_frames else 0.0,
        "kinds of drum": float(len(np.unique(line.pitches))),
        "entropy of drums": entropy(line.pitches),
        "entropy of drums' steps": entropy(line.steps),
        "time without drums": float(gaps[gaps > 2 * FRAMES_PER_SECOND].sum() / max(1, music.n_frames)),
    }


def drums_period(music: TrackedSong) -> tuple[float, float]:
    """Return the periodicity of the drums, 0..1, and their period in seconds.

    In windows of 12 s, 6 s apart, it is the share of hits that repeat after one period, at the same pitch and
    within a frame. The period is the best one from 0.25 to 4 s. NaN without drums.
    """
    line = music.lines[Voice.NO]
    found: list[tuple[float, int]] = []
    for start in range(0, max(1, music.n_frames - _DRUM_WINDOW // 2), _DRUM_WINDOW // 2):
        inside = (line.onsets >= start) & (line.onsets < start + _DRUM_WINDOW)
        if inside.sum() >= _FEWEST_HITS:
            found.append(_best_period(line.onsets[inside] - start, line.pitches[inside]))
    if not found:
        return float("nan"), float("nan")
    return mean([share for share, _ in found]), float(np.median([lag for _, lag in found])) / 60


def _best_period(onsets: Ints, pitches: Ints) -> tuple[float, int]:
    """Return the share of hits that repeat after the best lag, and that lag in frames."""
    longest = _DRUM_LAGS[-1]
    hits = np.zeros((17, _DRUM_WINDOW + longest + 2 * _LATE + 1), bool)
    for late in range(2 * _LATE + 1):
        hits[pitches, onsets + late] = True
    best = (0.0, _DRUM_LAGS[0])
    end = onsets[-1]
    for lag in _DRUM_LAGS:
        early = onsets <= end - lag
        late_ones = onsets >= onsets[0] + lag
        count = max(early.sum(), late_ones.sum())
        if count < _FEWEST_HITS // 2:
            break
        share = float(hits[pitches[early], onsets[early] + lag + _LATE].sum() / count)
        if share > best[0] + 1e-9:
            best = (share, lag)
    return best


def _density(music: TrackedSong) -> dict[str, float]:
    seconds = music.seconds or float("nan")
    each = {f"notes a second, {voice.name}": len(music.lines[voice]) / seconds for voice in PITCHED}
    per_second = counts_in(music, FRAMES_PER_SECOND)
    per_phrase = counts_in(music, _WINDOW)
    third = max(1, len(per_second) // 3)
    usual = mean(per_second)
    relative = 1 / usual if usual > 0 else float("nan")
    floods = counts_in(music, _FLOOD_WINDOW) > FLOOD * _FLOOD_WINDOW // FRAMES_PER_SECOND
    return {
        **each,
        "density spread": spread(per_second) * relative,
        "density spread of phrases": spread(per_phrase) * relative * FRAMES_PER_SECOND / _WINDOW,
        "densest second": float(per_second.max(initial=0)) * relative,
        "density at the end": mean(per_second[-third:]) * relative,
        "density at the start": mean(per_second[:4]) * relative,
        "over 60 notes a second": float(floods.any()),
        "time over 60 notes a second": mean(floods),
    }


def counts_in(music: TrackedSong, frames: int) -> Floats:
    """Return the number of notes that begin in each whole window of some frames."""
    windows = music.n_frames // frames
    inside = music.onsets[music.onsets < windows * frames] // frames
    return np.bincount(inside, minlength=windows).astype(np.float64)[:windows]
