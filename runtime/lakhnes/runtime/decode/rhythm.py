"""Logits processors for time: notes that must end, and notes that begin on rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.grammar import ranks
from lakhnes.runtime.decode.processors import (
    FORBIDDEN,
    SURELY,
    Bias,
    LogitsProcessor,
    Order,
    log_add,
    log_sum,
)
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import FRAME_SAMPLES, TICK_SAMPLES, Codec, Timing, Waits
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.time.rows import Rows


class Due:
    """A moment that waits must not pass, and at which a voice may act in its turn.

    A longer wait becomes the wait that reaches the moment, and gets its probability. If that were lost, notes
    would take its place, more of them in full music.

    Two processors use it: kept music, and notes that must end.
    """

    def __init__(self, codec: Codec) -> None:
        """Take the codec of the model that composes."""
        self._ranks = ranks(codec.vocabulary)
        self._snaps = codec.timing is Timing.SAMPLES
        self._slack = FRAME_SAMPLES // 2 if codec.timing is Timing.FRAMES else 0
        self._vocabulary = codec.vocabulary

    def _longest(self, waits: Waits, left: int) -> int:
        """Return the longest allowed wait.

        If tokens count samples coarsely, the wait nearest to `left` is allowed, because it stands for `left`.
        So is the shortest wait, if `left` is shorter still.
        """
        return max(left, waits.lengths[0], self._nearest(left))

    def wait_bias(self, waits: Waits, left: int) -> Bias:
        """Forbid waits beyond `left` samples, and the end."""
        bias = np.where(waits.samples > self._longest(waits, left), FORBIDDEN, np.float32(0))
        bias[END_TOKEN] = FORBIDDEN
        return bias

    def wait(self, waits: Waits, logits: Bias, left: int) -> None:
        """Limit waits and the end to `left` samples; changes logits float32 [V] in place."""
        place = bisect_right(waits.lengths, self._longest(waits, left))
        further = waits.tokens[place:]
        passed = log_add(log_sum(logits[further]), float(logits[END_TOKEN]))
        logits[further] = FORBIDDEN
        logits[END_TOKEN] = FORBIDDEN
        reaching = waits.tokens[place - 1]
        logits[reaching] = log_add(float(logits[reaching]), passed)

    def arrives(self, wait: int, left: int) -> bool:
        """Return whether a wait is meant to reach the moment.

        If tokens count frames, it may miss up to half a frame: a grid's points lie between frames.
        """
        return wait >= left - self._slack or wait == self._nearest(left)

    def _nearest(self, left: int) -> int:
        """Return the wait that stands for `left` samples if waits are coarse; 0 if they are exact."""
        return self._vocabulary.nearest_wait(left) if self._snaps else 0

    def turn_bias(self, last_rank: int) -> Bias:
        """Forbid waits, the end, and all events after `last_rank` at this sample."""
        return np.where(self._after(last_rank), FORBIDDEN, np.float32(0))

    def turn(self, logits: Bias, last_rank: int, token: int) -> None:
        """Let nothing follow `last_rank` at this sample; `token` gets its probability. Works in place."""
        after = self._after(last_rank)
        passed = log_sum(logits[after])
        logits[after] = FORBIDDEN
        logits[token] = log_add(float(logits[token]), passed)

    def _after(self, last_rank: int) -> NDArray[np.bool_]:
        return np.asarray((self._ranks < 0) | (self._ranks > last_rank))


class MaxLength(LogitsProcessor):
    """A limit on the length of notes."""

    order = Order.LENGTH
    label = "the longest note"

    def __init__(
        self,
        codec: Codec,
        samples: int,
        voices: Collection[Voice] = tuple(Voice),
        rows: Rows | None = None,
    ) -> None:
        """Take the limit.

        Args:
            codec: codec of the composing model.
            samples: the limit in samples.
            voices: the voices of these notes.
            rows: rows on which notes begin; the limit becomes whole steps of them, at least one. None for
                free time: the limit then becomes whole frames or ticks, at least one tick, if tokens count
                these.

        Raises:
            OptionError: if it is shorter than the shortest wait.
        """
        if rows is not None:
            samples = round(max(1, samples // rows.step) * rows.step)
        elif codec.timing is not Timing.SAMPLES:
            # A tick, unlike a frame, depends on the tempo, so it may be longer than any limit in seconds.
            unit, least = (FRAME_SAMPLES, 0) if codec.timing is Timing.FRAMES else (TICK_SAMPLES, 1)
            samples = max(least, samples // unit) * unit
        if samples < 1:
            raise OptionError("Notes cannot be that short; allow at least a sixtieth of a second.")
        self._limit = samples
        hits = codec.timing is Timing.BARS  # the noise has no note ends there
        self._voices = tuple(sorted(voice for voice in voices if not (hits and voice is Voice.NO)))
        self._codec = codec
        self._due = Due(codec)

    def _next(self, state: DecodeState) -> tuple[int, Voice] | None:
        """Return the samples left to the next note that must end, and its voice, the first of several."""
        ends = [
            (state.since[voice] + self._limit - state.time, voice)
            for voice in self._voices
            if state.sounds(voice)
        ]
        return min(ends, default=None)

    def bias(self, state: DecodeState) -> Bias | None:
        """Forbid waits past the moment when a note must end, and then let it end."""
        upcoming = self._next(state)
        if upcoming is None:
            return None
        left, voice = upcoming
        if left > 0:
            return self._due.wait_bias(state.waits, left)
        return self._due.turn_bias(rank(Event(Kind.NOTE_ON, voice)))

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Forbid waits past the moment when a note must end, and then let it end."""
        upcoming = self._next(state)
        if upcoming is not None:
            left, voice = upcoming
            ending = Event(Kind.NOTE_OFF, voice)
            if left > 0:
                self._due.wait(state.waits, logits, left)
            else:
                self._due.turn(logits, rank(ending), self._codec.token(ending))
        return logits

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """Return a wait that ends exactly at the moment, if it nearly does."""
        if event.kind is not Kind.WAIT:
            return event
        upcoming = self._next(state)
        if upcoming is not None and self._due.arrives(event.value, upcoming[0]):
            return Event(Kind.WAIT, None, upcoming[0])
        return event


class OnRows(LogitsProcessor):
    """Notes that begin on the song's rows, and end anywhere.

    A wait that ends close to a row ends on it. A wait that ends well between rows, such as before the end of
    a note, stays. A note that would begin between rows is late: the song waits for the next row, and the note
    begins there. The model is never kept from an intended note, which would make it fall silent. If a kept
    note begins off the rows, a generated note may begin with it.
    """

    order = Order.ROWS
    label = "the grid"

    def __init__(self, codec: Codec, rows: Rows, voices: Collection[Voice] = tuple(Voice)) -> None:
        """Take the rows.

        Args:
            codec: codec of the composing model.
            rows: rows of the state.
            voices: the voices whose notes begin on rows.

        Raises:
            OptionError: if the step is shorter than a sample, or so long that no wait reaches it.
        """
        longest = int(codec.wait_samples.max())
        if not 1 <= rows.step <= longest:
            raise OptionError(f"A grid of {rows.step:g} samples is out of range; give 1 to {longest}.")
        self._codec = codec
        self._rows = rows
        self._voices = frozenset(voices)
        # Whole frames are exact, such as the end of a note a frame before the next one.
        self._close = rows.near if codec.timing is Timing.FRAMES else max(rows.near, rows.step / 4)

    def bias(self, state: DecodeState) -> Bias | None:
        """Bring in the late note, if it may begin."""
        if state.late is None or not state.may_begin:
            return None
        bias = np.zeros(len(self._codec.vocabulary), np.float32)
        bias[self._codec.token(state.late)] = SURELY
        return bias

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """Return a wait that ends exactly on a row, if it nearly does; a note between rows becomes a wait."""
        if event.kind is Kind.NOTE_ON and event.voice in self._voices and not state.may_begin:
            return Event(Kind.WAIT, None, round(self._rows.following(state.time)) - state.time)
        if event.kind is not Kind.WAIT:
            return event
        following, end = self._rows.following(state.time), state.time + event.value
        if end < following - self._rows.near:
            return event
        reached = max(self._rows.nearest(end), following)
        if abs(reached - end) > self._close:
            return event
        return Event(Kind.WAIT, None, max(1, round(reached) - state.time))
