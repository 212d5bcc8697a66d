"""The tempi of music that followed somebody's clock, fitted to the times at which its ticks were played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lakhnes.runtime.time.grid import PPQ, TEMPI_BPM

TOLERANCE_SECONDS = 0.02
"""How far a tick may lie off a steady tempo: what comes through a sound server strays by its period."""


@dataclass(frozen=True, slots=True)
class TempoStretch:
    """Music at one tempo."""

    tick: int
    """Where it begins."""
    bpm: float
    seconds: float
    """How long it was seen for."""

    @property
    def error_bpm(self) -> float:
        """How much the true tempo may differ."""
        return self.bpm * TOLERANCE_SECONDS / max(self.seconds, TOLERANCE_SECONDS)


def fit_tempi(ticks: Sequence[int], seconds: Sequence[float], bpm: float) -> list[TempoStretch]:
    """Returns as few stretches of steady tempo as the times allow.

    Args:
        ticks: int [n], rising.
        seconds: float [n], when each was played, without a pause between.
        bpm: the tempo to tell where one tick alone tells none.
    """
    stretches = []
    first = 0
    while first < len(ticks) - 1:
        last, (slowest, fastest) = first + 1, (0.0, np.inf)  # seconds a tick
        while last < len(ticks):
            length, took = ticks[last] - ticks[first], seconds[last] - seconds[first]
            slowest = max(slowest, (took - TOLERANCE_SECONDS) / length)
            fastest = min(fastest, (took + TOLERANCE_SECONDS) / length)
            if slowest > fastest:
                break
            last += 1
        stretches.append(_stretch(ticks[first:last], seconds[first:last]))
        first = max(last - 1, first + 1)
    return stretches or [TempoStretch(tick, bpm, 0.0) for tick in ticks[:1]]


def joined(stretches: Sequence[TempoStretch]) -> list[TempoStretch]:
    """Joins neighbours that may be of the same tempo; each is told at the roundest that it may be."""
    kept: list[TempoStretch] = []
    for stretch in stretches:
        if kept and abs(stretch.bpm - kept[-1].bpm) <= stretch.error_bpm + kept[-1].error_bpm:
            before = kept.pop()
            both = before.seconds + stretch.seconds
            weight = stretch.seconds / both if both else 0.0
            stretch = TempoStretch(before.tick, before.bpm + weight * (stretch.bpm - before.bpm), both)
        kept.append(stretch)
    return [TempoStretch(one.tick, _roundest(one), one.seconds) for one in kept]


def _stretch(ticks: Sequence[int], seconds: Sequence[float]) -> TempoStretch:
    """The straight line through times that lie near one."""
    x, y = np.array(ticks, np.float64), np.array(seconds)
    x, y = x - x.mean(), y - y.mean()
    slope = max(float(x @ y / (x @ x)), 1e-9)  # seconds a tick
    slowest, fastest = TEMPI_BPM
    return TempoStretch(ticks[0], min(max(60 / (slope * PPQ), slowest), fastest), seconds[-1] - seconds[0])


def _roundest(stretch: TempoStretch) -> float:
    """The tempo with the fewest decimals that it may be: people set such."""
    for decimals in range(3):
        rounded = round(stretch.bpm, decimals)
        if abs(rounded - stretch.bpm) <= stretch.error_bpm / 4:
            return rounded
    return round(stretch.bpm, 3)
