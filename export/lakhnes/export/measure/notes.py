"""Figures of the notes of each voice: length, movement and immediate repetition."""

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
from lakhnes.runtime import Voice

_HELD = 2 * FRAMES_PER_SECOND
_PULSES = (Voice.P1, Voice.P2)
_FIGURE_NOTES = range(2, 17)
_OFTEN = 6
_NAN = float("nan")


def note_figures(music: TrackedSong) -> dict[str, float]:
    """Return the figures of voices, note lengths, articulation and intervals; NaN for missing ones."""
    return {**_voices(music), **_lengths(music), **_intervals(music), **_pitches(music), **_circling(music)}


def _voices(music: TrackedSong) -> dict[str, float]:
    sounding = music.roll >= 0  # [4, frames]
    count = sounding.sum(axis=0)
    each = {f"time sounding, {voice.name}": mean(sounding[voice]) for voice in Voice}
    rests = [_rests(line, music.n_frames) for line in music.lines]
    longest = [
        float(rests[voice].max(initial=0)) / FRAMES_PER_SECOND for voice in PITCHED if len(music.lines[voice])
    ]
    audible = np.concatenate(rests[: Voice.NO])
    audible = audible[audible >= FRAMES_PER_SECOND // 4]
    first = [int(line.onsets[0]) for line in music.lines if len(line)]
    return {
        **each,
        "silence": mean(count == 0),
        "four voices at once": mean(count == 4),
        "voices at once": mean(count),
        "longest rest of a voice": mean(longest),
        "longest rest of all voices": max(longest, default=_NAN),
        "rests a minute": len(audible) / music.seconds * 60 if music.n_frames else _NAN,
        "length of rests": log2(mean(audible)),
        "last voice enters": max(first) / max(1, music.n_frames) if first else _NAN,
    }


def _rests(line: TrackedVoice, n_frames: int) -> Ints:
    """Return frames of a voice's silences, also before its first and after its last note.

    The result is empty if the voice never plays.
    """
    if not len(line):
        return np.zeros(0, np.int64)
    rests = np.append(line.onsets, n_frames) - np.append(0, line.ends)
    return np.asarray(rests[rests > 0])


def _lengths(music: TrackedSong) -> dict[str, float]:
    lengths = np.concatenate([music.lines[voice].lengths for voice in PITCHED])
    spans = np.log2(np.maximum(lengths, 1))
    held = lengths[lengths > _HELD].sum()
    return {
        "time in notes over 2 s": float(held) / (len(PITCHED) * max(1, music.n_frames)),
        "longest note": log2(float(lengths.max(initial=0))),
        "length of notes": mean(spans),
        "spread of lengths": spread(spans),
        "entropy of lengths": entropy(lengths),
        "length of bass notes": mean(np.log2(np.maximum(music.lines[Voice.TR].lengths, 1))),
        **_articulation(music),
    }


def _articulation(music: TrackedSong) -> dict[str, float]:
    filled = {voice: _filled(music.lines[voice]) for voice in PITCHED}
    pulses = np.concatenate([filled[voice] for voice in _PULSES])
    return {
        "legato": mean(np.concatenate([pulses, filled[Voice.TR]]) >= 1),
        "legato bass": mean(filled[Voice.TR] >= 1),
        "filled time of pulse notes": mean(pulses),
        "filled time of bass notes": mean(filled[Voice.TR]),
        "spread of articulation": spread(pulses),
        "mixed articulation": _mixed(pulses),
    }


def _filled(line: TrackedVoice) -> Floats:
    """Return the fraction of each step that its note sounds, for steps of less than a second."""
    steps = line.steps
    near = steps < FRAMES_PER_SECOND
    return np.asarray(line.lengths[:-1][near] / steps[near])


def _mixed(filled: Floats) -> float:
    """Return how mixed the articulation is: 0 if all notes are alike, 1 if half are legato."""
    share = mean(filled >= 1)
    return 4 * share * (1 - share)


def _intervals(music: TrackedSong) -> dict[str, float]:
    moves = [np.diff(music.lines[voice].pitches) for voice in PITCHED]
    every = np.concatenate(moves)
    wide = np.abs(every)
    turned = np.concatenate([np.sign(m[:-1]) * np.sign(m[1:]) for m in moves])
    return {
        "repeated pitches": mean(every == 0),
        "steps of a second": mean((wide == 1) | (wide == 2)),
        "leaps": mean(wide > 7),
        "octaves": mean(wide == 12),
        "semitones": mean(wide == 1),
        "turns of a line": mean(turned == -1),
        "width of intervals, P1": mean(np.abs(moves[Voice.P1])),
        "width of intervals, TR": mean(np.abs(moves[Voice.TR])),
        "entropy of intervals": entropy(every),
        "entropy of intervals after an interval": mean(
            [bits for bits in map(_after, moves) if not np.isnan(bits)]
        ),
    }


def _after(moves: Ints) -> float:
    """Return the entropy in bits of an interval, given the one before."""
    if len(moves) < 2:
        return _NAN
    return entropy(moves[:-1] * 1000 + moves[1:]) - entropy(moves[:-1])


def _pitches(music: TrackedSong) -> dict[str, float]:
    p1, p2, tr = (music.lines[voice].pitches for voice in PITCHED)
    both = (music.roll[Voice.P1] >= 0) & (music.roll[Voice.P2] >= 0)
    apart = music.roll[Voice.P1, both] - music.roll[Voice.P2, both]
    return {
        "pitch of P1": mean(p1),
        "pitch of P2": mean(p2),
        "pitch of the bass": mean(tr),
        "range of P1": _range(p1),
        "range of the bass": _range(tr),
        "pitches of P1": float(len(np.unique(p1))) if len(p1) else _NAN,
        "pitches of the bass": float(len(np.unique(tr))) if len(tr) else _NAN,
        "distance of the pulses": mean(np.abs(apart)),
        "P2 above P1": mean(apart < 0),
    }


def _range(pitches: Ints) -> float:
    """Return the semitones that contain the middle 90 % of the notes."""
    return float(np.subtract(*np.quantile(pitches, (0.95, 0.05)))) if len(pitches) else _NAN


def _circling(music: TrackedSong) -> dict[str, float]:
    lines = [music.lines[voice].pitches for voice in PITCHED]
    notes = sum(map(len, lines))
    if not notes:
        return dict.fromkeys(
            ("notes in figures of six and more", "notes in figures of three", "drumming"), _NAN
        )
    return {
        "notes in figures of six and more": sum(in_figures(line, _OFTEN) for line in lines) / notes,
        "notes in figures of three": sum(in_figures(line, 3) for line in lines) / notes,
        "drumming": sum(_drumming(line) for line in lines) / notes,
    }


def in_figures(pitches: Ints, times: int) -> int:
    """Return the number of notes in figures that repeat some times in a row.

    A figure has 2 to 16 notes; twelve notes of one pitch are a figure of two notes that repeats six times.

    Args:
        pitches: pitches of a voice's notes, in order of time.
        times: fewest repetitions of a figure.
    """
    inside = np.zeros(len(pitches), bool)
    for period in _FIGURE_NOTES:
        same = pitches[period:] == pitches[:-period]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if end - start >= (times - 1) * period:
                inside[start : end + period] = True
    return int(inside.sum())


def _drumming(pitches: Ints) -> int:
    """Return the number of notes in runs of eight or more of one pitch."""
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(pitches)) + 1, [len(pitches)]])
    runs = np.diff(cuts)
    return int(runs[runs >= 8].sum())
