"""What is written to the sound chip's registers, in time: what a VGM file holds and the renderer plays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import MAX_SAMPLES, SAMPLE_RATE

MAX_WRITES = 1 << 22
"""Most writes of a song: half an hour of samples that a program writes to the DMC one by one."""

NTSC_CLOCK_HZ = 1_789_773
"""CPU clock of the consoles of America and Japan."""

PAL_CLOCK_HZ = 1_662_607
"""CPU clock of the consoles of Europe."""


@dataclass(frozen=True, slots=True)
class MemoryBlock:
    """A piece of the CPU's address space, where the DMC channel finds its samples."""

    sample: int
    """Sample at 44.1 kHz from which it is there."""
    address: int
    """0..65535, of the first byte."""
    data: bytes

    def __post_init__(self) -> None:
        if self.sample < 0 or not 0 <= self.address < 0x1_0000:
            raise ValueError("the block lies outside the song or the address space")


@dataclass(frozen=True, slots=True)
class RegisterLog:
    """Writes to the registers of a 2A03.

    Raises:
        ValueError: if the arrays break a rule that is stated under a field.
    """

    samples: NDArray[np.int64]
    """[n] when each write happens, in samples at 44.1 kHz, never decreasing; from 0 to `length`."""
    registers: NDArray[np.uint8]
    """[n] 0x00..0x17, which stand for $4000..$4017."""
    values: NDArray[np.uint8]
    """[n] what is written."""
    length: int
    """Samples."""
    clock_hz: int = NTSC_CLOCK_HZ
    """CPU clock; a PAL machine's has that machine's noise, DMC and frame periods too."""
    loop: int | None = None
    """Sample to go on from at the end of a song that never ends; None for one that does."""
    memory: tuple[MemoryBlock, ...] = ()
    """In time."""
    title: str = ""
    author: str = ""
    game: str = ""

    def __post_init__(self) -> None:
        if not len(self.samples) == len(self.registers) == len(self.values):
            raise ValueError("the arrays differ in length")
        if len(self.samples):
            if (np.diff(self.samples) < 0).any() or self.samples[0] < 0 or self.samples[-1] > self.length:
                raise ValueError("the writes are not in time")
            if self.registers.max() > 0x17:
                raise ValueError("there is no such register")
        if self.loop is not None and not 0 <= self.loop < self.length:
            raise ValueError("the loop begins outside the song")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.length / SAMPLE_RATE

    def frames(self, sample_rate: int) -> int:
        """Length in samples at another rate, the last one begun."""
        return -(-self.length * sample_rate // SAMPLE_RATE)

    def unrolled(self, passes: int) -> RegisterLog:
        """The song with its loop played so many times in all; itself if it has no loop.

        Raises:
            ValueError: if `passes` is below 1.
            OptionError: if that is longer than a day, or has more than `MAX_WRITES` writes.
        """
        if passes < 1:
            raise ValueError("a song is played once at least")
        if self.loop is None or passes == 1:
            return replace(self, loop=None)
        inside = (self.samples >= self.loop) & (self.samples < self.length)
        length = self.length + (passes - 1) * (self.length - self.loop)
        if length > MAX_SAMPLES or len(self.samples) + inside.sum() * (passes - 1) > MAX_WRITES:
            raise OptionError(f"The loop cannot be played {passes} times; that is too long. Ask for less.")
        turns = np.repeat(np.arange(1, passes), inside.sum()) * (self.length - self.loop)
        again = [
            replace(block, sample=block.sample + turn * (self.length - self.loop))
            for turn in range(1, passes)
            for block in self.memory
            if self.loop <= block.sample < self.length
        ]
        return replace(
            self,
            samples=np.concatenate([self.samples, np.tile(self.samples[inside], passes - 1) + turns]),
            registers=np.concatenate([self.registers, np.tile(self.registers[inside], passes - 1)]),
            values=np.concatenate([self.values, np.tile(self.values[inside], passes - 1)]),
            length=length,
            loop=None,
            memory=(*self.memory, *again),
        )
