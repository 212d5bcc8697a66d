"""Play NSF files: the program runs on the console's processor, and its writes become a register log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.console.nsf_reader import NsfFile
from lakhnes.apu.console.processor import BANK_BYTES, Processor
from lakhnes.apu.register_log import (
    CHIP_BY_ADDRESS,
    EXPANSIONS,
    MAX_WRITES,
    NTSC_CLOCK_HZ,
    PAL_CLOCK_HZ,
    ExpansionLog,
    MemoryBlock,
    RegisterLog,
)
from lakhnes.runtime.errors import MusicError, OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE

SEARCHED_SECONDS = 600.0
"""Seconds of a song that are searched for its loop or its end."""

UNKNOWN_SECONDS = 180.0
"""Seconds that are kept of a song with neither."""

MAX_SECONDS = 3600.0
"""Longest length that a user may request, in seconds."""

_MOST_WRITES = 1 << 20  # to the registers of the voices: ten minutes of all of them in each frame
_INIT_CYCLES = 40_000_000  # some 20 seconds, for programs that unpack themselves
_STEP_FRAMES = 600
_SAMPLES_FROM, _SPAN = 0xC000, 0x4000  # where the DMC reads
_DMC = 0x4010  # its registers lie behind those of the voices
_WINDOWS = range(0x5FF8, 0x6000)  # where banks are chosen
_SHORTEST_LOOP_SECONDS = 1.0
_ENDED_SECONDS = 2.0  # after which what repeats is taken for the loop, or the end
_IDLE = (b"", b"\x15\x40\x00")  # frames without a write, or that switch all channels off


@dataclass(frozen=True, slots=True)
class PlayedNsf:
    """A song that was played."""

    log: RegisterLog
    remarks: tuple[str, ...]
    """Sentences for the user about differences and gaps."""


def play_nsf(
    file: NsfFile,
    song: int | None = None,
    seconds: float | None = None,
    *,
    progress: Callable[[float], None] = lambda part: None,
) -> PlayedNsf:
    """Play a song.

    Args:
        file: the program.
        song: its number from 1; None for the one to begin with.
        seconds: how long it is; None up to the end of its loop, or to its end, if there is one.
        progress: called with the fraction done, 0..1.

    Raises:
        OptionError: if there is no such song, or the length is out of range.
        MusicError: if the program does not begin.
    """
    number = file.first if song is None else song - 1
    if not 0 <= number < len(file.songs):
        raise OptionError(f"{file.source} has no song {song}; give 1 to {len(file.songs)}.")
    if seconds is not None and not 0 < seconds <= MAX_SECONDS:
        raise OptionError(f"A song of {seconds:g} s is not played; give up to {MAX_SECONDS:g}.")
    run = _NsfRun(file, number)
    wanted = SEARCHED_SECONDS if seconds is None else seconds
    run.play(max(1, round(wanted * file.frame_hz)), progress)
    remarks = [*file.remarks]
    if run.stuck:
        remarks.append("The program came to a halt; the song is read up to there.")
    if run.flooded:
        remarks.append("The program writes to the chip without end; the song is read up to there.")
    loop, end = None, run.n_frames
    said = file.songs[number]
    if seconds is None:
        loop, end, found = run.loop_and_end()
        if loop is None and said.seconds is not None:
            end = min(run.n_frames, max(1, round(said.seconds * file.frame_hz)))
        elif not found:
            end = min(end, round(UNKNOWN_SECONDS * file.frame_hz))
            remarks.append(f"No loop and no end were found; {UNKNOWN_SECONDS:g} s are kept. Give its length.")
    tags = replace(file.tags, title=said.title, author=said.author or file.tags.author)
    if not said.title:
        name = file.tags.title
        tags = replace(tags, title=name if len(file.songs) == 1 else f"{name} {number + 1}".strip())
    tags = replace(tags, game=file.tags.title, record=said.record)
    return PlayedNsf(replace(run.log(loop, end), tags=tags), tuple(remarks))


class _NsfRun:
    """A song while it is played.

    Attributes:
        n_frames: those that were played.
        stuck: whether the program halted.
        flooded: whether it wrote more than is kept.
    """

    def __init__(self, file: NsfFile, number: int) -> None:
        self.n_frames, self.stuck, self.flooded = 0, False, False
        self._clock_hz = PAL_CLOCK_HZ if file.pal else NTSC_CLOCK_HZ
        self._file, self._period = file, self._clock_hz / file.frame_hz
        self._processor = Processor(file.image, file.windows, low_windows=file.low_windows, chips=file.chips)
        if not self._processor.call(file.init, number, int(file.pal), most_cycles=_INIT_CYCLES):
            raise MusicError(f"{file.source}: song {number + 1} does not begin; give another with --song.")
        first = self._processor.take()
        self._clocks = [np.zeros(len(first.clocks), np.int64)]
        self._addresses, self._values = [first.addresses], [first.values]
        self._processor.state.clock = 0
        self._ends: list[NDArray[np.int64]] = []
        self._total = len(first.clocks)
        self._to_voices = 0
        self._windows = file.windows

    def play(self, frames: int, progress: Callable[[float], None]) -> None:
        """Play some frames; fewer if the program halts or writes too much."""
        while self.n_frames < frames and not self.stuck and not self.flooded:
            count = min(_STEP_FRAMES, frames - self.n_frames)
            ends = self._processor.frames(self._file.play, self._period, self.n_frames, count)
            noted = self._processor.take()
            self._clocks.append(noted.clocks)
            self._addresses.append(noted.addresses)
            self._values.append(noted.values)
            self._ends.append(ends + self._total)
            self._total += len(noted.clocks)
            self._to_voices += int((noted.addresses < _DMC).sum())
            self.flooded = self._total > MAX_WRITES or self._to_voices > _MOST_WRITES
            self.n_frames += len(ends)
            self.stuck = bool(self._processor.state.halted)
            progress(self.n_frames / frames)

    def loop_and_end(self) -> tuple[int | None, int, bool]:
        """Return the first frame of the loop, the end, and whether the end is certain.

        A repetition within a second, or of switches alone, is no loop: the song has ended.
        """
        frames = self._frames()
        start, period = _repeated(frames)
        lasts = (self.n_frames - start) / self._file.frame_hz
        if not period or lasts < _ENDED_SECONDS:
            return None, self.n_frames, False
        idle = all(frame in _IDLE for frame in frames[start : start + period])
        if idle or period < _SHORTEST_LOOP_SECONDS * self._file.frame_hz:
            return None, max(1, start), True
        return start, start + period, True

    def log(self, loop: int | None, end: int) -> RegisterLog:
        """Return the writes up to a frame."""
        clocks, addresses = np.concatenate(self._clocks), np.concatenate(self._addresses)
        values = np.concatenate(self._values)
        length, loop_sample = self._sample(end), None if loop is None else self._sample(loop)
        samples = clocks * SAMPLE_RATE // self._clock_hz
        now = samples < length
        memory = self._memory(samples[now], addresses[now], values[now])
        ours, others = now & _of_the_apu(addresses), now & self._of_other_chips(addresses)
        expansion = None
        if self._file.chips:
            expansion = ExpansionLog(self._file.chips, samples[others], addresses[others], values[others])
        return RegisterLog(
            samples[ours],
            (addresses[ours] - 0x4000).astype(np.uint8),
            values[ours],
            length,
            self._clock_hz,
            loop_sample if loop_sample is not None and loop_sample < length else None,
            memory,
            expansion=expansion,
        )

    def _of_other_chips(self, addresses: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Return which writes go to the chips on the cartridge."""
        return np.isin(CHIP_BY_ADDRESS[addresses], [EXPANSIONS.index(name) for name in self._file.chips])

    def _memory(
        self, samples: NDArray[np.int64], addresses: NDArray[np.uint16], values: NDArray[np.uint8]
    ) -> tuple[MemoryBlock, ...]:
        """Return the DMC's data where a sample begins, if they are new there."""
        windows = list(self._windows)
        start = size = 0
        known, blocks = bytearray(_SPAN), []
        chosen = np.isin(addresses, (*_WINDOWS, 0x4012, 0x4013, 0x4015))
        for sample, address, value in zip(
            *(array[chosen].tolist() for array in (samples, addresses, values)), strict=True
        ):
            if address in _WINDOWS:
                windows[address - _WINDOWS[0]] = value
            elif address == 0x4012:
                start = 64 * value
            elif address == 0x4013:
                size = 16 * value + 1
            elif value & 0x10:
                data = self._seen(windows)[start : start + size]
                if known[start : start + len(data)] != data:
                    known[start : start + len(data)] = data
                    blocks.append(MemoryBlock(sample, _SAMPLES_FROM + start, data))
        return tuple(blocks)

    def _seen(self, windows: list[int]) -> bytes:
        """Return the bytes from $C000 on."""
        image = self._file.image
        places = (bank * BANK_BYTES % len(image) for bank in windows[4:])
        return b"".join(image[place : place + BANK_BYTES] for place in places)

    def _sample(self, frame: int) -> int:
        return int(int(frame * self._period) * SAMPLE_RATE // self._clock_hz)

    def _frames(self) -> list[bytes]:
        """Return the writes of each frame as bytes, for comparison."""
        addresses, values = np.concatenate(self._addresses), np.concatenate(self._values)
        ours = _of_the_apu(addresses) | self._of_other_chips(addresses)
        rows = (
            np.stack([addresses[ours] & 0xFF, addresses[ours] >> 8, values[ours]], 1)
            .astype(np.uint8)
            .tobytes()
        )
        before = np.append(0, np.cumsum(ours))
        ends = before[[len(self._clocks[0]), *np.concatenate(self._ends)]].tolist()
        return [rows[3 * start : 3 * end] for start, end in pairwise(ends)]


def _of_the_apu(addresses: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Return which writes go to the 2A03; $4014 and $4016 belong to the picture and the pad."""
    registers = [*range(0x4000, 0x4014), 0x4015, 0x4017]
    return np.isin(addresses, registers)


def _repeated(frames: list[bytes]) -> tuple[int, int]:
    """Return the first frame of the part that repeats up to the end, and its period; (0, 0) if nothing does.

    Read from its end, what repeats is a beginning that repeats; of every beginning the shortest period is
    known from the longest border of it.
    Source: Knuth, Morris and Pratt 1977, "Fast pattern matching in strings".
    """
    numbers: dict[bytes, int] = {}
    back = [numbers.setdefault(frame, len(numbers)) for frame in reversed(frames)]
    border = [0] * (len(back) + 1)
    length = 0
    for i in range(1, len(back)):
        while length and back[i] != back[length]:
            length = border[length]
        length += back[i] == back[length]
        border[i + 1] = length
    for size in range(len(back), 1, -1):
        period = size - border[size]
        if 2 * period <= size:
            return len(back) - size, period
    return 0, 0


__all__ = ["MAX_SECONDS", "PlayedNsf", "play_nsf"]
