"""The steering options: one block, the same in every command that composes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from lakhnes.cli.options import TEMPERATURE, TOP_K, TOP_P, Surprise, Temperature, TopK, TopP, finite

if TYPE_CHECKING:
    from lakhnes.runtime import Request, Voice

_WISHES = "Steering"


@dataclass(frozen=True)
class RequestOptions:
    """The steering options as a user typed them; each field is an option."""

    temperature: Temperature = TEMPERATURE
    top_k: TopK = TOP_K
    top_p: TopP = TOP_P
    surprise: Surprise = None
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale",
            "--key",
            help="Keep to a scale or key: 'a minor', 'Am', 'F# dorian', or pitch classes '0,2,4,7,9'.",
            rich_help_panel=_WISHES,
        ),
    ] = None
    chords: Annotated[
        str | None,
        typer.Option(
            "--chords",
            help="Draw each bar to a chord, over and over: 'Am F C G', 'Dm7 G7 Cmaj7 C/E'; N.C. for none.",
            rich_help_panel=_WISHES,
        ),
    ] = None
    mute: Annotated[
        str | None,
        typer.Option(help="Silent voices, from P1, P2, TR, NO: 'NO' or 'P2,NO'.", rich_help_panel=_WISHES),
    ] = None
    pitch_range: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            help="Range of a voice: 'P1:60-84' or 'P1:C4-C6'. Repeat it for other voices.",
            rich_help_panel=_WISHES,
        ),
    ] = None
    density: Annotated[
        float,
        typer.Option(
            "--density",
            help="-5 to 5: a higher value gives more notes; 0 changes nothing.",
            rich_help_panel=_WISHES,
        ),
    ] = 0.0
    repetition: Annotated[
        float,
        typer.Option(
            "--repetition",
            help="-5 to 5: with a higher value more bars take up earlier ones; 0 changes nothing.",
            rich_help_panel=_WISHES,
        ),
    ] = 0.0
    max_note: Annotated[
        float | None,
        typer.Option(
            "--max-note",
            help="Longest note in seconds; a higher value allows longer notes.",
            callback=finite,
            min=0.02,
            rich_help_panel=_WISHES,
        ),
    ] = None
    repetition_penalty: Annotated[
        float,
        typer.Option(
            "--repetition-penalty",
            help="Penalty for long notes, long rests and repetition: a higher value moves a voice on sooner; "
            "0 switches it off.",
            callback=finite,
            min=0,
            max=10,
            rich_help_panel=_WISHES,
        ),
    ] = 1.0

    def request(self, seed: int) -> Request:
        """Return the request for these options.

        Raises:
            OptionError: if an option has an impossible value.
        """
        from lakhnes.runtime import Request, Sampling, parse_chords, parse_scale

        return Request(
            seed=seed,
            sampling=Sampling(self.temperature, self.top_k or None, self.top_p, self.surprise or None),
            scale=None if self.scale is None else parse_scale(self.scale),
            chords=() if self.chords is None else parse_chords(self.chords),
            muted=frozenset() if self.mute is None else frozenset(parse_voices(self.mute)),
            ranges=dict(map(_parse_range, self.pitch_range or [])),
            density=self.density,
            repetition=self.repetition,
            max_note_seconds=self.max_note,
            repetition_penalty=self.repetition_penalty,
        )


CommandFunction = TypeVar("CommandFunction", bound=Callable[..., None])


def with_request(command: CommandFunction) -> CommandFunction:
    """Give a command the options of `RequestOptions`, in place of its parameter `asked`."""
    block = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
        )
        for field in fields(RequestOptions)
        for annotation in [get_type_hints(RequestOptions, include_extras=True)[field.name]]
    ]
    own: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        replaced = block if parameter.name == "asked" else [parameter]
        own += [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in replaced]

    @wraps(command)
    def asking(**options: Any) -> None:
        asked = RequestOptions(**{field.name: options.pop(field.name) for field in fields(RequestOptions)})
        command(asked=asked, **options)

    asking.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    asking.__annotations__ = {parameter.name: parameter.annotation for parameter in own}
    return asking  # type: ignore[return-value]


def parse_voices(text: str) -> list[Voice]:
    """Read a list of voices such as `P1,NO`.

    Raises:
        OptionError: for an unknown voice.
    """
    from lakhnes.runtime import OptionError, Voice

    names = text.upper().replace(",", " ").split()
    if not names or set(names) - set(Voice.__members__):
        raise OptionError(f"{text!r} names no voices; give some of P1, P2, TR and NO, such as 'P1,NO'.")
    return [Voice[name] for name in names]


def _parse_range(text: str) -> tuple[Voice, tuple[int, int]]:
    from lakhnes.runtime import OptionError

    name, _, pitches = text.partition(":")
    found = re.fullmatch(r"\s*(\d+|[A-Ga-g][#b]*-?\d)\s*-\s*(\d+|[A-Ga-g][#b]*-?\d)\s*", pitches)
    if found is None or len(parse_voices(name)) != 1:
        raise OptionError(
            f"{text!r} is no range; give a voice and two MIDI pitches or notes, such as 'P1:60-84' or "
            "'P1:C4-C6'."
        )
    low, high = sorted((_pitch(found[1]), _pitch(found[2])))
    return parse_voices(name)[0], (low, high)


def _pitch(text: str) -> int:
    """Return the MIDI pitch of a number or of a note such as `C4`, which is 60."""
    from lakhnes.runtime.music.scales import NOTE_NAMES

    if text.isdecimal():
        return int(text)
    letter, accidentals, octave = re.fullmatch(r"(.)([#b]*)(-?\d)", text).groups()  # type: ignore[union-attr]
    semitone = NOTE_NAMES[letter.lower()] + accidentals.count("#") - accidentals.count("b")
    return 12 * (int(octave) + 1) + semitone


def parse_by_channel(texts: list[str] | None, what: str, example: str) -> dict[str, float]:
    """Read numbers of channels, such as `P1:-0.5`.

    Args:
        texts: what a user gave.
        what: what the number is, for the error.
        example: a text that is right.

    Raises:
        OptionError: for another text.
    """
    from lakhnes.runtime import OptionError

    numbers: dict[str, float] = {}
    for text in texts or []:
        names, _, number = text.partition(":")
        try:
            numbers |= dict.fromkeys(names.upper().replace(",", " ").split(), float(number))
        except ValueError:
            raise OptionError(f"{text!r} is no {what}; give a channel and {example}.") from None
    return numbers
