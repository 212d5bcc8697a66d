"""The timeline: what was composed for each moment of a song that is played live.

It is made of spans of tokens. Each is what the model said without a break, with the tick at which it said
it; so a place that was played once plays the same again, and the model can hear again what lies before any
moment. A score may be loaded into it; what of that the model has no token for lies beside the tokens. One
thread composes into it, others read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from threading import RLock

from lakhnes.runtime.bars.bar_time import BarTime
from lakhnes.runtime.bars.bars import REST_TICKS, BarLines
from lakhnes.runtime.bars.codec import BarredCodec
from lakhnes.runtime.compose.moments import ends_before_gaps, moments_of, order_of, score_of_moments
from lakhnes.runtime.compose.span import Moment, Span
from lakhnes.runtime.music.events import END, Event, Kind, Voice, octave_shifted
from lakhnes.runtime.music.score import Note, Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, TICK_SAMPLES, Codec, Timing
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import model_grid

__all__ = ["Moment", "Span", "Timeline"]

_NEVER = 1 << 62
_UNITS = {Timing.SAMPLES: 1, Timing.FRAMES: FRAME_SAMPLES, Timing.BARS: TICK_SAMPLES}
_CHANGES = (Kind.VELOCITY, Kind.TIMBRE)


class Timeline:
    """The spans of a song, in time; none overlaps another.

    Attributes:
        codec: of the model that composes; it says what tokens mean.
        grid: of the scores that go in and out. Whoever plays may be faster or slower.
        model_grid: the same ticks in the model's time.
        spans: in time.
        edition: rises with every score that is loaded.
    """

    def __init__(self, codec: Codec, grid: BeatGrid) -> None:
        """Begins with nothing."""
        self.codec = codec
        self.grid = grid
        self._bar_time = (
            BarTime(Score(), BarLines.of(grid), codec.articulation)
            if isinstance(codec, BarredCodec)
            else None
        )
        self.model_grid = self._bar_time.ticks if self._bar_time else model_grid(grid, codec.timing)
        self.spans: list[Span] = []
        self.edition = 0
        self._known = frozenset(codec.vocabulary.events)
        self._changed: int | None = None  # the lowest tick, since the changes were taken last
        self._lock = RLock()

    @property
    def end(self) -> int:
        """The tick at which the last of what is composed ends; 0 if nothing is."""
        with self._lock:
            return self.spans[-1].end if self.spans else 0

    def load(
        self,
        score: Score,
        codec: Codec | None = None,
        grid: BeatGrid | None = None,
        *,
        ringing: Collection[Voice] = (),
    ) -> None:
        """Forgets everything and holds a score instead, from tick 0 to its end.

        Args:
            score: the song; its times are put on ticks. Pitches, volumes and timbres that the model does not
                know are played as they are, and read by the model as near as it can.
            codec: of the model that composes from now on; None for the one before.
            grid: of the song from now on; None for the one before.
            ringing: voices whose last note goes on after the score's end, if it reaches it.
        """
        with self._lock:
            codec, grid = codec or self.codec, grid or self.grid
        made = Timeline(codec, grid)  # in peace: the player needs the lock
        end = grid.tick(score.length)
        if end > 0:
            moments = moments_of(score, grid, end, expression=codec.vocabulary.has_expression)
            moments = [m for m in moments if m.tick < end or m.event.voice not in ringing]
            made._rewrite(made.begin(0, codec.beginning_at(0)), 0, 0, moments, end)
        with self._lock:
            self.codec, self.grid, self._known, self.spans = codec, grid, made._known, made.spans
            self.model_grid, self._bar_time = made.model_grid, made._bar_time
            self.edition += 1
            self._changed = None

    def take_changes(self) -> tuple[int, Score] | None:
        """What has changed since this was asked last, or since a score was loaded.

        Returns:
            A tick, and all from there to the end of what is composed: sample 0 of the score is the grid's
            sample of that tick. No note rings over it. None if nothing has changed.
        """
        with self._lock:
            first, self._changed = self._changed, None
            copied = None if first is None else self._copied(first)
        return None if copied is None else score_of_moments(*copied)

    def score(self, first: int = 0) -> tuple[int, Score]:
        """What is composed from a tick on, or from the onset of what rings over it; as in `take_changes`."""
        with self._lock:
            copied = self._copied(first)
        return score_of_moments(*copied)

    def sounding(self, tick: int) -> dict[Voice, int]:
        """The pitches of the notes that sound when a tick comes, before what happens at it."""
        with self._lock:
            span = self._before(tick)
            rings = {} if span is None else {voice: span.ringing(voice, tick) for voice in Voice}
        return {voice: note[1] for voice, note in rings.items() if note is not None}

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
                if span.start >= last:
                    break
                found += span.happens(self.codec, first, last)
        return found

    def next_tick(self, tick: int) -> int | None:
        """The first tick from `tick` on at which something happens; None if nothing is composed."""
        with self._lock:
            for span in self._from(tick):
                found = span.beside_from(tick)
                for index in range(bisect_left(span.ticks, tick), len(span.tokens)):
                    if found is not None and span.ticks[index] >= found:
                        break
                    if not self.codec.passing[span.tokens[index]]:
                        return span.ticks[index]
                if found is not None:
                    return found
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
            self._change(tick)
            return span

    def fill(self, span: Span, end: int) -> None:
        """Lets nothing happen between the end of a span that has said nothing and a tick."""
        with self._lock:
            self._change(span.end)
            span.end = end
            span.prompt.extend(self.codec.arriving_at(self.model_sample(end)))

    def articulate(self, span: Span, since: int) -> None:
        """Ends notes where the articulation of their voice has it, if the model knows one.

        Args:
            span: one of this timeline.
            since: from the last note of each voice before this tick on.
        """
        if self._bar_time is None:
            return
        with self._lock:
            ends = list(span.ends)
            for voice, line in span.lines(since):
                if not line:
                    continue
                times = [(self.model_sample(on), self.model_sample(end), pitch) for on, end, pitch in line]
                part = Part(tuple(Note(on, max(1, end - on), pitch) for on, end, pitch in times))
                ends = [moment for moment in ends if moment.tick < line[0][0] or moment.event.voice != voice]
                for note, (_, end, _) in zip(
                    self._bar_time.articulated(voice, part).notes, line, strict=True
                ):
                    tick = self.model_grid.tick(note.end)
                    if tick < end:
                        ends.append(Moment(tick, Event(Kind.NOTE_OFF, voice)))
            span.ends = sorted(ends, key=order_of)
            self._change(min((moment.tick for moment in span.ends if moment.tick >= since), default=since))

    def say(self, span: Span, token: int, end: int) -> None:
        """Adds a token to a span.

        Args:
            span: one of this timeline.
            token: what is said at the span's end.
            end: the span's end after it; later than before for a wait.
        """
        with self._lock:
            self._change(span.end)
            span.ticks.append(span.end)
            span.tokens.append(token)
            span.turn(span.end, self.codec.event(token))
            span.end = end

    def forget(self, tick: int) -> int | None:
        """Forgets everything from a tick on; notes that sound there sound on.

        Returns:
            The number of the last span's tokens that are as they were; None if all are.
        """
        with self._lock:
            if tick <= self.end:
                self._change(tick)
            self.spans = [span for span in self.spans if span.start < tick]
            last = self.spans[-1] if self.spans else None
            if last is None or (last.end <= tick and not last.says_from(tick)):
                return None
            return self._rewrite(last, bisect_left(last.ticks, tick), tick, (), tick)

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
            first = min(moment.tick for moment in played)
            self._change(first)
            said = {(tick, event.voice) for tick, event in played}
            there = [
                moment
                for moment in span.happens(self.codec, first, _NEVER)
                if (moment.tick, moment.event.voice) not in said
            ]
            together = sorted([*there, *played], key=order_of)
            return self._rewrite(span, bisect_left(span.ticks, first), first, together, span.end)

    def _rewrite(self, span: Span, index: int, first: int, moments: Iterable[Moment], end: int) -> int:
        """Says moments, and waits up to an end, in the place of a span's tokens from an index and tick on."""
        while index and self.codec.passing[span.tokens[index - 1]]:
            index -= 1
        moments = list(moments)
        unread = set[Moment]()
        if self._bar_time is not None:  # the model knows articulation
            unread = ends_before_gaps(moments, self.model_grid.tick(REST_TICKS * TICK_SAMPLES))
        now = span.ticks[index] if index < len(span.ticks) else span.end if index else span.start
        span.cut(index, first)
        time = self.model_sample(now)
        for tick, event in (*moments, (end, END)):
            if tick > now:
                reached = self.model_sample(tick)
                for token in self.codec.tokens([Event(Kind.WAIT, None, reached - time)], time):
                    span.ticks.append(now)
                    span.tokens.append(token)
                now, time = tick, reached
            near = None if (tick, event) in unread else self._near(event)
            if near is not None:
                span.ticks.append(now)
                span.tokens.append(self.codec.token(near))
            if near != event and event is not END:
                span.beside.append(Moment(now, event))
            span.turn(now, event)
        span.end = now
        if moments:
            span.new = now
        return index

    def _near(self, event: Event) -> Event | None:
        """What the model reads of an event; None for nothing."""
        if event.kind is Kind.NOTE_ON and event.voice is not None and event not in self._known:
            event = event._replace(value=octave_shifted(event.voice, event.value))
        return event if event in self._known and event is not END else None

    def _change(self, tick: int) -> None:
        self._changed = tick if self._changed is None else min(tick, self._changed)

    def _before(self, tick: int) -> Span | None:
        """The span in which the moment before a tick lies."""
        return next((span for span in self._from(tick - 1) if span.start < tick), None)

    def _copied(self, first: int) -> tuple[int, int, list[Moment], BeatGrid]:
        """The tick from which on it can be cut, the end, what happens between, and the grid."""
        end = self.end
        start = self._unheld(min(first, end))
        while True:
            moments = self._since(start)
            earlier = self._incomplete(moments, start, end)
            if earlier is None:
                return start, end, moments, self.grid
            start = self._unheld(earlier)

    def _since(self, start: int) -> list[Moment]:
        """What happens from a tick on; what rings into a gap ends there."""
        moments: list[Moment] = []
        before: Span | None = None
        for span in self._from(start - 1):
            if before is not None and before.end < span.start:
                rings = [voice for voice in Voice if before.ringing(voice, before.end + 1)]
                moments += [Moment(before.end, Event(Kind.NOTE_OFF, voice)) for voice in rings]
                moments.sort(key=order_of)
            moments += span.happens(self.codec, start, _NEVER)
            before = span
        return moments

    def _incomplete(self, moments: Iterable[Moment], start: int, end: int) -> int | None:
        """The earlier tick from which on moments are a score of their own; None if they are one.

        A part without notes has no changes: they come with the note that they follow, or lead to.
        """
        begun, changed = set[Voice](), set[Voice]()
        for at, event in moments:
            if event.voice is not None and event.kind is Kind.NOTE_ON and at < end:
                begun.add(event.voice)
            elif event.voice is not None and event.kind in _CHANGES:
                changed.add(event.voice)
        new = {voice for voice in begun if self._onset(voice, start) is None}
        earlier = [*(self._onset(voice, start) for voice in changed - begun), self._changed_first(new, start)]
        return min((tick for tick in earlier if tick is not None), default=None)

    def _unheld(self, tick: int) -> int:
        """The nearest tick before the notes that sound when one comes, over which no note rings."""
        ends: tuple[Voice, ...] = tuple(Voice)  # at the tick itself, what is new may be that they end there
        while (span := self._before(tick)) is not None:
            rings = (span.ringing(voice, tick) for voice in ends)
            onsets = [note[0] for note in rings if note is not None]
            if not onsets:
                break
            tick = min(onsets)
            ends = tuple(voice for voice in Voice if not self._turns(voice, tick))
        return tick

    def _turns(self, voice: Voice, tick: int) -> bool:
        """Whether a voice begins or ends a note at a tick."""
        return any(span.turns(voice, tick) for span in self._from(tick - 1)[:2])

    def _onset(self, voice: Voice, tick: int) -> int | None:
        """The onset of the last note of a voice before a tick; one that a gap ends at once is none."""
        following: int | None = None
        for span in reversed(self.spans):
            goes_on = following == span.end
            onset = span.onset(voice, tick if goes_on else min(tick, span.end))
            if onset is not None:
                return onset
            following = span.start
        return None

    def _changed_first(self, voices: set[Voice], tick: int) -> int | None:
        """The tick of the first change in some voices before a tick."""
        if not voices:
            return None
        moments = (moment for span in self.spans for moment in span.happens(self.codec, 0, tick))
        return next((at for at, event in moments if event.voice in voices and event.kind in _CHANGES), None)

    def model_sample(self, tick: int) -> int:
        """The sample of a tick in the model's time."""
        sample = self.model_grid.sample(tick)
        unit = _UNITS[self.codec.timing]
        return round(sample / unit) * unit

    def _from(self, tick: int) -> list[Span]:
        """The spans that end after a tick."""
        # Spans are few: one for every jump to where nothing had been composed.
        return [span for span in self.spans if span.end > tick]
