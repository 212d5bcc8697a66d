"""A song as it is composed: from the model's logits to events, without the model itself."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.constraints import FORBIDDEN, Constraint
from lakhnes.runtime.decode.grammar import Flicker, Grammar, NoEnd, Opening
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Restlessness, Sampling, draw
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import END, Event, Kind, Voice
from lakhnes.runtime.music.score import Score, ScoreBuilder
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.music.vocabulary import END_TOKEN


class Song:
    """One song: it takes logits, draws, and says events, until it is over.

    A song ends at the asked length, at the asked number of tokens, or, where no length was asked, where the
    model ends it; every note is closed then.

    Attributes:
        n_tokens: tokens composed so far.
        over: whether it has ended.
    """

    def __init__(
        self,
        codec: Codec,
        rng: np.random.Generator,
        *,
        sampling: Sampling | None = None,
        length_samples: int | None = None,
        min_samples: int = 0,
        max_samples: int | None = None,
        max_tokens: int | None = None,
        constraints: Sequence[Constraint] = (),
        surprise: float | None = None,
        opens: bool = True,
    ) -> None:
        """Begins a song.

        Args:
            codec: of the model whose logits come.
            rng: the source of chance: one number a token.
            sampling: temperature and cuts; None for the defaults.
            length_samples: length of the song, exactly; the model cannot end it before.
            min_samples: the model cannot end the song before.
            max_samples: the song is cut here if the model has not ended it.
            max_tokens: at most so many tokens; a note that the last one begins has no length and is not in
                the score.
            constraints: what may not come, besides what is never right.
            surprise: `surprise` of the song that this one continues.
            opens: whether it begins with a note rather than with a rest, if it can.

        Raises:
            OptionError: if a length is not positive.
        """
        lengths = {"length": length_samples, "longest length": max_samples, "number of tokens": max_tokens}
        for name, value in lengths.items():
            if value is not None and value < 1:
                raise OptionError(f"A {name} of {value} is out of range; give 1 or more.")
        limits = [limit for limit in (length_samples, max_samples) if limit is not None]
        self.n_tokens = 0
        self.over = False
        self._codec = codec
        self._rng = rng
        self._restlessness = Restlessness(sampling or USUAL_SAMPLING, surprise)
        self._end_samples = min(limits) if limits else None
        self._waits = codec.wait_samples > 0
        self._max_tokens = max_tokens
        asked = length_samples is not None or max_tokens is not None
        no_end = NoEnd(codec.vocabulary, None if asked else min_samples)
        opening = [Opening(codec.vocabulary)] if opens else []
        never = [Grammar(codec), Flicker(codec.vocabulary), no_end]
        self._constraints: list[Constraint] = [*never, *opening, *constraints]
        self._builder = ScoreBuilder()

    @property
    def time_samples(self) -> int:
        """Length of what is composed so far."""
        return self._builder.time

    @property
    def surprise(self) -> float | None:
        """How little the recent tokens were foreseen, in nats a token; None where nobody asks."""
        return self._restlessness.surprise

    @property
    def promised(self) -> bool:
        """Whether a note that is drawn already comes next; another song would not know of it."""
        return any(constraint.promised for constraint in self._constraints)

    def score(self) -> Score:
        """What is composed so far, with every note closed."""
        return self._builder.score()

    def branch(self, rng: np.random.Generator) -> Song:
        """A song that is the same so far and goes on by another source of chance."""
        shared = (self._codec, self._codec.vocabulary)
        twin = copy.deepcopy(self, {id(thing): thing for thing in shared})
        twin._rng = rng
        return twin

    def hear(self, events: Iterable[Event]) -> None:
        """Takes events that were there before as the beginning of the song."""
        for event in events:
            self._say(event)

    def take(self, logits: NDArray[np.float32]) -> tuple[int, list[Event]]:
        """Draws the next token.

        Args:
            logits: float32 [V], for the next token.

        Returns:
            The token for the model to read next, and the events that it says: one; at the end also NOTEOFFs
            of what still sounds, and END.

        Raises:
            OptionError: if the constraints leave nothing.
        """
        shaped = logits.copy()
        for constraint in self._constraints:
            row = constraint.penalty()
            if row is not None:
                shaped += row
        token, drawn, event = self._drawn(shaped, logits)
        self._restlessness.hear(shaped, token)
        self.n_tokens += 1
        if event.kind is Kind.END:
            return END_TOKEN, self._finish()
        if event != drawn:
            token = self._codec.token(event)
        left = None if self._end_samples is None else self._end_samples - self._builder.time
        if event.kind is Kind.WAIT and left is not None and event.value >= left:
            return token, [self._say(Event(Kind.WAIT, None, left)), *self._finish()]
        said = [self._say(event)]
        if self.n_tokens == self._max_tokens:
            said += self._finish()
        return token, said

    def _drawn(self, shaped: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[int, Event, Event]:
        """A token that chance chooses, its event, and what the constraints make of it."""
        while shaped.max() > -np.inf:
            token = draw(shaped, self._restlessness.sampling, self._rng)
            drawn = event = self._codec.event(token)
            for constraint in self._constraints:
                event = constraint.adjust(event)
            late = event.kind is Kind.WAIT and drawn.kind is not Kind.WAIT
            if not late or shaped[self._waits].max() > -np.inf:
                return token, drawn, event
            shaped[token] = FORBIDDEN  # it would have to wait, and there is no time
        raise OptionError(self._blame(logits))

    def _say(self, event: Event) -> Event:
        """Takes an event into the score and tells the constraints."""
        self._builder.add(event)
        for constraint in self._constraints:
            constraint.observe(event)
        return event

    def _finish(self) -> list[Event]:
        self.over = True
        closing = [Event(Kind.NOTE_OFF, voice) for voice in Voice if self._builder.sounding(voice)]
        return [*(self._say(event) for event in closing), END]

    def _blame(self, logits: NDArray[np.float32]) -> str:
        """Says which constraint took away what the others had left."""
        left = logits.copy()
        for constraint in self._constraints:
            row = constraint.penalty()
            left += 0 if row is None else row
            if not np.isfinite(left).any():
                return (
                    f"Nothing is left to compose: {type(constraint).__name__} excludes every event that the "
                    "other constraints allow; loosen one of them."
                )
        return "Nothing is left to compose: the model gives no probabilities; export it again."
