"""The request: every setting of the music as one value, from a command, the app or a controller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lakhnes.runtime.bars.codec import names_relations
from lakhnes.runtime.decode.chords import Chords, PlaceAt
from lakhnes.runtime.decode.match_cache import MatchCache
from lakhnes.runtime.decode.processors import (
    Density,
    LogitsProcessor,
    Muted,
    PitchRange,
    Scale,
)
from lakhnes.runtime.decode.relations import Relations
from lakhnes.runtime.decode.repetition import RepetitionPenalty
from lakhnes.runtime.decode.rhythm import MaxLength, OnRows
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.chords import Chord
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.time.model_time import SongTime
from lakhnes.runtime.time.rows import Rows

ALL = frozenset(Voice)


@dataclass(frozen=True, slots=True)
class Request:
    """The user's settings for the music; without arguments, the defaults.

    They apply to generated voices. Kept music, and notes that a user plays, stay unchanged.

    Raises:
        OptionError: if the repetition is out of range.
    """

    seed: int | tuple[int, ...] = 0
    """Random seed; the same seed gives the same music."""
    sampling: Sampling = USUAL_SAMPLING
    """Temperature, top-k, top-p and target surprise."""
    scale: frozenset[int] | None = None
    """Pitch classes 0 (C) to 11 (B) that melodies keep to; None for all."""
    chords: tuple[Chord, ...] = ()
    """Chord of each bar, over and over, as `parse_chords` gives them; for songs that have bars."""
    muted: frozenset[Voice] = frozenset()
    """Voices that compose nothing."""
    ranges: Mapping[Voice, tuple[int, int]] = field(default_factory=dict)
    """Lowest and highest MIDI pitch of a voice."""
    density: float = 0.0
    """Density, -5 to 5: a higher value gives more notes; 0 changes nothing."""
    max_note_seconds: float | None = None
    """Longest note in seconds; None for no limit."""
    repetition_penalty: float = 1.0
    """Strength of the repetition penalty, 0 or more: a higher value moves voices on sooner; 0 for none."""

    repetition: float = 0.0
    """Repetition, -5 to 5: with a higher value more bars take up earlier ones; 0 changes nothing. It works
    with models that name the relations of bars."""

    def __post_init__(self) -> None:
        if not -5 <= self.repetition <= 5:  # also with models that name no relations
            raise OptionError(
                f"A repetition of {self.repetition:g} is out of range; give -5 (all new) to 5 (all the same)."
            )

    def rng(self) -> np.random.Generator:
        """Return a new random generator."""
        return np.random.default_rng(self.seed)

    def processors(
        self,
        codec: Codec,
        rows: Rows | None = None,
        *,
        voices: Collection[Voice] = ALL,
        pace: float = 1.0,
        place_at: PlaceAt = lambda time: None,
    ) -> list[LogitsProcessor]:
        """Return the logits processors for these settings.

        Args:
            codec: codec of the model.
            rows: rows in model time on which notes begin; None for free time.
            voices: the generated voices.
            pace: samples of model time for each sample of the song.
            place_at: gives the place in the song's bars at a model time.

        Raises:
            OptionError: if a setting is impossible.
        """
        vocabulary, composed = codec.vocabulary, frozenset(voices)
        made: list[LogitsProcessor] = []
        if self.repetition_penalty:
            made.append(RepetitionPenalty(codec, self.repetition_penalty, composed))
        if self.scale is not None:
            made.append(Scale(vocabulary, self.scale, composed))
        if self.chords and composed:
            made.append(Chords(codec, self.chords, place_at, composed))
        if names_relations(codec):
            made.append(Relations(codec, composed, self.muted, self.repetition))
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
        """Return a new song for these settings.

        Args:
            when: the time in which it is composed.
            extra: further processors, such as kept music.
            voices: the generated voices.
            cache: the match cache; None for none.
            rng: the random generator; None for a new one from the seed.
            length_samples: in model time; see `Song`, also for the next ones.
            min_samples: see `Song`.
            max_samples: see `Song`.
            max_tokens: see `Song`.
            on_rows: whether new notes begin on rows, if the time has any.
            opens: see `Song`.
            ends: see `Song`.

        Raises:
            OptionError: if a setting is impossible.
        """
        codec, rows = when.codec, when.time.rows if on_rows else None
        wishes = self.processors(codec, rows, voices=voices, pace=when.time.pace, place_at=when.place_at)
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
