"""`lakhnes export`: convert a training checkpoint to a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from lakhnes.cli.extras import training_side
from lakhnes.cli.options import JsonFlag
from lakhnes.cli.printing import say


def export(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A run's folder or a checkpoint of `lakhnes train`, a LakhNES checkpoint (a folder with "
            "model.pt and vocab.txt, or such a file), or another model's folder or name."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Model folder to create.")],
    precision: Annotated[
        Literal["fp32", "int8", "int4"],
        typer.Option(help="Full precision, or 8-bit or 4-bit weights; fewer bits are smaller and faster."),
    ] = "fp32",
    mem_len: Annotated[int, typer.Option(help="How many earlier events an event sees.", min=1)] = 512,
    timing: Annotated[
        Literal["samples", "frames"] | None,
        typer.Option(help="Timing of the training data. Default: that of the checkpoint, or samples."),
    ] = None,
    provenance: Annotated[str, typer.Option(help="Description of the training, for the metadata.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Convert a checkpoint to a model folder, and check it against PyTorch."""
    from lakhnes.runtime import Timing

    with training_side("lakhnes export"):
        from lakhnes.export import export_model, open_checkpoint

    from rich.console import Console

    console = Console(stderr=True, quiet=as_json)
    with console.status("reading the checkpoint") as status:
        info = export_model(
            open_checkpoint(checkpoint),
            output,
            precision=precision,
            mem_len=mem_len,
            timing=Timing(timing) if timing else None,
            provenance=provenance,
            progress=status.update,
        )
    if as_json:
        calibrated = info.recall is not None
        say(json.dumps({"folder": str(output), **info.to_dict(), "recall": calibrated}))
        return
    say(f"wrote   {output} ({info.precision}, {info.n_parameters / 1e6:.1f} M parameters)")
    say(
        f"parity  over {info.parity['tokens']:.0f} tokens: "
        f"logits differ by {info.parity['max_difference']:.2g} at most, "
        f"KL {info.parity['mean_kl']:.2g} nats a token"
    )
