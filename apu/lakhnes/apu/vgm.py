"""VGM files: the registers of a sound chip as a console's program wrote them, with waits between.

Versions 1.00 to 1.72 are read, plain or compressed (.vgz); of what is in a file only the NES APU counts.
What would cost the music is an error; what costs a title or a loop is a remark.
Source: VGM specification 1.71 and GD3 specification 1.00 (vgmrips).
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lakhnes.apu.register_log import MAX_WRITES, NTSC_CLOCK_HZ, MemoryBlock, RegisterLog
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.music.events import MAX_SAMPLES, SAMPLE_RATE

MAX_BYTES = 16 * 1024 * 1024
"""Largest file that is read, also after decompression."""

MAX_BLOCKS = 65_536
"""Most blocks of sample memory that are read."""

CLOCKS_HZ = range(1_000_000, 2_500_001)
"""Clocks that an NES, its clones and its prototypes may have; any other is taken for a mistake."""

MAGIC = b"Vgm "
TAG_MAGIC = b"Gd3 "
CLOCK_AT = 0x84
NES_RAM = 0xC2  # type of a data block
_REGISTERS = 0x18

_CHIPS = {
    0x0C: "SN76489",
    0x10: "YM2413",
    0x2C: "YM2612",
    0x30: "YM2151",
    0x38: "Sega PCM",
    0x40: "RF5C68",
    0x44: "YM2203",
    0x48: "YM2608",
    0x4C: "YM2610",
    0x50: "YM3812",
    0x54: "YM3526",
    0x58: "Y8950",
    0x5C: "YMF262",
    0x60: "YMF278B",
    0x64: "YMF271",
    0x68: "YMZ280B",
    0x6C: "RF5C164",
    0x70: "PWM",
    0x74: "AY8910",
    0x80: "Game Boy DMG",
    0x88: "MultiPCM",
    0x8C: "uPD7759",
    0x90: "OKIM6258",
    0x98: "OKIM6295",
    0x9C: "K051649",
    0xA0: "K054539",
    0xA4: "HuC6280",
    0xA8: "C140",
    0xAC: "K053260",
    0xB0: "Pokey",
    0xB4: "QSound",
    0xB8: "SCSP",
    0xC0: "WonderSwan",
    0xC4: "VSU",
    0xC8: "SAA1099",
    0xCC: "ES5503",
    0xD0: "ES5506",
    0xD8: "X1-010",
    0xDC: "C352",
    0xE0: "GA20",
    0xE4: "Mikey",
}  # where the header has the clock of each chip but ours


def _command_sizes() -> list[int]:
    """Bytes of each command with its operands; 0 for those that are no such thing or need a closer look."""
    operands = {
        **dict.fromkeys(range(0x30, 0x40), 1),
        **dict.fromkeys(range(0x40, 0x4F), 2),
        **dict.fromkeys((0x4F, 0x50), 1),
        **dict.fromkeys(range(0x51, 0x60), 2),
        **dict.fromkeys((0x62, 0x63, *range(0x70, 0x90)), 0),
        **{0x64: 3, 0x68: 11, 0x90: 4, 0x91: 4, 0x92: 5, 0x93: 10, 0x94: 1, 0x95: 4},
        **dict.fromkeys(range(0xA0, 0xC0), 2),
        **dict.fromkeys(range(0xC0, 0xE0), 3),
        **dict.fromkeys(range(0xE0, 0x100), 4),
    }
    return [operands.get(command, -1) + 1 for command in range(256)]


WAITS = {0x62: 735, 0x63: 882, **{0x70 + n: n + 1 for n in range(16)}, **{0x80 + n: n for n in range(16)}}
_SIZES = _command_sizes()
_WAIT_OF = [WAITS.get(command, 0) for command in range(256)]


@dataclass(frozen=True, slots=True)
class VgmFile:
    """What a file says."""

    log: RegisterLog
    remarks: tuple[str, ...] = ()
    """Sentences for the user on what was skipped."""


class _BrokenVgmError(Exception):
    """Why a file cannot be read, and the next step."""


def read_vgm(path: Path) -> VgmFile:
    """Reads a VGM file, plain or compressed, whatever its name ends in.

    Raises:
        FormatError: if it is no such file, is broken or too big, or is for other sound chips.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        return parse_vgm(file.read(MAX_BYTES + 1), path)


def parse_vgm(data: bytes, source: str | Path) -> VgmFile:
    """Reads the content of a VGM file.

    Args:
        data: plain or compressed.
        source: the file, or a name for it in errors.

    Raises:
        FormatError: if it is no such file, is broken or too big, or is for other sound chips.
    """
    try:
        return _parse(_plain(data))
    except _BrokenVgmError as error:
        raise FormatError(source, str(error)) from None


def _plain(data: bytes) -> bytes:
    """The content, decompressed where it is not plain; of compressed data that are cut off what is there."""
    if data[:2] == b"\x1f\x8b" and len(data) <= MAX_BYTES:
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, MAX_BYTES + 1)
        except zlib.error:
            raise _BrokenVgmError("the compressed data are damaged; get the file again") from None
    if len(data) > MAX_BYTES:
        raise _BrokenVgmError(f"larger than {MAX_BYTES >> 20} MiB; give a shorter song")
    return data


def _parse(data: bytes) -> VgmFile:
    header = _Header.of(data)
    remarks = [f"The {chip} in the file is skipped." for chip in header.chips]
    clock_hz = header.clock_hz
    if clock_hz not in CLOCKS_HZ:
        remarks.append(f"The file's clock of {clock_hz} Hz is no NES's; {NTSC_CLOCK_HZ} Hz is used.")
        clock_hz = NTSC_CLOCK_HZ
    tag = _tag(data, header.tag_at)
    if header.tag_at and tag is None:
        remarks.append("The title is damaged and is skipped.")
    # Without an end mark the commands end where the tag begins.
    commands = data[: header.tag_at] if tag is not None and header.tag_at > header.start else data
    stream = _Stream(commands)
    loop = stream.read(header.start, header.loop_at)
    if stream.time > MAX_SAMPLES:
        raise _BrokenVgmError(f"longer than {MAX_SAMPLES // SAMPLE_RATE // 3600} hours; give a shorter song")
    remarks += stream.remarks()
    if header.loop_at and loop is None:
        remarks.append("The loop does not begin at a command of the song and is skipped.")
    title, game, author = tag or ("", "", "")
    if len(stream.samples) > MAX_WRITES:
        raise _BrokenVgmError(f"more than {MAX_WRITES} writes; give a shorter song")
    log = RegisterLog(
        np.frombuffer(stream.samples, np.int64),
        np.frombuffer(stream.registers, np.uint8),
        np.frombuffer(stream.values, np.uint8),
        stream.time,
        clock_hz,
        loop if loop is not None and loop < stream.time else None,
        tuple(stream.memory),
        title,
        author,
        game,
    )
    return VgmFile(log, tuple(remarks))


@dataclass(frozen=True, slots=True)
class _Header:
    """What the header says; places are bytes from the start of the file."""

    start: int
    """Of the commands."""
    clock_hz: int
    tag_at: int
    """0 where there is no tag."""
    loop_at: int
    """0 where there is no loop."""
    chips: tuple[str, ...]
    """The others that the file is for too."""

    @classmethod
    def of(cls, data: bytes) -> _Header:
        """Reads it.

        Raises:
            _BrokenFileError: if the file is no VGM or not for our chip.
        """
        if not data:
            raise _BrokenVgmError("empty; give a VGM file")
        if data[:4] != MAGIC:
            raise _BrokenVgmError("not a VGM file (it does not begin with 'Vgm'); give a .vgm or .vgz file")
        if len(data) < 0x40:
            raise _BrokenVgmError("cut off in its header; get the file again")
        start, end = _places(data)
        header = data[:end].ljust(0x100, b"\0")
        chips = tuple(chip for at, chip in _CHIPS.items() if _number(header, at))
        clock = _number(header, CLOCK_AT)
        if not clock:
            named = f"it is for the {_listed(chips)}" if chips else "its header names no chip"
            raise _BrokenVgmError(f"no music for the NES APU ({named}); give a VGM of an NES game")
        tag, loop = _number(header, 0x14), _number(header, 0x1C)
        # Bits 31 and 30 say that there are a Disk System and a second chip.
        return cls(start, clock & 0x3FFF_FFFF, tag and 0x14 + tag, loop and 0x1C + loop, chips)


def _places(data: bytes) -> tuple[int, int]:
    """Bytes at which the commands begin and the header ends, beyond which its fields count as 0."""
    version = _number(data, 0x08)
    if not 0x100 <= version <= 0x1FF:
        raise _BrokenVgmError(
            f"version {version >> 8:x}.{version & 255:02x} of VGM is not known; convert it to 1.61"
        )
    if version < 0x150:
        return 0x40, 0x40
    start = 0x34 + (_number(data, 0x34) or 0x0C)
    if not 0x40 <= start < len(data):
        raise _BrokenVgmError(f"no commands at byte {start}, where they should begin; get the file again")
    extra = _number(data, 0xBC) if start >= 0xC0 else 0
    return start, min(start, 0xBC + extra) if extra else start


def _listed(names: tuple[str, ...]) -> str:
    return " and the ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def _tag(data: bytes, place: int) -> tuple[str, str, str] | None:
    """Title, game and author, in English where there is such, else in Japanese; None if there is no tag."""
    if not place or data[place : place + 4] != TAG_MAGIC:
        return None
    content = data[place + 12 : place + 12 + _number(data, place + 8)]
    texts = content.decode("utf-16-le", "replace").split("\0", 8)
    texts += [""] * (8 - len(texts))
    return texts[0] or texts[1], texts[2] or texts[3], texts[6] or texts[7]


class _Stream:
    """The commands of a file, read into growing arrays.

    Attributes:
        samples: when each write is.
        registers: of each write.
        values: of each write.
        memory: blocks of it.
        time: samples up to the last command that was read.
    """

    def __init__(self, data: bytes) -> None:
        self.samples = array("q")
        self.registers = bytearray()
        self.values = bytearray()
        self.memory: list[MemoryBlock] = []
        self.time = 0
        self._data = data
        self._ended = False
        self._disk_system = False
        self._second_chip = False
        self._streams = False

    def read(self, start: int, loop_at: int) -> int | None:
        """Reads all commands.

        Args:
            start: byte of the first.
            loop_at: byte of the first one of the loop.

        Returns:
            Sample at which the loop begins; None if no command begins at its byte.
        """
        place = self._read(start, max(start, loop_at))
        loop = self.time if place == loop_at < len(self._data) else None
        if not self._ended:
            self._read(place, len(self._data))
        return loop

    def remarks(self) -> Iterator[str]:
        """What was not as it should be."""
        if self._second_chip:
            yield "The second NES APU in the file is skipped."
        if self._streams:
            yield "Its sample streams are skipped."
        if self._disk_system:
            yield "The Famicom Disk System's channel is skipped."
        if not self._ended:
            yield "The file ends without an end mark; it is read up to there."

    def _read(self, place: int, stop: int) -> int:
        """Reads commands from a place up to another one or the end mark; returns the place after them."""
        data, time = self._data, self.time
        try:
            while place < stop:
                command = data[place]
                if command == 0xB4:
                    register, value = data[place + 1], data[place + 2]
                    if register < _REGISTERS:
                        self.samples.append(time)
                        self.registers.append(register)
                        self.values.append(value)
                    else:
                        self._second_chip |= register >= 0x80
                        self._disk_system |= 0x20 <= register < 0x40
                    place += 3
                elif size := _SIZES[command]:
                    self._streams |= 0x93 <= command <= 0x95
                    time += _WAIT_OF[command]
                    place += size
                elif command == 0x61:
                    time += data[place + 1] | data[place + 2] << 8
                    place += 3
                elif command == 0x66:
                    self._ended = True
                    break
                elif command == 0x67:
                    place = self._block(place, time)
                else:
                    raise _BrokenVgmError(
                        f"broken data at byte {place} (0x{command:02X} is no command); get the file again"
                    )
        except IndexError:  # the last command is incomplete: what came before it counts
            place = len(data)
        self.time = time
        return place

    def _block(self, place: int, time: int) -> int:
        """Reads a data block, of which only the NES's memory counts; returns the place after it."""
        data = self._data
        if data[place + 1] != 0x66:
            raise _BrokenVgmError(f"broken data block at byte {place}; get the file again")
        kind, size = data[place + 2], _number(data, place + 3)
        second, size = size >> 31, size & 0x7FFF_FFFF
        begin, end = place + 7, place + 7 + size
        if end > len(data):
            raise _BrokenVgmError(f"cut off in the data block at byte {place}; get the file again")
        if kind == NES_RAM and second:
            self._second_chip = True
        elif kind == NES_RAM and size >= 2:
            if len(self.memory) == MAX_BLOCKS:
                raise _BrokenVgmError(f"more than {MAX_BLOCKS} blocks of samples; give a shorter song")
            address = int.from_bytes(data[begin : begin + 2], "little")
            content = data[begin + 2 : min(end, begin + 2 + 0x1_0000 - address)]
            self.memory.append(MemoryBlock(time, address, content))
        return end
