"""Spans in time, and their moments from a tick where no note rings over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lakhnes.runtime.compose.moments import order_of
from lakhnes.runtime.compose.span import Moment, Span
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.timing import Codec

_NEVER = 1 << 62
_CHANGES = (Kind.VELOCITY, Kind.TIMBRE)


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans of a timeline, to be read."""

    spans: Sequence[Span]
    """In time; none overlaps another."""
    codec: Codec
    """Says what their tokens mean."""

    def ending_after(self, tick: int) -> list[Span]:
        """Return the spans that end after a tick."""
        # Spans are few: one for every jump to where nothing had been composed.
        return [span for span in self.spans if span.end > tick]

    def before(self, tick: int) -> Span | None:
        """Return the span that contains the moment before a tick."""
        return next((span for span in self.ending_after(tick - 1) if span.start < tick), None)

    def said_from(self, first: int, end: int) -> tuple[int, list[Moment]]:
        """Return the first tick that can be cut, at or before a tick, and the moments from there.

        Args:
            first: any tick up to the end.
            end: of the last span.
        """
        start = self._unheld(first)
        while True:
            moments = self._since(start)
            earlier = self._incomplete(moments, start, end)
            if earlier is None:
                return start, moments
            start = self._unheld(earlier)

    def _since(self, start: int) -> list[Moment]:
        """Return the moments from a tick; notes that ring into a gap end there."""
        moments: list[Moment] = []
        before: Span | None = None
        for span in self.ending_after(start - 1):
            if before is not None and before.end < span.start:
                rings = [voice for voice in Voice if before.ringing(voice, before.end + 1)]
                moments += [Moment(before.end, Event(Kind.NOTE_OFF, voice)) for voice in rings]
                moments.sort(key=order_of)
            moments += span.happens(self.codec, start, _NEVER)
            before = span
        return moments

    def _incomplete(self, moments: Iterable[Moment], start: int, end: int) -> int | None:
        """Return the earlier tick from which moments form a score of their own; None if they do already.

        A part without notes has no changes. Changes come with the note that they follow or precede.
        """
        begun, changed = set[Voice](), set[Voice]()
        onsets = dict[Voice, int]()
        for at, event in (*moments, *(Moment(end, Event(Kind.NOTE_OFF, voice)) for voice in Voice)):
            if event.voice is not None and event.kind in _CHANGES:
                changed.add(event.voice)
            elif event.voice is not None and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
                if onsets.pop(event.voice, at) < at:  # one that ends at once is none
                    begun.add(event.voice)
                if event.kind is Kind.NOTE_ON:
                    onsets[event.voice] = at
        new = {voice for voice in begun if self._onset(voice, start) is None}
        earlier = [*(self._onset(voice, start) for voice in changed - begun), self._changed_first(new, start)]
        return min((tick for tick in earlier if tick is not None), default=None)

    def _unheld(self, tick: int) -> int:
        """Return the nearest tick, before the notes that sound at a tick, over which no note rings."""
        ends: tuple[Voice, ...] = tuple(Voice)  # at the tick itself, what is new may be that they end there
        while (span := self.before(tick)) is not None:
            rings = (span.ringing(voice, tick) for voice in ends)
            onsets = [note[0] for note in rings if note is not None]
            if not onsets:
                break
            tick = min(onsets)
            ends = tuple(voice for voice in Voice if not self._turns(voice, tick))
        return tick

    def _turns(self, voice: Voice, tick: int) -> bool:
        """Return whether a voice begins or ends a note at a tick."""
        return any(span.turns(voice, tick) for span in self.ending_after(tick - 1)[:2])

    def _onset(self, voice: Voice, tick: int) -> int | None:
        """Return the onset of a voice's last note before a tick.

        A note that a gap ends at once does not count.
        """
        following: int | None = None
        for span in reversed(self.spans):
            goes_on = following == span.end
            onset = span.onset(voice, tick if goes_on else min(tick, span.end))
            if onset is not None:
                return onset
            following = span.start
        return None

    def _changed_first(self, voices: set[Voice], tick: int) -> int | None:
        """Return the tick of the first change in some voices before a tick."""
        if not voices:
            return None
        moments = (moment for span in self.spans for moment in span.happens(self.codec, 0, tick))
        return next((at for at, event in moments if event.voice in voices and event.kind in _CHANGES), None)


__all__ = ["Spans"]
