"""`lakhnes train`: prepared songs to a model."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakhnes.cli.options import JsonFlag

if TYPE_CHECKING:
    from lakhnes.export.train_config import TrainConfig
    from lakhnes.export.training import Progress


def train(
    data: Annotated[
        list[Path], typer.Argument(metavar="DATA...", help="Folders that `lakhnes prepare` made.", readable=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")],
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
    preset: Annotated[str | None, typer.Option(help="tiny, nes-6x384 (the default) or paper.")] = None,
    init: Annotated[
        str | None,
        typer.Option(help="Weights to start from: a checkpoint, a LakhNES one, an exported model or its name."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Train so long. With an end in steps or tokens, or --resume: save and leave after so long; "
            "--resume goes on."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the whole schedule.", min=1)] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting. May be given again.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Trains a model on prepared songs; Ctrl-C saves and leaves, --resume goes on.

    The run's folder gets last.pt and best.pt, log.csv and curves.png. `lakhnes export RUN/best.pt -o MODEL` makes
    a model of it to compose with.
    """
    from lakhnes.runtime import MissingExtraError

    try:
        from lakhnes.export.training import train as run_training
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "onnx"):
            raise
        raise MissingExtraError("train", "lakhnes train") from None
    from lakhnes.export.checkpoints import open_checkpoint
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
    if as_json:
        plain = {k: v if not isinstance(v, float) or math.isfinite(v) else None for k, v in asdict(result).items()}
        typer.echo(json.dumps({"run": str(output), **plain}))
        return
    state = "finished" if result.finished else "stopped; go on with --resume"
    typer.echo(f"{state}: step {result.step}, {result.tokens / 1e6:.2f} M tokens, {result.seconds / 60:.1f} minutes")
    typer.echo(f"loss    {result.loss:.4f}, valid {result.valid:.4f}, best {result.best:.4f} nats a token")
    typer.echo(f"wrote   {output}")
