"""The one way in which subcommands print: what comes from files moves no cursor and changes no colour."""

from __future__ import annotations

import typer

_MAX_MESSAGE = 499
"""Characters of what is no result; a longer message loses its middle."""


def say(line: str, *, error: bool = False) -> None:
    """Print a line.

    Args:
        line: whatever it holds; control characters become visible, line breaks become spaces.
        error: whether it is a message, an error or a remark, rather than a part of the result; then it is cut
            where it is too long, and goes to where errors go.
    """
    from lakhnes.runtime.printable import printable  # not at the top: it would load the runtime for --help

    typer.echo(printable(line, _MAX_MESSAGE if error else None), err=error)
