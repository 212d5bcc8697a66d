"""Sources of music: files, folders, zips and tars, read one file at a time.

The order is fixed: a folder's files by name, then its sub-folders; a zip's files by name; a tar's files in
packed order.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from lakhnes.bridge import MIDI_ENDINGS
from lakhnes.export.archives import open_tar, open_zip
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import reason_of

TEXT_ENDINGS = (".tx1.txt", ".tx2.txt", ".tx1", ".tx2")
ZIP_ENDINGS = (".zip",)
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")

MAX_FILE_BYTES = 8 << 20
"""Largest file in bytes: no song is longer, and memory use stays small."""

_MUSIC = (*MIDI_ENDINGS, *TEXT_ENDINGS)

_MOST_TIMES, _SPARE_BYTES = 100, 64 << 20
"""Limits of a tar: a multiple of its size plus some bytes; music packs to a tenth at best."""

_MAX_DIRECTORY_BYTES = 32 << 20
"""Largest directory of a zip, for some 300,000 files."""

_PIECE = 4096
"""Bytes that are unpacked at once; some compressions could yield hundreds of megabytes."""


@dataclass(frozen=True, slots=True)
class Item:
    """A music file."""

    name: str
    """Its path inside the user's source, after the name of the source if several were given."""
    data: bytes = b""
    """Its content."""
    problem: str = ""
    """Reason why it cannot be read, without a full stop; empty if it can."""


class Sources:
    """The music files in the user's sources.

    Attributes:
        total_bytes: size of all sources, still packed.
        done_bytes: bytes read so far.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """List the sources without reading them.

        Args:
            paths: files, folders and archives.

        Raises:
            DataError: if one is missing, or has an unsupported kind.
        """
        for path in paths:
            if not path.exists():
                raise DataError(f"{path} is not there. Give a folder, a zip, a tar or a file of music.")
            if not path.is_dir() and not _ends(path.name, (*_MUSIC, *ZIP_ENDINGS, *TAR_ENDINGS)):
                raise DataError(
                    f"{path} is neither a folder nor an archive (.zip, .tar, .tar.gz, .tar.xz, .tar.bz2) "
                    f"nor a file of music ({', '.join(_MUSIC)})."
                )
        self.paths = tuple(paths)
        self.total_bytes = sum(
            _size(found)
            for path in paths
            for found, _ in _files(path)
            if _ends(found.name, (*_MUSIC, *ZIP_ENDINGS, *TAR_ENDINGS))
        )
        self.done_bytes = 0

    def __iter__(self) -> Iterator[Item]:
        """Read the files one after the other."""
        self.done_bytes = 0
        for path in self.paths:
            before = f"{path.name}/" if len(self.paths) > 1 and path.is_dir() else ""
            for found, name in _files(path):
                start = self.done_bytes
                if _ends(name, _MUSIC):
                    yield _plain(found, before + name)
                elif _ends(name, (*ZIP_ENDINGS, *TAR_ENDINGS)):
                    alone = found == path and len(self.paths) == 1
                    inside = "" if alone else f"{before}{name}/"
                    members = _zipped if _ends(name, ZIP_ENDINGS) else _packed
                    for item, place in members(found, inside):
                        self.done_bytes = start + place
                        yield item
                else:
                    continue
                self.done_bytes = start + _size(found)


def _ends(name: str, endings: tuple[str, ...]) -> bool:
    return name.lower().endswith(endings)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield a file itself, or all files below a folder by name, with their paths inside it."""
    if not path.is_dir():
        yield path, printable(path.name)
        return
    folders: list[tuple[Path, str, tuple[str, ...]]] = [(path, "", (os.path.realpath(path),))]
    while folders:
        folder, before, above = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # a folder that this user may not read has no files for us
        below: list[tuple[Path, str, tuple[str, ...]]] = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if os.path.isdir(entry.path):  # unlike the entry's own answer, no error for circular links
                real = os.path.realpath(entry.path)
                if real not in above:  # a link to a folder that contains it would never end
                    below.append((Path(entry.path), f"{before}{entry.name}/", (*above, real)))
            else:
                yield Path(entry.path), printable(before + entry.name)
        folders += reversed(below)


def _plain(path: Path, name: str) -> Item:
    try:
        if not path.is_file():
            return Item(name, problem="no file")
        with path.open("rb") as file:
            return _read(file, name)
    except OSError as error:
        return Item(name, problem=error.strerror or "it cannot be read")


def _read(file: IO[bytes], name: str) -> Item:
    data = bytearray()
    while piece := file.read(_PIECE):
        data += piece
        if len(data) > MAX_FILE_BYTES:
            return Item(name, problem=f"larger than {MAX_FILE_BYTES >> 20} MB")
    return Item(name, bytes(data))


def _is_music(name: str) -> bool:
    """Return whether a member of an archive is music; macOS adds shadows of files, `._NAME`."""
    return _ends(name, _MUSIC) and not name.rpartition("/")[2].startswith(".")


def _zipped(path: Path, before: str) -> Iterator[tuple[Item, int]]:
    """Yield the files of a zip, with the number of its bytes read."""
    try:
        with open_zip(path, _MAX_DIRECTORY_BYTES) as archive:
            place = 0
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                place += member.compress_size
                name = before + printable(member.filename)
                if not member.filename:
                    yield (
                        Item(before.rstrip("/") or printable(path.name), problem="a file without a name"),
                        place,
                    )
                elif _is_music(member.filename):
                    yield _member(partial(archive.open, member), name), place
    except Exception as error:  # a broken archive adds a line to the list, and does not stop the preparation
        yield (
            Item(before.rstrip("/") or printable(path.name), problem=f"a broken zip ({reason_of(error)})"),
            0,
        )


def _packed(path: Path, before: str) -> Iterator[tuple[Item, int]]:
    """Yield the files of a tar, with the number of its bytes read."""
    place = 0
    try:
        with open_tar(path, _MOST_TIMES * _size(path) + _SPARE_BYTES) as (archive, done_bytes):
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # else it keeps them all
                place = done_bytes()
                name = member.name.removeprefix("./")
                if member.isfile() and _is_music(name):
                    yield _member(partial(archive.extractfile, member), before + printable(name)), place
        if _ends(path.name, (".tar",)) and _size(path) % tarfile.BLOCKSIZE:  # tarfile takes this for its end
            raise tarfile.ReadError("cut off between two files")
    except Exception as error:  # as above
        name = before.rstrip("/") or printable(path.name)
        yield Item(name, problem=f"a broken tar from here on ({reason_of(error)})"), place


def _member(opened: Callable[[], IO[bytes] | None], name: str) -> Item:
    """Return a file in an archive."""
    try:
        file = opened()
        if file is None:
            return Item(name, problem="no file")
        with file:
            return _read(file, name)
    except Exception as error:  # a bad member never stops a preparation
        return Item(name, problem=f"it cannot be unpacked ({reason_of(error)})")
