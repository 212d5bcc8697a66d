"""Composing while somebody plays: a timeline is filled in front of whoever plays it, a bar at a time.

The model's state is never kept for later: what lies before a place is heard again where composing goes on
there, which a jump, another take and notes that somebody played all come down to. Where composing simply goes
on, the memory has heard it already.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable

import numpy as np

from lakhnes.runtime.compose.steering import Steering
from lakhnes.runtime.compose.timeline import Moment, Span, Timeline
from lakhnes.runtime.decode.constraints import Constraint, Fixed, forbid
from lakhnes.runtime.decode.monotony import REMEMBERED_SECONDS
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.model.model import Logits, Model, Snapshot
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.time.grid import PPQ, BeatGrid

SNAPSHOTS = 4
"""Places that the memory is kept of while somebody plays along: the last beats."""


_NEVER = 1 << 40
"""A tick that no song reaches."""


class LiveComposer:
    """Composes into a timeline, in front of a place that moves.

    All of it belongs to one thread; `steering`, `limit` and `rests` may be set by others.

    Attributes:
        timeline: what is composed; others may read it.
        steering: what is asked for now; it shapes what is composed next.
        played: voices that somebody plays, so that nothing is composed for them.
        limit: the tick up to which is composed at most, or to the end of its bar; None for no end.
        rests: whether a place beyond the end of what is composed is reached by a rest, which counts as
            composed, so that the song has no holes; else the way there is composed when somebody comes.
        n_tokens: tokens composed so far.
    """

    def __init__(self, model: Model, grid: BeatGrid, steering: Steering | None = None, seed: int = 0) -> None:
        """Begins a song.

        Args:
            model: what composes; it belongs to the composer from now on.
            grid: of one tempo. Every note begins on its rows; whoever plays may be faster or slower.
            steering: what is asked for.
            seed: of the song. What is composed without a break from tick 0 is what `Song` composes of it.

        Raises:
            OptionError: if something is asked for that cannot be done.
        """
        self.timeline = Timeline(model.codec, grid)
        self.steering = steering or Steering()
        self.steering.constraints(model.codec, grid)  # refuses now what it would refuse at the first bar
        self.played: frozenset[Voice] = frozenset()
        self.limit: int | None = None
        self.rests = False
        self.n_tokens = 0
        self._model = model
        self._grid = grid
        self._seed, self._take = seed, 0
        self._rng = np.random.default_rng(seed)
        self._last: Span | None = None
        self._heard: tuple[Span, int, Logits] | None = None  # what the memory has heard, and what comes of it
        self._surprise: float | None = None  # of what the memory has heard, if it was composed just now
        self._kept: deque[tuple[Span, int, Logits, Snapshot]] = deque(maxlen=SNAPSHOTS)

    def adopt(
        self,
        score: Score,
        *,
        model: Model | None = None,
        grid: BeatGrid | None = None,
        seed: int | None = None,
        ringing: Collection[Voice] = (),
    ) -> None:
        """Goes on with another song; what comes at its end is composed from what it is.

        Args:
            score: the song from tick 0 on.
            model: what composes from now on; None for the one before.
            grid: of the song, of one tempo; None for the one before.
            seed: begins chance anew, so that an empty song is the seed's own; with None it goes on.
            ringing: voices whose last note goes on after the score's end, if it reaches it.
        """
        self._model, self._grid = model or self._model, grid or self._grid
        self.timeline.load(score, self._model.codec, self._grid, ringing=ringing)
        if seed is not None:
            self._seed, self._take = seed, 0
            self._rng = np.random.default_rng(seed)
        self._last = self.timeline.spans[-1] if self.timeline.spans else None
        self._heard = None
        self._kept.clear()

    def compose(self, place: int, ahead: int, lead: int = 0) -> bool:
        """Composes up to the next bar line if less than so much is there; to the next beat if somebody plays.

        Args:
            place: the tick that is played now.
            ahead: ticks in front of it that are to be there.
            lead: ticks after `place` before which a new beginning makes no sense.

        Returns:
            Whether it composed anything.
        """
        span = self.timeline.last(place)
        if span is None:
            place = -(-(place + lead) // PPQ) * PPQ
            span = self.timeline.last(place)
        goal = place + ahead if self.limit is None else min(place + ahead, self.limit)
        if self.timeline.known_until(place) >= goal:
            return False
        if span is None:
            span = self._rest(place) if self.rests and place > self.timeline.end else self._begin(place)
        unit = PPQ if self.played else self._grid.bar_ticks
        self._extend(span, (span.end // unit + 1) * unit, self.timeline.limit(span))
        return True

    def new_take(self, tick: int) -> None:
        """Forgets what is composed from a tick on; what comes there next is new."""
        self.forget(tick)
        self._take += 1
        self._rng = np.random.default_rng([self._seed, self._take])

    def forget(self, tick: int) -> None:
        """Forgets what is composed from a tick on."""
        self.timeline.forget(tick)
        self._heard = None
        self._kept.clear()

    def hear(self, played: Iterable[Moment]) -> None:
        """Takes what somebody played into the timeline, as far as it is composed there.

        Args:
            played: of voices that are in `played`.
        """
        for moment in played:
            span = self.timeline.at(moment.tick)
            if span is None:
                continue
            count = self.timeline.insert(span, [moment])
            self._kept = deque((k for k in self._kept if k[0] is not span or k[1] <= count), SNAPSHOTS)
            if self._heard is not None and self._heard[0] is span:
                self._heard = None

    def _rest(self, tick: int) -> Span:
        """A span that is silent from the end of all that is composed up to a place."""
        end = self.timeline.end
        self.forget(end)  # notes that were about to begin
        self._last = self.timeline.last(end)
        if self._last is not None:
            for voice in sorted(self.timeline.sounding(end)):
                if not self._last.turns(voice, end):
                    self.timeline.say(self._last, self._model.codec.token(Event(Kind.NOTE_OFF, voice)), end)
        span = self._begin(end)
        self.timeline.fill(span, tick)
        return span

    def _begin(self, tick: int) -> Span:
        """A span for a place where nothing is composed; the model goes on with what it did last."""
        prompt: list[int] = []
        if self._last is not None:
            codec = self._model.codec
            turns = self._last.last_turns(codec, len(self._last.tokens))
            last = sorted(codec.event(self._last.tokens[place]) for place in turns)
            prompt = self._last.heard(self._model.info.mem_len)
            prompt += [
                codec.token(Event(Kind.NOTE_OFF, event.voice)) for event in last if event.kind is Kind.NOTE_ON
            ]
        return self.timeline.begin(tick, prompt)

    def _extend(self, span: Span, target: int, limit: int | None) -> None:
        """Composes from a span's end to a target or past it, but not past the limit."""
        self._last = span
        logits = self._listen(span)
        song = self._song(span, limit)
        codec = self._model.codec
        while (span.end < target or song.promised) and not song.over:
            token, events = song.take(logits)
            for event in events:
                if event.kind is Kind.WAIT:
                    self.timeline.say(span, token, self._grid.tick(song.time_samples))
                elif event.kind is not Kind.END:
                    self.timeline.say(span, codec.token(event), span.end)
            logits = self._model.step(token)
            self._heard = span, len(span.tokens), logits
            self._surprise = song.surprise
            self.n_tokens += 1
        if self.played and self._heard is not None:
            self._kept.append((span, len(span.tokens), logits, self._model.snapshot()))

    def _song(self, span: Span, limit: int | None) -> Song:
        """A song that is where a span ends, in absolute time."""
        codec = self._model.codec
        steering = self.steering
        constraints: list[Constraint] = steering.constraints(codec, self._grid, self.played)
        if self.played:
            theirs = [event for event in codec.vocabulary.events if event.voice in self.played]
            constraints.insert(0, Fixed(forbid(codec.vocabulary, theirs)))
        # A length forbids the end of the song; the longest one is never reached.
        length = self._grid.sample(_NEVER if limit is None else limit)
        song = Song(
            codec,
            self._rng,
            sampling=steering.sampling,
            length_samples=length,
            constraints=constraints,
            surprise=self._surprise,
        )
        past = self._grid.tick(self._grid.sample(span.end) - REMEMBERED_SECONDS * SAMPLE_RATE)
        first = max(0, min(len(span.ticks) - self._model.info.mem_len, bisect_left(span.ticks, past)))
        now = 0
        for place in (*span.last_turns(codec, first), *range(first, len(span.ticks))):
            tick, event = span.ticks[place], codec.event(span.tokens[place])
            if event.kind is Kind.WAIT:
                continue
            if tick > now:
                song.hear([Event(Kind.WAIT, None, self._grid.sample(tick) - self._grid.sample(now))])
                now = tick
            song.hear([event])
        if span.end > now:
            song.hear([Event(Kind.WAIT, None, self._grid.sample(span.end) - self._grid.sample(now))])
        return song

    def _listen(self, span: Span) -> Logits:
        """What the model expects at the end of a span."""
        count = len(span.tokens)
        if self._heard is not None and self._heard[0] is span and self._heard[1] == count:
            return self._heard[2]
        self._surprise = None
        mem_len = self._model.info.mem_len
        for kept, known, after, snapshot in reversed(self._kept):
            if kept is span and known <= count:
                self._model.restore(snapshot)
                logits = self._model.prefill(span.tokens[known:])[-1] if known < count else after
                break
        else:
            self._model.reset()
            logits = self._model.prefill([END_TOKEN, *span.heard(mem_len)][-mem_len:])[-1]
        self._heard = span, count, logits
        return logits
