"""NumPy archives (`.npz`) from strangers: array headers are checked before memory is allocated."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lakhnes.export.archives import open_zip

_MAX_ARRAY_BYTES = 64 << 20
"""Largest array in bytes; the tokens of a full shard have 2 MB, those of a song of 8 MB of MIDI some 20."""

_MAX_HEADER = 1000
"""Longest array header in characters; NumPy writes 118."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_arrays(path: Path, kinds: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Read arrays of one dimension.

    Args:
        path: the file.
        kinds: dtype of each array by name (`<u2`), or `U` for texts of any length.

    Raises:
        Exception: many kinds, if the file is broken or has other arrays; call it inside `reading`.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with open_zip(path) as archive:
        for name, kind in kinds.items():
            entry = archive.getinfo(f"{name}.npy")
            if entry.file_size > _MAX_ARRAY_BYTES:
                raise ValueError(f"its array {name} has {entry.file_size >> 20:,} MiB")
            with archive.open(entry) as file:
                arrays[name] = _array(file, name, kind, entry.file_size)
    return arrays


def _array(file: IO[bytes], name: str, kind: str, size: int) -> NDArray[Any]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"its array {name} has a header of an unknown version")
    shape, _, dtype = _HEADERS[version](file, max_header_size=_MAX_HEADER)
    fits = dtype.kind == "U" and dtype.isnative if kind == "U" else dtype == np.dtype(kind)
    if not fits or len(shape) != 1 or type(shape[0]) is not int or shape[0] < 0:
        raise ValueError(f"its array {name} is of another kind")
    if shape[0] * dtype.itemsize > size - file.tell() or not (dtype.itemsize or not shape[0]):
        raise ValueError(f"its array {name} has fewer numbers than it says")
    raw = bytearray()
    while piece := file.read(1 << 20):
        raw += piece
    if kind == "U" and np.frombuffer(raw, "<u4", len(raw) // 4).max(initial=0) > sys.maxunicode:
        raise ValueError(f"its array {name} has letters that are none")
    return np.frombuffer(raw, dtype, shape[0])
