"""Archives from strangers, opened so that their directories cannot fill the memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self, cast

_MAX_DIRECTORY_BYTES = 2 << 20
"""Largest directory of a zip with arrays or tensors; torch writes some 100 bytes per tensor."""

_MAX_HEADER_BYTES = 1 << 20
"""Longest name or attributes of a tar member; most systems end paths at 4 KB."""

_LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
"""Kinds of tar members that tarfile reads whole, because they describe the next member."""


_COMPRESSED: tuple[tuple[bytes, Callable[[BinaryIO], BinaryIO]], ...] = (
    (b"\x1f\x8b", lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file))),
    (b"BZh", lambda file: cast(BinaryIO, bz2.BZ2File(file))),
    (b"\xfd7zXZ\0", lambda file: cast(BinaryIO, lzma.LZMAFile(file))),  # noqa: SIM115, of an open file
)
"""First bytes of compressed files, and their openers."""


class _Sips(io.BufferedReader):
    """A file with a limit on the size of one read, because zipfile reads a directory at once."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(io.FileIO(path))
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        beyond = self._most + 1
        data = super().read(beyond if size is None or size < 0 else min(size, beyond))
        if len(data) == beyond:
            raise zipfile.BadZipFile("its directory is too long")
        return data


@contextmanager
def open_zip(path: Path, directory_bytes: int = _MAX_DIRECTORY_BYTES) -> Iterator[zipfile.ZipFile]:
    """Open a zip; one read of its members is never longer than its directory may be.

    Args:
        path: the file.
        directory_bytes: longest directory; each member takes 50 bytes or more.

    Raises:
        zipfile.BadZipFile: if it is no zip, or its directory is longer.
        OSError: if it cannot be opened.
    """
    with _Sips(path, directory_bytes) as file, zipfile.ZipFile(file) as archive:
        yield archive


def is_tar(path: Path) -> bool:
    """Return whether a file looks like a tar, compressed or not, by its first bytes or its ending."""
    with path.open("rb") as file:
        head = file.read(262)
    return (
        path.suffix == ".tar"
        or head[257:] == b"ustar"
        or any(head.startswith(mark) for mark, _ in _COMPRESSED)
    )


@contextmanager
def open_tar(path: Path, most: int) -> Iterator[tuple[tarfile.TarFile, Callable[[], int]]]:
    """Open a tar, compressed or not, for reading from start to end.

    Args:
        path: the file.
        most: most bytes that it may unpack to.

    Returns:
        The archive, and a function that returns the number of bytes read from the file.

    Raises:
        tarfile.TarError: if it is no tar; reading raises many other kinds too.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as raw:
        head = raw.peek(6)
        unpack = next((opened for mark, opened in _COMPRESSED if head.startswith(mark)), None)
        limited = cast(BinaryIO, _Limited(unpack(raw) if unpack else raw, most))
        with tarfile.open(fileobj=limited, mode="r:", tarinfo=_ShortHeaders) as archive:
            yield archive, raw.tell


class _Limited:
    """A file with a limit on the total bytes read, whatever it unpacks to."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, self._most + 1) if size >= 0 else self._most + 1)
        if self._file.tell() > self._most:
            raise tarfile.ReadError("it unpacks to far more than it is")
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        if whence == 0 and place > self._most:
            raise tarfile.ReadError("it unpacks to far more than it is")
        return self._file.seek(place, whence)


class _ShortHeaders(tarfile.TarInfo):
    """A tar member with short headers."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header, see `tarfile.TarInfo`.

        Raises:
            tarfile.ReadError: if the description of the next member is longer than any needs.
        """
        member = super().frombuf(buf, encoding, errors)
        if member.type in _LONG_HEADERS and member.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError("a name or header in it is too long")
        return member
