"""Temporary files in target folders, and the removal of those that a killed process left.

Each write has its own mark, and locks a file with that mark. The system releases the lock when the process
ends, so a later process with the same number causes no confusion. The mark starts with the machine's id:
locks of a network folder may not reach other machines, so their files are left alone.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_NAME = re.compile(r"(?P<mark>\.lakhnes-(?P<machine>[0-9a-f]{8})-[0-9a-f]{16})(-\d+)?")

_TRIES = 3
"""Number of marks to try; another process may remove a mark before it is locked."""


class Unfinished:
    """The temporary files of one write. It removes those that still exist at its end."""

    def __init__(self) -> None:
        """Start without a file."""
        self._marks: dict[Path, BinaryIO] = {}
        self._parts: list[Path] = []

    def beside(self, target: Path) -> Path:
        """Return a new name in the folder of a file.

        Raises:
            OSError: if the folder takes no files.
        """
        folder = target.parent
        if folder not in self._marks:
            remove_left_behind(folder)
            self._marks[folder] = _new_mark(folder)
        part = folder / f"{Path(self._marks[folder].name).name}-{len(self._parts)}"
        self._parts.append(part)
        return part

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._parts:
            _remove(part)
        for mark in self._marks.values():
            _drop(mark)


def remove_left_behind(folder: Path) -> None:
    """Remove the temporary files in a folder whose process, on this machine, has ended."""
    found: dict[str, list[Path]] = {}
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            if name and name["machine"] == _machine() and _is_own(entry):
                found.setdefault(name["mark"], []).append(Path(entry.path))
    for own, files in found.items():
        with contextlib.suppress(OSError):
            mark = (folder / own).open("r+b")
            if not _locked(mark):
                mark.close()
                continue
            for file in files:
                if file.name != own:
                    _remove(file)
            _drop(mark)


def _new_mark(folder: Path) -> BinaryIO:
    """Create a file whose lock shows that this process is alive."""
    for _ in range(_TRIES - 1):
        mark = _begun(folder)
        if _locked(mark) and Path(mark.name).exists():
            return mark
        _drop(mark)
    return _begun(folder)  # this file system has no locks, so nobody else can lock it either


def _begun(folder: Path) -> BinaryIO:
    return (folder / f".lakhnes-{_machine()}-{secrets.token_hex(8)}").open("xb")


def _drop(mark: BinaryIO) -> None:
    """Remove a mark while it is locked.

    On Windows after closing, because open files cannot be removed there.
    """
    if os.name == "nt":
        mark.close()
    _remove(Path(mark.name))
    mark.close()


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()


def _is_own(entry: os.DirEntry[str]) -> bool:
    """Return whether this user owns a file."""
    if not entry.is_file(follow_symlinks=False):
        return False
    return os.name == "nt" or entry.stat(follow_symlinks=False).st_uid == os.geteuid()


@functools.cache
def _machine() -> str:
    """Return eight digits for this machine; machines of one name differ if the system numbers them."""
    number = ""
    with contextlib.suppress(OSError):
        number = Path("/etc/machine-id").read_text("ascii", "replace")
    return hashlib.blake2b(f"{platform.node()} {number}".encode(), digest_size=4).hexdigest()


def _locked(file: BinaryIO) -> bool:
    """Lock a file until it is closed; return whether that was possible."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
