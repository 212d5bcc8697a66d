"""What repeats in a song: its rows, and in rows its beats and bars.

Periods of rows come from the coherence of onsets in windows of some seconds, the row of each onset from the
interval since the one before (absolute times drift), beats and bars from what is stressed and after how many
rows it comes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.timing import FRAME_SAMPLES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

T = TypeVar("T", bound=np.generic)

_FRAMES_PER_ROW = (2, 16)
_SHORTEST = 0.98 * _FRAMES_PER_ROW[0] * FRAME_SAMPLES
_SHORTEST_CUT = 2.9 * FRAME_SAMPLES  # of rows that are cut for the sake of a few onsets
PLAIN_ROW = 7.5 * FRAME_SAMPLES  # a sixteenth at 120 beats a minute
_BIN = FRAME_SAMPLES / 4
_WINDOW_BINS, _HOP_BINS, _FFT = 1920, 480, 8192  # 8 s, 2 s
_MOST_WINDOWS = 1500
_NEAR = 2.5 * SAMPLE_RATE  # neighbours that give an onset its local phase
_JITTER = 0.6 * FRAME_SAMPLES  # of onsets round their row
_LEAN = 0.28  # rows by which swing may delay a row
_COHERENT = 0.2  # share of neighbours that must agree on a phase
_STRAY = 0.1  # share of onsets that belong to no row
_SWITCH = 25.0  # nats that a change of tempo must win
SAME_TEMPO = 0.025  # tempi closer than this are one


_ROWS_PER_BEAT = (1, 2, 3, 4, 6, 8, 12, 16)
_INSIDE = {1: (1,), 2: (2,), 3: (3,), 4: (2,), 6: (2, 3), 8: (4,), 12: (3, 4), 16: (8,)}  # lags inside a beat
_BEATS_PER_BAR = (3, 4, 5, 7)
_SLOWEST, _FASTEST = 56, 215  # beats a minute
_MOST_LAG = 192
_MOST_ROWS = 30_000  # an hour, more or less, says enough
_SLOWEST_TRIPLETS = 65
_WEIGHTS = np.array([0.15, 0.15, 0.3, 0.5, 0.4, -0.05, 0.0])


@dataclass(frozen=True, slots=True)
class Onsets:
    """The onsets of a song; those a few samples apart are one moment."""

    samples: Ints
    """int64 [m], of notes, in time."""
    voices: Ints
    pitches: Ints
    lengths: Floats
    """float64 [m], samples from each note to the next of its voice."""
    moment: Ints
    """int64 [m]: moment of each note."""
    times: Floats
    """float64 [n], samples of the moments."""
    weights: Floats
    """float64 [n]: how much a moment says of the beat; fast arpeggios say little."""
    near: tuple[Ints, Ints]
    """int64 [n] each: the first of the neighbours of each moment, and the first after them."""

    @classmethod
    def of(cls, notes: Ints, end: int) -> Onsets:
        """Of int64 [m, 3] (onset, voice, pitch), to the end of the song."""
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
        near = (np.searchsorted(times, times - _NEAR), np.searchsorted(times, times + _NEAR))
        return cls(samples, table[:, 1], table[:, 2], lengths, moment, times, np.minimum(weights, 2), near)


def periods_of(onsets: Onsets) -> Floats:
    """Samples of a row at each moment: the candidate of the likeliest path through the song.

    A long row that explains the onsets says more than a short one: an onset is a likelihood ratio between
    its row, round which onsets scatter, and anywhere.
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
    return _united(candidates[chosen])


def _candidates(onsets: Onsets) -> Floats:
    """Periods in samples at which the onsets of some window, or of all, are coherent."""
    low, high = (_FFT * _BIN / (frames * FRAME_SAMPLES) for frames in reversed(_FRAMES_PER_ROW))
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
    """The highest peaks as (period in samples, height)."""
    inner = power[1:-1]
    at = np.flatnonzero(
        (inner > power[:-2]) & (inner >= power[2:]) & (inner > 0.5 * power.max()) & (inner > 0)
    )
    at = at[np.argsort(-inner[at], kind="stable")[:most]] + 1
    left, mid, right = power[at - 1], power[at], power[at + 1]
    shift = 0.5 * (left - right) / np.minimum(left - 2 * mid + right, -1e-12)
    return list(zip((_FFT * _BIN / (bins[at] + shift)).tolist(), mid.tolist(), strict=True))


def _clustered(votes: list[tuple[float, float]]) -> Floats:
    """The periods with the most votes, no two closer than a little."""
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
    """Log likelihood that a period wins at each moment, given its neighbours. float64 [n].

    They give the phase, and how far rows of odd and of even number are from it, for music that swings.
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
    """How far the neighbours are off their rows: mean of odd and even rows, and odd less even."""
    leans = []
    for parity in (odd, ~odd):
        mine = onsets.weights * parity
        leans.append(_near(onsets, mine * off) / (_near(onsets, mine) + 1))
    return (leans[0] + leans[1]) / 2, leans[0] - leans[1]


def _near(onsets: Onsets, values: NDArray[T]) -> NDArray[T]:
    """Sums of values over the neighbours of each moment, without its own."""
    sums = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])
    return np.asarray(sums[onsets.near[1]] - sums[onsets.near[0]] - values)


def _likeliest(gains: Floats) -> Ints:
    """The likeliest path through [candidate, chunk], where each change costs."""
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
    """Moves each change of period to the moment where it wins most, in place."""
    cuts = [0, *(np.flatnonzero(np.diff(chosen)) + 1).tolist(), len(chosen)]
    for last, cut, following in zip(cuts, cuts[1:], cuts[2:], strict=False):
        before, after = int(chosen[cut - 1]), int(chosen[cut])
        low, high = np.searchsorted(times, [times[cut] - 2 * _NEAR, times[cut] + 2 * _NEAR])
        low, high = max(last, int(low)), min(following, int(high))
        lead = np.concatenate([[0], np.cumsum(gains[before, low:high] - gains[after, low:high])])
        best = low + int(np.argmax(lead))
        chosen[low:best], chosen[best:high] = before, after


def _united(periods: Floats) -> Floats:
    """Where one stretch's row is a multiple of another's, both get the shorter row."""
    united = periods.copy()
    for short in np.unique(periods):
        ratio = united / short
        whole = np.maximum(1, np.round(ratio))
        united[(whole > 1) & (np.abs(ratio / whole - 1) < SAME_TEMPO)] = short
    return united


def follow(onsets: Onsets, periods: Floats) -> tuple[Ints, Floats]:
    """The row of each moment, by the intervals between them.

    A slow filter keeps the phase, so that a displaced onset moves nothing and drift is followed. Waits over
    10,000 samples are coarse in the TX1 vocabulary; after one the phase is taken anew.

    Returns:
        int64 [n] rows from 0 up, and float64 [n] how far off its row each moment is, -0.5..0.5 rows.
    """
    times, steps = onsets.times.tolist(), periods.tolist()
    at = times[0] - _phase(onsets, periods, 0)
    row, spread, noise = 0, (0.1 * steps[0]) ** 2, (0.5 * FRAME_SAMPLES) ** 2
    rows, offs = [], []
    for j, (time, step) in enumerate(zip(times, steps, strict=True)):
        if j and abs(steps[j - 1] / step - 1) > SAME_TEMPO:
            phase = _phase(onsets, periods, j)
            n = max(1, round((time - phase - at) / steps[j - 1]))
            at, spread = time - phase, (0.1 * step) ** 2
        else:
            gap = time - at
            n = max(0, int(gap / step + 0.5))
            at += n * step
        row += n
        off = time - at
        spread += (300.0**2 if n * step >= 10_000 else 30.0**2) if n else 0.0
        narrow = max(1.5 * FRAME_SAMPLES + 0.05 * step, 1.5 * spread**0.5)
        if abs(off) < min(0.3 * step, narrow):
            gain = spread / (spread + noise)
            at += gain * off
            spread *= 1 - gain
        else:
            spread += (0.03 * step) ** 2
        rows.append(row)
        offs.append(off / step)
    return np.array(rows, np.int64), np.clip(np.array(offs), -0.5, 0.5)


def _phase(onsets: Onsets, periods: Floats, j: int) -> float:
    """Samples that moment j is after its row, by the moments of the same period that follow."""
    end = int(np.searchsorted(onsets.times, onsets.times[j] + _NEAR))
    other = np.flatnonzero(periods[j:end] != periods[j])
    end = j + int(other[0]) if len(other) else end
    turns = np.exp(2j * np.pi / periods[j] * (onsets.times[j:end] - onsets.times[j]))
    return float(-np.angle(onsets.weights[j:end] @ turns) / (2 * np.pi) * periods[j])


def cut_rows(onsets: Onsets, periods: Floats, offs: Floats) -> Floats:
    """Periods, shorter in stretches where onsets lie between rows."""
    shorter = periods.copy()
    for low, high in stretches(periods):
        span = slice(low, high)
        parts = _subdivision(onsets.weights[span], float(periods[low]), offs[span])
        shorter[span] /= parts
    return _united(shorter)


def _subdivision(weights: Floats, period: float, offs: Floats) -> int:
    """Into how many shorter rows each row has to be cut for the onsets between rows: 1, 2, 3 or 4."""
    aside = np.abs(offs)
    between = (aside > 0.17) & (aside * period > 1.8 * FRAME_SAMPLES)
    share = weights @ between / weights.sum()
    if between.sum() < 3 or share < 0.012:
        return 1
    aside, weights = aside[between], weights[between] / weights[between].sum()
    late = weights @ (offs[between] > 0)  # rows that swing are only late, or only early
    if weights @ (aside > 0.37) > 0.7:
        return 2 if period > 2 * _SHORTEST else 1
    apart = {3: np.abs(aside - 1 / 3), 4: np.minimum(np.abs(aside - 0.25), np.abs(aside - 0.5))}
    parts = min(apart, key=lambda parts: float(weights @ apart[parts]))
    near = min(0.1, max(0.045, 0.9 * FRAME_SAMPLES / period))
    fits = share > 0.03 and weights @ (apart[parts] < near) > 0.7 and (parts == 3 or 0.1 < late < 0.9)
    shortest = _SHORTEST_CUT if share < 0.15 else _SHORTEST
    return parts if fits and period / parts > shortest else 1


def stretches(periods: Floats) -> list[tuple[int, int]]:
    """First moment, and moment after the last, of each stretch of one period."""
    cuts = [0, *(np.flatnonzero(np.diff(periods)) + 1).tolist(), len(periods)]
    return list(pairwise(cuts))


def refined_periods(onsets: Onsets, periods: Floats, index: Ints, offs: Floats) -> Floats:
    """Periods as the rows found say them, one for each stretch."""
    refined = periods.copy()
    for low, high in stretches(periods):
        on = low + np.flatnonzero(np.abs(offs[low:high]) < 0.25)
        if len(on) >= 8 and index[on[-1]] - index[on[0]] >= 16:
            period = (onsets.times[on[-1]] - onsets.times[on[0]]) / (index[on[-1]] - index[on[0]])
            if abs(period / periods[low] - 1) < 0.03:
                refined[low:high] = period
    return refined


@dataclass(frozen=True, slots=True)
class Meter:
    """Beats and bars in rows."""

    rows_per_beat: int
    beats_per_bar: int
    downbeat: int
    """Row of the first bar line."""
    clarity: float
    """0..1, how clearly the beat shows."""


@dataclass(frozen=True, slots=True)
class Accents:
    """The notes of a song in rows, one column each, in time."""

    rows: Ints
    """int64 [m]: row of the onset."""
    voices: Ints
    """int64 [m]"""
    pitches: Ints
    """int64 [m]"""
    lengths: Floats
    """float64 [m]: rows to the next onset of the voice."""

    @property
    def n_rows(self) -> int:
        """Rows up to the last onset."""
        return int(self.rows[-1]) + 1

    def begun(self, most: int) -> Accents:
        """The notes of the first rows only."""
        n = int(np.searchsorted(self.rows, most))
        return Accents(self.rows[:n], self.voices[:n], self.pitches[:n], self.lengths[:n])


def stresses(notes: Accents) -> tuple[Floats, Floats]:
    """What is stressed, and what sounds, in every row.

    Returns:
        float64 [7, n] onsets of P1, P2, bass, bass changes, low, middle, high noise, weighted by length; and
        float64 [36, n] the pitch classes that begin in P1, P2 and the bass.
    """
    heard = np.zeros((7, notes.n_rows))
    classes = np.zeros((36, notes.n_rows))
    weight = np.minimum(np.log2(1 + notes.lengths), 4)
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        mine = notes.voices == voice
        rows, pitches = notes.rows[mine], notes.pitches[mine]
        heard[voice, rows] = weight[mine]
        classes[12 * voice + pitches % 12, rows] = 1
        if voice is Voice.TR:
            heard[3, rows] = np.diff(pitches % 12, prepend=-1) != 0
    noise = notes.voices == Voice.NO
    heard[4 + np.digitize(notes.pitches[noise], (5.5, 10.5)), notes.rows[noise]] = 1
    return heard, classes


def likeness(channels: Floats, most: int) -> Floats:
    """How much a song is like itself some rows later. float64 [most + 1], 1 at lag 0."""
    n = channels.shape[1]
    centred = channels - channels.mean(axis=1, keepdims=True)
    size = 1 << int(n + most).bit_length()
    power = (np.abs(np.fft.rfft(centred, size, axis=1)) ** 2).sum(axis=0)
    lags = np.fft.irfft(power, size)[: most + 1]
    return np.asarray(lags / max(float(lags[0]), 1e-9) * n / np.maximum(n - np.arange(most + 1), n / 4))


def find_meter(notes: Accents, row_samples: float, late: int = 0) -> Meter:
    """Finds beats and bars.

    Args:
        notes: of the song, in rows.
        row_samples: length of a row.
        late: for music that swings, 1 if rows of odd number are late ones, -1 if they of even number are;
            0 where it does not swing.
    """
    notes = notes.begun(_MOST_ROWS)
    heard, classes = stresses(notes)
    common = np.minimum(1, (heard > 0).sum(axis=1, keepdims=True) / 8)  # what is rare says little
    heard = heard * common / np.maximum(heard.std(axis=1, keepdims=True), 1e-6)
    alike = likeness(np.concatenate([heard, 0.5 * classes / max(float(classes.std()), 1e-6)]), _MOST_LAG)
    bpm = 60 * SAMPLE_RATE / row_samples
    sizes = [(b, m) for b in _ROWS_PER_BEAT for m in _BEATS_PER_BAR if not late or b % 2 == 0]
    sizes = [(b, m) for b, m in sizes if _SLOWEST <= bpm / b <= _FASTEST] or [_nearest(bpm, late)]
    values = [_size_value(alike, b, m, bpm / b) for b, m in sizes]
    per_beat, per_bar = sizes[int(np.argmax(values))]
    downbeat = _first_bar_line(notes, heard, per_beat, per_bar, late)
    return Meter(per_beat, per_bar, downbeat, float(np.clip(_comb(alike, per_beat) * 2, 0, 1)))


def _nearest(bpm: float, late: int) -> tuple[int, int]:
    """A beat of so many rows that it is nearest to 120 a minute, for rows out of the usual range."""
    step = 2 if late else 1
    return max(1, round(bpm / 120 / step)) * step, 4


def _comb(alike: Floats, lag: int) -> float:
    """How much more a song is like itself after multiples of a lag than after other lags."""
    most = min(max(48, 4 * lag), len(alike) - 1)
    multiples = alike[lag : most + 1 : lag]
    return float((multiples.mean() - alike[1 : most + 1].mean()) * lag / max(1, lag - 1))


def _size_value(alike: Floats, per_beat: int, per_bar: int, bpm: float) -> float:
    """How likely so many rows a beat and beats a bar are, in the measure of `_comb`."""
    if per_beat % 3 == 0 and bpm < _SLOWEST_TRIPLETS:
        return -9.0 + bpm / 1000  # thirds so long are beats of their own
    inside = min(_comb(alike, lag) for lag in _INSIDE[per_beat])
    unusual = (
        _beyond(bpm / 120, 1.5) + _beyond(bpm / 120, 1) / 3 + 0.4 * _beyond(per_bar * 30 / bpm, 1.5)
    )  # a bar of 2 s
    rare = (0.15 if per_bar > 4 else 0) + (0.08 if per_beat % 3 == 0 else 0)
    return _comb(alike, per_beat) + _comb(alike, per_beat * per_bar) + inside - unusual / 2 - rare


def _beyond(ratio: float, most: float) -> float:
    """Octaves by which a ratio, or its inverse, is over another."""
    return max(0.0, float(abs(np.log2(ratio)) - np.log2(most)))


def _first_bar_line(notes: Accents, heard: Floats, per_beat: int, per_bar: int, late: int) -> int:
    """Row of the first bar line, 0 up to a bar."""
    bar = per_beat * per_bar
    stress = _WEIGHTS @ heard
    values = _folded(stress, bar)
    beats = _folded(stress, per_beat)
    value = values + 0.7 * np.tile(beats, per_bar)
    value = value / max(float(stress.std()), 1e-6)
    value += 2.0 * _harmony(notes, bar, per_beat)
    first = int(notes.rows[0])
    value[first % bar] += 0.3
    value += 0.6 * _entries(notes, bar)
    if late:
        wrong = 1 if late > 0 else 0
        value[wrong::2] -= 2
    return int(np.argmax(value))


def _folded(stress: Floats, length: int) -> Floats:
    """Means over all rows that are a multiple of a length, float64 [length]."""
    places = np.arange(len(stress)) % length
    return np.asarray(np.bincount(places, stress, length) / np.maximum(np.bincount(places, None, length), 1))


def _harmony(notes: Accents, bar: int, per_beat: int) -> Floats:
    """How much the pitches between bar lines are of one chord, for each place of bar lines, float64 [bar]."""
    tonal = notes.voices != Voice.NO
    size = notes.n_rows + 2 * bar + 1
    sums = np.zeros((36, size))
    column = 12 * notes.voices[tonal] + notes.pitches[tonal] % 12
    np.add.at(sums, (column, notes.rows[tonal] + 1), np.minimum(notes.lengths[tonal], per_beat))
    sums = np.cumsum(sums, axis=1)
    starts = np.arange(0, size - bar - 1)
    inside = sums[:, starts + bar] - sums[:, starts]
    inside = inside.reshape(3, 12, -1)
    total = inside.sum(axis=1)
    pure = (np.sqrt((inside**2).sum(axis=1)) / np.maximum(total, 1e-9)).sum(axis=0)
    return np.asarray(_folded(pure, bar) - pure.mean())


def _entries(notes: Accents, bar: int) -> Floats:
    """Share of the entries of voices after a bar's rest or more, and of first notes, at each place, [bar]."""
    counts = np.zeros(bar)
    for voice in Voice:
        mine = np.flatnonzero(notes.voices == voice)
        if len(mine):
            enters = np.append(True, notes.lengths[mine][:-1] >= bar)
            counts += np.bincount(notes.rows[mine[enters]] % bar, minlength=bar)
    return counts / max(1.0, float(counts.sum()))
