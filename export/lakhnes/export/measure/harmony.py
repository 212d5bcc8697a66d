"""Figures of harmony: keys, chords and dissonance.

References:
- Krumhansl & Kessler 1982, the key profiles; Krumhansl 1990, finding a key by correlation.
- Wu & Yang 2020, "The Jazz Transformer", section 5.1: pitch-class entropy of one bar and of four.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lakhnes.export.measure.tracked_song import (
    FRAMES_PER_SECOND,
    Floats,
    TrackedSong,
    entropy_of_weights,
    mean,
)
from lakhnes.export.musical_statistics import scale_consistency
from lakhnes.runtime import Voice

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_KEYS = np.array([np.roll(profile, root) for profile in (_MAJOR, _MINOR) for root in range(12)])
_TRIADS = np.array(
    [[(k - root) % 12 in chord for k in range(12)] for chord in ((0, 4, 7), (0, 3, 7)) for root in range(12)],
    np.float64,
)
_ROOT_WEIGHT = 1.5  # of two triads with the same notes, the one whose root sounds longer wins
_ROOTED = _TRIADS + (_ROOT_WEIGHT - 1) * np.tile(np.eye(12), (2, 1))
_BASS_WEIGHT = 2.0  # a chord's root is mostly in the bass
_DISSONANT = (1, 2, 6, 10, 11)
_PHRASE = 8 * FRAMES_PER_SECOND
_NAN = float("nan")


def harmony_figures(music: TrackedSong) -> dict[str, float]:
    """Return the figures of keys, chords and dissonance of a song; NaN for missing ones."""
    return {**_keys(music), **_chords(music), **_together(music)}


def _keys(music: TrackedSong) -> dict[str, float]:
    whole = music.classes.sum(axis=1)
    lines = music.bar_lines
    bars = [music.classes[:, start:end].sum(axis=1) for start, end in pairwise(lines)]
    fours = [music.classes[:, start:end].sum(axis=1) for start, end in zip(lines, lines[4:], strict=False)]
    starts = range(0, music.n_frames - _PHRASE + 1, _PHRASE // 2)
    phrases = [music.classes[:, start : start + _PHRASE].sum(axis=1) for start in starts]
    phrases = [phrase for phrase in phrases if phrase.any()]
    keys = [_key(phrase) for phrase in phrases]
    song_key = _key(whole)
    counts = np.bincount(
        np.concatenate([music.lines[v].pitches % 12 for v in (Voice.P1, Voice.P2, Voice.TR)]), minlength=12
    ).astype(np.float64)
    return {
        "pitch-class entropy": entropy_of_weights(whole),
        "pitch-class entropy of a bar": _entropies(bars),
        "pitch-class entropy of four bars": _entropies(fours),
        "key clarity": song_key[1],
        "key clarity of 8 s": mean([clarity for _, clarity in keys]),
        "phrases in the song's key": mean([key == song_key[0] for key, _ in keys]),
        "scale consistency": scale_consistency(counts) if counts.any() else _NAN,
    }


def _entropies(weights: list[Floats]) -> float:
    return mean([entropy_of_weights(each) for each in weights if each.any()])


def _key(weights: Floats) -> tuple[int, float]:
    """Return the likeliest of 24 keys, and its correlation with the weights of pitch classes."""
    if weights.std() == 0:
        return -1, 0.0 if weights.any() else _NAN
    found = np.corrcoef(np.vstack([weights, _KEYS]))[0, 1:]
    return int(np.argmax(found)), float(found.max())


def _chords(music: TrackedSong) -> dict[str, float]:
    """Return the figures of the best triad in each tracked bar, by the sounding time of pitch classes.

    The bass counts twice, and the root half as much again. The bass is on the root if no other pitch class of
    the bass sounds longer in the bar.
    """
    bass = music.roll[Voice.TR]
    chords: list[int] = []
    on_root: list[bool] = []
    fits: list[float] = []
    for start, end in pairwise(music.bar_lines):
        sounding = bass[start:end]
        low = np.bincount(sounding[sounding >= 0] % 12, minlength=12).astype(np.float64)
        weights = music.classes[:, start:end].sum(axis=1) + (_BASS_WEIGHT - 1) * low
        if not weights.any():
            chords.append(-1)  # no chord
            continue
        chord = int(np.argmax(_ROOTED @ weights))
        chords.append(chord)
        fits.append(float(_TRIADS[chord] @ weights / weights.sum()))
        if low.any():
            on_root.append(bool(low[chord % 12] == low.max()))
    known = [(one, other) for one, other in pairwise(chords) if one >= 0 and other >= 0]
    return {
        "bass on the root": mean(on_root),
        "notes in triads": mean(fits),
        "chords that stay": mean([one == other for one, other in known]),
    }


def _together(music: TrackedSong) -> dict[str, float]:
    figures = {}
    for one, other in ((Voice.P1, Voice.TR), (Voice.P2, Voice.TR), (Voice.P1, Voice.P2)):
        apart = _apart(music, one, other)
        pair = f"{one.name}-{other.name}"
        figures[f"dissonance {pair}"] = mean(np.isin(apart, _DISSONANT))
        figures[f"unison {pair}"] = mean(apart == 0)
        figures[f"thirds {pair}"] = mean(np.isin(apart, (3, 4, 8, 9)))
    return figures


def _apart(music: TrackedSong, one: Voice, other: Voice) -> Floats:
    """Return the semitones above the lower voice, 0 to 11, in each frame in which both voices sound."""
    upper, lower = music.roll[one], music.roll[other]
    both = (upper >= 0) & (lower >= 0)
    return np.asarray((upper[both] - lower[both]) % 12)
