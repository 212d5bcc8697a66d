"""Beats and bars of a song in rows, found from accents and repetition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.time.periods import Floats, Ints

_ROWS_PER_BEAT = (1, 2, 3, 4, 6, 8, 12, 16)
_INSIDE = {1: (1,), 2: (2,), 3: (3,), 4: (2,), 6: (2, 3), 8: (4,), 12: (3, 4), 16: (8,)}  # lags inside a beat
_BEATS_PER_BAR = (3, 4, 5, 7)
_SLOWEST, _FASTEST = 56, 215  # beats a minute
_MOST_LAG = 192
_MOST_ROWS = 30_000  # about an hour is enough
_SLOWEST_TRIPLETS = 65
_WEIGHTS = np.array([0.15, 0.15, 0.3, 0.5, 0.4, -0.05, 0.0])


@dataclass(frozen=True, slots=True)
class Meter:
    """Beats and bars in rows."""

    rows_per_beat: int
    beats_per_bar: int
    downbeat: int
    """Row of the first bar line."""
    clarity: float
    """Clarity of the beat, 0..1."""


@dataclass(frozen=True, slots=True)
class Accents:
    """The notes of a song in rows, one column per field, in order of time."""

    rows: Ints
    """int64 [m]: row of the onset."""
    voices: Ints
    """int64 [m]"""
    pitches: Ints
    """int64 [m]"""
    lengths: Floats
    """float64 [m]: rows to the next onset in that voice."""

    @property
    def n_rows(self) -> int:
        """Rows up to the last onset."""
        return int(self.rows[-1]) + 1

    def begun(self, most: int) -> Accents:
        """Return the notes of the first rows only."""
        n = int(np.searchsorted(self.rows, most))
        return Accents(self.rows[:n], self.voices[:n], self.pitches[:n], self.lengths[:n])


def stresses(notes: Accents) -> tuple[Floats, Floats]:
    """Return the accents and the pitches of every row.

    Returns:
        float64 [7, n]: onsets of P1, P2, bass, bass changes, low, middle and high noise, weighted by length;
        and float64 [36, n]: the pitch classes that begin in P1, P2 and the bass.
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
    """Return the self-similarity of a song at each lag in rows: float64 [most + 1], 1 at lag 0."""
    n = channels.shape[1]
    centred = channels - channels.mean(axis=1, keepdims=True)
    size = 1 << int(n + most).bit_length()
    power = (np.abs(np.fft.rfft(centred, size, axis=1)) ** 2).sum(axis=0)
    lags = np.fft.irfft(power, size)[: most + 1]
    return np.asarray(lags / max(float(lags[0]), 1e-9) * n / np.maximum(n - np.arange(most + 1), n / 4))


def find_meter(notes: Accents, row_samples: float, late: int = 0) -> Meter:
    """Find beats and bars.

    Args:
        notes: of the song, in rows.
        row_samples: length of a row.
        late: for swing, 1 if odd rows are late, -1 if even rows are; 0 for straight music.
    """
    notes = notes.begun(_MOST_ROWS)
    heard, classes = stresses(notes)
    common = np.minimum(1, (heard > 0).sum(axis=1, keepdims=True) / 8)  # rare things carry little information
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
    """Return the beat, in rows, nearest to 120 a minute, for rows outside the normal range."""
    step = 2 if late else 1
    return max(1, round(bpm / 120 / step)) * step, 4


def _comb(alike: Floats, lag: int) -> float:
    """Return how much the self-similarity at multiples of a lag exceeds that at other lags."""
    most = min(max(48, 4 * lag), len(alike) - 1)
    multiples = alike[lag : most + 1 : lag]
    return float((multiples.mean() - alike[1 : most + 1].mean()) * lag / max(1, lag - 1))


def _size_value(alike: Floats, per_beat: int, per_bar: int, bpm: float) -> float:
    """Return the score of a number of rows per beat and beats per bar, in the unit of `_comb`."""
    if per_beat % 3 == 0 and bpm < _SLOWEST_TRIPLETS:
        return -9.0 + bpm / 1000  # triplets this long are beats themselves
    inside = min(_comb(alike, lag) for lag in _INSIDE[per_beat])
    unusual = (
        _beyond(bpm / 120, 1.5) + _beyond(bpm / 120, 1) / 3 + 0.4 * _beyond(per_bar * 30 / bpm, 1.5)
    )  # a bar of 2 s
    rare = (0.15 if per_bar > 4 else 0) + (0.08 if per_beat % 3 == 0 else 0)
    return _comb(alike, per_beat) + _comb(alike, per_beat * per_bar) + inside - unusual / 2 - rare


def _beyond(ratio: float, most: float) -> float:
    """Return the octaves by which a ratio, or its inverse, exceeds another."""
    return max(0.0, float(abs(np.log2(ratio)) - np.log2(most)))


def _first_bar_line(notes: Accents, heard: Floats, per_beat: int, per_bar: int, late: int) -> int:
    """Return the row of the first bar line, 0 up to a bar."""
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
    """Return the means over all rows at multiples of a length: float64 [length]."""
    places = np.arange(len(stress)) % length
    return np.asarray(np.bincount(places, stress, length) / np.maximum(np.bincount(places, None, length), 1))


def _harmony(notes: Accents, bar: int, per_beat: int) -> Floats:
    """Return how well each bar's pitches fit one chord, for each offset of bar lines: float64 [bar]."""
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
    """Return the share of voice entries, after a rest of a bar or more, at each offset: float64 [bar]."""
    counts = np.zeros(bar)
    for voice in Voice:
        mine = np.flatnonzero(notes.voices == voice)
        if len(mine):
            enters = np.append(True, notes.lengths[mine][:-1] >= bar)
            counts += np.bincount(notes.rows[mine[enters]] % bar, minlength=bar)
    return counts / max(1.0, float(counts.sum()))
