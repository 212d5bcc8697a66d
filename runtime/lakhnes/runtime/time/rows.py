"""Rows: the evenly spaced moments, in a model's time, on which notes begin."""

from __future__ import annotations

import math
from typing import NamedTuple

from lakhnes.runtime.music.timing import FRAME_SAMPLES

_NEAR_FRAMES = 0.6
"""An onset within this of a row is on it: models that count samples spread a chord over some samples."""


class Rows(NamedTuple):
    """Evenly spaced rows in the model's time."""

    step: float
    """Samples from a row to the next."""
    offset: float = 0.0
    """Sample of some row."""

    @property
    def near(self) -> float:
        """Samples from a row within which a time counts as on it."""
        return min(_NEAR_FRAMES * FRAME_SAMPLES, self.step / 4)

    def on_row(self, time: int) -> bool:
        """Whether a time is on a row."""
        place = (time - self.offset) / self.step
        return abs(place - round(place)) * self.step <= self.near

    def following(self, time: int) -> float:
        """The first row after a time; what is near a row counts as on it."""
        return (math.floor((time - self.offset + self.near) / self.step) + 1) * self.step + self.offset

    def nearest(self, time: float) -> float:
        """The row nearest to a time."""
        return round((time - self.offset) / self.step) * self.step + self.offset
