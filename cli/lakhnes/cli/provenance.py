"""`lakhnes provenance`: how a file was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakhnes.cli.options import JsonFlag
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from lakhnes.runtime import Provenance

TASKS = {
    "generate": "composed from nothing (lakhnes generate)",
    "continue": "composed as the continuation of a file (lakhnes continue)",
    "accompany": "composed around a file (lakhnes accompany)",
    "play": "composed live (lakhnes play)",
    "app": "made in the app",
}
"""Tasks of records, in words."""

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", readable=False, help="A file that lakhnes wrote: music, sound or a picture."
    ),
]


def provenance(file: FileArgument, as_json: JsonFlag = False) -> None:
    """Print how a file was made: the model, the seed, the settings, and what was kept."""
    from lakhnes.studio.records import read_records

    records = read_records(file)
    if as_json:
        plain = [None if record is None else json.loads(record.to_text()) for record in records]
        say(json.dumps(plain[0] if len(plain) == 1 else {"songs": plain}))
        return
    for number, record in enumerate(records, 1):
        if len(records) > 1:
            say(f"song       {number}")
        for name, text in [("made", "unknown")] if record is None else _in_words(record):
            say(f"{name:10} {text}")


def _in_words(record: Provenance) -> list[tuple[str, str]]:
    """Return a record as lines of a name and a text."""
    lines = [("made", TASKS.get(record.task, record.task)), ("lakhnes", record.lakhnes)]
    if record.model:
        lines.append(("model", f"{record.model}, SHA-256 {record.model_sha256 or 'unknown'}"))
    if record.seed is not None:
        lines.append(("seed", str(record.seed)))
    if record.piece:
        lines.append(("piece", record.piece))
    settings = [
        f"--{name}" if value is True else f"--{name} {value}"
        for name, given in sorted(record.settings.items())
        for value in (given if isinstance(given, tuple) else (given,))
    ]
    lines.append(("settings", "   ".join(settings) or "the defaults"))
    lines += [("kept", f"music of a file with SHA-256 {sha256}") for sha256 in record.kept]
    if record.edits:
        lines.append(("edited", f"{record.edits} times by hand"))
    if record.converted:
        lines.append(("converted", "from another file"))
    return lines
