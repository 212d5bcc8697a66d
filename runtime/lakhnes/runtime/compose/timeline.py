"""The timeline: the composed events of each moment of a live song.

It consists of spans of tokens. Each holds the model's tokens without a break, and the tick of each. A place
that has been played therefore plays the same again, and the model can read again what precedes any moment. A
score may be loaded. Its events without a token are stored next to the tokens. One thread composes into the
timeline, and others read it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from threading import RLock

from lakhnes.runtime.bars.bar_time import BarTime
from lakhnes.runtime.bars.bars import REST_TICKS, BarLines
from lakhnes.runtime.bars.codec import BarredCodec
from lakhnes.runtime.compose.moments import ends_before_gaps, order_of, score_of_moments
from lakhnes.runtime.compose.reloading import Stretch, differing, moments_between
from lakhnes.runtime.compose.span import Moment, Span
from lakhnes.runtime.compose.spans import Spans
from lakhnes.runtime.music.editing import with_tail
from lakhnes.runtime.music.events import END, Event, Kind, Voice, octave_shifted
from lakhnes.runtime.music.score import Note, Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, TICK_SAMPLES, Codec, Timing
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import model_grid

__all__ = ["Moment", "Span", "Timeline"]

_NEVER = 1 << 62
_UNITS = {Timing.SAMPLES: 1, Timing.FRAMES: FRAME_SAMPLES, Timing.BARS: TICK_SAMPLES}


class Timeline:
    """The spans of a song, in order of time, without overlaps.

    Attributes:
        codec: codec of the composing model; it gives tokens their meaning.
        grid: grid of the scores that are loaded and returned. The player may be faster or slower.
        model_grid: the same ticks in the model's time.
        spans: the spans, in order of time.
        edition: rises with every loaded score.
    """

    def __init__(self, codec: Codec, grid: BeatGrid) -> None:
        """Start empty."""
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
        self._score = Score()  # what is here, up to the tick `_unsure`
        self._unsure: int | None = None
        self._lock = RLock()

    @property
    def end(self) -> int:
        """Tick at which the last composed span ends; 0 if nothing is composed."""
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
        """Replace everything by a score, from tick 0 to its end.

        Args:
            score: the song; its times move to ticks. Unknown pitches, volumes and timbres are played
                unchanged, and the model reads the nearest that it knows.
            codec: codec of the composing model from now on; None keeps the old one.
            grid: grid of the song from now on; None keeps the old one.
            ringing: voices whose last note continues after the score's end, if it reaches it.
        """
        codec, grid = codec or self.codec, grid or self.grid
        made = Timeline(codec, grid)  # in peace: the player needs the lock
        end = grid.tick(score.length)
        if end > 0 and not self._goes_on(made, score, end, ringing):
            span = made.begin(0, codec.beginning_at(0))
            made._say_score(span, score, Stretch(0, None), end, ringing)
        with self._lock:
            self.codec, self.grid, self._known, self.spans = codec, grid, made._known, made.spans
            self.model_grid, self._bar_time = made.model_grid, made._bar_time
            self.edition += 1
            self._changed = self._unsure = None
            self._score = score

    def _goes_on(self, made: Timeline, score: Score, end: int, ringing: Collection[Voice]) -> bool:
        """Fill another timeline with a score: say what differs, and copy the rest from here.

        Args:
            made: another timeline, still empty.
            score: another form of the song that is here.
            end: its last tick.
            ringing: as in `load`.

        Returns:
            Whether anything could be copied; if not, the other timeline is still empty.
        """
        with self._lock:
            known, unsure, spans = self._score, self._unsure, self.spans
        alike = made.grid is self.grid and made.codec.says_as(self.codec)
        if not alike or len(spans) != 1 or spans[0].start or not known.length:
            return False
        whole = spans[0]
        there = differing(known, score, made.grid)
        first = there.first if unsure is None else min(there.first, unsure)
        rings = {voice for voice in Voice if whole.ringing(voice, whole.end + 1)}
        rest = self._rest(made, whole, there) if unsure is None and rings == set(ringing) else None
        first = max(0, first - made._gap)
        index = self._index(whole, first)
        span, _ = whole.split(min([first, *whole.ticks[index : index + 1]]))
        span.prompt = array("H", made.codec.beginning_at(0))
        made.spans.append(span)
        last = None if rest is None else rest.start
        made._say_score(span, score, Stretch(span.end, last), end, ringing)
        if rest is not None:
            span.go_on(rest)
        span.new = end
        return True

    def _rest(self, made: Timeline, whole: Span, there: Stretch) -> Span | None:
        """Return what another timeline says after a stretch, as a span; None if it cannot be copied.

        Args:
            made: the other timeline.
            whole: the span of all that is here.
            there: the stretch.
        """
        if there.last is None or not whole.reaches(there.last - there.later):
            return None
        _, rest = whole.split(there.last - there.later)
        if not there.later:
            return rest
        grid = made.model_grid
        samples = there.later * float((grid.samples[1] - grid.samples[0]) / (grid.ticks[1] - grid.ticks[0]))
        # Halves are rounded to the even side, so a move by an even number of units changes no wait.
        if len(grid.ticks) > 2 or samples % (2 * _UNITS[made.codec.timing]):
            return None
        tokens = made.codec.later(rest.tokens, round(samples))
        return None if tokens is None else rest.later(there.later, array("H", tokens))

    @property
    def _gap(self) -> int:
        """Ticks between the end of a note and the next onset below which the model may not read the end."""
        return 0 if self._bar_time is None else self.model_grid.tick(REST_TICKS * TICK_SAMPLES)

    def _say_score(
        self, span: Span, score: Score, there: Stretch, end: int, ringing: Collection[Voice]
    ) -> None:
        """Says a stretch of a score in a span that ends where it begins."""
        last = end + 1 if there.last is None else there.last
        expression = self.codec.vocabulary.has_expression
        moments = moments_between(score, self.grid, there.first, last + self._gap, end, expression=expression)
        moments = [m for m in moments if m.tick < end or m.event.voice not in ringing]
        inside = bisect_left(moments, last, key=attrgetter("tick"))
        index = len(span.tokens)
        self._rewrite(span, index, there.first, moments[:inside], min(last, end), moments[inside:])

    def take_changes(self) -> tuple[int, Score] | None:
        """Return the changes since the last call, or since a score was loaded.

        Returns:
            A tick, and the score from there to the end of the composed music. Its sample 0 is the grid's
            sample of that tick, and no note rings over it. None if nothing has changed.
        """
        with self._lock:
            first, self._changed = self._changed, None
            copied, edition = None if first is None else self._copied(first), self.edition
        if copied is None:
            return None
        tick, tail = score_of_moments(*copied)
        with self._lock:
            if edition == self.edition:
                self._score = with_tail(self._score, tail, self.grid.sample(tick))
                self._unsure = self._changed
        return tick, tail

    def score(self, first: int = 0) -> tuple[int, Score]:
        """Return the composed music from a tick, or from the onset of a note that rings over it.

        The result is as in `take_changes`.
        """
        with self._lock:
            copied = self._copied(first)
        return score_of_moments(*copied)

    def sounding(self, tick: int) -> dict[Voice, int]:
        """Return the pitches of the notes that sound at a tick, before its events."""
        with self._lock:
            span = self._said.before(tick)
            rings = {} if span is None else {voice: span.ringing(voice, tick) for voice in Voice}
        return {voice: note[1] for voice, note in rings.items() if note is not None}

    def known_until(self, tick: int) -> int:
        """Return the tick up to which everything from `tick` is composed; `tick` itself if nothing is."""
        with self._lock:
            for span in self._said.ending_after(tick):
                if not span.start <= tick < span.end:
                    break
                tick = span.end
            return tick

    def moments(self, first: int, last: int) -> list[Moment]:
        """Return the composed events from tick `first` and before tick `last`."""
        found = []
        with self._lock:
            for span in self._said.ending_after(first - 1):  # a span before may close its notes at this tick
                if span.start >= last:
                    break
                found += span.happens(self.codec, first, last)
        return found

    def next_tick(self, tick: int) -> int | None:
        """Return the first tick with an event from `tick` on; None if nothing is composed."""
        with self._lock:
            for span in self._said.ending_after(tick):
                found = span.beside_from(tick)
                for index in range(bisect_left(span.ticks, tick), len(span.tokens)):
                    if found is not None and span.ticks[index] >= found:
                        break
                    if self.codec.plays[span.tokens[index]]:
                        return span.ticks[index]
                if found is not None:
                    return found
        return None

    def last(self, tick: int) -> Span | None:
        """Return the span that composing continues for a player at a tick.

        Return None if nothing is composed.
        """
        with self._lock:
            found = None
            for span in self._said.ending_after(tick - 1):
                if not span.start <= tick <= span.end:
                    break
                found, tick = span, span.end
            return found

    def at(self, tick: int) -> Span | None:
        """Return the span that contains a tick; None if nothing is composed."""
        with self._lock:
            return next((span for span in self._said.ending_after(tick) if span.start <= tick), None)

    def limit(self, span: Span) -> int | None:
        """Return the tick at which the next span begins; None for the last one."""
        with self._lock:
            place = self.spans.index(span) + 1
            return self.spans[place].start if place < len(self.spans) else None

    def begin(self, tick: int, prompt: Sequence[int]) -> Span:
        """Start a span at an empty tick, with the tokens that the model read before it."""
        with self._lock:
            span = Span(tick, prompt)
            place = bisect_left([other.start for other in self.spans], tick)
            self.spans.insert(place, span)
            self._change(tick)
            return span

    def fill(self, span: Span, end: int) -> None:
        """Let nothing happen between the end of an empty span and a tick."""
        with self._lock:
            self._change(span.end)
            span.end = end
            span.prompt.extend(self.codec.arriving_at(self.model_sample(end)))

    def articulate(self, span: Span, since: int) -> None:
        """End notes according to the articulation of their voice, if the model has one.

        Args:
            span: one of this timeline.
            since: from the last note of each voice before this tick.
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
        """Add a token to a span.

        Args:
            span: one of this timeline.
            token: the token at the span's end.
            end: the span's new end; later than before for a wait.
        """
        with self._lock:
            self._change(span.end)
            span.ticks.append(span.end)
            span.tokens.append(token)
            span.turn(span.end, self.codec.event(token))
            span.end = end

    def forget(self, tick: int) -> int | None:
        """Forget everything from a tick on; notes that sound there continue.

        Returns:
            The number of unchanged tokens of the last span; None if all are unchanged.
        """
        with self._lock:
            if tick <= self.end:
                self._change(tick)
            self.spans = [span for span in self.spans if span.start < tick]
            last = self.spans[-1] if self.spans else None
            if last is None or (last.end <= tick and not last.says_from(tick)):
                return None
            return self._rewrite(last, self._index(last, tick), tick, (), tick)

    def insert(self, span: Span, played: Iterable[Moment]) -> int:
        """Insert a user's notes into a span, between the composed ones.

        Args:
            span: one of this timeline.
            played: events within the span, in any order. They replace those of the same voice at the same
                tick.

        Returns:
            The number of unchanged tokens of the span.
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
            return self._rewrite(span, self._index(span, first), first, together, span.end)

    def _rewrite(
        self,
        span: Span,
        index: int,
        first: int,
        moments: Iterable[Moment],
        end: int,
        after: Sequence[Moment] = (),
    ) -> int:
        """Says moments, and waits up to an end, in the place of a span's tokens from an index and tick on.

        Args:
            span: one of this timeline.
            index: of the first token that goes.
            first: everything else from this tick is removed.
            moments: the moments that replace it.
            end: the tick after the last of them.
            after: the moments that follow.
        """
        moments = list(moments)
        unread = set[Moment]()
        if self._bar_time is not None:  # the model knows articulation
            unread = ends_before_gaps([*moments, *after], self._gap)
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

    def _index(self, span: Span, tick: int) -> int:
        """Return the index of the first token to replace if a span is rewritten from a tick."""
        index = bisect_left(span.ticks, tick)
        while index and not self.codec.plays[span.tokens[index - 1]]:
            index -= 1  # waits up to there
        return index

    def _near(self, event: Event) -> Event | None:
        """Return the event that the model reads for an event; None for no event."""
        if event.kind is Kind.NOTE_ON and event.voice is not None and event not in self._known:
            event = event._replace(value=octave_shifted(event.voice, event.value))
        return event if event in self._known and event is not END else None

    def _change(self, tick: int) -> None:
        self._changed = tick if self._changed is None else min(tick, self._changed)
        self._unsure = tick if self._unsure is None else min(tick, self._unsure)

    def _copied(self, first: int) -> tuple[int, int, list[Moment], BeatGrid]:
        """Return the tick to cut at, the end, the moments between them, and the grid."""
        end = self.end
        start, moments = self._said.said_from(min(first, end), end)
        return start, end, moments, self.grid

    def model_sample(self, tick: int) -> int:
        """Return the sample of a tick in the model's time."""
        sample = self.model_grid.sample(tick)
        unit = _UNITS[self.codec.timing]
        return round(sample / unit) * unit

    @property
    def _said(self) -> Spans:
        """Its spans, to be read."""
        return Spans(self.spans, self.codec)
