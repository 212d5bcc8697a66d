"""The row of each onset, found from the interval to the one before, because absolute times drift."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lakhnes.runtime.music.timing import FRAME_SAMPLES
from lakhnes.runtime.time.periods import FRAMES_PER_ROW, NEAR, SAME_TEMPO, Floats, Ints, Onsets, united

_SHORTEST = 0.98 * FRAMES_PER_ROW[0] * FRAME_SAMPLES
_SHORTEST_CUT = 2.9 * FRAME_SAMPLES  # of the rows that are divided for a few onsets


def follow(onsets: Onsets, periods: Floats) -> tuple[Ints, Floats]:
    """Return the row of each moment, from the intervals between moments.

    A slow filter keeps the phase. A displaced onset moves nothing, and the filter follows drift. Waits over
    10,000 samples are coarse in the TX1 vocabulary, so the phase starts again after one.

    Returns:
        int64 [n] rows from 0 up; and float64 [n]: the offset of each moment from its row, -0.5..0.5 rows.
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
    """Return the samples of moment j after its row, from the next moments of the same period."""
    end = int(np.searchsorted(onsets.times, onsets.times[j] + NEAR))
    other = np.flatnonzero(periods[j:end] != periods[j])
    end = j + int(other[0]) if len(other) else end
    turns = np.exp(2j * np.pi / periods[j] * (onsets.times[j:end] - onsets.times[j]))
    return float(-np.angle(onsets.weights[j:end] @ turns) / (2 * np.pi) * periods[j])


def cut_rows(onsets: Onsets, periods: Floats, offs: Floats) -> Floats:
    """Return periods, made shorter in stretches where onsets lie between rows."""
    shorter = periods.copy()
    for low, high in stretches(periods):
        span = slice(low, high)
        parts = _subdivision(onsets.weights[span], float(periods[low]), offs[span])
        shorter[span] /= parts
    return united(shorter)


def _subdivision(weights: Floats, period: float, offs: Floats) -> int:
    """Return the number of rows, 1 to 4, that each row must be divided into for the onsets between rows."""
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
    """Return the first moment, and the moment after the last, of each stretch of one period."""
    cuts = [0, *(np.flatnonzero(np.diff(periods)) + 1).tolist(), len(periods)]
    return list(pairwise(cuts))


def refined_periods(onsets: Onsets, periods: Floats, index: Ints, offs: Floats) -> Floats:
    """Return the periods measured from the rows, one for each stretch."""
    refined = periods.copy()
    for low, high in stretches(periods):
        on = low + np.flatnonzero(np.abs(offs[low:high]) < 0.25)
        if len(on) >= 8 and index[on[-1]] - index[on[0]] >= 16:
            period = (onsets.times[on[-1]] - onsets.times[on[0]]) / (index[on[-1]] - index[on[0]])
            if abs(period / periods[low] - 1) < 0.03:
                refined[low:high] = period
    return refined
