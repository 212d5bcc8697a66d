"""Ticks of a MIDI file in samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge.smf import Track
from lakhnes.runtime.music.events import SAMPLE_RATE

DEFAULT_TEMPO = 500_000
"""Microseconds a beat, where a file says nothing."""

_FASTEST, _SLOWEST = 30_000, 0xFFFFFF  # 2,000 beats a minute, beyond which is damage; what a file can say


@dataclass(frozen=True, slots=True)
class TempoMap:
    """Ticks to samples."""

    ticks: tuple[int, ...]
    """Where each tempo begins, the first at 0."""
    samples: tuple[float, ...]
    """Samples at 44.1 kHz there."""
    samples_per_tick: tuple[float, ...]

    def to_samples(self, ticks: int) -> int:
        """Samples at 44.1 kHz, to the nearest."""
        return int(self.all_to_samples(np.array([ticks]))[0])

    def all_to_samples(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples at 44.1 kHz, int64 [n], of int64 [n] ticks."""
        starts, samples, rates = map(np.array, (self.ticks, self.samples, self.samples_per_tick))
        segment = np.searchsorted(starts, ticks, "right") - 1
        exact: NDArray[np.float64] = samples[segment] + (ticks - starts[segment]) * rates[segment]
        return np.rint(exact).astype(np.int64)

    @property
    def beat_rate(self) -> float:
        """Samples of a tick in the tempo that lasts longest."""
        if len(self.ticks) == 1:
            return self.samples_per_tick[0]
        spans = np.diff(self.samples, append=self.samples[-1] + SAMPLE_RATE)
        return self.samples_per_tick[int(spans.argmax())]


def tempo_map(tracks: Iterable[Track], division: int) -> TempoMap:
    """The tempo map of tracks that play together.

    Args:
        tracks: any of them may change the tempo.
        division: of the file's header.
    """
    if division < 0:
        frames_per_second, ticks_per_frame = -(division >> 8), division & 0xFF
        frame_rate = 30 / 1.001 if frames_per_second == 29 else frames_per_second
        return TempoMap((0,), (0.0,), (SAMPLE_RATE / (frame_rate * max(1, ticks_per_frame)),))
    tempi = {0: DEFAULT_TEMPO}
    for track in tracks:
        tempi |= {ticks: min(max(_FASTEST, tempo), _SLOWEST) for ticks, tempo in track.tempi}
    starts = sorted(tempi)
    rates = [tempi[start] * SAMPLE_RATE / (1_000_000 * division) for start in starts]
    samples = [0.0]
    for before, start, rate in zip(starts, starts[1:], rates, strict=False):
        samples.append(samples[-1] + (start - before) * rate)
    return TempoMap(tuple(starts), tuple(samples), tuple(rates))


def one_after_the_other(tracks: Iterable[Track]) -> Track:
    """The tracks of a type 2 file as one that plays them in turn, each in its own tempo."""
    joined = Track()
    for track in tracks:
        joined.tempi.append((joined.end, DEFAULT_TEMPO))  # its own, if it has one, comes after and counts
        joined.append(track)
    return joined
