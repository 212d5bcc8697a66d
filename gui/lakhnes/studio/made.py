"""The record of how a song of the app was made."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

from lakhnes.runtime import LakhnesError, Provenance, Voice
from lakhnes.runtime.printable import printable
from lakhnes.runtime.provenance import MOST_CHARACTERS, Setting
from lakhnes.studio.models import Models
from lakhnes.studio.state import STEERING_FIELDS, SongState

_OPTIONS = {name: name.replace("_", "-") for name in STEERING_FIELDS if name != "drones"}
"""Options of the commands that mean the same."""


def record_of(state: SongState, models: Models) -> str:
    """Return how a song was made; empty if that would be longer than a record may be.

    Model, seed and settings are those of now. They are left out if nothing was composed.

    Args:
        state: the song.
        models: the models that are loaded.
    """
    record = Provenance("app", version("lakhnes"), kept=state.sources, edits=state.edits)
    if state.composed:
        model = models.loaded(state.model)
        record = replace(
            record,
            model="unknown" if model is None else printable(model.info.name, 100),
            model_sha256="" if model is None else model.sha256,
            seed=state.seed,
            settings=_settings(state),
        )
    text = record.to_text()
    return text if len(text) <= MOST_CHARACTERS else ""


def _settings(state: SongState) -> dict[str, Setting]:
    """Return the settings that differ from their defaults, by the names that commands have for them."""
    usual = SongState()
    settings: dict[str, Setting] = {"bpm": state.composed_bpm}
    if state.beats_per_bar != usual.beats_per_bar:
        settings["meter"] = state.beats_per_bar
    for name, option in _OPTIONS.items():
        value = getattr(state, name)
        if value != getattr(usual, name) and _is_used(state, name):
            settings[option] = "none" if value is None else value if type(value) is not str else _line(value)
    if state.drones:
        settings["repetition-penalty"] = 0.0
    ranges = tuple(
        f"{Voice(number).name}:{'' if voice.lowest is None else voice.lowest}-"
        f"{'' if voice.highest is None else voice.highest}"
        for number, voice in enumerate(state.voices)
        if (voice.lowest, voice.highest) != (None, None)
    )
    return settings | ({"range": ranges} if ranges else {})


def _is_used(state: SongState, name: str) -> bool:
    """Return whether a setting is in force; a scale or chords that nobody can read are not."""
    if name not in ("scale", "chords"):
        return True
    try:
        return state.request is not None
    except LakhnesError:
        return False


def _line(text: str) -> str:
    return " ".join(text.split())


__all__ = ["record_of"]
