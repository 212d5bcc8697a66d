"""Constraints: what may not come next, what is less likely, and when.

Whatever a user locks, forces, forbids or prefers is a constraint. Each gives a row of numbers to add to the
logits: -inf for what may not come, others as a bias; so constraints compose by addition, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.events import VOCABULARY_PITCHES, Event, Kind, Voice
from lakhnes.runtime.score import rank
from lakhnes.runtime.timing import FRAME_SAMPLES, Codec, Timing
from lakhnes.runtime.vocabulary import END_TOKEN, Vocabulary

Row = NDArray[np.float32]

FORBIDDEN = np.float32(-np.inf)

MELODIC = (Voice.P1, Voice.P2, Voice.TR)
"""The voices that play pitches."""


class Constraint:
    """Something that shapes what comes next, and hears what came.

    The base does nothing; override what is needed.
    """

    def penalty(self) -> Row | None:
        """What to add to the next logits, float32 [V]; None for nothing. The row stays the constraint's."""
        return None

    def adjust(self, event: Event) -> Event:
        """What a drawn event becomes; for waits that must end at a certain time.

        A note may become a wait: if no wait may come, something else is drawn.
        """
        return event

    def observe(self, event: Event) -> None:
        """Hears the next event."""

    @property
    def promised(self) -> bool:
        """Whether it knows what comes next, from what was drawn before."""
        return False


class Fixed(Constraint):
    """A constraint whose row never changes."""

    def __init__(self, row: Row) -> None:
        """Takes the row, float32 [V]."""
        self._row = row

    def penalty(self) -> Row:
        """The row."""
        return self._row


def forbid(vocabulary: Vocabulary, events: Iterable[Event]) -> Row:
    """A row that forbids events, those that the vocabulary has."""
    row = np.zeros(len(vocabulary), np.float32)
    unwanted = set(events)
    row[[event in unwanted for event in vocabulary.events]] = FORBIDDEN
    return row


class NoEnd(Constraint):
    """The song may not end by itself, for a while or at all."""

    def __init__(self, vocabulary: Vocabulary, until_samples: int | None = None) -> None:
        """Forbids `<S>` until a time; None forbids it for ever."""
        self._row = forbid(vocabulary, [vocabulary.events[END_TOKEN]])
        self._until = until_samples
        self._time = 0

    def penalty(self) -> Row | None:
        """Forbids `<S>`, while it is too early."""
        return self._row if self._until is None or self._time < self._until else None

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            self._time += event.value


class Muted(Fixed):
    """Voices that play no notes."""

    def __init__(self, vocabulary: Vocabulary, voices: Collection[Voice]) -> None:
        """Forbids every event of some voices but NOTEOFF."""
        silent = [e for e in vocabulary.events if e.voice in voices and e.kind is not Kind.NOTE_OFF]
        super().__init__(forbid(vocabulary, silent))


class PitchRange(Fixed):
    """Voices that stay in a range of pitches."""

    def __init__(self, vocabulary: Vocabulary, ranges: Mapping[Voice, tuple[int, int]]) -> None:
        """Takes lowest and highest pitch of each voice, both included.

        Raises:
            OptionError: if a range has no pitch of the voice.
        """
        outside = []
        for voice, (low, high) in ranges.items():
            known = VOCABULARY_PITCHES[voice]
            if not any(low <= pitch <= high for pitch in known):
                raise OptionError(
                    f"{voice.name} has no pitch from {low} to {high}; it plays {known[0]} to {known[-1]}."
                )
            outside += [Event(Kind.NOTE_ON, voice, pitch) for pitch in known if not low <= pitch <= high]
        super().__init__(forbid(vocabulary, outside))


class Scale(Fixed):
    """Voices that play only some pitch classes; the noise has none."""

    def __init__(
        self, vocabulary: Vocabulary, pitch_classes: Collection[int], voices: Collection[Voice] = MELODIC
    ) -> None:
        """Takes pitch classes 0 (C) to 11 (B) and the melodic voices that keep to them.

        Raises:
            OptionError: if there are none, or one is not 0..11.
        """
        if not pitch_classes or not all(0 <= pitch_class <= 11 for pitch_class in pitch_classes):
            raise OptionError("A scale needs pitch classes from 0 (C) to 11 (B), one at least.")
        outside = [
            event
            for event in vocabulary.events
            if event.kind is Kind.NOTE_ON
            and event.voice in voices
            and event.voice is not Voice.NO
            and event.value % 12 not in pitch_classes
        ]
        super().__init__(forbid(vocabulary, outside))


class Density(Fixed):
    """More notes or fewer: a bias on notes against waits."""

    def __init__(self, vocabulary: Vocabulary, amount: float) -> None:
        """Adds `amount` nats to each note and takes it from each wait; 0 changes nothing.

        Raises:
            OptionError: if it is not within -5..5.
        """
        if not -5 <= amount <= 5:
            raise OptionError(f"A density of {amount} is out of range; give -5 (sparse) to 5 (dense).")
        signs = {Kind.NOTE_ON: amount, Kind.WAIT: -amount}
        super().__init__(np.array([signs.get(event.kind, 0.0) for event in vocabulary.events], np.float32))


class Grammar(Constraint):
    """Keeps a stream canonical, as all training data are.

    At one sample the voices speak in order, each once: so time always goes on. A voice that is silent gets no
    NOTEOFF, a NOTEON is followed by its VELOCITY where there is one, and waits are those of the timing. Where
    time is frames, a silent voice gets no VELOCITY, and none says what it is already: else a model that knows
    dynamics may forget the notes.
    """

    def __init__(self, codec: Codec) -> None:
        """Begins at the start of a song.

        Args:
            codec: of the model that composes.
        """
        self._row = _grammar_rows(codec)
        self._clean = codec.timing is Timing.FRAMES
        self._spoken = -1
        self._sounding = 0
        self._begun: Voice | None = None  # whose NOTEON was just now
        self._said: dict[tuple[Voice, Kind], int] = {}  # token of the volume and the timbre of each voice

    def penalty(self) -> Row:
        """Forbids what would come out of order, what says nothing, and waits of other timings."""
        row = self._row(self._spoken, self._sounding, self._begun)
        if self._said and self._begun is None:
            row = row.copy()
            row[list(self._said.values())] = FORBIDDEN
        return row

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        self._spoken = rank(event)
        self._begun = None
        voice = event.voice
        if voice is None:
            return
        if event.kind is Kind.NOTE_ON:
            self._sounding |= 1 << voice
            self._begun = voice if voice in self._row.volumes else None
        elif event.kind is Kind.NOTE_OFF:
            self._sounding &= ~(1 << voice)
            self._said.pop((voice, Kind.VELOCITY), None)
        elif self._clean and event in self._row.tokens:
            self._said[voice, event.kind] = self._row.tokens[event]


class _GrammarRows:
    """The rows of a codec's grammar, each made when it is first wanted.

    Attributes:
        tokens: of each VELOCITY and TIMBRE.
        volumes: bool [V], the VELOCITYs of each voice that has any.
    """

    def __init__(self, codec: Codec) -> None:
        self._used = codec.used
        self._ranks = ranks(codec)
        events = codec.vocabulary.events
        said = (Kind.VELOCITY, Kind.TIMBRE)
        self.tokens = {event: token for token, event in enumerate(events) if event.kind in said}
        self.volumes = {
            voice: np.array([e.kind is Kind.VELOCITY and e.voice is voice for e in events])
            for voice in {event.voice for event in self.tokens if event.kind is Kind.VELOCITY}
        }
        of_sounding = (Kind.NOTE_OFF, Kind.VELOCITY) if codec.timing is Timing.FRAMES else (Kind.NOTE_OFF,)
        self._of_sounding = [
            np.array([e.kind in of_sounding and e.voice is voice for e in events]) for voice in Voice
        ]
        self._made: dict[tuple[int, int, Voice | None], Row] = {}

    def __call__(self, spoken: int, sounding: int, begun: Voice | None) -> Row:
        row = self._made.get((spoken, sounding, begun))
        if row is None:
            # A wait or the end (rank -1) may always come; others only after what stands before them.
            allowed = self._used & ((self._ranks < 0) | (self._ranks > spoken))
            for voice in Voice:
                if not sounding >> voice & 1:
                    allowed &= ~self._of_sounding[voice]
            if begun is not None:
                allowed = self.volumes[begun]
            row = self._made[spoken, sounding, begun] = np.where(allowed, np.float32(0), FORBIDDEN)
        return row


@lru_cache(maxsize=16)
def _grammar_rows(codec: Codec) -> _GrammarRows:
    return _GrammarRows(codec)


def ranks(codec: Codec) -> NDArray[np.int64]:
    """The `rank` of each token's event, int64 [V]."""
    return np.array([rank(event) for event in codec.vocabulary.events], np.int64)


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
        row[self._codec.token(self._late)] = _SURELY
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


class Opening(Constraint):
    """A song that begins with a note rather than with a rest, where anything can."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Begins at the start of a song."""
        waits = [event.kind is Kind.WAIT for event in vocabulary.events]
        self._row: Row | None = np.where(waits, np.float32(-_SURELY), np.float32(0))

    def penalty(self) -> Row | None:
        """Keeps waits back until a note begins."""
        return self._row

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.NOTE_ON:
            self._row = None


_NEAR_FRAMES = 0.6
"""What lies within this of a point is on it: models that count samples say a chord a few samples apart."""

_SURELY = np.float32(1e4)
"""Nats that outweigh whatever a model says, but not what is forbidden."""
