"""`lakhnes show`: draw a song."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from lakhnes.cli.options import TIME, NoProvenanceFlag, SourceArgument
from lakhnes.cli.printing import say


def show(
    source: SourceArgument,
    output: Annotated[
        list[Path], typer.Option("-o", "--output", help="File to write: .png or .svg. May be given again.")
    ],
    width: Annotated[
        int, typer.Option(help="Width in pixels, 400 to 4000; a higher value enlarges the whole picture.")
    ] = 1600,
    start: Annotated[float, typer.Option("--from", help="Start of the picture in seconds.")] = 0.0,
    end: Annotated[
        float | None,
        typer.Option("--to", help="End of the picture in seconds. Default: the end of the song."),
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Draw light on dark.")] = False,
    no_provenance: NoProvenanceFlag = False,
    bpm: Annotated[
        float | None,
        typer.Option(
            "--bpm",
            help="Draw bars of this tempo from the start, instead of the file's own.",
            rich_help_panel=TIME,
        ),
    ] = None,
    meter: Annotated[int, typer.Option(help="Beats of a bar, with --bpm.", rich_help_panel=TIME)] = 4,
) -> None:
    """Draw a song as a piano roll of its four voices."""
    from lakhnes.bridge.drawing import png_bytes, svg_bytes
    from lakhnes.bridge.picture import PictureSettings, picture
    from lakhnes.runtime import OutputError
    from lakhnes.runtime.files import write_all
    from lakhnes.runtime.time.grid import BeatGrid
    from lakhnes.studio.music_files import read_music

    backends = {".png": png_bytes, ".svg": svg_bytes}
    for path in output:
        if path.suffix.lower() not in backends:
            raise OutputError(f"{path} has no ending that says a kind of picture; use .png or .svg.")
    steady = None if bpm is None else BeatGrid.steady(bpm, meter)
    music = read_music(source).converted()
    score, remarks = music.score()
    settings = PictureSettings(_title(source), width, start, end, dark)
    drawn = picture(score, music.grid if steady is None else steady, settings)
    drawn = drawn if no_provenance else replace(drawn, comment=music.record)
    write_all({path: backends[path.suffix.lower()](drawn) for path in output})
    for remark in dict.fromkeys((*music.remarks, *remarks)):
        say(remark, error=True)
    say(f"wrote {', '.join(map(str, output))}: {score.seconds:.1f} s")


def _title(source: Path) -> str:
    """Return the name of a file without its format ending."""
    return re.sub(r"(\.tx[12])?\.\w+$", "", source.name, flags=re.IGNORECASE) or source.name
