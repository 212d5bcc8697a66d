"""A song as it is composed: from the model's logits to events, without the model itself."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.grammar import NoEnd, Opening, grammar_of
from lakhnes.runtime.decode.match_cache import MatchCache
from lakhnes.runtime.decode.processors import FORBIDDEN, LogitsProcessor
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
    """One song: it takes logits, draws, and gives events, until it is over.

    A song ends at the given length, at the given number of tokens, or, where neither is given, where the
    model ends it; every note is closed then.

    Attributes:
        state: what has happened so far; processors see it.
        prompt: tokens that the model reads before the song goes on, without `<S>` at their start.
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
        """Begins a song.

        Args:
            codec: of the model whose logits come.
            rng: the source of chance: one number a token.
            sampling: temperature and cuts; None for the defaults.
            rows: rows in model time, for the processors that bind onsets to them; None for free time.
            length_samples: length of the song, exactly; the model cannot end it before.
            min_samples: the model cannot end the song before.
            max_samples: the song is cut here if the model has not ended it.
            max_tokens: at most so many tokens; a note that the last one begins has no length and is not in
                the score.
            processors: what else shapes what comes: the match cache, wishes, kept music. Their `Order` says
                in which order they work.
            opens: whether it begins with a note rather than with a rest, if it can.
            ends: whether the model may end it; where a length or a number of tokens is given, it may not.

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
        self._builder = ScoreBuilder()
        self._mirostat = Mirostat(sampling or USUAL_SAMPLING)
        self.ask(sampling, processors)

    @property
    def codec(self) -> Codec:
        """How the model says the song."""
        return self.state.codec

    @property
    def time_samples(self) -> int:
        """Length of what is composed so far."""
        return self.state.time

    @property
    def progress(self) -> float:
        """How much is composed of a song whose length or longest length is given, 0..1."""
        whole = (self._end_samples or 0) - self.state.start
        return min(1.0, (self.state.time - self.state.start) / whole) if whole > 0 else 0.0

    @property
    def surprise(self) -> float | None:
        """How little the recent tokens were foreseen, in nats a token; None where nobody asks."""
        return self._mirostat.surprise

    def ask(self, sampling: Sampling | None, processors: Sequence[LogitsProcessor]) -> None:
        """Goes on with other wishes; what has happened stays, the match cache too."""
        self._mirostat.ask(sampling or USUAL_SAMPLING)
        wishes = [one for one in processors if not isinstance(one, MatchCache)]
        cache = [] if self._cache is None else [self._cache]
        self._processors = sorted([*cache, *self._always, *wishes], key=attrgetter("order"))

    def limit(self, length_samples: int | None) -> None:
        """Sets the time at which the song is cut; None for no time."""
        self._end_samples = length_samples
        self.over = False

    def score(self) -> Score:
        """What is composed so far, with every note closed."""
        return self._builder.score()

    def branch(self, rng: np.random.Generator | None = None) -> Song:
        """A song that is the same so far and goes on by itself, with another source of chance if given."""
        twin = copy.copy(self)
        twin.state = self.state.copy()
        twin._builder = self._builder.copy()
        twin._mirostat = copy.copy(self._mirostat)
        twin._rng = copy.deepcopy(self._rng) if rng is None else rng
        if self._cache is not None:
            twin._cache = self._cache.copy()
            twin._processors = [twin._cache if one is self._cache else one for one in self._processors]
        return twin

    def replay(self, events: Iterable[Event]) -> None:
        """Takes events that were there before as the beginning of the song, in model time."""
        for event in events:
            self._add(event)
        self.state.start = self.state.time

    def begin_with(self, events: Sequence[Event]) -> None:
        """Takes events that were there before, which the model reads too, as the beginning of the song."""
        tokens = self.codec.tokens(events)
        if tokens and self.codec.event(tokens[-1]).kind is Kind.POSITION:
            tokens.pop()  # nothing happens there yet: the song says its next position itself
        self.prompt = [*self.codec.beginning_at(0), *tokens]
        self.replay(events)

    def read(self, tokens: Sequence[int], logits: Logits, *, given: bool = True) -> None:
        """Takes tokens that the model has read before the song goes on.

        Args:
            tokens: their ids [n], `<S>` included.
            logits: the network's after each but the last, float32 [n - 1, V].
            given: whether they are of music that is given.
        """
        if self._cache is not None:
            self._cache.catch_up(self.state)
        self.state.tokens.extend(tokens)
        if self._cache is not None:
            self._cache.read_all(tokens[:-1], logits, given=given)

    def take(self, logits: NDArray[np.float32]) -> tuple[int, list[Event]]:
        """Draws the next token.

        Args:
            logits: float32 [V], for the next token.

        Returns:
            The token for the model to read next, and the events that it stands for: one; at the end also
            NOTEOFFs of what still sounds, and END.

        Raises:
            OptionError: if the processors leave nothing.
        """
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
        if event.kind is Kind.WAIT and drawn.kind is Kind.NOTE_ON and self.state.rows is not None:
            self.state.late = drawn
        left = None if self._end_samples is None else self._end_samples - self.state.time
        if event.kind is Kind.WAIT and left is not None and event.value >= left:
            return token, [self._add(Event(Kind.WAIT, None, left)), *self._finish()]
        said = [self._add(event)]
        if self.n_tokens == self._max_tokens:
            said += self._finish()
        return token, said

    def _drawn(self, shaped: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[int, Event, Event]:
        """A token that chance chooses, its event, and what the processors make of it."""
        while shaped.max() > -np.inf:
            token = draw(shaped, self._mirostat.sampling, self._rng)
            drawn = event = self.codec.event_at(token, self.state.time)
            for processor in self._processors:
                event = processor.adjust(self.state, event)
            late = event.kind is Kind.WAIT and drawn.kind is not Kind.WAIT
            if not late or shaped[self.codec.passing].max() > -np.inf:
                return token, drawn, event
            shaped[token] = FORBIDDEN  # it would have to wait, and there is no time
        raise OptionError(self._blame(logits))

    def _add(self, event: Event) -> Event:
        """Takes an event into the score and the state."""
        self._builder.add(event)
        self.state.add(event)
        return event

    def _finish(self) -> list[Event]:
        self.over = True
        closing = [Event(Kind.NOTE_OFF, voice) for voice in Voice if self._builder.sounding(voice)]
        self.state.tokens.extend(self.codec.token(event) for event in closing)
        return [*(self._add(event) for event in closing), END]

    def _blame(self, logits: NDArray[np.float32]) -> str:
        """Says which wish took away what the others had left."""
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
