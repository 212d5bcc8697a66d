"""Songs that are in no file of the user's: kept on the disk, and found again when their program is no more.

Each run of the program writes a file for each such song. Beside them lies one file that the run holds a lock
on, which the system gives up for it however it ends; so a number that another process has got meanwhile
deceives nobody. A song that is recovered is renamed to a file of the run that recovers it: at every moment it
is on the disk once, and of two runs only one gets it.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from lakhnes.runtime import LakhnesError, OptionError
from lakhnes.studio.session_file import ENDING, read_song, write_session
from lakhnes.studio.state import SongState, Whereabouts

_LOCK = ".lock"


@dataclass(frozen=True, slots=True, eq=False)
class Unsaved:
    """A song to keep."""

    state: SongState
    whereabouts: Whereabouts
    when: float
    """Seconds since the epoch: when it was as it is."""


class Autosave:
    """The unsaved songs of this run.

    Any thread may hand over songs, which takes no time. `settle` writes the latest form of each.
    Nothing is on the disk before there is something to keep.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Begins without songs.

        Args:
            folder: where their files lie; it is made when it is needed.
            clock: seconds since the epoch.
        """
        self._folder, self._clock = folder, clock
        self._run = f"autosave-{os.getpid()}-{secrets.token_hex(4)}"
        self._told: dict[int, Unsaved] = {}
        self._written: dict[int, Unsaved] = {}
        self._telling, self._writing = threading.Lock(), threading.Lock()
        self._held: BinaryIO | None = None
        self._released = False

    @property
    def songs(self) -> dict[int, Unsaved]:
        """The songs to keep, by number."""
        with self._telling:
            return dict(self._told)

    @property
    def behind(self) -> bool:
        """Whether `settle` has anything to do."""
        return self.songs != self._written

    @property
    def urgent(self) -> bool:
        """Whether a song has no file yet, or a file has no song any more."""
        return self.songs.keys() != self._written.keys()

    def tell(self, state: SongState, whereabouts: Whereabouts) -> None:
        """Has a song kept as it is now."""
        told = self.songs.get(state.song)
        if told is None or told.state != state:
            self._tell(Unsaved(state, whereabouts, self._clock()))
        elif told.whereabouts != whereabouts:
            self._tell(Unsaved(state, whereabouts, told.when))

    def forget(self, song: int) -> None:
        """Has a song kept no more."""
        with self._telling:
            self._told.pop(song, None)

    def settle(self) -> dict[int, str]:
        """Makes the disk as it was told; from any thread.

        Returns:
            The errors, by the number of the song that could not be written.
        """
        wrong: dict[int, str] = {}
        with self._writing:
            if self._released:
                return wrong
            told, written = self.songs, self._written
            for song in written.keys() - told.keys():
                with suppress(FileNotFoundError):
                    self._file(song).unlink()
                self._written = {number: written[number] for number in written.keys() & told.keys()}
            for song, unsaved in told.items():
                if written.get(song) is unsaved:
                    continue
                try:
                    self._hold()
                    write_session(self._file(song), unsaved.state, unsaved.whereabouts)
                except LakhnesError as error:
                    wrong[song] = str(error)
                except OSError as error:
                    reason = error.strerror or error
                    wrong[song] = f"{self._folder} cannot be used: {reason}. Check it and its permissions."
                except Exception as error:  # whatever is wrong with one song, the others are kept
                    wrong[song] = f"Something went wrong ({type(error).__name__}: {error})."
                else:
                    self._written = {**self._written, song: unsaved}
        return wrong

    def take(self, path: Path, song: int) -> Unsaved:
        """Takes over a song that another run left behind; from any thread.

        Args:
            path: its file.
            song: its number from now on.

        Raises:
            OptionError: if it no longer exists, or its program is still running.
            FormatError: if it is broken, or of a newer version; it stays where it is.
            OutputError: if it cannot be taken over.
        """
        if _in_use(path):
            raise OptionError("The song is open in another window of LakhNES.")
        try:
            state, whereabouts = read_song(path)
            unsaved = Unsaved(replace(state, song=song), whereabouts, path.stat().st_mtime)
            with self._writing:
                self._hold()
                path.rename(self._file(song))
                self._tell(unsaved)
                self._written = {**self._written, song: unsaved}
        except FileNotFoundError:
            raise OptionError("The song no longer exists. Another window may have restored it.") from None
        _tidy(path)
        return unsaved

    def release(self) -> None:
        """Lets other runs find what is kept; nothing is written after it."""
        with self._writing:
            self._released = True
            if self._held is not None:
                self._held.close()
                self._held = None
                with suppress(OSError):
                    self._lock_file.unlink()

    def _tell(self, unsaved: Unsaved) -> None:
        with self._telling:
            self._told[unsaved.state.song] = unsaved

    @property
    def _lock_file(self) -> Path:
        return self._folder / f"{self._run}{_LOCK}"

    def _file(self, song: int) -> Path:
        return self._folder / f"{self._run}-{song}{ENDING}"

    def _hold(self) -> None:
        """Locks what is ours, once."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while self._held is None:
            held = self._lock_file.open("ab")
            if _locked(held) and _is(held, self._lock_file):  # else somebody is tidying it away
                self._held = held
            else:
                held.close()


def left_behind(folder: Path) -> list[Path]:
    """Return the files of programs that are no more, the latest first."""
    songs = list(folder.glob(f"autosave-*{ENDING}"))
    owned = {_lock_of(path) for path in songs}
    for lock in folder.glob(f"autosave-*{_LOCK}"):
        if lock not in owned:  # of a run that had nothing to keep when it was killed
            _tidy(lock)
    return sorted((path for path in songs if not _in_use(path)), key=_age, reverse=True)


def remove(path: Path) -> None:
    """Remove a song that was left behind, if it exists."""
    if _in_use(path):
        return
    with suppress(FileNotFoundError):
        path.unlink()
    _tidy(path)


def _lock_of(path: Path) -> Path:
    """Return the lock of a file's run: `autosave-PID-RUN.lock` for `autosave-PID-RUN-SONG.lakhnes`."""
    run = "-".join(path.stem.split("-")[:3])
    return path.with_name(f"{run}{_LOCK}")


def _tidy(path: Path) -> None:
    """Removes the lock of a run that is no more, once nothing of it is left."""
    lock = _lock_of(path)
    if any(path.parent.glob(f"{lock.stem}*{ENDING}")):
        return
    with suppress(OSError), lock.open("r+b") as file:
        if _locked(file):
            lock.unlink()


def _age(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _in_use(path: Path) -> bool:
    """Return whether the run that wrote a file is still running; False where files cannot be locked."""
    try:
        with _lock_of(path).open("r+b") as file:
            return not _locked(file, shared=True)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # somebody else's


def _is(file: BinaryIO, path: Path) -> bool:
    """Return whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _locked(file: BinaryIO, *, shared: bool = False) -> bool:
    """Locks a file until it is closed; whether nobody else had.

    Args:
        file: is open for writing.
        shared: whether others may look as well; Windows has no such lock.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # Windows says the latter
        return False
    except OSError:
        pass
    return True


__all__ = ["Autosave", "Unsaved", "left_behind", "remove"]
