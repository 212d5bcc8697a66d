"""Logits processors: they forbid events, change their probability, and set their time.

A processor is a function of the song's state and of logits. It keeps no memory: `DecodeState` holds
everything that it must know of the past. Most processors only add a bias: -inf forbids an event, other
numbers make it less or more likely.
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
"""Nats that outweigh the model, but not a ban."""

MELODIC = (Voice.P1, Voice.P2, Voice.TR)
"""The voices with pitches."""


class Order(IntEnum):
    """The order of processors, for logits and for drawn events.

    The match cache needs the network's own logits, so it comes first. The order of biases does not matter.
    A bar that returns keeps to the wishes, and the longest note keeps to nothing else.
    Changes of a drawn wait go from the loosest to the strictest: the longest note, then the rows, which round
    it, then kept music, which decides the time of its own events. The opening forbids waits only after silent
    voices have passed on their probability.
    """

    CACHE = 0
    GRAMMAR = 1
    WISH = 2
    RETURN = 3
    LENGTH = 4
    ROWS = 5
    KEPT = 6
    OPENING = 7


class LogitsProcessor:
    """Base class of everything that shapes the next event.

    The base does nothing; override the methods you need.

    Attributes:
        order: its place among the other processors.
        label: the user's setting behind it, for error messages.
    """

    order: ClassVar[Order] = Order.WISH
    label: str = "the music that is there"

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Return the changed logits, float32 [V]; it may change the given array."""
        bias = self.bias(state)
        if bias is not None:
            logits += bias
        return logits

    def bias(self, state: DecodeState) -> Bias | None:
        """Return the bias of the logits, float32 [V], read-only; None for no change."""
        return None

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """Return the event that replaces a drawn one, such as a wait that must end at a certain time.

        A note may become a wait. If no wait is allowed, another event is drawn.
        """
        return event


class FixedBias(LogitsProcessor):
    """A constant bias."""

    def __init__(self, bias: Bias, label: str) -> None:
        """Take the bias, float32 [V], and its label."""
        self._bias = bias
        self.label = label

    def bias(self, state: DecodeState) -> Bias:
        """Return the bias."""
        return self._bias


def forbid(vocabulary: Vocabulary, events: Iterable[Event]) -> Bias:
    """Return a bias that forbids events; those that the vocabulary lacks are ignored."""
    bias = np.zeros(len(vocabulary), np.float32)
    unwanted = set(events)
    bias[[event in unwanted for event in vocabulary.events]] = FORBIDDEN
    return bias


def begins(vocabulary: Vocabulary, voice: Voice) -> NDArray[np.bool_]:
    """Return the tokens that begin a note of a voice, bool [V]."""
    return np.array([event.kind is Kind.NOTE_ON and event.voice is voice for event in vocabulary.events])


def names_of(voices: Iterable[Voice]) -> str:
    """Return the names of voices, such as `P1 and NO`."""
    return " and ".join(voice.name for voice in sorted(voices))


def log_sum(logits: Bias) -> float:
    """Return the logarithm of the sum of exponentials; -inf for no numbers."""
    most = float(logits.max()) if logits.size else -math.inf
    return most if most == -math.inf else most + math.log(float(np.exp(logits - most).sum()))


def log_add(one: float, other: float) -> float:
    """Return the logarithm of the sum of two exponentials."""
    most, least = max(one, other), min(one, other)
    return most if least == -math.inf else most + math.log1p(math.exp(least - most))


class Silence(LogitsProcessor):
    """Voices that do nothing, or only end their notes.

    Voices act in order, so the model decides for each voice in turn whether it acts now. A silent voice
    passes: its probability moves to the events that may follow its turn. It must not move to earlier voices,
        because
    their turn is over; they would play all the time. After a position in a bar it moves to no other voice
    either, because the model may have chosen the position for the silent voice. The song then moves on.

    Attributes:
        bias_row: float32 [V], forbids the events of these voices.
    """

    def __init__(
        self, vocabulary: Vocabulary, voices: Collection[Voice], label: str, *, may_end: bool = False
    ) -> None:
        """Take the voices.

        Args:
            vocabulary: vocabulary of the composing model.
            voices: the silent voices.
            label: the user's setting behind it.
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
        """Forbid the events of these voices."""
        return self.bias_row

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Move the probability of these voices to the events that may follow their turn."""
        return self.apply(state, logits)

    def apply(self, state: DecodeState, logits: Bias) -> Bias:
        """Change logits float32 [V] in place, and return them."""
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
        """Take the voices."""
        super().__init__(vocabulary, voices, f"muting {names_of(voices)}", may_end=True)


class Absent(Silence):
    """Voices that are not composed at all, because a user plays them."""

    def __init__(self, vocabulary: Vocabulary, voices: Collection[Voice]) -> None:
        """Take the voices."""
        super().__init__(vocabulary, voices, f"{names_of(voices)}, which somebody plays")


class PitchRange(FixedBias):
    """Voices limited to a range of pitches."""

    def __init__(self, vocabulary: Vocabulary, ranges: Mapping[Voice, tuple[int, int]]) -> None:
        """Take the lowest and the highest pitch of each voice, both included.

        Raises:
            OptionError: if a range contains no pitch of the voice.
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
    """Voices limited to some pitch classes; the noise has none."""

    def __init__(
        self, vocabulary: Vocabulary, pitch_classes: Collection[int], voices: Collection[Voice] = MELODIC
    ) -> None:
        """Take pitch classes 0 (C) to 11 (B) and the melodic voices that use them.

        Raises:
            OptionError: if the set is empty, or a pitch class is not 0..11.
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
    """A bias towards notes or towards waits."""

    def __init__(
        self, vocabulary: Vocabulary, amount: float, voices: Collection[Voice] = tuple(Voice)
    ) -> None:
        """Add `amount` nats to each note of some voices and subtract it from each wait; 0 changes nothing.

        Raises:
            OptionError: if the amount is not within -5..5.
        """
        if not -5 <= amount <= 5:
            raise OptionError(f"A density of {amount} is out of range; give -5 (sparse) to 5 (dense).")
        notes = [event.kind is Kind.NOTE_ON and event.voice in voices for event in vocabulary.events]
        waits = [event.kind in (Kind.WAIT, Kind.BAR, Kind.POSITION) for event in vocabulary.events]
        bias = amount * (np.array(notes, np.float32) - np.array(waits, np.float32))
        super().__init__(bias.astype(np.float32), f"a density of {amount:g}")
