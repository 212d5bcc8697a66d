"""Readers of the values that files hold: each gives what the state holds, or says what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from typing import Any

from lakhnes.apu.instruments import instrument_set
from lakhnes.runtime import LakhnesError

FieldReader = Callable[[Any], Any]
"""Gives a value of a file as the state holds it; ValueError with what is expected."""

_READER, _STEERING = "reader", "steering"


def read_by(reader: FieldReader, default: Any = MISSING, *, steering: bool = False) -> Any:
    """Declares a field of a dataclass that files hold.

    Args:
        reader: of its values.
        default: its default value; leave it out for a required field.
        steering: whether it says how music is composed, so that presets hold it.
    """
    return field(default=default, metadata={_READER: reader, _STEERING: steering})


def readers_of(kind: Any) -> Mapping[str, FieldReader]:
    """Return the reader of each field of a dataclass that has one, by name."""
    return {each.name: each.metadata[_READER] for each in fields(kind) if _READER in each.metadata}


def steering_fields(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass that presets hold."""
    return tuple(each.name for each in fields(kind) if each.metadata.get(_STEERING))


def number(lowest: float, highest: float, *, also: tuple[object, ...] = ()) -> FieldReader:
    """Return the reader of a number from one to another, or one of some values besides."""

    def check(value: Any) -> Any:
        if value is None and None in also:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError("a number is expected")
        if not (lowest <= value <= highest or value in also):  # also where it is not a number at all
            raise ValueError(f"{lowest:g} to {highest:g} is expected")
        return float(value)

    return check


def whole(lowest: int, highest: int, *, none: bool = False) -> FieldReader:
    """Return the reader of a whole number from one to another, or None as well."""

    def check(value: Any) -> Any:
        if value is None and none:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest} is expected")
        return value

    return check


def switch(value: Any) -> Any:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def hashes(value: Any) -> Any:
    """Read a list of SHA-256."""
    if not isinstance(value, list | tuple) or not all(
        isinstance(each, str) and re.fullmatch("[0-9a-f]{64}", each) for each in value
    ):
        raise ValueError("a list of SHA-256 is expected")
    return tuple(value)


def words(value: Any) -> Any:
    """Read a text."""
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError("a text is expected")
    return value


def instrument(value: Any) -> Any:
    """Read the name of an existing instrument set."""
    try:
        instrument_set(words(value))
    except LakhnesError as error:
        raise ValueError(str(error).rstrip(".")) from None
    return value
