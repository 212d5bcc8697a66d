"""Scores in and out of files; the ending of a name decides the format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from lakhnes.bridge import MidiStyle, import_midi, midi_bytes
from lakhnes.runtime.errors import OptionError, OutputError
from lakhnes.runtime.events import Voice
from lakhnes.runtime.score import Score
from lakhnes.runtime.texts import read_text, tx1_text, tx2_text

_MIDI = (".mid", ".midi")
_TX1 = (".tx1.txt", ".tx1")
_TX2 = (".tx2.txt", ".tx2")
_READABLE = "a MIDI (.mid) or a text (.tx1.txt, .tx2.txt)"
_WRITABLE = ".mid, .tx1.txt or .tx2.txt"


def read_score(path: Path) -> tuple[Score, tuple[str, ...]]:
    """Reads a score, and remarks on what was decided on the way.

    Raises:
        FormatError: if the file is broken.
        OptionError: if its name has no known ending, or it is not there.
        OSError: if it cannot be opened.
    """
    name = path.name.lower()
    if not path.exists():
        raise OptionError(f"{path} is not there; give {_READABLE}.")
    if not path.is_file():
        raise OptionError(f"{path} is no file; give {_READABLE}.")
    if name.endswith((*_MIDI, ".rmi")):
        imported = import_midi(path)
        return imported.score, imported.remarks
    if name.endswith((*_TX1, *_TX2, ".txt")):
        return read_text(path), ()
    raise OptionError(f"{path} has no known ending; give {_READABLE}.")


def check_outputs(paths: list[Path], source: Path | None = None) -> None:
    """Refuses files that cannot be written, before any work is done for them.

    Args:
        paths: what is to be written.
        source: what is read; it is not to be overwritten.

    Raises:
        OptionError: for an ending that says no format.
        OutputError: for a folder that is not there or not ours, or the source itself.
    """
    for path in paths:
        if source is not None and path.resolve() == source.resolve():
            raise OutputError(
                f"{path} would be overwritten by what is made of it. Give another name with -o."
            )
        if not path.name.lower().endswith((*_MIDI, *_TX1, *_TX2)):
            raise OptionError(f"{path} has no ending that says a format; use {_WRITABLE}.")
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise OutputError(f"{path} cannot be written: it is not yours to write. Give another place.")
        if path.is_dir():
            raise OutputError(f"{path} cannot be written: it is a folder. Give another name.")


def summary(score: Score, files: list[Path]) -> dict[str, Any]:
    """What is said of a score that was written, as data."""
    notes = {voice.name: len(score.parts[voice].notes) for voice in Voice}
    return {"seconds": score.seconds, "notes": notes, "files": [str(file) for file in files]}


def print_summary(row: dict[str, Any]) -> None:
    """Prints what `summary` says."""
    voices = ", ".join(f"{name} {n}" for name, n in row["notes"].items())
    typer.echo(f"length  {row['seconds']:.1f} s, {sum(row['notes'].values())} notes ({voices})")
    typer.echo(f"wrote   {', '.join(row['files'])}")


def numbered(path: Path, number: int, count: int) -> Path:
    """The path of one of several songs: NAME-001.mid of NAME.mid; the path itself for a single one."""
    if count == 1:
        return path
    ending = next((e for e in (*_TX1, *_TX2, *_MIDI) if path.name.lower().endswith(e)), "")
    name = path.name[: len(path.name) - len(ending)]
    return path.with_name(f"{name}-{number:03d}{path.name[len(name) :]}")


def score_bytes(score: Score, path: Path, style: MidiStyle) -> bytes:
    """The content of a file.

    Args:
        score: what it holds.
        path: its name, one that `check_outputs` takes.
        style: of MIDI files.
    """
    name = path.name.lower()
    if name.endswith(_TX1):
        return tx1_text(score).encode() + b"\n"
    if name.endswith(_TX2):
        return tx2_text(score).encode() + b"\n"
    return midi_bytes(score, style)
