"""The record of how a command made its music."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lakhnes.cli.request_options import RequestOptions

if TYPE_CHECKING:
    from lakhnes.runtime import Model, Score
    from lakhnes.runtime.provenance import Setting

SETTINGS = frozenset(
    (
        *(field.name for field in fields(RequestOptions)),
        *("seconds", "tokens", "bars", "bpm", "meter", "loop", "form", "game"),
        *("prompt_seconds", "only_new", "mode", "keep", "voices"),
        *("midi", "raw_timing", "instrument"),
    )
)
"""Parameters of commands that decide what is in a file, and name neither people nor files."""


def record_of(
    context: typer.Context,
    model: Model,
    seed: int,
    score: Score | None,
    *,
    kept: Path | None = None,
    piece: str = "",
) -> str:
    """Return the record of a piece that a command composed; empty if it would be longer than a record may be.

    Args:
        context: of the command.
        model: the composing model.
        seed: of the piece.
        score: what was composed; None if that cannot be composed again.
        kept: the file whose music was kept; None for none.
        piece: its name in a game's music.
    """
    from importlib.metadata import version

    from lakhnes.runtime.printable import printable
    from lakhnes.runtime.provenance import MOST_CHARACTERS, Provenance, file_sha256, notes_sha256

    record = Provenance(
        task=context.command.name or "",
        lakhnes=version("lakhnes"),
        model=printable(model.info.name, 100),
        model_sha256=model.sha256,
        seed=seed,
        settings=_settings(context, kept),
        piece=piece,
        kept=() if kept is None else (file_sha256(kept),),
        notes="" if score is None else notes_sha256(score),
    ).to_text()
    return record if len(record) <= MOST_CHARACTERS else ""


def option_names(command: Any) -> dict[str, str]:
    """Return the parameters of a command that records hold, by the names of their options without dashes."""
    return {one.opts[0].lstrip("-"): one.name for one in command.params if one.name in SETTINGS}


def _settings(context: typer.Context, kept: Path | None) -> dict[str, Setting]:
    """Return the options of a command that differ from their defaults."""
    usual = {one.name: one.default for one in context.command.params}
    settings: dict[str, Setting] = {}
    for option, name in option_names(context.command).items():
        value = context.params[name]
        if value == usual[name] or value is None or value == []:
            continue
        if name == "voices" and kept is not None:
            value = _numbered(value, kept)
        settings[option] = tuple(map(_plain, value)) if isinstance(value, list) else _plain(value)
    return settings


def _plain(value: Any) -> Any:
    """Return a value on one line."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _numbered(voices: str, source: Path) -> str:
    """Return which tracks voices play by the tracks' numbers, as their names are somebody's."""
    from lakhnes.bridge import midi_lines
    from lakhnes.bridge.voice_choice import numbered

    return numbered(voices, midi_lines(source))


__all__ = ["SETTINGS", "option_names", "record_of"]
