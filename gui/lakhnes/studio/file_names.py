"""Names of song files, and whether such files can be written."""

from __future__ import annotations

import os
from pathlib import Path

from lakhnes.bridge import MIDI_ENDINGS
from lakhnes.runtime import Voice
from lakhnes.runtime.errors import OutputError
from lakhnes.runtime.files import real_path
from lakhnes.studio.file_formats import ENDINGS, format_of, usual_endings


def name_of(path: Path) -> str:
    """Return the name of a file without the ending that says its format."""
    ending = next((e for e in (*ENDINGS, *MIDI_ENDINGS, ".txt") if path.name.lower().endswith(e)), "")
    return path.name[: len(path.name) - len(ending)]


def written_files(path: Path, *, stems: bool, voices: frozenset[Voice] | None) -> list[Path]:
    """Return the files that music written to a path becomes: itself, or a file for each voice in its folder.

    Args:
        path: that was asked for.
        stems: whether each voice gets a sound file of its own.
        voices: those that get one; None for all.
    """
    form = format_of(path.name)
    if not (stems and form is not None and form.sound):
        return [path]
    return [stem_file(path, voice.name) for voice in Voice if voices is None or voice in voices]


def stem_file(path: Path, voice: str) -> Path:
    """Return the path of a voice's own sound file: NAME-P1.wav of NAME.wav."""
    return path.with_name(f"{path.stem}-{voice}{path.suffix}")


def check_outputs(paths: list[Path], source: Path | None = None) -> None:
    """Refuses files that cannot be written, before any work is done for them.

    Args:
        paths: what is to be written.
        source: what is read; it is not to be overwritten.

    Raises:
        OutputError: for a name that says no format, a folder that is missing or not ours, or the source
            itself.
    """
    for path in paths:
        try:
            _check_output(path, source)
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written: {error.strerror or error}. Give another name."
            ) from error


def _check_output(path: Path, source: Path | None) -> None:
    if source is not None and os.path.realpath(path) == os.path.realpath(source):
        raise OutputError(f"{path} would be overwritten by what is made of it. Give another name with -o.")
    if not path.name.lower().endswith(ENDINGS):
        raise OutputError(f"{path} has no ending that says a format; use {usual_endings()}.")
    if path.name.lower() in ENDINGS:
        raise OutputError(f"{path} is an ending without a name; put one before it.")
    real_path(path)
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"{path} cannot be written: it is not yours to write. Give another place.")
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a folder. Give another name.")


def is_album(path: Path) -> bool:
    """Return whether a file of this name holds several songs."""
    form = format_of(path.name)
    return form is not None and form.album


def numbered(path: Path, number: int, count: int) -> Path:
    """Return the path of one of several songs: NAME-001.mid of NAME.mid; itself if it holds them all."""
    return path if count == 1 else named(path, f"{number:03d}")


def named(path: Path, piece: str) -> Path:
    """Return the path of a piece: NAME-PIECE.mid of NAME.mid; the path itself if it holds all pieces."""
    if is_album(path):
        return path
    name = name_of(path)
    return path.with_name(f"{name}-{piece}{path.name[len(name) :]}")


__all__ = ["check_outputs", "is_album", "name_of", "named", "numbered", "stem_file", "written_files"]
