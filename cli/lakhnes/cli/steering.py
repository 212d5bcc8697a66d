"""The steering options as what the runtime understands."""

from __future__ import annotations

from lakhnes.runtime.compose.steering import Steering
from lakhnes.runtime.decode.sampling import Sampling
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.scales import parse_scale


def parse_steering(
    drawing: tuple[float, int, float | None, float | None],
    scale: str | None,
    mute: str | None,
    ranges: list[str] | None,
    density: float,
    max_note: float | None,
    drones: bool,
) -> Steering:
    """Reads the options.

    Args:
        drawing: temperature, top-k (0 for all), top-p and surprise (0 for none).
        scale: such as `a minor`.
        mute: such as `P2,NO`.
        ranges: such as `P1:60-84`.
        density: -5 to 5.
        max_note: in seconds.
        drones: whether voices may hold a note, repeat pitches or rest for as long as they like.

    Raises:
        OptionError: if an option says nothing that can be done.
    """
    temperature, top_k, top_p, surprise = drawing
    return Steering(
        Sampling(temperature, top_k or None, top_p, surprise or None),
        None if scale is None else frozenset(parse_scale(scale)),
        frozenset() if mute is None else frozenset(parse_voices(mute)),
        dict(map(_parse_range, ranges or [])),
        density,
        max_note,
        drones,
    )


def parse_voices(text: str) -> list[Voice]:
    """Reads a list of voices such as `P1,NO`.

    Raises:
        OptionError: for a voice that there is not.
    """
    names = text.upper().replace(",", " ").split()
    if not names or set(names) - set(Voice.__members__):
        raise OptionError(f"{text!r} names no voices; give some of P1, P2, TR and NO, such as 'P1,NO'.")
    return [Voice[name] for name in names]


def _parse_range(text: str) -> tuple[Voice, tuple[int, int]]:
    name, _, pitches = text.partition(":")
    low, _, high = pitches.partition("-")
    if not low.strip().isdecimal() or not high.strip().isdecimal() or len(parse_voices(name)) != 1:
        raise OptionError(f"{text!r} is no range; give a voice and two MIDI pitches, such as 'P1:60-84'.")
    return parse_voices(name)[0], (int(low), int(high))


def parse_pan(texts: list[str] | None) -> dict[str, float]:
    """Reads places of channels such as `P1:-0.5`.

    Raises:
        OptionError: for what is none.
    """
    places: dict[str, float] = {}
    for text in texts or []:
        names, _, place = text.partition(":")
        try:
            places |= dict.fromkeys(names.upper().replace(",", " ").split(), float(place))
        except ValueError:
            raise OptionError(f"{text!r} is no place; give a voice and -1 to 1, such as 'P1:-0.5'.") from None
    return places
