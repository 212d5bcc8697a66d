"""numba where it is installed, plain Python where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

try:
    from numba import njit
except ImportError:
    COMPILED = False
else:
    COMPILED = True
"""Whether functions are compiled."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compiles a function when it is first called, and keeps the result on disk."""
    return cast(_Function, njit(cache=True, nogil=True)(function)) if COMPILED else function
