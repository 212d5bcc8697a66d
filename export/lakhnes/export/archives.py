"""Archives of strangers, opened so that their own directories cannot take all memory."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

_MAX_DIRECTORY_BYTES = 2 << 20
"""Directory of a zip that holds arrays or tensors; one that torch wrote has some 100 bytes a tensor."""

_MAX_HEADER_BYTES = 1 << 20
"""Name or attributes of a member of a tar; most systems end paths at 4 KB."""

_LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
"""Kinds of tar members whose content is read whole, as more about the next member."""


class _Sips(io.BufferedReader):
    """A file that is read in small pieces only; zipfile reads a directory at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = _MAX_DIRECTORY_BYTES + 1
        data = super().read(most if size is None or size < 0 else min(size, most))
        if len(data) == most:
            raise zipfile.BadZipFile("its directory is too long")
        return data


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip of a few thousand members at most; read them in pieces of 2 MiB at most.

    Raises:
        zipfile.BadZipFile: if it is none, or its directory is longer.
        OSError: if it cannot be opened.
    """
    with _Sips(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        yield archive


class ShortHeaders(tarfile.TarInfo):
    """A member of a tar whose headers are short: `tarfile.open(..., tarinfo=ShortHeaders)`."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header, see `tarfile.TarInfo`.

        Raises:
            tarfile.ReadError: if more about the next member would follow than any needs.
        """
        member = super().frombuf(buf, encoding, errors)
        if member.type in _LONG_HEADERS and member.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError("a name or header in it is too long")
        return member
