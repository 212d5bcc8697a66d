"""ROMs: on a console they write what the register log says, show the songs and take the pad."""

from dataclasses import replace

import numpy as np
import pytest
from nes_machines import Write, differing, log_frames, log_of_march, sound_writes

from lakhnes.apu import Tags
from lakhnes.apu.console import frames_of, rom_bytes
from lakhnes.apu.console.frames import Frames
from lakhnes.apu.console.processor import Processor
from lakhnes.apu.console.rom import plain_letters
from lakhnes.runtime import MusicError

FRAME_CYCLES = 29_781
VBLANK_CYCLES = 2273
"""Cycles in which the picture is not drawn and its memory may be written."""
A, B, SELECT, START, UP, DOWN = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04


class Console:
    """A console with a ROM of ours in it.

    Attributes:
        screen: the picture's memory.
        sound: writes to the sound chip in the frame before.
        cycles: that the frame before took, and those up to its last write to the picture.
    """

    def __init__(self, rom: bytes) -> None:
        assert rom[:4] == b"NES\x1a"
        assert (rom[6] >> 4 | rom[7] & 0xF0, rom[5]) == (31, 0)
        program = rom[16:]
        assert len(program) == rom[4] * 16_384
        size = len(program) // 4096
        assert size & (size - 1) == 0
        # When a console is switched on, only the last window is known: it shows the last bank.
        self._processor = Processor(program, (*[size // 2] * 7, size - 1))
        self._processor.state.ram[:] = [0xA5] * 0x800
        self.screen = bytearray(0x4000)
        self.sound: list[Write] = []
        self.cycles = self.drawn = 0
        self._address = self._low = 0
        self._processor.interrupt(0xFFFC)
        self._run(600_000)

    def frame(self, pad: int = 0) -> None:
        """The next frame, with some buttons down."""
        self._processor.state.pad = pad
        self._processor.interrupt(0xFFFA)
        self._run(FRAME_CYCLES)

    def frames(self, count: int) -> list[list[Write]]:
        """What the next frames write to the sound chip."""
        written = []
        for _ in range(count):
            self.frame()
            written.append(self.sound)
        return written

    def row(self, number: int) -> str:
        """A row of the screen as text; tiles of bars are dots and hashes."""
        row = self.screen[0x2000 + 32 * number : 0x2020 + 32 * number]
        return (
            bytes({1: ord("."), 2: ord("#"), 0: ord(" ")}.get(tile, tile) for tile in row).decode().rstrip()
        )

    def bars(self) -> list[int]:
        """Steps of volume that the bars show."""
        return [
            self.row(23 + voice)[12:].count("#") * 2 + self.row(23 + voice)[12:].count(".")
            for voice in range(4)
        ]

    def _run(self, cycles: int) -> None:
        state = self._processor.state
        start = state.clock
        self._processor.run(start + cycles)
        noted = self._processor.take()
        self.sound = sound_writes(noted.addresses.tolist(), noted.values.tolist())
        for clock, address, value in zip(*(array.tolist() for array in noted), strict=True):
            if address == 0x2006:
                self._address, self._low = (self._low << 8 | value) & 0x3FFF, value
            elif address == 0x2007:
                self.screen[self._address] = value
                self._address = (self._address + 1) & 0x3FFF
                self.drawn = clock - start


def songs(count: int = 3) -> tuple[list[Frames], bytes]:
    made = [
        replace(frames_of(log_of_march(5, number, "lead")), tags=Tags(f"Song {number}", author="Ada"))
        for number in range(count)
    ]
    return made, rom_bytes(made, Tags("Álbum", author="Ada", licence="CC BY 4.0"))


@pytest.mark.parametrize("seed", range(20))
def test_a_rom_plays_what_the_log_says(seed: int) -> None:
    log = log_of_march(6, seed, ("lead", "arcade", "plain", "pluck")[seed % 4])
    console = Console(rom_bytes([frames_of(log)]))
    n_frames = len(frames_of(log).frames)
    assert differing(console.frames(n_frames), log_frames(log, n_frames)) == []


def test_the_screen_names_the_songs() -> None:
    _, rom = songs()
    console = Console(rom)
    console.frames(2)
    assert console.row(2).strip() == "ALBUM"
    assert console.row(3).strip() == "BY ADA"
    assert [console.row(row) for row in (6, 7, 8, 9)] == [" >SONG 0", "  SONG 1", "  SONG 2", ""]
    assert [console.row(23 + voice).split("  ")[1] for voice in range(4)] == [
        "PULSE 1",
        "PULSE 2",
        "TRIANGLE",
        "NOISE",
    ]
    assert console.row(27).strip() == "CC BY 4.0"
    letter = console.screen[16 * ord("T") : 16 * ord("T") + 8]
    assert [f"{line:08b}"[1:6] for line in letter] == ["11111", *["00100"] * 6, "00000"]


def test_bars_show_how_loud_the_voices_are() -> None:
    writes = ((0x15, 0x0F), (0x00, 0x3F), (0x04, 0x35), (0x08, 0xFF), (0x0C, 0x30))
    off = ((0x15, 0x02), (0x04, 0x05))
    console = Console(rom_bytes([Frames((writes, (), off, ()))]))
    console.frames(3)
    assert console.bars() == [15, 5, 15, 0]
    console.frames(2)
    assert console.bars() == [0, 15, 0, 0]  # where an envelope runs, it is as loud as that begins
    console.frames(60)
    assert console.bars() == [0, 0, 0, 0]


def test_the_screen_is_written_while_no_picture_is_drawn() -> None:
    console = Console(songs()[1])
    for _ in range(120):
        console.frame()
        assert console.drawn < VBLANK_CYCLES


def test_the_pad_chooses_songs() -> None:
    _, rom = songs()
    console = Console(rom)

    def chosen() -> int:
        console.frames(2)
        return [console.row(6 + row)[1:2] for row in range(3)].index(">")

    def press(button: int) -> None:
        console.frame(button)
        console.frame(button)  # held, which is no second press

    for button, after in ((SELECT, 1), (DOWN, 2), (SELECT, 0), (UP, 2), (UP, 1)):
        press(button)
        assert chosen() == after
    console.frame(START)
    second = log_of_march(5, 1, "lead")
    assert differing(console.frames(200), log_frames(second, 200)) == []
    console.frame(B)
    assert console.sound[-1] == (0x15, 0)
    assert console.frames(30) == [[]] * 30
    console.frame(A)
    assert differing(console.frames(200), log_frames(second, 200)) == []


def test_a_ring_of_frames_leaves_the_console_time() -> None:
    frame = tuple((0x00, value) for value in range(64))
    console = Console(rom_bytes([Frames((frame,) * 100)]))
    console.frames(50)
    assert len(console.sound) == 64


def test_samples_lie_where_the_dmc_finds_them() -> None:
    rng = np.random.default_rng(1)
    sample = rng.integers(0, 256, 3000, np.uint8).tobytes()
    rom = rom_bytes([Frames(((),)), Frames((((0x12, 0), (0x13, 187), (0x15, 0x1F)),), samples=sample)])
    console = Console(rom)
    console.frame(SELECT)
    console.frame(START)
    windows = [*console._processor.state.windows]
    seen = b"".join(rom[16 + 4096 * bank : 16 + 4096 * (bank + 1)] for bank in windows)
    assert seen[0x4000 : 0x4000 + 3000] == sample


def test_letters_that_the_screen_lacks_are_question_marks() -> None:
    assert plain_letters("Grüße_[1] 歌\n") == b"GRUSSE_[1] ??"


def test_a_screen_has_room_for_sixteen_songs() -> None:
    one = Frames(((),))
    console = Console(rom_bytes([one] * 16))
    console.frames(2)
    assert [console.row(6 + row).strip(" >") for row in (0, 15)] == ["SONG 1", "SONG 16"]
    with pytest.raises(MusicError, match="17 songs are too many for a ROM's screen"):
        rom_bytes([one] * 17)
