"""A lock for one training run per folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lakhnes.runtime.errors import OutputError, TrainingError

LOCK_FILE = ".train.lock"
"""Lock file in the run's folder; the system holds the lock itself, and it ends with its process."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other training runs out of a folder.

    Args:
        folder: existing folder of the run.

    Raises:
        TrainingError: if another process trains in it.
        OutputError: if the folder cannot be written.
    """
    lock = FileLock(folder / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise TrainingError(
            f"Another `lakhnes train` is at work in {folder}. Wait until it ends, or give another folder."
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be the folder of a run: {error.strerror}. Give another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
