"""What of the vocabulary of bars may stand where, as tables."""

from __future__ import annotations

from functools import cache

import numpy as np

from lakhnes.runtime.music.events import BAR_VALUES, Event, Kind, Voice
from lakhnes.runtime.music.vocabulary import Vocabulary

N_BARS = len(BAR_VALUES[Kind.BAR])
"""Numbers of bars that tokens tell apart."""

_FORBIDDEN = np.float32(-np.inf)


class BarTables:
    """What is looked up in a vocabulary of bars.

    Attributes:
        positions: token of the POSITION at each tick from 1 on.
        ticks: int64 [V], the tick of each POSITION; else 0.
        voiced: bool [V], what a voice does.
        bars: token of each BAR.
        biases: float32 [5, 16, V], 0 for the notes and rests that may come on a tick: after each voice
            (0: none yet), for each set of sounding voices. All else is -inf.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        events = vocabulary.events
        positions = [Event(Kind.POSITION, None, tick) for tick in BAR_VALUES[Kind.POSITION]]
        self.positions = np.array([vocabulary.token(event) for event in positions])
        self.ticks = np.array([e.value if e.kind is Kind.POSITION else 0 for e in events], np.int64)
        self.voiced = np.array([event.voice is not None for event in events])
        self.bars = [vocabulary.token(Event(Kind.BAR, None, value)) for value in range(N_BARS)]
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
    """The tables of a vocabulary."""
    return BarTables(vocabulary)
