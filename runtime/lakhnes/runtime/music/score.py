"""The score: four monophonic voices of notes. Every part of the project shares this type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lakhnes.runtime.music.events import SAMPLE_RATE, VALUES, Event, Kind, Voice

FULL_VELOCITY = 15
"""Velocity of a note that states none, as the chip plays TX1."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note of one voice."""

    onset: int
    """Samples at 44.1 kHz from the start of the song."""
    length: int
    """Samples, at least 1."""
    pitch: int
    """MIDI pitch 1..127; for the noise 1 (lowest) to 16."""
    velocity: int = FULL_VELOCITY
    """Volume at the onset, 1..15; always 15 for the triangle, which has no volume."""

    @property
    def end(self) -> int:
        """First sample after the note."""
        return self.onset + self.length

    def moved(self, samples: int, semitones: int = 0) -> Note:
        """Return the note later or earlier, higher or lower."""
        return Note(self.onset + samples, self.length, self.pitch + semitones, self.velocity)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of volume or timbre that is not the start of a note."""

    sample: int
    """Samples at 44.1 kHz from the start of the song."""
    kind: Kind
    """VELOCITY or TIMBRE."""
    value: int
    """Volume 1..15; duty 0..3 of a pulse; mode 0 or 1 of the noise."""

    @property
    def order(self) -> tuple[int, bool]:
        """Sort key: time, then VELOCITY before TIMBRE."""
        return self.sample, self.kind is Kind.TIMBRE


@dataclass(frozen=True, slots=True)
class Part:
    """The notes and changes of one voice."""

    notes: tuple[Note, ...] = ()
    """In order of time, without overlaps."""
    changes: tuple[Change, ...] = ()
    """In order of time, VELOCITY before TIMBRE, at most one of each at a sample.

    Empty in a part without notes.
    """


_EMPTY = Part()

_BLOCK = 512  # items that are compared at once


@dataclass(frozen=True, slots=True)
class Score:
    """A song.

    Raises:
        ValueError: if the parts break a rule of a field's docstring.
    """

    parts: tuple[Part, Part, Part, Part] = (Part(), Part(), Part(), Part())
    """One for each `Voice`, in that order."""
    length: int = 0
    """Samples; no note ends and no change lies after it."""

    def __post_init__(self) -> None:
        for voice in Voice:
            _check(voice, self.parts[voice], self.length)

    @classmethod
    def of(cls, parts: Iterable[Part], length: int) -> Score:
        """Return a score of four parts in the order of `Voice`.

        Raises:
            ValueError: if they are not four, or break a rule.
        """
        p1, p2, tr, no = parts
        return cls((p1, p2, tr, no), length)

    def with_parts(self, parts: Mapping[Voice, Part], length: int | None = None) -> Score:
        """Return the score with other parts for some voices, and with another length if given.

        Only the differences are checked, so an edit of a long song takes no longer.

        Raises:
            ValueError: if a part breaks a rule.
        """
        length = self.length if length is None else length
        p1, p2, tr, no = (parts.get(voice, self.parts[voice]) for voice in Voice)
        for voice, part in zip(Voice, (p1, p2, tr, no), strict=True):
            _check(voice, part, length, self.parts[voice])
        return _unchecked((p1, p2, tr, no), length)

    def lengthened(self, length: int) -> Score:
        """Return the score with silence added at its end; the score itself if it is long enough."""
        return self if length <= self.length else _unchecked(self.parts, length)

    def map_parts(self, change: Callable[[Part], Part], length: int | None = None) -> Score:
        """Return the score with every part changed, and with another length if given."""
        return Score.of(map(change, self.parts), self.length if length is None else length)

    def only(self, voices: Collection[Voice]) -> Score:
        """Return the score with all other voices empty."""
        return self.with_parts({voice: Part() for voice in Voice if voice not in voices})

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.length / SAMPLE_RATE

    @property
    def n_notes(self) -> int:
        """Number of notes in all voices."""
        return sum(len(part.notes) for part in self.parts)

    @property
    def has_expression(self) -> bool:
        """Whether any note or change contains more than TX1 can express."""
        return any(
            part.changes or any(note.velocity != FULL_VELOCITY for note in part.notes) for part in self.parts
        )


def _unchecked(parts: tuple[Part, Part, Part, Part], length: int) -> Score:
    """Return a score of parts that are known to follow the rules."""
    score = object.__new__(Score)
    object.__setattr__(score, "parts", parts)
    object.__setattr__(score, "length", length)
    return score


def _check(voice: Voice, part: Part, length: int, known: Part = _EMPTY) -> None:
    """Raise ValueError if a part breaks a rule.

    Args:
        voice: the voice of the part.
        part: its notes and changes.
        length: length of the score in samples.
        known: a part that follows the rules; equal notes at both ends are not checked again.
    """
    pitches = VALUES[voice, Kind.NOTE_ON]
    notes = _differing(part.notes, known.notes)
    for note in notes:
        if note.onset < 0 or note.length < 1 or note.pitch not in pitches or not 1 <= note.velocity <= 15:
            raise ValueError(f"{voice.name}: {note} is out of range")
    if voice is Voice.TR and any(note.velocity != FULL_VELOCITY for note in notes):
        raise ValueError(f"the triangle has no volume: its notes have velocity {FULL_VELOCITY}")
    if any(note.end > after.onset for note, after in pairwise(notes)):
        raise ValueError(f"{voice.name}: notes overlap or are not in time")
    _check_changes(voice, part, known)
    end = max(part.notes[-1].end if part.notes else 0, part.changes[-1].sample if part.changes else 0)
    if end > length:
        raise ValueError(f"{voice.name} goes on to sample {end}, after the end of the song at {length}")


def shared_ends(one: tuple[object, ...], other: tuple[object, ...]) -> tuple[int, int]:
    """How many items two tuples share at their start, and how many of the rest at their end.

    Tuples are compared a block at a time, which costs little where they hold the very same items.
    """
    same = _shared(one, other)
    return same, _shared(one[same:][::-1], other[same:][::-1])


def _shared(one: tuple[object, ...], other: tuple[object, ...]) -> int:
    """How many items two tuples share at their start."""
    most = min(len(one), len(other))
    for first in range(0, most, _BLOCK):
        if one[first : first + _BLOCK] != other[first : first + _BLOCK]:
            inside = range(first, min(first + _BLOCK, most))
            return next((i for i in inside if one[i] != other[i]), most)
    return most


def _differing(notes: tuple[Note, ...], known: tuple[Note, ...]) -> tuple[Note, ...]:
    """The notes between those that two parts share at both ends, and one of these at either end."""
    if notes is known:
        return ()
    same, back = shared_ends(notes, known)
    return notes[max(0, same - 1) : len(notes) - max(0, back - 1)]


def _rise(moments: Sequence[tuple[int, ...]]) -> bool:
    """Return whether each moment is later than the one before."""
    return all(before < after for before, after in pairwise(moments))


def _check_changes(voice: Voice, part: Part, known: Part) -> None:
    """Raise ValueError if changes are out of range, out of order, or in a part without notes."""
    if part.changes and not part.notes:
        raise ValueError(f"{voice.name} has changes but no notes")
    if not part.changes or (part.changes is known.changes and part.notes is known.notes):
        return
    for change in part.changes:
        if change.sample < 0 or change.value not in VALUES.get((voice, change.kind), ()):
            raise ValueError(f"{voice.name}: {change} is out of range")
    onsets = {note.onset for note in part.notes}
    if any(change.kind is Kind.VELOCITY and change.sample in onsets for change in part.changes):
        raise ValueError(f"{voice.name}: a volume at the start of a note is the note's own velocity")
    if not _rise([change.order for change in part.changes]):
        raise ValueError(f"{voice.name}: changes are not in time, or one comes twice")


class ScoreBuilder:
    """Builder that makes a score from events, one by one.

    All events of a voice at one sample count together, and the last state wins. A note that ends where it
    starts therefore leaves nothing, and a NOTEOFF of a silent voice has no effect.

    Attributes:
        time: samples so far.
    """

    def __init__(self) -> None:
        self.time = 0
        self._notes: tuple[list[Note], ...] = tuple([] for _ in Voice)
        self._changes: tuple[list[Change], ...] = tuple([] for _ in Voice)
        self._sounding: list[Note | None] = [None] * len(Voice)
        self._now: dict[Voice, dict[Kind, Event]] = {}

    def sounding(self, voice: Voice) -> bool:
        """Return whether a voice sounds after the events so far."""
        now = self._now.get(voice, {})
        return Kind.NOTE_ON in now or (self._sounding[voice] is not None and Kind.NOTE_OFF not in now)

    def add(self, event: Event) -> None:
        """Take the next event; END has no effect."""
        if event.kind is Kind.WAIT:
            self._settle()
            self.time += event.value
        elif event.voice is not None:
            now = self._now.setdefault(event.voice, {})
            if event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
                for kind in (Kind.NOTE_ON, Kind.NOTE_OFF, Kind.VELOCITY):
                    now.pop(kind, None)
            now[event.kind] = event

    def score(self) -> Score:
        """Return the score so far, with every note closed. More events may follow, also at this sample."""
        end = self.copy()
        end._settle()
        for voice in Voice:
            end._close(voice)
        both = zip(end._notes, end._changes, strict=True)
        return Score.of(
            (Part(tuple(notes), tuple(changes) if notes else ()) for notes, changes in both), self.time
        )

    def copy(self) -> ScoreBuilder:
        """Return an independent copy."""
        twin = ScoreBuilder()
        twin.time = self.time
        twin._notes = tuple(list(notes) for notes in self._notes)
        twin._changes = tuple(list(changes) for changes in self._changes)
        twin._sounding = list(self._sounding)
        twin._now = {voice: dict(now) for voice, now in self._now.items()}
        return twin

    def _close(self, voice: Voice) -> None:
        """End the sounding note of a voice, if any."""
        note = self._sounding[voice]
        if note is not None and note.onset < self.time:
            length = self.time - note.onset
            self._notes[voice].append(Note(note.onset, length, note.pitch, note.velocity))
        self._sounding[voice] = None

    def _settle(self) -> None:
        """Turn the events of this sample into notes and changes."""
        for voice, now in self._now.items():
            if Kind.NOTE_ON in now or Kind.NOTE_OFF in now:
                self._close(voice)
            velocity = now.get(Kind.VELOCITY)
            if Kind.NOTE_ON in now:
                loudness = FULL_VELOCITY if velocity is None else velocity.value
                self._sounding[voice] = Note(self.time, 1, now[Kind.NOTE_ON].value, loudness)
                velocity = None
            self._changes[voice].extend(
                Change(self.time, event.kind, event.value)
                for event in (velocity, now.get(Kind.TIMBRE))
                if event is not None
            )
        self._now.clear()


def score_from_events(events: Iterable[Event]) -> Score:
    """Make a score from events."""
    builder = ScoreBuilder()
    for event in events:
        builder.add(event)
    return builder.score()


_TEXT_ORDER = {Kind.NOTE_OFF: 0, Kind.NOTE_ON: 0, Kind.VELOCITY: 1, Kind.TIMBRE: 2}


def rank(event: Event) -> int:
    """Return the place of a voice's event among those at one sample.

    Each occurs once at most, in rising order.
    """
    return -1 if event.voice is None else 3 * event.voice + _TEXT_ORDER.get(event.kind, 0)


def events_of_score(score: Score, *, expression: bool) -> Iterator[Event]:
    """Yield the canonical events of a score, with exact waits.

    Args:
        score: any score.
        expression: with VELOCITY and TIMBRE (TX2) or without (TX1).

    Yields:
        At each sample the voices in order, within a voice NOTEOFF or NOTEON, VELOCITY, TIMBRE; at the end the
        wait to the end of the song.
    """
    moments: list[tuple[int, int, Event]] = []
    for voice in Voice:
        part = score.parts[voice]
        happens: list[tuple[int, Event]] = []
        onsets = {note.onset for note in part.notes}
        for note in part.notes:
            happens.append((note.onset, Event(Kind.NOTE_ON, voice, note.pitch)))
            if expression and voice is not Voice.TR:
                happens.append((note.onset, Event(Kind.VELOCITY, voice, note.velocity)))
            if note.end not in onsets:
                happens.append((note.end, Event(Kind.NOTE_OFF, voice)))
        if expression:
            happens += [(c.sample, Event(c.kind, voice, c.value)) for c in part.changes]
        moments += [(sample, rank(event), event) for sample, event in happens]
    moments.sort(key=lambda moment: moment[:2])
    time = 0
    for sample, _, event in moments:
        if sample > time:
            yield Event(Kind.WAIT, None, sample - time)
            time = sample
        yield event
    if score.length > time:
        yield Event(Kind.WAIT, None, score.length - time)
