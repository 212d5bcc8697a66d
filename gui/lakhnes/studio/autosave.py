"""Songs that were not saved: kept beside, and found again when their program is no more.

Each program writes a file of its own. Beside it lies a file that the program holds a lock on, which the
system gives up for it however it ends; so a number that another process has got meanwhile deceives nobody.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lakhnes.studio.session_file import ENDING, write_session
from lakhnes.studio.state import SongState

_LOCK = ".lock"


class Autosave:
    """The file of this program; nothing is on the disk before the first `write`."""

    def __init__(self, folder: Path) -> None:
        """Begins without a file.

        Args:
            folder: where such files lie; it is made when it is needed.
        """
        self.path = folder / f"autosave-{os.getpid()}-{secrets.token_hex(4)}{ENDING}"
        self._lock = threading.Lock()
        self._held: BinaryIO | None = None
        self._closed = False

    def write(self, state: SongState, *, last: bool = False) -> None:
        """Keeps a state; from any thread.

        Args:
            state: what is kept.
            last: whatever another thread still wants to write or remove comes too late.

        Raises:
            OutputError: if it cannot be written.
            OSError: if there is no place for it.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = last
            if self._held is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._held = self.path.with_suffix(_LOCK).open("ab")
                _locked(self._held)
            write_session(self.path, state)

    def remove(self, *, last: bool = False) -> None:
        """Removes what is kept; from any thread.

        Args:
            last: whatever another thread still wants to write comes too late.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = last
            self.release()
            remove(self.path)

    def release(self) -> None:
        """Lets other programs find what is kept."""
        if self._held is not None:
            self._held.close()
            self._held = None


def left_behind(folder: Path) -> Path | None:
    """The latest file of a program that is no more."""
    found = [path for path in folder.glob(f"autosave-*{ENDING}") if not _in_use(path)]
    return max(found, key=_age, default=None)


def remove(path: Path) -> None:
    """Removes a file that was left behind, if it is there."""
    for part in (path, path.with_suffix(_LOCK)):
        with suppress(OSError):
            part.unlink()


def _age(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _in_use(path: Path) -> bool:
    try:
        with path.with_suffix(_LOCK).open("r+b") as file:
            return not _locked(file)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # somebody else's


def _locked(file: BinaryIO) -> bool:
    """Locks a file until it is closed; whether nobody else had."""
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


__all__ = ["Autosave", "left_behind", "remove"]
