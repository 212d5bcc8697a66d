"""The relations of a bar to earlier ones: named before the bar is composed, and then kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.bars.codec import BarredCodec
from lakhnes.runtime.bars.relations import DISTANCES, EMPTY, SAME, VARIED
from lakhnes.runtime.decode.processors import FORBIDDEN, Bias, LogitsProcessor, Order, Silence
from lakhnes.runtime.decode.rhythm import Due
from lakhnes.runtime.decode.sampling import Sampling, draw
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.music.events import Kind, Voice
from lakhnes.runtime.music.timing import TICK_SAMPLES

_SAMPLING = Sampling(temperature=1.0, top_p=1.0)
"""No cuts: a rare relation, such as the return of a bar sixteen bars ago, must stay as likely as it is."""

_USUAL = np.array(
    [
        *(0.0, -0.35),
        *(-0.05, 0.1, 0.05, 0.35, 0.3, 0.55, 0.55, 0.8),
        *(0.1, 0.1, 0.1, 0.1, 0.1),
        *(0.0, 0.0, 0.0, 0.0),
    ],
    np.float32,
)
"""Nats for each relation, in the order of `DISTANCES`.

Without them, a song that hears only itself has more empty bars than human songs, and fewer that return.
"""

_PASSAGES = (4, 6, 8, 12, 16)
"""Distances in bars at which passages return."""

_GOES_ON = np.float32(2.0)
"""Nats for each relation with which a passage of all voices goes on to return.

Without them, the voices part after a bar or two.
"""


class Relations(LogitsProcessor):
    """The relation of each voice's bar to its earlier bars, as the model chooses it before the bar.

    The relations of existing music come first, then those of the composed voices. A voice that somebody plays
    live has none. A bar that is the same as an earlier one then has its notes and rests, except those that
    the user's settings forbid, and in an empty bar no note begins. The model decides everything else.
    """

    order = Order.RETURN
    label = "the relations of bars"

    def __init__(
        self,
        codec: BarredCodec,
        voices: Collection[Voice],
        muted: Collection[Voice] = (),
        repetition: float = 0.0,
    ) -> None:
        """Take what is asked of the relations.

        Args:
            codec: codec of the song.
            voices: the composed voices.
            muted: those of them that are silent.
            repetition: nats to add to each relation that takes up an earlier bar, -5 to 5.
        """
        self._bias = _USUAL + repetition * (np.array(DISTANCES) > 0).astype(np.float32)
        self._codec = codec
        self._choices = {voice: codec.relation_tokens(voice) for voice in sorted(voices)}
        self._muted = frozenset(muted)
        self._due = Due(codec)
        self._silences = {
            (voice, may_end): Silence(codec.vocabulary, [voice], self.label, may_end=may_end)
            for voice in self._choices
            for may_end in (False, True)
        }

    def draw(self, state: DecodeState, logits: NDArray[np.float32], rng: np.random.Generator) -> int | None:
        """Return the token of the relation that comes next; None if something else does.

        Args:
            state: the song so far.
            logits: the network's, float32 [V].
            rng: the random generator; it is used if the model has a choice.
        """
        if not self._codec.relation_due(state.tokens[-1]):
            return None
        named = self._codec.relations_of(state.tokens)
        known = self._codec.known_at(state.time)
        told = [token for voice, token in known.items() if voice not in named]
        if told:
            return told[0]
        left = [voice for voice in self._choices if voice not in named and voice not in known]
        if not left:
            return None
        voice = left[0]
        possible = self._possible(voice, state)
        due = [self._choices[voice][relation] for relation in possible]
        if len(due) == 1:
            return due[0]
        bias = self._bias[possible] + _GOES_ON * self._going_on(voice, possible, named, state)
        return due[draw(logits[due] + bias, _SAMPLING, rng)]

    def _possible(self, voice: Voice, state: DecodeState) -> list[int]:
        """Return the relations that a voice's bar can have."""
        if voice in self._muted:
            return [EMPTY]
        notes = [self._notes(state, voice, distance) for distance in DISTANCES]
        possible = [not distance or bool(there) for distance, there in zip(DISTANCES, notes, strict=True)]
        for relation in range(SAME, VARIED):  # of several equal bars the nearest is meant
            if notes[relation] in notes[SAME:relation]:
                possible[relation] = False
        return [relation for relation, one in enumerate(possible) if one]

    def _going_on(
        self, voice: Voice, relations: Sequence[int], named: Mapping[Voice, int], state: DecodeState
    ) -> NDArray[np.bool_]:
        """Return with which relations of a voice a passage goes on to return, bool [n]."""
        returning = [
            self._notes(state, voice, distance)
            for distance in _PASSAGES
            if self._returns(distance, named, state)
        ]
        return np.array([self._content(state, voice, one) in returning for one in relations], np.bool_)

    def _returns(self, distance: int, named: Mapping[Voice, int], state: DecodeState) -> bool:
        """Return whether the bar before returned some bars later, and this one may do so as well.

        It may if the voices that have named their relations return. A bar that is the same as the one before
        it, or empty, says nothing.
        """
        if distance + 1 >= len(state.bars):
            return False
        there = {voice: self._notes(state, voice, distance) for voice in Voice}
        last = {voice: self._notes(state, voice, 1) for voice in Voice}
        return (
            any(there.values())
            and there != last
            and all(last[voice] == self._notes(state, voice, distance + 1) for voice in Voice)
            and all(
                self._content(state, voice, relation) == there[voice] for voice, relation in named.items()
            )
        )

    def _content(self, state: DecodeState, voice: Voice, relation: int) -> list[tuple[int, int]] | None:
        """Return place and token of the notes of a bar with a relation; None if it does not decide them."""
        return self._notes(state, voice, DISTANCES[relation]) if EMPTY <= relation < VARIED else None

    def _notes(self, state: DecodeState, voice: Voice, distance: int) -> list[tuple[int, int]]:
        """Return place and token of the notes that a voice began some bars ago."""
        if not 0 < distance < len(state.bars):
            return []
        bar = state.bars[-1 - distance][voice]
        return [(place, token) for place, _, token in bar if self._codec.event(token).kind is Kind.NOTE_ON]

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Let the same bars return, and empty bars pass; changes logits in place."""
        bound = self._bound(state)
        if not bound:
            return logits
        upcoming = self._upcoming(state, bound, logits)
        own, now = FORBIDDEN, None
        if upcoming is not None and upcoming[0] == self._codec.place_at(state.time):
            now = upcoming[2]
            own = logits[now]
            logits[now] = FORBIDDEN
        for voice, distance in bound.items():
            self._silences[voice, distance == 0].apply(state, logits)
        if now is not None and upcoming is not None:
            logits[now] = own
            self._due.turn(logits, upcoming[1], now)
        elif upcoming is not None:
            left = (upcoming[0] - self._codec.place_at(state.time)) * TICK_SAMPLES
            self._due.wait(state.waits, logits, left)
        return logits

    def _bound(self, state: DecodeState) -> dict[Voice, int]:
        """Return the distance of the bar that returns in each voice; 0 for an empty bar."""
        known = self._codec.known_at(state.time)
        return {
            voice: DISTANCES[relation]
            for voice, relation in self._codec.relations_of(state.tokens).items()
            if voice in self._choices and voice not in known and EMPTY <= relation < VARIED
        }

    def _upcoming(
        self, state: DecodeState, bound: dict[Voice, int], logits: Bias
    ) -> tuple[int, int, int] | None:
        """Return the place, rank and token of the next event that returns and is possible."""
        here = (self._codec.place_at(state.time), state.rank, len(logits))
        found = [
            event
            for voice, distance in bound.items()
            if 0 < distance < len(state.bars)
            for event in state.bars[-1 - distance][voice]
            if event > here and (event[0] > here[0] or logits[event[2]] > FORBIDDEN)
        ]
        return min(found, default=None)


__all__ = ["Relations"]
