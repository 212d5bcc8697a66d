"""Logits processors: what may not come next, what is less likely, and when things happen.

A processor is a function of the song's state and of logits, and keeps nothing of its own: whatever it must
know of the past is in `DecodeState`. Most only add a bias: -inf for what may not come, other numbers for what
is less likely.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Event, Kind, Voice
from lakhnes.runtime.music.scales import scale_name
from lakhnes.runtime.music.vocabulary import Vocabulary

Bias = NDArray[np.float32]
"""float32 [V], to add to logits."""

FORBIDDEN = np.float32(-np.inf)

SURELY = np.float32(1e4)
"""Nats that outweigh whatever a model says, but not what is forbidden."""

MELODIC = (Voice.P1, Voice.P2, Voice.TR)
"""The voices that play pitches."""


class Order(IntEnum):
    """The order in which processors work on logits and on what is drawn.

    The match cache needs the network's own logits, so it comes first. Biases commute. What changes a drawn
    wait goes from the loosest to the strictest: a note's longest length, then the rows, which round it, then
    kept music, which has the last word on when its events come. Waits are held back at the opening only when
    what the model expects of silent voices has gone to others.
    """

    CACHE = 0
    GRAMMAR = 1
    WISH = 2
    LENGTH = 3
    ROWS = 4
    KEPT = 5
    OPENING = 6


class LogitsProcessor:
    """Something that shapes what comes next.

    The base does nothing; override what is needed.

    Attributes:
        order: its place among the others.
        label: what a user asked for to get it, for error messages.
    """

    order: ClassVar[Order] = Order.WISH
    label: str = "the music that is there"

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """The logits float32 [V] as they are after it; it may change the array that it gets."""
        bias = self.bias(state)
        if bias is not None:
            logits += bias
        return logits

    def bias(self, state: DecodeState) -> Bias | None:
        """What to add to the logits, float32 [V], not to be changed; None for nothing."""
        return None

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """What a drawn event becomes; for waits that must end at a certain time.

        A note may become a wait: if no wait may come, something else is drawn.
        """
        return event


class FixedBias(LogitsProcessor):
    """A bias that never changes."""

    def __init__(self, bias: Bias, label: str) -> None:
        """Takes the bias, float32 [V], and what it stands for."""
        self._bias = bias
        self.label = label

    def bias(self, state: DecodeState) -> Bias:
        """The bias."""
        return self._bias


def forbid(vocabulary: Vocabulary, events: Iterable[Event]) -> Bias:
    """A bias that forbids events, those that the vocabulary has."""
    bias = np.zeros(len(vocabulary), np.float32)
    unwanted = set(events)
    bias[[event in unwanted for event in vocabulary.events]] = FORBIDDEN
    return bias


def begins(vocabulary: Vocabulary, voice: Voice) -> NDArray[np.bool_]:
    """Which tokens begin a note of a voice, bool [V]."""
    return np.array([event.kind is Kind.NOTE_ON and event.voice is voice for event in vocabulary.events])


def names_of(voices: Iterable[Voice]) -> str:
    """Voices in a text, such as `P1 and NO`."""
    return " and ".join(voice.name for voice in sorted(voices))


def log_sum(logits: Bias) -> float:
    """Logarithm of the sum of exponentials; -inf for none."""
    most = float(logits.max()) if logits.size else -math.inf
    return most if most == -math.inf else most + math.log(float(np.exp(logits - most).sum()))


def log_add(one: float, other: float) -> float:
    """Logarithm of the sum of two exponentials."""
    most, least = max(one, other), min(one, other)
    return most if least == -math.inf else most + math.log1p(math.exp(least - most))


class Silence(LogitsProcessor):
    """Voices that say nothing, or nothing but the end of their notes.

    Voices speak in order, so each is asked in its turn whether it speaks now. One that is silent answers no:
    what the model expects of it goes to what may come after its turn. It must not go to the voices before it,
    which have answered already; they would play all the time. Nor to others at all where the model has just
    named a position in a bar, perhaps for the silent voice's sake: then the song goes on to another one.

    Attributes:
        bias_row: float32 [V], forbids what they do not say.
    """

    def __init__(
        self, vocabulary: Vocabulary, voices: Collection[Voice], label: str, *, may_end: bool = False
    ) -> None:
        """Takes the voices.

        Args:
            vocabulary: of the model that composes.
            voices: those that are silent.
            label: what a user asked for to get it.
            may_end: whether they may end their notes.
        """
        self.label = label
        events = vocabulary.events
        self._turns = []
        for voice in sorted(voices):
            own = [e.voice is voice and not (may_end and e.kind is Kind.NOTE_OFF) for e in events]
            after = [e.voice is None or e.voice > voice for e in events]
            self._turns.append((np.array(own), np.array(after)))
        self.bias_row = np.zeros(len(vocabulary), np.float32)
        for own_tokens, _ in self._turns:
            self.bias_row[own_tokens] = FORBIDDEN

    def bias(self, state: DecodeState) -> Bias:
        """Forbids what they do not say."""
        return self.bias_row

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Gives what the model expects of them to what may come after their turn."""
        return self.apply(state, logits)

    def apply(self, state: DecodeState, logits: Bias) -> Bias:
        """Changes logits float32 [V] in place, and returns them."""
        skips = state.codec.passing if state.at_empty_position else None
        for own, after in self._turns:
            passed = log_sum(logits[own])
            logits[own] = FORBIDDEN
            if skips is not None:
                after = after & skips
            left = log_sum(logits[after])
            if passed > -np.inf and left > -np.inf:
                logits[after] += np.float32(np.logaddexp(passed, left) - left)
        return logits


class Muted(Silence):
    """Voices that play no notes."""

    def __init__(self, vocabulary: Vocabulary, voices: Collection[Voice]) -> None:
        """Takes the voices."""
        super().__init__(vocabulary, voices, f"muting {names_of(voices)}", may_end=True)


class Absent(Silence):
    """Voices of which nothing at all is composed, because somebody plays them."""

    def __init__(self, vocabulary: Vocabulary, voices: Collection[Voice]) -> None:
        """Takes the voices."""
        super().__init__(vocabulary, voices, f"{names_of(voices)}, which somebody plays")


class PitchRange(FixedBias):
    """Voices that stay in a range of pitches."""

    def __init__(self, vocabulary: Vocabulary, ranges: Mapping[Voice, tuple[int, int]]) -> None:
        """Takes lowest and highest pitch of each voice, both included.

        Raises:
            OptionError: if a range has no pitch of the voice.
        """
        outside = []
        for voice, (low, high) in ranges.items():
            known = VOCABULARY_PITCHES[voice]
            if not any(low <= pitch <= high for pitch in known):
                raise OptionError(
                    f"{voice.name} has no pitch from {low} to {high}; it plays {known[0]} to {known[-1]}."
                )
            outside += [Event(Kind.NOTE_ON, voice, pitch) for pitch in known if not low <= pitch <= high]
        super().__init__(forbid(vocabulary, outside), f"the range of {names_of(ranges)}")


class Scale(FixedBias):
    """Voices that play only some pitch classes; the noise has none."""

    def __init__(
        self, vocabulary: Vocabulary, pitch_classes: Collection[int], voices: Collection[Voice] = MELODIC
    ) -> None:
        """Takes pitch classes 0 (C) to 11 (B) and the melodic voices that keep to them.

        Raises:
            OptionError: if there are none, or one is not 0..11.
        """
        if not pitch_classes or not all(0 <= pitch_class <= 11 for pitch_class in pitch_classes):
            raise OptionError("A scale needs pitch classes from 0 (C) to 11 (B), one at least.")
        outside = [
            event
            for event in vocabulary.events
            if event.kind is Kind.NOTE_ON
            and event.voice in voices
            and event.voice is not Voice.NO
            and event.value % 12 not in pitch_classes
        ]
        super().__init__(forbid(vocabulary, outside), f"the key {scale_name(pitch_classes)}")


class Density(FixedBias):
    """More notes or fewer: a bias on notes against waits."""

    def __init__(
        self, vocabulary: Vocabulary, amount: float, voices: Collection[Voice] = tuple(Voice)
    ) -> None:
        """Adds `amount` nats to each note of some voices and takes it from each wait; 0 changes nothing.

        Raises:
            OptionError: if it is not within -5..5.
        """
        if not -5 <= amount <= 5:
            raise OptionError(f"A density of {amount} is out of range; give -5 (sparse) to 5 (dense).")
        notes = [event.kind is Kind.NOTE_ON and event.voice in voices for event in vocabulary.events]
        waits = [event.kind in (Kind.WAIT, Kind.BAR, Kind.POSITION) for event in vocabulary.events]
        bias = amount * (np.array(notes, np.float32) - np.array(waits, np.float32))
        super().__init__(bias.astype(np.float32), f"a density of {amount:g}")
