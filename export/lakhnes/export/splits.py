"""The split of each song."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from lakhnes.export.prepared import SPLITS
from lakhnes.runtime.errors import DataError, OptionError
from lakhnes.runtime.music.texts import decode_text
from lakhnes.runtime.reading import read_at_most, reading

_FOLDERS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid"}
_FOLDERS |= {"dev": "valid", "test": "test"}

_MAX_LIST_BYTES = 64 << 20  # half a million files

MODES = ("auto", "file", "composer")
"""Ways to split without a list."""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """Rule for the splits. It depends on the file alone, so the order does not matter.

    Raises:
        OptionError: if the mode is unknown, or the shares leave nothing for training.
    """

    mode: str = "auto"
    """`auto`: by a folder named train, valid or test, or else as `file`. `file`: by the hash of its content.
    `composer`: by the hash of its folder's name, or of its name up to the first `_` or ` - `."""
    valid: float = 0.05
    """Share of files, or composers, for `valid`, 0..1."""
    test: float = 0.0
    """Share for `test`, 0..1."""
    listed: Mapping[str, str] = field(default_factory=dict)
    """Split of each file name in a list; with a list, other files are `train`."""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise OptionError(f"A split by {self.mode!r} is not known; give one of {', '.join(MODES)}.")
        if not (0 <= self.valid < 1 and 0 <= self.test < 1 and self.valid + self.test < 1):
            raise OptionError("The shares of valid and test go from 0 to below 1, together too.")

    def split(self, name: str, content: bytes) -> str:
        """Return the split of a file.

        Args:
            name: its path inside the user's source.
            content: hash of its content.
        """
        path = PurePosixPath(name)
        if self.listed:
            places = range(len(path.parts))
            known = ("/".join(path.parts[place:]) for place in places)
            return next((self.listed[tail] for tail in known if tail in self.listed), "train")
        if self.mode == "composer":
            folder = path.parent.name
            group = folder or re.split(r"_| - ", path.name, maxsplit=1)[0]
            return self._drawn(blake2b(group.encode(), digest_size=8).digest())
        if self.mode == "auto":
            named = [_FOLDERS[part.lower()] for part in path.parts[:-1] if part.lower() in _FOLDERS]
            if named:
                return named[-1]
        return self._drawn(content)

    def _drawn(self, key: bytes) -> str:
        place = int.from_bytes(key[:6]) / (1 << 48)
        return "valid" if place < self.valid else "test" if place < self.valid + self.test else "train"


def read_split_list(path: Path) -> dict[str, str]:
    """Read a list of files and their splits: on each line `train`, `valid` or `test` and a file name.

    Raises:
        DataError: with the line that is no such pair, or if the list is empty or no text.
    """
    listed: dict[str, str] = {}
    with reading(path, DataError, "Give a text with lines such as  valid 004_Balloon.mid"):
        lines = decode_text(read_at_most(path, _MAX_LIST_BYTES)).splitlines()
    for number, line in enumerate(lines, start=1):
        split, _, name = line.strip().replace("\t", " ").partition(" ")
        if split and (split not in SPLITS or not name.strip()):
            raise DataError(
                f"{path}, line {number}: expected train, valid or test and then a file name, "
                "such as  valid 004_Balloon.mid"
            )
        if split:
            listed[name.strip().removeprefix("./")] = split
    if not listed:
        raise DataError(f"{path} is empty; each line has a split and a file name.")
    return listed
