"""NSF files: programs that play music on the console, as its emulators, players and cartridges read them.

A file has our player (`player.s`) in its first bank, then the data, then the DMC's samples. It is of version
2, which players of version 1 read too, and which adds the length and the title of each song. NSFe holds the
same in chunks.
Source: NESdev wiki, "NSF", "NSF2" and "NSFe".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from lakhnes.apu.console.assembler import Program, assemble
from lakhnes.apu.console.frames import Frames
from lakhnes.apu.console.packing import BANK_BYTES, FIRST_BANK, address, pack
from lakhnes.apu.register_log import Tags
from lakhnes.runtime.errors import MusicError

MAX_SONGS = 255
"""Most songs of a file."""

_MAX_BANKS = 256
_FIELD = 32  # bytes of a text in the header, with the 0 at its end
_FADE_MS = 5000  # of a song that loops, after its loop was played twice
_SAMPLE_BANKS = 3


class Cartridge(NamedTuple):
    """The player with its songs, in banks of 4 KiB."""

    program: Program
    banks: bytes
    """The player's bank first."""


def cartridge(songs: Sequence[Frames]) -> Cartridge:
    """Lay songs out as the player finds them.

    Args:
        songs: one at least.

    Raises:
        MusicError: if they are too many, too long, or for different consoles.
    """
    if len(songs) > MAX_SONGS:
        raise MusicError(f"{len(songs)} songs are too many for one file; give {MAX_SONGS} at most.")
    if len({song.pal for song in songs}) > 1:
        raise MusicError("Songs for consoles of Europe and of America do not go into one file; write two.")
    packed = pack(songs)
    data = _whole_banks(packed.data)
    places: dict[bytes, int] = {b"": 0}  # bank of the DMC's samples; 0 for none
    for song in songs:
        if song.samples not in places:
            places[song.samples] = FIRST_BANK + len(data) // BANK_BYTES
            data += song.samples.ljust(_SAMPLE_BANKS * BANK_BYTES, b"\0")
    if FIRST_BANK + len(data) // BANK_BYTES > _MAX_BANKS:
        raise MusicError("The songs are too long for one file of 1 MiB; write several.")
    low, high, bank = zip(*map(address, packed.starts), strict=True)
    tables = {
        "song_low": low,
        "song_high": high,
        "song_bank": bank,
        "song_samples": [places[song.samples] for song in songs],
    }
    program = assemble(source("player.s") + "".join(_table(*table) for table in tables.items()))
    return Cartridge(program, program.code.ljust(BANK_BYTES, b"\0") + data)


@cache
def source(name: str) -> str:
    """Return the text of a file of this package."""
    return (resources.files(__package__) / name).read_text("utf-8")


def _table(label: str, values: Sequence[int]) -> str:
    return f"\n{label}: .byte {', '.join(map(str, values))}\n"


def _whole_banks(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // BANK_BYTES) * BANK_BYTES, b"\0")


def nsf_bytes(songs: Sequence[Frames], tags: Tags | None = None) -> bytes:
    """Return songs as an NSF file of version 2.

    Args:
        songs: one at least.
        tags: texts about all of them; None takes those of the first.

    Raises:
        MusicError: if they are too many, too long, or for different consoles.
    """
    tags = tags or songs[0].tags
    made = cartridge(songs)
    texts = b"".join(map(_field, (tags.shown_title, tags.shown_author, tags.licence)))
    load, init, play = made.program.origin, made.program.symbols["init"], made.program.symbols["play"]
    header = b"".join(
        (
            b"NESM\x1a\x02",
            bytes((len(songs), 1)),
            *(word.to_bytes(2, "little") for word in (load, init, play)),
            texts,
            _speed(songs, pal=False),
            _banks(),
            _speed(songs, pal=True),
            bytes((songs[0].pal, 0, 0)),
            len(made.banks).to_bytes(3, "little"),
        )
    )
    return header + made.banks + _told(songs, tags)


def nsfe_bytes(songs: Sequence[Frames], tags: Tags | None = None) -> bytes:
    """Return songs as an NSFe file; arguments and errors as for `nsf_bytes`."""
    made = cartridge(songs)
    places = made.program.origin, made.program.symbols["init"], made.program.symbols["play"]
    info = b"".join(word.to_bytes(2, "little") for word in places) + bytes((songs[0].pal, 0, len(songs), 0))
    chunks = _chunk(b"INFO", info) + _chunk(b"BANK", _banks()) + _chunk(b"RATE", _speed(songs, pal=False))
    return b"NSFE" + chunks + _chunk(b"DATA", made.banks) + _told(songs, tags or songs[0].tags)


def _field(text: str) -> bytes:
    """Return a text for the header, cut to whole characters."""
    data = text.replace("\0", "").encode("utf-8", "replace")[: _FIELD - 1].decode("utf-8", "ignore")
    return data.encode("utf-8").ljust(_FIELD, b"\0")


def _speed(songs: Sequence[Frames], *, pal: bool) -> bytes:
    """Return the microseconds of a frame on a console; 0 for the console that the songs are not for."""
    return (round(1e6 / songs[0].frame_hz) if songs[0].pal is pal else 0).to_bytes(2, "little")


def _banks() -> bytes:
    """Return the banks that the eight windows show at first; each one exists."""
    return bytes((0, FIRST_BANK, 0, 0, 0, 0, 0, 0))


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + name + data


def _texts(*texts: str) -> bytes:
    return b"".join(text.replace("\0", "").encode("utf-8", "replace") + b"\0" for text in texts)


def _told(songs: Sequence[Frames], tags: Tags) -> bytes:
    """Return the chunks with lengths, titles, authors and records, a line for each song."""
    about = _texts(tags.shown_title or tags.game, tags.shown_author, tags.licence, tags.file_author)
    times = b"".join(_milliseconds(song).to_bytes(4, "little") for song in songs)
    fades = b"".join((0 if song.loop is None else _FADE_MS).to_bytes(4, "little") for song in songs)
    titles = _texts(*(song.tags.shown_title for song in songs))
    authors = _texts(*(song.tags.shown_author for song in songs))
    chunks = [(b"auth", about), (b"time", times), (b"fade", fades), (b"tlbl", titles), (b"taut", authors)]
    if any(song.tags.record for song in songs):
        chunks.append((b"text", _texts("\n".join(song.tags.record for song in songs))))
    return b"".join(_chunk(*chunk) for chunk in chunks) + _chunk(b"NEND", b"")


def _milliseconds(song: Frames) -> int:
    frames = len(song.frames)
    if song.loop is not None:
        frames += frames - song.loop
    return round(1000 * frames / song.frame_hz)


__all__ = ["MAX_SONGS", "Cartridge", "cartridge", "nsf_bytes", "nsfe_bytes", "source"]
