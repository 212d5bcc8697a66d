"""Row lengths of a song at each moment, found from repetition.

They come from the coherence of onsets in windows of a few seconds. The likeliest path through the song
chooses one at each moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.timing import FRAME_SAMPLES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

T = TypeVar("T", bound=np.generic)

PLAIN_ROW = 7.5 * FRAME_SAMPLES
"""Samples of a sixteenth at 120 beats a minute."""

SAME_TEMPO = 0.025
"""Relative difference below which two tempi count as one."""

NEAR = 2.5 * SAMPLE_RATE
"""Distance in samples within which neighbours set an onset's local phase."""

FRAMES_PER_ROW = (2, 16)
"""Frames of the shortest and of the longest row."""

_BIN = FRAME_SAMPLES / 4
_WINDOW_BINS, _HOP_BINS, _FFT = 1920, 480, 8192  # 8 s, 2 s
_MOST_WINDOWS = 1500
_JITTER = 0.6 * FRAME_SAMPLES  # of onsets round their row
_LEAN = 0.28  # rows by which swing may delay a row
_COHERENT = 0.2  # share of neighbours that must agree on a phase
_STRAY = 0.1  # share of onsets off all rows
_SWITCH = 25.0  # nats that a change of tempo must gain


@dataclass(frozen=True, slots=True)
class Onsets:
    """The onsets of a song; onsets a few samples apart form one moment."""

    samples: Ints
    """int64 [m]: samples of the notes, in order of time."""
    voices: Ints
    pitches: Ints
    lengths: Floats
    """float64 [m]: samples from each note to the next of its voice."""
    moment: Ints
    """int64 [m]: moment of each note."""
    times: Floats
    """float64 [n], samples of the moments."""
    weights: Floats
    """float64 [n]: weight of each moment for the beat; fast arpeggios have little."""
    near: tuple[Ints, Ints]
    """int64 [n] each: the first of the neighbours of each moment, and the first after them."""

    @classmethod
    def of(cls, notes: Ints, end: int) -> Onsets:
        """Make onsets from int64 [m, 3] (onset, voice, pitch), up to the end of the song."""
        columns = []
        for voice in Voice:
            part = notes[notes[:, 1] == voice]
            following = np.append(part[1:, 0], end)[: len(part)]
            columns.append(np.column_stack([part, following - part[:, 0]]))
        table = np.concatenate(columns)
        table = table[np.argsort(table[:, 0], kind="stable")]
        samples, lengths = table[:, 0], table[:, 3].astype(np.float64)
        moment = np.cumsum(np.diff(samples, prepend=samples[:1]) > 0.6 * FRAME_SAMPLES).astype(np.int64)
        weight = np.clip(lengths / (4 * FRAME_SAMPLES), 0.1, 1)
        weights = np.bincount(moment, weight)
        times = np.bincount(moment, weight * samples) / weights
        near = (np.searchsorted(times, times - NEAR), np.searchsorted(times, times + NEAR))
        return cls(samples, table[:, 1], table[:, 2], lengths, moment, times, np.minimum(weights, 2), near)


def periods_of(onsets: Onsets) -> Floats:
    """Return the samples of a row at each moment: the candidate of the likeliest path through the song.

    A long row that explains the onsets counts for more than a short one. Each onset gives a likelihood ratio:
    onsets scatter around their row, or lie anywhere.
    """
    candidates = _candidates(onsets)
    if len(candidates) == 0:
        return np.full(len(onsets.times), PLAIN_ROW)
    gains = np.stack([_gains(onsets, period) for period in candidates])  # [candidate, moment]
    best: list[int] = []
    for k in np.argsort(-gains.sum(axis=1), kind="stable").tolist():
        if np.all(np.abs(candidates[best] / candidates[k] - 1) > SAME_TEMPO):
            best.append(k)
    candidates, gains = candidates[best], gains[best]
    chunk = ((onsets.times - onsets.times[0]) / (2 * SAMPLE_RATE)).astype(np.int64)
    _, first = np.unique(chunk, return_index=True)
    path = _likeliest(np.add.reduceat(gains, first, axis=1))
    chosen = np.repeat(path, np.diff(first, append=len(chunk)))
    _sharpen_cuts(chosen, gains, onsets.times)
    return united(candidates[chosen])


def _candidates(onsets: Onsets) -> Floats:
    """Return the periods in samples at which the onsets of a window, or of the song, are coherent."""
    low, high = (_FFT * _BIN / (frames * FRAME_SAMPLES) for frames in reversed(FRAMES_PER_ROW))
    bins = np.arange(int(low) - 1, int(high * 1.02) + 3)
    times, weights = onsets.times, onsets.weights
    hop = max(_HOP_BINS * _BIN, (times[-1] - times[0]) / _MOST_WINDOWS)
    starts = np.arange(times[0] - _WINDOW_BINS * _BIN / 2, times[-1], hop)
    firsts = np.searchsorted(times, starts)
    lasts = np.searchsorted(times, starts + _WINDOW_BINS * _BIN)
    hann = np.hanning(_WINDOW_BINS)
    votes: list[tuple[float, float]] = []
    total = np.zeros(len(bins))
    for chunk in range(0, len(starts), 64):
        trains = np.zeros((min(64, len(starts) - chunk), _WINDOW_BINS))
        own = np.zeros(len(trains))
        for k in range(len(trains)):
            span = slice(firsts[chunk + k], lasts[chunk + k])
            place = ((times[span] - starts[chunk + k]) / _BIN).astype(np.int64).clip(0, _WINDOW_BINS - 1)
            heard = weights[span] * hann[place]
            trains[k] = np.bincount(place, heard, minlength=_WINDOW_BINS)
            own[k] = heard @ heard
        power = np.abs(np.fft.rfft(trains, _FFT)[:, bins]) ** 2 - own[:, None]
        power /= np.maximum(trains.sum(axis=1) ** 2, 1e-9)[:, None]
        total += power.sum(axis=0)
        for row in power:
            votes += _peaks(row, bins, 6)
    votes += [(period, height + 100) for period, height in _peaks(total / len(starts), bins, 8)]
    return _clustered(votes)


def _peaks(power: Floats, bins: Ints, most: int) -> list[tuple[float, float]]:
    """Return the highest peaks as (period in samples, height)."""
    inner = power[1:-1]
    at = np.flatnonzero(
        (inner > power[:-2]) & (inner >= power[2:]) & (inner > 0.5 * power.max()) & (inner > 0)
    )
    at = at[np.argsort(-inner[at], kind="stable")[:most]] + 1
    left, mid, right = power[at - 1], power[at], power[at + 1]
    shift = 0.5 * (left - right) / np.minimum(left - 2 * mid + right, -1e-12)
    return list(zip((_FFT * _BIN / (bins[at] + shift)).tolist(), mid.tolist(), strict=True))


def _clustered(votes: list[tuple[float, float]]) -> Floats:
    """Return the periods with the most votes, none of them close to another."""
    if not votes:
        return np.zeros(0)
    periods, heights = np.array(votes).T
    order = np.argsort(periods, kind="stable")
    periods, heights = periods[order], heights[order]
    group = np.cumsum(np.diff(np.log(periods), prepend=np.log(periods[0])) > 0.004)
    sums = np.bincount(group, heights)
    means = np.bincount(group, heights * periods) / sums
    return means[np.argsort(-sums, kind="stable")[:20]]


def _gains(onsets: Onsets, period: float) -> Floats:
    """Return the log likelihood gain of a period at each moment, given its neighbours: float64 [n].

    The neighbours give the phase, and the offsets of odd and even rows from it, for music that swings.
    """
    times, weights = onsets.times, onsets.weights
    turns = np.exp(2j * np.pi / period * (times - times[0]))
    near = _near(onsets, weights * turns)
    off = np.angle(turns * np.conj(near)) / (2 * np.pi) * period
    odd = np.cumsum(np.round(np.diff(times - off, prepend=times[0] - off[0]) / period)) % 2 == 1
    mean, lean = _leans(onsets, off, odd)
    most = _LEAN * period
    off = off - np.clip(mean, -most, most) - np.where(odd, 0.5, -0.5) * np.clip(lean, -most, most)
    bell = np.exp(-0.5 * (off / _JITTER) ** 2) / (_JITTER * np.sqrt(2 * np.pi))
    around = _near(onsets, weights)
    coherent = np.abs(near) > _COHERENT * around
    gain = np.log(_STRAY + np.where(coherent, (1 - _STRAY) * period * bell, 0))
    return np.asarray(np.where(around > 1e-6, weights * gain, 0.0))


def _leans(onsets: Onsets, off: Floats, odd: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the neighbours' mean offset from their rows, and the difference between odd and even rows."""
    leans = []
    for parity in (odd, ~odd):
        mine = onsets.weights * parity
        leans.append(_near(onsets, mine * off) / (_near(onsets, mine) + 1))
    return (leans[0] + leans[1]) / 2, leans[0] - leans[1]


def _near(onsets: Onsets, values: NDArray[T]) -> NDArray[T]:
    """Return the sums of values over the neighbours of each moment, without its own value."""
    sums = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])
    return np.asarray(sums[onsets.near[1]] - sums[onsets.near[0]] - values)


def _likeliest(gains: Floats) -> Ints:
    """Return the likeliest path through [candidate, chunk]; each change costs."""
    score = gains[:, 0].copy()
    back = np.zeros(gains.shape, np.int64)
    stay = np.arange(len(score))
    for k in range(1, gains.shape[1]):
        best = int(np.argmax(score))
        moves = score[best] - _SWITCH > score
        back[:, k] = np.where(moves, best, stay)
        score = np.where(moves, score[best] - _SWITCH, score) + gains[:, k]
    path = np.zeros(gains.shape[1], np.int64)
    path[-1] = np.argmax(score)
    for k in range(len(path) - 1, 0, -1):
        path[k - 1] = back[path[k], k]
    return path


def _sharpen_cuts(chosen: Ints, gains: Floats, times: Floats) -> None:
    """Move each change of period to the moment with the highest gain, in place."""
    cuts = [0, *(np.flatnonzero(np.diff(chosen)) + 1).tolist(), len(chosen)]
    for last, cut, following in zip(cuts, cuts[1:], cuts[2:], strict=False):
        before, after = int(chosen[cut - 1]), int(chosen[cut])
        low, high = np.searchsorted(times, [times[cut] - 2 * NEAR, times[cut] + 2 * NEAR])
        low, high = max(last, int(low)), min(following, int(high))
        lead = np.concatenate([[0], np.cumsum(gains[before, low:high] - gains[after, low:high])])
        best = low + int(np.argmax(lead))
        chosen[low:best], chosen[best:high] = before, after


def united(periods: Floats) -> Floats:
    """Return periods in which related stretches share a row: the shorter, if the other is a multiple."""
    united = periods.copy()
    for short in np.unique(periods):
        ratio = united / short
        whole = np.maximum(1, np.round(ratio))
        united[(whole > 1) & (np.abs(ratio / whole - 1) < SAME_TEMPO)] = short
    return united
