"""The state of a song while it is composed: all that a logits processor may know of it.

It follows from the events alone, so it is replayed by one piece of code, whether a song goes on, a prompt is
read, or live music is taken up again at an earlier place.
"""

from __future__ import annotations

import copy
from array import array
from collections import deque
from collections.abc import Iterable
from itertools import islice

from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import Codec, Waits
from lakhnes.runtime.time.rows import Rows

LINE_SECONDS = 12.0
"""Onsets of a voice are remembered for so long."""

LONGEST_PERIOD = 16
"""Notes of the longest figure whose repetitions are counted."""


class RecentNotes:
    """The onsets of one voice in the last seconds.

    Attributes:
        notes: time in samples and token of each, the oldest first.
        version: rises whenever `notes` changes.
    """

    def __init__(self) -> None:
        self.notes: deque[tuple[int, int]] = deque()
        self._runs = [0] * (LONGEST_PERIOD + 1)
        self.version = 0

    def copy(self) -> RecentNotes:
        """The same so far, to go on by itself."""
        twin = copy.copy(self)
        twin.notes, twin._runs = self.notes.copy(), self._runs.copy()
        return twin

    def last(self, count: int) -> list[int]:
        """Tokens of the last notes, the last one first."""
        return [token for _, token in islice(reversed(self.notes), count)]

    def add(self, time: int, token: int) -> None:
        """Takes the next onset."""
        for period, earlier in enumerate(self.last(LONGEST_PERIOD), 1):
            self._runs[period] = self._runs[period] + 1 if earlier == token else 0
        self.notes.append((time, token))
        self.version += 1

    def forget(self, before: int) -> None:
        """Forgets onsets before a time."""
        if not self.notes or self.notes[0][0] >= before:
            return
        while self.notes and self.notes[0][0] < before:
            self.notes.popleft()
        self.version += 1

    def run(self, period: int) -> int:
        """How many of the last notes are each as the one a period before it, of those that are remembered."""
        return min(self._runs[period], max(0, len(self.notes) - period))


class DecodeState:
    """What has happened in a song so far, in the model's time.

    Attributes:
        codec: of the model.
        rows: rows that onsets may be bound to; None in free time.
        start: when what is composed begins; what lies before was there already.
        time: samples so far.
        rank: rank of the last event at this sample; -1 if there is none.
        begun: the voice whose NOTEON was the last event; else None.
        since: for each voice, when its note began or, in a rest, when its last note ended.
        sounding: the voices that sound, as bits.
        said: token of the volume and of the timbre that each voice has, for those that have been stated.
        lines: recent onsets of each voice.
        has_notes: whether any note has begun.
        onset_now: whether a note has begun at this sample.
        late: a note that was drawn between two rows, and waits for the next one.
        tokens: what the model has read or will read next, `<S>` at the start included.
    """

    def __init__(self, codec: Codec, rows: Rows | None = None) -> None:
        """Begins an empty song."""
        self.codec = codec
        self.rows = rows
        self.time = self.start = 0
        self.rank = -1
        self.begun: Voice | None = None
        self.since = [0] * len(Voice)
        self.sounding = 0
        self.said: dict[tuple[Voice, Kind], int] = {}
        self.lines = [RecentNotes() for _ in Voice]
        self.has_notes = False
        self.onset_now = False
        self.late: Event | None = None
        self.tokens = array("H")

    def copy(self) -> DecodeState:
        """The same so far, to go on by itself."""
        twin = copy.copy(self)
        twin.since, twin.said, twin.tokens = self.since.copy(), self.said.copy(), self.tokens[:]
        twin.lines = [line.copy() for line in self.lines]
        return twin

    def sounds(self, voice: Voice) -> bool:
        """Whether a voice sounds."""
        return bool(self.sounding >> voice & 1)

    @property
    def waits(self) -> Waits:
        """The tokens that let time go on now."""
        return self.codec.waits_at(self.time)

    @property
    def at_empty_position(self) -> bool:
        """Whether a token has just named a position in a bar, after which music has some event."""
        codec = self.codec
        return self.rank < 0 and self.time > self.start and bool(codec.place_at(self.time))

    @property
    def may_begin(self) -> bool:
        """Whether this is a moment for onsets: a row, or one at which a note has begun anyway."""
        return self.rows is None or self.onset_now or self.rows.on_row(self.time)

    def replay(self, events: Iterable[Event]) -> None:
        """Takes events that are there already."""
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Takes the next event; END changes nothing."""
        voice = event.voice
        self.begun = None
        if voice is None:
            self.rank = -1
            if event.kind is Kind.WAIT:
                self._wait(event.value)
            return
        self.rank = rank(event)
        if event.kind is Kind.NOTE_ON:
            self._begin(voice, event)
        elif event.kind is Kind.NOTE_OFF:
            self.since[voice] = self.time
            self.sounding &= ~(1 << voice)
            self.said.pop((voice, Kind.VELOCITY), None)
        elif self.codec.vocabulary.has_expression:
            token = self.codec.vocabulary.find(event)
            if token is not None:
                self.said[voice, event.kind] = token

    def _wait(self, samples: int) -> None:
        if self.late is not None and self.may_begin:
            self.late = None  # it could have come here
        self.time += samples
        self.onset_now = False
        before = self.time - round(LINE_SECONDS * SAMPLE_RATE)
        for line in self.lines:
            line.forget(before)

    def _begin(self, voice: Voice, event: Event) -> None:
        self.since[voice] = self.time
        self.sounding |= 1 << voice
        self.begun = voice
        self.has_notes = self.onset_now = True
        if self.late is not None and voice is self.late.voice:
            self.late = None
        token = self.codec.vocabulary.find(event)
        if token is not None:  # played notes may lie beyond what the model knows
            self.lines[voice].add(self.time, token)
