"""Where the beat of a song lies: rows, beats and bars of music that has only samples.

NES sound drivers run in frames; a row of the tracker that wrote a song lasts some frames, a beat some rows, a
bar some beats. Nobody says how many, so they are found here: periods by the coherence of onsets in windows
of some seconds, the rows of onsets by following the intervals from one to the next (absolute times drift),
beats and bars in `meter.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.events import SAMPLE_RATE, Voice
from lakhnes.runtime.meter import Accents, find_meter
from lakhnes.runtime.score import Score
from lakhnes.runtime.timing import FRAME_SAMPLES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SURE = 0.5
"""Confidence from which on beats are worth showing to a musician."""

_FRAMES_PER_ROW = (2, 16)
_PLAIN_ROW = 7.5 * FRAME_SAMPLES  # a sixteenth at 120 beats a minute
_BIN = FRAME_SAMPLES / 4
_WINDOW_BINS, _HOP_BINS, _FFT = 1920, 480, 8192  # 8 s, 2 s
_MOST_WINDOWS = 1500
_NEAR = 2.5 * SAMPLE_RATE  # neighbours that give an onset its local phase
_JITTER = 0.6 * FRAME_SAMPLES  # of onsets round their row
_STRAY = 0.1  # share of onsets that belong to no row
_SWITCH = 25.0  # nats that a change of tempo must win
_SAME = 0.025  # tempi closer than this are one


@dataclass(frozen=True, slots=True)
class Beats:
    """The rows, beats and bars of a song."""

    rows: Ints
    """int64 [n + 1], samples: row i goes from rows[i] to rows[i + 1]; strictly rising, from at or before the
    first onset to at or after the end of the song."""
    rows_per_beat: int
    """Rows, at least 1."""
    beats_per_bar: int
    """Beats, at least 2."""
    downbeat: int
    """Row of the first bar line at or after row 0; what is before it is a pick-up."""
    swing: float
    """Share of a pair of rows that the first takes: 0.5 straight, 0.67 triplets. Pairs count from the
    downbeat."""
    bpm: float
    """Beats a minute, the median of the song."""
    confidence: float
    """0..1; below `SURE` the beats are no more than a plain grid."""
    sections: tuple[tuple[int, float], ...]
    """(First row, beats a minute) of each stretch of one tempo; the first begins at row 0."""

    def place(self, sample: float) -> float:
        """Where a sample lies, in rows with a fraction; beyond the ends rows go on as the median row."""
        rows = self.rows
        i = int(np.searchsorted(rows, sample, "right")) - 1
        if i < 0:
            return float((sample - rows[0]) / self._row)
        if i >= len(rows) - 1:
            return float(len(rows) - 1 + (sample - rows[-1]) / self._row)
        return float(i + (sample - rows[i]) / (rows[i + 1] - rows[i]))

    def sample(self, row: float) -> int:
        """The sample of a place in rows, the inverse of `place`."""
        last = len(self.rows) - 1
        if row < 0:
            return round(float(self.rows[0] + row * self._row))
        if row >= last:
            return round(float(self.rows[-1] + (row - last) * self._row))
        i = int(row)
        return round(float(self.rows[i] + (row - i) * (self.rows[i + 1] - self.rows[i])))

    def halved(self) -> Beats:
        """The same rows at half the tempo: a beat has twice the rows; the bar keeps its beats."""
        slower = tuple((row, bpm / 2) for row, bpm in self.sections)
        return replace(self, rows_per_beat=2 * self.rows_per_beat, bpm=self.bpm / 2, sections=slower)

    def doubled(self) -> Beats:
        """The same rows at twice the tempo: a beat has half the rows; the bar keeps its beats.

        Where a beat has an odd number of rows, the rows themselves are cut into halves.
        """
        faster = tuple((row, bpm * 2) for row, bpm in self.sections)
        if self.rows_per_beat % 2 == 0:
            fewer = self.rows_per_beat // 2
            bar = fewer * self.beats_per_bar
            first = self.downbeat % bar
            return replace(self, rows_per_beat=fewer, downbeat=first, bpm=self.bpm * 2, sections=faster)
        n = len(self.rows) - 1
        halves = np.interp(np.arange(2 * n + 1) / 2, np.arange(n + 1), self.rows)
        cut = replace(
            self,
            rows=np.round(halves).astype(np.int64),
            downbeat=2 * self.downbeat % (self.rows_per_beat * self.beats_per_bar),
            swing=0.5,
            bpm=self.bpm * 2,
            sections=tuple((2 * row, bpm) for row, bpm in faster),
        )
        return cut

    @property
    def _row(self) -> float:
        return float(np.median(np.diff(self.rows)))
