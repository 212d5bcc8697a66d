"""numba where it is installed, plain Python where it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

try:
    from numba import config, njit
except ImportError:
    COMPILED = False
else:
    COMPILED = True
"""Whether functions are compiled."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@cache
def _cache_folder() -> str:
    """Where compiled code is kept: a folder for each state of the sources.

    numba looks only at the file that a function is in, and would go on with old code where a constant of
    another file has changed.
    """
    from platformdirs import user_cache_dir

    state = hashlib.sha256(version("lakhnes").encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        state.update(path.read_bytes())
    base = config.CACHE_DIR or user_cache_dir("lakhnes", appauthor=False)  # type: ignore[attr-defined]
    return str(Path(base) / f"sound-{state.hexdigest()[:16]}")


def compiled(function: _Function) -> _Function:
    """Compiles a function when it is first called, and keeps the result on disk where there is a place."""
    if not COMPILED:
        return function
    usual = config.CACHE_DIR  # type: ignore[attr-defined]
    folder = _cache_folder()
    try:
        config.CACHE_DIR = folder  # type: ignore[attr-defined]
        result = njit(cache=True, nogil=True)(function)
    except (RuntimeError, OSError):  # no place to write to
        result = njit(nogil=True)(function)
    finally:
        config.CACHE_DIR = usual  # type: ignore[attr-defined]
    return cast(_Function, result)
