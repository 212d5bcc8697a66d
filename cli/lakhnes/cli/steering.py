"""The steering options as constraints and sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakhnes.runtime.arrange import Settings
from lakhnes.runtime.constraints import Constraint, Density, Grid, MaxLength, Muted, PitchRange, Scale
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.events import SAMPLE_RATE, Voice
from lakhnes.runtime.grid import BeatGrid
from lakhnes.runtime.sampling import Sampling
from lakhnes.runtime.scales import parse_scale
from lakhnes.runtime.timing import Codec


@dataclass(frozen=True, slots=True)
class Steering:
    """What a user asked for."""

    temperature: float
    top_k: int
    """0 for all."""
    top_p: float | None
    scale: str | None
    mute: str | None
    ranges: list[str] | None
    density: float
    max_note: float | None
    """Seconds."""

    def settings(self, codec: Codec, seed: int, grid: BeatGrid | None = None) -> Settings:
        """How one song is composed.

        Args:
            codec: of the model.
            seed: of the song.
            grid: on whose rows every event falls; None for free time.

        Raises:
            OptionError: if an option says nothing that can be done.
        """
        sampling = Sampling(self.temperature, self.top_k or None, self.top_p)
        constraints = self._constraints(codec)
        if grid is not None:
            start, row = grid.sample(0), grid.sample(grid.row_ticks * 1000) - grid.sample(0)
            constraints.append(Grid(codec, row / 1000, start))
        return Settings(np.random.default_rng(seed), sampling, constraints)

    def _constraints(self, codec: Codec) -> list[Constraint]:
        vocabulary = codec.vocabulary
        constraints: list[Constraint] = []
        if self.scale is not None:
            constraints.append(Scale(vocabulary, parse_scale(self.scale)))
        if self.mute is not None:
            constraints.append(Muted(vocabulary, parse_voices(self.mute)))
        if self.ranges:
            constraints.append(PitchRange(vocabulary, dict(map(_parse_range, self.ranges))))
        if self.density:
            constraints.append(Density(vocabulary, self.density))
        if self.max_note is not None:
            constraints.append(MaxLength(codec, round(self.max_note * SAMPLE_RATE)))
        return constraints


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
