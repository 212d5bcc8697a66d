"""Beat tracking: rows, beats and bars of music that states only samples.

NES sound drivers run in frames. A tracker row lasts some frames, a beat some rows, and a bar some beats. The
music does not state these numbers, so this module finds them: `periods.py` finds the length of rows,
`row_tracking.py` the row of each onset, and `meter.py` beats and bars.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES
from lakhnes.runtime.time.meter import Accents, Meter, find_meter
from lakhnes.runtime.time.periods import PLAIN_ROW, SAME_TEMPO, Floats, Ints, Onsets, periods_of
from lakhnes.runtime.time.row_tracking import cut_rows, follow, refined_periods, stretches

SURE = 0.5
"""Confidence from which beats are worth showing to a musician."""

_FEWEST = 8  # fewest moments of a rhythm
_NOTHING = 0.1  # confidence below which the grid is plain
_SWINGS = 0.54  # share of a pair from which rows swing
_BRIEF = 6.0 * SAMPLE_RATE  # shorter stretches have no tempo of their own


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """The rows, beats and bars of a song."""

    rows: Ints
    """int64 [n + 1], samples: row i lasts from rows[i] to rows[i + 1]; strictly rising, from at or before the
    first onset to at or after the end of the song."""
    rows_per_beat: int
    """Rows per beat, at least 1."""
    beats_per_bar: int
    """Beats per bar, at least 2."""
    downbeat: int
    """Row of the first bar line at or after row 0; earlier music is a pick-up of less than a bar."""
    swing: float
    """Share of a pair of rows that the first row takes: 0.5 straight, 0.67 triplets. Pairs count from the
    downbeat."""
    bpm: float
    """Beats a minute, the median of the song."""
    confidence: float
    """0..1; below `SURE` the beats are only a plain grid."""
    sections: tuple[tuple[int, float], ...]
    """(First row, beats a minute) of each stretch of one tempo; the first begins at row 0."""

    def place(self, sample: float) -> float:
        """Return the position of a sample in rows, with its fraction.

        Median rows continue beyond the ends.
        """
        rows = self.rows
        i = int(np.searchsorted(rows, sample, "right")) - 1
        if i < 0:
            return float((sample - rows[0]) / self._row)
        if i >= len(rows) - 1:
            return float(len(rows) - 1 + (sample - rows[-1]) / self._row)
        return float(i + (sample - rows[i]) / (rows[i + 1] - rows[i]))

    def sample(self, row: float) -> int:
        """Return the sample of a position in rows, the inverse of `place`."""
        last = len(self.rows) - 1
        if row < 0:
            return round(float(self.rows[0] + row * self._row))
        if row >= last:
            return round(float(self.rows[-1] + (row - last) * self._row))
        i = int(row)
        return round(float(self.rows[i] + (row - i) * (self.rows[i + 1] - self.rows[i])))

    @property
    def _row(self) -> float:
        return float(np.median(np.diff(self.rows)))


def track_beats(score: Score) -> Beats:
    """Find rows, beats and bars.

    Every score gets beats. Without a rhythm they are a plain grid at 120 beats a minute, with a confidence
    near 0. The same score always gets the same beats, and a shifted score gets the shifted beats.
    """
    notes = [(note.onset, voice, note.pitch) for voice in Voice for note in score.parts[voice].notes]
    return _track(np.array(notes, np.int64).reshape(-1, 3), score.length)


class BeatFollower:
    """The beats of a song that is still being composed.

    An estimate uses the last `window_s` seconds. It needs about 4 seconds of music to start, and notices a
    new tempo after about 5 seconds. `Beats.sample` predicts the next rows. It never looks ahead: an onset
    counts from the next estimate on. While the newest estimate is unsure, the last sure one stays valid.
    sure one goes on.
    """

    def __init__(self, window_s: float = 24.0) -> None:
        self._window = round(window_s * SAMPLE_RATE)
        self._notes: deque[tuple[int, int, int]] = deque()
        self._sure: Beats | None = None

    def add(self, sample: int, voice: Voice, pitch: int) -> None:
        """Take the next onset.

        Args:
            sample: onset from the start of the song; never before the last one's.
            voice: the voice that plays.
            pitch: as in `Note`.

        Raises:
            ValueError: if the onset is before the last one.
        """
        if self._notes and sample < self._notes[-1][0]:
            raise ValueError(f"an onset at sample {sample} comes after one at {self._notes[-1][0]}")
        self._notes.append((sample, int(voice), pitch))
        while self._notes[0][0] < sample - self._window:
            self._notes.popleft()

    def beats(self) -> Beats:
        """Return the estimate now, in a few milliseconds; its rows begin with the window."""
        notes = np.array(self._notes, np.int64).reshape(-1, 3)
        found = _track(notes, int(notes[-1, 0]) + 1 if len(notes) else 0)
        if found.confidence >= SURE or self._sure is None:
            self._sure = found if found.confidence >= SURE else None
            return found
        return self._sure


def _track(notes: Ints, end: int) -> Beats:
    """Return the beats of notes, int64 [m, 3] of (onset, voice, pitch), up to the end of the song."""
    first = int(notes[:, 0].min()) if len(notes) else 0
    notes = notes - np.array([first, 0, 0])  # so that the result does not depend on the start of the song
    onsets = Onsets.of(notes, end - first)
    if len(onsets.times) < _FEWEST:
        return _plain(first, end)
    periods = periods_of(onsets)
    index, offs = follow(onsets, periods)
    for _ in range(2):
        shorter = cut_rows(onsets, periods, offs)
        if np.array_equal(shorter, periods):
            break
        periods = shorter
        index, offs = follow(onsets, periods)
    periods = refined_periods(onsets, periods, index, offs)
    index, offs = follow(onsets, periods)
    anchors = _anchors(onsets, periods, index, offs)
    odd_share = _odd_share(*anchors)
    late = int(odd_share > _SWINGS) - int(odd_share < 1 - _SWINGS)
    lengths = onsets.lengths / periods[onsets.moment]
    accents = Accents(index[onsets.moment], onsets.voices, onsets.pitches, lengths)
    meter = find_meter(accents, float(np.median(periods)), late)
    confidence = _confidence(onsets, periods, offs, meter)
    if confidence < _NOTHING:
        return _plain(first, end)
    rows = _rows(anchors, odd_share if late else 0.5, periods, end - first) + first
    tempi = _tempi(onsets, periods, index, offs, meter.rows_per_beat)
    spans = np.diff([row for row, _ in tempi], append=len(rows))
    order = np.argsort([bpm for _, bpm in tempi], kind="stable")
    middle = order[np.searchsorted(np.cumsum(spans[order]), spans.sum() / 2)]
    swing = max(odd_share, 1 - odd_share) if late else 0.5
    bpm = tempi[int(middle)][1]
    return Beats(
        rows, meter.rows_per_beat, meter.beats_per_bar, meter.downbeat, swing, bpm, confidence, tuple(tempi)
    )


def _plain(first: int, end: int) -> Beats:
    """Return a grid of sixteenths at 120 beats a minute, with no confidence."""
    n = max(1, int(np.ceil((end - first) / PLAIN_ROW)))
    rows = first + np.round(np.arange(n + 1) * PLAIN_ROW).astype(np.int64)
    return Beats(rows, 4, 4, 0, 0.5, 120.0, 0.0, ((0, 120.0),))


def _anchors(onsets: Onsets, periods: Floats, index: Ints, offs: Floats) -> tuple[Ints, Floats]:
    """Return the rows that carry onsets, and the sample of the heaviest onset of each."""
    on = np.flatnonzero(np.abs(offs) < 0.3)
    order = on[np.lexsort((-onsets.weights[on], index[on]))]
    rows, first = np.unique(index[order], return_index=True)
    times = onsets.times[order[first]]
    keep, last = [], -np.inf
    for k, (time, step) in enumerate(zip(times.tolist(), periods[order[first]].tolist(), strict=True)):
        if time > last + 0.2 * step:
            keep.append(k)
            last = time
    return rows[keep].astype(np.int64), times[keep]


def _odd_share(rows: Ints, times: Floats) -> float:
    """Return the share of a pair of rows before the odd row; 0.5 if nothing suggests swing."""
    if len(rows) < 3:
        return 0.5
    inner = (np.diff(rows)[:-1] == 1) & (np.diff(rows)[1:] == 1)
    share = (np.diff(times)[:-1] / (times[2:] - times[:-2]))[inner]
    odd = rows[1:-1][inner] % 2 == 1
    share = np.where(odd, share, 1 - share)
    low, middle, high = np.quantile(share, (0.25, 0.5, 0.75)) if len(share) else (0.5, 0.5, 0.5)
    return float(middle) if len(share) >= 8 and high - low < 0.06 else 0.5


def _rows(anchors: tuple[Ints, Floats], odd_share: float, periods: Floats, end: int) -> Ints:
    """Return the sample of every row up to the end: its onset, or a place between its neighbours'."""
    at, times = anchors
    lean = 2 * odd_share - 1
    last = int(at[-1]) + 1 + max(0, int((end - times[-1]) / periods[-1]) + 1)
    numbers = np.arange(last + 1)
    straight = numbers + lean * (numbers % 2)
    known = at + lean * (at % 2)
    rows = np.interp(straight, known, times)
    before, after = numbers < at[0], numbers > at[-1]
    rows[before] = times[0] - (known[0] - straight[before]) * periods[0]
    rows[after] = times[-1] + (straight[after] - known[-1]) * periods[-1]
    rows[0] = min(rows[0], 0.0)
    whole = np.round(rows).astype(np.int64)
    return np.maximum.accumulate(whole - numbers * 2) + numbers * 2  # at least two samples each


def _tempi(
    onsets: Onsets, periods: Floats, index: Ints, offs: Floats, per_beat: int
) -> list[tuple[int, float]]:
    """Return the first row and the beats a minute of each lasting stretch of one tempo."""
    spans: list[tuple[int, int, float]] = []
    for low, high in stretches(periods):
        period = float(periods[low])
        brief = onsets.times[high - 1] - onsets.times[low] < _BRIEF
        if spans and (brief or abs(spans[-1][2] / period - 1) < SAME_TEMPO):
            spans[-1] = (spans[-1][0], high, spans[-1][2])
        elif spans and onsets.times[spans[-1][1] - 1] - onsets.times[spans[-1][0]] < _BRIEF:
            spans[-1] = (spans[-1][0], high, period)
        else:
            spans.append((low, high, period))
    tempi = []
    for k, (low, high, period) in enumerate(spans):
        on = low + np.flatnonzero(np.abs(offs[low:high]) < 0.3)
        row = _row_length(np.diff(onsets.times[on]), np.diff(index[on]), period)
        tempi.append((int(index[low]) if k else 0, 60 * SAMPLE_RATE / (row * per_beat)))
    return tempi


def _row_length(gaps: Floats, rows: Ints, period: float) -> float:
    """Return the samples of a row, in frames of the sound driver if the onsets lie on frames.

    The intervals between onsets give the frames, although waits are coarse. Up to 10,000 samples they are
    exact enough to round. Beyond that, the number of rows decides between the few possible values.
    """
    short = gaps < 10_000
    if short.sum() < 8 or rows.sum() < 8:
        return float(gaps.sum() / rows.sum()) if rows.sum() >= 8 else period
    frames = np.round(gaps / FRAME_SAMPLES)
    if np.mean(np.abs(gaps - frames * FRAME_SAMPLES)[short] < 200) < 0.9:
        return float(gaps.sum() / rows.sum())
    least, most = np.ceil((gaps - 600) / FRAME_SAMPLES), np.floor((gaps + 600) / FRAME_SAMPLES)
    for _ in range(3):
        likely = np.clip(np.round(rows * period / FRAME_SAMPLES), least, most)
        period = float(np.where(short, frames, likely).sum() / rows.sum() * FRAME_SAMPLES)
    return period


def _confidence(onsets: Onsets, periods: Floats, offs: Floats, meter: Meter) -> float:
    """Return the confidence, 0..1.

    It is the share of onsets on rows beyond chance, reduced for few onsets or a weak beat.
    """
    near = 1.1 * FRAME_SAMPLES
    fits = np.abs(offs) * periods < near
    chance = np.minimum(2 * near / periods, 0.9)
    gain = float(onsets.weights @ ((fits - chance) / (1 - chance)) / onsets.weights.sum())
    enough = min(1.0, len(onsets.times) / 32)
    return float(np.clip(gain, 0, 1) * enough * min(1.0, 0.4 + 1.5 * meter.clarity))
