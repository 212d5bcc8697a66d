"""A song while it is composed: from the model's logits to events, independent of the model."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.chords import Chords
from lakhnes.runtime.decode.grammar import NoEnd, Opening, grammar_of
from lakhnes.runtime.decode.match_cache import MatchCache
from lakhnes.runtime.decode.processors import FORBIDDEN, LogitsProcessor
from lakhnes.runtime.decode.relations import Relations
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Mirostat, Sampling, draw
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.model.model import Logits
from lakhnes.runtime.music.events import END, Event, Kind, Voice
from lakhnes.runtime.music.score import Score, ScoreBuilder
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.time.rows import Rows


class Song:
    """One song: it takes logits, draws tokens, and returns events until it is over.

    A song ends at the given length or number of tokens. Without these, the model ends it. Every note is then
    closed.

    Attributes:
        state: the events so far; processors read it.
        prompt: tokens that the model reads before the song starts, without `<S>` at their start.
        n_tokens: tokens composed so far.
        over: whether it has ended.
    """

    def __init__(
        self,
        codec: Codec,
        rng: np.random.Generator,
        *,
        sampling: Sampling | None = None,
        rows: Rows | None = None,
        length_samples: int | None = None,
        min_samples: int = 0,
        max_samples: int | None = None,
        max_tokens: int | None = None,
        processors: Sequence[LogitsProcessor] = (),
        opens: bool = True,
        ends: bool = True,
    ) -> None:
        """Begin a song.

        Args:
            codec: codec of the model.
            rng: the random generator; each token takes one number.
            sampling: temperature, top-k and top-p; None for the defaults.
            rows: rows in model time, for processors that move onsets to them; None for free time.
            length_samples: exact length of the song; the model cannot end it earlier.
            min_samples: the model cannot end the song earlier.
            max_samples: the song is cut here if the model has not ended it.
            max_tokens: most tokens; a note that the last one begins has no length and is not in
                the score.
            processors: the match cache, options, kept music and others. Their `Order` sets the sequence.
            opens: whether it begins with a note instead of a rest, if possible.
            ends: whether the model may end it; it may not if a length or a number of tokens is given.

        Raises:
            OptionError: if a length is not positive.
        """
        lengths = {"length": length_samples, "longest length": max_samples, "number of tokens": max_tokens}
        for name, value in lengths.items():
            if value is not None and value < 1:
                raise OptionError(f"A {name} of {value} is out of range; give 1 or more.")
        limits = [limit for limit in (length_samples, max_samples) if limit is not None]
        self.state = DecodeState(codec, rows)
        self.prompt: Sequence[int] = codec.beginning_at(0)
        self.n_tokens = 0
        self.over = False
        self._rng = rng
        self._end_samples = min(limits) if limits else None
        self._max_tokens = max_tokens
        asked = length_samples is not None or max_tokens is not None or not ends
        self._always: list[LogitsProcessor] = [
            *grammar_of(codec),
            NoEnd(codec.vocabulary, None if asked else min_samples),
            *([Opening(codec)] if opens else []),
        ]
        self._cache = next((one for one in processors if isinstance(one, MatchCache)), None)
        self._told: deque[int] = deque()  # to be read before anything is drawn
        self._builder = ScoreBuilder()
        self._mirostat = Mirostat(sampling or USUAL_SAMPLING)
        self.ask(sampling, processors)

    @property
    def codec(self) -> Codec:
        """Converter between events and tokens of the model."""
        return self.state.codec

    @property
    def time_samples(self) -> int:
        """Length of the music so far."""
        return self.state.time

    @property
    def progress(self) -> float:
        """Fraction composed, 0..1, of a song with a length or a longest length."""
        whole = (self._end_samples or 0) - self.state.start
        return min(1.0, (self.state.time - self.state.start) / whole) if whole > 0 else 0.0

    @property
    def surprise(self) -> float | None:
        """Surprise of the recent tokens, in nats a token; None if it is not measured."""
        return self._mirostat.surprise

    def ask(self, sampling: Sampling | None, processors: Sequence[LogitsProcessor]) -> None:
        """Continue with other settings; the events so far stay, and the match cache too."""
        self._mirostat.ask(sampling or USUAL_SAMPLING)
        wishes = [one for one in processors if not isinstance(one, MatchCache)]
        cache = [] if self._cache is None else [self._cache]
        self._processors = sorted([*cache, *self._always, *wishes], key=attrgetter("order"))
        self._chords = next((one for one in processors if isinstance(one, Chords)), None)
        self._relations = next((one for one in processors if isinstance(one, Relations)), None)

    def limit(self, length_samples: int | None) -> None:
        """Set the time at which the song is cut; None for no limit."""
        self._end_samples = length_samples
        self.over = False

    def score(self) -> Score:
        """Return the music so far, with every note closed."""
        return self._builder.score()

    def branch(self, rng: np.random.Generator | None = None) -> Song:
        """Return an independent copy of the song so far, with another random generator if given."""
        twin = copy.copy(self)
        twin.state = self.state.copy()
        twin._builder = self._builder.copy()
        twin._mirostat = copy.copy(self._mirostat)
        twin._told = self._told.copy()
        twin._rng = copy.deepcopy(self._rng) if rng is None else rng
        if self._cache is not None:
            twin._cache = self._cache.copy()
            twin._processors = [twin._cache if one is self._cache else one for one in self._processors]
        return twin

    def replay(self, events: Iterable[Event]) -> None:
        """Take existing events as the start of the song, in model time."""
        for event in events:
            self._add(event)
        self.state.start = self.state.time

    def begin_with(self, events: Sequence[Event], *, acts: bool = False) -> None:
        """Take existing events, which the model reads too, as the start of the song.

        Args:
            events: in model time.
            acts: whether the music that is kept goes on at once, with an event at the end of `events`.
        """
        tokens = self.codec.tokens(events)
        stated = (Kind.RELATION,) if acts else (Kind.RELATION, Kind.POSITION)
        while tokens and self.codec.event(tokens[-1]).kind in stated:
            tokens.pop()  # no event has followed yet, so the song states them itself
        self.prompt = [*self.codec.beginning_at(0), *tokens]
        self.replay(events)

    def read(self, tokens: Sequence[int], logits: Logits, *, given: bool = True) -> None:
        """Take tokens that the model has read before the song continues.

        Args:
            tokens: their ids [n], `<S>` included.
            logits: the network's logits after each token but the last, float32 [n - 1, V].
            given: whether they belong to existing music. Tokens before a song's first note do not.
        """
        if self._cache is not None:
            self._cache.catch_up(self.state)
        self.state.tokens.extend(tokens)
        if self._cache is not None:
            self._cache.read_all(tokens[:-1], logits, given=given and self.state.time > 0)

    def take(self, logits: NDArray[np.float32]) -> tuple[int, list[Event]]:
        """Draw the next token.

        Args:
            logits: float32 [V], for the next token.

        Returns:
            The token for the model to read next, and its events: one event; none if it shows existing
            music or names a relation; at the end also a NOTEOFF for each sounding note, and END.

        Raises:
            OptionError: if the processors forbid everything.
        """
        named = self._named(logits)
        if named is not None:
            return named
        shaped = logits.copy()
        for processor in self._processors:
            shaped = processor(self.state, shaped)
        token, drawn, event = self._drawn(shaped, logits)
        self._mirostat.observe(shaped, token)
        self.n_tokens += 1
        if event.kind is Kind.END:
            self.state.tokens.append(END_TOKEN)
            return END_TOKEN, self._finish()
        if event != drawn:
            token = self.codec.token_at(event, self.state.time)
        self.state.tokens.append(token)
        if event.kind is Kind.WAIT:
            return token, self._wait(event, drawn)
        said = [self._add(event)]
        return token, [*said, *self._finish()] if self.n_tokens == self._max_tokens else said

    def _named(self, logits: NDArray[np.float32]) -> tuple[int, list[Event]] | None:
        """Return the token of a bar's beginning that comes next, as `take` does; None if events come.

        These tokens show existing music, or name the chord of the bar or a relation.
        """
        if self._told:
            self.state.tokens.append(self._told.popleft())
            return self.state.tokens[-1], []
        if self._chords is not None and self.codec.chord_due(self.state.tokens[-1]):
            chord = self._chords.token_at(self.state.time)
            if chord is not None:
                self.state.tokens.append(chord)
                return chord, [self._add(self.codec.event(chord))]
        relation = None if self._relations is None else self._relations.draw(self.state, logits, self._rng)
        if relation is None:
            return None
        self.state.tokens.append(relation)
        return relation, []

    def _wait(self, event: Event, drawn: Event) -> list[Event]:
        """Take a wait, also one that replaces a note, and return the events; the song may end with it."""
        if drawn.kind is Kind.NOTE_ON and self.state.rows is not None:
            self.state.late = drawn
        left = None if self._end_samples is None else self._end_samples - self.state.time
        if left is not None and event.value >= left:
            return [self._add(Event(Kind.WAIT, None, left)), *self._finish()]
        said = [self._add(event)]
        self._told.extend(self.codec.told_at(self.state.time))
        return [*said, *self._finish()] if self.n_tokens == self._max_tokens else said

    def _drawn(self, shaped: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[int, Event, Event]:
        """Return a randomly drawn token, its event, and the event after the processors' adjustments."""
        while shaped.max() > -np.inf:
            token = draw(shaped, self._mirostat.sampling, self._rng)
            drawn = event = self.codec.event_at(token, self.state.time)
            for processor in self._processors:
                event = processor.adjust(self.state, event)
            late = event.kind is Kind.WAIT and drawn.kind is not Kind.WAIT
            if not late or shaped[self.codec.passing].max() > -np.inf:
                return token, drawn, event
            shaped[token] = FORBIDDEN  # it would have to wait, but has no time left
        raise OptionError(self._blame(logits))

    def _add(self, event: Event) -> Event:
        """Take an event into the score and the state."""
        self._builder.add(event)
        self.state.add(event)
        return event

    def _finish(self) -> list[Event]:
        self.over = True
        closing = [Event(Kind.NOTE_OFF, voice) for voice in Voice if self._builder.sounding(voice)]
        self.state.tokens.extend(self.codec.token(event) for event in closing)
        return [*(self._add(event) for event in closing), END]

    def _blame(self, logits: NDArray[np.float32]) -> str:
        """Name the setting that forbade the last remaining events."""
        left = logits.copy()
        asked: list[str] = []
        for processor in self._processors:
            bias = processor.bias(self.state)
            if bias is None:
                continue
            left += bias
            if not np.isfinite(left).any():
                others = f" together with {' and '.join(dict.fromkeys(asked))}" if asked else ""
                return f"Nothing is left to compose under {processor.label}{others}; loosen one of them."
            if processor not in self._always:
                asked.append(processor.label)
        if not np.isfinite(logits).any():
            return "Nothing is left to compose: the model gives no probabilities; export it again."
        return f"Nothing is left to compose under {' and '.join(dict.fromkeys(asked))}; loosen one of them."
