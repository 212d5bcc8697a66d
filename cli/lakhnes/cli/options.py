"""Options that several subcommands share."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from lakhnes.studio.file_formats import usual_endings


def finite(value: float | None) -> float | None:
    """Refuse infinity and NaN, which pass a check of the range."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number that can be used here")
    return value


def usual_threads(environment: Mapping[str, str]) -> int:
    """Return the threads for composing into files: two, or one if the environment allows no more."""
    allowed = environment.get("OMP_NUM_THREADS", "")
    return max(1, min(2, os.cpu_count() or 1, int(allowed) if allowed.isdecimal() else 2))


THREADS = usual_threads(os.environ)

_READABLE = "A MIDI file (any), .tx1.txt, .tx2.txt, .ftm.txt, .fms.txt, .vgm, .vgz, .nsf or .nsfe."

SourceArgument = Annotated[Path, typer.Argument(metavar="IN", readable=False, help=_READABLE)]
SourcesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="IN", readable=False, help=f"{_READABLE} Several go into one .nsf, .nsfe or .nes."
    ),
]

VoicesOption = Annotated[
    str,
    typer.Option(
        "--voices",
        help="MIDI tracks for the voices, by name or number: 'P1=Flute,TR=3'; 'NO=4+5' for two, 'P2=none' "
        "for silence. Default: by their role in the music.",
    ),
]
ArpeggioFlag = Annotated[
    bool,
    typer.Option("--arpeggio", help="Play the chords of a MIDI track as arpeggios if one voice plays them."),
]

_OUTPUT = typer.Option(
    "-o",
    "--output",
    help=f"File to write: {usual_endings()}. May be given again.",
)
Outputs = Annotated[list[Path], _OUTPUT]
MaybeOutputs = Annotated[list[Path] | None, _OUTPUT]

SongOption = Annotated[
    int | None,
    typer.Option("--song", help="Which song of an NSF file; else the one that it begins with.", min=1),
]
LengthOption = Annotated[
    float | None,
    typer.Option(
        "--length",
        help="Seconds of an NSF file's song; else up to where its loop, or the song, ends.",
        callback=finite,
    ),
]

TAGS = "Title"
"""Heading of the options for the texts in files."""

TitleOption = Annotated[
    str,
    typer.Option(
        "--title", help="Title, in VGM, NSF and ROM. Default: the file's name.", rich_help_panel=TAGS
    ),
]
AuthorOption = Annotated[
    str, typer.Option("--author", help="Author of the music, in VGM, NSF and ROM.", rich_help_panel=TAGS)
]
LicenceOption = Annotated[
    str,
    typer.Option("--licence", help="Licence of the music, such as 'CC BY 4.0'.", rich_help_panel=TAGS),
]

NoProvenanceFlag = Annotated[
    bool,
    typer.Option("--no-provenance", help="Write nothing into the files about how the music was made."),
]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]

MidiStyleOption = Annotated[
    Literal["daw", "nes"],
    typer.Option("--midi", help="MIDI for a DAW, or exact to the sample as in NES-MDB."),
]

InstrumentOption = Annotated[
    str | None,
    typer.Option(
        help="Instrument for sound and VGM: plain (held, as in LakhNES), soft, pluck, lead or arcade. "
        "Default: lead; plain for notes with dynamics, and in `convert`."
    ),
]

RegistersOption = Annotated[
    Literal["improved", "legacy"],
    typer.Option(
        help="Conversion of notes to sound and VGM: corrected, or byte for byte as in LakhNES 2019."
    ),
]

ModelOption = Annotated[str | None, typer.Option(help="A model's name or folder; see `lakhnes models`.")]

SeedOption = Annotated[
    int | None,
    typer.Option(help="Random seed: the same seed gives the same music. Default: a new seed.", min=0),
]

TIME = "Tempo"
"""Heading of the options for tempo and bars."""

BpmOption = Annotated[
    float | None,
    typer.Option(
        "--bpm",
        help="Tempo in beats a minute: every new note begins on a sixteenth. A higher value is faster.",
        callback=finite,
        rich_help_panel=TIME,
    ),
]


def parse_meter(text: str | int) -> int:
    """Return the beats of a bar for a number or a meter; 6/8 is as long as three quarters."""
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
    help="Beats per bar, or a meter such as 3/4 or 6/8.",
    parser=parse_meter,
    metavar="METER",
    rich_help_panel=TIME,
)
MeterOption = Annotated[int, _METER]
MaybeMeter = Annotated[int | None, _METER]

BarsOption = Annotated[
    int | None,
    typer.Option("--bars", help="Length of the new music in bars.", min=1, max=10_000, rich_help_panel=TIME),
]

RawTiming = Annotated[
    bool,
    typer.Option(
        "--raw-timing", help="Write MIDI at 120 BPM with every note at its exact time.", rich_help_panel=TIME
    ),
]

TEMPERATURE, TOP_K, TOP_P = 1.0, 0, 0.99
"""The values of `USUAL_SAMPLING`, without importing its module; a test compares them."""

_DRAWING = "Sampling"

Temperature = Annotated[
    float,
    typer.Option(
        help="0 takes the likeliest event, 1 the model's probabilities; a higher value gives more variety.",
        rich_help_panel=_DRAWING,
    ),
]
TopK = Annotated[
    int,
    typer.Option(
        help="Draw from the k likeliest events only; a higher value gives more variety. 0 allows all.",
        min=0,
        rich_help_panel=_DRAWING,
    ),
]
TopP = Annotated[
    float | None,
    typer.Option(
        help="Draw from the likeliest events that reach this probability together; a higher value gives more "
        "variety.",
        rich_help_panel=_DRAWING,
    ),
]
Surprise = Annotated[
    float | None,
    typer.Option(
        help="Target surprise in nats an event, such as 1.3. If the music becomes more predictable, the "
        "temperature rises. A higher value gives more variety; 0 switches it off.",
        callback=finite,
        min=0,
        rich_help_panel=_DRAWING,
    ),
]
