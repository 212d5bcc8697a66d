"""A small assembler for the 6502, for the programs of ours that run on the console.

The notation is the usual one: `label:`, `name = value`, `lda ($10),y`, `.byte`, `.word`, `.org`, `;` before
a comment. Values are numbers (`12`, `$0C`, `%1100`), characters (`'a'`), names, and sums and differences of
them; `<` and `>` in front take the low and the high byte of all that follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# Of each instruction the opcode in each mode; "-" where there is none.
# Source: MOS, MCS6500 programming manual.
_MODES = ("imm", "zp", "zpx", "zpy", "abs", "absx", "absy", "indx", "indy")
_TABLE = """
adc 69 65 75 - 6D 7D 79 61 71
and 29 25 35 - 2D 3D 39 21 31
asl - 06 16 - 0E 1E - - -
bit - 24 - - 2C - - - -
cmp C9 C5 D5 - CD DD D9 C1 D1
cpx E0 E4 - - EC - - - -
cpy C0 C4 - - CC - - - -
dec - C6 D6 - CE DE - - -
eor 49 45 55 - 4D 5D 59 41 51
inc - E6 F6 - EE FE - - -
jmp - - - - 4C - - - -
jsr - - - - 20 - - - -
lda A9 A5 B5 - AD BD B9 A1 B1
ldx A2 A6 - B6 AE - BE - -
ldy A0 A4 B4 - AC BC - - -
lsr - 46 56 - 4E 5E - - -
ora 09 05 15 - 0D 1D 19 01 11
rol - 26 36 - 2E 3E - - -
ror - 66 76 - 6E 7E - - -
sbc E9 E5 F5 - ED FD F9 E1 F1
sta - 85 95 - 8D 9D 99 81 91
stx - 86 - 96 8E - - - -
sty - 84 94 - 8C - - - -
"""
_ALONE = """
asl 0A brk 00 clc 18 cld D8 cli 58 clv B8 dex CA dey 88 inx E8 iny C8 lsr 4A nop EA pha 48 php 08
pla 68 plp 28 rol 2A ror 6A rti 40 rts 60 sec 38 sed F8 sei 78 tax AA tay A8 tsx BA txa 8A txs 9A tya 98
"""
_BRANCHES = "bpl 10 bmi 30 bvc 50 bvs 70 bcc 90 bcs B0 bne D0 beq F0"


def _codes(text: str) -> dict[str, int]:
    words = text.split()
    return {name: int(code, 16) for name, code in zip(words[::2], words[1::2], strict=True)}


OPCODES: dict[str, dict[str, int]] = {
    name: {mode: int(code, 16) for mode, code in zip(_MODES, codes, strict=True) if code != "-"}
    for name, *codes in map(str.split, _TABLE.strip().splitlines())
}
"""Of each instruction that takes an operand in memory its opcode in each mode that it has."""

_SINGLE, _JUMPS = _codes(_ALONE), _codes(_BRANCHES)

_OPERANDS = (
    (r"#(.*)", "imm", "imm"),
    (r"\((.*),\s*x\)", "indx", "indx"),
    (r"\((.*)\),\s*y", "indy", "indy"),
    (r"(.*),\s*x", "zpx", "absx"),
    (r"(.*),\s*y", "zpy", "absy"),
    (r"(.*)", "zp", "abs"),
)
"""Pattern of an operand, and its mode where it is a byte, and where it is more."""

_TERM = re.compile(r"\s*([+-]?)\s*(?:\$([0-9a-f]+)|%([01]+)|(\d+)|'(.)'|(\w+))\s*", re.IGNORECASE)
_LINE = re.compile(r"(?:(\w+):)?\s*(?:(\w+)\s*=\s*(.+)|([.\w]+)\s*(.*))?")
_COMMENT = re.compile(r"((?:[^;']|'.')*)(?:;.*)?")


class AssemblerError(Exception):
    """A line that cannot be assembled, and why."""


class Program(NamedTuple):
    """Machine code."""

    code: bytes
    origin: int
    """Address of its first byte."""
    symbols: Mapping[str, int]
    """Labels and names."""


class _Unknown(Exception):  # noqa: N818  # no error while labels are still being placed
    """A name that has no value yet."""


class _Pass:
    """One way through the source: the first places labels, the second has them all.

    Attributes:
        code: so far.
        symbols: known so far.
        origin: address of the first byte.
    """

    def __init__(self, symbols: Mapping[str, int], *, last: bool) -> None:
        self.code = bytearray()
        self.symbols = dict(symbols)
        self.origin = 0
        self._last = last
        self._placed = False

    @property
    def here(self) -> int:
        """Return the address of the next byte."""
        return self.origin + len(self.code)

    def line(self, text: str) -> None:
        """Assemble a line."""
        comment = _COMMENT.fullmatch(text)
        match = _LINE.fullmatch(comment[1].strip()) if comment else None
        if match is None:
            raise AssemblerError("this is no instruction")
        label, name, value, word, operand = match.groups()
        if label:
            self.symbols[label] = self.here
        if name:
            self.symbols[name] = self.value(value)
        elif word:
            self._say(word.lower(), operand.strip())

    def value(self, text: str) -> int:
        """Return the value of an expression."""
        text = text.strip()
        if text[:1] in ("<", ">"):
            return self.value(text[1:]) >> (8 if text[0] == ">" else 0) & 0xFF
        place, total = 0, 0
        while place < len(text):
            term = _TERM.match(text, place)
            if term is None or (place and not term[1]):
                raise AssemblerError(f"{text!r} is no value")
            total += self._term(term) * (-1 if term[1] == "-" else 1)
            place = term.end()
        if not text:
            raise AssemblerError("a value is missing")
        return total

    def _term(self, term: re.Match[str]) -> int:
        _, hexadecimal, binary, decimal, character, name = term.groups()
        if name is not None:
            if name not in self.symbols:
                if self._last:
                    raise AssemblerError(f"{name} is nowhere")
                raise _Unknown
            return self.symbols[name]
        if character is not None:
            return ord(character)
        digits, base = next((d, b) for d, b in ((hexadecimal, 16), (binary, 2), (decimal, 10)) if d)
        return int(digits, base)

    def _soon(self, text: str) -> int | None:
        """Return the value of an expression, or None if it is not known yet."""
        try:
            return self.value(text)
        except _Unknown:
            return None

    def _say(self, word: str, operand: str) -> None:
        if word == ".org":
            address = self.value(operand)
            if not self._placed:
                self.origin, self._placed = address, True
            elif address < self.here:
                raise AssemblerError(f"the program is at ${self.here:04X} already")
            self.code += bytes(address - self.here)
        elif word in (".byte", ".word"):
            for item in operand.split(","):
                self._emit(self._soon(item), 1 if word == ".byte" else 2)
        elif word in _JUMPS:
            target = self._soon(operand)
            away = None if target is None else target - self.here - 2
            if away is not None and self._last and not -128 <= away <= 127:
                raise AssemblerError(f"{operand} is too far away")
            self._emit(_JUMPS[word], 1)
            self._emit(None if away is None else away & 0xFF, 1)
        elif not operand and word in _SINGLE:
            self._emit(_SINGLE[word], 1)
        elif word == "jmp" and operand.startswith("("):
            self._emit(0x6C, 1)
            self._emit(self._soon(operand[1:-1]), 2)
        elif word in OPCODES and operand:
            self._instruction(OPCODES[word], operand)
        else:
            raise AssemblerError(f"{word} is no instruction, or not with {operand!r}")

    def _instruction(self, modes: Mapping[str, int], operand: str) -> None:
        pattern, short, long = next(way for way in _OPERANDS if re.fullmatch(way[0], operand, re.IGNORECASE))
        match = re.fullmatch(pattern, operand, re.IGNORECASE)
        value = self._soon(match[1] if match else operand)
        # An address that the first pass does not know yet is one of two bytes in both.
        is_byte = long == short or long not in modes or (value is not None and 0 <= value <= 0xFF)
        small = short in modes and is_byte
        mode = short if small else long
        if mode not in modes:
            raise AssemblerError(f"there is no such instruction with {operand!r}")
        self._emit(modes[mode], 1)
        self._emit(value, 1 if small else 2)

    def _emit(self, value: int | None, size: int) -> None:
        """Append a byte or a word; its value may be unknown until the last pass."""
        if value is not None and not 0 <= value < 1 << 8 * size:
            raise AssemblerError(f"{value} does not fit into {size} byte{'s' if size > 1 else ''}")
        self.code += (value or 0).to_bytes(size, "little")


def assemble(source: str, symbols: Mapping[str, int] | None = None) -> Program:
    """Assemble a program.

    Args:
        source: lines as above.
        symbols: names that it may use.

    Returns:
        The program; its bytes lie without a gap from its first `.org` on.

    Raises:
        AssemblerError: if a line cannot be assembled; it says which.
    """
    first = _Pass(symbols or {}, last=False)
    _through(first, source)
    known = {name: value for name, value in first.symbols.items() if name in _labels(source)}
    second = _Pass({**(symbols or {}), **known}, last=True)
    _through(second, source)
    if any(second.symbols[name] != value for name, value in known.items()):
        raise AssemblerError("a name of a byte's value is used before it is given")
    return Program(bytes(second.code), second.origin, second.symbols)


def _labels(source: str) -> set[str]:
    return set(re.findall(r"^(\w+):", source, re.MULTILINE))


def _through(one: _Pass, source: str) -> None:
    for number, line in _lines(source):
        try:
            one.line(line)
        except _Unknown:
            raise AssemblerError(
                f"line {number}: {line.strip()}: a name is used before it is given"
            ) from None
        except AssemblerError as error:
            raise AssemblerError(f"line {number}: {line.strip()}: {error}") from None


def _lines(source: str) -> Iterator[tuple[int, str]]:
    return enumerate(source.splitlines(), 1)
