"""Sound: how clean it is, that all ways to it agree, and how near it comes to reference renders."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import tune

from lakhnes.apu import (
    PAL_CLOCK_HZ,
    Filters,
    MemoryBlock,
    Mixer,
    RegisterLog,
    Renderer,
    Writes,
    native,
    read_vgm,
    registers_of,
    render,
)
from lakhnes.apu.bandlimit import LATENCY, TAPS, coefficients
from lakhnes.apu.native import finish
from lakhnes.runtime import MissingLibraryError, OptionError

RATE = 44_100


def log_of(writes: list[tuple[int, int, int]], length: int, **options: object) -> RegisterLog:
    """A log of writes (sample, register, value)."""
    samples, registers, values = np.array(writes, np.int64).reshape(-1, 3).T
    return RegisterLog(
        samples,
        registers.astype(np.uint8),
        values.astype(np.uint8),
        length,
        **options,  # type: ignore[arg-type]
    )


def whole(log: RegisterLog, **options: object) -> np.ndarray:
    return np.concatenate(list(render(log, **options)), -1).astype(np.float64)  # type: ignore[arg-type]


def pulse_log(timer: int, seconds: float = 4) -> RegisterLog:
    writes = [(0x15, 1), (0x00, 0x3F), (0x01, 0x08), (0x02, timer & 0xFF), (0x03, timer >> 8)]
    return log_of([(0, register, value) for register, value in writes], round(seconds * RATE))


@pytest.mark.parametrize("timer", [27, 54, 253])
def test_nothing_lies_beside_the_harmonics(timer: int) -> None:
    sound = whole(pulse_log(timer), filters=Filters.FLAT)[RATE // 2 : 7 * RATE // 2]
    hz = 1_789_773 / (16 * (timer + 1))
    power = np.abs(np.fft.rfft((sound - sound.mean()) * np.blackman(len(sound)))) ** 2
    bins = np.arange(len(power)) * RATE / len(sound)
    near = np.abs(bins - np.rint(bins / hz) * hz) < 5
    low = (bins > 20) & (bins < 18_000)
    assert 10 * np.log10(power[low & ~near].sum() / power[low & near].sum()) < -80


@pytest.mark.parametrize("timer", [27, 500, 1801])
def test_pitch_is_the_registers_within_a_twentieth_of_a_cent(timer: int) -> None:
    sound = whole(pulse_log(timer), filters=Filters.FLAT)[RATE // 2 : 7 * RATE // 2]
    hz = 1_789_773 / (16 * (timer + 1))
    half = len(sound) // 2
    turn = np.exp(-2j * np.pi * hz / RATE * np.arange(half)) * np.hanning(half)
    gained = (
        (sound[half:] * turn).sum() / (sound[:half] * turn).sum() * np.exp(-2j * np.pi * hz / RATE * half)
    )
    found = hz + np.angle(gained) / (2 * np.pi) * RATE / half
    assert abs(1200 * np.log2(found / hz)) < 0.05


@pytest.fixture
def no_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which the compiled chip is looked for, in vain."""
    monkeypatch.setattr(native, "__file__", str(tmp_path / "native.py"))
    native.library.cache_clear()
    yield tmp_path
    native.library.cache_clear()


def test_without_a_compiler_there_is_a_next_step(no_chip: Path) -> None:
    (no_chip / "_chip.so").write_bytes(b"of another system")
    with pytest.raises(MissingLibraryError, match="Install a C compiler"):
        Renderer()


def busy() -> RegisterLog:
    """Three seconds of everything: a tune, a sweep, an envelope, noise of both modes, a sample."""
    base = registers_of(tune())
    more = [(9_000, 0x10, 0x4F), (9_000, 0x12, 0), (9_000, 0x13, 8), (9_000, 0x15, 0x1F)]
    more += [(20_000, 0x01, 0x9A), (30_000, 0x0C, 0x02), (30_000, 0x0E, 0x83), (40_000, 0x0E, 0x00)]
    rows = sorted(
        [*zip(base.samples.tolist(), base.registers.tolist(), base.values.tolist(), strict=True), *more],
        key=lambda row: row[0],
    )
    kept = [row for row in rows if row[0] <= 3 * RATE]
    sample = MemoryBlock(9_000, 0xC000, bytes(range(256)))
    return log_of(kept, 3 * RATE, memory=(sample,))


def test_blocks_of_any_size_give_the_same() -> None:
    falls_silent = [
        (0, 0x15, 1),
        (0, 0x00, 0xBF),
        (0, 0x01, 8),
        (0, 0x02, 99),
        (0, 0x03, 0),
        (9_000, 0x15, 0),
    ]
    for log in (busy(), log_of(falls_silent, 2 * RATE)):
        expected = whole(log, block=1 << 20)
        for block in (63, 256, 777, 44_100):
            np.testing.assert_array_equal(whole(log, block=block), expected)


def test_a_sample_is_there_when_the_write_that_plays_it_comes() -> None:
    with_sample = whole(busy(), separate=True)[4]
    assert np.ptp(with_sample[9_000 : 9_000 + RATE // 4]) > 0.1
    assert np.ptp(with_sample[: 9_000 - 40]) < 1e-3


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_sound_is_as_long_as_its_log_and_begins_with_it(rate: int) -> None:
    log = log_of([(22_050, 0x11, 127)], RATE)
    sound = whole(log, sample_rate=rate, filters=Filters.FLAT)
    assert len(sound) == rate
    jump = np.flatnonzero(sound > sound.max() / 2)[0]
    assert abs(jump - rate // 2) <= 1


def test_an_empty_log_is_silence_and_one_without_length_nothing() -> None:
    assert not whole(log_of([], RATE)).any()
    assert len(whole(log_of([], 0))) == 0


def test_separate_channels_are_what_each_gives_alone() -> None:
    log = registers_of(tune())
    separate = whole(log, separate=True)
    assert separate.shape == (5, log.length)
    for channel in range(3):  # the noise alone would have the triangle's rest level beside it
        alone = np.isin(log.registers, [*range(4 * channel, 4 * channel + 4), 0x15, 0x17])
        only = replace(
            log, samples=log.samples[alone], registers=log.registers[alone], values=log.values[alone]
        )
        np.testing.assert_allclose(whole(only), separate[channel], atol=1e-6)
    assert not separate[4].any()


def test_the_legacy_mixer_has_triangle_and_noise_at_three_quarters() -> None:
    writes = [(0, 0x15, 4), (0, 0x08, 0xFF), (0, 0x0A, 200), (0, 0x0B, 0)]
    hardware, legacy = (whole(log_of(writes, RATE), mixer=mixer) for mixer in Mixer)
    np.testing.assert_allclose(legacy, 0.75 * hardware, atol=1e-7)
    pulses = [whole(pulse_log(200, 1), mixer=mixer) for mixer in Mixer]
    np.testing.assert_allclose(pulses[0][100:], pulses[1][100:], atol=0.1)
    assert pulses[0].std() == pytest.approx(pulses[1].std(), rel=0.01)


def test_what_is_left_above_the_pass_band_is_little() -> None:
    """White steps: the DMC's level thrown about at every sample and a half."""
    rng = np.random.default_rng(0)
    writes = [(i * 3 // 2, 0x11, int(v)) for i, v in enumerate(rng.integers(0, 128, 60_000))]
    sound = np.diff(whole(log_of(writes, 90_000), filters=Filters.FLAT))
    power = np.abs(np.fft.rfft(sound[1_000:89_000] * np.hanning(88_000))) ** 2
    hz = np.arange(len(power)) * RATE / 88_000
    middle = power[(hz > 5_000) & (hz < 15_000)].mean()
    assert 10 * np.log10(power[(hz > 0.475 * RATE) & (hz < 0.485 * RATE)].mean() / middle) < -12


@pytest.mark.parametrize("index", [3, 6])
def test_noise_above_the_shortest_periods_keeps_its_treble(index: int) -> None:
    writes = [(0, 0x15, 8), (0, 0x0C, 0x3F), (0, 0x0E, index), (0, 0x0F, 0)]
    sound = whole(log_of(writes, 4 * RATE), filters=Filters.FLAT)
    power = np.abs(np.fft.rfft(sound[1_000:] * np.hanning(len(sound) - 1_000))) ** 2
    hz = np.arange(len(power)) * RATE / (len(sound) - 1_000)
    period = (4, 8, 16, 32, 64, 96, 128)[index] / 1_789_773
    low, high = (power[(hz > f - 500) & (hz < f + 500)].mean() for f in (2_000, 13_000))
    held = (np.sinc(13_000 * period) / np.sinc(2_000 * period)) ** 2
    lost = 10 * np.log10(high / low / held)
    assert -0.5 < lost < 2, "a shorter impulse would lose 4 dB here"


@pytest.mark.parametrize("rate", [44_100, 96_000])
@pytest.mark.parametrize("filters", list(Filters))
def test_filters_have_the_corners_of_the_console(rate: int, filters: Filters) -> None:
    high, low = {
        Filters.NES: ((90.0, 440.0), 14_000.0),
        Filters.FAMICOM: ((37.0,), None),
        Filters.FLAT: ((), None),
    }[filters]
    buffer = np.zeros(rate + TAPS)
    buffer[:2] = 1, -1  # steps up and down: an impulse
    response = np.zeros(rate, np.float32)
    finish(buffer, coefficients(high, low, rate), np.zeros(5), response)
    hz = np.array([20, 90, 440, 1_000, 5_000, 14_000, 18_000])
    ours = np.abs(np.fft.rfft(response.astype(np.float64)))[hz]
    wanted = np.ones(len(hz))
    for corner in high:
        wanted = wanted / np.sqrt(1 + (corner / hz) ** 2)
    if low:
        wanted = wanted / np.sqrt(1 + (hz / low) ** 2)
    assert 20 * np.log10(ours / wanted) == pytest.approx(np.zeros(len(hz)), abs=0.4)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="7 Hz is out of range"):
        Renderer(sample_rate=7)
    with pytest.raises(OptionError, match="CPU clock"):
        Renderer(clock_hz=3)


def test_a_late_write_happens_at_the_start_of_its_block() -> None:
    renderer = Renderer(filters=Filters.FLAT)
    renderer.render_block(Writes(), 1_000)
    late = Writes(np.array([5]), np.array([0x11], np.uint8), np.array([127], np.uint8))
    sound = renderer.render_block(late, 100)
    assert abs(int(np.flatnonzero(sound > sound.max() / 2)[0]) - LATENCY) <= 1


def test_a_loop_is_unrolled() -> None:
    log = log_of([(0, 0x11, 0), (500, 0x11, 100), (800, 0x11, 0)], 1_000, loop=400)
    assert log.unrolled(3).length == 1_000 + 2 * 600
    assert log.unrolled(3).samples.tolist() == [0, 500, 800, 1_100, 1_400, 1_700, 2_000]
    assert log.unrolled(1).loop is None
    with pytest.raises(ValueError, match="once at least"):
        log.unrolled(0)


def test_a_pal_log_keeps_its_tempo() -> None:
    log = log_of([(22_050, 0x11, 127)], RATE, clock_hz=PAL_CLOCK_HZ)
    sound = whole(log, filters=Filters.FLAT)
    assert abs(int(np.flatnonzero(sound > sound.max() / 2)[0]) - 22_050) <= 1


def test_real_songs_sound_as_another_emulator_plays_them(shared: Path) -> None:
    """A wide net for what a listener would notice; benchmarks/compare_renders.py has the figures."""
    soundfile = pytest.importorskip("soundfile")
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        from compare_renders import compare
    finally:
        sys.path.pop(0)
    rows = []
    for song in sorted((shared / "fixtures/apu/songs").glob("*.vgm")):
        reference, rate = soundfile.read(song.with_suffix(".libvgm.flac"))
        assert rate == RATE
        rows.append(compare(whole(read_vgm(song).log, filters=Filters.FLAT), reference))
    average = {key: np.mean([row[key] for row in rows]) for key in rows[0]}
    assert average["mel"] < 1.4
    assert average["p95"] < 4.8
    assert average["ltas"] < 0.7
    assert average["env"] > 0.88
