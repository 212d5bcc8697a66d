"""What MIDI files come wrapped in: gzip, RIFF (.rmi), MacBinary, bytes that some program put in front."""

from __future__ import annotations

import zlib
from dataclasses import replace

from lakhnes.bridge import midi_clip, smf
from lakhnes.bridge.smf import MAX_BYTES, BrokenFileError, MidiFile

_GZIP = b"\x1f\x8b"
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
    for _ in range(_MOST_LAYERS):
        if data.startswith(_GZIP):
            data = _unzipped(data)
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
        return smf.parse(data[start : start + size])
    midi = smf.parse(data[start:])
    front = f"{start} bytes in front of it are no part of a MIDI file; they are passed over."
    return replace(midi, remarks=(front, *midi.remarks)) if start else midi


def _unzipped(data: bytes) -> bytes:
    """The content of a gzip file, as far as it goes."""
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        content = unzip.decompress(data, MAX_BYTES)
    except zlib.error:
        content = b""
    if not content:
        raise BrokenFileError("a damaged gzip file; get the file again")
    if unzip.unconsumed_tail:
        raise BrokenFileError(f"a gzip file of more than {MAX_BYTES >> 20} MiB, which is no music")
    return content


def _wrapped_size(data: bytes, start: int) -> int | None:
    """Bytes of the MIDI file that a RIFF or MacBinary file says to hold at `start`; None if it is neither."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        size = int.from_bytes(data[start - 4 : start], "little")
        return size if data[start - 8 : start - 4] == b"data" and size else len(data)
    if start == 128 and data[0] == data[74] == data[82] == 0 and 1 <= data[1] <= 63:
        return int.from_bytes(data[83:87]) or len(data)
    return None
