"""The sound chips of cartridges: against models that run clock by clock, and as logs, files and stems."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from expansion_models import FdsModel, Mmc5Model, N163Model, S5bModel, Vrc6Model

from lakhnes.apu import (
    RegisterLog,
    SoundSettings,
    parse_vgm,
    render,
    score_of_registers,
    stems,
    vgm_bytes,
    write_sound,
)
from lakhnes.apu.console import frames_of
from lakhnes.apu.register_log import EXPANSIONS, ExpansionLog
from lakhnes.apu.render import ChipWrites, Filters, Renderer, Writes
from lakhnes.runtime import SAMPLE_RATE

MODELS = {"FDS": FdsModel, "MMC5": Mmc5Model, "N163": N163Model, "VRC6": Vrc6Model, "S5B": S5bModel}
RATE = 384_000  # some 4.7 clocks a frame
ADDRESSES = {
    "FDS": [*range(0x4080, 0x408B), *([0x4088] * 8)],
    "MMC5": [*range(0x5000, 0x5008), 0x5010, 0x5011, 0x5015],
    "N163": [0x4800, 0x4800, 0x4800, 0xF800],
    "VRC6": [0x9000, 0x9001, 0x9002, 0x9003, 0xA000, 0xA001, 0xA002, 0xB000, 0xB001, 0xB002],
    "S5B": [0xC000, 0xE000],
}


def random_writes(chip: str, seed: int, clocks: int) -> list[tuple[int, int, int]]:
    """Clock, address and value of random writes, after some that make a sound."""
    random = np.random.default_rng(seed)
    writes: list[tuple[int, int, int]] = []
    if chip == "FDS":
        writes += [(0, 0x4089, 0x80), *((0, 0x4040 + i, int(random.integers(64))) for i in range(64))]
        writes += [(0, 0x4089, 0), (0, 0x4080, 0xA0), (0, 0x4082, 0x80), (0, 0x4083, 0x04), (0, 0x408A, 2)]
    elif chip == "MMC5":
        writes += [(0, 0x5015, 3), (0, 0x5000, 0xBF), (0, 0x5002, 90), (0, 0x5003, 0)]
    elif chip == "N163":
        writes += [(0, 0xF800, 0x80), *((0, 0x4800, int(random.integers(256))) for _ in range(128))]
    elif chip == "S5B":
        for register in range(14):
            writes += [(0, 0xC000, register), (0, 0xE000, int(random.integers(32)))]
    for clock in np.sort(random.integers(0, clocks, 160)).tolist():
        address, value = int(random.choice(ADDRESSES[chip])), int(random.integers(256))
        if chip == "S5B" and address == 0xC000:
            value %= 14
        if address == 0x9003 and value & 1:
            value &= int(random.integers(256))  # seldom halted
        writes.append((clock, address, value))
    return writes


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chip", MODELS)
def test_a_chip_does_what_a_model_does_clock_by_clock(chip: str, seed: int) -> None:
    clocks = 60_000
    writes = random_writes(chip, seed, clocks)
    renderer, model = Renderer(sample_rate=RATE, chips=(chip,)), MODELS[chip]()
    ours, theirs, done, now = [], [], 0, 0
    while renderer.clock < clocks:
        until = renderer.clock_of(renderer.frame + 1)
        here = [write for write in writes if renderer.clock <= write[0] < until]
        at, addresses, values = np.array(here, np.int64).reshape(-1, 3).T
        renderer.render_block(
            Writes(others=ChipWrites(at, addresses.astype(np.uint16), values.astype(np.uint8))), 1
        )
        while now < until:
            if now:
                model.clock()
            while done < len(writes) and writes[done][0] == now:
                model.write(*writes[done][1:])
                done += 1
            now += 1
        ours.append(renderer.chip_level(chip))
        theirs.append(model.level())
    assert len(set(theirs)) > 5
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def expansion(chip: str, writes: list[tuple[int, int]]) -> ExpansionLog:
    """Writes at the start of a song."""
    addresses, values = np.array(writes, np.int64).T
    return ExpansionLog(
        (chip,), np.zeros(len(writes), np.int64), addresses.astype(np.uint16), values.astype(np.uint8)
    )


def log_of(chip: str, writes: list[tuple[int, int]], seconds: float = 1.0) -> RegisterLog:
    none = np.zeros(0, np.uint8)
    return RegisterLog(
        np.zeros(0, np.int64), none, none, int(seconds * SAMPLE_RATE), expansion=expansion(chip, writes)
    )


FDS_TONE = [
    (0x4089, 0x80),
    *((0x4040 + i, 63 * (i < 32)) for i in range(64)),
    (0x4089, 0),
    (0x4080, 0xA0),
    (0x4082, 1032 & 0xFF),
    (0x4083, 1032 >> 8),
]
TONES = {
    "FDS": (FDS_TONE, 1_789_773 * 1032 / 65536 / 64),
    "MMC5": ([(0x5015, 3), (0x5000, 0xBF), (0x5002, 253), (0x5003, 0)], 1_789_773 / 16 / 254),
    "N163": (
        [
            (0xF800, 0x80),
            *((0x4800, 0xFF * (i < 8)) for i in range(16)),
            (0xF800, 0xF8),
            *((0x4800, v) for v in (0x24, 0, 0x1E, 0, 0xE0, 0, 0, 0x0F)),
        ],
        1_789_773 / 15 * 0x1E24 / 65536 / 32,
    ),
    "VRC6": ([(0x9000, 0x7F), (0x9001, 253), (0x9002, 0x80)], 1_789_773 / 16 / 254),
    "VRC7": (
        [
            pair
            for register, value in ((0x30, 0x10), (0x10, 0x22), (0x20, 0x19))
            for pair in ((0x9010, register), (0x9030, value))
        ],
        None,
    ),
    "S5B": (
        [
            pair
            for register, value in ((0, 127), (1, 0), (7, 0x3E), (8, 15))
            for pair in ((0xC000, register), (0xE000, value))
        ],
        1_789_773 / 32 / 127,
    ),
}


@pytest.mark.parametrize("chip", [name for name in EXPANSIONS if name != "VRC7"])
def test_a_tone_has_the_pitch_that_its_registers_say(chip: str) -> None:
    writes, hz = TONES[chip]
    sound = np.concatenate(list(render(log_of(chip, writes, 2), filters=Filters.FLAT)))[SAMPLE_RATE:]
    spectrum = np.abs(np.fft.rfft((sound - sound.mean()) * np.hanning(len(sound))))
    assert abs(spectrum.argmax() - hz) <= 1
    assert np.ptp(sound) > 0.1


def vrc7(*registers: tuple[int, int]) -> list[tuple[int, int]]:
    return [pair for register, value in registers for pair in ((0x9010, register), (0x9030, value))]


SINE = ((0x00, 0x21), (0x01, 0x21), (0x02, 0x3F), (0x03, 0), (0x04, 0x00), (0x05, 0xF0), (0x06, 0), (0x07, 0))
"""A carrier that holds, and a modulator that never begins."""


@pytest.mark.parametrize(("frequency", "octave"), [(0x122, 4), (0x1FF, 6), (0x80, 3)])
def test_a_vrc7_carrier_alone_is_a_sine_of_its_pitch(frequency: int, octave: int) -> None:
    keys = ((0x30, 0x00), (0x10, frequency & 0xFF), (0x20, 0x10 | octave << 1 | frequency >> 8))
    log = log_of("VRC7", vrc7(*SINE, *keys), 2)
    sound = np.concatenate(list(render(log, filters=Filters.FLAT)))[SAMPLE_RATE:]
    power = np.abs(np.fft.rfft((sound - sound.mean()) * np.hanning(len(sound)))) ** 2
    hz = 1_789_773 / 36 * frequency * 2**octave / 2**19
    assert abs(power.argmax() - hz) <= 1
    near = power[max(0, round(hz) - 3) : round(hz) + 4].sum()
    assert 10 * np.log10((power[20:].sum() - near) / near) < -40


@pytest.mark.parametrize(("volume", "decibels"), [(1, 3), (2, 6), (5, 15), (10, 30)])
def test_a_vrc7_volume_is_three_decibels_a_step(volume: int, decibels: float) -> None:
    keys = ((0x10, 0x22), (0x20, 0x19))
    levels = []
    for step in (0, volume):
        log = log_of("VRC7", vrc7(*SINE, (0x30, step), *keys), 0.5)
        levels.append(np.ptp(np.concatenate(list(render(log, filters=Filters.FLAT)))[SAMPLE_RATE // 4 :]))
    assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(decibels, abs=0.3)


def test_a_vrc7_note_dies_away_when_its_key_is_let_go() -> None:
    sine = [(r, v) for r, v in SINE if r not in (5, 7)] + [(5, 0xF0), (7, 0x07)]
    log = log_of("VRC7", vrc7(*sine, (0x30, 0), (0x10, 0x22), (0x20, 0x19)), 3)
    extra = log.expansion
    assert extra is not None
    end = np.array([SAMPLE_RATE] * 2, np.int64)
    released = ExpansionLog(
        ("VRC7",),
        np.concatenate([extra.samples, end]),
        np.concatenate([extra.addresses, np.array([0x9010, 0x9030], np.uint16)]),
        np.concatenate([extra.values, np.array([0x20, 0x09], np.uint8)]),
    )
    log = RegisterLog(log.samples, log.registers, log.values, log.length, expansion=released)
    sound = np.concatenate(list(render(log, filters=Filters.FLAT)))
    held, after = sound[SAMPLE_RATE // 2 : SAMPLE_RATE], sound[2 * SAMPLE_RATE :]
    assert np.ptp(after) < np.ptp(held) / 20


@pytest.mark.parametrize("chip", EXPANSIONS)
@pytest.mark.parametrize("block", [1, 257, 4_000])
def test_blocks_of_any_size_give_the_same_samples(chip: str, block: int) -> None:
    log = log_of(chip, TONES[chip][0], 0.05)
    whole = np.concatenate(list(render(log)))
    assert np.array_equal(np.concatenate(list(render(log, block=block))), whole)


@pytest.mark.parametrize("chip", EXPANSIONS)
def test_a_chip_has_a_stem_and_a_fader(chip: str) -> None:
    log = log_of(chip, TONES[chip][0], 0.5)
    assert list(stems(log, SoundSettings())) == ["P1", "P2", "TR", "NO", chip]

    def sound(settings: SoundSettings) -> np.ndarray:
        file = BytesIO()
        write_sound(file, log, settings)
        file.seek(0)
        return soundfile.read(file)[0]

    alone, mixed = sound(SoundSettings(stem=chip)), sound(SoundSettings())
    np.testing.assert_allclose(alone, mixed / np.abs(mixed).max() * np.abs(alone).max(), atol=1e-6)
    assert not sound(SoundSettings(volumes={chip: 0.0})).any()


def test_a_disk_system_goes_through_a_vgm_file_unchanged() -> None:
    log = log_of("FDS", FDS_TONE)
    data = vgm_bytes(log)
    assert int.from_bytes(data[0x84:0x88], "little") == 1_789_773 | 1 << 31
    back = parse_vgm(data, "fds").log
    assert back.expansion is not None
    assert back.expansion.chips == ("FDS",)
    for name in ("samples", "addresses", "values"):
        assert np.array_equal(getattr(back.expansion, name), getattr(log.expansion, name))


def test_a_loop_repeats_the_writes_of_chips() -> None:
    log = RegisterLog(
        *(np.zeros(0, kind) for kind in (np.int64, np.uint8, np.uint8)),
        100,
        loop=40,
        expansion=ExpansionLog(
            ("VRC6",),
            np.array([0, 50], np.int64),
            np.array([0x9000, 0x9001], np.uint16),
            np.array([1, 2], np.uint8),
        ),
    ).unrolled(3)
    assert log.expansion is not None
    assert log.expansion.samples.tolist() == [0, 50, 110, 170]
    assert log.expansion.values.tolist() == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("chips", "address", "reason"),
    [
        ((), 0x9000, "in their order"),
        (("VRC6", "FDS"), 0x9000, "in their order"),
        (("FDS",), 0x9000, "other chip"),
    ],
)
def test_a_log_refuses_what_its_chips_do_not_have(chips: tuple[str, ...], address: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ExpansionLog(chips, np.zeros(1, np.int64), np.array([address], np.uint16), np.zeros(1, np.uint8))


def test_a_file_of_the_disk_system_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "fds.vgm"
    path.write_bytes(vgm_bytes(log_of("FDS", FDS_TONE)))
    log = parse_vgm(path.read_bytes(), path).log
    assert np.ptp(np.concatenate(list(render(log)))) > 0.1


def test_formats_that_do_not_hold_a_chip_say_so() -> None:
    log = log_of("VRC6", TONES["VRC6"][0])
    left_out = "The sound of VRC6 is left out of"
    assert frames_of(log).remarks[-1] == f"{left_out} music for the console."
    assert score_of_registers(log)[1] == (f"{left_out} the score.",)
    assert log.left_out("a VGM file", kept=("FDS",)) == (f"{left_out} a VGM file.",)
    assert log_of("FDS", FDS_TONE).left_out("a VGM file", kept=("FDS",)) == ()
