"""The composer: model, constraints and sampling, as an iterator of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lakhnes.runtime.constraints import Constraint, Grammar, NoEnd
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.events import END, Event, Kind, Voice
from lakhnes.runtime.model import Model
from lakhnes.runtime.sampling import Sampling, draw
from lakhnes.runtime.score import Score, ScoreBuilder
from lakhnes.runtime.vocabulary import END_TOKEN


class Composer:
    """Composes one song; iterate over it for the events, ask `score` for what there is.

    A song ends at the asked length, at the asked number of tokens, or, where no length was asked, where the
    model ends it; every note is closed then. The model belongs to the composer until the song has ended.

    Attributes:
        n_tokens: tokens composed so far.
    """

    def __init__(
        self,
        model: Model,
        rng: np.random.Generator,
        *,
        sampling: Sampling | None = None,
        length_samples: int | None = None,
        max_samples: int | None = None,
        max_tokens: int | None = None,
        constraints: Sequence[Constraint] = (),
    ) -> None:
        """Begins a song.

        Args:
            model: what composes; its memory is reset.
            rng: the source of chance: one number a token.
            sampling: temperature and cuts; None for the defaults.
            length_samples: length of the song, exactly; the model cannot end it before.
            max_samples: the song is cut here if the model has not ended it.
            max_tokens: at most so many tokens.
            constraints: what may not come, besides what is never right.

        Raises:
            OptionError: if a length is not positive.
        """
        for name, value in (
            ("length", length_samples),
            ("length", max_samples),
            ("number of tokens", max_tokens),
        ):
            if value is not None and value < 1:
                raise OptionError(f"A {name} of {value} is out of range; give 1 or more.")
        self._model = model
        self._codec = model.info.codec
        self._rng = rng
        self._sampling = sampling or Sampling()
        limits = [limit for limit in (length_samples, max_samples) if limit is not None]
        self._end_samples = min(limits) if limits else None
        self._max_tokens = max_tokens
        self._constraints: list[Constraint] = [Grammar(self._codec), *constraints]
        if length_samples is not None or max_tokens is not None:
            self._constraints.append(NoEnd())
        self._builder = ScoreBuilder()
        self._allowed = np.ones(len(model.info.vocabulary), np.bool_)
        self.n_tokens = 0
        self._events = self._compose()

    @property
    def time_samples(self) -> int:
        """Length of what is composed so far."""
        return self._builder.time

    def score(self) -> Score:
        """What is composed so far, with every note closed."""
        return self._builder.score()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def _compose(self) -> Iterator[Event]:
        model = self._model
        model.reset()
        token = END_TOKEN
        while self._max_tokens is None or self.n_tokens < self._max_tokens:
            logits = model.step(token)
            self._allowed.fill(True)
            for constraint in self._constraints:
                constraint.restrict(self._allowed)
                if not self._allowed.any():
                    raise OptionError(
                        f"Nothing is left to compose: {type(constraint).__name__} excludes every event that "
                        "the others allow; loosen it."
                    )
            token = draw(logits, self._sampling, self._rng, self._allowed)
            self.n_tokens += 1
            if token == END_TOKEN:
                break
            event = self._codec.event(token)
            left = None if self._end_samples is None else self._end_samples - self._builder.time
            if event.kind is Kind.WAIT and left is not None and event.value >= left:
                yield self._say(Event(Kind.WAIT, None, left))
                break
            yield self._say(event)
        for voice in Voice:
            if self._builder.sounding(voice):
                yield self._say(Event(Kind.NOTE_OFF, voice))
        yield END

    def _say(self, event: Event) -> Event:
        """Takes an event into the score and tells the constraints."""
        self._builder.add(event)
        for constraint in self._constraints:
            constraint.observe(event)
        return event
