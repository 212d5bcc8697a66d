"""Loudness against the values that the standards print."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lakhnes.apu.loudness import integrated_loudness, k_weighting

RATES = (44_100, 48_000, 96_000)


def sine(seconds: float, dbfs: float, rate: int, hertz: float = 1000.0) -> NDArray[np.float64]:
    return 10 ** (dbfs / 20) * np.sin(2 * math.pi * hertz / rate * np.arange(round(seconds * rate)))


def stereo(*parts: tuple[float, float], rate: int) -> NDArray[np.float64]:
    """A sine in both channels, in parts of some seconds at some dBFS."""
    mono = np.concatenate([sine(seconds, dbfs, rate) for seconds, dbfs in parts])
    return np.stack([mono, mono], 1)


def test_the_filters_are_those_of_the_standard() -> None:
    """BS.1770-5, tables 1 and 2, printed for 48 kHz."""
    shelf, high_pass = k_weighting(48_000)
    assert shelf == pytest.approx(
        (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585), abs=1e-8
    )
    assert high_pass == pytest.approx((1, -2, 1, -1.99004745483398, 0.99007225036621), abs=1e-8)


@pytest.mark.parametrize("rate", RATES)
def test_a_full_sine_in_one_channel_is_the_standards_reference(rate: int) -> None:
    assert integrated_loudness(sine(3, 0, rate, 997), rate) == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize(
    ("rate", "parts", "lufs"),
    [
        (44_100, [(20, -23)], -23),
        (96_000, [(20, -33)], -33),
        (44_100, [(10, -36), (60, -23), (10, -36)], -23),
        (48_000, [(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23),
        (48_000, [(20, -26), (20.1, -20), (20, -26)], -23),
    ],
)
def test_ebu_minimum_requirements(rate: int, parts: list[tuple[float, float]], lufs: float) -> None:
    """EBU Tech 3341, table 1, cases 1 to 5."""
    assert integrated_loudness(stereo(*parts, rate=rate), rate) == pytest.approx(lufs, abs=0.1)


def test_surround_channels_count_more() -> None:
    """EBU Tech 3341, table 1, case 6; our order of channels puts the centre third."""
    levels = (-28, -28, -24, -30, -30)
    sound = np.stack([sine(20, dbfs, 48_000) for dbfs in levels], 1)
    assert integrated_loudness(sound, 48_000) == pytest.approx(-23, abs=0.1)


def test_silence_and_short_sounds() -> None:
    assert integrated_loudness(np.zeros(48_000), 48_000) == -math.inf
    assert integrated_loudness(np.zeros(0), 48_000) == -math.inf
    assert integrated_loudness(sine(0.2, -20, 48_000, 997), 48_000) == pytest.approx(-23.01, abs=0.1)
    with pytest.raises(ValueError, match="five"):
        integrated_loudness(np.zeros((10, 6)), 48_000)
