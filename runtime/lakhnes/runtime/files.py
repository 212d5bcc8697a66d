"""Writing whole files: first to temporary names in the target folder, then renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from lakhnes.runtime.errors import OutputError
from lakhnes.runtime.unfinished import Unfinished

Content = bytes | Callable[[BinaryIO], None]
"""The content of a file, or a function that writes it."""

_NEXT_STEPS = {
    errno.ENOSPC: "Free some space, or give another place.",
    errno.EDQUOT: "Free some space, or give another place.",
    errno.EFBIG: "Give another place.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.ENOENT: "Make its folder first.",
    errno.ELOOP: "Give another name.",
}


def write_whole(path: Path, data: Content) -> None:
    """Write a whole file or none; see `write_all`."""
    write_all({path: data})


def write_all(files: Mapping[Path, Content]) -> None:
    """Write all files whole, or leave all of them untouched.

    An existing file is replaced and keeps its permissions. A link is followed.

    Args:
        files: target and content of each.

    Raises:
        OutputError: if a folder or the disk refuses them; no part is left behind.
    """
    path = Path()
    named: dict[Path, Path] = {}
    temporary: dict[Path, Path] = {}
    try:
        for path in files:
            target = real_path(path)
            if target in named:
                raise OutputError(f"{named[target]} and {path} are one file. Give them different names.")
            if target.exists() and not target.is_file():
                raise OutputError(
                    f"{path} cannot be written: there is something of that name. Give another name."
                )
            named[target] = path
        with Unfinished() as unfinished:
            for target, path in named.items():
                temporary[target] = unfinished.beside(target)
                _write(temporary[target], files[path])
                if target.exists():
                    temporary[target].chmod(target.stat().st_mode & 0o7777)
            for target, part in temporary.items():
                path = named[target]
                part.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        step = _NEXT_STEPS.get(error.errno or 0, "Check its permissions, or give another place.")
        raise OutputError(f"{path} cannot be written: {reason}. {step}") from None


def real_path(path: Path) -> Path:
    """Return the target of a path, through all links.

    Raises:
        OSError: if its links lead in a circle.
    """
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, "its links lead in a circle", str(path))
    return real


def real_name(path: Path) -> str:
    """Return the real name of a file or folder, after all links; works for `.` too.

    `Path.resolve` raises if links form a circle; here they keep their own name.
    """
    return os.path.basename(os.path.realpath(path))


def _write(path: Path, data: Content) -> None:
    with path.open("xb") as file:
        if isinstance(data, bytes):
            file.write(data)
        else:
            data(file)
        file.flush()
        os.fsync(file.fileno())
