"""Printing for all subcommands: text from files cannot move the cursor or change colours."""

from __future__ import annotations

import typer

_MAX_MESSAGE = 499
"""Most characters of a message; a longer one loses its middle."""


def say(line: str, *, error: bool = False) -> None:
    """Print a line.

    Args:
        line: whatever it holds; control characters become visible, line breaks become spaces.
        error: whether it is a message, an error or a remark, rather than a part of the result; then it is cut
            where it is too long, and goes to where errors go.
    """
    from lakhnes.runtime.printable import printable  # not at the top: it would load the runtime for --help

    typer.echo(printable(line, _MAX_MESSAGE if error else None), err=error)
