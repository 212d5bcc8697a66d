"""The grammar of event streams: rules that hold for every request."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.bars.codec import BarredCodec
from lakhnes.runtime.bars.grammar import bar_tables
from lakhnes.runtime.decode.processors import (
    FORBIDDEN,
    SURELY,
    Bias,
    FixedBias,
    LogitsProcessor,
    Order,
    begins,
    forbid,
)
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import FRAME_SAMPLES, Codec, Timing
from lakhnes.runtime.music.vocabulary import END_TOKEN, Vocabulary

_RANKS = rank(Event(Kind.NOTE_ON, Voice.P2)) - rank(Event(Kind.NOTE_ON, Voice.P1))  # NOTEONs of a voice

_FLICKER_SAMPLES = 10 * FRAME_SAMPLES
_FLICKER_NOTES = 20
"""Window in samples, and most notes in it. Of NES-MDB's notes (valid), 1 in 200,000 exceeds the limit."""


class NoEnd(FixedBias):
    """A ban on ending the song, for a time or always."""

    order = Order.GRAMMAR

    def __init__(self, vocabulary: Vocabulary, until_samples: int | None = None) -> None:
        """Forbid `<S>` until a time; None forbids it always."""
        super().__init__(forbid(vocabulary, [vocabulary.events[END_TOKEN]]), "the length of the song")
        self._until = until_samples

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Forbid `<S>` until the time is reached."""
        if self._until is None or state.time < self._until:
            logits[END_TOKEN] = FORBIDDEN
        return logits


class Opening(LogitsProcessor):
    """A song that begins with a note instead of a rest, if possible."""

    order = Order.OPENING

    def __init__(self, codec: Codec) -> None:
        """Take the codec of the model that composes."""
        self._bias = np.where(codec.passing, np.float32(-SURELY), np.float32(0))

    def bias(self, state: DecodeState) -> Bias | None:
        """Forbid waits until a note begins."""
        return None if state.has_notes else self._bias


class Flicker(LogitsProcessor):
    """A limit on the notes of a voice in ten frames, as high as the console's drivers go.

    In a model that counts samples, music that it hears only from itself may flicker between pitches, a few
    samples each. Time would then hardly advance.
    """

    order = Order.GRAMMAR

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take the vocabulary of the model that composes."""
        self._biases = [
            np.where(begins(vocabulary, voice), -SURELY, np.float32(0)).astype(np.float32) for voice in Voice
        ]

    def bias(self, state: DecodeState) -> Bias | None:
        """Forbid notes of the voices that flicker."""
        biases = [
            bias
            for bias, line in zip(self._biases, state.lines, strict=True)
            if len(line.notes) >= _FLICKER_NOTES
            and state.time - next(islice(reversed(line.notes), _FLICKER_NOTES - 1, None))[0]
            < _FLICKER_SAMPLES
        ]
        return np.minimum.reduce(biases) if biases else None


class Grammar(LogitsProcessor):
    """The grammar that keeps a stream canonical, like all training data.

    At one sample the voices act in order, each once, so time always advances. A silent voice gets no NOTEOFF.
    A NOTEON is followed by its VELOCITY, if any. Waits fit the timing. If time counts frames, a silent voice
    gets no VELOCITY, and none repeats the current value; a model with dynamics might forget the
    notes.
    """

    order = Order.GRAMMAR

    def __init__(self, codec: Codec) -> None:
        """Take the codec of the model that composes."""
        self._row = _grammar_rows(codec)
        self._clean = codec.timing is Timing.FRAMES

    def bias(self, state: DecodeState) -> Bias:
        """Forbid events out of order, events without effect, and waits of other timings."""
        begun = state.begun if state.begun in self._row.volumes else None
        row = self._row(state.rank, state.sounding, begun)
        if self._clean and state.said and begun is None:
            row = row.copy()
            row[list(state.said.values())] = FORBIDDEN
        return row


class BarGrammar(LogitsProcessor):
    """The grammar that keeps a stream of bars canonical, like all training data.

    On one tick the voices act in order, each once. A silent voice gets no NOTEOFF, and the noise never does.
    A POSITION lies in the bar, after the one before. The next BAR has the next number. An event follows a
    POSITION, if one is possible.
    """

    order = Order.GRAMMAR

    def __init__(self, codec: BarredCodec) -> None:
        """Take the codec of the song."""
        self._codec = codec
        self._tables = bar_tables(codec.vocabulary)

    def bias(self, state: DecodeState) -> Bias:
        """Forbid events out of order or outside a bar."""
        spoken = state.rank // _RANKS if state.rank >= 0 else -1
        bias: Bias = self._tables.biases[spoken + 1, state.sounding].copy()
        waits = state.waits
        bias[waits.tokens] = -SURELY if state.at_empty_position else 0
        bias[END_TOKEN] = -SURELY if state.at_empty_position else 0
        place = self._codec.place_at(state.time)
        if place and state.time == state.start and spoken < 0 and state.tokens:
            position = self._tables.positions[place - 1]
            if state.tokens[-1] != position:  # no token has stated the position yet
                bias[self._codec.plays] = FORBIDDEN
                bias[position] = 0
        return bias


def grammar_of(codec: Codec) -> list[LogitsProcessor]:
    """Return the grammar that keeps a codec's streams canonical."""
    if isinstance(codec, BarredCodec):
        return [BarGrammar(codec)]
    return [Grammar(codec), Flicker(codec.vocabulary)]


class _GrammarRows:
    """The rows of a codec's grammar, each made when first needed.

    Attributes:
        volumes: bool [V], the VELOCITYs of each voice that has some.
    """

    def __init__(self, codec: Codec) -> None:
        self._used = codec.used
        self._ranks = ranks(codec.vocabulary)
        events = codec.vocabulary.events
        loud = {event.voice for event in events if event.kind is Kind.VELOCITY and event.voice is not None}
        self.volumes = {
            voice: np.array([e.kind is Kind.VELOCITY and e.voice is voice for e in events]) for voice in loud
        }
        of_sounding = (Kind.NOTE_OFF, Kind.VELOCITY) if codec.timing is Timing.FRAMES else (Kind.NOTE_OFF,)
        self._of_sounding = [
            np.array([e.kind in of_sounding and e.voice is voice for e in events]) for voice in Voice
        ]
        self._made: dict[tuple[int, int, Voice | None], Bias] = {}

    def __call__(self, spoken: int, sounding: int, begun: Voice | None) -> Bias:
        row = self._made.get((spoken, sounding, begun))
        if row is None:
            # A wait or the end (rank -1) may always follow; other events need their predecessors.
            allowed = self._used & ((self._ranks < 0) | (self._ranks > spoken))
            for voice in Voice:
                if not sounding >> voice & 1:
                    allowed &= ~self._of_sounding[voice]
            if begun is not None:
                allowed = self.volumes[begun]
            row = self._made[spoken, sounding, begun] = np.where(allowed, np.float32(0), FORBIDDEN)
        return row


@lru_cache(maxsize=16)
def _grammar_rows(codec: Codec) -> _GrammarRows:
    return _GrammarRows(codec)


@lru_cache(maxsize=16)
def ranks(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Return the `rank` of each token's event, int64 [V]."""
    return np.array([rank(event) for event in vocabulary.events], np.int64)
