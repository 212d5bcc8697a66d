"""From register writes to sound, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.bandlimit import LATENCY, coefficients
from lakhnes.apu.native import Apu
from lakhnes.apu.register_log import NTSC_CLOCK_HZ, MemoryBlock, RegisterLog
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE

CHANNELS = ("P1", "P2", "TR", "NO", "DM")
"""Pulse 1, pulse 2, triangle, noise, DMC."""

SAMPLE_RATES = range(8_000, 384_001)
"""Sample rates that the renderer takes, in Hz."""

Samples = NDArray[np.float32]


class Mixer(StrEnum):
    """How the channels come together."""

    HARDWARE = "hardware"
    """As the console's resistors mix them."""
    LEGACY = "legacy"
    """Triangle, noise and DMC at three quarters, as the original LakhNES has them."""


class Filters(StrEnum):
    """The filters after the mixer."""

    NES = "nes"
    """High passes at 90 and 440 Hz, low pass at 14 kHz."""
    FAMICOM = "famicom"
    """High pass at 37 Hz."""
    FLAT = "flat"
    """None: the output of the chip itself, from 0 to 1."""


_GAINS = {Mixer.HARDWARE: 1.0, Mixer.LEGACY: 0.75}
_CORNERS: dict[Filters, tuple[tuple[float, ...], float | None]] = {
    Filters.NES: ((90.0, 440.0), 14_000.0),
    Filters.FAMICOM: ((37.0,), None),
    Filters.FLAT: ((), None),
}


_STATUS, _ALL_ON = np.uint8(0x15), np.uint8(0x0F)


@dataclass(frozen=True, slots=True)
class ChipWrites:
    """Writes to the chips of a cartridge for one block."""

    clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """[n] CPU clocks, as in `Writes`."""
    addresses: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    """[n] addresses at which the chips listen; see `ExpansionLog`."""
    values: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """[n]"""


@dataclass(frozen=True, slots=True)
class Writes:
    """Register writes for one block."""

    clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """[n] CPU clocks since the renderer's start, never decreasing; see `Renderer.clock_of`."""
    registers: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """[n] 0x00..0x17, which stand for $4000..$4017."""
    values: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """[n]"""
    others: ChipWrites = field(default_factory=ChipWrites)
    """Writes to the chips of a cartridge."""

    def between(self, first: int, end: int) -> Writes:
        """Return the writes from one CPU clock up to another one."""
        a, b = np.searchsorted(self.clocks, [first, end])
        c, d = np.searchsorted(self.others.clocks, [first, end])
        o = self.others
        return Writes(
            self.clocks[a:b],
            self.registers[a:b],
            self.values[a:b],
            ChipWrites(o.clocks[c:d], o.addresses[c:d], o.values[c:d]),
        )


class Renderer:
    """A 2A03 that is switched on and gives sound as long as it is asked for.

    Blocks of any sizes give the same samples as one long block.

    Attributes:
        frame: samples that were rendered so far, at `sample_rate`.
        clock: CPU clocks that have passed.
    """

    def __init__(
        self,
        *,
        clock_hz: int = NTSC_CLOCK_HZ,
        sample_rate: int = 44_100,
        mixer: Mixer = Mixer.HARDWARE,
        filters: Filters = Filters.NES,
        separate: bool = False,
        chips: tuple[str, ...] = (),
    ) -> None:
        """Switch the chip on.

        Args:
            clock_hz: CPU clock; near PAL's it is a PAL machine.
            sample_rate: of the sound, in Hz.
            mixer: how the channels come together.
            filters: what comes after.
            separate: whether each channel is mixed and filtered alone, rather than all together.
            chips: names from `EXPANSIONS` of chips that play too.

        Raises:
            OptionError: for a sample rate or clock out of range.
            MissingLibraryError: if the chip was not compiled.
        """
        if sample_rate not in SAMPLE_RATES:
            low, high = SAMPLE_RATES[0], SAMPLE_RATES[-1]
            raise OptionError(f"A sample rate of {sample_rate} Hz is out of range; give {low} to {high}.")
        if not 100_000 <= clock_hz <= 10_000_000:
            raise OptionError(f"A CPU clock of {clock_hz} Hz is out of range; give {NTSC_CLOCK_HZ}.")
        self._clock_hz, self._sample_rate, self._separate = clock_hz, sample_rate, separate
        self._apu = Apu(
            clock_hz,
            sample_rate,
            gain=_GAINS[mixer],
            coefficients=coefficients(*_CORNERS[filters], sample_rate),
            steady=filters is Filters.FLAT,
            separate=separate,
            chips=chips,
        )
        self.frame = self.clock = 0

    @property
    def status(self) -> int:
        """Return what the console would read from $4015: which channels still sound."""
        return self._apu.status

    def chip_level(self, chip: str) -> float:
        """Return what a chip of `EXPANSIONS` puts out now, in steps of its own."""
        return self._apu.chip_level(chip)

    def clock_of(self, frame: int) -> int:
        """Return the first CPU clock of a frame of sound."""
        return -(-frame * self._clock_hz // self._sample_rate)

    def load(self, block: MemoryBlock) -> None:
        """Put a DMC sample where the chip can read it, cut at $FFFF."""
        self._apu.load(block.address, block.data[: 65_536 - block.address])

    def render_block(self, writes: Writes, frames: int) -> Samples:
        """Render the next block.

        Args:
            writes: those that happen before the block's end; one that is late happens at its start.
            frames: length of the block, in samples at `sample_rate`.

        Returns:
            float32 [frames], or [5 + chips, frames] for separate channels. Values are in the range 0..1,
            without its steady part unless the filters are flat. The sound is `bandlimit.LATENCY` frames late.

        Raises:
            OptionError: for writes in a block without frames.
        """
        others = writes.others
        if frames < 0 or (frames == 0 and (len(writes.clocks) or len(others.clocks))):
            raise OptionError("A block without frames has no time for writes; give it some.")
        until = self.clock_of(self.frame + frames)
        out = self._apu.render(
            (self.clock, until),
            writes.clocks,
            writes.registers,
            writes.values,
            (self.frame, frames),
            (others.clocks, others.addresses, others.values) if len(others.clocks) else None,
        )
        self.frame += frames
        self.clock = until
        return out if self._separate else out[0]


def channels_of(log: RegisterLog) -> tuple[str, ...]:
    """Return the names of a log's channels: those of the 2A03, then each other chip as one."""
    return (*CHANNELS, *(log.expansion.chips if log.expansion else ()))


def writes_of(log: RegisterLog) -> Writes:
    """Return a log's writes in CPU clocks: sample k happens at floor(k * clock / 44100).

    Before all others the four voices are switched on, as players of VGM and NSF files do.
    """
    clocks = log.samples * log.clock_hz // SAMPLE_RATE
    others, extra = ChipWrites(), log.expansion
    if extra is not None:
        others = ChipWrites(extra.samples * log.clock_hz // SAMPLE_RATE, extra.addresses, extra.values)
    registers, values = np.append(_STATUS, log.registers), np.append(_ALL_ON, log.values)
    return Writes(np.append(0, clocks), registers, values, others)


def render(
    log: RegisterLog,
    *,
    sample_rate: int = 44_100,
    mixer: Mixer = Mixer.HARDWARE,
    filters: Filters = Filters.NES,
    separate: bool = False,
    block: int = 1 << 16,
) -> Iterator[Samples]:
    """Render a log once, without its latency.

    Args:
        log: what is played; one pass of it, see `RegisterLog.unrolled`.
        sample_rate: of the sound, in Hz.
        mixer: how the channels come together.
        filters: what comes after.
        separate: whether each channel is mixed and filtered alone.
        block: longest block, in frames.

    Yields:
        float32 [frames] or [5 + chips, frames], as `Renderer.render_block`: the rows are `channels_of(log)`.

    Raises:
        OptionError: for a setting out of range.
    """
    renderer = Renderer(
        clock_hz=log.clock_hz,
        sample_rate=sample_rate,
        mixer=mixer,
        filters=filters,
        separate=separate,
        chips=log.expansion.chips if log.expansion else (),
    )
    writes = writes_of(log)
    clocks = [part.sample * log.clock_hz // SAMPLE_RATE for part in log.memory]
    loads = [
        (clock * sample_rate // log.clock_hz, part) for clock, part in zip(clocks, log.memory, strict=True)
    ]
    end = log.frames(sample_rate) + LATENCY
    skip = LATENCY
    while renderer.frame < end:
        while loads and loads[0][0] <= renderer.frame:
            renderer.load(loads.pop(0)[1])
        frames = min(block, end - renderer.frame, *(frame - renderer.frame for frame, _ in loads[:1]))
        part = writes.between(renderer.clock, renderer.clock_of(renderer.frame + frames))
        sound = renderer.render_block(part, frames)
        yield sound[..., skip:]
        skip = max(0, skip - frames)
