"""Constraints on when things happen: notes that must end, notes that begin on a grid."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from lakhnes.runtime.decode.constraints import FORBIDDEN, SURELY, Constraint, Row
from lakhnes.runtime.decode.grammar import ranks
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import FRAME_SAMPLES, Codec, Timing
from lakhnes.runtime.music.vocabulary import END_TOKEN

_NEAR_FRAMES = 0.6
"""What lies within this of a point is on it: models that count samples say a chord a few samples apart."""


class Due:
    """Rows that let waits go no further than a moment, and at that moment let a voice speak in its turn.

    Two constraints share this need: music that is kept, and notes that must end.
    """

    def __init__(self, codec: Codec) -> None:
        """Takes the codec of the model that composes."""
        self._waits = codec.wait_samples
        self._ranks = ranks(codec)
        self._shortest = int(codec.wait_samples[codec.used & (codec.wait_samples > 0)].min())
        self._snaps = codec.timing is Timing.SAMPLES
        self._slack = 0 if self._snaps else FRAME_SAMPLES // 2
        self._vocabulary = codec.vocabulary

    def wait_row(self, left: int) -> Row:
        """Forbids waits beyond `left` samples, and the end.

        Where tokens count samples coarsely, the wait nearest to `left` is allowed too, for it stands for it;
        and so is the shortest one, where `left` is shorter still.
        """
        longest = max(left, self._shortest, self._nearest(left))
        row = np.where(self._waits > longest, FORBIDDEN, np.float32(0))
        row[END_TOKEN] = FORBIDDEN
        return row

    def arrives(self, wait: int, left: int) -> bool:
        """Whether a wait of so many samples means to reach the moment.

        Where tokens count frames, it does if less than half a frame is missing: a grid's points lie between.
        """
        return wait >= left - self._slack or wait == self._nearest(left)

    def _nearest(self, left: int) -> int:
        """The wait that stands for `left` samples, where waits are coarse; else 0."""
        return self._vocabulary.nearest_wait(left) if self._snaps else 0

    def turn_row(self, last_rank: int) -> Row:
        """Forbids waits, the end, and whatever comes after `last_rank` at this sample."""
        return np.where((self._ranks < 0) | (self._ranks > last_rank), FORBIDDEN, np.float32(0))


class MaxLength(Constraint):
    """Notes that last no longer than a limit."""

    def __init__(
        self,
        codec: Codec,
        samples: int,
        voices: Collection[Voice] = tuple(Voice),
        step_samples: float | None = None,
    ) -> None:
        """Takes the limit.

        Args:
            codec: of the model that composes.
            samples: the limit.
            voices: whose notes it is for.
            step_samples: of the grid on which notes begin; the limit is whole steps, one at least. None for
                no grid: where tokens count frames, the limit is whole frames.

        Raises:
            OptionError: if it is shorter than the shortest wait.
        """
        if step_samples is not None:
            samples = round(max(1, samples // step_samples) * step_samples)
        elif codec.timing is Timing.FRAMES:
            samples = samples // FRAME_SAMPLES * FRAME_SAMPLES
        if samples < 1:
            raise OptionError("Notes cannot be that short; allow at least a sixtieth of a second.")
        self._limit = samples
        self._voices = voices
        self._due = Due(codec)
        self._time = 0
        self._since: dict[Voice, int] = {}

    def _next(self) -> tuple[int, Voice] | None:
        """Samples left to the next note that must end, and its voice; the first voice of several."""
        if not self._since:
            return None
        return min((since + self._limit - self._time, voice) for voice, since in self._since.items())

    def penalty(self) -> Row | None:
        """Lets no wait pass the moment when a note must end, and then lets it end."""
        upcoming = self._next()
        if upcoming is None:
            return None
        left, voice = upcoming
        if left > 0:
            return self._due.wait_row(left)
        return self._due.turn_row(rank(Event(Kind.NOTE_ON, voice)))

    def adjust(self, event: Event) -> Event:
        """A wait that means to reach the moment reaches it exactly."""
        upcoming = self._next()
        if event.kind is Kind.WAIT and upcoming is not None and self._due.arrives(event.value, upcoming[0]):
            return Event(Kind.WAIT, None, upcoming[0])
        return event

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            self._time += event.value
        elif event.voice in self._voices and event.voice is not None:
            if event.kind is Kind.NOTE_ON:
                self._since[event.voice] = self._time
            elif event.kind is Kind.NOTE_OFF:
                self._since.pop(event.voice, None)


class Grid(Constraint):
    """Notes that begin on a grid, and end where they like; the model hears them so, and keeps the groove.

    A wait that reaches the next point ends on one. A note that would begin between points is late: the song
    waits for the next point, and there it comes. So the model is never kept from what it means to play, which
    would make it fall silent.

    It comes after other constraints on time, which it rounds to its points, and before music that is kept.
    Beside a note that is kept, another may begin.
    """

    def __init__(self, codec: Codec, step_samples: float, offset_samples: float = 0.0) -> None:
        """Takes the distance of the grid's points, and where one of them lies.

        Raises:
            OptionError: if the step is shorter than a sample, or so long that no wait reaches it.
        """
        longest = int(codec.wait_samples.max())
        if not 1 <= step_samples <= longest:
            raise OptionError(f"A grid of {step_samples:g} samples is out of range; give 1 to {longest}.")
        self._codec = codec
        self._step = step_samples
        self._offset = offset_samples
        self._near = min(_NEAR_FRAMES * FRAME_SAMPLES, step_samples / 4)  # as good as on a point
        self._time = 0
        self._joins = False  # whether a note begins at this moment
        self._late: Event | None = None

    def penalty(self) -> Row | None:
        """Makes the note that is late come, where it may."""
        if self._late is None or not self._may_begin():
            return None
        row = np.zeros(len(self._codec.vocabulary), np.float32)
        row[self._codec.token(self._late)] = SURELY
        return row

    def adjust(self, event: Event) -> Event:
        """A wait ends on the nearest point, or before the next one; a note between points becomes a wait."""
        row = math.floor((self._time - self._offset + self._near) / self._step)
        following = (row + 1) * self._step + self._offset
        if event.kind is Kind.NOTE_ON and not self._may_begin():
            self._late = event
            return Event(Kind.WAIT, None, round(following) - self._time)
        end = self._time + event.value
        if event.kind is not Kind.WAIT or end < following - self._near:
            return event
        nearest = round((end - self._offset) / self._step) * self._step + self._offset
        return Event(Kind.WAIT, None, max(1, round(max(nearest, following)) - self._time))

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            if self._may_begin():
                self._late = None
            self._time += event.value
            self._joins = False
        elif event.kind is Kind.NOTE_ON:
            self._joins = True
            if self._late is not None and event.voice is self._late.voice:
                self._late = None

    @property
    def promised(self) -> bool:
        """Whether a note is late."""
        return self._late is not None

    def _may_begin(self) -> bool:
        """Whether notes may begin now."""
        place = (self._time - self._offset) / self._step
        return self._joins or abs(place - round(place)) * self._step <= self._near
