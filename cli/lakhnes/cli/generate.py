"""`lakhnes generate`: composes from nothing."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakhnes.cli.options import JsonFlag, MidiStyleOption

if TYPE_CHECKING:
    from lakhnes.runtime import Composer

MAX_SECONDS = 180
"""A song that the model does not end is cut here, unless a length was asked for."""


def generate(
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="File to write: .mid, .tx1.txt or .tx2.txt. May be given again."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Length of the song. Without it the model ends the song.", min=0.1)
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Length in events instead of seconds.", min=1)] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same song. Without it, a new one.", min=0)
    ] = None,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest event; more is wilder.")] = 0.95,
    top_k: Annotated[int, typer.Option(help="Only the k likeliest events; 0 for all.", min=0)] = 32,
    top_p: Annotated[
        float | None, typer.Option(help="Only the likeliest events that together reach this probability.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model's name or folder; see `lakhnes models`.")] = None,
    midi: MidiStyleOption = "daw",
    as_json: JsonFlag = False,
) -> None:
    """Composes a song from nothing."""
    if seconds is not None and tokens is not None:
        raise typer.BadParameter("give --seconds or --tokens, not both", param_hint="--tokens")

    import numpy as np

    from lakhnes.bridge import MidiStyle
    from lakhnes.cli.music_files import check_outputs, write_score
    from lakhnes.runtime import SAMPLE_RATE, Composer, Model, Sampling, Song, Voice

    seed = secrets.randbelow(1 << 32) if seed is None else seed
    paths = output or [Path(f"lakhnes-{seed}.mid")]
    check_outputs(paths)
    sampling = Sampling(temperature, top_k or None, top_p)
    player = Model.load(model)
    song = Song(
        player.codec,
        np.random.default_rng(seed),
        sampling=sampling,
        length_samples=None if seconds is None else round(seconds * SAMPLE_RATE),
        max_samples=None if tokens else MAX_SECONDS * SAMPLE_RATE if seconds is None else None,
        max_tokens=tokens,
    )
    composer = Composer(player, song)
    started = time.perf_counter()
    _run(composer, seconds, tokens, quiet=as_json)
    took = time.perf_counter() - started
    score = composer.score()
    for path in paths:
        write_score(score, path, MidiStyle(midi))

    info = player.info
    notes = {voice.name: len(score.parts[voice].notes) for voice in Voice}
    if as_json:
        result = {
            "seed": seed,
            "model": info.name,
            "precision": info.precision,
            "seconds": score.seconds,
            "tokens": composer.n_tokens,
            "tokens_per_second": composer.n_tokens / took,
            "notes": notes,
            "files": [str(path) for path in paths],
        }
        typer.echo(json.dumps(result))
        return
    voices = ", ".join(f"{name} {count}" for name, count in notes.items())
    typer.echo(f"seed    {seed}")
    typer.echo(f"model   {info.name} ({info.precision})")
    typer.echo(f"length  {score.seconds:.1f} s, {score.n_notes} notes ({voices})")
    typer.echo(f"wrote   {', '.join(map(str, paths))}")


def _run(composer: Composer, seconds: float | None, tokens: int | None, *, quiet: bool) -> None:
    """Composes the whole song under a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from lakhnes.runtime import SAMPLE_RATE

    console = Console(stderr=True)
    columns = (
        TextColumn("composing"),
        BarColumn(),
        TextColumn("{task.fields[music]:.1f} s of music, {task.completed:.0f} events"),
        TimeElapsedColumn(),
    )
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=1.0, music=0.0)
        for _ in composer:
            music = composer.time_samples / SAMPLE_RATE
            part = (
                music / seconds if seconds else composer.n_tokens / tokens if tokens else music / MAX_SECONDS
            )
            progress.update(task, completed=part, music=music)
