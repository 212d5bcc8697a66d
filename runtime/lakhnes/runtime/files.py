"""Writing files whole: to temporary names beside the targets, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from lakhnes.runtime.errors import OutputError

Content = bytes | Callable[[BinaryIO], None]
"""What a file holds, or a function that writes it."""

_NEXT_STEPS = {
    errno.ENOSPC: "Free some space, or give another place.",
    errno.EDQUOT: "Free some space, or give another place.",
    errno.EFBIG: "Give another place.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.ENOENT: "Make its folder first.",
}


def write_whole(path: Path, data: Content) -> None:
    """Writes a file so that it is there whole or not at all; see `write_all`."""
    write_all({path: data})


def write_all(files: Mapping[Path, Content]) -> None:
    """Writes files so that all of them are there whole, or none is touched.

    A file that is there is replaced and keeps its permissions; a link is followed.

    Args:
        files: target and content of each.

    Raises:
        OutputError: if a folder or the disk does not take them; nothing is left behind.
    """
    temporary: dict[Path, Path] = {}
    path = Path()
    named: dict[Path, Path] = {}
    for path in files:
        target = path.resolve()
        if target in named:
            raise OutputError(f"{named[target]} and {path} are one file. Give them different names.")
        if target.exists() and not target.is_file():
            raise OutputError(
                f"{path} cannot be written: there is something of that name. Give another name."
            )
        named[target] = path
    try:
        for target, path in named.items():
            data = files[path]
            temporary[target] = target.with_name(f".lakhnes-{secrets.token_hex(8)}")
            with temporary[target].open("xb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    data(file)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                temporary[target].chmod(target.stat().st_mode & 0o7777)
        for target, part in temporary.items():
            path = named[target]
            part.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        step = _NEXT_STEPS.get(error.errno or 0, "Check its permissions, or give another place.")
        raise OutputError(f"{path} cannot be written: {reason}. {step}") from None
    finally:
        for part in temporary.values():
            with contextlib.suppress(OSError):
                part.unlink()
