"""Constraints: what may not come next, what is less likely, and when.

Whatever a user locks, forces, forbids or prefers is a constraint. Each gives a row of numbers to add to the
logits: -inf for what may not come, others as a bias; so constraints compose by addition, in any order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Event, Kind, Voice
from lakhnes.runtime.music.vocabulary import Vocabulary

Row = NDArray[np.float32]

FORBIDDEN = np.float32(-np.inf)

SURELY = np.float32(1e4)
"""Nats that outweigh whatever a model says, but not what is forbidden."""

MELODIC = (Voice.P1, Voice.P2, Voice.TR)
"""The voices that play pitches."""


class Constraint:
    """Something that shapes what comes next, and hears what came.

    The base does nothing; override what is needed.
    """

    def penalty(self) -> Row | None:
        """What to add to the next logits, float32 [V]; None for nothing. The row stays the constraint's."""
        return None

    def adjust(self, event: Event) -> Event:
        """What a drawn event becomes; for waits that must end at a certain time.

        A note may become a wait: if no wait may come, something else is drawn.
        """
        return event

    def observe(self, event: Event) -> None:
        """Hears the next event."""

    @property
    def promised(self) -> bool:
        """Whether it knows what comes next, from what was drawn before."""
        return False


class Fixed(Constraint):
    """A constraint whose row never changes."""

    def __init__(self, row: Row) -> None:
        """Takes the row, float32 [V]."""
        self._row = row

    def penalty(self) -> Row:
        """The row."""
        return self._row


def forbid(vocabulary: Vocabulary, events: Iterable[Event]) -> Row:
    """A row that forbids events, those that the vocabulary has."""
    row = np.zeros(len(vocabulary), np.float32)
    unwanted = set(events)
    row[[event in unwanted for event in vocabulary.events]] = FORBIDDEN
    return row


def begins(vocabulary: Vocabulary, voice: Voice) -> NDArray[np.bool_]:
    """Which tokens begin a note of a voice, bool [V]."""
    return np.array([event.kind is Kind.NOTE_ON and event.voice is voice for event in vocabulary.events])


class Muted(Fixed):
    """Voices that play no notes."""

    def __init__(self, vocabulary: Vocabulary, voices: Collection[Voice]) -> None:
        """Forbids every event of some voices but NOTEOFF."""
        silent = [e for e in vocabulary.events if e.voice in voices and e.kind is not Kind.NOTE_OFF]
        super().__init__(forbid(vocabulary, silent))


class PitchRange(Fixed):
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
        super().__init__(forbid(vocabulary, outside))


class Scale(Fixed):
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
        super().__init__(forbid(vocabulary, outside))


class Density(Fixed):
    """More notes or fewer: a bias on notes against waits."""

    def __init__(self, vocabulary: Vocabulary, amount: float) -> None:
        """Adds `amount` nats to each note and takes it from each wait; 0 changes nothing.

        Raises:
            OptionError: if it is not within -5..5.
        """
        if not -5 <= amount <= 5:
            raise OptionError(f"A density of {amount} is out of range; give -5 (sparse) to 5 (dense).")
        signs = {Kind.NOTE_ON: amount, Kind.WAIT: -amount}
        super().__init__(np.array([signs.get(event.kind, 0.0) for event in vocabulary.events], np.float32))
