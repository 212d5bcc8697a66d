"""Banks of data in VGM files: samples for the DMC, and streams that write one register.

Source: VGM specification 1.71, "Data blocks", "PCM RAM writes" and "DAC stream control write".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.register_log import MAX_WRITES, MemoryBlock
from lakhnes.runtime.music.events import SAMPLE_RATE

NES_DATA = 0x07
"""Bank of the NES."""

_NES_CHIP = 0x14
_REGISTERS = 0x18
_LAST_BANK = 0x3F
_WHOLE_SIZE = 0x100_0000  # what a size of 0 means
_COUNT, _MILLISECONDS, _TO_THE_END = 1, 2, 3  # what the length of a stream is
_REVERSED, _LOOPED = 0x10, 0x80

Writes = tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class _DacStream:
    """Settings of a stream."""

    register: int
    """0x00..0x17; another number for a stream that is not for our chip."""
    bank: int = NES_DATA
    step: int = 1
    """Bytes from one value to the next."""
    base: int = 0
    """Bytes before the first."""
    hz: int = 0
    """Values a second; 0 while it stands still."""


@dataclass(frozen=True, slots=True)
class _PlayingBlock:
    """A stream that plays."""

    stream: _DacStream
    start: int
    """Sample at which it began."""
    places: NDArray[np.int64]
    """Where its values are in the bank, in the order in which they are written."""
    looped: bool


class Banks:
    """The banks of data of a file, and the streams that play them.

    Attributes:
        skipped: whether there was a stream for another chip.
    """

    def __init__(self) -> None:
        self.skipped = False
        self._data: dict[int, bytearray] = {}
        self._blocks: dict[int, list[tuple[int, int]]] = {}  # start and size of each block in its bank
        self._streams: dict[int, _DacStream] = {}
        self._playing: dict[int, _PlayingBlock] = {}
        self._written: list[Writes] = []
        self._n_written = 0

    def add(self, bank: int, data: bytes) -> None:
        """Append a block to a bank; ignore other types of block."""
        if bank <= _LAST_BANK:
            whole = self._data.setdefault(bank, bytearray())
            self._blocks.setdefault(bank, []).append((len(whole), len(data)))
            whole += data

    def memory(self, operands: bytes, sample: int) -> MemoryBlock | None:
        """Return what command 0x68 copies into the address space, or None for another chip.

        Args:
            operands: its 11 bytes.
            sample: when.
        """
        source, target, size = (int.from_bytes(operands[at : at + 3], "little") for at in (2, 5, 8))
        if operands[1] != NES_DATA or target > 0xFFFF:
            return None
        data = self._data.get(NES_DATA, b"")[source : source + (size or _WHOLE_SIZE)]
        return MemoryBlock(sample, target, bytes(data[: 0x1_0000 - target]))

    def command(self, data: bytes, sample: int) -> None:
        """Apply a command from 0x90 to 0x95.

        Args:
            data: the command with its operands.
            sample: when.
        """
        code, number = data[0], data[1]
        if code == 0x94:
            for one in [*self._playing] if number == 0xFF else [number]:
                self._stop(one, sample)
        elif code == 0x90:
            ours = data[2] == _NES_CHIP and data[4] < _REGISTERS
            self.skipped |= not ours
            self._streams[number] = _DacStream(data[4] if ours else _REGISTERS)
        elif (stream := self._streams.get(number)) is None:
            self.skipped = True
        elif code == 0x91:
            self._streams[number] = replace(stream, bank=data[2], step=max(1, data[3]), base=data[4])
        elif code == 0x92:
            self._set_speed(number, int.from_bytes(data[2:6], "little"), sample)
        else:
            self._start(number, data, sample)

    def written(self, length: int) -> Writes:
        """Return the writes of all streams up to the end of a song, in time."""
        for number in [*self._playing]:
            self._stop(number, length)
        if not self._written:
            return np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.uint8)
        samples, registers, values = (np.concatenate(column) for column in zip(*self._written, strict=True))
        order = np.argsort(samples, kind="stable")
        return samples[order], registers[order], values[order]

    def _set_speed(self, number: int, hz: int, sample: int) -> None:
        """Change a stream's speed; a playing stream continues from its place."""
        self._streams[number] = replace(self._streams[number], hz=hz)
        if (playing := self._playing.get(number)) is not None:
            done = self._stop(number, sample)
            places = np.roll(playing.places, -done) if playing.looped else playing.places[done:]
            self._playing[number] = _PlayingBlock(self._streams[number], sample, places, playing.looped)

    def _start(self, number: int, data: bytes, sample: int) -> None:
        stream = self._streams[number]
        bank = self._data.get(stream.bank, b"")
        blocks = self._blocks.get(stream.bank, [])
        self._stop(number, sample)
        flags = data[4] if data[0] == 0x95 else data[6]
        if data[0] == 0x95:
            block = int.from_bytes(data[2:4], "little")
            if block >= len(blocks):
                return
            start, size = blocks[block]
            count, looped = -(-size // stream.step), bool(flags & 1)
        else:
            start, length = int.from_bytes(data[2:6], "little"), int.from_bytes(data[7:11], "little")
            looped = bool(flags & _LOOPED)
            ways = {
                _COUNT: length,
                _MILLISECONDS: length * stream.hz // 1000,
                _TO_THE_END: -(-(len(bank) - start) // stream.step),
            }
            count = ways.get(flags & 3, 0)
        count = max(0, min(count, -(-(len(bank) - start - stream.base) // stream.step)))
        places = start + stream.base + stream.step * np.arange(count)
        if flags & _REVERSED:
            places = places[::-1]
        self._playing[number] = _PlayingBlock(stream, sample, places, looped)

    def _stop(self, number: int, sample: int) -> int:
        """Write a stream's values up to a sample and end it; return their number."""
        playing = self._playing.pop(number, None)
        if playing is None or not len(playing.places) or not playing.stream.hz:
            return 0
        hz = playing.stream.hz
        due = -(-(sample - playing.start) * hz // SAMPLE_RATE)  # those that come before the sample
        count = min(due if playing.looped else len(playing.places), due, MAX_WRITES + 1 - self._n_written)
        if playing.stream.register < _REGISTERS and count > 0:
            places = playing.places[np.arange(count) % len(playing.places)]
            bank = np.frombuffer(bytes(self._data[playing.stream.bank]), np.uint8)
            samples = playing.start + np.arange(count) * SAMPLE_RATE // hz
            self._written.append((samples, np.full(count, playing.stream.register, np.uint8), bank[places]))
            self._n_written += count
        return int(max(0, count))


__all__ = ["NES_DATA", "Banks"]
