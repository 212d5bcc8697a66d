"""`lakhnes app`: the desktop app."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer


def desktop(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="A session (.lakhnes) or music to open.", show_default=False),
    ] = None,
) -> None:
    """Open the desktop app: compose, see, hear, steer, send to the DAW, drag the result out."""
    if find_spec("PySide6") is None:
        from lakhnes.runtime.errors import MissingExtraError

        raise MissingExtraError("gui", "The desktop app")

    from lakhnes.gui import run

    raise typer.Exit(run(files or ()))
