"""Constraints of music that stays: voices composed around kept ones, and the rhythm accompaniment."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from lakhnes.runtime.decode.constraints import FORBIDDEN, Constraint, Row, forbid
from lakhnes.runtime.decode.time_constraints import Due
from lakhnes.runtime.music.events import END, Event, Kind, Voice
from lakhnes.runtime.music.score import Score, events_of_score, rank
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.music.vocabulary import Vocabulary


class Kept(Constraint):
    """Kept events come exactly when and as they are; free voices may speak around them.

    The song ends with the kept score.
    """

    def __init__(self, codec: Codec, kept: Score, free: Mapping[Voice, int]) -> None:
        """Takes what is kept and which voices are free.

        Args:
            codec: of the model that composes.
            kept: in the time that the model hears; in timing `frames` it must be clean.
            free: for each free voice the sample from which it may speak; no kept note of it may begin after.
        """
        vocabulary = codec.vocabulary
        self._due = Due(codec)
        self._time = 0
        self._free = free
        self._only = {voices: _silence(vocabulary, voices) for voices in _subsets(free)}
        self._tokens = {event: token for token, event in enumerate(vocabulary.events)}
        self._end_row = _silence(vocabulary, frozenset())
        self._end_row[codec.wait_samples > 0] = FORBIDDEN
        self._moments: list[tuple[int, Event]] = []
        time = 0
        for event in events_of_score(kept, expression=vocabulary.has_expression):
            time += event.value if event.kind is Kind.WAIT else 0
            if event.kind is not Kind.WAIT:
                self._moments.append((time, event))
        self._moments.append((kept.length, END))
        self._next = 0

    def penalty(self) -> Row:
        """Before a kept event: free voices and waits up to it. At its time: what stands before it, and it."""
        at, event = self._moments[self._next]
        row = self._only[frozenset(voice for voice, since in self._free.items() if since <= self._time)]
        if at > self._time:
            return row + self._due.wait_row(at - self._time)
        if event.kind is Kind.END:
            return self._end_row
        row = row + self._due.turn_row(rank(event))
        row[self._tokens[event]] = 0
        return row

    def adjust(self, event: Event) -> Event:
        """A wait that means to reach the next kept event reaches it exactly."""
        left = self._moments[self._next][0] - self._time
        if event.kind is Kind.WAIT and left > 0 and self._due.arrives(event.value, left):
            return Event(Kind.WAIT, None, left)
        return event

    def observe(self, event: Event) -> None:
        """Hears the next event; a new note of a free voice may stand for the NOTEOFF of its kept one."""
        if event.kind is Kind.WAIT:
            self._time += event.value
            return
        at, kept = self._moments[self._next]
        if at == self._time and rank(event) == rank(kept) and kept.kind is not Kind.END:
            self._next += 1


def _silence(vocabulary: Vocabulary, voices: Collection[Voice]) -> Row:
    """A row that forbids every voice but some."""
    return forbid(vocabulary, [e for e in vocabulary.events if e.voice is not None and e.voice not in voices])


def _subsets(voices: Collection[Voice]) -> list[frozenset[Voice]]:
    subsets = [frozenset[Voice]()]
    for voice in voices:
        subsets += [subset | {voice} for subset in subsets]
    return subsets


class Template(Constraint):
    """The model fills in pitches: everything of a score is forced but what its notes of some voices sound.

    Source: LakhNES `accompany_rhythm.ipynb`: waits, NOTEOFFs and noise are the prompt's, and where a melodic
    voice begins a note, the model chooses its pitch.
    """

    def __init__(self, codec: Codec, score: Score, voices: Collection[Voice]) -> None:
        """Takes the score.

        Args:
            codec: of the model that composes.
            score: in the time that the model hears; in timing `frames` it must be clean.
            voices: those whose pitches the model chooses.
        """
        vocabulary = codec.vocabulary
        self._codec = codec
        self._events = [*events_of_score(score, expression=vocabulary.has_expression), END]
        self._next = 0
        self._left = 0  # samples that remain of a wait that takes several tokens
        self._size = len(vocabulary)
        self._choices = {
            voice: np.where(
                [e.kind is Kind.NOTE_ON and e.voice is voice for e in vocabulary.events],
                np.float32(0),
                FORBIDDEN,
            )
            for voice in voices
        }

    def penalty(self) -> Row:
        """Forbids all but the next event, or all but the notes of its voice."""
        event = self._events[self._next]
        if event.kind is Kind.NOTE_ON and event.voice in self._choices:
            return self._choices[event.voice]
        row = np.full(self._size, FORBIDDEN, np.float32)
        row[self._codec.token(self._wait(event))] = 0
        return row

    def adjust(self, event: Event) -> Event:
        """A wait is exactly the score's."""
        return self._wait(self._events[self._next]) if event.kind is Kind.WAIT else event

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            self._left = (self._left or self._events[self._next].value) - event.value
        if not self._left:
            self._next = min(self._next + 1, len(self._events) - 1)

    def _wait(self, event: Event) -> Event:
        """The part of a wait that one token says; any other event as it is."""
        if event.kind is not Kind.WAIT:
            return event
        return Event(Kind.WAIT, None, self._codec.first_wait(self._left or event.value))


class Dynamics(Constraint):
    """The model fills in volumes and timbres; all notes of a score come exactly when and as they are.

    What it draws instead of a volume or a timbre means that it has none to say now, whatever note it would
    rather play, and becomes what comes next. So it says them as often as it would in music of its own.
    """

    def __init__(self, codec: Codec, score: Score) -> None:
        """Takes the score.

        Args:
            codec: of the model that composes; it has VELOCITY and TIMBRE.
            score: in the time that the model hears; in timing `frames` it must be clean.
        """
        self._shortest = int(codec.wait_samples[codec.used & (codec.wait_samples > 0)].min())
        self._time = time = 0
        self._moments: list[tuple[int, Event]] = []
        for event in events_of_score(score, expression=False):
            time += event.value if event.kind is Kind.WAIT else 0
            if event.kind is not Kind.WAIT:
                self._moments.append((time, event))
        self._moments.append((score.length, END))
        self._next = 0

    def adjust(self, event: Event) -> Event:
        """A volume or a timbre in its turn stays; anything else is the next note event, or the way there."""
        at, due = self._moments[self._next]
        now = at == self._time
        if event.kind in (Kind.VELOCITY, Kind.TIMBRE) and (
            not now or rank(event) < rank(due) or due.kind is Kind.END
        ):
            return event
        if now:
            return due
        wait = event.value if event.kind is Kind.WAIT else self._shortest
        return Event(Kind.WAIT, None, min(wait, at - self._time))

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            self._time += event.value
        elif event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
            self._next = min(self._next + 1, len(self._moments) - 1)
