"""Pack frames into the tokens that the player reads (`player.s`); repeated frames become references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lakhnes.apu.console.frames import Frames
from lakhnes.runtime.errors import MusicError

BANK_BYTES = 4096
WINDOW = 0x9000
"""Where the player sees its data."""

FIRST_BANK = 1
"""First bank of the data; the player is in the bank before."""

MAX_BYTES = 255 * BANK_BYTES
"""Most data that banks can hold."""

_MAX_WAIT = 63
_MAX_RECORDS = 62
_WAIT, _REFER = 0x80, 0xC0
_REFERENCE_BYTES = 4
_CANDIDATES = 8  # of the places where a record came before, those that are looked at
_SILENCE = bytes((0x15, 0x00, _WAIT + _MAX_WAIT))


class Packed(NamedTuple):
    """Songs as data."""

    data: bytes
    starts: tuple[int, ...]
    """Byte at which each song begins."""


def address(place: int) -> tuple[int, int, int]:
    """Return low byte, high byte and bank of a byte of the data, as the player counts."""
    bank, inside = divmod(place, BANK_BYTES)
    return inside & 0xFF, (WINDOW + inside) >> 8, FIRST_BANK + bank


def pack(songs: Sequence[Frames], *, references: bool = True) -> Packed:
    """Pack songs.

    Args:
        songs: one at least.
        references: whether frames that occurred before, in any of the songs, become references.

    Raises:
        MusicError: if they are too long.
    """
    packer = _Packer(references)
    starts = tuple([packer.add(song) for song in songs])
    return Packed(bytes(packer.data), starts)


class _Packer:
    """Packs one song after the other.

    Attributes:
        data: so far.
    """

    def __init__(self, references: bool) -> None:
        self.data = bytearray()
        self._references = references
        self._said: list[tuple[bytes, int]] = []  # records in full, each with its place in the data
        self._where: dict[bytes, list[int]] = {}  # their indices in the list

    def add(self, song: Frames) -> int:
        """Add a song and return where it begins."""
        start = len(self.data)
        parts = (
            [(0, len(song.frames))] if song.loop is None else [(0, song.loop), (song.loop, len(song.frames))]
        )
        again = start
        for first, end in parts:
            again = len(self.data)
            self._add_records(_records(song, first, end))
        if song.loop is None:
            again = len(self.data)
            self.data += _SILENCE
        self.data += bytes((_REFER, *address(again)))
        return start

    def _add_records(self, records: list[bytes]) -> None:
        i = 0
        while i < len(records):
            if len(self.data) > MAX_BYTES:
                raise MusicError("The songs are too long for one file of 1 MiB; write several.")
            place, count = self._longest(records, i) if self._references else (0, 0)
            if count:
                self.data += bytes((_REFER + count, *address(place)))
                i += count
            else:
                self._say(records[i])
                i += 1

    def _say(self, record: bytes) -> None:
        self._where.setdefault(record, []).append(len(self._said))
        self._said.append((record, len(self.data)))
        self.data += record

    def _longest(self, records: list[bytes], i: int) -> tuple[int, int]:
        """Return place and number of earlier records equal to the next ones; 0 if no reference pays."""
        best = (_REFERENCE_BYTES, 0, 0)
        for start in self._where.get(records[i], [])[-_CANDIDATES:]:
            count, size, place = 0, 0, self._said[start][1]
            for record, (said, its_place) in zip(
                records[i : i + _MAX_RECORDS], self._said[start : start + _MAX_RECORDS], strict=False
            ):
                if record != said or its_place != place + size:  # another, or a reference lies between
                    break
                count, size = count + 1, size + len(record)
            if size > best[0]:
                best = (size, place, count)
        return best[1:]


def _records(song: Frames, first: int, end: int) -> list[bytes]:
    """Return the records of the frames from one up to another."""
    records: list[bytes] = []
    number = first
    while number < end:
        after = number + 1
        while after < end and after - number <= _MAX_WAIT and not song.frames[after]:
            after += 1
        writes = b"".join(bytes(write) for write in song.frames[number])
        records.append(writes + bytes((_WAIT + after - number - 1,)))
        number = after
    return records
