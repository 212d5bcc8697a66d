"""NSF files of other drivers than ours, played into register logs. The drivers are written here."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nes_machines import differing, log_frames, log_of_march

from lakhnes.apu import PAL_CLOCK_HZ, MemoryBlock, RegisterLog, Tags, score_of_registers
from lakhnes.apu.console import frames_of, nsf_bytes, nsfe_bytes, parse_nsf, play_nsf, read_nsf
from lakhnes.apu.console.assembler import assemble
from lakhnes.apu.console.frames import NTSC_FRAME_HZ
from lakhnes.apu.console.nsf_player import UNKNOWN_SECONDS
from lakhnes.runtime import FormatError, MusicError, OptionError, Voice

# A driver that plays a table of timers on pulse 1, 16 frames each, as small games' drivers do: it is not
# banked, lies where it likes, and has a second song that starts elsewhere in the table.
TUNE = """
        .org $9123
init:   asl
        asl
        tax
        stx $10
        lda #0
        sta $11
        lda #$0F
        sta $4015
        lda #$BF
        sta $4000
        lda #$08
        sta $4001
        rts
play:   lda $11
        bne wait
        ldx $10
        lda timers,x
        sta $4002
        lda #0
        sta $4003
        inx
        cpx #12
        bne on
        ldx #4
on:     stx $10
        lda #16
        sta $11
wait:   dec $11
        rts
timers: .byte 253, 225, 200, 189, 168, 150, 142, 126, 112, 100, 94, 84
"""
TIMERS = [253, 225, 200, 189, 168, 150, 142, 126, 112, 100, 94, 84]


def nsf(source: str, **fields: int) -> bytes:
    """An NSF file of a program; fields by their names in the header."""
    made = assemble(source)
    values = {
        "version": 1,
        "songs": 1,
        "first": 1,
        "speed": 16_666,
        "pal_speed": 0,
        "pal": 0,
        "chips": 0,
    }
    values |= fields
    header = b"NESM\x1a" + bytes((values["version"], values["songs"], values["first"]))
    header += struct.pack("<HHH", made.origin, made.symbols["init"], made.symbols["play"])
    header += b"Tune".ljust(32, b"\0") + b"Ada".ljust(32, b"\0") + b"1999 Ada".ljust(32, b"\0")
    header += struct.pack(
        "<H8sHBB4x", values["speed"], bytes(8), values["pal_speed"], values["pal"], values["chips"]
    )
    return header + made.code


def frame_of(log: RegisterLog, register: int, hz: float = NTSC_FRAME_HZ) -> list[tuple[int, int]]:
    """Frame and value of each write to a register."""
    chosen = log.registers == register
    frames = np.floor(log.samples[chosen] * hz / 44_100 + 0.01).astype(int)
    return list(zip(frames.tolist(), log.values[chosen].tolist(), strict=True))


def test_a_loop_is_found() -> None:
    played = play_nsf(parse_nsf(nsf(TUNE), "tune"))
    assert played.remarks == ()
    log = played.log
    assert frame_of(log.unrolled(2), 0x02)[:12] == [(16 * k, timer) for k, timer in enumerate(TIMERS)]
    assert (
        frame_of(log.unrolled(2), 0x02)[12:20]
        == [(16 * (k + 8), timer) for k, timer in enumerate(TIMERS)][4:]
    )
    assert log.loop is not None
    assert (log.length - log.loop) / 44_100 * NTSC_FRAME_HZ == pytest.approx(128, abs=0.05)
    assert log.loop / 44_100 * NTSC_FRAME_HZ <= 64.05
    assert log.tags == Tags("Tune", game="Tune", author="Ada", licence="1999 Ada")
    score, _ = score_of_registers(log)
    pitches = [note.pitch for note in score.parts[Voice.P1].notes]
    assert pitches[:4] == [69, 71, 73, 74]


def test_songs_go_by_number() -> None:
    file = parse_nsf(nsf(TUNE, songs=2, first=2), "tune")
    for song in (None, 2):
        log = play_nsf(file, song).log
        assert [timer for _, timer in frame_of(log, 0x02)][:3] == TIMERS[4:7]
        assert log.tags.title == "Tune 2"
    assert [timer for _, timer in frame_of(play_nsf(file, 1).log, 0x02)][:3] == TIMERS[:3]
    with pytest.raises(OptionError, match=r"^tune has no song 3; give 1 to 2"):
        play_nsf(file, 3)


def test_a_length_that_is_asked_for_is_kept() -> None:
    log = play_nsf(parse_nsf(nsf(TUNE), "tune"), seconds=5).log
    assert (log.loop, log.seconds) == (None, pytest.approx(5, abs=0.02))
    assert len(frame_of(log, 0x02)) == 19
    with pytest.raises(OptionError, match="0 s is not played"):
        play_nsf(parse_nsf(nsf(TUNE), "tune"), seconds=0)


@pytest.mark.parametrize(
    ("fields", "hz"),
    [
        ({}, NTSC_FRAME_HZ),
        ({"speed": 16_639}, NTSC_FRAME_HZ),
        ({"speed": 0}, NTSC_FRAME_HZ),
        ({"speed": 10_000}, 100.0),
        ({"pal": 1, "pal_speed": 20_000}, 50.007),
        ({"pal": 1, "pal_speed": 8_000}, 125.0),
        ({"pal": 2, "pal_speed": 20_000}, NTSC_FRAME_HZ),
    ],
)
def test_the_speed_is_that_of_the_header(fields: dict[str, int], hz: float) -> None:
    file = parse_nsf(nsf(TUNE, **fields), "tune")
    log = play_nsf(file).log
    assert file.frame_hz == pytest.approx(hz, rel=1e-4)
    assert (log.clock_hz == PAL_CLOCK_HZ) == (fields.get("pal") == 1)
    assert log.loop is not None
    assert (log.length - log.loop) / 44_100 == pytest.approx(128 / hz, abs=0.001)


SILENCE = """
        .org $8000
init:   lda #100
        sta $10
        rts
play:   lda $10
        beq done
        dec $10
        sta $4002
        rts
done:   {}
        rts
"""


@pytest.mark.parametrize("idle", ["", "lda #0\n sta $4015", "lda #$30\n sta $4000"])
def test_a_song_ends_where_nothing_is_new(idle: str) -> None:
    played = play_nsf(parse_nsf(nsf(SILENCE.format(idle)), "tune"))
    assert played.log.loop is None
    assert played.log.seconds == pytest.approx(100 / NTSC_FRAME_HZ, abs=0.02)
    assert played.remarks == ()


COUNTS = """
        .org $8000
init:   rts
play:   inc $10
        bne low
        inc $11
low:    lda $10
        sta $4002
        lda $11
        sta $4006
        rts
"""


def test_what_never_repeats_is_cut() -> None:
    played = play_nsf(parse_nsf(nsf(COUNTS), "tune"))
    assert played.log.seconds == pytest.approx(UNKNOWN_SECONDS, abs=0.02)
    assert played.remarks == ("No loop and no end were found; 180 s are kept. Give its length.",)
    told = struct.pack("<I4si", 4, b"time", 30_000) + bytes(4) + b"NEND"
    data = bytearray(nsf(COUNTS, version=2))
    data[0x7D:0x80] = (len(data) - 128).to_bytes(3, "little")
    played = play_nsf(parse_nsf(bytes(data) + told, "tune"))
    assert (played.log.seconds, played.remarks) == (pytest.approx(30, abs=0.02), ())


FLOOD = """
        .org $8000
init:   rts
play:   inc $10
        lda $10
        ldx #0
on:     sta $4002
        stx $4006
        stx $400A
        stx $400E
        dex
        bne on
        rts
"""


def test_a_program_that_floods_the_chip_is_read_up_to_there() -> None:
    played = play_nsf(parse_nsf(nsf(FLOOD), "tune"))
    assert len(played.log.samples) < 1.2 * (1 << 20)
    assert "The program writes to the chip without end; the song is read up to there." in played.remarks


def test_programs_that_stop_or_never_begin() -> None:
    halts = ".org $8000\ninit: rts\nplay: lda #1\n sta $4002\n .byte $02"
    played = play_nsf(parse_nsf(nsf(halts), "tune"))
    assert played.remarks[0] == "The program came to a halt; the song is read up to there."
    with pytest.raises(MusicError, match=r"^tune: song 1 does not begin"):
        play_nsf(parse_nsf(nsf(".org $8000\ninit: jmp init\nplay: rts"), "tune"))


def test_levels_one_by_one_come_through() -> None:
    """A driver that plays samples itself, in a loop that takes all of its time, as some games' drums do."""
    source = """
        .org $8000
init:   rts
play:   ldx #0
next:   txa
        lsr
        sta $4011
        ldy #20
rest:   dey
        bne rest
        inx
        bne next
        rts
    """
    log = play_nsf(parse_nsf(nsf(source), "tune"), seconds=1).log
    levels = log.values[log.registers == 0x11]
    assert len(levels) > 10_000
    assert (np.diff(log.samples) >= 0).all()


def test_banks_are_switched_and_seen_by_the_dmc() -> None:
    source = """
        .org $8000
init:   ldx #4
        lda #$0F
        sta $4010
        lda #$00
        sta $4012
        lda #$0F
        sta $4013
bank:   stx $5FFC
        rts
play:   lda $10
        bne wait
        ldx #5
        stx $5FFC
        lda #$0F
        sta $4015
        lda #$1F
        sta $4015
        lda #30
        sta $10
wait:   dec $10
        rts
    """
    data = bytearray(nsf(source))
    data[0x70:0x78] = bytes(range(8))
    banks = b"".join(bytes([number]) * 4096 for number in range(1, 8))
    file = parse_nsf(bytes(data[:128]) + bytes(data[128:]).ljust(4096, b"\0") + banks, "tune")
    log = play_nsf(file, seconds=2).log
    assert log.memory == (MemoryBlock(0, 0xC000, bytes([5]) * 241),)


# Drivers that set one chip up and then leave it alone, by the bit of the header that announces the chip.
SETUPS = {
    "VRC6": (1, [(0x9000, 0x7F), (0x9001, 253), (0x9002, 0x80)]),
    "VRC7": (
        2,
        [(0x9010, 0x30), (0x9030, 0x10), (0x9010, 0x10), (0x9030, 0x22), (0x9010, 0x20), (0x9030, 0x19)],
    ),
    "FDS": (4, [(0x4089, 0x80), (0x4040, 63), (0x4089, 0), (0x4080, 0xA0), (0x4082, 8), (0x4083, 4)]),
    "MMC5": (8, [(0x5015, 3), (0x5000, 0xBF), (0x5002, 253), (0x5003, 0)]),
    "N163": (16, [(0xF800, 0x80), (0x4800, 0xF0), (0xF800, 0xFF), (0x4800, 0x0F)]),
    "S5B": (32, [(0xC000, 7), (0xE000, 0x3E), (0xC000, 8), (0xE000, 15), (0xC000, 0), (0xE000, 127)]),
}


def driver(writes: list[tuple[int, int]]) -> str:
    lines = [f"        lda #${value:02X}\n        sta ${address:04X}" for address, value in writes]
    return "        .org $9123\ninit:\n" + "\n".join(lines) + "\nplay:   rts\n"


@pytest.mark.parametrize("chip", SETUPS)
def test_what_is_written_to_other_chips_is_played(chip: str) -> None:
    bit, writes = SETUPS[chip]
    log = play_nsf(parse_nsf(nsf(driver(writes), chips=bit), "tune"), seconds=1).log
    assert log.expansion is not None
    assert log.expansion.chips == (chip,)
    assert list(zip(log.expansion.addresses.tolist(), log.expansion.values.tolist(), strict=True)) == writes
    silent = play_nsf(parse_nsf(nsf(driver(writes)), "tune"), seconds=1).log
    assert silent.expansion is None


def test_an_unknown_chip_is_remarked() -> None:
    played = play_nsf(parse_nsf(nsf(TUNE, chips=0b100_0000), "tune"))
    assert played.remarks == ("The VT02+ chip is skipped.",)


def test_programs_for_the_disk_system_write_where_others_have_rom() -> None:
    source = """
        .org $6100
init:   lda #$A5
        sta $C123
        lda #0
        lda $C123
        sta $4011
        lda $6100
        sta $4011
play:   rts
    """
    played = play_nsf(parse_nsf(nsf(source, chips=4), "tune"), seconds=1)
    assert played.log.values[played.log.registers == 0x11].tolist() == [0xA5, 0xA9]


def test_the_disk_system_s_banks_are_seen_from_6000_on() -> None:
    source = """
        .org $8000
init:   lda $6000
        sta $4011
        lda #1
        sta $5FF6
        lda $6000
        sta $4011
play:   rts
    """
    data = bytearray(nsf(source, chips=4))
    data[0x70:0x78] = bytes((0, 1, 2, 0, 0, 0, 2, 1))
    banks = b"".join(bytes([16 * number + 1]) * 4096 for number in (1, 2))
    file = parse_nsf(bytes(data[:128]) + bytes(data[128:]).ljust(4096, b"\0") + banks, "tune")
    log = play_nsf(file, seconds=1).log
    assert log.values[log.registers == 0x11].tolist() == [0x21, 0x11]


def test_mmc5_multiplies_and_has_memory() -> None:
    source = """
        .org $9123
init:   lda #200
        sta $5205
        lda #199
        sta $5206
        lda $5205
        sta $4011
        lda $5206
        sta $4011
        sta $5C10
        lda #0
        lda $5C10
        sta $4011
play:   rts
    """
    log = play_nsf(parse_nsf(nsf(source, chips=8), "tune"), seconds=1).log
    assert log.values[log.registers == 0x11].tolist() == [200 * 199 & 255, 200 * 199 >> 8, 200 * 199 >> 8]


def test_the_memory_of_n163_can_be_read() -> None:
    source = """
        .org $9123
init:   lda #$85
        sta $F800
        lda #77
        sta $4800
        lda #$05
        sta $F800
        lda $4800
        sta $4011
play:   rts
    """
    log = play_nsf(parse_nsf(nsf(source, chips=16), "tune"), seconds=1).log
    assert log.values[log.registers == 0x11].tolist() == [77]


@pytest.mark.parametrize("write", [nsf_bytes, nsfe_bytes])
@pytest.mark.parametrize("looped", [False, True])
def test_our_own_files_come_back(write: object, looped: bool) -> None:
    log = log_of_march(8, 1, "lead")
    inside = log.samples < log.length
    log = replace(
        log, samples=log.samples[inside], registers=log.registers[inside], values=log.values[inside]
    )
    song = replace(
        frames_of(replace(log, loop=735 * 60 if looped else None)), tags=Tags("March", author="Ada")
    )
    played = play_nsf(parse_nsf(write([song], Tags("Album")), "march"))  # type: ignore[operator]
    assert (played.log.tags.title, played.log.tags.author, played.remarks) == ("March", "Ada", ())
    hz = NTSC_FRAME_HZ
    assert played.log.length / 44_100 * hz == pytest.approx(len(song.frames), abs=0.02)
    assert (played.log.loop is not None) == looped
    if looped:
        assert played.log.loop is not None
        assert played.log.loop / 44_100 * hz == pytest.approx(60, abs=0.02)
    frames = frames_of(played.log).frames
    ours = [list(frame) for frame in frames]
    begun = ours[0].index((0x17, 0x40))  # what our player's start ends with, and its status is the song's
    ours[0] = [(0x15, 0x0F), *ours[0][begun + 1 :]]
    assert differing(ours[: len(song.frames)], log_frames(log, len(song.frames))) == []


@settings(max_examples=40)
@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 255), st.booleans())
def test_damaged_files_are_read_or_refused(junk: bytes, place: int, value: int, chunked: bool) -> None:
    song = frames_of(log_of_march(1, 1, "plain"))
    data = bytearray((nsfe_bytes if chunked else nsf_bytes)([song]))
    data[place % len(data)] = value
    data[place % len(data) : place % len(data)] = junk
    try:
        play_nsf(parse_nsf(bytes(data), "junk"), seconds=0.5)
    except (FormatError, MusicError) as error:
        message = str(error)
    else:
        return
    assert "; get" in message or "; give" in message


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an NSF file"),
        (b"NESM\x1a", "cut off in its header"),
        (b"NSFE", "no program in it"),
        (nsf(TUNE, songs=0), "no songs in it"),
        (nsf(TUNE, speed=3), "a frame of 3 us"),
        (nsf(TUNE.replace("$9123", "$4000")), r"no program where one can be \(\$4000\)"),
        (bytes(5 << 20), "larger than 4 MiB"),
    ],
)
def test_what_is_no_nsf_says_so(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"^song\.nsf: {reason}.*; g"):
        parse_nsf(data, "song.nsf")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.nsf"
    path.write_bytes(nsf(TUNE))
    assert read_nsf(path) == parse_nsf(nsf(TUNE), path)
