"""Loudness of sound, as broadcasters measure it.

Source: Recommendation ITU-R BS.1770-5, annex 1: K-weighting, mean square, two gates. The standard gives the
filters for 48 kHz. Their analogue prototypes give the same coefficients at 48 kHz, and those of other rates
(B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SILENCE_LUFS = -70.0
"""Absolute gate: blocks below it do not count."""

_RELATIVE_GATE_LU = 10.0
_OFFSET_LU = -0.691  # 997 Hz at full scale in one channel then measures -3.01
_BLOCK_SECONDS, _OVERLAP = 0.4, 4
_SETTLING_SECONDS = 1.0  # the filters' responses are below 1e-100 by then
_WEIGHTS = (1.0, 1.0, 1.0, 1.41, 1.41)


class Biquad(NamedTuple):
    """A filter of second order; a0 is 1."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float

    def response(self, radians: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the response at some angular frequencies, in radians a sample; complex128 [n]."""
        z = np.exp(-1j * radians)
        response = (self.b0 + self.b1 * z + self.b2 * z**2) / (1 + self.a1 * z + self.a2 * z**2)
        return np.asarray(response, np.complex128)


def k_weighting(sample_rate: int) -> tuple[Biquad, Biquad]:
    """Return the two filters of the K-weighting: the shelf of a head, and the high-pass.

    Args:
        sample_rate: Hz.
    """
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = Biquad(
        (high + middle * k / q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - middle * k / q + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / q + k * k) / a0,
    )
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    high_pass = Biquad(1.0, -2.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0)
    return shelf, high_pass


def integrated_loudness(sound: NDArray[np.floating], sample_rate: int) -> float:
    """Return the gated loudness of a sound in LUFS; minus infinity if all of it is silent.

    Args:
        sound: samples [frames] or [frames, channels], full scale 1; channels in the order left, right,
            centre, left surround, right surround.
        sample_rate: Hz.

    Raises:
        ValueError: if it has more than five channels.
    """
    channels = np.atleast_2d(np.asarray(sound, np.float64).T)  # [channels, frames]
    if len(channels) > len(_WEIGHTS):
        raise ValueError(f"{len(channels)} channels, but the standard weights five")
    power = np.asarray(_WEIGHTS[: len(channels)]) @ _k_weighted(channels, sample_rate) ** 2  # [frames]
    blocks = _block_means(power, sample_rate)
    loud = blocks[_lufs(blocks) > SILENCE_LUFS]
    if not len(loud):
        return -math.inf
    gate = _lufs(loud.mean()) - _RELATIVE_GATE_LU
    return float(_lufs(loud[_lufs(loud) > gate].mean()))


def _k_weighted(channels: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Return the weighted sound, float64 [channels, frames]; filtered as a product of spectra."""
    frames = channels.shape[1]
    size = 1 << (frames + round(_SETTLING_SECONDS * sample_rate)).bit_length()
    radians = np.linspace(0, math.pi, size // 2 + 1)
    shelf, high_pass = k_weighting(sample_rate)
    spectrum = np.fft.rfft(channels, size) * (shelf.response(radians) * high_pass.response(radians))
    return np.asarray(np.fft.irfft(spectrum, size)[:, :frames], np.float64)


def _block_means(power: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Return the means of blocks of 400 ms that begin every 100 ms; the whole if it is shorter."""
    length = min(len(power), round(_BLOCK_SECONDS * sample_rate))
    starts = np.arange(0, len(power) - length + 1, max(1, length // _OVERLAP))
    sums = np.concatenate([[0.0], np.cumsum(power)])
    return np.asarray((sums[starts + length] - sums[starts]) / max(1, length), np.float64)


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(_OFFSET_LU + 10 * np.log10(np.maximum(power, 0.0)))
