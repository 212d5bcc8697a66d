"""The records in files: how each piece was made."""

from __future__ import annotations

from pathlib import Path

from lakhnes.apu.console import read_nsf
from lakhnes.apu.sound_comments import read_comment as sound_comment
from lakhnes.apu.sound_files import SOUND_FORMATS
from lakhnes.bridge.drawing import read_comment as picture_comment
from lakhnes.runtime.errors import MusicError
from lakhnes.runtime.provenance import Provenance, record_in
from lakhnes.studio.music_files import read_music
from lakhnes.studio.session_file import ENDING, read_record

PICTURES = (".png", ".svg")
_NSF = (".nsf", ".nsfe")
_NO_PLACE = (".nes", ".tx1", ".tx2", ".tx1.txt", ".tx2.txt")


def read_records(path: Path) -> list[Provenance | None]:
    """Read how each song of a file was made.

    Returns:
        A record for each song, None for a song without one; several songs only for an NSF file.

    Raises:
        FormatError: if the file or a record in it is broken.
        MusicError: if there is no such file, or none of its songs has a record.
        OSError: if it cannot be opened.
    """
    if not path.is_file():
        raise MusicError(f"{path} is not there; give a file that lakhnes wrote.")
    if path.name.lower().endswith(_NO_PLACE):
        raise MusicError(
            f"{path} does not say how it was made: TX1 and TX2 texts and ROMs have no place for it. Give the "
            "same music in another format."
        )
    records = [Provenance.from_text(line, path) if line else None for line in _lines(path)]
    if not any(records):
        raise MusicError(
            f"{path} does not say how it was made: lakhnes did not compose it, or it lost the record on the "
            "way through another program, or was written with --no-provenance."
        )
    return records


def _lines(path: Path) -> list[str]:
    """Return the line of each song's record; empty for a song without one."""
    name = path.name.lower()
    if name.endswith(tuple(SOUND_FORMATS)):
        return [record_in(sound_comment(path))]
    if name.endswith(PICTURES):
        return [record_in(picture_comment(path))]
    if name.endswith(ENDING):
        return [read_record(path)]
    if name.endswith(_NSF):
        return [song.record for song in read_nsf(path).songs]
    return [read_music(path).record]


__all__ = ["PICTURES", "read_records"]
