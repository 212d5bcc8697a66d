"""The bytes of MIDI tracks, written directly: a song of hours has far too many messages for objects.

Source: Standard MIDI File Format 1.1.
"""

from __future__ import annotations

from collections.abc import Iterable

_META = 0xFF
_SYSTEM = 0xF0
_END_OF_TRACK = bytes((_META, 0x2F, 0))


def file_bytes(tracks: Iterable[bytes], ticks_per_beat: int) -> bytes:
    """Return a file of type 1.

    Args:
        tracks: as `track_bytes` returns them.
        ticks_per_beat: its resolution.
    """
    chunks = list(tracks)
    header = b"".join(number.to_bytes(2, "big") for number in (1, len(chunks), ticks_per_beat))
    return _chunk(b"MThd", header) + b"".join(_chunk(b"MTrk", chunk) for chunk in chunks)


def track_bytes(messages: Iterable[tuple[int, bytes]], end: int) -> bytes:
    """Return the content of a track, with running status.

    Args:
        messages: ticks from its start, and a message with its status byte; in order of time.
        end: tick at which it ends.
    """
    data = bytearray()
    now, running = 0, -1
    for tick, message in messages:
        data += _length_bytes(tick - now)
        status = message[0]
        data += message[1:] if status == running else message
        now, running = tick, status if status < _SYSTEM else -1
    return bytes(data + _length_bytes(max(0, end - now)) + _END_OF_TRACK)


def _length_bytes(number: int) -> bytes:
    """Return a number of variable length: seven bits a byte, the highest first."""
    if number < 0x80:
        return bytes((number,))
    found = [number & 0x7F]
    while number := number >> 7:
        found.append(number & 0x7F | 0x80)
    return bytes(reversed(found))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "big") + data


__all__ = ["file_bytes", "track_bytes"]
