"""What is always right in a stream of events, whoever asks for what."""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.constraints import FORBIDDEN, SURELY, Constraint, Row, begins, forbid
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import rank
from lakhnes.runtime.music.timing import FRAME_SAMPLES, Codec, Timing
from lakhnes.runtime.music.vocabulary import END_TOKEN, Vocabulary

_FLICKER_SAMPLES = 10 * FRAME_SAMPLES
_FLICKER_NOTES = 20
"""In so many samples. Of NES-MDB's notes (valid), 1 in 200,000 is one more."""


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


class Opening(Constraint):
    """A song that begins with a note rather than with a rest, where anything can."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Begins at the start of a song."""
        waits = [event.kind is Kind.WAIT for event in vocabulary.events]
        self._row: Row | None = np.where(waits, np.float32(-SURELY), np.float32(0))

    def penalty(self) -> Row | None:
        """Keeps waits back until a note begins."""
        return self._row

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.NOTE_ON:
            self._row = None


class Flicker(Constraint):
    """A voice begins no more notes in ten frames than the drivers of the console do.

    Where time is samples, a model that hears only itself may come to flicker between pitches, a few samples
    each: time would hardly go on.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Begins at the start of a song."""
        self._rows: dict[Voice, Row] = {
            voice: np.where(begins(vocabulary, voice), -SURELY, np.float32(0)) for voice in Voice
        }
        self._onsets = {voice: deque[int](maxlen=_FLICKER_NOTES) for voice in Voice}
        self._time = 0

    def penalty(self) -> Row | None:
        """Keeps back notes of the voices that flicker."""
        rows = [
            self._rows[voice]
            for voice, onsets in self._onsets.items()
            if len(onsets) == _FLICKER_NOTES and self._time - onsets[0] < _FLICKER_SAMPLES
        ]
        return np.minimum.reduce(rows) if rows else None

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        if event.kind is Kind.WAIT:
            self._time += event.value
        elif event.kind is Kind.NOTE_ON and event.voice is not None:
            self._onsets[event.voice].append(self._time)


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
