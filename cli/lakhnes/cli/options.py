"""Options that several subcommands share."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer


def finite(value: float | None) -> float | None:
    """Refuses what is not a number: it lies in no range, but beside none either."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number that can be used here")
    return value


def usual_threads(environment: Mapping[str, str]) -> int:
    """The threads of whatever composes into files: two, or one where the environment allows no more."""
    allowed = environment.get("OMP_NUM_THREADS", "")
    return max(1, min(2, os.cpu_count() or 1, int(allowed) if allowed.isdecimal() else 2))


THREADS = usual_threads(os.environ)

SourceArgument = Annotated[
    Path,
    typer.Argument(metavar="IN", readable=False, help="A MIDI file (any), .tx1.txt, .tx2.txt, .vgm or .vgz."),
]

VoicesOption = Annotated[
    str,
    typer.Option(
        "--voices",
        help="Tracks of a MIDI file that voices play, by name or number: 'P1=Flute,TR=3'; 'NO=4+5' for two, "
        "'P2=none' for silence. Else by what they are in the music.",
    ),
]
ArpeggioFlag = Annotated[
    bool,
    typer.Option("--arpeggio", help="Chords of a MIDI file as arpeggios, where one voice plays them."),
]

_OUTPUT = typer.Option(
    "-o",
    "--output",
    help="File to write: .mid, .tx1.txt, .tx2.txt, .vgm, .wav or .flac. May be given again.",
)
Outputs = Annotated[list[Path], _OUTPUT]
MaybeOutputs = Annotated[list[Path] | None, _OUTPUT]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]

MidiStyleOption = Annotated[
    Literal["daw", "nes"],
    typer.Option("--midi", help="MIDI for a DAW, or exact to the sample as in NES-MDB."),
]

InstrumentOption = Annotated[
    str | None,
    typer.Option(
        help="How sound and VGM play notes: plain (held, as LakhNES did), soft, pluck, lead or arcade. "
        "Usually lead; plain for notes that have dynamics, and in `convert`."
    ),
]

RegistersOption = Annotated[
    Literal["improved", "legacy"],
    typer.Option(help="How sound and VGM are made of notes: mended, or to the byte as LakhNES did."),
]

ModelOption = Annotated[str | None, typer.Option(help="A model's name or folder; see `lakhnes models`.")]

SeedOption = Annotated[
    int | None, typer.Option(help="The same seed gives the same music. Without it, a new one.", min=0)
]

TIME = "Tempo"
"""Heading of the options on tempo and bars."""

BpmOption = Annotated[
    float | None,
    typer.Option(
        "--bpm",
        help="Compose to a tempo: every new note begins on its sixteenths.",
        callback=finite,
        rich_help_panel=TIME,
    ),
]


def parse_meter(text: str | int) -> int:
    """Beats of a bar, of a number or of a meter such as 6/8, whose bar is as long as three quarters."""
    above, slash, below = str(text).strip().partition("/")
    if above.isdecimal() and (below in ("1", "2", "4", "8", "16") if slash else True):
        beats, rest = divmod(int(above) * 4, int(below or 4))
        if not rest and 1 <= beats <= 16:
            return beats
    raise typer.BadParameter(
        f"{text!r} is no meter of 1 to 16 whole quarters; give 4, 3/4 or 6/8, for example"
    )


_METER = typer.Option(
    "--meter",
    help="Beats of a bar, or a meter such as 3/4 or 6/8.",
    parser=parse_meter,
    metavar="METER",
    rich_help_panel=TIME,
)
MeterOption = Annotated[int, _METER]
MaybeMeter = Annotated[int | None, _METER]

BarsOption = Annotated[
    int | None,
    typer.Option("--bars", help="Length of what is new, in bars.", min=1, max=10_000, rich_help_panel=TIME),
]

RawTiming = Annotated[
    bool,
    typer.Option(
        "--raw-timing", help="MIDI at 120 BPM with every note at its own moment.", rich_help_panel=TIME
    ),
]

TEMPERATURE, TOP_K, TOP_P = 1.0, 0, 0.99
"""`USUAL_SAMPLING`, without loading what it is in; a test holds them together."""

_DRAWING = "Drawing events"

Temperature = Annotated[
    float,
    typer.Option(help="0 takes the likeliest event; more is wilder.", rich_help_panel=_DRAWING),
]
TopK = Annotated[
    int, typer.Option(help="Only the k likeliest events; 0 for all.", min=0, rich_help_panel=_DRAWING)
]
TopP = Annotated[
    float | None,
    typer.Option(
        help="Only the likeliest events that together reach this probability.", rich_help_panel=_DRAWING
    ),
]
Surprise = Annotated[
    float | None,
    typer.Option(
        help="Grow wilder where the music has become easier to foresee than so many nats an event, such as "
        "1.3, so that it does not end in circles; 0 for never.",
        callback=finite,
        min=0,
        rich_help_panel=_DRAWING,
    ),
]
