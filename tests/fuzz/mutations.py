"""Broken variants of good files, by their structure.

`mutated` opens what a format packs (members of archives, arrays, pickles, JSON values, lines, chunks,
protobuf fields), breaks a part of it, and packs it again, so that the fault reaches the code behind the
container. What has no known structure is broken byte by byte. The same input and seed give the same variant.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import math
import pickletools
import re
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

INTEGERS = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
INTEGERS += (2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63))
"""Integers at the edges of what fields hold."""

TEXTS = (
    "",
    " ",
    "\0",
    "\n",
    "\x1b[31mred\x1b[0m",
    "\u202e",
    "\ud800",
    "é",
    "../x",
    "/",
    "a" * 5000,
    "{",
    "[",
    "nan",
)
TEXTS += (
    "-0",
    "1e999",
    "true",
    "None",
    "0" * 400,
    "9" * 5000,
    '"',
    "'",
    "\\",
    "\r\n",
    "%s%n",
    "<S>",
    "\ufeff",
)
"""Texts that readers trip over: empty, endless, with control characters, lone surrogates, other syntaxes."""

_BOMB_BYTES = 1 << 24
"""A compressed member that is blown up unpacks to this much."""

_MOST_BYTES = 1 << 22
"""A variant that grew beyond this is not broken further by its structure."""


def mutated(data: bytes, rng: Random, name: str = "") -> bytes:
    """Return a broken variant of a file.

    Args:
        data: content of a good file.
        rng: source of chance.
        name: of the file; its ending tells formats that have no mark of their own.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        structure = _structure(data, name) if len(data) <= _MOST_BYTES else None
        if structure is None or rng.random() < 0.2:
            data = mutated_bytes(data, rng)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # names that come twice in an archive
                data = structure(data, rng)
        except Exception:  # a variant of a variant may have no structure left
            data = mutated_bytes(data, rng)
    return data


def _structure(data: bytes, name: str) -> Mutation | None:
    """What breaks files of this kind; None for plain bytes."""
    for mark, mutation in _MARKS:
        if data.startswith(mark):
            return mutation
    if data[257:262] == b"ustar":
        return mutated_tar
    for ending, mutation in _ENDINGS.items():
        if name.endswith(ending):
            return mutation
    if data[:1] in (b"{", b"["):
        return mutated_json
    return None


# --- bytes


def mutated_bytes(data: bytes, rng: Random) -> bytes:
    """Flip, cut, splice, repeat or overwrite bytes."""
    change = rng.randrange(9)
    size = len(data)
    if not size or change == 0:
        return data + rng.randbytes(rng.choice((1, 4, 100)))
    if change == 1:
        return data[: rng.randrange(size)]
    start = rng.randrange(size)
    stop = min(size, start + rng.choice((1, 2, 4, 16, 256, size)))
    if change == 2:
        return data[:start] + data[stop:]
    if change == 3:
        return data[:stop] + data[start:stop] * rng.choice((1, 1, 3)) + data[stop:]
    if change == 4:
        return data[:start] + rng.randbytes(stop - start) + data[stop:]
    if change == 5:
        target = rng.randrange(size)
        return data[:target] + data[start:stop] + data[target:]
    if change in (6, 7):
        width = rng.choice((1, 2, 4, 8))
        start -= rng.choice((0, start % 4))
        value = rng.choice(INTEGERS) % (1 << 8 * width)
        return data[:start] + value.to_bytes(width, rng.choice(("little", "big"))) + data[start + width :]
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 32))):
        flipped[rng.randrange(size)] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def shuffled(parts: list[Any], rng: Random, change: Callable[[Any], Any]) -> list[Any]:
    """Drop, repeat, swap or change one of several parts."""
    parts = list(parts)
    if not parts:
        return parts
    place = rng.randrange(len(parts))
    kind = rng.randrange(8)
    if kind == 0:
        del parts[place]
    elif kind == 1:
        parts.insert(rng.randrange(len(parts) + 1), parts[place])
    elif kind == 2:
        other = rng.randrange(len(parts))
        parts[place], parts[other] = parts[other], parts[place]
    else:
        parts[place] = change(parts[place])
    return parts


# --- archives


def mutated_zip(data: bytes, rng: Random) -> bytes:
    """Change members of a zip, or what its directory says of them."""
    if rng.random() < 0.2:
        return _mutated_directory(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info), info.compress_type) for info in archive.infolist()]

    def change(member: tuple[str, bytes, int]) -> tuple[str, bytes, int]:
        name, content, method = member
        kind = rng.randrange(12)
        if kind == 0:
            text = rng.choice(TEXTS)
            return rng.choice((text, name + text, text + name)), content, method
        if kind == 1:
            methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
            return name, content, rng.choice(methods)
        if kind == 2:
            return name, content, zipfile.ZIP_DEFLATED if rng.random() < 0.8 else method
        if kind == 3 and rng.random() < 0.2:
            return name, bytes(_BOMB_BYTES), zipfile.ZIP_DEFLATED
        if kind == 4:
            return name, rng.choice(members)[1], method
        return name, mutated(content, rng, name), method

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content, method in shuffled(members, rng, change):
            info = zipfile.ZipInfo(name)
            info.filename = name  # as it is, not as ZipInfo tidies it
            info.compress_type = method
            archive.writestr(info, content)
    return packed.getvalue()


def _mutated_directory(data: bytes, rng: Random) -> bytes:
    """Overwrite one field of a member's headers: flags, method, checksum, sizes, lengths, offsets."""
    marks = [found.start() for found in re.finditer(rb"PK(\x01\x02|\x03\x04|\x05\x06)", data)]
    start = rng.choice(marks)
    fields = (
        (6, 2),
        (8, 2),
        (10, 2),
        (14, 4),
        (16, 4),
        (18, 4),
        (20, 4),
        (22, 4),
        (24, 4),
        (26, 2),
        (28, 2),
        (42, 4),
    )
    offset, width = rng.choice(fields)
    value = rng.choice((*INTEGERS, 1, 8, 9, 64, 99)) % (1 << 8 * width)  # encrypted, other methods
    place = start + offset
    return data[:place] + value.to_bytes(width, "little") + data[place + width :]


def mutated_tar(data: bytes, rng: Random) -> bytes:
    """Change members of a tar: names, kinds, sizes, contents."""
    members: list[tuple[tarfile.TarInfo, bytes]] = []
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            file = archive.extractfile(info) if info.isfile() else None
            members.append((info, file.read() if file else b""))

    def change(member: tuple[tarfile.TarInfo, bytes]) -> tuple[tarfile.TarInfo, bytes]:
        info, content = member
        info = tarfile.TarInfo(info.name)
        info.size = len(content)
        kind = rng.randrange(10)
        if kind == 0:
            info.name = rng.choice((rng.choice(TEXTS), info.name + rng.choice(TEXTS)))
        elif kind == 1:
            info.type = rng.choice(
                (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"?")
            )
            info.linkname = rng.choice((info.name, "nowhere", "/etc/hostname", "../" * 9, ""))
        elif kind == 2:
            info.size = max(0, rng.choice(INTEGERS))
        elif kind == 3:
            content = rng.choice(members)[1]
            info.size = len(content)
        elif kind == 4:
            info.pax_headers = {
                rng.choice(("size", "path", "GNU.sparse.map", "GNU.sparse.major", "mtime")): "x"
            }
        else:
            content = mutated(content, rng, info.name)
            info.size = len(content)
        return info, content

    packed = io.BytesIO()
    for info, content in shuffled(members, rng, change):
        packed.write(info.tobuf(tarfile.PAX_FORMAT, errors="surrogatepass") + content)
        packed.write(bytes(-len(content) % tarfile.BLOCKSIZE))
    packed.write(bytes(rng.choice((0, 1, 2)) * tarfile.BLOCKSIZE))
    return packed.getvalue()


def _compressed(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Mutation:
    def change(data: bytes, rng: Random) -> bytes:
        if rng.random() < 0.01:
            return pack(bytes(_BOMB_BYTES))
        return pack(mutated(unpack(data), rng))

    return change


# --- values


def mutated_json(data: bytes, rng: Random) -> bytes:
    """Change one value, key or bracket of a JSON text."""
    if rng.random() < 0.05:
        deep = rng.choice((50, 2000, 200_000))
        return b"[" * deep + b"]" * rng.choice((deep, 0))
    text = json.dumps(_mutated_value(json.loads(data), rng))
    if rng.random() < 0.1:
        text = re.sub(r"\d+", lambda found: rng.choice((found[0], found[0], str(rng.choice(INTEGERS)))), text)
    return text.encode("utf-8", "surrogatepass")


def _mutated_value(value: Any, rng: Random) -> Any:
    """A plain value with one place in it changed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        keys = list(value)
        key = rng.choice(keys)
        kind = rng.randrange(10)
        if kind == 0:
            return {k: v for k, v in value.items() if k != key}
        if kind == 1:
            return {**value, rng.choice((rng.choice(TEXTS), key + "x")): value[key]}
        if kind == 2:
            return {**value, key: value[rng.choice(keys)]}
        return {**value, key: _mutated_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        return shuffled(value, rng, lambda part: _mutated_value(part, rng))
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice(TEXTS)
    if kind == 1:
        return rng.choice((None, True, False, [], {}, [[]], {"": None}))
    if kind == 2:
        return rng.choice((math.nan, math.inf, -math.inf, 1e308, -0.5, 0.1))
    if kind == 3:
        return rng.choice(([value], {"x": value}, [value] * 1000))
    if kind == 4 and isinstance(value, str):
        return mutated_bytes(value.encode("utf-8", "surrogatepass"), rng).decode("latin-1")
    if kind == 5 and isinstance(value, int | float):
        return rng.choice((-value, value + 1, value - 1, value * 1000, float(value), str(value)))
    return rng.choice(INTEGERS)


def mutated_lines(data: bytes, rng: Random) -> bytes:
    """Change lines of a text, or words and numbers in one."""
    if rng.random() < 0.05:
        deep = rng.choice((50, 1100, 100_000))
        return data + rng.choice((b"x = ", b"")) + rng.choice((b"[", b"{a=", b"(")) * deep

    def change(line: bytes) -> bytes:
        words = re.split(rb"([\s,=\[\]\"_]+)", line)
        place = rng.randrange(len(words))
        kind = rng.randrange(6)
        if kind == 0:
            words[place] = rng.choice(TEXTS).encode("utf-8", "surrogatepass")
        elif kind == 1:
            words[place] = str(rng.choice(INTEGERS)).encode()
        elif kind == 2:
            words[place] = rng.choice(
                (b"nan", b"inf", b"-inf", b"1e400", b"0x10", b"1_000", b"\xff\xfe", b"1979-05-27")
            )
        elif kind == 3:
            words[place] = mutated_bytes(words[place], rng)
        elif kind == 4:
            words = shuffled(words, rng, lambda word: word * 3)
        else:
            return mutated_bytes(line, rng)
        return b"".join(words)

    return b"\n".join(shuffled(data.split(b"\n"), rng, change))


def mutated_npy(data: bytes, rng: Random) -> bytes:
    """Change the header of a NumPy array, its numbers, or their type."""
    start = 10 if data[6] == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    header, numbers = data[start : start + length].rstrip(), data[start + length :]
    kind = rng.randrange(6)
    if kind == 0:
        numbers = mutated_bytes(numbers, rng)
    elif kind == 1:
        types = (
            "<f8",
            "|O",
            "<U4",
            "<U0",
            "|S3",
            ">i2",
            "|V8",
            "<M8[s]",
            "|b1",
            "<c16",
            "[('a', '<i4')]",
            "<U999999999",
        )
        header = re.sub(rb"'descr': [^,]*,", f"'descr': '{rng.choice(types)}',".encode(), header)
    elif kind == 2:
        sizes = [str(rng.choice(INTEGERS)) for _ in range(rng.choice((0, 1, 1, 2, 33, 70)))]
        header = re.sub(rb"\([^)]*\)", f"({''.join(size + ', ' for size in sizes)})".encode(), header)
    elif kind == 3:
        header = mutated_lines(header, rng)
    elif kind == 4 and numbers:
        width = rng.choice((1, 2, 4, 8))
        place = rng.randrange(len(numbers)) // width * width
        value = rng.choice(INTEGERS) % (1 << 8 * width)
        numbers = numbers[:place] + value.to_bytes(width, "little") + numbers[place + width :]
    else:
        header = header.replace(b"False", b"True")
    header += b" " * (-(start + len(header) + 1) % 64) + b"\n"
    return data[:8] + (len(header) % (1 << 8 * (start - 8))).to_bytes(start - 8, "little") + header + numbers


# --- programs and records


def mutated_pickle(data: bytes, rng: Random) -> bytes:
    """Change instructions of the pickles that a file begins with, or their arguments."""
    instructions: list[bytes] = []
    file = io.BytesIO(data)
    done = 0
    while done < len(data) and len(instructions) < 100_000:
        try:
            places = [place for _, _, place in pickletools.genops(file)]
        except Exception:  # what follows the pickles
            break
        ends = [*places[1:], file.tell()]
        instructions += [data[start:stop] for start, stop in zip(places, ends, strict=True)]
        done = file.tell()

    def change(instruction: bytes) -> bytes:
        opcode, argument = instruction[:1], instruction[1:]
        kind = rng.randrange(7)
        value = rng.choice(INTEGERS)
        if opcode in b"KMJ" and kind < 4:  # an integer of 1, 2 or 4 bytes: any other
            packed = value.to_bytes(10, "little", signed=True)
            return rng.choice((b"\x8a\x0a" + packed, b"J" + packed[:4], b"K" + packed[:1], b"N", b"\x88"))
        if opcode == b"X" and kind < 4:
            text = rng.choice(
                (rng.choice(TEXTS).encode("utf-8", "surrogatepass"), mutated_bytes(argument[4:], rng))
            )
            return b"X" + struct.pack("<I", len(text)) + text
        if opcode == b"c" and kind < 4:
            others = (b"os\nsystem\n", b"builtins\neval\n", b"torch\nFloatStorage\n", b"torch\nnowhere\n")
            others += (
                b"collections\nOrderedDict\n",
                b"torch._utils\n_rebuild_tensor_v2\n",
                b"numpy\nndarray\n",
            )
            return b"c" + rng.choice(others)
        if kind == 4:
            return rng.choice(
                (b"N", b"\x88", b")", b"]", b"}", b"(", b"0", b"2", b"G" + struct.pack(">d", math.nan))
            )
        if kind == 5:
            return instruction + rng.choice(instructions)
        if kind == 6:
            return rng.choice(instructions)
        return opcode + mutated_bytes(argument, rng) if argument else rng.randbytes(1)

    if rng.random() < 0.02:  # a tuple of itself 40 times: endless when printed
        instructions[1:1] = [b"(l", *(b"2\x86" for _ in range(40)), b"0"]
    return b"".join(shuffled(instructions, rng, change)) + data[done:]


def mutated_chunks(data: bytes, rng: Random) -> bytes:
    """Change chunks of a MIDI or RIFF-like file: four letters, a length, a content."""
    chunks: list[tuple[bytes, int, bytes]] = []
    place = 0
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "big")
        chunks.append((data[place : place + 4], length, data[place + 8 : place + 8 + length]))
        place += 8 + length

    def change(chunk: tuple[bytes, int, bytes]) -> tuple[bytes, int, bytes]:
        mark, length, content = chunk
        kind = rng.randrange(10)
        if kind == 0:
            return rng.randbytes(4), length, content
        if kind == 1:
            return mark, rng.choice(INTEGERS) % 2**32, content
        content = mutated_bytes(content, rng)
        return mark, length if kind == 2 else len(content), content

    packed = (
        mark + struct.pack(">I", length) + content for mark, length, content in shuffled(chunks, rng, change)
    )
    return b"".join(packed) + data[place:]


Field = tuple[int, int, int | bytes]
"""Number, wire type and value of a protobuf field."""


def mutated_protobuf(data: bytes, rng: Random) -> bytes:
    """Change fields of a protobuf message, at any depth."""

    def change(field: Field) -> Field:
        number, wire, value = field
        kind = rng.randrange(12)
        if kind == 0:
            return max(1, rng.choice((number + 1, number - 1, rng.randrange(1, 30)))), wire, value
        if isinstance(value, int):
            return number, wire, rng.choice(INTEGERS) % 2 ** {0: 64, 1: 64, 5: 32}[wire]
        if kind == 1:
            return number, wire, rng.choice(TEXTS).encode("utf-8", "surrogatepass")
        if kind < 11 and (inner := _fields(value)):
            return number, wire, _message(shuffled(inner, rng, change))
        return number, wire, mutated_bytes(value, rng)

    return _message(shuffled(_fields(data) or [], rng, change))


def _fields(data: bytes) -> list[Field] | None:
    """The fields of a message; None for bytes that are none."""
    fields: list[Field] = []
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29 or wire not in (0, 1, 2, 5) or place > len(data):
            return None
        if wire == 0:
            value, place = _varint(data, place)
            fields.append((number, wire, value))
            continue
        length = {1: 8, 5: 4}.get(wire)
        if length is None:
            length, place = _varint(data, place)
        content = data[place : place + length]
        if len(content) < length:
            return None
        fields.append((number, wire, content if wire == 2 else int.from_bytes(content, "little")))
        place += length
    return fields


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    return 0, len(data) + 1


def _message(fields: list[Field]) -> bytes:
    packed = bytearray()
    for number, wire, value in fields:
        packed += _packed_varint(number << 3 | wire)
        if isinstance(value, bytes):
            packed += _packed_varint(len(value)) + value
        else:
            packed += _packed_varint(value) if wire == 0 else value.to_bytes(8 if wire == 1 else 4, "little")
    return bytes(packed)


def _packed_varint(value: int) -> bytes:
    packed = bytearray()
    while value > 127:
        packed.append(value & 127 | 128)
        value >>= 7
    return bytes(packed) + bytes([value])


_MARKS: tuple[tuple[bytes, Mutation], ...] = (
    (b"PK\x03\x04", mutated_zip),
    (b"\x1f\x8b", _compressed(gzip.decompress, lambda data: gzip.compress(data, 1, mtime=0))),
    (b"\xfd7zXZ", _compressed(lzma.decompress, lambda data: lzma.compress(data, preset=0))),
    (b"BZh", _compressed(bz2.decompress, lambda data: bz2.compress(data, 1))),
    (b"\x93NUMPY", mutated_npy),
    (b"\x80\x02", mutated_pickle),
    (b"MThd", mutated_chunks),
)
"""First bytes of formats that have a mark."""

_ENDINGS: dict[str, Mutation] = {
    ".json": mutated_json,
    ".onnx": mutated_protobuf,
    **dict.fromkeys((".toml", ".csv", ".tsv", ".txt"), mutated_lines),
}
"""Endings of formats that have none."""
