"""Steering: what a user asks of the music, as one value that becomes sampling and constraints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lakhnes.runtime.compose.arrange import Settings
from lakhnes.runtime.decode.constraints import Constraint, Density, Muted, PitchRange, Scale
from lakhnes.runtime.decode.monotony import Monotony
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling
from lakhnes.runtime.decode.time_constraints import Grid, MaxLength
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.time.grid import BeatGrid


@dataclass(frozen=True, slots=True)
class Steering:
    """What a user asks for; without arguments nothing but the defaults."""

    sampling: Sampling = USUAL_SAMPLING
    """Temperature and cuts."""
    scale: frozenset[int] | None = None
    """Pitch classes 0 (C) to 11 (B) that melodies keep to; None for all."""
    muted: frozenset[Voice] = frozenset()
    """Voices that compose nothing."""
    ranges: Mapping[Voice, tuple[int, int]] = field(default_factory=dict)
    """Lowest and highest MIDI pitch of a voice."""
    density: float = 0.0
    """More notes (up to 5) or fewer (down to -5)."""
    max_note_seconds: float | None = None
    """Longest note; None for any."""
    drones: bool = False
    """Whether voices may hold a note, repeat pitches or rest for as long as the model likes."""

    def constraints(
        self, codec: Codec, grid: BeatGrid | None = None, played: frozenset[Voice] = frozenset()
    ) -> list[Constraint]:
        """New constraints for one song.

        Args:
            codec: of the model.
            grid: on whose rows every note begins; None for free time.
            played: voices that somebody plays; no length of theirs is limited.

        Raises:
            OptionError: if something is asked for that cannot be done.
        """
        vocabulary = codec.vocabulary
        start = step = None
        if grid is not None:
            start, later = np.interp((0, grid.row_ticks), grid.ticks, grid.samples)  # exact, for hours
            step = later - start
        constraints: list[Constraint] = [] if self.drones else [Monotony(codec)]
        if self.scale is not None:
            constraints.append(Scale(vocabulary, self.scale))
        if self.muted:
            constraints.append(Muted(vocabulary, self.muted))
        if self.ranges:
            constraints.append(PitchRange(vocabulary, self.ranges))
        if self.density:
            constraints.append(Density(vocabulary, self.density))
        if self.max_note_seconds is not None:
            ours = [voice for voice in Voice if voice not in played]
            constraints.append(MaxLength(codec, round(self.max_note_seconds * SAMPLE_RATE), ours, step))
        if start is not None and step is not None:
            constraints.append(Grid(codec, step, start))
        return constraints

    def settings(self, codec: Codec, seed: int, grid: BeatGrid | None = None) -> Settings:
        """How one song is composed.

        Args:
            codec: of the model.
            seed: of the song.
            grid: on whose rows every note begins; None for free time.

        Raises:
            OptionError: if something is asked for that cannot be done.
        """
        return Settings(np.random.default_rng(seed), self.sampling, self.constraints(codec, grid))
