"""Comments of sound files.

Source: Multimedia Programming Interface and Data Specifications 1.0, "INFO List Chunk", for WAV.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.reading import reading

_WAV = (b"RIFF", b"RF64")
_INFO_BYTES = 1 << 16  # of a list of texts, at most


def read_comment(path: Path) -> str:
    """Return the comment of a WAV, FLAC or Ogg file; empty for none.

    Raises:
        FormatError: if it is no sound file.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file, reading(path, FormatError, "Get the file again"):
        if file.read(4) in _WAV:
            return _wav_comment(file)
        import soundfile

        file.seek(0)
        with soundfile.SoundFile(file) as sound:
            return str(sound.comment)


def _wav_comment(file: BinaryIO) -> str:
    """Return the comment of a WAV file, which libsndfile reads only up to 2,047 characters."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        after = file.tell() + size + size % 2
        if head[:4] == b"LIST" and file.read(4) == b"INFO":
            comment = _text_of(file.read(min(size, _INFO_BYTES)), b"ICMT")
            if comment:
                return comment
        file.seek(after)
    return ""


def _text_of(texts: bytes, name: bytes) -> str:
    """Return a text of an INFO list; empty for none."""
    inside = BytesIO(texts)
    while len(head := inside.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        text = inside.read(size + size % 2)[:size]
        if head[:4] == name:
            return text.partition(b"\0")[0].decode("utf-8", "replace")
    return ""


__all__ = ["read_comment"]
