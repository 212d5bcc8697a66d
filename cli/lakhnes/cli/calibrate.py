"""`lakhnes calibrate`: fit a model's match cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lakhnes.cli.extras import training_side
from lakhnes.cli.options import THREADS, JsonFlag
from lakhnes.cli.printing import say


def calibrate(
    model: Annotated[str, typer.Argument(help="A model's folder, its .onnx file, or a model's name.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Prepared data, or a folder that contains valid/: songs that the model was not trained on.",
            readable=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Model folder to create. Default: change the model itself."),
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="So many events of the songs at most, the last quarter to test it.", min=100)
    ] = 160_000,
    threads: Annotated[int, typer.Option(help="Threads.", min=1, max=256)] = THREADS,
    as_json: JsonFlag = False,
) -> None:
    """Fit a model's match cache to songs that are new to the model."""
    from lakhnes.runtime import Model, OptionError, list_models
    from lakhnes.runtime.model.catalog import find_model
    from lakhnes.runtime.model.model_info import MODEL_FILE

    with training_side("lakhnes calibrate"):
        import torch

        from lakhnes.export.calibration import calibrate as fit
        from lakhnes.export.calibration import write_calibrated
    from lakhnes.export.evaluation import fill_streams
    from lakhnes.export.evaluation_songs import read_split

    if output is None and model in list_models():
        raise OptionError(f"{model} is a model of the package; give a folder for the new one with -o.")
    torch.set_num_threads(threads)
    path = find_model(model)
    player = Model.load(path, threads=threads)
    found = read_split(data, "valid", player.codec)
    songs = [song.tolist() for song in found.tokens]
    streams = fill_streams(songs, player.info.vocabulary, single_steps=True)
    from rich.console import Console

    with Console(stderr=True, quiet=as_json).status("reading") as status:
        result = fit(player, streams, tokens, lambda stage, part: status.update(f"{stage} {part:.0%}"))
    target = output / MODEL_FILE if output else path
    better = result.loss < result.network_loss
    if better:
        write_calibrated(path, target, result.recall)
    if as_json:
        facts = {name: value for name, value in result._asdict().items() if name != "recall"}
        say(json.dumps({"file": str(target) if better else None, **facts}))
        return
    say(
        f"tested  on {result.tested:,} events after the {result.fitted:,} that it was fitted to: "
        f"{result.network_loss:.4f} nats each by the network alone, {result.loss:.4f} with what it remembers"
    )
    say(f"wrote   {target}" if better else f"left    {path} as it is; more songs may help")
