"""Comments in Ogg Vorbis files, such as the loop that game engines read.

The comments are the second packet of the stream. It gets new pages, and those after it new numbers.
Source: RFC 3533, "The Ogg Encapsulation Format"; Vorbis I specification, "Comment field and header".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

_MAGIC = b"OggS"
_COMMENTS = b"\x03vorbis"
_HEADER_BYTES = 27
_MOST_SEGMENTS, _SEGMENT = 255, 255
_CONTINUED = 1


@dataclass(frozen=True, slots=True)
class _OggPage:
    flags: int
    position: bytes
    serial: bytes
    number: int
    segments: bytes
    """Lacing values: a packet ends with the first that is below 255."""
    data: bytes

    def written(self) -> bytes:
        """Return the page as it stands in a file, with its checksum."""
        head = _MAGIC + bytes((0, self.flags)) + self.position + self.serial
        head += self.number.to_bytes(4, "little")
        rest = bytes((len(self.segments),)) + self.segments + self.data
        return head + _checksum(head + bytes(4) + rest).to_bytes(4, "little") + rest


def with_comments(data: bytes, comments: Mapping[str, str]) -> bytes:
    """Return an Ogg Vorbis file with further comments.

    Args:
        data: a whole file with one stream.
        comments: texts by their names, which are ASCII.

    Raises:
        ValueError: if the data are no such file.
    """
    first, *pages = _pages(data)
    packets: list[bytes] = []
    part, used = b"", 0
    for page in pages:
        used += 1
        place = 0
        for lacing in page.segments:
            part += page.data[place : place + lacing]
            place += lacing
            if lacing < _SEGMENT:
                packets.append(part)
                part = b""
        if len(packets) >= 2:
            break
    if len(packets) != 2 or part or not packets[0].startswith(_COMMENTS):
        raise ValueError("the headers of an Ogg Vorbis file were expected")
    headers = [*_paged([_extended(packets[0], comments), packets[1]], pages[0])]
    rest = pages[used:]
    moved = (replace(page, number=number) for number, page in enumerate((*headers, *rest), first.number + 1))
    return first.written() + b"".join(page.written() for page in moved)


def _pages(data: bytes) -> Iterator[_OggPage]:
    place = 0
    while place < len(data):
        head = data[place : place + _HEADER_BYTES]
        if len(head) < _HEADER_BYTES or head[:4] != _MAGIC:
            raise ValueError("a page of an Ogg file was expected")
        start = place + _HEADER_BYTES + head[26]
        segments = data[place + _HEADER_BYTES : start]
        place = start + sum(segments)
        number = int.from_bytes(head[18:22], "little")
        yield _OggPage(head[5], head[6:14], head[14:18], number, segments, data[start:place])


def _extended(packet: bytes, comments: Mapping[str, str]) -> bytes:
    """Return the packet of comments with further ones."""
    at = len(_COMMENTS)
    at += 4 + int.from_bytes(packet[at : at + 4], "little")  # after the vendor's name
    count = int.from_bytes(packet[at : at + 4], "little") + len(comments)
    added = b""
    for name, text in comments.items():
        entry = f"{name}={text}".encode()
        added += len(entry).to_bytes(4, "little") + entry
    end = packet.rindex(b"\x01")  # the framing bit
    return packet[:at] + count.to_bytes(4, "little") + packet[at + 4 : end] + added + b"\x01"


def _paged(packets: list[bytes], like: _OggPage) -> Iterator[_OggPage]:
    """Yield pages of packets that end with a page."""
    lacings = b"".join(
        bytes([_SEGMENT]) * (len(packet) // _SEGMENT) + bytes([len(packet) % _SEGMENT]) for packet in packets
    )
    data, place = b"".join(packets), 0
    for first in range(0, len(lacings), _MOST_SEGMENTS):
        segments = lacings[first : first + _MOST_SEGMENTS]
        continued = first > 0 and lacings[first - 1] == _SEGMENT
        ends = any(lacing < _SEGMENT for lacing in segments)
        position = bytes(8) if ends else b"\xff" * 8
        yield _OggPage(
            _CONTINUED * continued, position, like.serial, 0, segments, data[place : place + sum(segments)]
        )
        place += sum(segments)


@cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C1_1DB7 if value & 0x8000_0000 else 0)
        table.append(value & 0xFFFF_FFFF)
    return tuple(table)


def _checksum(data: bytes) -> int:
    value, table = 0, _table()
    for byte in data:
        value = (value << 8 & 0xFFFF_FFFF) ^ table[value >> 24 ^ byte]
    return value


__all__ = ["with_comments"]
