"""`lakhnes convert`: between the formats of a score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lakhnes.cli.options import MidiStyleOption


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", readable=False, help="A MIDI file (any), .tx1.txt or .tx2.txt.")
    ],
    output: Annotated[
        list[Path],
        typer.Option("-o", "--output", help="File to write: .mid, .tx1.txt or .tx2.txt. May be given again."),
    ],
    midi: MidiStyleOption = "daw",
    timing: Annotated[
        Literal["samples", "frames"],
        typer.Option(help="Keep every sample, or clean the song onto the console's 60 frames a second."),
    ] = "samples",
) -> None:
    """Converts between .mid, .tx1.txt and .tx2.txt."""
    from rich.console import Console

    from lakhnes.bridge import MidiStyle
    from lakhnes.cli.music_files import check_outputs, read_score, score_bytes
    from lakhnes.runtime import clean_frames
    from lakhnes.runtime.files import write_all

    check_outputs(output, source)
    with Console(stderr=True).status("converting"):
        score, remarks = read_score(source)
        if timing == "frames":
            score = clean_frames(score)
        write_all({path: score_bytes(score, path, MidiStyle(midi)) for path in output})
    for remark in remarks:
        typer.echo(remark, err=True)
    typer.echo(f"wrote {', '.join(map(str, output))}: {score.seconds:.1f} s, {score.n_notes} notes")
