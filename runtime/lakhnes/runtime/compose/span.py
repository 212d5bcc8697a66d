"""Spans: stretches of a song composed without a gap, stored as tokens.

A span also stores events for which the model has no token, and the ticks at which each voice begins and ends
its notes, so that the sounding notes of any tick are found at once.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import Codec

_tick_of = attrgetter("tick")


class Moment(NamedTuple):
    """An event and its time."""

    tick: int
    """480 per beat."""
    event: Event
    """Any event but a wait."""


class Span:
    """A stretch of time composed without a gap.

    Attributes:
        start: its first tick.
        end: the tick up to which it is composed.
        prompt: the tokens that the model read before it.
        tokens: its own tokens, including waits.
        ticks: tick of each token; for a wait, its start.
        beside: in order of time, events that the tokens do not contain; they come before a token for another
            pitch, volume or timbre of its voice at its tick.
        ends: in order of time, ends of notes that are shorter than their tokens, because the model uses
            articulation.
        new: the tick from which its notes are composed.
    """

    def __init__(self, start: int, prompt: Sequence[int]) -> None:
        self.start = self.end = start
        self.prompt = array("H", prompt)
        self.tokens = array("H")
        self.ticks = array("q")
        self.beside: list[Moment] = []
        self.ends: list[Moment] = []
        self.new = start
        self._turns = tuple(array("q") for _ in Voice)  # ticks at which a voice begins or ends a note
        self._pitches = tuple(array("H") for _ in Voice)  # whether it begins there; 0 for an end

    def read(self, count: int) -> list[int]:
        """Return the last tokens that the model has read at its end, at most `count`."""
        own = self.tokens[-count:]
        before = self.prompt[-(count - len(own)) :] if len(own) < count else ()
        return [*before, *own]

    def last_turns(self, codec: Codec, before: int) -> list[int]:
        """Return the last note boundary of each voice among the first `before` tokens.

        The indices are in order.
        """
        places: list[int] = []
        left = set(Voice)
        for index in range(before - 1, -1, -1):
            event = codec.event(self.tokens[index])
            if event.voice in left and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
                left.discard(event.voice)
                places.append(index)
                if not left:
                    break
        return places[::-1]

    def happens(self, codec: Codec, first: int, last: int) -> list[Moment]:
        """Return the events from tick `first` and before tick `last`, in order."""
        found = []
        for index in range(bisect_left(self.ticks, first), bisect_left(self.ticks, last)):
            event = codec.event(self.tokens[index])
            if codec.plays[self.tokens[index]]:
                found.append(Moment(self.ticks[index], event))
        ends, beside = _between(self.ends, first, last), _between(self.beside, first, last)
        if not ends and not beside:
            return found
        exact = {(tick, rank(event)): event for tick, event in (*ends, *found, *beside)}
        return [Moment(tick, event) for (tick, _), event in sorted(exact.items(), key=lambda item: item[0])]

    def ringing(self, voice: Voice, tick: int) -> tuple[int, int] | None:
        """Return onset and pitch of a voice's note that sounds just before a tick."""
        place = bisect_left(self._turns[voice], tick) - 1
        if place < 0 or not self._pitches[voice][place]:
            return None
        return self._turns[voice][place], self._pitches[voice][place]

    def onset(self, voice: Voice, tick: int) -> int | None:
        """Return the onset of the last note that a voice begins before a tick."""
        place = bisect_left(self._turns[voice], tick) - 1
        while place >= 0 and not self._pitches[voice][place]:
            place -= 1
        return self._turns[voice][place] if place >= 0 else None

    def reaches(self, tick: int) -> bool:
        """Return whether a token, or a wait, begins at a tick."""
        place = bisect_left(self.ticks, tick)
        return place < len(self.ticks) and self.ticks[place] == tick

    def says_from(self, tick: int) -> bool:
        """Return whether it has an event from a tick on."""
        return bool(self.ticks and self.ticks[-1] >= tick) or self.beside_from(tick) is not None

    def beside_from(self, tick: int) -> int | None:
        """Return the first tick from one on with an event outside its tokens."""
        places = ((line, bisect_left(line, tick, key=_tick_of)) for line in (self.beside, self.ends))
        return min((line[place].tick for line, place in places if place < len(line)), default=None)

    def lines(self, tick: int) -> Iterator[tuple[Voice, list[tuple[int, int, int]]]]:
        """Yield the (onset, end, pitch) of each voice, from the last note that begins before a tick.

        A note without an end so far ends with the span. Only composed notes are included.
        """
        for voice in Voice:
            turns, pitches = self._turns[voice], self._pitches[voice]
            place = max(0, bisect_left(turns, tick) - 1)
            both = zip(turns[place:], pitches[place:], [*turns[place + 1 :], self.end], strict=False)
            yield voice, [(on, end, pitch) for on, pitch, end in both if pitch and on >= self.new]

    def turns(self, voice: Voice, tick: int) -> bool:
        """Return whether a voice begins or ends a note at a tick."""
        place = bisect_left(self._turns[voice], tick)
        return place < len(self._turns[voice]) and self._turns[voice][place] == tick

    def turn(self, tick: int, event: Event) -> None:
        """Note a beginning or an end of a note at a tick, after all earlier ones."""
        if event.voice is not None and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
            self._turns[event.voice].append(tick)
            self._pitches[event.voice].append(event.value if event.kind is Kind.NOTE_ON else 0)

    def split(self, tick: int) -> tuple[Span, Span]:
        """Return new spans of the tokens before a tick and of the others; this one stays the same."""
        index = bisect_left(self.ticks, tick)
        head, tail = Span(self.start, self.prompt), Span(tick, ())
        head.tokens, tail.tokens = self.tokens[:index], self.tokens[index:]
        head.ticks, tail.ticks = self.ticks[:index], self.ticks[index:]
        for name in ("beside", "ends"):
            line = getattr(self, name)
            place = bisect_left(line, tick, key=_tick_of)
            setattr(head, name, line[:place])
            setattr(tail, name, line[place:])
        places = [bisect_left(turns, tick) for turns in self._turns]
        for name in ("_turns", "_pitches"):
            pairs = list(zip(getattr(self, name), places, strict=True))
            setattr(head, name, tuple(line[:place] for line, place in pairs))
            setattr(tail, name, tuple(line[place:] for line, place in pairs))
        head.end, tail.end = min(tick, self.end), self.end
        return head, tail

    def later(self, ticks: int, tokens: array[int]) -> Span:
        """Return a new span with its moments later.

        Args:
            ticks: how much later; negative for earlier.
            tokens: the tokens at the new time.
        """
        moved = Span(self.start + ticks, self.prompt)
        moved.tokens, moved.ticks = tokens, _added(self.ticks, ticks)
        moved.beside, moved.ends = (
            [Moment(tick + ticks, event) for tick, event in line] for line in (self.beside, self.ends)
        )
        moved._turns = tuple(_added(turns, ticks) for turns in self._turns)
        moved._pitches = self._pitches
        moved.end, moved.new = self.end + ticks, self.new + ticks
        return moved

    def go_on(self, tail: Span) -> None:
        """Add the content of another span, which begins where this one ends."""
        self.tokens += tail.tokens
        self.ticks += tail.ticks
        self.beside += tail.beside
        self.ends += tail.ends
        for mine, theirs in zip((*self._turns, *self._pitches), (*tail._turns, *tail._pitches), strict=True):
            mine.extend(theirs)
        self.end = tail.end

    def cut(self, index: int, tick: int) -> None:
        """Remove its tokens from an index on, and everything else from a tick on."""
        del self.tokens[index:], self.ticks[index:]
        for line in (self.beside, self.ends):
            del line[bisect_left(line, tick, key=_tick_of) :]
        for turns, pitches in zip(self._turns, self._pitches, strict=True):
            place = bisect_left(turns, tick)
            del turns[place:], pitches[place:]


def _added(ticks: array[int], more: int) -> array[int]:
    """Return ticks that all lie later."""
    return array("q", (np.frombuffer(ticks, np.int64) + more).tobytes()) if ticks else array("q")


def _between(line: list[Moment], first: int, last: int) -> list[Moment]:
    """Return the moments from a tick and before another, from a list in order of time."""
    return line[bisect_left(line, first, key=_tick_of) : bisect_left(line, last, key=_tick_of)]
