"""The grammar of bars row by row, as an automaton: what may come next, and where in the song that is."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.bars.bars import TICKS_PER_BEAT
from lakhnes.runtime.bars.codec import HEAD
from lakhnes.runtime.music.events import BAR_VALUES, Event, Kind, Voice
from lakhnes.runtime.music.vocabulary import END_TOKEN, Vocabulary

_MAY_LACK = (Kind.KEY,)
_N_BARS = len(BAR_VALUES[Kind.BAR])
_PICK_UP = _N_BARS - 1


class RowGrammar:
    """Where a song in rows is, and which tokens may come there.

    Attributes:
        head: value of each event of the head so far that concerns the whole song.
        articulation: of each voice, as far as the head has named it.
        bar: number of the bar, from 0; -1 in the head.
        place: tick in the bar.
        tables: what the grammar looks up in the vocabulary.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Begins before the head of a song."""
        self.tables = _tables(vocabulary)
        self.head: dict[Kind, int] = {}
        self.articulation = [0] * len(Voice)
        self.bar = -1
        self.place = 0
        self._label = -1  # value of the last BAR
        self._head_place = 0
        self._spoken = -1  # last voice that had an event on this tick
        self._empty = False  # whether a POSITION came and nothing after it
        self._sounding = 0

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar."""
        return self.head.get(Kind.METER, 4) * TICKS_PER_BEAT

    @property
    def tick(self) -> int:
        """Ticks from the first bar line."""
        return max(self.bar, 0) * self.bar_ticks + self.place

    def sounding(self, voice: Voice) -> bool:
        """Return whether a voice sounds."""
        return bool(self._sounding >> voice & 1)

    def allowed(self) -> NDArray[np.bool_]:
        """Return bool [V], the tokens that may come next."""
        tables = self.tables
        if self.bar < 0:
            result: NDArray[np.bool_] = tables.head[self._head_place].copy()
            for place in range(self._head_place, len(tables.head) - 1):
                if tables.kinds[place] not in _MAY_LACK:
                    break
                result |= tables.head[place + 1]
            return result
        result = tables.events[self._spoken + 1, self._sounding].copy()
        if not self._empty:
            result |= (tables.position > self.place) & (tables.position < self.bar_ticks)
            result[tables.bars[(self._label + 1) % _N_BARS]] = True
            result[END_TOKEN] = True
        return result

    def hear(self, event: Event) -> None:
        """Take the next event."""
        voice = event.voice
        if event.kind is Kind.BAR:
            self.bar, self.place, self._label = self.bar + 1, 0, event.value
            self._spoken, self._empty = -1, False
        elif event.kind is Kind.POSITION:
            self.place, self._spoken, self._empty = event.value, -1, True
        elif event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF) and voice is not None:
            self._spoken, self._empty = voice, False
            if event.kind is Kind.NOTE_ON:
                self._sounding |= 1 << voice
            else:
                self._sounding &= ~(1 << voice)
        elif event.kind is not Kind.END:
            self._head_place = self.tables.place_after[event.kind, voice]
            if voice is None:
                self.head[event.kind] = event.value
            elif event.kind is Kind.ARTICULATION:
                self.articulation[voice] = event.value


class Tables:
    """What of a vocabulary the grammar looks up.

    Attributes:
        kinds: of each place of the head.
        head: bool [V] of each place of the head, and of the first BAR after it.
        place_after: place of the head that follows each of its events.
        position: int64 [V], the tick of each POSITION, else -1.
        bars: token of each BAR.
        voice: int64 [V], the voice of each NOTEON and NOTEOFF, else -1.
        events: bool [5, 16, V], what may come on a tick after each voice, for each set of sounding voices.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        events = vocabulary.events
        n = len(events)
        self.kinds = [kind for kind, _ in HEAD]
        self.head = [np.array([(e.kind, e.voice) == place for e in events]) for place in HEAD]
        self.head.append(np.array([e.kind is Kind.BAR and e.value in (0, _PICK_UP) for e in events]))
        self.place_after = {place: number + 1 for number, place in enumerate(HEAD)}
        self.position = np.array([e.value if e.kind is Kind.POSITION else -1 for e in events])
        notes = (Kind.NOTE_ON, Kind.NOTE_OFF)
        self.voice = np.array(
            [int(e.voice) if e.kind in notes and e.voice is not None else -1 for e in events]
        )
        self.bars = [vocabulary.token(Event(Kind.BAR, None, value)) for value in range(_N_BARS)]
        self.events = np.zeros((len(Voice) + 1, 1 << len(Voice), n), np.bool_)
        for token, event in enumerate(events):
            voice = event.voice
            if voice is None or event.kind not in notes:
                continue
            for sounding in range(1 << len(Voice)):
                ends = event.kind is Kind.NOTE_OFF
                if not ends or (sounding >> voice & 1 and voice is not Voice.NO):
                    self.events[: voice + 1, sounding, token] = True


@cache
def _tables(vocabulary: Vocabulary) -> Tables:
    return Tables(vocabulary)
