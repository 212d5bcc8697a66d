"""The one way in which subcommands print: what comes from files moves no cursor and changes no colour."""

from __future__ import annotations

import typer


def say(line: str, *, error: bool = False) -> None:
    """Print a line.

    Args:
        line: whatever it holds; control characters become visible, line breaks become spaces.
        error: whether it goes to where errors go, so that it is no part of a result.
    """
    from lakhnes.runtime.printable import printable  # not at the top: it would load the runtime for --help

    typer.echo(printable(line), err=error)
