"""What keeps a voice from doing one thing for ever, as models do that hear only themselves."""

from __future__ import annotations

from collections import Counter, deque
from itertools import accumulate

import numpy as np

from lakhnes.runtime.constraints import MELODIC, Constraint, Row, begins
from lakhnes.runtime.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.timing import Codec

REMEMBERED_SECONDS = 12.0
"""What was longer ago says nothing."""

_NOTES = 24
"""Last notes of a voice that are looked at."""

_USUAL_REPEATS = (15, 20, 22)
"""So many of them may be of one pitch, of two, of three. In NES-MDB's songs there are more in 2, 5 and 7 % of
all places in a pulse, and 8, 17 and 22 % in the triangle."""

_REPEAT_NATS = 0.3
"""What such pitches lose for each note more."""

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
    """A voice that holds a note, turns around few pitches or is silent grows likelier to do something else.

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
        self._notes = {voice: deque[tuple[int, Event]](maxlen=_NOTES) for voice in MELODIC}

    def penalty(self) -> Row | None:
        """Nats for what ends long notes and long rests, and against few pitches that come all the time."""
        row = np.zeros(self._size, np.float32)
        for voice, since in self._since.items():
            seconds = (self._time - since) / SAMPLE_RATE
            if voice in self._sounding and seconds > _USUAL_SECONDS:
                row[self._turns[voice]] += min(_MOST_NATS, _HELD_NATS * (seconds - _USUAL_SECONDS))
            elif voice not in self._sounding and seconds > _USUAL_REST_SECONDS:
                gain = _RESTED_NATS * (seconds - _USUAL_REST_SECONDS)
                row[self._starts[voice]] += min(_MOST_RESTED_NATS, gain)
        for recent in self._notes.values():
            while recent and self._time - recent[0][0] > REMEMBERED_SECONDS * SAMPLE_RATE:
                recent.popleft()
            said = Counter(event for _, event in recent).most_common(len(_USUAL_REPEATS))
            together = accumulate(times for _, times in said)
            for k, (times, usual) in enumerate(zip(together, _USUAL_REPEATS, strict=False), 1):
                if times > usual:
                    row[[self._begins[event] for event, _ in said[:k]]] -= _REPEAT_NATS * (times - usual)
        return row

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            self._time += event.value
        elif event.voice is not None and event in self._begins:
            self._since[event.voice] = self._time
            self._sounding.add(event.voice)
            if event.voice in self._notes:
                self._notes[event.voice].append((self._time, event))
        elif event.voice is not None and event.kind is Kind.NOTE_OFF:
            self._since[event.voice] = self._time
            self._sounding.discard(event.voice)
