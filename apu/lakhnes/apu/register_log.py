"""Timed writes to the sound chip's registers, which a VGM file holds and the renderer plays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import MAX_SAMPLES, SAMPLE_RATE

_Place = TypeVar("_Place", np.uint8, np.uint16)

MAX_WRITES = 1 << 22
"""Most writes of a song: half an hour of samples written to the DMC one by one."""

NTSC_CLOCK_HZ = 1_789_773
"""CPU clock of NTSC consoles (America and Japan)."""

PAL_CLOCK_HZ = 1_662_607
"""CPU clock of PAL consoles (Europe)."""


EXPANSIONS = ("FDS", "MMC5", "N163", "VRC6", "VRC7", "S5B")
"""Sound chips of cartridges and of the Famicom Disk System, in the order of `apu/src/expansion.h`."""

_ADDRESSES = {
    "FDS": (0x4023, *range(0x4040, 0x408B)),
    "MMC5": range(0x5000, 0x5016),
    "N163": (0x4800, 0xF800),
    "VRC6": (*range(0x9000, 0x9004), *range(0xA000, 0xA003), *range(0xB000, 0xB003)),
    "VRC7": (0x9010, 0x9030),
    "S5B": (0xC000, 0xE000),
}


def _chips_by_address() -> NDArray[np.uint8]:
    chips = np.full(0x1_0000, len(EXPANSIONS), np.uint8)
    for number, name in enumerate(EXPANSIONS):
        chips[[*_ADDRESSES[name]]] = number
    return chips


CHIP_BY_ADDRESS = _chips_by_address()
"""uint8 [65536] index in `EXPANSIONS` of the chip that listens at each address; 6 where none does."""


@dataclass(frozen=True, slots=True)
class MemoryBlock:
    """A piece of the CPU's address space, where the DMC channel finds its samples."""

    sample: int
    """Sample at 44.1 kHz from which the data are present."""
    address: int
    """0..65535, of the first byte."""
    data: bytes

    def __post_init__(self) -> None:
        if self.sample < 0 or not 0 <= self.address < 0x1_0000:
            raise ValueError("the block lies outside the song or the address space")


@dataclass(frozen=True, slots=True)
class Tags:
    """Texts about a song: the eleven of a VGM file, in its order, a licence, and how it was made."""

    title: str = ""
    title_native: str = ""
    """In the language of the song's country, like the other fields named `_native`."""
    game: str = ""
    game_native: str = ""
    system: str = ""
    """The console."""
    system_native: str = ""
    author: str = ""
    author_native: str = ""
    date: str = ""
    """Release date of the game."""
    file_author: str = ""
    """Author of the file."""
    notes: str = ""
    licence: str = ""
    """Licence of the music. A VGM file keeps it in its notes if it has no others."""
    record: str = ""
    """The record of how it was made, as `Provenance.from_text` reads it. A VGM file keeps it in its notes."""

    @property
    def shown_title(self) -> str:
        """Return the title in English, or else in the other language."""
        return self.title or self.title_native

    @property
    def shown_author(self) -> str:
        """Return the author in English, or else in the other language."""
        return self.author or self.author_native


NO_TAGS = Tags()


@dataclass(frozen=True, slots=True)
class ExpansionLog:
    """Writes to the sound chips of a cartridge or of the Disk System.

    Raises:
        ValueError: if the arrays break a rule that is stated under a field.
    """

    chips: tuple[str, ...]
    """The chips, some of `EXPANSIONS` in their order; one at least."""
    samples: NDArray[np.int64]
    """[n] time of each write in samples at 44.1 kHz, never decreasing."""
    addresses: NDArray[np.uint16]
    """[n] addresses at which these chips listen."""
    values: NDArray[np.uint8]
    """[n] values written."""

    def __post_init__(self) -> None:
        if not self.chips or self.chips != tuple(name for name in EXPANSIONS if name in self.chips):
            raise ValueError(f"{self.chips} are not chips in their order")
        if not len(self.samples) == len(self.addresses) == len(self.values):
            raise ValueError("the arrays differ in length")
        if (np.diff(self.samples) < 0).any():
            raise ValueError("the writes are not in time")
        if not np.isin(self.numbers, [EXPANSIONS.index(name) for name in self.chips]).all():
            raise ValueError("a write is for another chip")

    @property
    def numbers(self) -> NDArray[np.uint8]:
        """Return the index in `EXPANSIONS` of each write's chip, uint8 [n]."""
        return np.asarray(CHIP_BY_ADDRESS[self.addresses])


@dataclass(frozen=True, slots=True)
class RegisterLog:
    """Writes to the registers of a 2A03.

    Raises:
        ValueError: if the arrays break a rule that is stated under a field.
    """

    samples: NDArray[np.int64]
    """[n] time of each write in samples at 44.1 kHz, never decreasing; 0 to `length`."""
    registers: NDArray[np.uint8]
    """[n] 0x00..0x17, which stand for $4000..$4017."""
    values: NDArray[np.uint8]
    """[n] values written."""
    length: int
    """Samples."""
    clock_hz: int = NTSC_CLOCK_HZ
    """CPU clock; near PAL's, noise, DMC and frame periods are PAL's too."""
    loop: int | None = None
    """First sample of the loop; None for a song that ends."""
    memory: tuple[MemoryBlock, ...] = ()
    """In time."""
    tags: Tags = NO_TAGS
    gain: float = 1.0
    """Factor of the sound's amplitude, above 0, for files that ask for another level."""
    expansion: ExpansionLog | None = None
    """Writes to other sound chips, if the song uses any."""

    def __post_init__(self) -> None:
        if not len(self.samples) == len(self.registers) == len(self.values):
            raise ValueError("the arrays differ in length")
        if len(self.samples):
            if (np.diff(self.samples) < 0).any() or self.samples[0] < 0 or self.samples[-1] > self.length:
                raise ValueError("the writes are not in time")
            if self.registers.max() > 0x17:
                raise ValueError("there is no such register")
        times = self.samples[:0] if self.expansion is None else self.expansion.samples
        if len(times) and (times[0] < 0 or times[-1] > self.length):
            raise ValueError("the writes to other chips lie outside the song")
        if self.loop is not None and not 0 <= self.loop < self.length:
            raise ValueError("the loop begins outside the song")

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return self.length / SAMPLE_RATE

    def left_out(self, where: str, kept: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return sentences for the user on the other chips that a format does not hold.

        Args:
            where: the format, such as "the notes".
            kept: names from `EXPANSIONS` that it does hold.
        """
        chips = self.expansion.chips if self.expansion else ()
        names = [name for name in chips if name not in kept]
        return (f"The sound of {' and '.join(names)} is left out of {where}.",) if names else ()

    def frames(self, sample_rate: int) -> int:
        """Return the length in samples at another rate, rounded up."""
        return -(-self.length * sample_rate // SAMPLE_RATE)

    def unrolled(self, passes: int) -> RegisterLog:
        """Return the song with its loop played `passes` times, without a loop.

        Raises:
            ValueError: if `passes` is below 1.
            OptionError: if that is longer than a day, or has more than `MAX_WRITES` writes.
        """
        if passes < 1:
            raise ValueError("a song is played once at least")
        if self.loop is None or passes == 1:
            return replace(self, loop=None)
        length = self.length + (passes - 1) * (self.length - self.loop)
        expansion = self.expansion
        n_writes = len(self.samples) + (0 if expansion is None else len(expansion.samples))
        if length > MAX_SAMPLES or n_writes * passes > MAX_WRITES:
            raise OptionError(f"The loop cannot be played {passes} times; that is too long. Ask for less.")
        samples, registers, values = self._repeated(passes, self.samples, self.registers, self.values)
        if expansion is not None:
            arrays = self._repeated(passes, expansion.samples, expansion.addresses, expansion.values)
            expansion = ExpansionLog(expansion.chips, *arrays)
        again = [
            replace(block, sample=block.sample + turn * (self.length - self.loop))
            for turn in range(1, passes)
            for block in self.memory
            if self.loop <= block.sample < self.length
        ]
        return replace(
            self,
            samples=samples,
            registers=registers,
            values=values,
            length=length,
            loop=None,
            memory=(*self.memory, *again),
            expansion=expansion,
        )

    def _repeated(
        self, passes: int, samples: NDArray[np.int64], places: NDArray[_Place], values: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[_Place], NDArray[np.uint8]]:
        """Return writes [n] with those inside the loop repeated after the end."""
        loop = self.loop or 0
        inside = (samples >= loop) & (samples < self.length)
        turns = np.repeat(np.arange(1, passes), inside.sum()) * (self.length - loop)
        return (
            np.concatenate([samples, np.tile(samples[inside], passes - 1) + turns]),
            np.concatenate([places, np.tile(places[inside], passes - 1)]),
            np.concatenate([values, np.tile(values[inside], passes - 1)]),
        )
