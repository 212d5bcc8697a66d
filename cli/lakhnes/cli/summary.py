"""Summary of written music."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lakhnes.cli.printing import say
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Score


def summary(score: Score, files: list[Path]) -> dict[str, Any]:
    """Return the summary of a written score as data."""
    notes = {voice.name: len(score.parts[voice].notes) for voice in Voice}
    return {"seconds": score.seconds, "notes": notes, "files": [str(file) for file in files]}


def print_summary(row: dict[str, Any]) -> None:
    """Print the result of `summary`."""
    voices = ", ".join(f"{name} {n}" for name, n in row["notes"].items())
    say(f"length  {row['seconds']:.1f} s, {sum(row['notes'].values())} notes ({voices})")
    say(f"wrote   {', '.join(row['files'])}")
