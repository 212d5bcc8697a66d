"""Tables of the grammar of bars: which token may follow which."""

from __future__ import annotations

from functools import cache

import numpy as np

from lakhnes.runtime.music.events import AFTER_BAR_VALUES, BAR_VALUES, Event, Kind, Voice
from lakhnes.runtime.music.vocabulary import Vocabulary

N_BARS = len(BAR_VALUES[Kind.BAR])
"""Period of the numbers of bars in tokens."""

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
        chords = (vocabulary.find(Event(Kind.CHORD, None, chord)) for chord in AFTER_BAR_VALUES[Kind.CHORD])
        self.chords = [token for token in chords if token is not None]
        self.before_chord = {
            token for token, event in enumerate(events) if event.kind in (Kind.BAR, Kind.BACK)
        }
        self.relations = [
            [token for token, e in enumerate(events) if e.kind is Kind.RELATION and e.voice is voice]
            for voice in Voice
        ]
        self.relating = {
            token: (voice, value) for voice in Voice for value, token in enumerate(self.relations[voice])
        }
        self.before_relation = self.before_chord | set(self.chords) | set(self.relating)
        self.biases = np.full((len(Voice) + 1, 1 << len(Voice), len(events)), _FORBIDDEN, np.float32)
        for token, event in enumerate(events):
            voice = event.voice
            if voice is None or event.kind not in (Kind.NOTE_ON, Kind.NOTE_OFF):
                continue
            for sounding in range(1 << len(Voice)):
                ends = event.kind is Kind.NOTE_OFF
                if not ends or (sounding >> voice & 1 and voice is not Voice.NO):
                    self.biases[: voice + 1, sounding, token] = 0


@cache
def bar_tables(vocabulary: Vocabulary) -> BarTables:
    """Return the tables of a vocabulary."""
    return BarTables(vocabulary)
