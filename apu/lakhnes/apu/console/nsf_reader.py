"""Read NSF and NSFe files: the program, its console, and the texts about its songs.

Source: NESdev wiki, "NSF", "NSF2" and "NSFe".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lakhnes.apu.console.frames import NTSC_FRAME_HZ, PAL_FRAME_HZ
from lakhnes.apu.console.processor import BANK_BYTES, LOW_WINDOWS
from lakhnes.apu.register_log import EXPANSIONS, Tags
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.provenance import record_in

MAX_BYTES = 4 << 20
"""Largest file that is read."""

_HEADER_BYTES = 128
_RAM, _ROM = 0x6000, 0x8000
_USUAL_US = {False: 16_666, True: 20_000}
_PERIODS_US = range(500, 65_536)
_CHIP_BITS = ("VRC6", "VRC7", "FDS", "MMC5", "N163", "S5B")  # of the header, the lowest first
_VT02_BIT = 6
_TEXTS = ("title", "author", "licence", "file_author")


@dataclass(frozen=True, slots=True)
class NsfSong:
    """The texts and the length that a file gives for a song."""

    title: str = ""
    author: str = ""
    seconds: float | None = None
    """Length, or None if the file gives none."""
    fade_seconds: float | None = None
    record: str = ""
    """The record of how it was made, as `Provenance.from_text` reads it; empty if the file has none."""


@dataclass(frozen=True, slots=True)
class NsfFile:
    """A program that plays songs."""

    source: str
    """The file, or a name for it in errors."""
    image: bytes
    """Its banks of 4 KiB."""
    windows: tuple[int, ...]
    """The bank at $8000, $9000 and so on at the start; 8 of them."""
    init: int
    """Address of the subroutine that begins a song: A is its number, X 1 for a console of Europe."""
    play: int
    """Address of the one that is called once a frame."""
    pal: bool
    """True for a file for PAL consoles only."""
    frame_hz: float
    """Calls a second."""
    songs: tuple[NsfSong, ...]
    """One at least."""
    first: int
    """Index of the song to begin with."""
    tags: Tags
    chips: tuple[str, ...]
    """Other sound chips that it uses, from `EXPANSIONS`, in their order."""
    low_windows: tuple[int, int] = (-1, -1)
    """The bank that is seen at $6000 and at $7000 at first; -1 for RAM, as everywhere but with an FDS."""
    remarks: tuple[str, ...] = ()
    """Sentences for the user about chips that do not play."""


class _BrokenNsfError(Exception):
    """Why a file cannot be read, and the next step."""


@dataclass(frozen=True, slots=True)
class _NsfProgram:
    """The program, as both kinds of files describe it."""

    load: int
    init: int
    play: int
    banks: bytes
    data: bytes
    pal_flags: int
    expansions: int
    n_songs: int
    first: int
    speeds_us: tuple[int, int]
    """Period on NTSC and on PAL consoles in microseconds; 0 for the default."""


def read_nsf(path: Path) -> NsfFile:
    """Read an NSF or NSFe file.

    Raises:
        FormatError: if it is no such file, is broken or too big.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        return parse_nsf(file.read(MAX_BYTES + 1), path)


def parse_nsf(data: bytes, source: str | Path) -> NsfFile:
    """Read the content of an NSF or NSFe file.

    Args:
        data: all of it.
        source: the file, or a name for it in errors.

    Raises:
        FormatError: if it is no such file, is broken or too big.
    """
    try:
        if len(data) > MAX_BYTES:
            raise _BrokenNsfError(f"larger than {MAX_BYTES >> 20} MiB; give another NSF file")
        read = _nsfe if data[:4] == b"NSFE" else _nsf
        return read(data, str(source))
    except _BrokenNsfError as error:
        raise FormatError(source, str(error)) from None


def _nsf(data: bytes, source: str) -> NsfFile:
    if data[:5] != b"NESM\x1a":
        raise _BrokenNsfError("not an NSF file (it does not begin with 'NESM'); give a .nsf or .nsfe file")
    if len(data) <= _HEADER_BYTES:
        raise _BrokenNsfError("cut off in its header; get the file again")
    size = int.from_bytes(data[0x7D:0x80], "little") if data[5] >= 2 else 0
    end = _HEADER_BYTES + size if size else len(data)
    texts = (_text(data[at : at + 32]) for at in (0x0E, 0x2E, 0x4E))
    program = _NsfProgram(
        load=_word(data, 0x08),
        init=_word(data, 0x0A),
        play=_word(data, 0x0C),
        banks=data[0x70:0x78],
        data=data[_HEADER_BYTES:end],
        pal_flags=data[0x7A],
        expansions=data[0x7B],
        n_songs=data[6],
        first=data[7] - 1,
        speeds_us=(_word(data, 0x6E), _word(data, 0x78)),
    )
    tags = Tags(**dict(zip(_TEXTS, texts, strict=False)))
    return _file(source, program, tags, dict(_chunks(data[end:])))


def _nsfe(data: bytes, source: str) -> NsfFile:
    chunks = dict(_chunks(data[4:]))
    if len(info := chunks.get(b"INFO", b"")) < 8 or not chunks.get(b"DATA"):
        raise _BrokenNsfError("no program in it (the chunk INFO or DATA is missing); get the file again")
    rates = chunks.get(b"RATE", b"").ljust(4, b"\0")
    info = info.ljust(10, b"\0")
    program = _NsfProgram(
        load=_word(info, 0),
        init=_word(info, 2),
        play=_word(info, 4),
        banks=chunks.get(b"BANK", b"")[:8].ljust(8, b"\0"),
        data=chunks[b"DATA"],
        pal_flags=info[6],
        expansions=info[7],
        n_songs=info[8] or 1,
        first=info[9],
        speeds_us=(_word(rates, 0), _word(rates, 2)),
    )
    return _file(source, program, Tags(), chunks)


def _file(source: str, program: _NsfProgram, tags: Tags, chunks: dict[bytes, bytes]) -> NsfFile:
    """Return the file that a program and its chunks describe."""
    if not program.n_songs:
        raise _BrokenNsfError("no songs in it; get the file again")
    chips = [name for bit, name in enumerate(_CHIP_BITS) if program.expansions >> bit & 1]
    image, windows = _image(program, disk_system="FDS" in chips)
    for name, text in zip(_TEXTS, _strings(chunks.get(b"auth", b"")), strict=False):
        tags = replace(tags, **{name: text}) if text else tags
    pal = program.pal_flags & 3 == 1
    speed = program.speeds_us[pal]
    usual = not speed or abs(speed - _USUAL_US[pal]) < 50  # which means the console's own frames
    if not usual and speed not in _PERIODS_US:
        raise _BrokenNsfError(f"a frame of {speed} us is shorter than any; get the file again")
    own = PAL_FRAME_HZ if pal else NTSC_FRAME_HZ
    return NsfFile(
        source,
        image,
        windows[LOW_WINDOWS:],
        program.init,
        program.play,
        pal,
        own if usual else 1e6 / speed,
        tuple(_songs(program.n_songs, chunks)),
        program.first if 0 <= program.first < program.n_songs else 0,
        tags,
        tuple(name for name in EXPANSIONS if name in chips),
        (windows[0], windows[1]),
        ("The VT02+ chip is skipped.",) if program.expansions >> _VT02_BIT & 1 else (),
    )


def _image(program: _NsfProgram, *, disk_system: bool) -> tuple[bytes, tuple[int, ...]]:
    """Return the banks of a program, and those seen at $6000, $7000 and so on at first; -1 for RAM."""
    if program.load < _RAM or not program.data:
        raise _BrokenNsfError(f"no program where one can be (${program.load:04X}); get the file again")
    if any(program.banks):
        data = bytes(program.load % BANK_BYTES) + program.data
        low = (program.banks[6], program.banks[7]) if disk_system else (-1, -1)
        windows = (*low, *program.banks)
    else:
        first = _RAM if disk_system else _ROM
        before = max(0, first - program.load)  # below lies RAM, which such files do not use
        size = 0x1_0000 - first
        data = (bytes(max(0, program.load - first)) + program.data[before:])[:size].ljust(size, b"\0")
        windows = tuple(range(size // BANK_BYTES))
        windows = windows if disk_system else (-1, -1, *windows)
    return data.ljust(-(-len(data) // BANK_BYTES) * BANK_BYTES, b"\0"), windows


def _songs(count: int, chunks: dict[bytes, bytes]) -> Iterator[NsfSong]:
    titles, authors = (_strings(chunks.get(name, b"")) for name in (b"tlbl", b"taut"))
    times, fades = (chunks.get(name, b"") for name in (b"time", b"fade"))
    records = list(map(record_in, _text(chunks.get(b"text", b"")).split("\n")))

    def said(texts: list[str], number: int) -> str:
        return texts[number] if number < len(texts) else ""

    def seconds(data: bytes, number: int) -> float | None:
        entry = data[4 * number : 4 * number + 4]
        value = int.from_bytes(entry, "little", signed=True) if len(entry) == 4 else -1
        return value / 1000 if value >= 0 else None

    for number in range(count):
        yield NsfSong(
            said(titles, number),
            said(authors, number),
            seconds(times, number),
            seconds(fades, number),
            said(records, number),
        )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and contents of all whole chunks."""
    place = 0
    while place + 8 <= len(data):
        size, name = int.from_bytes(data[place : place + 4], "little"), data[place + 4 : place + 8]
        if name == b"NEND" or place + 8 + size > len(data):
            return
        yield name, data[place + 8 : place + 8 + size]
        place += 8 + size


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "little")


def _text(data: bytes) -> str:
    """Return a text up to its 0 byte; old files use the encoding of their country."""
    raw = data.split(b"\0", 1)[0]
    for encoding in ("utf-8", "shift-jis"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def _strings(data: bytes) -> list[str]:
    return [_text(part) for part in data.split(b"\0")[:-1]]


__all__ = ["NsfFile", "NsfSong", "parse_nsf", "read_nsf"]
