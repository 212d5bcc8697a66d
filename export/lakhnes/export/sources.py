"""Where music comes from: files, folders, zips and tars, read one file at a time.

What comes is always in the same order: a folder's files by name, then the folders in it; a zip's by name; a
tar's as they are packed.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lakhnes.runtime.errors import DataError

MIDI_ENDINGS = (".mid", ".midi", ".rmi", ".kar")
TEXT_ENDINGS = (".tx1.txt", ".tx2.txt", ".tx1", ".tx2")
ZIP_ENDINGS = (".zip",)
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")

MAX_FILE_BYTES = 8 << 20
"""Larger files are passed over: no song is so long, and memory stays small."""

_MUSIC = (*MIDI_ENDINGS, *TEXT_ENDINGS)
_BROKEN = (
    OSError,
    EOFError,
    RuntimeError,  # an encrypted member of a zip
    ValueError,
    NotImplementedError,
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
)


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


def _shown(name: str) -> str:
    """A name that can be written as UTF-8 on one line."""
    clean = name.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in clean)


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """A file itself, or all files below a folder by name, with their paths inside it."""
    if not path.is_dir():
        yield path, _shown(path.name)
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
                yield Path(entry.path), _shown(before + entry.name)
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
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        return Item(name, problem=f"larger than {MAX_FILE_BYTES >> 20} MB")
    return Item(name, data)


def _is_music(name: str) -> bool:
    """Whether a member of an archive is music; macOS packs shadows of files, `._NAME`, beside them."""
    return _ends(name, _MUSIC) and not name.rpartition("/")[2].startswith(".")


def _zipped(path: Path, before: str) -> Iterator[tuple[Item, int]]:
    """The files of a zip, with how many of its bytes were read."""
    try:
        with zipfile.ZipFile(path) as archive:
            place = 0
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                place += member.compress_size
                if member.is_dir() or not _is_music(member.filename):
                    continue
                name = before + _shown(member.filename)
                try:
                    with archive.open(member) as file:
                        item = _read(file, name)
                except _BROKEN as error:
                    item = Item(name, problem=f"it cannot be unpacked ({_reason(error)})")
                yield item, place
    except _BROKEN as error:
        yield Item(before.rstrip("/") or _shown(path.name), problem=f"a broken zip ({_reason(error)})"), 0


def _packed(path: Path, before: str) -> Iterator[tuple[Item, int]]:
    """The files of a tar, with how many of its bytes were read."""
    place = 0
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # else it keeps them all
                place = raw.tell()
                name = member.name.removeprefix("./")
                if not member.isfile() or not _is_music(name):
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    yield _read(file, before + _shown(name)), place
        if _ends(path.name, (".tar",)) and _size(path) % tarfile.BLOCKSIZE:  # tarfile takes this for its end
            raise tarfile.ReadError("cut off between two files")
    except _BROKEN as error:
        name = before.rstrip("/") or _shown(path.name)
        yield Item(name, problem=f"a broken tar from here on ({_reason(error)})"), place


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
