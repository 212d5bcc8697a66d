"""The chip against what is known of the hardware, heard through the renderer without filters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.apu import NTSC_CLOCK_HZ, PAL_CLOCK_HZ, Filters, MemoryBlock, Renderer, Writes
from lakhnes.apu.tables import LENGTHS, tables

RATE = 44_100
ON = (0x15, 0x0F)
HELD = 0x3F  # length counter and envelope off, volume 15
QUARTER = NTSC_CLOCK_HZ / 7457.5  # Hz, of the frame counter


def play(
    *moments: tuple[float, list[tuple[int, int]]], seconds: float, channel: int, **options: object
) -> np.ndarray:
    """Sound of one channel alone, in the chip's range, after writes at some seconds."""
    renderer = Renderer(filters=Filters.FLAT, separate=True, **options)  # type: ignore[arg-type]
    for block in options.pop("memory", ()):  # type: ignore[union-attr]
        renderer.load(block)
    rows = [(round(at * NTSC_CLOCK_HZ), *write) for at, writes in moments for write in writes]
    clocks, registers, values = np.array(rows, np.int64).T
    writes = Writes(clocks, registers.astype(np.uint8), values.astype(np.uint8))
    return renderer.render_block(writes, round(seconds * RATE))[channel].astype(np.float64)


def sounding(sound: np.ndarray) -> float:
    """Seconds until a sound's last change."""
    return float(np.flatnonzero(np.abs(np.diff(sound)) > 1e-4)[-1] / RATE)


def frequency(sound: np.ndarray) -> float:
    """Hz of the strongest partial."""
    power = np.abs(np.fft.rfft((sound - sound.mean()) * np.hanning(len(sound)), 1 << 19))
    return float(power.argmax() * RATE / (1 << 19))


def pulse(timer: int, *, first: int = HELD, sweep: int = 0x08) -> list[tuple[int, int]]:
    return [ON, (0x00, first), (0x01, sweep), (0x02, timer & 0xFF), (0x03, timer >> 8)]


@pytest.mark.parametrize("timer", [8, 54, 253, 1023, 2047])
def test_a_pulse_sounds_at_its_timers_frequency(timer: int) -> None:
    sound = play((0, pulse(timer, first=0x80 | HELD)), seconds=1, channel=0)
    assert frequency(sound) == pytest.approx(NTSC_CLOCK_HZ / (16 * (timer + 1)), rel=2e-4, abs=0.1)


@pytest.mark.parametrize(("duty", "share"), [(0, 1 / 8), (1, 1 / 4), (2, 1 / 2), (3, 3 / 4)])
def test_duties_are_the_share_of_time_above(duty: int, share: float) -> None:
    sound = play((0, pulse(500, first=duty << 6 | HELD)), seconds=1, channel=0)
    assert (sound[100:] > sound.max() / 2).mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("timer", "sweep", "sounds"),
    [
        (7, 0x08, False),
        (8, 0x08, True),
        (1024, 0x00, False),  # target: the timer twice
        (1023, 0x00, True),
        (2033, 0x07, False),
        (2032, 0x07, True),
        (2047, 0x08, True),  # it aims down
    ],
)
def test_a_pulse_is_silent_below_8_and_where_its_sweep_would_overflow(
    timer: int, sweep: int, sounds: bool
) -> None:
    sound = play((0, pulse(timer, sweep=sweep)), seconds=0.2, channel=0)
    assert (np.ptp(sound) > 0.05) == sounds


@pytest.mark.parametrize("volume", [1, 8, 15])
def test_volumes_go_through_the_mixers_curve(volume: int) -> None:
    sound = play((0, pulse(500, first=0xB0 | volume)), seconds=0.5, channel=0)
    assert np.median(sound[sound > sound.max() / 2]) == pytest.approx(
        95.88 * volume / (8128 + 100 * volume), rel=0.01
    )


def test_a_length_counter_silences_after_its_half_frames() -> None:
    for index, half_frames in enumerate(LENGTHS):
        writes = [ON, (0x00, 0x1F), (0x01, 0x08), (0x02, 200), (0x03, index << 3)]
        sound = play((0, writes), seconds=2.5, channel=0)
        assert sounding(sound) == pytest.approx(half_frames * 2 / QUARTER, abs=0.006)


def test_a_channel_that_is_off_takes_no_length() -> None:
    assert np.ptp(play((0, [(0x15, 0x0E), *pulse(200)[1:]]), seconds=0.1, channel=0)) == 0
    halted = play((0, pulse(200)), (0.1, [(0x15, 0x0E)]), (0.2, [ON]), seconds=0.4, channel=0)
    assert sounding(halted) == pytest.approx(0.1, abs=0.003)


@pytest.mark.parametrize("period", [0, 3, 15])
def test_an_envelope_falls_to_nothing_in_15_steps(period: int) -> None:
    writes = [ON, (0x00, 0x80 | period), (0x01, 0x08), (0x02, 100), (0x03, 1 << 3)]  # the longest length
    sound = play((0, writes), seconds=2, channel=0)
    assert sounding(sound) == pytest.approx((15 * (period + 1) + 1) / QUARTER, abs=0.006)
    top = play((0, pulse(100, first=0xBF)), seconds=0.05, channel=0).max()
    assert sound.max() == pytest.approx(top, rel=0.02)


def test_a_looped_envelope_starts_again() -> None:
    sound = play((0, [ON, (0x00, 0xA0), (0x01, 0x08), (0x02, 100), (0x03, 0)]), seconds=2, channel=0)
    assert sounding(sound) > 1.99
    loudness = sound[: len(sound) // 441 * 441].reshape(-1, 441).max(1)
    strongest = np.abs(np.fft.rfft(loudness - loudness.mean())).argmax() / 2  # Hz, over two seconds
    assert strongest == pytest.approx(QUARTER / 16, abs=0.6)


def test_sweeps_slide_and_pulse_1_goes_one_further_down() -> None:
    def swept(channel: int) -> float:
        writes = [
            ON,
            (4 * channel, 0xBF),
            (4 * channel + 1, 0x8A),
            (4 * channel + 2, 0xFF),
            (4 * channel + 3, 3),
        ]
        stop = [(4 * channel + 1, 0x08)]  # after one half frame
        sound = play((0, writes), (3.2 / QUARTER, stop), seconds=1, channel=channel)
        return NTSC_CLOCK_HZ / 16 / frequency(sound[RATE // 4 :]) - 1

    assert swept(0) == pytest.approx(0x3FF - 0xFF - 1, abs=0.3)
    assert swept(1) == pytest.approx(0x3FF - 0xFF, abs=0.3)


def test_the_high_byte_restarts_a_pulse_and_the_low_byte_does_not() -> None:
    steady = play((0, pulse(2047)), seconds=0.2, channel=0)
    low = play((0, pulse(2047)), (0.1, [(0x02, 0xFF)]), seconds=0.2, channel=0)
    high = play((0, pulse(2047)), (0.1, [(0x03, 7)]), seconds=0.2, channel=0)
    np.testing.assert_array_equal(steady, low)
    assert not np.array_equal(steady, high)


def triangle(timer: int, linear: int = 0xFF) -> list[tuple[int, int]]:
    """With the longest length."""
    return [ON, (0x08, linear), (0x0A, timer & 0xFF), (0x0B, 1 << 3 | timer >> 8)]


@pytest.mark.parametrize("timer", [2, 5, 52, 700, 2047])
def test_the_triangle_is_an_octave_below_a_pulse(timer: int) -> None:
    sound = play((0, triangle(timer)), seconds=1, channel=2)
    assert frequency(sound[2000:]) == pytest.approx(NTSC_CLOCK_HZ / (32 * (timer + 1)), rel=2e-4, abs=0.1)


def test_a_triangle_too_high_to_hear_gives_its_mean() -> None:
    mean = 159.79 / (1 / (7.5 / 8227) + 100)
    for timer in (0, 1):
        sound = play((0, triangle(timer)), seconds=0.2, channel=2)
        np.testing.assert_allclose(sound[2000:], mean, atol=1e-6)
    back = play((0, triangle(0)), (0.1, [(0x0A, 200)]), seconds=0.3, channel=2)
    assert frequency(back[RATE // 8 :]) == pytest.approx(NTSC_CLOCK_HZ / (32 * 201), rel=1e-3)


def test_a_triangle_that_stops_holds_its_level() -> None:
    sound = play((0, triangle(500)), (0.1003, [(0x15, 0)]), seconds=0.3, channel=2)
    held = sound[RATE // 5 :]
    assert np.ptp(held) < 1e-9
    assert held[0] > 0
    again = play((0, triangle(500)), (0.1003, [(0x15, 0)]), (0.2, triangle(500)), seconds=0.4, channel=2)
    assert abs(again[round(0.2 * RATE) + 20] - held[0]) < 0.05, "it goes on from there"


@pytest.mark.parametrize("linear", [1, 24, 100])
def test_the_linear_counter_stops_the_triangle(linear: int) -> None:
    sound = play((0, triangle(300, linear)), seconds=1, channel=2)
    assert sounding(sound) == pytest.approx((linear + 0.5) / QUARTER, abs=0.006)


def test_five_steps_are_slower_than_four() -> None:
    four = play((0, triangle(300, 100)), seconds=1, channel=2)
    five = play((0, [(0x17, 0x80), *triangle(300, 100)]), seconds=1, channel=2)
    assert sounding(five) == pytest.approx(sounding(four) * 5 / 4, abs=0.01)


@pytest.mark.parametrize("mode", [0, 1])
def test_noise_repeats_after_its_cycle(mode: int) -> None:
    period, cycle = 4068, 93 if mode else 32_767
    writes = [ON, (0x0C, HELD), (0x0E, mode << 7 | 15), (0x0F, 0)]
    seconds = 0.6 if mode else 150
    sound = play((0, writes), seconds=seconds, channel=3)
    shift = period * cycle / NTSC_CLOCK_HZ * RATE
    whole = round(shift)
    first, second = sound[1000 : 1000 + RATE // 3], sound[1000 + whole : 1000 + whole + RATE // 3]
    assert np.corrcoef(first, second)[0, 1] > 0.98
    assert np.corrcoef(first, sound[1500 : 1500 + RATE // 3])[0, 1] < 0.5


def test_the_register_of_the_noise_steps_as_the_hardwares() -> None:
    t = tables(NTSC_CLOCK_HZ)
    state, outputs = 1, []
    for _ in range(200):
        outputs.append(1 - (state & 1))
        state = state >> 1 | ((state ^ state >> 1) & 1) << 14
    start = 65 + t.noise_place[0, 1]
    np.testing.assert_array_equal(t.patterns[start : start + 200], outputs)
    for mode in (0, 1):
        assert sorted(set(t.noise_size[mode, 1:].tolist())) == ([32_767] if mode == 0 else [31, 93])


def test_the_dac_takes_its_level_at_once() -> None:
    sound = play((0.01, [(0x11, 64)]), (0.02, [(0x11, 127)]), seconds=0.03, channel=4)
    expected = [159.79 / (1 / (level / 22638) + 100) if level else 0 for level in (0, 64, 127)]
    assert sound[[200, 700, 1200]] == pytest.approx(expected, abs=1e-6)


def test_a_sample_plays_bit_by_bit_and_stops() -> None:
    block = MemoryBlock(0, 0xC000, bytes([0xFF] * 2 + [0x00] * 15))
    start = [(0x10, 0x0F), (0x11, 40), (0x12, 0), (0x13, 1), (0x15, 0x10)]
    renderer = Renderer(filters=Filters.FLAT, separate=True)
    renderer.load(block)
    clocks = np.zeros(len(start), np.int64)
    registers, values = (np.array(column, np.uint8) for column in zip(*start, strict=True))
    assert renderer.status == 0
    sound = renderer.render_block(Writes(clocks, registers, values), RATE // 10)[4]
    levels = 22638 / (159.79 / np.maximum(sound, 1e-9) - 100)
    assert levels[:2].max() < 41
    assert levels.max() == pytest.approx(40 + 2 * 16, abs=0.6)
    assert levels[-1] == pytest.approx(0, abs=1)
    assert renderer.status == 0


def test_a_looped_sample_goes_on_until_it_is_switched_off() -> None:
    renderer = Renderer(filters=Filters.FLAT, separate=True)
    renderer.load(MemoryBlock(0, 0xFFC0, bytes([0xF0] * 100)))  # what lies beyond $FFFF is cut off
    start = [(0x10, 0x4F), (0x11, 40), (0x12, 0xFF), (0x13, 1), (0x15, 0x10)]
    registers, values = (np.array(column, np.uint8) for column in zip(*start, strict=True))
    renderer.render_block(Writes(np.zeros(5, np.int64), registers, values), RATE)
    assert renderer.status == 0x10
    off = Writes(np.array([renderer.clock]), np.array([0x15], np.uint8), np.array([0], np.uint8))
    renderer.render_block(off, RATE)
    assert renderer.status == 0


def lowest(sound: np.ndarray, start: float, seconds: float = 0.02) -> float:
    """Hz of the fundamental of a slice of sound, by its repetition."""
    part = sound[round(start * RATE) : round((start + seconds) * RATE)]
    part = part - part.mean()
    own = np.correlate(part, part, "full")[len(part) - 1 :]
    first = int(np.flatnonzero(own < 0)[0])
    return RATE / (first + int(own[first:].argmax()))


def test_a_sweep_waits_for_its_period_and_one_without_shift_does_nothing() -> None:
    before, half_frame = NTSC_CLOCK_HZ / (16 * 0x201), 2 / QUARTER
    slow = play(
        (0, pulse(0x200, first=0xBF, sweep=0xF9)), seconds=0.2, channel=0
    )  # then every eighth half frame
    assert lowest(slow, 1.5 * half_frame) == pytest.approx(2 * before, rel=0.03)
    assert lowest(slow, 6 * half_frame) == pytest.approx(2 * before, rel=0.03)
    assert lowest(slow, 10 * half_frame) == pytest.approx(4 * before, rel=0.05)
    still = play((0, pulse(0x200, first=0xBF, sweep=0x88)), seconds=0.2, channel=0)
    assert lowest(still, 0.15) == pytest.approx(before, rel=0.02)


def test_writing_a_sweep_starts_its_divider_again() -> None:
    waiting = [(at, [(0x01, 0xF9)]) for at in np.arange(0.01, 0.3, 0.03)]  # always before it is through
    held = play((0, pulse(0x200, first=0xBF, sweep=0xF9)), *waiting, seconds=0.3, channel=0)
    left = play((0, pulse(0x200, first=0xBF, sweep=0xF9)), seconds=0.3, channel=0)
    assert lowest(held, 0.2) < 0.8 * lowest(left, 0.2)


@pytest.mark.parametrize(("value", "clocked"), [(0x80, True), (0x00, False)])
def test_five_step_mode_clocks_at_once_and_four_step_does_not(value: int, clocked: bool) -> None:
    short = [ON, (0x00, 0x1F), (0x01, 0x08), (0x02, 200), (0x03, 3 << 3)]  # two half frames
    sound = play((0, short), *((at, [(0x17, value)]) for at in (1e-4, 2e-4)), seconds=0.2, channel=0)
    assert (sounding(sound) < 0.001) == clocked
    envelope = [ON, (0x00, 0x80), (0x01, 0x08), (0x02, 100), (0x03, 1 << 3)]
    sound = play((0, envelope), *((i * 1e-4, [(0x17, value)]) for i in range(1, 20)), seconds=0.2, channel=0)
    assert (sounding(sound) < 0.003) == clocked


def test_a_write_to_the_frame_counter_starts_its_round_again() -> None:
    again = [(at, [(0x17, 0x00)]) for at in np.arange(0.001, 0.5, 0.003)]  # never a step gets its time
    sound = play(
        (0, [ON, (0x00, 0x1F), (0x01, 0x08), (0x02, 200), (0x03, 3 << 3)]), *again, seconds=0.5, channel=0
    )
    assert sounding(sound) > 0.49


def test_noise_starts_its_envelope_again() -> None:
    writes = [ON, (0x0C, 0x21), (0x0E, 4), (0x0F, 0)]
    sound = play((0, writes), (0.5, [(0x0F, 0)]), seconds=1, channel=3)
    level = [np.ptp(sound[round(at * RATE) : round((at + 0.004) * RATE)]) for at in (0.49, 0.501)]
    assert level[1] > level[0]


def noise_bits(sound: np.ndarray, period: int) -> np.ndarray:
    """Bit 0 of the noise's shift register at each step, from the sound of the noise alone."""
    clocks = NTSC_CLOCK_HZ / RATE
    edges = np.flatnonzero(np.diff((sound > sound.max() / 2).astype(int)))
    turn = np.exp(2j * np.pi * edges * clocks / period).mean()
    first = np.angle(turn) / (2 * np.pi) % 1 * period  # clock of the edges, within a step
    middles = (first + period * (np.arange(len(sound) * clocks / period - 1) + 0.5)) / clocks
    return (sound[middles.astype(int)] < sound.max() / 2).astype(int)


def test_a_mode_of_the_noise_leaves_its_register_as_it_is() -> None:
    """The 15 bits that are in the register when the mode changes come out as they would have."""
    start = [ON, (0x0C, HELD), (0x0F, 0), (0x0E, 15)]
    bits = noise_bits(play((0, start), (0.2, [(0x0E, 0x8F)]), seconds=0.6, channel=3), 4068)
    old = bits[15:] == bits[:-15] ^ bits[1:-14]
    new = bits[15:] == bits[:-15] ^ bits[6:-9]
    changed = int(0.2 * NTSC_CLOCK_HZ / 4068)
    assert old[: changed - 2].all()
    assert new[changed + 2 :].all()
    assert not new[: changed - 2].all()
    assert not old[changed + 2 :].all()
    assert 15 < bits[: changed + 15].sum() < changed


def test_a_triangle_goes_on_from_its_step_after_it_was_too_high_to_hear() -> None:
    low = [ON, (0x08, 0xFF), (0x0A, 0xFF), (0x0B, 0x0F)]  # a step every 2,048 clocks, 50 samples
    up, down = (0.1, [(0x0B, 0x08), (0x0A, 0)]), (0.2, [(0x0A, 0xFF), (0x0B, 0x0F)])
    sound = play((0, low), up, down, seconds=0.3, channel=2)
    levels = 8227 * sound / (159.79 - 100 * sound)
    before, between, after = (levels[round(at * RATE)] for at in (0.1, 0.15, 0.201))
    assert abs(before - 7.5) > 3
    assert between == pytest.approx(7.5, abs=0.01)
    assert abs(after - before) <= 2.1


def dmc(sample: bytes, address: int, writes: list[tuple[int, int]], seconds: float = 0.05) -> np.ndarray:
    """Level of the DMC, 0..127, after writes at the start."""
    renderer = Renderer(filters=Filters.FLAT, separate=True)
    renderer.load(MemoryBlock(0, address, sample))
    registers, values = (np.array(column, np.uint8) for column in zip(*writes, strict=True))
    clocks = np.arange(len(writes))
    sound = renderer.render_block(Writes(clocks, registers, values), round(seconds * RATE))[4].astype(
        np.float64
    )
    return 22638 / (159.79 / np.maximum(sound, 1e-9) - 100)


def test_a_sample_is_16_bytes_and_one_for_each_step_of_its_length() -> None:
    rising = dmc(b"\xff" * 64, 0xC000, [(0x10, 15), (0x11, 0), (0x12, 0), (0x13, 0), (0x15, 16)])
    assert rising[-1] == pytest.approx(16, abs=0.5)  # one byte: eight steps of 2
    address = dmc(b"\xff" * 64, 0xC080, [(0x10, 15), (0x11, 60), (0x12, 2), (0x13, 0), (0x15, 16)])
    assert address[-1] == pytest.approx(76, abs=0.5)


def test_a_sample_goes_on_at_8000_after_ffff() -> None:
    renderer = Renderer(filters=Filters.FLAT, separate=True)
    renderer.load(MemoryBlock(0, 0xFFC0, b"\xaa" * 64))
    renderer.load(MemoryBlock(0, 0x8000, b"\xff" * 8))
    writes = [(0x10, 15), (0x11, 40), (0x12, 0xFF), (0x13, 4), (0x15, 16)]  # 65 bytes from $FFC0
    registers, values = (np.array(column, np.uint8) for column in zip(*writes, strict=True))
    sound = renderer.render_block(Writes(np.arange(5), registers, values), RATE // 10)[4]
    assert 22638 / (159.79 / sound[-1] - 100) == pytest.approx(40 + 16, abs=0.6)


def test_switching_on_again_leaves_a_sample_that_plays() -> None:
    again = [(0x10, 15), (0x11, 0), (0x12, 0), (0x13, 1), (0x15, 16)]
    once = dmc(b"\xff" * 8 + b"\x00" * 60, 0xC000, again)
    twice = dmc(b"\xff" * 8 + b"\x00" * 60, 0xC000, [*again, (0x15, 16), (0x15, 16)])
    np.testing.assert_allclose(once, twice, atol=0.6)


def test_a_pal_machine_has_its_own_periods() -> None:
    ntsc, pal = tables(NTSC_CLOCK_HZ), tables(PAL_CLOCK_HZ)
    assert (ntsc.noise_periods[15], pal.noise_periods[15]) == (4068, 3778)
    assert (ntsc.dmc_periods[0], pal.dmc_periods[0]) == (428, 398)
    assert (ntsc.frame_steps[0, 4], pal.frame_steps[0, 4]) == (29_830, 33_254)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 0x17), st.integers(0, 255)), max_size=60),
    st.lists(st.integers(0, 700), min_size=1, max_size=6),
    st.booleans(),
    st.binary(max_size=300),
)
def test_any_writes_give_finite_sound_the_same_in_blocks_of_any_size(
    rows: list[tuple[int, int, int]], sizes: list[int], separate: bool, sample: bytes
) -> None:
    clocks, registers, values = np.array(sorted(rows, key=lambda r: r[0]) or [(0, 0, 0)], np.int64).T
    total = 1500

    def rendered(blocks: list[int]) -> np.ndarray:
        renderer = Renderer(filters=Filters.NES, separate=separate)
        renderer.load(MemoryBlock(0, 0xC000, sample))
        out = []
        for frames in blocks:
            until = renderer.clock_of(renderer.frame + frames)
            now = (clocks >= renderer.clock) & (clocks < until)
            writes = Writes(clocks[now], registers[now].astype(np.uint8), values[now].astype(np.uint8))
            out.append(renderer.render_block(writes, frames))
        return np.concatenate(out, -1)

    cut = [*sizes, max(0, total - sum(sizes))]
    whole = rendered([sum(cut)])
    assert np.isfinite(whole).all()
    assert np.abs(whole).max() < 1.3
    np.testing.assert_allclose(rendered(cut), whole, atol=1e-9)
