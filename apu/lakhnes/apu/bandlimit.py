"""Band-limited impulses and filter coefficients that turn the chip's steps into sound.

`sound.c` adds an impulse for each step of the mixer's output, and filters the running sum.

Source: Stilson and Smith 1996, "Alias-free digital synthesis of classic analog waveforms"; Brandt 2001, "Hard
sync without aliasing".
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TAPS = 32
"""Samples that one step spreads over; as in sound.c."""

LATENCY = 15
"""Samples by which the sound is late, so that a step can begin before its time; as in sound.c."""

_PHASES = 256
_CUTOFF = 0.44  # of the sample rate
_NOISE_TAPS = 8


def _impulses(taps: int, beta: float) -> Floats:
    """Return windowed sinc impulses per fraction of a sample, float64 [_PHASES + 1, taps]; rows sum to 1."""
    fraction = np.arange(_PHASES + 1)[:, None] / _PHASES
    distance = np.arange(taps) - (taps // 2 - 1) - fraction  # samples from the step
    inside = np.clip(1 - (distance / (taps / 2)) ** 2, 0, None)
    rows = np.sinc(2 * _CUTOFF * distance) * np.i0(beta * np.sqrt(inside))
    return np.asarray(rows / rows.sum(1, keepdims=True))


@cache
def impulses() -> tuple[Floats, Floats]:
    """Return the impulses of tones [257, 32] and of noise [257, 8]."""
    return _impulses(TAPS, 9.0), _impulses(_NOISE_TAPS, 4.0)


def coefficients(high_pass_hz: tuple[float, ...], low_pass_hz: float | None, sample_rate: int) -> Floats:
    """Return the coefficients of `native.finish`, float64 [7].

    They are pole and gain of two high passes, then two zeros and the pole of the low pass.
    The high passes are bilinear; the first one's difference undoes the running sum, so without it the sum
    remains. The low pass meets the analogue one at 0, at its corner and at half the sample rate.

    Args:
        high_pass_hz: none to two corner frequencies.
        low_pass_hz: corner frequency, or None; left out from half the sample rate on.
        sample_rate: in Hz.

    Source: Vicanek 2016, "Matched second order digital filters", for the way to the low pass.
    """
    c = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    for i, corner in enumerate(high_pass_hz):
        t = np.tan(np.pi * corner / sample_rate)
        pole = (1 - t) / (1 + t)
        c[2 * i : 2 * i + 2] = pole, (1 + pole) / 2
    if low_pass_hz is not None and low_pass_hz < sample_rate / 2:
        at_nyquist = 1 / np.sqrt(1 + (sample_rate / 2 / low_pass_hz) ** 2)
        t = np.tan(np.pi * low_pass_hz / sample_rate) * np.sqrt(1 - 2 * at_nyquist**2)
        pole = (1 - t) / (1 + t)
        c[4:] = ((1 - pole) + at_nyquist * (1 + pole)) / 2, ((1 - pole) - at_nyquist * (1 + pole)) / 2, pole
    return np.array(c)
