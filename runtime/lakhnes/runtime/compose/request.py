"""The request: what a user asks of the music, as one value, whoever asks: command, app or controller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lakhnes.runtime.decode.match_cache import MatchCache
from lakhnes.runtime.decode.processors import (
    Density,
    LogitsProcessor,
    Muted,
    PitchRange,
    Scale,
)
from lakhnes.runtime.decode.repetition import RepetitionPenalty
from lakhnes.runtime.decode.rhythm import MaxLength, OnRows
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.time.model_time import SongTime
from lakhnes.runtime.time.rows import Rows

ALL = frozenset(Voice)


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for; without arguments nothing but the defaults.

    It binds the voices that are composed. What is kept, or played by somebody, stays as it is.
    """

    seed: int | tuple[int, ...] = 0
    """Of the source of chance: the same seed gives the same music."""
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
    repetition_penalty: float = 1.0
    """Factor of what pushes a voice on that holds a note, circles or rests for long; 0 for none."""

    def rng(self) -> np.random.Generator:
        """A new source of chance."""
        return np.random.default_rng(self.seed)

    def processors(
        self,
        codec: Codec,
        rows: Rows | None = None,
        *,
        voices: Collection[Voice] = ALL,
        pace: float = 1.0,
    ) -> list[LogitsProcessor]:
        """What these wishes do to logits.

        Args:
            codec: of the model.
            rows: rows in model time on which notes begin; None for free time.
            voices: those that are composed.
            pace: samples of model time for each sample of the song.

        Raises:
            OptionError: if something is asked for that cannot be done.
        """
        vocabulary, composed = codec.vocabulary, frozenset(voices)
        made: list[LogitsProcessor] = []
        if self.repetition_penalty:
            made.append(RepetitionPenalty(codec, self.repetition_penalty, composed))
        if self.scale is not None:
            made.append(Scale(vocabulary, self.scale, composed))
        if self.muted & composed:
            if composed <= self.muted:
                raise OptionError(
                    "All the voices that would be composed are muted, so nothing would sound; "
                    "leave one unmuted."
                )
            made.append(Muted(vocabulary, self.muted & composed))
        ranges = {voice: ends for voice, ends in self.ranges.items() if voice in composed}
        if ranges:
            made.append(PitchRange(vocabulary, ranges))
        if self.density and composed:
            made.append(Density(vocabulary, self.density, composed))
        if self.max_note_seconds is not None:
            limit = round(self.max_note_seconds * SAMPLE_RATE * pace)
            made.append(MaxLength(codec, limit, composed, rows))
        if rows is not None:
            made.append(OnRows(codec, rows, composed))
        return made

    def song(
        self,
        when: SongTime,
        *,
        extra: Sequence[LogitsProcessor] = (),
        voices: Collection[Voice] = ALL,
        cache: MatchCache | None = None,
        rng: np.random.Generator | None = None,
        length_samples: int | None = None,
        min_samples: int = 0,
        max_samples: int | None = None,
        max_tokens: int | None = None,
        on_rows: bool = True,
        opens: bool = True,
        ends: bool = True,
    ) -> Song:
        """A new song that is as asked for.

        Args:
            when: the time in which it is composed.
            extra: further processors, such as kept music.
            voices: those that are composed.
            cache: the match cache; None for none.
            rng: the source of chance; None for a new one of the seed.
            length_samples: see `Song`, as for what follows; in model time.
            min_samples: see `Song`.
            max_samples: see `Song`.
            max_tokens: see `Song`.
            on_rows: whether new notes begin on the rows of that time, if it has any.
            opens: see `Song`.
            ends: see `Song`.

        Raises:
            OptionError: if something is asked for that cannot be done.
        """
        codec, rows = when.codec, when.time.rows if on_rows else None
        wishes = self.processors(codec, rows, voices=voices, pace=when.time.pace)
        return Song(
            codec,
            self.rng() if rng is None else rng,
            sampling=self.sampling,
            rows=rows,
            length_samples=length_samples,
            min_samples=min_samples,
            max_samples=max_samples,
            max_tokens=max_tokens,
            processors=[*([] if cache is None else [cache]), *wishes, *extra],
            opens=opens,
            ends=ends,
        )
