"""Where music comes from: files, folders, zips and tars, read one file at a time.

What comes is always in the same order: a folder's files by name, then the folders in it; a zip's by name; a
tar's as they are packed.
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
"""Larger files are passed over: no song is so long, and memory stays small."""

_MUSIC = (*MIDI_ENDINGS, *TEXT_ENDINGS)

_MOST_TIMES, _SPARE_BYTES = 100, 64 << 20
"""A tar may unpack to so many times its size and so much more; music in it is packed to a tenth at best."""

_MAX_DIRECTORY_BYTES = 32 << 20
"""Longest directory of a zip, of some 300,000 files."""

_PIECE = 4096
"""Bytes that are unpacked at once; more of some compressions may be hundreds of megabytes."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file of music."""

    name: str
    """Its path inside what the user gave; behind the name of that where several were given."""
    data: bytes = b""
    """Its content."""
    problem: str = ""
    """Why it cannot be read, without a full stop; empty if it can."""


class Sources:
    """The files of music in what the user gave.

    Attributes:
        total_bytes: size of it all, packed as it is.
        done_bytes: how much of it was read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Looks at what there is, without reading it.

        Args:
            paths: files, folders and archives.

        Raises:
            DataError: if one is not there, or is a file of another kind.
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
        """Reads the files one after the other."""
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
    """A file itself, or all files below a folder by name, with their paths inside it."""
    if not path.is_dir():
        yield path, printable(path.name)
        return
    folders: list[tuple[Path, str, tuple[str, ...]]] = [(path, "", (os.path.realpath(path),))]
    while folders:
        folder, before, above = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # a folder that is not ours to read has no files for us
        below: list[tuple[Path, str, tuple[str, ...]]] = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real not in above:  # a link to a folder that it lies in would never end
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
    """Whether a member of an archive is music; macOS packs shadows of files, `._NAME`, beside them."""
    return _ends(name, _MUSIC) and not name.rpartition("/")[2].startswith(".")


def _zipped(path: Path, before: str) -> Iterator[tuple[Item, int]]:
    """The files of a zip, with how many of its bytes were read."""
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
    except Exception as error:  # a broken archive ends with a line in the list, not the preparation
        yield (
            Item(before.rstrip("/") or printable(path.name), problem=f"a broken zip ({reason_of(error)})"),
            0,
        )


def _packed(path: Path, before: str) -> Iterator[tuple[Item, int]]:
    """The files of a tar, with how many of its bytes were read."""
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
    """A file in an archive."""
    try:
        file = opened()
        if file is None:
            return Item(name, problem="no file")
        with file:
            return _read(file, name)
    except Exception as error:  # one bad member never ends a preparation
        return Item(name, problem=f"it cannot be unpacked ({reason_of(error)})")
