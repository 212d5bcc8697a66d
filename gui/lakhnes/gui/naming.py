"""Names of widgets, by which the window, its saved layout and tests find them."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QObject

T = TypeVar("T", bound=QObject)


def named(thing: T, name: str) -> T:
    """Name an object and return it."""
    thing.setObjectName(name)
    return thing
