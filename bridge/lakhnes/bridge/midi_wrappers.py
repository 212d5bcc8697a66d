"""What MIDI files come wrapped in: gzip, RIFF (.rmi), MacBinary, bytes that some program put in front."""

from __future__ import annotations

import zlib
from dataclasses import replace

from lakhnes.bridge import midi_clip, smf
from lakhnes.bridge.smf import MAX_BYTES, BrokenFileError, MidiFile

_GZIP = b"\x1f\x8b"
_GZIP_BITS = zlib.MAX_WBITS | 16
_MOST_DAMAGED = 1 << 20
"""Bytes of a damaged gzip file that are tried one by one."""
_MOST_LAYERS = 3
"""The most layers of gzip that are read. A file can contain itself without end."""
_FOREIGN = {
    _GZIP: "compressed again and again; unpack it",
    b"SMF2CON": "a MIDI 2.0 container file, which is not read; export it as .mid or .midi2",
    b"PK\x03\x04": "a ZIP archive, not a MIDI file; unpack it",
    b"XMF_": "an XMF file, not a MIDI file; export it as .mid",
}


def parse_any(data: bytes) -> MidiFile:
    """Reads the content of a MIDI file or MIDI clip file, whatever is around it.

    Raises:
        BrokenFileError: if no music can be read from it.
    """
    whole = True
    for _ in range(_MOST_LAYERS):
        if whole and data.startswith(_GZIP):
            data, whole = _unzipped(data)
    midi = _parse_unzipped(data)
    if whole:
        return midi
    return replace(midi, remarks=("The gzip file around it is damaged.", *midi.remarks))


def _parse_unzipped(data: bytes) -> MidiFile:
    if not data:
        raise BrokenFileError("empty; give a MIDI file")
    for magic, reason in _FOREIGN.items():
        if data.startswith(magic):
            raise BrokenFileError(reason)
    if data.startswith(midi_clip.MAGIC):
        return midi_clip.parse(data)
    if data.startswith(b"MThd"):
        return smf.parse(data)
    start = data.find(b"MThd")
    if start < 0 and (start := data.find(b"MTrk")) < 0:
        raise BrokenFileError(
            "not a MIDI file (it begins with neither MThd nor SMF2CLIP, as raw UMP does not either); "
            "export it as .mid"
        )
    size = _wrapped_size(data, start)
    if size is not None:
        return _sized(data[start:], size)
    midi = smf.parse(data[start:])
    front = f"{start} bytes in front of it are no part of a MIDI file; they are passed over."
    return replace(midi, remarks=(front, *midi.remarks)) if start else midi


def _sized(data: bytes, size: int) -> MidiFile:
    """Reads a MIDI file of a size that its wrapper says, or all that is there if that cuts it off."""
    try:
        midi = smf.parse(data[:size])
    except BrokenFileError:
        if size >= len(data):
            raise
        return smf.parse(data)
    if not midi.remarks or size >= len(data):
        return midi
    whole = smf.parse(data)
    return whole if _n_notes(whole) > _n_notes(midi) else midi


def _n_notes(midi: MidiFile) -> int:
    return sum(len(track.notes) for track in midi.tracks)


def _unzipped(data: bytes) -> tuple[bytes, bool]:
    """The content of a gzip file of one member or several, as far as it goes, and whether it is whole."""
    content = bytearray()
    whole = True
    while data.startswith(_GZIP) and whole:
        unzip = zlib.decompressobj(_GZIP_BITS)
        try:
            content += unzip.decompress(data, MAX_BYTES + 1 - len(content))
        except zlib.error:
            content += _before_damage(data)
            whole = False
        if len(content) > MAX_BYTES:
            raise BrokenFileError(f"a gzip file of more than {MAX_BYTES >> 20} MiB, which is no music")
        whole = whole and unzip.eof
        data = unzip.unused_data
    if not content:
        raise BrokenFileError("a damaged gzip file; get the file again")
    return bytes(content), whole


def _before_damage(data: bytes) -> bytes:
    """What a gzip file holds before the first byte that cannot be right, which may be of its checksum."""
    unzip = zlib.decompressobj(_GZIP_BITS)
    content = bytearray()
    for place in range(min(len(data), _MOST_DAMAGED)):
        try:
            content += unzip.decompress(data[place : place + 1])
        except zlib.error:
            break
        if len(content) > MAX_BYTES:
            break
    return bytes(content)


def _wrapped_size(data: bytes, start: int) -> int | None:
    """Bytes of the MIDI file that a RIFF or MacBinary file says to hold at `start`; None if it is neither."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        size = int.from_bytes(data[start - 4 : start], "little")
        return size if data[start - 8 : start - 4] == b"data" and size else len(data)
    if start == 128 and data[0] == data[74] == data[82] == 0 and 1 <= data[1] <= 63:
        return int.from_bytes(data[83:87]) or len(data)
    return None
