"""`lakhnes train`: train a model on prepared songs."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakhnes.cli.extras import training_side
from lakhnes.cli.options import JsonFlag
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from lakhnes.export.train_config import TrainConfig
    from lakhnes.export.training import TrainingProgress


def train(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Folders that `lakhnes prepare` made.", readable=False),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")],
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
    preset: Annotated[str | None, typer.Option(help="tiny, nes-6x384 (the default) or paper.")] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="Initial weights: a checkpoint, a LakhNES checkpoint, an exported model or its name."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the run's last checkpoint.")
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Training time. With an end in steps or tokens, or with --resume, save and stop after this "
            "time; --resume continues."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the whole schedule.", min=1)] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting. Repeat it for others."),
    ] = None,
    parts: Annotated[
        Path | None,
        typer.Option(
            "--export-parts",
            help="At the end, write the best weights here, in half precision and parts of 15 MiB.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a model on prepared songs; Ctrl-C saves and stops, --resume continues.

    The run's folder gets last.pt and best.pt, log.csv and curves.png. `lakhnes export RUN -o MODEL` converts
    it to a model for composing.
    """
    with training_side("lakhnes train"):
        from lakhnes.export.training import train as run_training
    from lakhnes.export.checkpoints import BEST, LAST, open_checkpoint, write_parts
    from lakhnes.export.prepared import open_prepared

    prepared = [open_prepared(folder) for folder in data]
    changes = _settings(settings or []) | ({"steps": steps} if steps else {})
    budget = math.inf
    if resume:
        wanted = _resumed(output, changes)
        start = None
        budget = 60 * minutes if minutes else math.inf
    else:
        _new_folder(output)
        start = open_checkpoint(init) if init else None
        wanted, budget = _planned(config, preset, changes, minutes, start.model.config if start else None)
    with _stopping() as should_stop, _shown(quiet=as_json) as watch:
        result = run_training(
            prepared,
            output,
            wanted,
            init=start,
            resume=resume,
            budget_seconds=budget,
            should_stop=should_stop,
            watch=watch,
        )
    if int(os.environ.get("RANK", "0")):
        return  # of several processes the first one speaks
    if parts is not None:
        best = output / BEST
        write_parts(best if best.exists() else output / LAST, parts)
    if as_json:
        plain = {
            k: v if not isinstance(v, float) or math.isfinite(v) else None for k, v in asdict(result).items()
        }
        say(json.dumps({"run": str(output), **plain}))
        return
    state = "finished" if result.finished else "stopped; go on with --resume"
    say(f"{state}: step {result.step}, {result.tokens / 1e6:.2f} M tokens, {result.seconds / 60:.1f} minutes")
    found = {"loss": result.loss, "valid": result.valid, "best": result.best}
    known = [f"{name} {value:.4f}" for name, value in found.items() if math.isfinite(value)]
    if known:
        say(f"nats    {', '.join(known)} a token")
    say(f"wrote   {output}")


def _settings(given: list[str]) -> dict[str, Any]:
    from lakhnes.runtime import OptionError

    settings = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"--set {text} is no setting; give one such as  --set lr=0.0005")
        settings[key.strip()] = value.strip()
    return settings


def _planned(
    file: Path | None, preset: str | None, changes: dict[str, Any], minutes: float | None, start: Any
) -> tuple[TrainConfig, float]:
    """Return the configuration of a new run, and the budget of this call in seconds."""
    from lakhnes.export.train_config import SIZES, make_config

    sizes = {name: getattr(start, name) for name in SIZES} if start else None
    config = make_config(preset=preset, file=file, changes=changes, sizes=sizes, minutes=minutes or 0)
    budget = 60 * minutes if minutes and config.minutes != minutes else math.inf
    return config, budget


def _resumed(folder: Path, changes: dict[str, Any]) -> TrainConfig:
    """Return the configuration of the run in a folder."""
    from lakhnes.export.checkpoints import LAST, read_checkpoint
    from lakhnes.export.train_config import changed_config
    from lakhnes.runtime import CheckpointError
    from lakhnes.runtime.reading import reading

    path = folder / LAST
    with reading(path, CheckpointError, "Start another run."):
        return changed_config(read_checkpoint(path)["train_config"], changes, str(path))


def _new_folder(folder: Path) -> None:
    from lakhnes.export.checkpoints import LAST
    from lakhnes.runtime import OutputError, TrainingError

    if (folder / LAST).exists():
        raise TrainingError(f"{folder} holds a run; go on with it by --resume, or give another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}. Give another folder.") from None


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether SIGTERM or Ctrl-C came; a second Ctrl-C interrupts at once."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_EVERY = 30.0
"""Seconds between lines without a terminal."""


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show the progress of a run: one changing line on a terminal, or a line now and then."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield lambda progress: None
        return
    shown = -math.inf
    last: dict[str, float] = {}

    def line(progress: TrainingProgress) -> str:
        row = progress.row
        last.update(
            {k: v for k, v in (("loss", row.loss), ("valid", row.valid), ("rate", row.rate)) if v is not None}
        )
        left = progress.seconds_left
        time_left = f"{left / 60:.1f} min left" if left < 5940 else f"{left / 3600:.1f} h left"
        parts = [f"{100 * progress.part:5.1f} %  step {row.step}"]
        parts += [f"loss {last['loss']:.3f}"] if "loss" in last else []
        parts += [f"valid {last['valid']:.4f} (best {progress.best:.4f})"] if "valid" in last else []
        parts += [f"{last['rate']:,.0f} tokens/s"] if "rate" in last else []
        return "  ".join([*parts, time_left if math.isfinite(left) else ""]).rstrip()

    if console.is_terminal:
        with console.status("reading the data") as status:
            yield lambda progress: status.update(line(progress))
        return

    def show(progress: TrainingProgress) -> None:
        nonlocal shown
        text = line(progress)
        if progress.row.valid is not None or progress.row.seconds - shown >= _EVERY:
            shown = progress.row.seconds
            say(text, error=True)

    yield show
