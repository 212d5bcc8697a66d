"""`lakhnes prepare`: convert music files to training data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lakhnes.cli.options import JsonFlag, finite
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from lakhnes.export.cluster import Executor
    from lakhnes.export.prepare import Preparation, PreparationProgress
    from lakhnes.export.prepared import SplitInfo
    from lakhnes.export.splits import SplitRule

_OTHER = "MIDI that is not NES-MDB's"
_SPLITS = "Splits"
_WORK = "Work"


def prepare(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN...", readable=False, help="Folders, zips, tars, or files: MIDI (any), TX1, TX2."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Data folder to create.")],
    format_: Annotated[
        Literal["tx1", "tx2"], typer.Option("--format", help="tx1: notes; tx2: also dynamics and timbre.")
    ] = "tx1",
    timing: Annotated[
        Literal["frames", "samples", "bars"],
        typer.Option(
            help="frames: clean, on the console's 60 frames a second; samples: every sample, as in LakhNES; "
            "bars: bars and beats at any tempo."
        ),
    ] = "frames",
    adapt: Annotated[
        Literal["better", "legacy"],
        typer.Option(
            help="better: use as much music as possible, with top and bass lines of chords, drums by their "
            "kind, and no copies; legacy: adapt as LakhNES 2019 did.",
            rich_help_panel=_OTHER,
        ),
    ] = "better",
    arrangements: Annotated[
        int | None,
        typer.Option(
            help="Most songs per file, each with other tracks. Default: 8, or 16 for `legacy`.",
            min=1,
            max=1000,
            show_default=False,
            rich_help_panel=_OTHER,
        ),
    ] = None,
    max_seconds: Annotated[
        float,
        typer.Option(
            help="Longest song in seconds; longer songs are cut (`legacy`: 180).",
            callback=finite,
            min=5,
            max=86_400,
            rich_help_panel=_OTHER,
        ),
    ] = 600.0,
    split: Annotated[
        str,
        typer.Option(
            help="auto: by folders named train, valid, test, or else as `file`; file: by each file's hash; "
            "composer: by folder or start of the name; or a list file with lines like 'valid NAME.mid'.",
            rich_help_panel=_SPLITS,
        ),
    ] = "auto",
    valid: Annotated[
        float,
        typer.Option(
            help="Share of songs for valid, 0 to 0.99.",
            callback=finite,
            min=0,
            max=0.99,
            rich_help_panel=_SPLITS,
        ),
    ] = 0.05,
    test: Annotated[
        float,
        typer.Option(
            help="Share of songs for test, 0 to 0.99.",
            callback=finite,
            min=0,
            max=0.99,
            rich_help_panel=_SPLITS,
        ),
    ] = 0.0,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Number of processes. Default: one per core.",
            min=1,
            max=1024,
            show_default=False,
            rich_help_panel=_WORK,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Address of a Dask scheduler that runs the work: tcp://HOST:8786.", rich_help_panel=_WORK
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Convert music files to training data. Run it again to continue after an interruption."""
    from lakhnes.export.prepare import prepare
    from lakhnes.export.songs import Recipe

    if jobs is not None and cluster is not None:
        raise typer.BadParameter("give --jobs or --cluster, not both", param_hint="--cluster")
    most = arrangements or (16 if adapt == "legacy" else 8)
    recipe = Recipe("bars" if timing == "bars" else format_, timing, adapt, most, max_seconds)
    rule = _rule(split, valid, test)
    executor = _executor(jobs, cluster)
    try:
        with _bar(quiet=as_json) as progress:
            done = prepare(sources, output, recipe, rule, executor, progress=progress)
    except KeyboardInterrupt:
        say("lakhnes: interrupted. Run the same command again: it goes on where it was.", error=True)
        raise
    finally:
        executor.close()
    _say(done, as_json=as_json)


def _rule(split: str, valid: float, test: float) -> SplitRule:
    from lakhnes.export.splits import MODES, SplitRule, read_split_list
    from lakhnes.runtime.errors import OptionError

    if split in MODES:
        return SplitRule(split, valid, test)
    if not Path(split).is_file():
        raise OptionError(f"--split {split} is neither {', '.join(MODES)} nor a list that is there.")
    return SplitRule("auto", valid, test, read_split_list(Path(split)))


def _executor(jobs: int | None, cluster: str | None) -> Executor:
    import os

    from lakhnes.export.cluster import Cluster, Processes, Serial

    if cluster is not None:
        return Cluster(cluster)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jobs = jobs or cores
    return Serial() if jobs == 1 else Processes(jobs)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[PreparationProgress], None]]:
    """Show a progress bar, if there is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda progress: None
        return
    columns = (
        TextColumn("preparing"),
        BarColumn(),
        TextColumn(
            "{task.fields[files]} files, {task.fields[songs]} songs, {task.fields[hours]:.1f} h of music"
        ),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, files=0, songs=0, hours=0.0)
        yield lambda now: bar.update(
            task, completed=now.part, files=now.files, songs=now.songs, hours=now.seconds / 3600
        )


def _rate(split: SplitInfo) -> float:
    """Return the tokens per second of music."""
    return split.tokens / split.seconds if split.seconds else 0.0


def _say(done: Preparation, *, as_json: bool) -> None:
    """Print a summary."""
    from dataclasses import asdict

    from lakhnes.export.prepared import SKIPPED_FILE

    data = done.data
    if as_json:
        counts = {"files": done.files, "skipped": done.skipped, "copies": done.copies}
        splits = {
            name: {
                **asdict(split),
                "tokens_per_second": split.tokens / split.seconds if split.seconds else 0.0,
            }
            for name, split in data.splits.items()
        }
        say(json.dumps({"folder": str(data.folder), **counts, "splits": splits}))
        return
    for name, split in data.splits.items():
        notes = ", ".join(f"{voice} {count:,}" for voice, count in split.notes.items())
        say(f"{name:<8}{split.songs:,} songs, {split.tokens:,} tokens, {split.seconds / 3600:.1f} h")
        say(f"{'':<8}{_rate(split):.1f} tokens a second; notes {notes}")
    left = [f"{done.skipped:,} of {done.files:,} files (see {SKIPPED_FILE})"] if done.skipped else []
    left += [f"{done.copies:,} copies of songs"] if done.copies else []
    if left:
        say(f"{'left out':<9}{', '.join(left)}")
    say(f"wrote   {data.folder} ({data.vocabulary.name}, {data.timing})")
