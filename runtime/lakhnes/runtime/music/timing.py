"""The two timings of token streams: raw samples, as LakhNES has them, and clean 60 Hz frames.

NES music is played by sound drivers that run 60 times a second. In raw samples a driver's register writes
lie a few samples apart, so that much of a token stream says nothing musical, and waits are coarse, so that
decoded time drifts. In frames every event lies on a frame of 735 samples, one wait token stands for one
number of frames, and decoding is exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import END, Event, Kind, Voice
from lakhnes.runtime.music.score import Change, Note, Part, Score, events_of_score, score_from_events
from lakhnes.runtime.music.vocabulary import END_TOKEN, Vocabulary

FRAME_SAMPLES = 735
"""Samples of one 60 Hz frame at 44.1 kHz."""

TICK_SAMPLES = 919
"""Model time of a tick of bars, a 24th of a beat: then a beat lasts half a second, as at 120 BPM."""

FRAME_WAITS = (*range(1, 14), 16, 20, 24, 32, 48, 64, 96, 128)
"""Numbers of frames that are one wait token; others are a sum of these, largest first."""

_QUIET_WINDOW = 200
"""Samples of the window whose emptiest place gives a song's frame phase."""

_KNOWN_WAITS = 10_000
"""So many waits are kept with their tokens."""


class Timing(StrEnum):
    """How a model's tokens count time; kept in the model's metadata."""

    SAMPLES = "samples"
    FRAMES = "frames"
    BARS = "bars"


EVENT_TIMINGS = (Timing.SAMPLES, Timing.FRAMES)
"""Timings of TX1 and TX2, whose tokens wait; in bars nothing does."""


def has_timing(vocabulary: Vocabulary, timing: Timing) -> bool:
    """Return whether a vocabulary can count time so: one with bars counts in bars, and no other does."""
    return vocabulary.has_bars == (timing is Timing.BARS)


class Waits(NamedTuple):
    """The tokens that let time go on, at one moment of a song."""

    samples: NDArray[np.int64]
    """int64 [V]: how far each token goes; 0 for what is no wait."""
    tokens: NDArray[np.intp]
    """Those that a stream may contain here, the shortest first."""
    lengths: list[int]
    """Samples of each of them."""


class Codec:
    """Scores to token ids and back, for one vocabulary in one timing.

    While a song is composed, time goes on in the model's own: what a token means may depend on it. Methods
    that end in `_at` take it, in samples from the start of the song.

    Attributes:
        vocabulary: which event is which id.
        timing: how waits count.
    """

    def __init__(self, vocabulary: Vocabulary, timing: Timing) -> None:
        self.vocabulary = vocabulary
        self.timing = timing
        self._events = list(vocabulary.events)
        self._frame_tokens: dict[int, int] = {}
        self._wait_tokens: dict[int, tuple[int, ...]] = {}
        if timing is Timing.FRAMES:
            for frames in FRAME_WAITS:
                token = vocabulary.token(Event(Kind.WAIT, None, frames * FRAME_SAMPLES))
                self._frame_tokens[frames] = token
            if len(set(self._frame_tokens.values())) != len(FRAME_WAITS):
                raise OptionError("The vocabulary's waits are too coarse for timing 'frames'; use 'samples'.")
            exact = {token: frames for frames, token in self._frame_tokens.items()}
            for token, event in enumerate(vocabulary.events):
                if event.kind is Kind.WAIT:
                    frames = exact.get(token, max(1, round(event.value / FRAME_SAMPLES)))
                    self._events[token] = Event(Kind.WAIT, None, frames * FRAME_SAMPLES)

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Bool [V]: the tokens that streams of this timing contain."""
        keep = set(self._frame_tokens.values())
        return np.array(
            [
                event.kind is not Kind.WAIT or self.timing is Timing.SAMPLES or token in keep
                for token, event in enumerate(self.vocabulary.events)
            ]
        )

    @cached_property
    def wait_samples(self) -> NDArray[np.int64]:
        """int64 [V]: samples that each token waits; 0 for what is no wait."""
        return np.array([e.value if e.kind is Kind.WAIT else 0 for e in self._events], np.int64)

    @cached_property
    def passing(self) -> NDArray[np.bool_]:
        """Bool [V]: the tokens that let time go on."""
        kinds = (Kind.WAIT, Kind.BAR, Kind.POSITION)
        return np.array([event.kind in kinds for event in self.vocabulary.events])

    @cached_property
    def _waits(self) -> Waits:
        used = np.flatnonzero(self.used & (self.wait_samples > 0))
        tokens = used[np.argsort(self.wait_samples[used], kind="stable")]
        return Waits(self.wait_samples, tokens, self.wait_samples[tokens].tolist())

    def waits_at(self, time: int) -> Waits:
        """The tokens that let time go on."""
        return self._waits

    @property
    def longest_wait(self) -> int:
        """Samples of the longest wait that one token says."""
        return self._waits.lengths[-1]

    def event_at(self, token: int, time: int) -> Event:
        """What a token means: a wait for one that lets time go on."""
        return self._events[token]

    def token_at(self, event: Event, time: int) -> int:
        """The token that says an event; of a wait, the one that stands best for it.

        Raises:
            OptionError: for an event that the vocabulary does not have.
        """
        return self.token(event)

    def wait_at(self, time: int, samples: int) -> tuple[int, int]:
        """The first of the tokens that say a wait, and its samples."""
        wait = self.first_wait(samples)
        return self.wait_token(wait), wait

    def place_at(self, time: int) -> int:
        """The tick in the bar; 0 where tokens know no bars."""
        return 0

    def arriving_at(self, time: int) -> list[int]:
        """The tokens that say which moment of a song it is; none where tokens only wait."""
        return []

    def beginning_at(self, time: int) -> list[int]:
        """The tokens that stand before music that begins at a time, without `<S>`."""
        return []

    def events_of(self, score: Score) -> Iterator[Event]:
        """The events of a score in model time, with waits, as a stream has them."""
        return events_of_score(score, expression=self.vocabulary.has_expression)

    def wait_token(self, samples: int) -> int:
        """The token that stands best for a wait: the nearest one that streams of this timing contain."""
        if self.timing is Timing.SAMPLES:
            return self.vocabulary.token(Event(Kind.WAIT, None, samples))
        frames = min(FRAME_WAITS, key=lambda wait: abs(wait * FRAME_SAMPLES - samples))
        return self._frame_tokens[frames]

    def first_wait(self, samples: int) -> int:
        """Samples of the first of the tokens that say a wait: all of it, or in frames the largest summand."""
        if self.timing is Timing.SAMPLES:
            return samples
        return split_frames(samples // FRAME_SAMPLES)[0] * FRAME_SAMPLES

    def token(self, event: Event) -> int:
        """The token that says an event; of a wait, the one that stands best for it.

        Raises:
            OptionError: for an event that the vocabulary does not have.
        """
        return self.wait_token(event.value) if event.kind is Kind.WAIT else self.vocabulary.token(event)

    def event(self, token: int) -> Event:
        """The event of a token; a wait in the samples that it lasts in this timing."""
        return self._events[token]

    def encode(self, score: Score) -> list[int]:
        """A score as token ids, without `<S>`.

        In `samples` a wait becomes the nearest one of the vocabulary; in `frames` the score is cleaned first.

        Raises:
            OptionError: if a pitch is not in the vocabulary.
        """
        return self.tokens(self.events_of(free_time(score, self.timing).score))

    def tokens(self, events: Iterable[Event], time: int = 0) -> list[int]:
        """Events in this timing as token ids.

        Args:
            events: in model time.
            time: that of the first one.

        Raises:
            OptionError: if a pitch is not in the vocabulary.
        """
        tokens: list[int] = []
        for event in events:
            if event.kind is Kind.WAIT:
                tokens += self._say_wait(event.value, time)
                time += event.value
            else:
                tokens.append(self.vocabulary.token(event))
        return tokens

    def _say_wait(self, samples: int, time: int) -> tuple[int, ...]:
        """All the tokens that say a wait."""
        known = self._wait_tokens
        said = known.get(samples)
        if said is None:
            said = known[samples] = tuple(self._waits_of(samples, time))
            if len(known) > _KNOWN_WAITS:
                known.clear()
        return said

    def _waits_of(self, samples: int, time: int) -> Iterator[int]:
        while samples > 0:
            token, wait = self.wait_at(time, samples)
            yield token
            samples, time = samples - wait, time + wait

    def events(self, tokens: Iterable[int]) -> Iterator[Event]:
        """The events of a token stream up to its end; `<S>` at its start is passed over."""
        for place, token in enumerate(tokens):
            if token != END_TOKEN:
                yield self._events[token]
            elif place:
                yield END
                return

    def decode(self, tokens: Iterable[int]) -> Score:
        """The score that a token stream says."""
        return score_from_events(self.events(tokens))


def split_frames(frames: int) -> list[int]:
    """A number of frames as a sum of `FRAME_WAITS`, largest first."""
    summands: list[int] = []
    for wait in reversed(FRAME_WAITS):
        count, frames = divmod(frames, wait)
        summands += [wait] * count
    return summands


def frame_phase(score: Score) -> int:
    """Where a song's frames begin: the middle of the emptiest 200-sample window of onsets mod 735.

    Of several windows that are equally empty it is the one in the middle of the longest row of them, so that
    no onset lies near the edge of a frame.

    Returns:
        Samples, -735..-1: what happens between this and 735 samples later is in frame 0.
    """
    onsets = [note.onset for part in score.parts for note in part.notes]
    counts = np.bincount(np.array(onsets, np.int64) % FRAME_SAMPLES, minlength=FRAME_SAMPLES)
    ring = np.concatenate([counts, counts[: _QUIET_WINDOW - 1]])
    window = np.convolve(ring, np.ones(_QUIET_WINDOW, np.int64), "valid")
    busy = np.flatnonzero(window > window.min())
    gaps = np.diff(busy, append=busy[:1] + FRAME_SAMPLES)  # around the ring, from one busy window to the next
    longest = int(np.argmax(gaps)) if len(gaps) else 0
    middle = int(busy[longest] + gaps[longest] // 2) if len(gaps) else 0
    return (middle + _QUIET_WINDOW // 2) % FRAME_SAMPLES - FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class FreeTime:
    """A score in a model's time, frame by frame from its own frames on, and the way back."""

    score: Score
    """In the model's timing: in `frames` clean."""
    phase: int
    """Samples at which frame 0 begins in the score's own time; 0 in `samples`."""
    shift: int
    """Samples to add to a model time to be in time with the score's own onsets."""
    timing: Timing

    @property
    def rows(self) -> None:
        """It has none."""
        return

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the score."""
        return 1.0

    def articulated(self, voice: Voice, part: Part) -> Part:
        """A part in model time as it is played: as it is."""
        return part

    def to_model(self, sample: int) -> int:
        """The model time of a sample of the score."""
        return sample if self.timing is Timing.SAMPLES else _frame(sample, self.phase) * FRAME_SAMPLES

    def to_song(self, time: int) -> int:
        """The sample of the score that a model time stands for."""
        return time + self.shift


def clean_frames(score: Score) -> Score:
    """A score with every event on a 60 Hz frame and the flicker inside frames gone.

    In each frame a voice keeps only its last state: a note that starts and ends inside one frame goes, a note
    that is broken for a part of a frame by another one goes on, and velocity and timbre keep their last
    value. The notes of a score that is clean already stay as they are.
    """
    return free_time(score, Timing.FRAMES).score


def cleaned(score: Score, frame: Callable[[int], int]) -> Score:
    """A score on frames, as `clean_frames` makes it.

    Args:
        score: any.
        frame: the frame of each sample, rising with it.
    """
    return score.map_parts(lambda part: _clean_part(part, frame), frame(score.length) * FRAME_SAMPLES)


def free_time(score: Score, timing: Timing) -> FreeTime:
    """A score in the time of a model of some timing."""
    if timing is Timing.SAMPLES:
        return FreeTime(score, 0, 0, timing)
    phase = frame_phase(score)
    clean = cleaned(score, lambda sample: _frame(sample, phase))
    late = [(note.onset - phase) % FRAME_SAMPLES for part in score.parts for note in part.notes]
    return FreeTime(clean, phase, phase + int(np.median(late)) if late else 0, timing)


def _frame(sample: int, phase: int) -> int:
    return (sample - phase) // FRAME_SAMPLES


def _clean_part(part: Part, frame: Callable[[int], int]) -> Part:
    notes = _clean_notes(part, frame)
    loudness = sorted(
        [(note.onset, note.velocity) for note in part.notes]
        + [(change.sample, change.value) for change in part.changes if change.kind is Kind.VELOCITY]
    )
    velocities = {frame(sample): value for sample, value in loudness}
    timbres = {frame(change.sample): change.value for change in part.changes if change.kind is Kind.TIMBRE}

    changes: list[Change] = []
    cleaned: list[Note] = []
    frames = sorted(velocities)
    for start, end, pitch in notes:
        inside = frames[bisect_left(frames, start) : bisect_left(frames, end)]
        now = velocities[inside[0]]
        cleaned.append(Note(start * FRAME_SAMPLES, (end - start) * FRAME_SAMPLES, pitch, now))
        for at in inside[1:]:
            if velocities[at] != now:
                now = velocities[at]
                changes.append(Change(at * FRAME_SAMPLES, Kind.VELOCITY, now))
    duty: int | None = None
    for at, value in timbres.items():
        if value != duty:
            duty = value
            changes.append(Change(at * FRAME_SAMPLES, Kind.TIMBRE, value))
    changes.sort(key=attrgetter("order"))
    return Part(tuple(cleaned), tuple(changes) if cleaned else ())


def _clean_notes(part: Part, frame: Callable[[int], int]) -> list[tuple[int, int, int]]:
    """The notes that sound at the end of a frame, as (first frame, frame after the last, pitch)."""
    kept: list[tuple[int, int, int]] = []
    unbroken = False  # whether the voice has sounded, with other pitches only, since the last kept note
    before: Note | None = None
    for note in part.notes:
        start, end = frame(note.onset), frame(note.end)
        unbroken = unbroken and before is not None and before.end == note.onset
        if start < end:
            flicker = unbroken and before is not None and frame(before.onset) == frame(before.end)
            if flicker and kept[-1][1] == start and kept[-1][2] == note.pitch:
                kept[-1] = (kept[-1][0], end, note.pitch)
            else:
                kept.append((start, end, note.pitch))
            unbroken = True
        before = note
    return kept
