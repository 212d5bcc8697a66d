"""Consoles that run NSF files and ROMs, for tests: the compiled 6502, or py65."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence

from py65.devices.mpu6502 import MPU
from songs_of_ours import march

from lakhnes.apu import RegisterLog, instrument_set, registers_of
from lakhnes.apu.console import score_on_frames
from lakhnes.apu.console.processor import Processor

Write = tuple[int, int]
TRIGGERS = frozenset((0x01, 0x03, 0x05, 0x07, 0x0B, 0x0F, 0x11, 0x15, 0x17))
"""Registers in which a write does something though it holds the same."""

DMC_START = 0x10


def log_of_march(seconds: float, seed: int, instruments: str) -> RegisterLog:
    """A song on the console's frames; every other one wanders."""
    score, _ = score_on_frames(march(seconds, seed, wander=seed % 2 == 1))
    return registers_of(score, instruments=instrument_set(instruments))


class Nsf:
    """What the header of an NSF file says, and its program."""

    def __init__(self, data: bytes) -> None:
        assert data[:5] == b"NESM\x1a"
        self.n_songs = data[6]
        self.load, self.init, self.play = struct.unpack_from("<HHH", data, 8)
        self.title, self.author, self.licence = (
            data[at : at + 32].split(b"\0")[0].decode() for at in (0x0E, 0x2E, 0x4E)
        )
        self.ntsc_us, self.pal_us = (
            struct.unpack_from("<H", data, 0x6E)[0],
            struct.unpack_from("<H", data, 0x78)[0],
        )
        self.windows = tuple(data[0x70:0x78])
        self.pal = data[0x7A]
        size = int.from_bytes(data[0x7D:0x80], "little")
        self.program = data[0x80 : 0x80 + size] if size else data[0x80:]
        self.rest = data[0x80 + size :] if size else b""

    def processor(self) -> Processor:
        assert self.load % 4096 == 0
        assert max(self.windows) < len(self.program) // 4096
        return Processor(self.program, self.windows)


def nsf_frames(data: bytes, n_frames: int, song: int = 0) -> tuple[list[list[Write]], int]:
    """The writes of each frame of an NSF file's song, and the most cycles that a frame took."""
    nsf = Nsf(data)
    made = nsf.processor()
    made.state.ram[:] = [0xA5] * 0x800  # as no console promises anything
    assert made.call(nsf.init, song, nsf.pal)
    made.take()
    frames, longest = [], 0
    for _ in range(n_frames):
        before = made.state.clock
        assert made.call(nsf.play)
        longest = max(longest, made.state.clock - before)
        noted = made.take()
        frames.append(sound_writes(noted.addresses.tolist(), noted.values.tolist()))
    return frames, longest


def sound_writes(addresses: Sequence[int], values: Sequence[int]) -> list[Write]:
    """Those of the writes that go to the sound chip, as registers 0x00 to 0x17."""
    return [
        (a - 0x4000, v)
        for a, v in zip(addresses, values, strict=True)
        if 0x4000 <= a < 0x4018 and a != 0x4016
    ]


class _Memory:
    """What py65 sees of an NSF file."""

    def __init__(self, program: bytes, windows: Sequence[int]) -> None:
        self.program, self.windows = program, list(windows)
        self.ram, self.written = bytearray(0x8000), []  # type: tuple[bytearray, list[Write]]

    def __getitem__(self, address: int) -> int:
        if address >= 0x8000:
            return self.program[self.windows[(address - 0x8000) >> 12] * 4096 + (address & 0xFFF)]
        return self.ram[address]

    def __setitem__(self, address: int, value: int) -> None:
        if 0x5FF8 <= address < 0x6000:
            self.windows[address - 0x5FF8] = value
        elif 0x4000 <= address < 0x4018:
            self.written.append((address - 0x4000, value))
        elif address < 0x8000:
            self.ram[address] = value


def nsf_frames_on_py65(data: bytes, n_frames: int) -> list[list[Write]]:
    """The same as `nsf_frames`, for the first song, on another 6502."""
    nsf = Nsf(data)
    memory = _Memory(nsf.program, nsf.windows)
    mpu = MPU(memory=memory)

    def call(address: int, a: int = 0, x: int = 0) -> list[Write]:
        memory.written = []
        memory.ram[0x1FE:0x200] = b"\xff\x4f"  # back to $5000
        mpu.sp, mpu.pc, mpu.a, mpu.x = 0xFD, address, a, x
        while mpu.pc != 0x5000:
            mpu.step()
        return memory.written

    call(nsf.init, 0, nsf.pal)
    return [call(nsf.play) for _ in range(n_frames)]


def log_frames(log: RegisterLog, n_frames: int, frame_samples: int = 735) -> list[list[Write]]:
    """The writes of each frame of a log; those of its last moment stand in a frame of their own."""
    frames: list[list[Write]] = [[] for _ in range(n_frames)]
    for sample, register, value in zip(
        log.samples.tolist(), log.registers.tolist(), log.values.tolist(), strict=True
    ):
        if (frame := sample // frame_samples) < n_frames:
            frames[frame].append((register, value))
    return frames


def differing(ours: list[list[Write]], theirs: list[list[Write]]) -> list[int]:
    """The frames after which registers differ, or in which writes that always count do; `theirs` is true.

    A status that stays as it is, and starts no sample, may be written again or not.
    """
    found = []
    held: tuple[dict[int, int], dict[int, int]] = defaultdict(int), defaultdict(int)  # type: ignore[assignment]
    for number, both in enumerate(zip(ours, theirs, strict=True)):
        counted: list[list[Write]] = [[], []]
        for writes, state, counts in zip(both, held, counted, strict=True):
            for register, value in writes:
                idle = register == 0x15 and state.get(0x15) == value and not value & DMC_START
                if register in TRIGGERS and not idle:
                    counts.append((register, value))
                state[register] = value
        if counted[0] != counted[1] or any(held[0].get(r) != v for r, v in held[1].items()):
            found.append(number)
    return found
