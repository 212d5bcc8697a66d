"""The assembler beside py65's: the same bytes for every instruction, and for our programs."""

import pytest
from py65.assembler import Assembler
from py65.devices.mpu6502 import MPU
from py65.disassembler import Disassembler

from lakhnes.apu.console.assembler import AssemblerError, assemble
from lakhnes.apu.console.frames import Frames
from lakhnes.apu.console.nsf import cartridge
from lakhnes.apu.console.rom import rom_bytes

OPERANDS = {
    "imp": "",
    "acc": "",
    "imm": "#$12",
    "zpg": "$12",
    "zpx": "$12,X",
    "zpy": "$12,Y",
    "abs": "$1234",
    "abx": "$1234,X",
    "aby": "$1234,Y",
    "ind": "($1234)",
    "inx": "($12,X)",
    "iny": "($12),Y",
    "rel": "$8010",
}
INSTRUCTIONS = [(name, mode) for name, mode in MPU.disassemble if name != "???"]


@pytest.mark.parametrize(("name", "mode"), INSTRUCTIONS)
def test_every_instruction_is_what_py65_makes_of_it(name: str, mode: str) -> None:
    operand = OPERANDS[mode]
    theirs = Assembler(MPU()).assemble(f"{name} {'A' if mode == 'acc' else operand}".strip(), 0x8000)
    assert list(assemble(f"  .org $8000\n {name.lower()} {operand.lower()}").code) == theirs


def test_the_programs_disassemble_to_their_sources() -> None:
    song = Frames((((0x15, 0x0F),),))
    made = cartridge([song]).program
    rom = rom_bytes([song])[16:]
    for code, start, end in (
        (made.code, 6, made.symbols["song_low"] - 0x8000),
        (rom[-4096:], 2560, 2560 + 200),
    ):
        origin = 0x8000 if code is made.code else 0xF000
        memory = [0] * 0x1_0000
        memory[origin : origin + len(code)] = code
        disassembler, assembler = Disassembler(MPU(memory=memory)), Assembler(MPU())
        place, count = start, 0
        while place < end:
            size, text = disassembler.instruction_at(origin + place)
            assert "???" not in text
            assert assembler.assemble(text, origin + place) == memory[origin + place : origin + place + size]
            place, count = place + size, count + 1
        assert place == end or code is not made.code
        assert count > 50


def test_values_and_data() -> None:
    made = assemble(
        """
        here = $10
        .org $9000
first:  lda here+1      ; in the zero page
        lda #<first
        lda #>last-1    ; the high byte of all that follows
        lda #'a'
        .byte %101, 7, ';', 0
last:   .word first, last+2
        .org $9012
        jmp last
        """
    )
    assert made.origin == 0x9000
    assert made.symbols["last"] == 0x900C
    assert made.code.hex(" ") == "a5 11 a9 00 a9 90 a9 61 05 07 3b 00 00 90 0e 90 00 00 4c 0c 90"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("lda", "lda is no instruction, or not with ''"),
        ("lda nowhere", "nowhere is nowhere"),
        ("lda #$100", "256 does not fit into 1 byte"),
        ("far = 1+", "'1+' is no value"),
        ("sty $1234,x", "4660 does not fit"),
        ("stx $12,x", "no such instruction"),
        ("bne $9000", "too far away"),
        (".org $7000", "the program is at $8001 already"),
        ("!", "this is no instruction"),
        ("x = later\nlater:", "used before it is given"),
    ],
)
def test_mistakes_are_errors(line: str, reason: str) -> None:
    with pytest.raises(AssemblerError, match="line 3: ") as caught:
        assemble(f".org $8000\n nop\n{line}")
    assert reason in str(caught.value)
