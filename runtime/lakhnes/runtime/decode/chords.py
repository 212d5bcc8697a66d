"""The chords that a user asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from lakhnes.runtime.bars.chords import triad_number
from lakhnes.runtime.decode.processors import MELODIC, Bias, LogitsProcessor, begins, log_sum
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.chords import NO_CHORD, Chord, chord_names
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.time.grid import BarPlace

_ON_STRONG = 4.0
"""Nats for the notes of the chord where a note begins on a strong beat."""

_ON_BEAT = 1.5
"""The same on the other beats."""

_BETWEEN = 0.5
"""The same between beats, where notes pass from one to another."""

_ROOT = 4.0
"""Nats for the chord's bass note where the triangle begins its first note of a bar."""

PlaceAt = Callable[[int], BarPlace | None]
"""The place in the song's bars at a model time; None where no beat is known."""


class Chords(LogitsProcessor):
    """Draws the notes of each bar to its chord, most of all on strong beats, and the bass to its root.

    A voice has as many notes as without: what the model expects of them goes to those of the chord, and none
    is forbidden. A model that has learnt chords is told their names as well.
    """

    def __init__(
        self, codec: Codec, chords: Sequence[Chord], place_at: PlaceAt, voices: Collection[Voice] = MELODIC
    ) -> None:
        """Takes the chords of the song's bars, which come again from the first one on.

        Args:
            codec: of the model that composes.
            chords: one for each bar.
            place_at: gives the place in the song's bars at a model time.
            voices: those that are composed.

        Raises:
            OptionError: if the song has no bars.
        """
        if place_at(0) is None:
            raise OptionError(
                f"The chords {chord_names(chords)} need bars, and this song has none; give it a tempo."
            )
        self.label = f"the chords {chord_names(chords)}"
        self._chords, self._place_at = chords, place_at
        events = codec.vocabulary.events
        classes = np.array([event.value % 12 for event in events])
        self._lines = []
        for voice in MELODIC:
            if voice in voices:
                tokens = np.flatnonzero(begins(codec.vocabulary, voice))
                self._lines.append((voice, tokens, classes[tokens]))
        told = codec.chord_tokens
        self._tokens = [told[triad_number(chord)] for chord in chords] if told else []

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Moves what the model expects of each voice's notes to the chord; changes logits in place."""
        place = self._place_at(_begins(state))
        chord = NO_CHORD if place is None else self._chord(place.bar)
        if place is None or chord.root is None:
            return logits
        weight = _ON_STRONG if place.strong else _ON_BEAT if place.on_beat else _BETWEEN
        for voice, tokens, classes in self._lines:
            expected = log_sum(logits[tokens])
            if expected == -np.inf:
                continue
            fits = weight * np.isin(classes, list(chord.notes))
            if voice is Voice.TR and self._first_in_bar(state, place.bar):
                fits = fits + _ROOT * (classes == chord.bass)
            drawn = logits[tokens] + fits.astype(np.float32)
            logits[tokens] = drawn - np.float32(log_sum(drawn) - expected)
        return logits

    def token_at(self, time: int) -> int | None:
        """The token that names the chord of the bar at a model time; None where the model knows none."""
        place = self._place_at(time)
        return self._tokens[place.bar % len(self._tokens)] if self._tokens and place is not None else None

    def _chord(self, bar: int) -> Chord:
        return self._chords[bar % len(self._chords)]

    def _first_in_bar(self, state: DecodeState, bar: int) -> bool:
        """Whether the triangle has begun no note in a bar yet."""
        notes = state.lines[Voice.TR].notes
        last = self._place_at(notes[-1][0]) if notes else None
        return last is None or last.bar != bar


def _begins(state: DecodeState) -> int:
    """When a note that is drawn now begins: where notes lie on rows, it waits for the next one."""
    if state.rows is None or state.may_begin:
        return state.time
    return round(state.rows.following(state.time))


__all__ = ["Chords", "PlaceAt"]
