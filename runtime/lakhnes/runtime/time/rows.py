"""Rows: the evenly spaced moments, in a model's time, on which notes begin."""

from __future__ import annotations

import math
from typing import NamedTuple

from lakhnes.runtime.music.timing import FRAME_SAMPLES

_NEAR_FRAMES = 0.6
"""Distance in frames within which an onset is on a row: models that count samples spread chords slightly."""


class Rows(NamedTuple):
    """Evenly spaced rows in the model's time."""

    step: float
    """Samples from a row to the next."""
    offset: float = 0.0
    """Sample of some row."""

    @property
    def near(self) -> float:
        """Distance in samples within which a time counts as on a row."""
        return min(_NEAR_FRAMES * FRAME_SAMPLES, self.step / 4)

    def on_row(self, time: int) -> bool:
        """Return whether a time is on a row."""
        place = (time - self.offset) / self.step
        return abs(place - round(place)) * self.step <= self.near

    def following(self, time: int) -> float:
        """Return the first row after a time; a time near a row counts as on it."""
        return (math.floor((time - self.offset + self.near) / self.step) + 1) * self.step + self.offset

    def nearest(self, time: float) -> float:
        """Return the row nearest to a time."""
        return round((time - self.offset) / self.step) * self.step + self.offset
