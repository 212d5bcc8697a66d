"""Figures of form: what returns, after which time, and how exactly.

References:
- Yu et al. 2022, "Museformer", section 4: similarity of bars by their distance.
- Wu & Yang 2020, "The Jazz Transformer", section 5.1: grooving similarity.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakhnes.export.measure.tracked_song import FRAMES_PER_SECOND, PITCHED, Floats, Ints, TrackedSong, mean
from lakhnes.export.musical_statistics import self_similarity
from lakhnes.runtime import Voice

DISTANCES = range(1, 17)
"""Distances in bars of the match."""

PASSAGE_SECONDS = 8
"""Shortest passage whose return counts, and shortest time before the return, in seconds."""

_BIN = FRAMES_PER_SECOND // 2  # passages begin on half seconds
_LATE = 2  # frames that an onset may be off when a passage returns
_SAME = 0.9  # share of a passage's onsets that must return
_LEAST_ONSETS_A_BIN = 0.5
_GRAM = 4
_NAN = float("nan")


def repetition_figures(music: TrackedSong) -> dict[str, float]:
    """Return the figures of returns and of similarity by distance of a song; NaN for missing ones."""
    return {**_returns(music), **_bars(music), **_phrases(music)}


def _returns(music: TrackedSong) -> dict[str, float]:
    longest, covered = returns(music)
    return {
        "passage of 8 s returns": float(longest >= PASSAGE_SECONDS),
        "longest passage that returns": longest,
        "time that returns": covered,
    }


def returns(music: TrackedSong) -> tuple[float, float]:
    """Return the seconds of the longest passage that returns, and the share of time in returning ones of 4 s.

    A passage begins on a half second and returns 8 s later or more. Its return counts if 90 % of its onsets,
    and of the onsets at the place of return, are in both: the same voice and pitch, within two frames. It has
    at least one onset a second.
    """
    lags = np.arange(PASSAGE_SECONDS * FRAMES_PER_SECOND, music.n_frames - 4 * FRAMES_PER_SECOND, _LATE)
    n_bins = -(-music.n_frames // _BIN)
    if not len(lags) or not len(music.onsets):
        return 0.0, 0.0
    same, early, late = _matches(music, lags, n_bins)
    longest, covered = 0.0, np.zeros(n_bins, bool)
    ends = np.minimum((music.n_frames - lags) // _BIN, n_bins)  # bins whose return lies inside the song
    for bins in range(4 * 60 // _BIN, n_bins):
        total = np.maximum(early[:, bins:] - early[:, :-bins], late[:, bins:] - late[:, :-bins])
        agreed = same[:, bins:] - same[:, :-bins]
        inside = np.arange(agreed.shape[1])[None, :] + bins <= ends[:, None]
        found = inside & (agreed >= _SAME * total) & (total >= bins * _LEAST_ONSETS_A_BIN)
        if not found.any():
            break
        longest = bins * _BIN / FRAMES_PER_SECOND
        if bins == 4 * 60 // _BIN:
            rows, starts = np.nonzero(found)
            for row, start in zip(rows.tolist(), starts.tolist(), strict=True):
                again = start + int(lags[row]) // _BIN
                covered[start : start + bins] = True
                covered[again : again + bins] = True
    return longest, float(covered.mean())


def _matches(music: TrackedSong, lags: Ints, n_bins: int) -> tuple[Floats, Floats, Floats]:
    """Return running counts over half seconds, float32 [lags, bins + 1], for each lag.

    Returns:
        onsets that return that much later; all onsets; and all onsets of the time that much later.
    """
    times = np.concatenate([line.onsets for line in music.lines])
    kinds = np.concatenate(
        [voice * 128 + line.pitches for voice, line in zip(Voice, music.lines, strict=True)]
    )
    _, channels = np.unique(kinds, return_inverse=True)
    near = np.zeros((channels.max() + 1, music.n_frames + 2 * _LATE + 1), bool)
    for late in range(2 * _LATE + 1):
        near[channels, times + late] = True
    after = times[None, :] + lags[:, None]  # [lags, notes]
    again = near[channels[None, :], np.minimum(after, music.n_frames) + _LATE] & (after < music.n_frames)
    in_bins = np.zeros((len(times), n_bins + 1), np.float32)
    in_bins[np.arange(len(times)), times // _BIN + 1] = 1
    same = np.cumsum(again.astype(np.float32) @ in_bins, axis=1)
    counts = np.cumsum(np.bincount(times, minlength=music.n_frames + 1))
    edges = np.arange(n_bins + 1) * _BIN
    before = np.concatenate([[0], counts])  # onsets before each frame
    early = before[np.minimum(edges, music.n_frames)][None, :]
    late_edges = np.minimum(edges[None, :] + lags[:, None], music.n_frames)
    return same, np.broadcast_to(early, same.shape).astype(np.float32), before[late_edges].astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class BarRolls:
    """The onsets of each tracked bar."""

    notes: NDArray[np.bool_]
    """bool [bars, n]: whether each voice begins each pitch on each row."""
    onsets: NDArray[np.bool_]
    """bool [bars, rows of a bar]: whether any note begins on each row."""


def bar_rolls(music: TrackedSong) -> BarRolls:
    """Return the bars of a song, from the first one with a note to the last."""
    size = music.bar_rows
    rows = np.concatenate([line.rows for line in music.lines])
    if not len(rows):
        return BarRolls(np.zeros((0, 0), bool), np.zeros((0, size), bool))
    kinds = np.concatenate(
        [voice * 128 + line.pitches for voice, line in zip(Voice, music.lines, strict=True)]
    )
    bars, places = np.divmod(rows, size)
    bars = bars - bars.min()
    _, cells = np.unique(kinds * size + places, return_inverse=True)
    notes = np.zeros((bars.max() + 1, cells.max() + 1), bool)
    notes[bars, cells] = True
    onsets = np.zeros((bars.max() + 1, size), bool)
    onsets[bars, places] = True
    return BarRolls(notes, onsets)


def matches_by_distance(rolls: NDArray[np.bool_]) -> Floats:
    """Return the similarity of bars to those some bars before, float64 [16] for 1 to 16 bars.

    The similarity of two bars is the number of shared onsets divided by the onsets in either. Bars without
    onsets do not count; NaN if a song is too short.
    """
    found = np.full(len(DISTANCES), np.nan)
    numbers = rolls.astype(np.int64)
    for distance in DISTANCES:
        both = (numbers[distance:] & numbers[:-distance]).sum(axis=1)
        either = (numbers[distance:] | numbers[:-distance]).sum(axis=1)
        heard = numbers[distance:].any(axis=1) & numbers[:-distance].any(axis=1)
        if heard.any():
            found[distance - 1] = float(np.mean(both[heard] / either[heard]))
    return found


def _bars(music: TrackedSong) -> dict[str, float]:
    rolls = bar_rolls(music)
    matches = matches_by_distance(rolls.notes)
    grooves = matches_by_distance(rolls.onsets)
    far = matches[8:]
    heard = rolls.notes[rolls.notes.any(axis=1)] if len(rolls.notes) else rolls.notes
    _, copies = np.unique(heard, axis=0, return_counts=True) if len(heard) else (None, np.zeros(0))
    return {
        **{f"match at {distance} bars": float(matches[distance - 1]) for distance in DISTANCES},
        "match at the best distance": float(np.nanmax(matches)) if not np.isnan(matches).all() else _NAN,
        "match at 9 to 16 bars": mean(far[~np.isnan(far)]),
        "groove at one bar": float(grooves[0]),
        "groove at two bars": float(grooves[1]),
        "groove at four bars": float(grooves[3]),
        "bars that equal another": float(copies[copies > 1].sum() / len(heard)) if len(heard) else _NAN,
    }


def _phrases(music: TrackedSong) -> dict[str, float]:
    similar = self_similarity([(music.lines[v].pitches, music.lines[v].onsets) for v in PITCHED])
    return {
        "phrases that return": _NAN if similar is None else similar,
        "figures heard before": _heard_before(music),
        "packed size of a note": _packed(music),
        "likeness of sections": _sections(music),
    }


def _heard_before(music: TrackedSong) -> float:
    """Return the share of figures of four notes, as intervals and steps, that their voice played before."""
    known, total = 0, 0
    for voice in PITCHED:
        line = music.lines[voice]
        moves = np.stack([np.diff(line.pitches), line.steps], axis=1)
        grams = [moves[place : place + _GRAM - 1].tobytes() for place in range(len(moves) - _GRAM + 2)]
        known += len(grams) - len(set(grams))
        total += len(grams)
    return known / total if total else _NAN


def _packed(music: TrackedSong) -> float:
    """Return the bytes per note of the voices' pitches and steps, packed by zlib."""
    notes = sum(map(len, music.lines))
    if not notes:
        return _NAN
    text = b"".join(
        np.stack([line.pitches[1:], np.minimum(line.steps, 255)], axis=1).astype(np.uint8).tobytes()
        for line in music.lines
    )
    return len(zlib.compress(text, 9)) / notes


def _sections(music: TrackedSong) -> float:
    """Return the mean cosine of the pitch classes of two stretches of 8 s."""
    size = PASSAGE_SECONDS * FRAMES_PER_SECOND
    starts = range(0, music.n_frames - size + 1, size)
    stretches = [music.classes[:, start : start + size].sum(axis=1) for start in starts]
    units = [each / np.linalg.norm(each) for each in stretches if each.any()]
    if len(units) < 2:
        return _NAN
    alike = np.array(units) @ np.array(units).T
    return float(alike[np.triu_indices(len(units), 1)].mean())
