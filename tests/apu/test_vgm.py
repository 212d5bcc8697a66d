import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakhnes.apu import vgm
from lakhnes.apu.register_log import NTSC_CLOCK_HZ, PAL_CLOCK_HZ, MemoryBlock, RegisterLog, Tags
from lakhnes.apu.vgm import MAX_BYTES, parse_vgm, read_vgm
from lakhnes.apu.vgm_writer import vgm_bytes
from lakhnes.runtime.errors import FormatError, MusicError
from lakhnes.runtime.music.events import MAX_SAMPLES

WRITE = bytes((0xB4, 0x02, 0x55))
END = b"\x66"


def log_of(writes, length, **fields):
    samples, registers, values = zip(*writes, strict=True) if writes else ((), (), ())
    return RegisterLog(
        np.array(samples, np.int64),
        np.array(registers, np.uint8),
        np.array(values, np.uint8),
        length,
        **fields,
    )


def writes_of(log):
    return list(zip(log.samples.tolist(), log.registers.tolist(), log.values.tolist(), strict=True))


def same(one, two):
    rest = ("length", "clock_hz", "loop", "memory", "tags")
    return writes_of(one) == writes_of(two) and all(getattr(one, f) == getattr(two, f) for f in rest)


def file_of(commands, *, version=0x161, start=0xC0, fields=()):
    header = bytearray(start)
    header[:4] = b"Vgm "
    all_fields = {0x08: version, 0x34: start - 0x34, 0x84: NTSC_CLOCK_HZ, **dict(fields)}
    for place, value in all_fields.items():
        if place + 4 <= start:
            header[place : place + 4] = value.to_bytes(4, "little")
    return bytes(header) + commands


def block(content, kind=0xC2, size=None):
    return (
        bytes((0x67, 0x66, kind)) + (len(content) if size is None else size).to_bytes(4, "little") + content
    )


def tag(*texts, size=None):
    content = "".join(text + "\0" for text in texts).encode("utf-16-le")
    size = len(content) if size is None else size
    return b"Gd3 \0\1\0\0" + size.to_bytes(4, "little") + content


def reason(data):
    with pytest.raises(FormatError) as caught:
        parse_vgm(data, "song.vgm")
    message = str(caught.value)
    assert message.startswith("song.vgm: ")
    assert message.endswith(".")
    return message


@st.composite
def logs(draw):
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
    gaps = st.integers(0, 20) | st.sampled_from([735, 882, 0xFFFF, 0x10000]) | st.integers(0, 200_000)
    waits = draw(st.lists(gaps, max_size=30))
    samples = list(itertools.accumulate(waits))
    bytes_ = st.integers(0, 255)
    writes = [(sample, draw(st.integers(0, 0x17)), draw(bytes_)) for sample in samples]
    length = (samples[-1] if samples else 0) + draw(gaps)
    blocks = [
        MemoryBlock(at, draw(st.integers(0, 0xFFF0)), draw(st.binary(max_size=16)))
        for at in sorted(draw(st.lists(st.integers(0, length), max_size=3)))
    ]
    loop = draw(st.none() | st.integers(0, length - 1)) if length else None
    clock = draw(st.sampled_from([NTSC_CLOCK_HZ, PAL_CLOCK_HZ, 1_789_772]))
    return log_of(
        writes,
        length,
        clock_hz=clock,
        loop=loop,
        memory=tuple(blocks),
        tags=Tags(*draw(st.lists(texts, max_size=11))),
    )


@given(logs(), st.booleans())
@example(log_of([], 0), False)
@example(log_of([(5, 0, 1), (5, 1, 2)], 5), True)
@example(log_of([(0, 0, 1)], 1, tags=Tags(" a ", game="\ufeffb")), False)
def test_a_written_song_reads_back(log, compressed):
    data = vgm_bytes(log, compressed=compressed)
    read = parse_vgm(data, "song")
    assert same(read.log, log)
    assert read.remarks == ()
    assert data == vgm_bytes(log, compressed=compressed)


def test_every_wait_is_as_short_as_commands_allow():
    single = {735, 882, *range(1, 17)}
    double = {a + b for a in single for b in single}
    for wait in range(1, 2000):
        commands = vgm_bytes(log_of([], wait))[0xC0:-1]
        assert len(commands) == (1 if wait in single else 2 if wait in double else 3)


def test_the_header_says_what_the_commands_do():
    log = log_of([(0, 0, 0x30), (100, 2, 7), (100, 3, 1)], 100_000, loop=100, tags=Tags("T"))
    data = vgm_bytes(log)

    def number(place):
        return int.from_bytes(data[place : place + 4], "little")

    assert data[:4] == b"Vgm "
    assert number(0x04) == len(data) - 4
    assert number(0x08) == 0x161
    assert number(0x18) == 100_000
    assert number(0x20) == 99_900
    assert number(0x34) == 0x8C
    assert number(0x84) == NTSC_CLOCK_HZ
    assert data[0x1C + number(0x1C) :].startswith(bytes((0xB4, 2, 7)))
    assert data[0x14 + number(0x14) :].startswith(b"Gd3 \0\1\0\0")
    assert data[0xC0:].startswith(bytes((0xB4, 0, 0x30, 0x61, 100, 0, 0xB4, 2, 7, 0xB4, 3, 1)))


def test_a_compressed_file_is_the_plain_one_without_a_time():
    log = log_of([(0, 0, 0x30)], 44_100)
    packed = vgm_bytes(log, compressed=True)
    assert gzip.decompress(packed) == vgm_bytes(log)
    assert packed[4:8] == bytes(4)


def test_a_song_that_is_too_long_is_not_written():
    with pytest.raises(MusicError, match="24 hours at most"):
        vgm_bytes(log_of([], MAX_SAMPLES + 1))


def test_memory_after_the_end_is_left_out():
    log = log_of([], 10, memory=(MemoryBlock(11, 0xC000, b"x"),))
    assert parse_vgm(vgm_bytes(log), "song").log.memory == ()


@pytest.mark.parametrize(
    ("commands", "length"),
    [
        (b"\x61\x34\x12", 0x1234),
        (b"\x62", 735),
        (b"\x63", 882),
        (b"\x70\x7f", 17),
        (b"\x80\x8f", 15),
        (b"\x61\0\0", 0),
    ],
)
def test_waits(commands, length):
    log = parse_vgm(file_of(commands + WRITE + END), "song").log
    assert log.length == length
    assert writes_of(log) == [(length, 2, 0x55)]


OPERANDS = {
    **dict.fromkeys(range(0x30, 0x40), 1),
    **dict.fromkeys(range(0x40, 0x4F), 2),
    0x4F: 1,
    0x50: 1,
    **dict.fromkeys(range(0x51, 0x60), 2),
    0x64: 3,
    0x68: 11,
    **{0x90: 4, 0x91: 4, 0x92: 5, 0x93: 10, 0x94: 1, 0x95: 4},
    **dict.fromkeys((c for c in range(0xA0, 0xC0) if c != 0xB4), 2),
    **dict.fromkeys(range(0xC0, 0xE0), 3),
    **dict.fromkeys(range(0xE0, 0x100), 4),
}


@pytest.mark.parametrize("command", OPERANDS)
def test_commands_of_other_chips_are_skipped_with_their_operands(command):
    skipped = bytes([command]) + b"\x66" * OPERANDS[command]
    file = parse_vgm(file_of(skipped + WRITE + b"\x62" + END), "song")
    assert writes_of(file.log) == [(0, 2, 0x55)]
    assert file.log.length == 735
    streams = command in (0x90, 0x91, 0x92, 0x93, 0x95)
    assert file.remarks == (("Its sample streams for other chips are skipped.",) if streams else ())


@pytest.mark.parametrize(
    "command", [c for c in range(256) if c not in {*OPERANDS, *range(0x61, 0x68), *range(0x70, 0x90), 0xB4}]
)
def test_what_is_no_command_ends_the_music(command):
    file = parse_vgm(file_of(WRITE + b"\x62" + bytes([command]) + WRITE + END), "song")
    assert writes_of(file.log) == [(0, 2, 0x55)]
    assert file.log.length == 735
    assert file.remarks == (
        f"The file is broken at byte 196 (0x{command:02X} is no command); it is read up to there.",
    )
    alone = reason(file_of(bytes([command]) + WRITE + END))
    assert f"broken at byte 192 (0x{command:02X} is no command), before any music" in alone


@pytest.mark.parametrize(
    ("bad", "remark"),
    [
        (
            block(b"1234", size=100),
            "The file is cut off in the data block at byte 196; it is read up to there.",
        ),
        (b"\x67\x66\xc2\0", "The file is cut off in the data block at byte 196; it is read up to there."),
        (
            b"\x67\x00\xc2\0\0\0\0",
            "The file is broken at byte 196, where a data block should be; it is read up to there.",
        ),
    ],
)
def test_a_broken_block_ends_the_music(bad, remark):
    file = parse_vgm(file_of(WRITE + b"\x62" + bad + WRITE), "song")
    assert file.log.length == 735
    assert file.remarks == (remark,)


# Banks and streams

DATA = bytes(range(100, 228))


def setup(register=0x11, *, chip=0x14, bank=7, step=1, base=0, hz=8000):
    """Commands that set stream 5 up."""
    return bytes((0x90, 5, chip, 0, register, 0x91, 5, bank, step, base, 0x92, 5)) + hz.to_bytes(4, "little")


def start(offset, mode, length):
    return bytes((0x93, 5)) + offset.to_bytes(4, "little") + bytes((mode,)) + length.to_bytes(4, "little")


def wait(samples):
    return b"\x61" + samples.to_bytes(2, "little")


@given(
    offset=st.integers(0, 130),
    way=st.sampled_from([0, 1, 2, 3]),
    length=st.integers(0, 200),
    hz=st.integers(1, 50_000),
    step=st.integers(0, 3),
    base=st.integers(0, 3),
    reverse=st.booleans(),
    loop=st.booleans(),
    stop=st.integers(0, 3000),
)
def test_a_stream_writes_its_bank(offset, way, length, hz, step, base, reverse, loop, stop):
    mode = way | 0x10 * reverse | 0x80 * loop
    commands = block(DATA, 7) + setup(step=step, base=base, hz=hz) + wait(50) + start(offset, mode, length)
    log = parse_vgm(file_of(commands + wait(stop) + bytes((0x94, 5)) + wait(100) + END), "song").log
    step = max(1, step)
    count = {0: 0, 1: length, 2: length * hz // 1000, 3: 1000}[way]
    places = [offset + base + step * k for k in range(count)]
    values = [DATA[place] for place in places if place < len(DATA)][:: -1 if reverse else 1]
    expected = []
    for k in range(stop * hz // 44_100 + 2):
        sample = 50 + k * 44_100 // hz
        if sample >= 50 + stop or not values or (k >= len(values) and not loop):
            break
        expected.append((sample, 0x11, values[k % len(values)]))
    assert writes_of(log) == expected


def test_streams_start_fast_by_the_number_of_a_block():
    banks = block(b"\1\2\3", 7) + block(b"\4\5", 7)
    fast = bytes((0x95, 5, 1, 0, 0))
    file = parse_vgm(file_of(banks + setup(hz=44_100) + fast + wait(10) + WRITE + END), "song")
    assert writes_of(file.log) == [(0, 0x11, 4), (1, 0x11, 5), (10, 2, 0x55)]
    looped = bytes((0x95, 5, 0, 0, 1))
    file = parse_vgm(file_of(banks + setup(hz=44_100) + looped + wait(5) + END), "song")
    assert [value for _, _, value in writes_of(file.log)] == [1, 2, 3, 1, 2]
    none = bytes((0x95, 5, 2, 0, 0))
    assert writes_of(parse_vgm(file_of(banks + setup() + none + wait(5) + END), "song").log) == []


def test_a_stream_that_gets_another_speed_goes_on_from_where_it_is():
    faster = b"\x92\5" + (44_100).to_bytes(4, "little")
    commands = block(DATA, 7) + setup(hz=4410) + start(0, 1, 6) + wait(30) + faster + wait(20) + END
    assert writes_of(parse_vgm(file_of(commands), "song").log) == [
        *((sample, 0x11, 100 + k) for k, sample in enumerate((0, 10, 20, 30, 31, 32))),
    ]


def test_streams_of_other_chips_are_remarked():
    for commands in (setup(chip=2), setup(0x2A)):
        file = parse_vgm(file_of(block(DATA, 7) + commands + start(0, 3, 0) + wait(99) + END), "song")
        assert writes_of(file.log) == []
        assert file.remarks == ("Its sample streams for other chips are skipped.",)


def test_samples_are_copied_from_a_bank_to_memory():
    def copy(source, target, size, bank=7):
        numbers = b"".join(number.to_bytes(3, "little") for number in (source, target, size))
        return bytes((0x68, 0x66, bank)) + numbers

    commands = (
        block(DATA, 7) + copy(10, 0xC040, 5) + b"\x62" + copy(0, 0xFFFE, 0) + copy(0, 0, 5, bank=2) + END
    )
    assert parse_vgm(file_of(commands), "song").log.memory == (
        MemoryBlock(0, 0xC040, DATA[10:15]),
        MemoryBlock(735, 0xFFFE, DATA[:2]),
    )


@pytest.mark.parametrize(
    ("modifier", "gain"), [(0, 1), (0x20, 2), (0xE0, 0.5), (0xC0, 64), (0xC1, 2**-1.96875)]
)
def test_the_volume_modifier_is_kept(modifier, gain):
    data = file_of(WRITE + END, fields={0x7C: modifier})
    log = parse_vgm(data, "song").log
    assert log.gain == pytest.approx(gain)
    assert parse_vgm(vgm_bytes(log), "song").log.gain == log.gain


def test_the_extra_header_says_how_loud_the_chip_is():
    extra = bytes((12, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 9, 9, 0x14, 0, 0x80, 0))
    data = file_of(extra.ljust(32, b"\0") + WRITE + END, fields={0xBC: 4, 0x34: 0xC0 + 32 - 0x34})
    file = parse_vgm(data, "song")
    assert (file.log.gain, file.remarks) == (0.5, ())
    assert len(file.log.samples) == 1


def test_version_2_is_read():
    assert len(parse_vgm(file_of(WRITE + END, version=0x200), "song").log.samples) == 1


@pytest.mark.parametrize(
    ("register", "remark"),
    [
        (0x17, None),
        (0x18, None),
        (0x1F, None),
        (0x20, None),
        (0x2B, None),
        (0x3F, None),
        (0x40, None),
        (0x7F, None),
        (0x80, "The second NES APU in the file is skipped."),
        (0x97, "The second NES APU in the file is skipped."),
        (0xA0, "The second NES APU in the file is skipped."),
    ],
)
def test_only_the_first_chip_s_registers_are_read(register, remark):
    file = parse_vgm(file_of(bytes((0xB4, register, 1)) * 2 + END), "song")
    assert len(file.log.samples) == (2 if register == 0x17 else 0)
    assert file.remarks == ((remark,) if remark else ())


@pytest.mark.parametrize(
    ("register", "address"),
    [
        (0x1F, None),
        (0x20, 0x4080),
        (0x2A, 0x408A),
        (0x2B, None),
        (0x3E, None),
        (0x3F, 0x4023),
        (0x40, 0x4040),
        (0x7F, 0x407F),
    ],
)
def test_the_disk_system_s_registers_are_read(register, address):
    log = parse_vgm(file_of(bytes((0xB4, register, 9)) + END), "song").log
    if address is None:
        assert log.expansion is None
    else:
        assert log.expansion.chips == ("FDS",)
        assert (log.expansion.addresses.tolist(), log.expansion.values.tolist()) == ([address], [9])


def test_data_blocks():
    content = b"\x00\xc0abc"
    commands = b"\x70" + block(content) + block(b"ignored", kind=0) + block(content, size=5 | 1 << 31) + END
    file = parse_vgm(file_of(commands), "song")
    assert file.log.memory == (MemoryBlock(1, 0xC000, b"abc"),)
    assert file.remarks == ("The second NES APU in the file is skipped.",)


def test_a_block_ends_with_the_address_space():
    file = parse_vgm(file_of(block(b"\xfe\xffabc") + block(b"\x01") + END), "song")
    assert file.log.memory == (MemoryBlock(0, 0xFFFE, b"ab"),)


@pytest.mark.parametrize(
    ("version", "start", "ok"),
    [
        (0x150, 0x100, True),
        (0x161, 0x88, True),
        (0x161, 0x84, False),
        (0x161, 0x40, False),
        (0x171, 0x100, True),
    ],
)
def test_the_header_ends_where_the_commands_begin(version, start, ok):
    data = file_of(b"\xb4\0\0" * 40 + END, version=version, start=start)
    if ok:
        assert len(parse_vgm(data, "song").log.samples) == 40
    else:
        assert "its header names no chip" in reason(data)


def test_the_header_ends_where_the_extra_header_begins():
    extra = file_of(END, version=0x170, start=0x110, fields={0xBC: 4, 0xC0: 12, 0xC4: 8})
    assert parse_vgm(extra, "song").remarks == ()
    plain = file_of(END, version=0x171, start=0x110, fields={0xC0: 3_072_000})
    assert parse_vgm(plain, "song").remarks == ("The WonderSwan in the file is skipped.",)


def test_old_versions_have_neither_an_offset_nor_our_chip():
    data = file_of(END, version=0x110, fields={0x0C: 3_579_545, 0x2C: 7_670_454})
    assert "it is for the SN76489 and the YM2612" in reason(data)


def test_a_file_for_other_chips_names_them():
    fields = {0x84: 0, 0x10: 3_579_545, 0x80: 4_194_304, 0x74: 1_789_750}
    assert "it is for the YM2413, AY8910 and the Game Boy DMG" in reason(file_of(END, fields=fields))
    assert "(it is for the YM2413)" in reason(file_of(END, fields={0x84: 0, 0x10: 3_579_545}))


def test_other_chips_beside_ours_are_remarked():
    file = parse_vgm(file_of(WRITE + END, fields={0x10: 3_579_545}), "song")
    assert file.remarks == ("The YM2413 in the file is skipped.",)


@pytest.mark.parametrize("bits", [0, 1 << 31, 1 << 30, 3 << 30])
def test_the_clock_is_kept_without_its_flags(bits):
    file = parse_vgm(file_of(END, fields={0x84: PAL_CLOCK_HZ | bits}), "song")
    assert file.log.clock_hz == PAL_CLOCK_HZ
    assert file.remarks == ()


@pytest.mark.parametrize("clock", [1, 44_100, 0x3FFF_FFFF, 1 << 31])
def test_a_clock_that_cannot_be_is_replaced(clock):
    file = parse_vgm(file_of(END, fields={0x84: clock}), "song")
    assert file.log.clock_hz == NTSC_CLOCK_HZ
    assert "is no NES's" in file.remarks[0]


def test_the_data_win_over_the_header_s_total():
    assert parse_vgm(file_of(b"\x62" + END, fields={0x18: 7}), "song").log.length == 735


LOOPED = WRITE + b"\x62" + WRITE + b"\x63" + END


@pytest.mark.parametrize(
    ("place", "loop"),
    [(0, 0), (3, 0), (4, 735), (7, 735), (2, None), (6, None), (8, None), (9, None), (500, None)],
)
def test_loops(place, loop):
    file = parse_vgm(file_of(LOOPED, fields={0x1C: 0xC0 + place - 0x1C}), "song")
    assert file.log.loop == loop
    assert writes_of(file.log) == [(0, 2, 0x55), (735, 2, 0x55)]
    assert file.log.length == 735 + 882
    skipped = place in (2, 6, 9, 500)  # 8 is the end mark: the loop is empty
    assert file.remarks == (("The loop does not begin at a command of the song and is skipped.",) * skipped)


def test_a_loop_before_the_commands_is_skipped():
    file = parse_vgm(file_of(LOOPED, fields={0x1C: 4}), "song")
    assert file.log.loop is None
    assert len(file.remarks) == 1


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (("T", "t", "G", "g", "S", "s", "A", "a", "1987", "me", "notes"), ("T", "A")),
        (("", "歌", "", "ゲーム", "", "", "", "作曲家", "", "", ""), ("歌", "作曲家")),
        (("T",), ("T", "")),
    ],
)
def test_tags(texts, shown):
    commands = b"\x62" + END
    data = file_of(commands + tag(*texts), fields={0x14: 0xC0 + len(commands) - 0x14})
    file = parse_vgm(data, "song")
    assert file.log.tags == Tags(*texts)
    assert (file.log.tags.shown_title, file.log.tags.shown_author) == shown
    assert file.remarks == ()
    assert parse_vgm(vgm_bytes(file.log), "again").log.tags == file.log.tags


def test_a_licence_is_among_the_notes_that_are_not_there():
    log = log_of([(0, 0, 1)], 1, tags=Tags("T", licence="CC0"))
    assert parse_vgm(vgm_bytes(log), "song").log.tags == Tags("T", notes="CC0")
    log = log_of([(0, 0, 1)], 1, tags=Tags("T", notes="N", licence="CC0"))
    assert parse_vgm(vgm_bytes(log), "song").log.tags == Tags("T", notes="N")


@pytest.mark.parametrize("size", [0, 1, 3, 1 << 20, 0xFFFF_FFFF])
def test_a_tag_with_a_wrong_size_does_no_harm(size):
    data = file_of(END + tag("Title", size=size), fields={0x14: 0xC1 - 0x14})
    assert parse_vgm(data, "song").log.tags.title in ("", "\ufffd", "T\ufffd", "Title")


@pytest.mark.parametrize("offset", [1, 0x20, 5000, 0xFFFF_FFFF])
def test_a_tag_that_is_not_there_is_remarked(offset):
    file = parse_vgm(file_of(WRITE + END, fields={0x14: offset}), "song")
    assert file.log.tags.title == ""
    assert file.remarks == ("The title is damaged and is skipped.",)


@pytest.mark.parametrize("cut", [b"", b"\xb4", b"\xb4\x01", b"\x61", b"\x61\x01", b"\x67", b"\x51"])
def test_without_an_end_mark_a_file_is_read_up_to_there(cut):
    file = parse_vgm(file_of(WRITE + b"\x62" + cut), "song")
    assert writes_of(file.log) == [(0, 2, 0x55)]
    assert file.log.length == 735
    assert file.remarks == ("The file ends without an end mark; it is read up to there.",)


def test_without_an_end_mark_commands_end_at_the_tag():
    file = parse_vgm(file_of(WRITE + b"\x62" + tag("T"), fields={0x14: 0xC4 - 0x14}), "song")
    assert len(file.log.samples) == 1
    assert file.log.tags.title == "T"
    assert len(file.remarks) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty; give a VGM file"),
        (b"MThd\0\0\0\6", "not a VGM file"),
        (b"Vgm ", "cut off in its header"),
        (file_of(END)[:0x3F], "cut off in its header"),
        (file_of(END)[:0xC0], "no commands at byte 192"),
        (file_of(END, fields={0x34: 0xFFFF_FFFF}), "no commands at byte 4294967347"),
        (file_of(END, fields={0x34: 0}), "its header names no chip"),
        (file_of(END, fields={0x34: 2}), "no commands at byte 54"),
        (file_of(END, version=0x61), "version 0.61 of VGM is not known"),
        (file_of(END, version=0xFFFF_FFFF), "of VGM is not known"),
        (file_of(END, fields={0x84: 0}), "its header names no chip"),
        (file_of(block(b"1234", size=5)), "cut off in the data block at byte 192, before any music"),
        (file_of(block(b"1234", size=0x7FFF_FFFF)), "cut off in the data block"),
        (file_of(b"\x67\x00\xc2\0\0\0\0" + END), "broken at byte 192, where a data block should be"),
        (file_of(b"\x61\xff\xff" * 60_000 + END), "longer than 24 hours"),
        (gzip.compress(b"nothing", mtime=0), "not a VGM file"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"\x1f\x8bnothing", "the compressed data are damaged"),
        (gzip.compress(file_of(END), mtime=0)[:-8] + bytes(8), "the compressed data are damaged"),
    ],
)
def test_broken_files_say_what_is_wrong_and_what_to_do(data, words):
    message = reason(data)
    assert words in message
    assert any(step in message for step in ("give a", "get the file again", "convert it"))


def test_the_longest_song_is_read():
    full, rest = divmod(MAX_SAMPLES, 0xFFFF)
    waits = b"\x61\xff\xff" * full + b"\x61" + rest.to_bytes(2, "little")
    assert parse_vgm(file_of(waits + END), "song").log.length == MAX_SAMPLES
    assert "longer than 24 hours" in reason(file_of(waits + b"\x70" + END))


def test_a_bomb_is_not_decompressed(monkeypatch):
    bomb = gzip.compress(bytes(20 * MAX_BYTES), 9, mtime=0)
    sizes = []
    whole = vgm.zlib.decompressobj

    class Watched:
        def __init__(self, wbits):
            self._inner = whole(wbits)

        def decompress(self, data, limit):
            out = self._inner.decompress(data, limit)
            sizes.append(len(out))
            return out

    monkeypatch.setattr(vgm.zlib, "decompressobj", Watched)
    assert "larger than 16 MiB" in reason(bomb)
    assert sum(sizes) <= MAX_BYTES + 1


def test_a_file_that_is_too_big_is_not_read_whole(tmp_path: Path):
    path = tmp_path / "big.vgm"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole
    with pytest.raises(FormatError, match="larger than 16 MiB"):
        read_vgm(path)


def test_too_many_blocks(monkeypatch):
    monkeypatch.setattr(vgm, "MAX_BLOCKS", 3)
    assert len(parse_vgm(file_of(block(b"\0\0") * 3 + END), "song").log.memory) == 3
    assert "more than 3 blocks" in reason(file_of(block(b"\0\0") * 4 + END))


def test_compressed_data_that_are_cut_off_are_read_up_to_there():
    data = file_of(WRITE * 20_000 + END)
    file = parse_vgm(gzip.compress(data, mtime=0)[:-20], "song")
    assert len(file.log.samples) > 1000
    assert file.remarks == ("The file ends without an end mark; it is read up to there.",)


@pytest.mark.parametrize("name", ["song.vgm", "song.vgz", "song"])
@pytest.mark.parametrize("compressed", [False, True])
def test_files_are_known_by_their_content(tmp_path: Path, name, compressed):
    log = log_of([(0, 0x15, 15)], 735)
    (tmp_path / name).write_bytes(vgm_bytes(log, compressed=compressed))
    assert same(read_vgm(tmp_path / name).log, log)


def test_errors_name_the_file(tmp_path: Path):
    path = tmp_path / "song.vgm"
    path.write_bytes(b"garbage")
    with pytest.raises(FormatError, match=r"song\.vgm: not a VGM file"):
        read_vgm(path)
    with pytest.raises(FileNotFoundError):
        read_vgm(tmp_path / "none.vgm")


def never_fails(data):
    try:
        file = parse_vgm(data, "song")
    except FormatError:
        return
    assert file.log.length <= MAX_SAMPLES
    assert same(parse_vgm(vgm_bytes(file.log), "song").log, file.log)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_song_or_an_error(data):
    never_fails(data)
    never_fails(b"\x1f\x8b" + data)
    never_fails(b"Vgm " + data)
    never_fails(file_of(data))


@given(logs(), st.data())
def test_any_damaged_file_gives_a_song_or_an_error(log, data):
    content = bytearray(vgm_bytes(log))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(
            st.integers(0, len(content) - 1) | st.sampled_from([8, 0x14, 0x1C, 0x34, 0x84, 0xBC])
        )
        content[place] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    never_fails(bytes(content))
    packed = bytearray(gzip.compress(bytes(content), mtime=0))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(0, 255))
    never_fails(bytes(packed))


def reference_writes(data):
    """A second reading, as plain as can be, of files that hold our chip's commands only."""
    place, time, writes = 0x34 + int.from_bytes(data[0x34:0x38], "little"), 0, []
    while data[place] != 0x66:
        command = data[place]
        if command == 0xB4:
            writes.append((time, data[place + 1], data[place + 2]))
            place += 3
        elif command == 0x61:
            time += int.from_bytes(data[place + 1 : place + 3], "little")
            place += 3
        elif command == 0x67:
            place += 7 + int.from_bytes(data[place + 3 : place + 7], "little")
        else:
            time += {0x62: 735, 0x63: 882}.get(command, command - 0x6F)
            place += 1
    return writes, time


def test_the_reference_files(shared: Path):
    paths = [
        path for folder in ("vgm", "tx", "songs") for path in (shared / "fixtures/apu" / folder).glob("*.vgm")
    ]
    assert len(paths) == 20
    for path in paths:
        data = path.read_bytes()
        file = read_vgm(path)
        assert file.remarks == ()
        assert (writes_of(file.log), file.log.length) == reference_writes(data)
        assert file.log.length == int.from_bytes(data[0x18:0x1C], "little")
        loop_samples = int.from_bytes(data[0x20:0x24], "little")
        assert (file.log.length - file.log.loop if file.log.loop is not None else 0) == loop_samples
        assert same(parse_vgm(vgm_bytes(file.log), path).log, file.log)


def test_the_reference_songs_have_their_tags_and_samples(shared: Path):
    songs = shared / "fixtures/apu/songs"
    log = read_vgm(songs / "045_Castlevania_01_02VampireKiller.vgm").log
    assert (log.tags.title, log.tags.game, log.tags.author) == (
        "Vampire Killer",
        "Castlevania",
        "Satoe Terashima",
    )
    (memory,) = read_vgm(songs / "279_RoadFighter_00_01GameStart.vgm").log.memory
    assert (memory.address, len(memory.data)) == (0xC000, 0x4000)


def test_a_legacy_file_is_written_byte_for_byte(shared: Path):
    path = shared / "fixtures/apu/tx/own_tx1.vgm"
    assert vgm_bytes(read_vgm(path).log) == path.read_bytes()
