"""Spans: stretches of a song that are composed without a gap, as the tokens that say them.

A span knows what lies beside its tokens, since the model has no word for it, and where each voice begins and
ends its notes, so that what sounds at any tick is found at once.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import Codec

_tick_of = attrgetter("tick")


class Moment(NamedTuple):
    """An event and its time."""

    tick: int
    """480 a beat."""
    event: Event
    """Anything but a wait."""


class Span:
    """A stretch of time that is composed without a gap.

    Attributes:
        start: its first tick.
        end: the tick up to which it is composed.
        prompt: the tokens that the model read before it.
        tokens: its own, waits among them.
        ticks: when each is said; a wait when it begins.
        beside: in time, what happens that the tokens do not say; it counts before a token that says another
            pitch, volume or timbre of its voice at its tick.
        ends: in time, where notes are shorter than the tokens say, for the model has articulation instead.
        new: the tick from which on its notes are composed ones.
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
        self._pitches = tuple(array("H") for _ in Voice)  # that it begins there, 0 where it ends one

    def read(self, count: int) -> list[int]:
        """The last tokens that the model has read at its end, at most `count`."""
        own = self.tokens[-count:]
        before = self.prompt[-(count - len(own)) :] if len(own) < count else ()
        return [*before, *own]

    def last_turns(self, codec: Codec, before: int) -> list[int]:
        """Where, among the first `before` of its tokens, each voice last began or ended a note; in order."""
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
        """What happens from tick `first` on and before tick `last`, in order."""
        found = []
        for index in range(bisect_left(self.ticks, first), bisect_left(self.ticks, last)):
            event = codec.event(self.tokens[index])
            if not codec.passing[self.tokens[index]]:
                found.append(Moment(self.ticks[index], event))
        ends, beside = _between(self.ends, first, last), _between(self.beside, first, last)
        if not ends and not beside:
            return found
        exact = {(tick, rank(event)): event for tick, event in (*ends, *found, *beside)}
        return [Moment(tick, event) for (tick, _), event in sorted(exact.items(), key=lambda item: item[0])]

    def ringing(self, voice: Voice, tick: int) -> tuple[int, int] | None:
        """Onset and pitch of a voice's note that sounds when a tick comes, whether or not it ends then."""
        place = bisect_left(self._turns[voice], tick) - 1
        if place < 0 or not self._pitches[voice][place]:
            return None
        return self._turns[voice][place], self._pitches[voice][place]

    def onset(self, voice: Voice, tick: int) -> int | None:
        """The onset of the last note that a voice begins before a tick."""
        place = bisect_left(self._turns[voice], tick) - 1
        while place >= 0 and not self._pitches[voice][place]:
            place -= 1
        return self._turns[voice][place] if place >= 0 else None

    def says_from(self, tick: int) -> bool:
        """Whether anything is said from a tick on."""
        return bool(self.ticks and self.ticks[-1] >= tick) or self.beside_from(tick) is not None

    def beside_from(self, tick: int) -> int | None:
        """The first tick from one on at which something happens that its tokens do not say."""
        places = ((line, bisect_left(line, tick, key=_tick_of)) for line in (self.beside, self.ends))
        return min((line[place].tick for line, place in places if place < len(line)), default=None)

    def lines(self, tick: int) -> Iterator[tuple[Voice, list[tuple[int, int, int]]]]:
        """Of each voice onset, end and pitch of its notes, from the last one that begins before a tick on.

        A note that nothing has ended yet ends with the span. Only composed notes are among them.
        """
        for voice in Voice:
            turns, pitches = self._turns[voice], self._pitches[voice]
            place = max(0, bisect_left(turns, tick) - 1)
            both = zip(turns[place:], pitches[place:], [*turns[place + 1 :], self.end], strict=False)
            yield voice, [(on, end, pitch) for on, pitch, end in both if pitch and on >= self.new]

    def turns(self, voice: Voice, tick: int) -> bool:
        """Whether a voice begins or ends a note at a tick."""
        place = bisect_left(self._turns[voice], tick)
        return place < len(self._turns[voice]) and self._turns[voice][place] == tick

    def turn(self, tick: int, event: Event) -> None:
        """Notes what begins or ends at a tick, after all that was noted before."""
        if event.voice is not None and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
            self._turns[event.voice].append(tick)
            self._pitches[event.voice].append(event.value if event.kind is Kind.NOTE_ON else 0)

    def cut(self, index: int, tick: int) -> None:
        """Takes away its tokens from an index on, and all else from a tick on."""
        del self.tokens[index:], self.ticks[index:]
        for line in (self.beside, self.ends):
            del line[bisect_left(line, tick, key=_tick_of) :]
        for turns, pitches in zip(self._turns, self._pitches, strict=True):
            place = bisect_left(turns, tick)
            del turns[place:], pitches[place:]


def _between(line: list[Moment], first: int, last: int) -> list[Moment]:
    """Of moments in time, those from a tick on and before another."""
    return line[bisect_left(line, first, key=_tick_of) : bisect_left(line, last, key=_tick_of)]
