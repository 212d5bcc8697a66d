"""Tables of the grammar of bars: which token may follow which."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.events import BAR_VALUES, Event, Kind, Voice
from lakhnes.runtime.music.vocabulary import Vocabulary

N_BARS = len(BAR_VALUES[Kind.BAR])
"""Period of the numbers of bars in tokens."""

Floats = NDArray[np.float32]

_FORBIDDEN = np.float32(-np.inf)


class BarTables:
    """Look-up tables of a vocabulary of bars.

    Attributes:
        positions: token of the POSITION at each tick from 1 on.
        ticks: int64 [V], the tick of each POSITION; 0 for other tokens.
        bars: token of each BAR.
        chords: token of each CHORD; empty if the vocabulary has no chords.
        before_chord: the tokens that the chord of a bar may follow: BAR and BACK.
        relations: tokens of the RELATIONs of each voice; empty if the vocabulary has none.
        relating: voice and value of each RELATION token.
        before_relation: the tokens that a RELATION may follow: BAR, BACK, CHORD and RELATION.
        biases: float32 [5, 16, V], 0 for the notes and rests that may come on a tick: after each voice
            (0: none yet), for each set of sounding voices; -inf for all other tokens.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        events = vocabulary.events
        positions = [Event(Kind.POSITION, None, tick) for tick in BAR_VALUES[Kind.POSITION]]
        self.positions = np.array([vocabulary.token(event) for event in positions])
        self.ticks = np.array([e.value if e.kind is Kind.POSITION else 0 for e in events], np.int64)
        self.bars = [vocabulary.token(Event(Kind.BAR, None, value)) for value in range(N_BARS)]
        self.chords = _tokens(vocabulary, Kind.CHORD)
        self.before_chord = {*self.bars, *_tokens(vocabulary, Kind.BACK)}
        self.relations = [_tokens(vocabulary, Kind.RELATION, voice) for voice in Voice]
        self.relating = {
            token: (voice, value) for voice in Voice for value, token in enumerate(self.relations[voice])
        }
        self.before_relation = {*self.before_chord, *self.chords, *self.relating}
        self.biases = _biases(vocabulary)


def _tokens(vocabulary: Vocabulary, kind: Kind, voice: Voice | None = None) -> list[int]:
    """Return the tokens of a kind of event, of one voice if the kind has voices, in order."""
    events = enumerate(vocabulary.events)
    return [token for token, event in events if event.kind is kind and event.voice is voice]


def _biases(vocabulary: Vocabulary) -> Floats:
    """Return the biases of `BarTables`."""
    biases = np.full((len(Voice) + 1, 1 << len(Voice), len(vocabulary)), _FORBIDDEN, np.float32)
    sets = np.arange(1 << len(Voice))
    for token, (kind, voice, _) in enumerate(vocabulary.events):
        if voice is not None and kind is Kind.NOTE_ON:
            biases[: voice + 1, :, token] = 0
        elif voice is not None and kind is Kind.NOTE_OFF and voice is not Voice.NO:
            biases[: voice + 1, sets >> voice & 1 == 1, token] = 0
    return biases


@cache
def bar_tables(vocabulary: Vocabulary) -> BarTables:
    """Return the tables of a vocabulary."""
    return BarTables(vocabulary)
