"""Logits processors for kept music: voices composed around kept ones, and the rhythm accompaniment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from lakhnes.runtime.decode.processors import FORBIDDEN, SURELY, Bias, LogitsProcessor, Order, Silence
from lakhnes.runtime.decode.rhythm import Due
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.music.events import END, Event, Kind, Voice
from lakhnes.runtime.music.score import Score, events_of_score, rank
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.music.vocabulary import END_TOKEN

_LAST = 1 << 20
"""A rank after all others."""


class _Moments:
    """The events of a score with their times, and its end; time and rank select the next one."""

    def __init__(self, score: Score, events: Iterable[Event]) -> None:
        self._keys: list[tuple[int, int]] = []
        self._events: list[Event] = []
        for time, event in _timed(events):
            self._keys.append((time, rank(event)))
            self._events.append(event)
        self._keys.append((score.length, _LAST))
        self._events.append(END)

    def following(self, state: DecodeState) -> tuple[int, Event]:
        """Return the time and the event of the first moment after the song so far."""
        place = min(bisect_right(self._keys, (state.time, state.rank)), len(self._keys) - 1)
        return self._keys[place][0], self._events[place]


def _timed(events: Iterable[Event]) -> Iterator[tuple[int, Event]]:
    time = 0
    for event in events:
        if event.kind is Kind.WAIT:
            time += event.value
        else:
            yield time, event


class Kept(LogitsProcessor):
    """Kept events occur exactly on time and unchanged; generated voices may act around them.

    The song ends with the kept score. A new note of a generated voice may replace the NOTEOFF of its kept
    note.
    """

    order = Order.KEPT

    def __init__(self, codec: Codec, kept: Score, free: Mapping[Voice, int]) -> None:
        """Take the kept music and the generated voices.

        Args:
            codec: codec of the composing model.
            kept: in model time; for timing `frames` it must be clean.
            free: for each generated voice the sample from which it may act; none of its kept notes may begin
                later.
        """
        vocabulary = codec.vocabulary
        self._due = Due(codec)
        self._free = free
        self._silence = {
            voices: Silence(vocabulary, [v for v in Voice if v not in voices], self.label)
            for voices in _subsets(free)
        }
        self._tokens = {event: token for token, event in enumerate(vocabulary.events)}
        self._end_bias = Silence(vocabulary, tuple(Voice), self.label).bias_row.copy()
        self._end_bias[codec.passing] = FORBIDDEN
        self._moments = _Moments(kept, codec.events_of(kept))

    def _now(self, state: DecodeState) -> Silence:
        """Return the voices that are silent except for kept music."""
        return self._silence[frozenset(v for v, since in self._free.items() if since <= state.time)]

    def bias(self, state: DecodeState) -> Bias:
        """Forbid everything but generated voices and waits before a kept event.

        At its time, events that may precede it, and the event itself, are allowed.
        """
        at, event = self._moments.following(state)
        bias = self._now(state).bias_row
        if at > state.time:
            return bias + self._due.wait_bias(state.waits, at - state.time)
        if event.kind is Kind.END:
            return self._end_bias
        bias = bias + self._due.turn_bias(rank(event))
        bias[self._tokens[event]] = 0
        return bias

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Apply `bias`, and move the probability of forbidden events to the events that replace them."""
        at, event = self._moments.following(state)
        if at > state.time:
            self._now(state).apply(state, logits)
            self._due.wait(state.waits, logits, at - state.time)
        elif event.kind is Kind.END:
            logits += self._end_bias
            logits[END_TOKEN] = max(logits[END_TOKEN], np.float32(0))
        else:
            token = self._tokens[event]
            own = logits[token]
            logits[token] = FORBIDDEN
            self._now(state).apply(state, logits)
            logits[token] = own
            self._due.turn(logits, rank(event), token)
            logits[token] = max(logits[token], -SURELY)
        return logits

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """Return a wait that ends exactly at the next kept event, if it nearly does."""
        left = self._moments.following(state)[0] - state.time
        if event.kind is Kind.WAIT and left > 0 and self._due.arrives(event.value, left):
            return Event(Kind.WAIT, None, left)
        return event


def _subsets(voices: Collection[Voice]) -> list[frozenset[Voice]]:
    subsets = [frozenset[Voice]()]
    for voice in voices:
        subsets += [subset | {voice} for subset in subsets]
    return subsets


class Template(LogitsProcessor):
    """Template that the model fills with pitches: everything else of a score is forced.

    Source: LakhNES `accompany_rhythm.ipynb`: waits, NOTEOFFs and noise come from the prompt. For each note of
        a
    melodic voice, the model chooses the pitch.
    """

    order = Order.KEPT

    def __init__(self, codec: Codec, score: Score, voices: Collection[Voice]) -> None:
        """Take the score.

        Args:
            codec: codec of the composing model.
            score: in model time; for timing `frames` it must be clean.
            voices: voices whose pitches the model chooses.
        """
        vocabulary = codec.vocabulary
        self._codec = codec
        self._moments = _Moments(score, codec.events_of(score))
        self._size = len(vocabulary)
        self._choices = {
            voice: np.where(
                [e.kind is Kind.NOTE_ON and e.voice is voice for e in vocabulary.events],
                np.float32(0),
                FORBIDDEN,
            )
            for voice in voices
        }

    def bias(self, state: DecodeState) -> Bias:
        """Forbid everything but the next event, or the notes of its voice."""
        event = self._due(state)
        if event.kind is Kind.NOTE_ON and event.voice in self._choices:
            return self._choices[event.voice]
        bias = np.full(self._size, FORBIDDEN, np.float32)
        bias[self._codec.token_at(event, state.time)] = 0
        return bias

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """Return the score's own wait."""
        return self._due(state) if event.kind is Kind.WAIT else event

    def _due(self, state: DecodeState) -> Event:
        """Return the score's next event, or the first token's part of the wait to it."""
        at, event = self._moments.following(state)
        if at <= state.time:
            return event
        return Event(Kind.WAIT, None, self._codec.wait_at(state.time, at - state.time)[1])


class Dynamics(LogitsProcessor):
    """Template that the model fills with volumes and timbres; all notes of a score stay unchanged.

    If the model draws anything but a volume or a timbre, it has none to set now; the draw becomes the next
    event of the score. The model therefore sets volumes and timbres as often as in its own music.
    """

    order = Order.KEPT

    def __init__(self, codec: Codec, score: Score) -> None:
        """Take the score.

        Args:
            codec: codec of the composing model; it needs VELOCITY and TIMBRE.
            score: in model time; for timing `frames` it must be clean.
        """
        self._shortest = codec.waits_at(0).lengths[0]
        self._moments = _Moments(score, events_of_score(score, expression=False))

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """Return a volume or a timbre in its turn unchanged.

        Any other event becomes the next note event, or a wait towards it.
        """
        at, due = self._moments.following(state)
        now = at <= state.time
        if event.kind in (Kind.VELOCITY, Kind.TIMBRE) and (
            not now or rank(event) < rank(due) or due.kind is Kind.END
        ):
            return event
        if now:
            return due
        wait = event.value if event.kind is Kind.WAIT else self._shortest
        return Event(Kind.WAIT, None, min(wait, at - state.time))
