"""Options that several subcommands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]

MidiStyleOption = Annotated[
    Literal["daw", "nes"],
    typer.Option("--midi", help="MIDI for a DAW, or exact to the sample as in NES-MDB."),
]
