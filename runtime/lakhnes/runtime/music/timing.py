"""The timings of token streams: raw samples, as in LakhNES, clean 60 Hz frames, and bars.

Sound drivers play NES music 60 times a second. In raw samples, a driver's register writes lie a few samples
apart. Many tokens then carry no musical meaning. The waits are coarse, so decoded time drifts. In frames,
every event lies on a frame of 735 samples, one wait token stands for one number of frames, and decoding is
exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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
"""Model time of a tick of bars, in samples. 24 ticks are a beat of half a second, as at 120 BPM."""

FRAME_WAITS = (*range(1, 14), 16, 20, 24, 32, 48, 64, 96, 128)
"""Numbers of frames that one wait token can stand for; other numbers are sums of these, largest first."""

_QUIET_WINDOW = 200
"""Width of the window, in samples, whose emptiest place sets a song's frame phase."""

_PLAYS = (Kind.NOTE_ON, Kind.NOTE_OFF, Kind.VELOCITY, Kind.TIMBRE)

_KNOWN_WAITS = 10_000
"""Number of waits that are cached with their tokens."""


class Timing(StrEnum):
    """Unit of time of a model's tokens; stored in the model's metadata."""

    SAMPLES = "samples"
    FRAMES = "frames"
    BARS = "bars"


EVENT_TIMINGS = (Timing.SAMPLES, Timing.FRAMES)
"""Timings of TX1 and TX2, which have wait tokens; bars have none."""


def has_timing(vocabulary: Vocabulary, timing: Timing) -> bool:
    """Return whether a vocabulary fits a timing: one with bars fits `bars` only, and no other does."""
    return vocabulary.has_bars == (timing is Timing.BARS)


class Waits(NamedTuple):
    """The tokens that advance time, at one moment of a song."""

    samples: NDArray[np.int64]
    """int64 [V]: samples that each token advances; 0 for other tokens."""
    tokens: NDArray[np.intp]
    """Those that a stream may contain here, shortest first."""
    lengths: list[int]
    """Samples of each."""


class Codec:
    """Converter between scores and token ids, for one vocabulary and one timing.

    Composing counts in the model's own time, and the meaning of a token may depend on it. Methods that end in
    `_at` take that time, in samples from the start of the song.

    Attributes:
        vocabulary: ids of the events.
        timing: unit of the waits.
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

    def says_as(self, other: Codec) -> bool:
        """Return whether equal tokens mean the same to another codec, apart from the head of a song."""
        return self.timing is other.timing and self.vocabulary == other.vocabulary

    def later(self, tokens: Sequence[int], samples: int) -> Sequence[int] | None:
        """Return the tokens of the same music later in the song.

        Args:
            tokens: of music that begins with an event.
            samples: how much later, in model time; negative for earlier.

        Returns:
            The tokens; None if the music must be said again.
        """
        return tokens

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
        """int64 [V]: samples that each token waits; 0 for other tokens."""
        return np.array([e.value if e.kind is Kind.WAIT else 0 for e in self._events], np.int64)

    @cached_property
    def passing(self) -> NDArray[np.bool_]:
        """Bool [V]: the tokens that advance time."""
        kinds = (Kind.WAIT, Kind.BAR, Kind.POSITION)
        return np.array([event.kind in kinds for event in self.vocabulary.events])

    @cached_property
    def plays(self) -> NDArray[np.bool_]:
        """Bool [V]: the tokens that act on a voice."""
        return np.array([event.kind in _PLAYS for event in self.vocabulary.events])

    @cached_property
    def _waits(self) -> Waits:
        used = np.flatnonzero(self.used & (self.wait_samples > 0))
        tokens = used[np.argsort(self.wait_samples[used], kind="stable")]
        return Waits(self.wait_samples, tokens, self.wait_samples[tokens].tolist())

    def waits_at(self, time: int) -> Waits:
        """Return the tokens that advance time."""
        return self._waits

    @property
    def longest_wait(self) -> int:
        """Longest wait of one token, in samples."""
        return self._waits.lengths[-1]

    def event_at(self, token: int, time: int) -> Event:
        """Return the event of a token; a wait for one that advances time."""
        return self._events[token]

    def token_at(self, event: Event, time: int) -> int:
        """Return the token of an event; for a wait, the nearest one.

        Raises:
            OptionError: for an event that the vocabulary does not have.
        """
        return self.token(event)

    def wait_at(self, time: int, samples: int) -> tuple[int, int]:
        """Return the first of the tokens that make up a wait, and its samples."""
        wait = self.first_wait(samples)
        return self.wait_token(wait), wait

    def place_at(self, time: int) -> int:
        """Return the tick in the bar; 0 if tokens have no bars."""
        return 0

    def told_at(self, time: int) -> tuple[int, ...]:
        """Return the tokens that follow one that advances to a time; none if tokens have no bars."""
        return ()

    def knowing(self, score: Score, end: int, stay: Collection[Voice] = ()) -> Codec:
        """Return the codec of the same song with what tokens say of existing bars; itself without bars.

        Args:
            score: in model time.
            end: the model time from which the voices may change.
            stay: voices that do not change, up to the end of the score.
        """
        return self

    def chord_due(self, last: int) -> bool:
        """Return whether a chord comes next, after the last token; never if tokens have no bars."""
        return False

    @property
    def chord_tokens(self) -> list[int]:
        """Token of each chord; empty if tokens have no bars."""
        return []

    def arriving_at(self, time: int) -> list[int]:
        """Return the tokens that state a moment of a song; none if tokens only wait."""
        return []

    def beginning_at(self, time: int) -> list[int]:
        """Return the tokens that precede music that begins at a time, without `<S>`."""
        return []

    def events_of(self, score: Score) -> Iterator[Event]:
        """Yield the events of a score in model time, with waits, as in a stream."""
        return events_of_score(score, expression=self.vocabulary.has_expression)

    def wait_token(self, samples: int) -> int:
        """Return the token nearest to a wait, among those that streams of this timing contain."""
        if self.timing is Timing.SAMPLES:
            return self.vocabulary.token(Event(Kind.WAIT, None, samples))
        frames = min(FRAME_WAITS, key=lambda wait: abs(wait * FRAME_SAMPLES - samples))
        return self._frame_tokens[frames]

    def first_wait(self, samples: int) -> int:
        """Return the samples of a wait's first token: the whole wait, or in frames the largest summand."""
        if self.timing is Timing.SAMPLES:
            return samples
        return split_frames(samples // FRAME_SAMPLES)[0] * FRAME_SAMPLES

    def token(self, event: Event) -> int:
        """Return the token of an event; for a wait, the nearest one.

        Raises:
            OptionError: for an event that the vocabulary does not have.
        """
        return self.wait_token(event.value) if event.kind is Kind.WAIT else self.vocabulary.token(event)

    def event(self, token: int) -> Event:
        """Return the event of a token; a wait has the samples that it lasts in this timing."""
        return self._events[token]

    def encode(self, score: Score) -> list[int]:
        """Return a score as token ids, without `<S>`.

        In `samples` a wait becomes the nearest one of the vocabulary. In `frames` the score is cleaned first.

        Raises:
            OptionError: if a pitch is not in the vocabulary.
        """
        return self.tokens(self.events_of(free_time(score, self.timing).score))

    def tokens(self, events: Iterable[Event], time: int = 0) -> list[int]:
        """Return events in this timing as token ids.

        Args:
            events: in model time.
            time: time of the first one.

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
        """Return all tokens that make up a wait."""
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
        """Yield the events of a token stream up to its end; an initial `<S>` is skipped."""
        for place, token in enumerate(tokens):
            if token != END_TOKEN:
                yield self._events[token]
            elif place:
                yield END
                return

    def decode(self, tokens: Iterable[int]) -> Score:
        """Return the score of a token stream."""
        return score_from_events(self.events(tokens))


def split_frames(frames: int) -> list[int]:
    """Return a number of frames as a sum of `FRAME_WAITS`, largest first."""
    summands: list[int] = []
    for wait in reversed(FRAME_WAITS):
        count, frames = divmod(frames, wait)
        summands += [wait] * count
    return summands


def frame_phase(score: Score) -> int:
    """Return the frame phase of a song: the middle of the emptiest 200-sample window of onsets mod 735.

    If several windows are equally empty, it takes the middle of the longest run of them, so that no onset
    lies near the edge of a frame.

    Returns:
        Samples, -735..-1: frame 0 covers the 735 samples from here.
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
    """A score in a model's time, counted in its own frames, and the conversion back."""

    score: Score
    """In the model's timing; in `frames` it is clean."""
    phase: int
    """Samples of frame 0 in the score's own time; 0 in `samples`."""
    shift: int
    """Samples to add to a model time to match the score's own onsets."""
    timing: Timing

    @property
    def rows(self) -> None:
        """None: free time has no rows."""
        return

    @property
    def grid(self) -> None:
        """It has none."""
        return

    @property
    def pace(self) -> float:
        """Samples of model time for each sample of the score."""
        return 1.0

    def articulated(self, voice: Voice, part: Part) -> Part:
        """Return a part in model time as it is played: unchanged."""
        return part

    def to_model(self, sample: int) -> int:
        """Return the model time of a sample of the score."""
        return sample if self.timing is Timing.SAMPLES else _frame(sample, self.phase) * FRAME_SAMPLES

    def to_song(self, time: int) -> int:
        """Return the sample of the score for a model time."""
        return time + self.shift


def clean_frames(score: Score) -> Score:
    """Return a score with every event on a 60 Hz frame, without the flicker inside frames.

    In each frame a voice keeps only its last state. A note that starts and ends inside one frame is removed.
    A note that another one interrupts for part of a frame continues. Velocity and timbre keep their last
    value. The notes of a clean score stay unchanged.
    """
    return free_time(score, Timing.FRAMES).score


def cleaned(score: Score, frame: Callable[[int], int]) -> Score:
    """Return a score on frames, as `clean_frames` makes it.

    Args:
        score: any.
        frame: returns the frame of a sample; must rise with it.
    """
    return score.map_parts(lambda part: _clean_part(part, frame), frame(score.length) * FRAME_SAMPLES)


def free_time(score: Score, timing: Timing) -> FreeTime:
    """Return a score in the time of a model with some timing."""
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
    """Return the notes that sound at the end of a frame, as (first frame, frame after the last, pitch)."""
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
