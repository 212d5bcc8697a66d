"""The state of a song while it is composed: everything that a logits processor may read.

It follows from the events alone. One piece of code therefore replays it when a song continues, a model reads
a prompt, or live music resumes at an earlier place.
"""

from __future__ import annotations

import copy
from array import array
from collections import deque
from collections.abc import Iterable
from itertools import islice

from lakhnes.runtime.bars.relations import FARTHEST
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import Codec, Timing, Waits
from lakhnes.runtime.time.rows import Rows

LINE_SECONDS = 12.0
"""Time in seconds for which a voice's onsets are remembered."""

LONGEST_PERIOD = 16
"""Notes of the longest figure whose repetitions are counted."""


class RecentNotes:
    """The onsets of one voice in the last seconds.

    Attributes:
        notes: time in samples and token of each, oldest first.
        version: rises whenever `notes` changes.
    """

    def __init__(self) -> None:
        self.notes: deque[tuple[int, int]] = deque()
        self._runs = [0] * (LONGEST_PERIOD + 1)
        self.version = 0

    def copy(self) -> RecentNotes:
        """Return an independent copy."""
        twin = copy.copy(self)
        twin.notes, twin._runs = self.notes.copy(), self._runs.copy()
        return twin

    def last(self, count: int) -> list[int]:
        """Return the tokens of the last notes, the last one first."""
        return [token for _, token in islice(reversed(self.notes), count)]

    def add(self, time: int, token: int) -> None:
        """Take the next onset."""
        for period, earlier in enumerate(self.last(LONGEST_PERIOD), 1):
            self._runs[period] = self._runs[period] + 1 if earlier == token else 0
        self.notes.append((time, token))
        self.version += 1

    def forget(self, before: int) -> None:
        """Forget onsets before a time."""
        if not self.notes or self.notes[0][0] >= before:
            return
        while self.notes and self.notes[0][0] < before:
            self.notes.popleft()
        self.version += 1

    def run(self, period: int) -> int:
        """Return how many of the last remembered notes equal the note one period before."""
        return min(self._runs[period], max(0, len(self.notes) - period))


class DecodeState:
    """The events of a song so far, in the model's time.

    Attributes:
        codec: codec of the model.
        rows: rows for onsets; None in free time.
        start: start of the composed music; earlier music existed before.
        time: samples so far.
        rank: rank of the last event at this sample; -1 for none.
        begun: the voice whose NOTEON was the last event; None after another event.
        since: for each voice, the start of its note, or during a rest the end of its last note.
        sounding: the voices that sound, as bits.
        said: token of the volume and of the timbre of each voice that has stated one.
        lines: recent onsets of each voice.
        has_notes: whether any note has begun.
        onset_now: whether a note has begun at this sample.
        bars: for codecs with bars, what each voice did in this bar and the bars before it, oldest first:
            the place, rank and token of each note and rest.
        late: a note that was drawn between two rows and waits for the next one.
        tokens: tokens that the model has read or will read next, including the initial `<S>`.
    """

    def __init__(self, codec: Codec, rows: Rows | None = None) -> None:
        """Start an empty song."""
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
        self.bars: deque[list[list[tuple[int, int, int]]]] = deque(maxlen=FARTHEST + 2)
        self._in_bars = codec.timing is Timing.BARS
        if self._in_bars:
            self.bars.append([[] for _ in Voice])
        self.late: Event | None = None
        self.tokens = array("H")

    def copy(self) -> DecodeState:
        """Return an independent copy."""
        twin = copy.copy(self)
        twin.since, twin.said, twin.tokens = self.since.copy(), self.said.copy(), self.tokens[:]
        twin.lines = [line.copy() for line in self.lines]
        twin.bars = self.bars.copy()
        if twin.bars:
            twin.bars[-1] = [line.copy() for line in self.bars[-1]]  # earlier bars no longer change
        return twin

    def sounds(self, voice: Voice) -> bool:
        """Return whether a voice sounds."""
        return bool(self.sounding >> voice & 1)

    @property
    def waits(self) -> Waits:
        """The tokens that advance time now."""
        return self.codec.waits_at(self.time)

    @property
    def at_empty_position(self) -> bool:
        """Whether the last token named a position in a bar; an event must follow."""
        codec = self.codec
        return self.rank < 0 and self.time > self.start and bool(codec.place_at(self.time))

    @property
    def may_begin(self) -> bool:
        """Whether notes may begin now: on a row, or where a note has begun already."""
        return self.rows is None or self.onset_now or self.rows.on_row(self.time)

    def replay(self, events: Iterable[Event]) -> None:
        """Take existing events."""
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Take the next event; END changes nothing."""
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
            self._note_in_bar(voice, event)
        elif event.kind is Kind.NOTE_OFF:
            self._note_in_bar(voice, event)
            self.since[voice] = self.time
            self.sounding &= ~(1 << voice)
            self.said.pop((voice, Kind.VELOCITY), None)
        elif self.codec.vocabulary.has_expression:
            token = self.codec.vocabulary.find(event)
            if token is not None:
                self.said[voice, event.kind] = token

    def _note_in_bar(self, voice: Voice, event: Event) -> None:
        token = self.codec.vocabulary.find(event) if self._in_bars else None
        if token is not None:
            self.bars[-1][voice].append((self.codec.place_at(self.time), self.rank, token))

    def _wait(self, samples: int) -> None:
        if self.late is not None and self.may_begin:
            self.late = None  # it could have come here
        self.time += samples
        self.onset_now = False
        if self._in_bars and not self.codec.place_at(self.time):
            self.bars.append([[] for _ in Voice])
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
        if token is not None:  # notes played by a user may be unknown to the model
            self.lines[voice].add(self.time, token)
