"""Progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lakhnes.runtime.music.events import SAMPLE_RATE

Report = Callable[[float, int, int], None]
"""Takes the fraction done (0..1), samples of music, and events."""


@contextmanager
def composing(*, quiet: bool) -> Iterator[Report]:
    """Show a progress bar while something composes, if there is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("composing"),
        BarColumn(),
        TextColumn("{task.fields[music]:.1f} s of music, {task.fields[events]} events"),
        TimeElapsedColumn(),
    )
    if quiet or not console.is_terminal:
        yield lambda part, samples, events: None
        return
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0, music=0.0, events=0)

        def report(part: float, samples: int, events: int) -> None:
            progress.update(task, completed=part, music=samples / SAMPLE_RATE, events=events)

        yield report


@contextmanager
def rendering(doing: str) -> Iterator[Callable[[float], None]]:
    """Show a progress bar while something renders, if there is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda part: None
        return
    columns = (TextColumn(doing), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda part: progress.update(task, completed=part)
