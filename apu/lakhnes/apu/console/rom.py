"""ROMs: cartridges (.nes) that play songs, with a screen that names them and the pad to choose.

The board is mapper 31, made for such cartridges: its banks are those of NSF files, so the player is the same.
The last bank has the screen (`screen.s`).
Source: NESdev wiki, "INES Mapper 031", "INES".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from lakhnes.apu.console.assembler import assemble
from lakhnes.apu.console.frames import Frames
from lakhnes.apu.console.nsf import cartridge, source
from lakhnes.apu.console.packing import BANK_BYTES
from lakhnes.apu.register_log import Tags
from lakhnes.runtime.errors import MusicError

MAX_ROM_SONGS = 16
"""Most songs of a ROM: those that its screen has room for."""

COLUMNS, ROWS = 32, 30
TILE_BYTES = 16
FIRST_SONG_ROW = 6
BAR_COLUMN = 12

_MARGIN = 2
_TITLE_ROW, _AUTHOR_ROW, _BAR_ROW, _LICENCE_ROW = 2, 3, 23, 27
_WIDTH = COLUMNS - 2 * _MARGIN
_VOICES = ("PULSE 1", "PULSE 2", "TRIANGLE", "NOISE")
_SCREEN_BANK = 0xF000
_TILES = 96
_HALF, _FULL = 1, 2  # tiles of the bars
_MAPPER = 31
_MAX_ROM = 1 << 20


def rom_bytes(songs: Sequence[Frames], tags: Tags | None = None) -> bytes:
    """Return songs as a ROM.

    Args:
        songs: one at least.
        tags: texts about all of them; None takes those of the first.

    Raises:
        MusicError: if they are too many, too long, or for different consoles.
    """
    if len(songs) > MAX_ROM_SONGS:
        raise MusicError(f"{len(songs)} songs are too many for a ROM's screen; give {MAX_ROM_SONGS} at most.")
    banks = cartridge(songs).banks
    size = 4 * BANK_BYTES
    while size < len(banks) + BANK_BYTES:
        size *= 2
    if size > _MAX_ROM:
        raise MusicError("The songs are too long for a ROM of 1 MiB; write several.")
    tags = tags or songs[0].tags
    program = banks.ljust(size - BANK_BYTES, b"\xff") + _screen_bank(songs, tags)
    header = bytes((size >> 14, 0, (_MAPPER & 15) << 4 | 1, _MAPPER & 0xF0, 0, songs[0].pal))
    return b"NES\x1a" + header.ljust(12, b"\0") + program


def _screen_bank(songs: Sequence[Frames], tags: Tags) -> bytes:
    """Return the last bank."""
    graphics, screen = tiles(), screen_of(songs, tags)
    places = [0x2000 + COLUMNS * (FIRST_SONG_ROW + number) + 1 for number in range(len(songs))]
    text = "\n".join(
        (
            f".org ${_SCREEN_BANK:04X}",
            "graphics:",
            f".org ${_SCREEN_BANK + len(graphics) + len(screen):04X}",
            source("screen.s"),
            f"cursor_low: .byte {', '.join(str(place & 0xFF) for place in places)}",
            f"cursor_high: .byte {', '.join(str(place >> 8) for place in places)}",
            f".org ${_SCREEN_BANK + BANK_BYTES - 6:04X}",
            ".word nmi, reset, irq",
        )
    )
    symbols = {
        "TILES": len(graphics) // 256,
        "BARS": 0x2000 + COLUMNS * _BAR_ROW + BAR_COLUMN,
        "SONGS": len(songs),
        "MACHINE": int(songs[0].pal),
    }
    code = assemble(text, symbols).code
    return graphics + screen + code[len(graphics) + len(screen) :]


def tiles() -> bytes:
    """Return the graphics: tiles 1 and 2 for bars, and letters at their ASCII codes."""
    made = [bytes(8)] * _TILES
    made[_HALF], made[_FULL] = bytes((0, *[0xE0] * 6, 0)), bytes((0, *[0xEE] * 6, 0))
    for code, glyph in enumerate(_letters(), 0x20):
        made[code] = glyph
    return b"".join(tile + bytes(8) for tile in made)  # the second plane makes other colours


def _letters() -> Iterator[bytes]:
    """Yield the letters as tiles of 8 rows, from the space on."""
    art = [line for line in source("font.txt").splitlines() if not line.startswith(";")]
    groups = [group.splitlines() for group in "\n".join(art).split("\n\n")]
    for group in groups:
        for letter in zip(*(line.split() for line in group), strict=True):
            rows = [int(row.replace(".", "0").replace("#", "1"), 2) << 2 for row in letter]
            yield bytes((*rows, 0))


def screen_of(songs: Sequence[Frames], tags: Tags) -> bytes:
    """Return the first screen: a tile for each place, then the colours."""
    rows = [b" " * COLUMNS] * ROWS

    def put(row: int, text: str, column: int = _MARGIN) -> None:
        shown = plain_letters(text)[: COLUMNS - column - 1]
        rows[row] = rows[row][:column] + shown + rows[row][column + len(shown) :]

    put(_TITLE_ROW, tags.shown_title)
    put(_AUTHOR_ROW, tags.shown_author and f"BY {tags.shown_author}")
    for number, song in enumerate(songs):
        put(FIRST_SONG_ROW + number, song.tags.shown_title or f"SONG {number + 1}")
    for number, voice in enumerate(_VOICES):
        put(_BAR_ROW + number, voice)
    for line in range(2):
        put(_LICENCE_ROW + line, tags.licence[line * _WIDTH : (line + 1) * _WIDTH])
    return b"".join(rows) + bytes(0x400 - COLUMNS * ROWS)


def plain_letters(text: str) -> bytes:
    """Return a text in the screen's letters: capitals without accents; others become question marks."""
    bare = unicodedata.normalize("NFKD", text.upper())
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return bytes(ord(letter) if " " <= letter <= "_" else ord("?") for letter in letters)


__all__ = ["MAX_ROM_SONGS", "rom_bytes"]
