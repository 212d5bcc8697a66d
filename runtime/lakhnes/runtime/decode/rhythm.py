"""Logits processors on when things happen: notes that must end, notes that begin on rows."""

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
    """Lets waits go no further than a moment, and at that moment lets a voice speak in its turn.

    A wait that would go further goes that far at least. So what a model expects of longer waits goes to the
    one that reaches the moment; were it lost, notes would take its place, and the fuller the music, the more
    of them.

    Two processors share this need: music that is kept, and notes that must end.
    """

    def __init__(self, codec: Codec) -> None:
        """Takes the codec of the model that composes."""
        self._ranks = ranks(codec.vocabulary)
        self._snaps = codec.timing is Timing.SAMPLES
        self._slack = FRAME_SAMPLES // 2 if codec.timing is Timing.FRAMES else 0
        self._vocabulary = codec.vocabulary

    def _longest(self, waits: Waits, left: int) -> int:
        """The longest wait that may come.

        Where tokens count samples coarsely, the wait nearest to `left` is allowed, for it stands for it;
        and so is the shortest one, where `left` is shorter still.
        """
        return max(left, waits.lengths[0], self._nearest(left))

    def wait_bias(self, waits: Waits, left: int) -> Bias:
        """Forbids waits beyond `left` samples, and the end."""
        bias = np.where(waits.samples > self._longest(waits, left), FORBIDDEN, np.float32(0))
        bias[END_TOKEN] = FORBIDDEN
        return bias

    def wait(self, waits: Waits, logits: Bias, left: int) -> None:
        """Lets waits and the end go no further than `left` samples: changes logits float32 [V] in place."""
        place = bisect_right(waits.lengths, self._longest(waits, left))
        further = waits.tokens[place:]
        passed = log_add(log_sum(logits[further]), float(logits[END_TOKEN]))
        logits[further] = FORBIDDEN
        logits[END_TOKEN] = FORBIDDEN
        reaching = waits.tokens[place - 1]
        logits[reaching] = log_add(float(logits[reaching]), passed)

    def arrives(self, wait: int, left: int) -> bool:
        """Whether a wait of so many samples means to reach the moment.

        Where tokens count frames, it does if less than half a frame is missing: a grid's points lie between.
        """
        return wait >= left - self._slack or wait == self._nearest(left)

    def _nearest(self, left: int) -> int:
        """The wait that stands for `left` samples, where waits are coarse; else 0."""
        return self._vocabulary.nearest_wait(left) if self._snaps else 0

    def turn_bias(self, last_rank: int) -> Bias:
        """Forbids waits, the end, and whatever comes after `last_rank` at this sample."""
        return np.where(self._after(last_rank), FORBIDDEN, np.float32(0))

    def turn(self, logits: Bias, last_rank: int, token: int) -> None:
        """Lets nothing come after `last_rank` at this sample: what would, means `token`. Works in place."""
        after = self._after(last_rank)
        passed = log_sum(logits[after])
        logits[after] = FORBIDDEN
        logits[token] = log_add(float(logits[token]), passed)

    def _after(self, last_rank: int) -> NDArray[np.bool_]:
        return np.asarray((self._ranks < 0) | (self._ranks > last_rank))


class MaxLength(LogitsProcessor):
    """Notes that last no longer than a limit."""

    order = Order.LENGTH
    label = "the longest note"

    def __init__(
        self,
        codec: Codec,
        samples: int,
        voices: Collection[Voice] = tuple(Voice),
        rows: Rows | None = None,
    ) -> None:
        """Takes the limit.

        Args:
            codec: of the model that composes.
            samples: the limit.
            voices: whose notes it is for.
            rows: on which notes begin; the limit is whole steps of them, one at least. None for free time:
                where tokens count frames or ticks, the limit is whole ones.

        Raises:
            OptionError: if it is shorter than the shortest wait.
        """
        if rows is not None:
            samples = round(max(1, samples // rows.step) * rows.step)
        elif codec.timing is not Timing.SAMPLES:
            unit = FRAME_SAMPLES if codec.timing is Timing.FRAMES else TICK_SAMPLES
            samples = samples // unit * unit
        if samples < 1:
            raise OptionError("Notes cannot be that short; allow at least a sixtieth of a second.")
        self._limit = samples
        hits = codec.timing is Timing.BARS  # there the noise has no ends
        self._voices = tuple(sorted(voice for voice in voices if not (hits and voice is Voice.NO)))
        self._codec = codec
        self._due = Due(codec)

    def _next(self, state: DecodeState) -> tuple[int, Voice] | None:
        """Samples left to the next note that must end, and its voice; the first voice of several."""
        ends = [
            (state.since[voice] + self._limit - state.time, voice)
            for voice in self._voices
            if state.sounds(voice)
        ]
        return min(ends, default=None)

    def bias(self, state: DecodeState) -> Bias | None:
        """Lets no wait pass the moment when a note must end, and then lets it end."""
        upcoming = self._next(state)
        if upcoming is None:
            return None
        left, voice = upcoming
        if left > 0:
            return self._due.wait_bias(state.waits, left)
        return self._due.turn_bias(rank(Event(Kind.NOTE_ON, voice)))

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Lets no wait pass the moment when a note must end, and then lets it end."""
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
        """A wait that means to reach the moment reaches it exactly."""
        if event.kind is not Kind.WAIT:
            return event
        upcoming = self._next(state)
        if upcoming is not None and self._due.arrives(event.value, upcoming[0]):
            return Event(Kind.WAIT, None, upcoming[0])
        return event


class OnRows(LogitsProcessor):
    """Notes that begin on the song's rows, and end where they like.

    A wait that ends close to a row ends on it; one that ends well between rows, as before the end of a note,
    stays. A note that would begin between rows is late: the song waits for the next row, and there it comes.
    So the model is never kept from what it means to play, which would make it fall silent. Beside a note that
    begins off the rows because it is kept, another may begin.
    """

    order = Order.ROWS
    label = "the grid"

    def __init__(self, codec: Codec, rows: Rows, voices: Collection[Voice] = tuple(Voice)) -> None:
        """Takes the rows.

        Args:
            codec: of the model that composes.
            rows: those of the state.
            voices: whose notes begin on them.

        Raises:
            OptionError: if the step is shorter than a sample, or so long that no wait reaches it.
        """
        longest = int(codec.wait_samples.max())
        if not 1 <= rows.step <= longest:
            raise OptionError(f"A grid of {rows.step:g} samples is out of range; give 1 to {longest}.")
        self._codec = codec
        self._rows = rows
        self._voices = frozenset(voices)
        # Whole frames say exactly what they mean, such as the end of a note a frame before the next one.
        self._close = rows.near if codec.timing is Timing.FRAMES else max(rows.near, rows.step / 4)

    def bias(self, state: DecodeState) -> Bias | None:
        """Makes the note that is late come, where it may."""
        if state.late is None or not state.may_begin:
            return None
        bias = np.zeros(len(self._codec.vocabulary), np.float32)
        bias[self._codec.token(state.late)] = SURELY
        return bias

    def adjust(self, state: DecodeState, event: Event) -> Event:
        """A wait that ends close to a row ends on it; a note between rows becomes a wait."""
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
