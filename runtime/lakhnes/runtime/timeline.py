"""The timeline: what was composed for each moment of a song that is played live.

It is made of spans of tokens. Each is what the model said without a break, with the tick at which it said
it; so a place that was played once plays the same again, and the model can hear again what lies before any
moment. One thread composes into it, others read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from threading import RLock
from typing import NamedTuple

from lakhnes.runtime.events import END, Event, Kind, Voice
from lakhnes.runtime.grid import BeatGrid
from lakhnes.runtime.score import rank
from lakhnes.runtime.timing import FRAME_SAMPLES, Codec, Timing


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
        prompt: the tokens that the model heard before it.
        tokens: its own, waits among them.
        ticks: when each is said; a wait when it begins.
    """

    def __init__(self, start: int, prompt: Sequence[int]) -> None:
        self.start = self.end = start
        self.prompt = array("H", prompt)
        self.tokens = array("H")
        self.ticks = array("q")

    def heard(self, count: int) -> list[int]:
        """The last tokens that the model has heard at its end, at most `count`."""
        own = self.tokens[-count:]
        before = self.prompt[-(count - len(own)) :] if len(own) < count else ()
        return [*before, *own]

    def sounding(self, codec: Codec, before: int) -> dict[Voice, int]:
        """The pitch of each voice that sounds after the first `before` of its tokens."""
        notes: dict[Voice, int] = {}
        left = set(Voice)
        for index in range(before - 1, -1, -1):
            event = codec.event(self.tokens[index])
            if event.voice in left and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
                left.discard(event.voice)
                if event.kind is Kind.NOTE_ON:
                    notes[event.voice] = event.value
                if not left:
                    break
        return notes


class Timeline:
    """The spans of a song, in time; none overlaps another.

    Attributes:
        codec: of the model that composes; it says what tokens mean.
        grid: the tempo that the model composes at. Whoever plays may be faster or slower.
        spans: in time.
    """

    def __init__(self, codec: Codec, grid: BeatGrid) -> None:
        """Begins with nothing."""
        self.codec = codec
        self.grid = grid
        self.spans: list[Span] = []
        self._lock = RLock()

    def known_until(self, tick: int) -> int:
        """The tick up to which everything from `tick` on is composed; `tick` itself if nothing is."""
        with self._lock:
            for span in self._from(tick):
                if not span.start <= tick < span.end:
                    break
                tick = span.end
            return tick

    def moments(self, first: int, last: int) -> list[Moment]:
        """What happens from tick `first` on and before tick `last`, as far as it is composed."""
        found = []
        with self._lock:
            for span in self._from(first - 1):  # a span before may close its notes at this tick
                for index in range(bisect_left(span.ticks, first), bisect_left(span.ticks, last)):
                    event = self.codec.event(span.tokens[index])
                    if event.kind is not Kind.WAIT:
                        found.append(Moment(span.ticks[index], event))
        return found

    def next_tick(self, tick: int) -> int | None:
        """The first tick from `tick` on at which something happens; None if nothing is composed."""
        with self._lock:
            for span in self._from(tick):
                for index in range(bisect_left(span.ticks, tick), len(span.tokens)):
                    if self.codec.event(span.tokens[index]).kind is not Kind.WAIT:
                        return span.ticks[index]
        return None

    def last(self, tick: int) -> Span | None:
        """The span at whose end composing goes on for somebody at a tick; None where nothing is composed."""
        with self._lock:
            found = None
            for span in self._from(tick - 1):
                if not span.start <= tick <= span.end:
                    break
                found, tick = span, span.end
            return found

    def at(self, tick: int) -> Span | None:
        """The span in which a tick lies; None where nothing is composed."""
        with self._lock:
            return next((span for span in self._from(tick) if span.start <= tick), None)

    def limit(self, span: Span) -> int | None:
        """The tick at which the next span begins; None for the last one."""
        with self._lock:
            place = self.spans.index(span) + 1
            return self.spans[place].start if place < len(self.spans) else None

    def begin(self, tick: int, prompt: Sequence[int]) -> Span:
        """Begins a span at a tick at which nothing is composed; tokens that the model heard before it."""
        with self._lock:
            span = Span(tick, prompt)
            place = bisect_left([other.start for other in self.spans], tick)
            self.spans.insert(place, span)
            return span

    def say(self, span: Span, token: int, end: int) -> None:
        """Adds a token to a span.

        Args:
            span: one of this timeline.
            token: what is said at the span's end.
            end: the span's end after it; later than before for a wait.
        """
        with self._lock:
            span.ticks.append(span.end)
            span.tokens.append(token)
            span.end = end

    def forget(self, tick: int) -> None:
        """Forgets everything from a tick on; notes that sound there sound on."""
        with self._lock:
            self.spans = [span for span in self.spans if span.start < tick]
            if self.spans and self.spans[-1].end > tick:
                self._rewrite(self.spans[-1], bisect_left(self.spans[-1].ticks, tick), (), tick)

    def insert(self, span: Span, played: Iterable[Moment]) -> int:
        """Puts what somebody played into a span, between what was composed.

        Args:
            span: one of this timeline.
            played: within the span, in any order. What the same voice does at the same tick goes.

        Returns:
            The number of the span's tokens that are as they were.
        """
        played = list(played)
        with self._lock:
            index = bisect_left(span.ticks, min(moment.tick for moment in played))
            there = [
                (tick, self.codec.event(token))
                for tick, token in zip(span.ticks[index:], span.tokens[index:], strict=True)
            ]
            said = {(tick, event.voice) for tick, event in played}
            events = [
                (tick, event)
                for tick, event in there
                if event.kind is not Kind.WAIT and (tick, event.voice) not in said
            ]
            together = sorted([*events, *played], key=lambda moment: (moment[0], rank(moment[1])))
            return self._rewrite(span, index, together, span.end)

    def _rewrite(self, span: Span, index: int, moments: Iterable[tuple[int, Event]], end: int) -> int:
        """Says moments, and waits up to an end, in the place of a span's tokens from an index on."""
        while index and self.codec.event(span.tokens[index - 1]).kind is Kind.WAIT:
            index -= 1
        now = span.ticks[index] if index < len(span.ticks) else span.end if index else span.start
        del span.tokens[index:], span.ticks[index:]
        for tick, event in (*moments, (end, END)):
            for token in self._waits(now, tick):
                span.ticks.append(now)
                span.tokens.append(token)
            now = max(now, tick)
            if event is not END:
                span.ticks.append(now)
                span.tokens.append(self.codec.token(event))
        span.end = now
        return index

    def _waits(self, first: int, last: int) -> list[int]:
        """The tokens that wait from one tick to another."""
        start, end = self.grid.sample(first), self.grid.sample(last)
        if self.codec.timing is Timing.FRAMES:
            start, end = (round(sample / FRAME_SAMPLES) * FRAME_SAMPLES for sample in (start, end))
        return self.codec.tokens([Event(Kind.WAIT, None, end - start)]) if end > start else []

    def _from(self, tick: int) -> list[Span]:
        """The spans that end after a tick."""
        # Spans are few: one for every jump to where nothing had been composed.
        return [span for span in self.spans if span.end > tick]
