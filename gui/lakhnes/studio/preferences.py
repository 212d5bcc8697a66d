"""The user's preferences for all songs: one small file in the platform's place."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from lakhnes.runtime import OptionError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.reading import read_at_most
from lakhnes.studio.editor import STEPS, USUAL_STEP
from lakhnes.studio.field_readers import switch, whole
from lakhnes.studio.session_file import checked
from lakhnes.studio.state import STEERING_FIELDS, SongState

MOST_RECENT = 10
"""Files that are remembered."""

_MAX_BYTES = 16 << 20
_THEMES = ("system", "light", "dark")


@dataclass(frozen=True, slots=True)
class Preferences:
    """Settings that persist between starts."""

    theme: str = "system"
    """`system`, `light` or `dark`."""
    ports: tuple[str, ...] | None = ()
    """Where MIDI goes: None nowhere, () to a port of our own, else to existing ports."""
    sound: bool = True
    """Whether the built-in sound is on."""
    recent: tuple[str, ...] = ()
    """Files that were opened or saved, the last first, `MOST_RECENT` at most."""
    folder: str = ""
    """Where a file was opened, saved or exported last."""
    geometry: str = ""
    """Place and size of the window, in its own writing."""
    layout: str = ""
    """Order of the window's parts, in its own writing."""
    step: str = USUAL_STEP
    """Which steps notes are put on by hand: a name of `STEPS`."""
    hear: bool = True
    """Whether notes are heard when they are selected."""
    metronome: bool = False
    """Whether beats click while a song plays."""
    counts_in: bool = False
    """Whether a bar is counted before it begins."""
    volumes: bool = False
    """Whether the lane of volumes is shown."""
    new_bars: int = 0
    """How many bars a new song has; 0 for one that goes on as it comes."""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name: values of `STEERING_FIELDS`."""


class PreferenceStore:
    """The preferences, and the file that they are in. Reading never fails.

    Attributes:
        value: the preferences now.
        remark: what was wrong with the file, for people; None if nothing was.
        first: whether there was no file: the app was never used here.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Reads the file, if there is one; a broken one is set aside.

        Args:
            path: the file; None for `app.json` in the platform's place.
        """
        self.path = path or platformdirs.user_config_path("lakhnes", appauthor=False) / "app.json"
        self.value = Preferences()
        self.remark: str | None = None
        self.first = False
        self._others: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._load()
        self._saved = self.value

    @property
    def changed(self) -> bool:
        """Whether `save` has something to do."""
        return self.value is not self._saved

    def change(self, **changes: Any) -> None:
        """Changes some preferences; `save` writes them, which takes its time.

        Args:
            changes: by field of `Preferences`.
        """
        value = replace(self.value, **changes)
        if value != self.value:
            self.value = value

    def remember(self, path: Path) -> None:
        """Puts a file in front of the recent ones."""
        name = str(path.absolute())
        others = [other for other in self.value.recent if other != name]
        self.change(recent=(name, *others)[:MOST_RECENT], folder=str(path.absolute().parent))

    def save(self) -> None:
        """Writes what was changed, whole or not at all; from any thread.

        Raises:
            OutputError: if it cannot be written.
            OSError: if there is no place for it.
        """
        with self._lock:
            value = self.value
            if value is self._saved:
                return
            text = json.dumps({**self._others, **asdict(value)}, indent=1)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, text.encode() + b"\n")
            self._saved = value

    def _load(self) -> None:
        try:
            data = read_at_most(self.path, _MAX_BYTES)
        except FileNotFoundError:
            self.first = True
            return
        except ValueError:
            self._set_aside()
            return
        except OSError as error:
            reason = error.strerror or str(error)
            self.remark = (
                f"{self.path} cannot be read ({reason}), so the default settings apply. Check the file."
            )
            return
        try:
            kept = json.loads(data)
            if not isinstance(kept, dict):
                raise ValueError("no object")
        except Exception:  # whatever is wrong with it: the usual settings hold
            self._set_aside()
            return
        known = {item.name for item in fields(Preferences)}
        self._others = {name: value for name, value in kept.items() if name not in known}
        for name in known & kept.keys():
            with suppress(Exception):  # that one keeps its usual value
                self.value = replace(self.value, **{name: _READERS[name](kept[name])})

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.broken")
        self.remark = f"{self.path} is damaged, so the default settings apply. "
        try:
            self.path.replace(aside)
        except OSError:
            self.remark += "A new file replaces it."
        else:
            self.remark += f"The old content is in {aside}."


class PresetStore:
    """Presets of the steering, by name."""

    def __init__(self, store: PreferenceStore) -> None:
        """Keeps them among the preferences."""
        self._store = store

    def names(self) -> tuple[str, ...]:
        """Return the names in alphabetical order."""
        return tuple(sorted(self._store.value.presets, key=str.casefold))

    def get(self, name: str) -> dict[str, Any]:
        """Return the values of a preset, by field of `SongState`; invalid values are left out.

        Raises:
            OptionError: if there is none of that name.
        """
        try:
            preset = self._store.value.presets[name]
        except KeyError:
            raise OptionError(f"The preset {name!r} no longer exists. Choose another one.") from None
        values = {}
        for key in STEERING_FIELDS:
            with suppress(KeyError, ValueError):
                values[key] = checked(key, preset[key])
        return values

    def put(self, name: str, values: Mapping[str, Any]) -> None:
        """Keeps a preset; one of the same name goes.

        Args:
            name: for people.
            values: by field of `SongState`; only those of the steering are kept.

        Raises:
            OptionError: if the name is empty.
        """
        if not name.strip():
            raise OptionError("Type a name for the preset.")
        steering = {key: values[key] for key in STEERING_FIELDS if key in values}
        self._store.change(presets={**self._store.value.presets, name.strip(): steering})

    def delete(self, name: str) -> None:
        """Delete a preset, if it exists."""
        presets = self._store.value.presets
        self._store.change(presets={other: presets[other] for other in presets if other != name})


def steering_of(state: SongState) -> dict[str, Any]:
    """Return the values of a state that a preset holds."""
    return {name: getattr(state, name) for name in STEERING_FIELDS}


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise TypeError
    return value


def _switch(value: Any) -> Any:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _step(value: Any) -> Any:
    if value not in STEPS:
        raise ValueError("no step")
    return value


def _theme(value: Any) -> Any:
    if value not in _THEMES:
        raise ValueError
    return value


def _texts(value: Any) -> Any:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_text, value))


def _presets(value: Any) -> Any:
    return {name: dict(preset.items()) for name, preset in value.items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "theme": _theme,
    "step": _step,
    "hear": switch,
    "metronome": switch,
    "counts_in": switch,
    "new_bars": whole(0, 1 << 10),
    "ports": lambda value: None if value is None else _texts(value),
    "sound": _switch,
    "recent": lambda value: _texts(value)[:MOST_RECENT],
    "folder": _text,
    "geometry": _text,
    "layout": _text,
    "presets": _presets,
}

__all__ = ["MOST_RECENT", "PreferenceStore", "Preferences", "PresetStore", "steering_of"]
