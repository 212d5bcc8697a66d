"""The record of how a piece was made: a line of JSON that travels in its files.

It holds no names of people or files, no paths and no dates. A file that was kept is known by its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.reading import reading

FORMAT = "lakhnes provenance"
VERSION = 1
"""Version of the format; it rises when older programs can no longer read a record."""

MOST_CHARACTERS = 1 << 14
"""Longest text of a record."""

Setting = bool | int | float | str | tuple[str, ...]
"""Value of an option; several values of a repeated option."""

_MOST_WORD = 200  # characters of a name
_MOST_SETTINGS = 64
_OPTION = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a piece was made.

    Raises:
        ValueError: if a field breaks the rule in its docstring. No text has control characters.
    """

    task: str
    """The command, such as `generate`, or `app`."""
    lakhnes: str
    """Version of lakhnes."""
    model: str = ""
    """Name of the model; empty if nothing was composed."""
    model_sha256: str = ""
    """SHA-256 of the model's file; empty if unknown."""
    seed: int | None = None
    """Random seed, 0 or more; None for none."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Options that differ from their defaults, by their names without dashes in front, such as `top-k`."""
    piece: str = ""
    """Piece of a game's music; empty for other music."""
    kept: tuple[str, ...] = ()
    """SHA-256 of each file whose music was kept."""
    edits: int = 0
    """Number of changes by hand in the app."""
    notes: str = ""
    """SHA-256 of the composed notes, as `notes_sha256` returns it; empty if unknown."""
    converted: bool = False
    """Whether the file was made from another file, so that its notes may have moved."""

    def __post_init__(self) -> None:
        for name in ("task", "lakhnes", "model", "piece"):
            _check(_is_word(getattr(self, name)), name, getattr(self, name))
        _check(bool(self.task), "task", self.task)
        for name in ("model_sha256", "notes"):
            _check(getattr(self, name) == "" or _is_sha256(getattr(self, name)), name, getattr(self, name))
        _check(type(self.kept) is tuple and all(map(_is_sha256, self.kept)), "kept", self.kept)
        _check(self.seed is None or _is_count(self.seed), "seed", self.seed)
        _check(_is_count(self.edits), "edits", self.edits)
        _check(type(self.converted) is bool, "converted", self.converted)
        _check(isinstance(self.settings, Mapping) and len(self.settings) <= _MOST_SETTINGS, "settings", "…")
        for name, value in self.settings.items():
            _check(isinstance(name, str) and _OPTION.fullmatch(name) is not None, "setting", name)
            _check(_is_setting(value), name, value)

    def to_text(self) -> str:
        """Return the record as one line of JSON with sorted keys; fields at their defaults are left out."""
        usual = Provenance("default", "")
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {name: value for name, value in said.items() if value != getattr(usual, name)}
        plain |= {"format": FORMAT, "version": VERSION, "task": self.task, "lakhnes": self.lakhnes}
        plain["settings"] = dict(self.settings)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_text(cls, text: str, source: str | Path) -> Provenance:
        """Read the text of `to_text`; unknown fields are ignored.

        Args:
            text: as a file has it.
            source: the file's name in errors.

        Raises:
            FormatError: if the text is no record, a broken one, or one of a newer version.
        """
        with reading(f"The record in {source}", FormatError, "The music itself can be read"):
            plain = _plain(text, source)
            task, lakhnes = plain.pop("task"), plain.pop("lakhnes")
            known = {one.name for one in fields(cls)}
            given = {name: value for name, value in plain.items() if name in known}
            settings = given.get("settings", {})
            if not isinstance(settings, dict):
                raise ValueError("its settings are no object")
            given["settings"] = {name: _of_json(value) for name, value in settings.items()}
            given["kept"] = _of_json(given.get("kept", []))
            return cls(task, lakhnes, **given)


def record_in(text: str) -> str:
    """Return the line of a text that is a record of this format; empty if none is."""
    return next((line for line in text.splitlines() if line.startswith("{") and FORMAT in line), "")


def notes_sha256(score: Score) -> str:
    """Return the SHA-256 of all notes and changes of a score, and of its length."""
    parts = [
        [
            [(note.onset, note.length, note.pitch, note.velocity) for note in part.notes],
            [(change.sample, change.kind.name, change.value) for change in part.changes],
        ]
        for part in score.parts
    ]
    return hashlib.sha256(json.dumps([score.length, parts], separators=(",", ":")).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(text: str, source: str | Path) -> dict[str, Any]:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has more than {MOST_CHARACTERS} characters")
    plain = json.loads(text, parse_constant=_refuse)
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise ValueError("it is something else")
    version = plain.get("version")
    if type(version) is not int or version < 1:
        raise ValueError(f"its version is {version!r:.40}")
    if version > VERSION:
        raise FormatError(
            f"The record in {source}", f"it was written by a newer lakhnes (record version {version}); update"
        )
    return plain


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _of_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(right: bool, name: str, value: object) -> None:
    if not right:
        raise ValueError(f"its {name} is {value!r:.40}")


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_WORD and value.isprintable()


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_setting(value: object) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(each, str) and each.isprintable() for each in value)
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, bool | int) or (isinstance(value, str) and value.isprintable())


__all__ = [
    "MOST_CHARACTERS",
    "Provenance",
    "Setting",
    "file_sha256",
    "notes_sha256",
    "record_in",
]
