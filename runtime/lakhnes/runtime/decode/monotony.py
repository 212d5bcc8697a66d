"""What keeps a voice from doing one thing for ever, as models do that hear only themselves."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from itertools import accumulate, islice

import numpy as np

from lakhnes.runtime.decode.constraints import MELODIC, Constraint, Row, begins
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.timing import Codec

REMEMBERED_SECONDS = 12.0
"""What was longer ago says nothing."""

_NOTES = 24
"""Last notes of a voice that are looked at."""

_USUAL_REPEATS = (15, 20, 22)
"""So many of them may be of one pitch, of two, of three. In NES-MDB's songs there are more in 2, 5 and 7 % of
all places in a pulse, and 8, 17 and 22 % in the triangle."""

_REPEAT_NATS = 0.3
"""What such pitches lose for each note more."""

_LONGEST_LOOP = 16
"""Notes of a figure that comes again and again."""

_USUAL_LOOPS = 4
"""So often a figure of two or more notes may come once more. In NES-MDB's songs one of two does so more often
in 3 % of all places, any longer one in less than 2 %."""

_LOOP_NATS = 0.5
"""What the note that goes on with a figure loses for each time more, up to `_MOST_NATS`."""

_USUAL_SECONDS = 1.5
"""So long a note may last. Notes of more than 2 s fill 4 % of the time of NES-MDB's songs."""

_HELD_NATS = 1.0
"""What the end of a note gains for each second more, up to `_MOST_NATS`."""

_MOST_NATS = 6.0

_USUAL_REST_SECONDS = 8.0
"""So long a voice may be silent. Longer rests fill 2 to 3 % of the time of the voices in NES-MDB's songs."""

_RESTED_NATS = 0.3
"""What the voice's notes gain for each second more, up to `_MOST_RESTED_NATS`."""

_MOST_RESTED_NATS = 3.0


class Monotony(Constraint):
    """A voice that holds a note, circles, keeps to few pitches or rests grows likelier to do something else.

    The longer it lasts, the likelier; what is usual in music is left alone. The noise may repeat itself.
    """

    def __init__(self, codec: Codec) -> None:
        """Begins at the start of a song.

        Args:
            codec: of the model that composes.
        """
        events = codec.vocabulary.events
        turning = (Kind.NOTE_ON, Kind.NOTE_OFF)
        self._begins = {event: token for token, event in enumerate(events) if event.kind is Kind.NOTE_ON}
        self._turns = {
            voice: np.array([event.voice is voice and event.kind in turning for event in events])
            for voice in Voice
        }
        self._starts = {voice: begins(codec.vocabulary, voice) for voice in Voice}
        self._size = len(events)
        self._time = 0
        self._sounding: set[Voice] = set()
        self._since = dict.fromkeys(Voice, 0)  # when the note began that sounds, or the last one ended
        self._lines = {voice: _Line() for voice in MELODIC}

    def penalty(self) -> Row | None:
        """Nats for what ends long notes and long rests, and against what comes all the time."""
        row = np.zeros(self._size, np.float32)
        for voice, since in self._since.items():
            seconds = (self._time - since) / SAMPLE_RATE
            if voice in self._sounding and seconds > _USUAL_SECONDS:
                row[self._turns[voice]] += min(_MOST_NATS, _HELD_NATS * (seconds - _USUAL_SECONDS))
            elif voice not in self._sounding and seconds > _USUAL_REST_SECONDS:
                gain = _RESTED_NATS * (seconds - _USUAL_REST_SECONDS)
                row[self._starts[voice]] += min(_MOST_RESTED_NATS, gain)
        for line in self._lines.values():
            line.forget(self._time - round(REMEMBERED_SECONDS * SAMPLE_RATE))
            for token, nats in line.losses().items():
                row[token] -= nats
        return row

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            self._time += event.value
        elif event.voice is not None and event in self._begins:
            self._since[event.voice] = self._time
            self._sounding.add(event.voice)
            if event.voice in self._lines:
                self._lines[event.voice].say(self._time, self._begins[event])
        elif event.voice is not None and event.kind is Kind.NOTE_OFF:
            self._since[event.voice] = self._time
            self._sounding.discard(event.voice)


class _Line:
    """The notes that a voice began of late."""

    def __init__(self) -> None:
        self._losses: Mapping[int, float] | None = None  # of these notes, once it was asked for
        self._notes: deque[tuple[int, int]] = deque()  # when it began, its token
        self._runs = [0] * (_LONGEST_LOOP + 1)  # last notes in a row that are as those so many before them

    def say(self, time: int, token: int) -> None:
        """Takes a note."""
        for period, earlier in enumerate(self._last(_LONGEST_LOOP), 1):
            self._runs[period] = self._runs[period] + 1 if earlier == token else 0
        self._notes.append((time, token))
        self._losses = None

    def forget(self, before: int) -> None:
        """Forgets what was said before a time."""
        if not self._notes or self._notes[0][0] >= before:
            return
        while self._notes and self._notes[0][0] < before:
            self._notes.popleft()
        count = len(self._notes)
        self._runs = [min(run, max(0, count - period)) for period, run in enumerate(self._runs)]
        self._losses = None

    def losses(self) -> Mapping[int, float]:
        """What tokens lose, in nats, for coming all the time."""
        if self._losses is None:
            self._losses = self._judged()
        return self._losses

    def _last(self, count: int) -> list[int]:
        """Tokens of the last notes, the last one first."""
        return [token for _, token in islice(reversed(self._notes), count)]

    def _judged(self) -> Mapping[int, float]:
        last = self._last(_NOTES)
        losses: defaultdict[int, float] = defaultdict(float)
        said = Counter(last[::-1]).most_common(len(_USUAL_REPEATS))
        together = accumulate(times for _, times in said)
        for k, (times, usual) in enumerate(zip(together, _USUAL_REPEATS, strict=False), 1):
            if times > usual:
                for token, _ in said[:k]:
                    losses[token] += _REPEAT_NATS * (times - usual)
        for period in range(2, _LONGEST_LOOP + 1):
            again = self._runs[period] / period
            if again > _USUAL_LOOPS and len(set(last[:period])) > 1:
                loss = min(_MOST_NATS, _LOOP_NATS * (again - _USUAL_LOOPS))
                losses[last[period - 1]] = max(losses[last[period - 1]], loss)
        return losses
