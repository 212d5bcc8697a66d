"""The compiled 6502 beside py65, on random programs, and what it has besides."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py65.devices.mpu6502 import MPU

from lakhnes.apu.console.processor import Processor

LEGAL = [code for code in range(256) if MPU.disassemble[code][0] != "???"]
DECIMAL = 0x08
MISCOUNTED = {0xCE: 3}
"""DEC of an absolute address takes 6 cycles (MCS6500 manual, appendix B); py65 1.2 counts 3."""
ORIGIN = 0x8000


def image(program: bytes, *, vector: int = ORIGIN) -> bytes:
    """32 KiB from $8000 on, with all vectors alike."""
    return program.ljust(0x7FFA, b"\xea") + vector.to_bytes(2, "little") * 3


def processor(program: bytes) -> Processor:
    made = Processor(image(program), tuple(range(8)))
    made.state.pc, made.state.idle = ORIGIN, 0
    return made


class Memory:
    """The console's memory, for py65."""

    def __init__(self, ram: bytes, rom: bytes) -> None:
        self.ram, self.more, self.rom = bytearray(ram), bytearray(0x2000), rom
        self.noted: list[tuple[int, int]] = []

    def __getitem__(self, address: int) -> int:
        if address < 0x2000:
            return self.ram[address & 0x7FF]
        if address >= 0x8000:
            return self.rom[address - 0x8000]
        if address >= 0x6000:
            return self.more[address - 0x6000]
        return 0x80 if address == 0x2002 else 0

    def __setitem__(self, address: int, value: int) -> None:
        if address < 0x2000:
            self.ram[address & 0x7FF] = value
        elif 0x6000 <= address < 0x8000:
            self.more[address - 0x6000] = value
        else:
            self.noted.append((address, value))


def program_of(rng: random.Random, length: int) -> bytes:
    """Instructions of every kind with operands that mostly lie in RAM."""
    made = bytearray()
    while len(made) < length:
        code = rng.choice(LEGAL)
        mode = MPU.disassemble[code][1]
        made.append(code)
        if mode in ("imp", "acc"):
            continue
        if mode == "rel":
            made.append(rng.randrange(12))
        elif mode in ("abs", "abx", "aby", "ind"):
            if code in (0x4C, 0x20, 0x6C):  # jumps stay in the program
                made += (ORIGIN + rng.randrange(length)).to_bytes(2, "little")
            else:
                made += rng.choice([rng.randrange(0x800), 0x6000 + rng.randrange(0x1F00)]).to_bytes(
                    2, "little"
                )
        else:
            made.append(rng.randrange(256))
    return bytes(made[:length])


@settings(max_examples=60)
@given(st.integers(0, 1 << 32))
def test_it_does_what_py65_does(seed: int) -> None:
    rng = random.Random(seed)
    program = program_of(rng, 400)
    ram = bytes(rng.randrange(256) for _ in range(0x800))
    ours = processor(program)
    ours.state.ram[:] = list(ram)
    memory = Memory(ram, image(program))
    theirs = MPU(memory=memory, pc=ORIGIN)
    for name in ("a", "x", "y"):
        value = rng.randrange(256)
        setattr(ours.state, name, value)
        setattr(theirs, name, value)
    theirs.sp, theirs.p = 0xFD, ours.state.p
    for _ in range(300):
        theirs.p &= ~DECIMAL  # which the console does not have
        before, (name, _) = theirs.pc, MPU.disassemble[memory[theirs.pc]]
        if memory[before] not in LEGAL or before < 0x6000:
            break
        theirs.step()
        clock = ours.state.clock
        ours.run(clock + 1)
        where = f"{name} at {before:04X}"
        if memory[before] in MISCOUNTED:
            theirs.processorCycles += MISCOUNTED[memory[before]]
        assert ours.state.clock == theirs.processorCycles, where
        assert ours.state.pc == theirs.pc, where
        for register in ("a", "x", "y"):
            assert getattr(ours.state, register) == getattr(theirs, register), where
        assert ours.state.s == theirs.sp, where
        assert (ours.state.p ^ theirs.p) & ~(DECIMAL | 0x30) == 0, where
        ours.state.p &= ~DECIMAL
    assert bytes(ours.state.ram) == bytes(memory.ram)
    assert bytes(ours.state.more) == bytes(memory.more)
    noted = ours.take()
    assert list(zip(noted.addresses.tolist(), noted.values.tolist(), strict=True)) == memory.noted


@pytest.mark.parametrize(
    ("unofficial", "official"),
    [
        ("A7", "A5 A6"),  # LAX: LDA, LDX
        ("C7", "C6 C5"),  # DCP: DEC, CMP
        ("E7", "E6 E5"),  # ISC: INC, SBC
        ("07", "06 05"),  # SLO: ASL, ORA
        ("27", "26 25"),  # RLA: ROL, AND
        ("47", "46 45"),  # SRE: LSR, EOR
        ("67", "66 65"),  # RRA: ROR, ADC
    ],
)
@settings(max_examples=20)
@given(st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_unofficial_instructions_are_two_at_once(
    unofficial: str, official: str, a: int, value: int, carry: bool
) -> None:
    ends = []
    for codes in (unofficial, official):
        program = b"".join(bytes((int(code, 16), 0x10)) for code in codes.split())
        made = processor(program)
        made.state.a, made.state.ram[0x10], made.state.p = a, value, 0x24 | carry
        while made.state.pc < ORIGIN + len(program):
            made.run(made.state.clock + 1)
        ends.append((made.state.a, made.state.x, made.state.p, made.state.ram[0x10]))
    assert ends[0] == ends[1]


def test_sax_stores_what_a_and_x_share() -> None:
    made = processor(bytes((0x87, 0x10)))
    made.state.a, made.state.x = 0x3C, 0x0F
    made.run(1)
    assert made.state.ram[0x10] == 0x0C


def test_a_halt_is_the_end_of_a_call() -> None:
    made = processor(bytes((0x02,)))
    assert not made.call(ORIGIN, most_cycles=1000)
    assert made.state.halted
    assert made.call(ORIGIN + 1, most_cycles=0x10_0000) is False  # nothing there returns


def test_windows_show_the_banks_that_are_asked_for() -> None:
    banks = b"".join(bytes([number]) * 4096 for number in range(3))
    program = bytes(
        (0xA9, 0x02, 0x8D, 0xFA, 0x5F, 0xAD, 0x00, 0xA0, 0x60)
    )  # LDA #2, STA $5FFA, LDA $A000, RTS
    made = Processor(program.ljust(4096, b"\0") + banks, (0, 1, 1, 1, 1, 1, 1, 1))
    assert made.call(ORIGIN)
    assert made.state.a == 1
    assert [*made.state.windows] == [0, 1, 2, 1, 1, 1, 1, 1]
    assert made.take().addresses.tolist() == [0x5FFA]


def test_a_call_that_takes_long_goes_on_in_the_next_frame() -> None:
    long = bytes((0xA2, 0x00, 0xCA, 0xD0, 0xFD, 0x8D, 0x00, 0x40, 0x60))  # 1280 cycles, then STA $4000
    made = processor(long)
    made.state.idle = 1
    ends = made.frames(ORIGIN, 1000.5, 0, 6)
    noted = made.take()
    assert ends.tolist() == [0, 1, 1, 2, 2, 3]
    assert all(1280 < clock % 2001 < 1300 for clock in noted.clocks.tolist())


def test_the_pad_is_read_bit_by_bit() -> None:
    read = bytes(
        (0xA9, 1, 0x8D, 0x16, 0x40, 0xA2, 8, 0xAD, 0x16, 0x40, 0x4A, 0x26, 0x10, 0xCA, 0xD0, 0xF7, 0x60)
    )
    made = processor(read)
    made.state.pad = 0b1010_0110
    assert made.call(ORIGIN)
    assert made.state.ram[0x10] == 0b1010_0110


def test_the_status_says_how_long_the_dmc_plays() -> None:
    start = bytes(
        (0xA9, 1, 0x8D, 0x13, 0x40, 0xA9, 0x0F, 0x8D, 0x10, 0x40, 0xA9, 0x13, 0x8D, 0x15, 0x40, 0x60)
    )
    made = processor(start + bytes((0xAD, 0x15, 0x40, 0x60)))
    assert made.call(ORIGIN)
    started = made.state.clock
    for wait, status in ((0, 0x13), (17 * 8 * 54 - 20, 0x13), (17 * 8 * 54, 0x03)):
        made.state.clock = started + wait
        assert made.call(ORIGIN + len(start))
        assert made.state.a == status
