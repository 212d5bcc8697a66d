"""Live composing: it fills a timeline ahead of the player, a bar at a time.

Each span of the timeline has its own song, with its own random generator, which continues where it stopped.
Live music therefore equals the music that `compose_song` composes in one go, whatever the user changed or
wherever the player jumped. Only after a change of tokens, by a user's notes or by forgetting, is a song read
again from its events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lakhnes.runtime.compose.reloading import n_differing
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.compose.song_time import song_time
from lakhnes.runtime.compose.timeline import Moment, Span, Timeline
from lakhnes.runtime.decode.composer import read_prompt
from lakhnes.runtime.decode.match_cache import MatchCache
from lakhnes.runtime.decode.processors import Absent, LogitsProcessor
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.model.model import Logits, Model, Snapshot
from lakhnes.runtime.music.events import END, Event, Kind, Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import Codec, Timing
from lakhnes.runtime.time.grid import PPQ, BeatGrid
from lakhnes.runtime.time.model_time import SongTime

SNAPSHOTS = 4
"""Number of places whose model memory is kept: ends of spans, and the last beats while a user plays along."""

_TOLD_ANEW = 0.1
"""Fraction of a song's notes that change before the model is told anew what the whole song is like."""

_NEVER = 1 << 62


@dataclass(slots=True, eq=False)
class _Place:
    """A place in a span where composing can continue."""

    span: Span
    tick: int
    """End of the span at this place."""
    count: int
    """Number of the span's tokens up to here."""
    song: Song
    logits: Logits
    """The network's logits at this place."""
    start: int
    """Number of the span's tokens when the song started."""
    prompt: tuple[int, ...]
    """The tokens that the model had read then."""
    snapshot: Snapshot | None = None
    """The model's memory; None while the model itself has it, or if it must read everything again."""


class LiveComposer:
    """Composer that fills a timeline ahead of a moving position.

    It belongs to one thread. Other threads may set `request`, `limit` and `rests`.

    Attributes:
        timeline: the composed music; other threads may read it.
        request: the current settings; they shape the music that is composed next.
        played: voices that a user plays; nothing is composed for them.
        limit: tick at which composing stops, at the end of its bar; None for no end.
        rests: whether a jump beyond the composed music fills the gap with a rest, which counts as
            composed; if not, the gap is composed when the player reaches it.
        n_tokens: tokens composed so far.
    """

    def __init__(self, model: Model, grid: BeatGrid, request: Request | None = None, seed: int = 0) -> None:
        """Start a song.

        Args:
            model: the composing model; the composer owns it from now on.
            grid: grid of one tempo. Every note begins on its rows; the player may be faster or slower.
            request: the settings; its seed has no effect.
            seed: seed of the song. Music composed without a break from tick 0 equals that of
                `compose_song`.

        Raises:
            OptionError: if a setting is impossible.
        """
        self.request = request or Request()
        self.played: frozenset[Voice] = frozenset()
        self.limit: int | None = None
        self.rests = False
        self.n_tokens = 0
        self._model = model
        self._grid = grid
        self._seed, self._take = seed, 0
        self._when = self._song_time(Score())
        self._adopted, self._untold = Score(), 0  # notes that have changed since `_when` was found
        self.timeline = Timeline(self._codec, grid)
        self._last: Span | None = None
        self._places: list[_Place] = []  # one for each span; the one composed last is at the end
        self._current: _Place | None = None  # the place of the model's memory
        self._beats: deque[_Place] = deque(maxlen=SNAPSHOTS)  # the last beats, while a user plays along
        self._wishes()  # refuse now what the first bar would refuse

    def adopt(
        self,
        score: Score,
        *,
        model: Model | None = None,
        grid: BeatGrid | None = None,
        seed: int | None = None,
        ringing: Collection[Voice] = (),
    ) -> None:
        """Continue with another song; new music follows its end.

        Args:
            score: the song from tick 0.
            model: the new composing model; None keeps the old one.
            grid: grid of the song, with one tempo; None keeps the old one.
            seed: restarts the random generator, so that an empty song equals the seed's own; None continues
                it.
            ringing: voices whose last note continues after the score's end, if it reaches it.
        """
        same = model in (None, self._model) and grid in (None, self._grid) and seed is None
        self._model, self._grid = model or self._model, grid or self._grid
        self._seed, self._take = (self._seed, self._take + 1) if seed is None else (seed, 0)
        self._untold += n_differing(self._adopted, score)
        self._adopted = score
        if not same or self._untold > score.n_notes * _TOLD_ANEW:
            self._when, self._untold = self._song_time(score), 0
        self.timeline.load(score, self._codec, self._grid, ringing=ringing)
        self._last = self.timeline.spans[-1] if self.timeline.spans else None
        self._start_anew()

    def compose(self, place: int, ahead: int, lead: int = 0) -> bool:
        """Compose up to the next bar line if too little is ready, or to the next beat if a user plays.

        Args:
            place: the tick that is playing now.
            ahead: ticks after it that must be ready.
            lead: ticks after `place` before which a new start makes no sense.

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
        """Forget the composed music from a tick on, and compose a new take there."""
        self.timeline.forget(tick)
        self._start_anew()
        self._take += 1

    def forget(self, tick: int) -> None:
        """Forget the composed music from a tick on."""
        count = self.timeline.forget(tick)
        spans = self.timeline.spans
        for place in self._all_places():
            if place.span not in spans:
                self._drop(place)
        if count is not None:
            self._changed(spans[-1], count)

    def hear(self, played: Iterable[Moment]) -> None:
        """Take a user's notes into the timeline, as far as it is composed there.

        Args:
            played: notes of voices in `played`.
        """
        for moment in played:
            span = self.timeline.at(moment.tick)
            if span is not None:
                self._changed(span, self.timeline.insert(span, [moment]))

    @property
    def _codec(self) -> Codec:
        """Converter between events and tokens of the model."""
        return self._when.codec

    def _song_time(self, score: Score) -> SongTime:
        """Return the time of a song that starts with a score.

        It uses the plain rows of the grid, if the time has rows.
        """
        told = score if self._model.codec.timing is Timing.BARS else Score()
        rng = np.random.default_rng(self._seed)
        silent = [voice for voice in Voice if not told.parts[voice].notes]
        return song_time(self._model, told, self._grid, self.request, rng, new=silent)

    def _start_anew(self) -> None:
        """Forget all places."""
        self._places.clear()
        self._beats.clear()
        self._current = None

    def _changed(self, span: Span, count: int) -> None:
        """Forget the places of a span after its first unchanged tokens."""
        for place in self._all_places():
            if place.span is span and place.count > count:
                self._drop(place)

    def _all_places(self) -> Iterator[_Place]:
        return iter([*self._places, *self._beats])

    def _drop(self, place: _Place) -> None:
        self._places = [other for other in self._places if other is not place]
        self._beats = deque((other for other in self._beats if other is not place), SNAPSHOTS)
        if self._current is place:
            self._current = None

    def _rest(self, tick: int) -> Span:
        """Return a span that is silent from the end of the composed music up to a place."""
        end = self.timeline.end
        self.forget(end)  # notes that were about to begin
        self._last = self.timeline.last(end)
        if self._last is not None:
            for voice in sorted(self.timeline.sounding(end)):
                if not self._last.turns(voice, end):
                    self.timeline.say(self._last, self._codec.token(Event(Kind.NOTE_OFF, voice)), end)
        span = self._begin(end)
        self.timeline.fill(span, tick)
        return span

    def _begin(self, tick: int) -> Span:
        """Return a span for an empty place; the model continues from its last music.

        The start of a song equals the seed's own, whatever was played before.
        """
        codec = self._codec
        time = self.timeline.model_sample(tick)
        prompt = codec.beginning_at(time)
        if self._last is not None and tick:
            turns = self._last.last_turns(codec, len(self._last.tokens))
            last = sorted(codec.event(self._last.tokens[place]) for place in turns)
            prompt = self._last.read(self._model.info.mem_len)
            prompt += [
                codec.token(Event(Kind.NOTE_OFF, event.voice)) for event in last if event.kind is Kind.NOTE_ON
            ]
            prompt += codec.arriving_at(time)
        return self.timeline.begin(tick, prompt)

    def _extend(self, span: Span, target: int, limit: int | None) -> None:
        """Compose from a span's end to a target or past it, but not past the limit."""
        self._last = span
        place = self._place(span)
        song, codec, grid, before = place.song, self._codec, self.timeline.model_grid, span.end
        song.ask(self.request.sampling, self._wishes())
        song.limit(None if limit is None else self.timeline.model_sample(limit))
        while span.end < target and not song.over:
            token, events = song.take(place.logits)
            if not events:
                self.timeline.say(span, token, span.end)
            for number, event in enumerate(events):
                if event.kind is Kind.WAIT:
                    self.timeline.say(span, token, grid.tick(song.time_samples))
                elif event.kind is not Kind.END:
                    said = codec.token(event)
                    self.timeline.say(span, said, span.end)
                    if number:  # the song was cut; the model reads the ends of its notes
                        self._model.step(token)
                        token = said
            place.logits = self._model.step(token)
            place.tick, place.count = span.end, len(span.tokens)
            self.n_tokens += 1
        self.timeline.articulate(span, before)
        if self.played:
            self._beats.append(replace(place, song=song.branch(), snapshot=self._model.snapshot()))

    def _wishes(self) -> list[LogitsProcessor]:
        """What is asked for of the voices that nobody plays."""
        codec, time, place_at = self._codec, self._when.time, self._when.place_at
        ours = [voice for voice in Voice if voice not in self.played]
        wishes = self.request.processors(codec, time.rows, voices=ours, pace=time.pace, place_at=place_at)
        return [*wishes, Absent(codec.vocabulary, self.played)] if self.played else wishes

    def _place(self, span: Span) -> _Place:
        """Return the end of a span as a place, with the model's memory there."""
        count = len(span.tokens)
        found = next((p for p in self._places if p.span is span and p.count == count), None)
        if found is self._current and found is not None:
            return found
        if self._current is not None:
            self._current.snapshot = self._model.snapshot()
        if found is None:
            found = self._read_again(span)
        elif found.snapshot is not None:
            self._model.restore(found.snapshot)
        else:
            self._step_again(found)
        found.snapshot = None
        self._places = [p for p in self._places if p.span is not span] + [found]
        for place in self._places[: -SNAPSHOTS - 1]:
            place.snapshot = None
        self._current = found
        return found

    def _step_again(self, place: _Place) -> None:
        """Let the model read again what it has read up to a place, token by token."""
        self._model.reset()
        self._model.prefill(place.prompt[:-1])
        for token in (*place.prompt[-1:], *place.span.tokens[place.start : place.count]):
            self._model.step(token)

    def _read_again(self, span: Span) -> _Place:
        """Return a place at the end of a span with changed tokens, or without a song."""
        count = len(span.tokens)
        for beat in reversed(self._beats):
            if beat.span is span and beat.snapshot is not None:
                self._model.restore(beat.snapshot)
                song, logits = beat.song.branch(), beat.logits
                tokens = span.tokens[beat.count :]
                if tokens:
                    rows = self._model.prefill(tokens)
                    song.read(tokens, rows[:-1], given=False)
                    logits = rows[-1]
                song.replay(self._events(span, beat.tick, song.time_samples))
                return replace(beat, tick=span.end, count=count, song=song, logits=logits)
        song = self._song(span, count)
        song.replay(self._events(span, 0, 0))
        prompt = span.read(self._model.info.mem_len)
        logits = read_prompt(self._model, song, prompt, given=False)
        return _Place(span, span.end, count, song, logits, count, tuple(song.state.tokens))

    def _song(self, span: Span, count: int) -> Song:
        """Return a new song for a span that has some tokens."""
        whole = not (self._take or span.start or count)
        seed = self._seed if whole else [self._seed, self._take, span.start, count]
        return self.request.song(
            self._when,
            cache=MatchCache.of(self._model),
            rng=np.random.default_rng(seed),
            ends=False,
        )

    def _events(self, span: Span, first: int, time: int) -> Iterator[Event]:
        """Yield the events of a span from a tick, which lies at a model time, with waits, up to its end."""
        for tick, event in (*span.happens(self._codec, first, _NEVER), Moment(span.end, END)):
            at = self.timeline.model_sample(tick)
            if at > time:
                yield Event(Kind.WAIT, None, at - time)
                time = at
            if event is not END:
                yield event
