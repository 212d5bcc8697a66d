"""VGM files: the registers of a sound chip as a console's program wrote them, with waits between.

Versions 1.00 to 2.00 are read, plain or compressed (.vgz); of what is in a file only the NES APU counts.
Music is read as far as it goes: what is broken ends it there, which is a remark, as is what costs a title or
a loop. A file without any music is an error.
Source: VGM specification 1.71 and GD3 specification 1.00 (vgmrips).
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.register_log import (
    MAX_WRITES,
    NTSC_CLOCK_HZ,
    ExpansionLog,
    MemoryBlock,
    RegisterLog,
    Tags,
)
from lakhnes.apu.vgm_streams import Banks
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.music.events import MAX_SAMPLES, SAMPLE_RATE
from lakhnes.runtime.provenance import record_in

MAX_BYTES = 16 * 1024 * 1024
"""Largest file that is read, also after decompression."""

MAX_BLOCKS = 65_536
"""Most blocks of sample memory that are read."""

CLOCKS_HZ = range(1_000_000, 2_500_001)
"""Clocks that an NES, its clones and its prototypes may have; any other is taken for a mistake."""

MAGIC = b"Vgm "
TAG_MAGIC = b"Gd3 "
CLOCK_AT = 0x84
VOLUME_AT = 0x7C
NES_CHIP = 0x14
NES_RAM = 0xC2  # type of a data block
GD3_TEXTS = tuple(field.name for field in fields(Tags))[:11]
"""The fields of `Tags` that a file has, in its order."""

_REGISTERS = 0x18
FDS_BIT = 1 << 31
"""Bit of the clock that announces a Disk System."""


def _fds_addresses() -> dict[int, int]:
    """Return the address of the Disk System for each register of command 0xB4."""
    envelopes = {0x20 + n: 0x4080 + n for n in range(0x0B)}
    return {**envelopes, 0x3F: 0x4023, **{0x40 + n: 0x4040 + n for n in range(0x40)}}


FDS_ADDRESSES = _fds_addresses()
"""Addresses of the Disk System by the register that stands for each in a file."""

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
    """Return the bytes of each command with its operands; 0 for unknown or special commands."""
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
_BANK_COMMANDS = frozenset((0x68, *range(0x90, 0x96)))
_WAIT_OF = [WAITS.get(command, 0) for command in range(256)]


@dataclass(frozen=True, slots=True)
class VgmFile:
    """Content of a file."""

    log: RegisterLog
    remarks: tuple[str, ...] = ()
    """Sentences for the user on what was skipped."""


class _BrokenVgmError(Exception):
    """Why a file cannot be read, and the next step."""


def read_vgm(path: Path) -> VgmFile:
    """Read a VGM file, plain or compressed, whatever its name.

    Raises:
        FormatError: if it is no such file, is broken or too big, or is for other sound chips.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        return parse_vgm(file.read(MAX_BYTES + 1), path)


def parse_vgm(data: bytes, source: str | Path) -> VgmFile:
    """Read the content of a VGM file.

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
    """Return the content, decompressed if needed; cut data give their beginning."""
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
    writes = stream.writes()
    expansion = stream.expansion(header.disk_system)
    if len(writes[0]) + (len(expansion.samples) if expansion else 0) > MAX_WRITES:
        raise _BrokenVgmError(f"more than {MAX_WRITES} writes; give a shorter song")
    log = RegisterLog(
        *writes,
        stream.time,
        clock_hz,
        loop if loop is not None and loop < stream.time else None,
        tuple(stream.memory),
        tag or Tags(),
        header.gain,
        expansion,
    )
    return VgmFile(log, tuple(remarks))


@dataclass(frozen=True, slots=True)
class _Header:
    """Content of the header; places are bytes from the start of the file."""

    start: int
    """First byte of the commands."""
    clock_hz: int
    tag_at: int
    """0 where there is no tag."""
    loop_at: int
    """0 where there is no loop."""
    chips: tuple[str, ...]
    """The others that the file is for too."""
    gain: float
    """Factor of the sound's amplitude."""
    disk_system: bool
    """True for a console with a Disk System."""

    @classmethod
    def of(cls, data: bytes) -> _Header:
        """Read the header.

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
        # Bit 30 announces a second chip.
        places = tag and 0x14 + tag, loop and 0x1C + loop
        return cls(start, clock & 0x3FFF_FFFF, *places, chips, _gain(data, header), bool(clock & FDS_BIT))


def _places(data: bytes) -> tuple[int, int]:
    """Return the first byte of the commands and of the header's end."""
    version = _number(data, 0x08)
    if not 0x100 <= version <= 0x2FF:
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


def _gain(data: bytes, header: bytes) -> float:
    """Return the gain of the volume modifier and of the extra header.

    Args:
        data: the whole file.
        header: its header, with 0 for what it does not have.
    """
    modifier = header[VOLUME_AT]
    gain = 2 ** ((modifier - 256 if modifier > 0xC0 else modifier) / 32)
    extra = 0xBC + _number(header, 0xBC)
    volumes = extra + 8 + _number(data, extra + 8)
    if extra == 0xBC or _number(data, extra) < 12 or volumes == extra + 8 or volumes >= len(data):
        return gain
    for place in range(volumes + 1, volumes + 1 + 4 * data[volumes], 4):
        entry = data[place : place + 4]
        if len(entry) == 4 and entry[:2] == bytes((NES_CHIP, 0)):
            gain *= (int.from_bytes(entry[2:], "little") & 0x7FFF) / 0x100 or 1.0
    return gain


def _listed(names: tuple[str, ...]) -> str:
    return " and the ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def _tag(data: bytes, place: int) -> Tags | None:
    """Return the file's tag, or None."""
    if not place or data[place : place + 4] != TAG_MAGIC:
        return None
    content = data[place + 12 : place + 12 + _number(data, place + 8)]
    texts = content.decode("utf-16-le", "replace").split("\0", len(GD3_TEXTS))
    tags = Tags(**dict(zip(GD3_TEXTS, texts, strict=False)))
    record = record_in(tags.notes)
    return replace(tags, notes=tags.notes.replace(record, "").rstrip("\n"), record=record) if record else tags


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
        self._banks = Banks()
        self._ended = False
        self._broken = ""  # how it goes on where it is no music any longer
        self._disk_samples = array("q")
        self._disk_addresses = array("H")
        self._disk_values = bytearray()
        self._second_chip = False

    def read(self, start: int, loop_at: int) -> int | None:
        """Read all commands.

        Args:
            start: byte of the first.
            loop_at: byte of the first one of the loop.

        Returns:
            Sample at which the loop begins; None if no command begins at its byte.
        """
        place = self._read(start, max(start, loop_at))
        loop = self.time if place == loop_at < len(self._data) else None
        if not (self._ended or self._broken):
            self._read(place, len(self._data))
        if self._broken and not (self.samples or self.time):
            raise _BrokenVgmError(f"{self._broken}, before any music; get the file again")
        return loop

    def writes(self) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]:
        """Return all writes in time: samples, registers and values, [n]."""
        single = (
            np.frombuffer(self.samples, np.int64),
            np.frombuffer(self.registers, np.uint8),
            np.frombuffer(self.values, np.uint8),
        )
        streamed = self._banks.written(self.time)
        if not len(streamed[0]):
            return single
        samples = np.concatenate([single[0], streamed[0]])
        registers = np.concatenate([single[1], streamed[1]])
        values = np.concatenate([single[2], streamed[2]])
        order = np.argsort(samples, kind="stable")
        return samples[order], registers[order], values[order]

    def expansion(self, announced: bool) -> ExpansionLog | None:
        """Return the writes to the Disk System, or None."""
        if not (announced or self._disk_samples):
            return None
        return ExpansionLog(
            ("FDS",),
            np.frombuffer(self._disk_samples, np.int64),
            np.frombuffer(self._disk_addresses, np.uint16),
            np.frombuffer(self._disk_values, np.uint8),
        )

    def remarks(self) -> Iterator[str]:
        """Yield what was wrong or skipped."""
        if self._second_chip:
            yield "The second NES APU in the file is skipped."
        if self._banks.skipped:
            yield "Its sample streams for other chips are skipped."
        if self._broken:
            yield f"The file is {self._broken}; it is read up to there."
        elif not self._ended:
            yield "The file ends without an end mark; it is read up to there."

    def _read(self, place: int, stop: int) -> int:
        """Read commands up to a place or the end mark; return the place after them."""
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
                    elif address := FDS_ADDRESSES.get(register):
                        self._disk_samples.append(time)
                        self._disk_addresses.append(address)
                        self._disk_values.append(value)
                    else:
                        self._second_chip |= register >= 0x80
                    place += 3
                elif size := _SIZES[command]:
                    if command in _BANK_COMMANDS:
                        self._use_banks(data[place : place + size], time)
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
                    self._broken = f"broken at byte {place} (0x{command:02X} is no command)"
                if self._broken:
                    break
        except IndexError:  # the last command is incomplete: what came before it counts
            place = len(data)
        self.time = time
        return place

    def _block(self, place: int, time: int) -> int:
        """Read a data block and return the place after it."""
        data = self._data
        if data[place + 1] != 0x66:
            self._broken = f"broken at byte {place}, where a data block should be"
            return place
        kind, size = data[place + 2], _number(data, place + 3)
        second, size = size >> 31, size & 0x7FFF_FFFF
        begin, end = place + 7, place + 7 + size
        if end > len(data):
            self._broken = f"cut off in the data block at byte {place}"
            return place
        if kind == NES_RAM and second:
            self._second_chip = True
        elif kind == NES_RAM and size >= 2:
            address = int.from_bytes(data[begin : begin + 2], "little")
            content = data[begin + 2 : min(end, begin + 2 + 0x1_0000 - address)]
            self._remember(MemoryBlock(time, address, content))
        else:
            self._banks.add(kind, data[begin:end])
        return end

    def _remember(self, block: MemoryBlock) -> None:
        if len(self.memory) == MAX_BLOCKS:
            raise _BrokenVgmError(f"more than {MAX_BLOCKS} blocks of samples; give a shorter song")
        self.memory.append(block)

    def _use_banks(self, command: bytes, time: int) -> None:
        """Apply a command that plays data of banks."""
        if len(command) < _SIZES[command[0]]:
            raise IndexError
        if command[0] != 0x68:
            self._banks.command(command, time)
        elif (block := self._banks.memory(command[1:], time)) is not None:
            self._remember(block)
