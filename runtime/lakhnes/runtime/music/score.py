"""The score: four monophonic voices of notes, the one musical type that every part shares."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from lakhnes.runtime.music.events import SAMPLE_RATE, VALUES, Event, Kind, Voice

FULL_VELOCITY = 15
"""Velocity of a note that has none of its own, as the chip plays TX1."""


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
    """Volume at the onset, 1..15; the triangle has no volume and always 15."""

    @property
    def end(self) -> int:
        """First sample after the note."""
        return self.onset + self.length


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
        """What changes are sorted by: time, then VELOCITY before TIMBRE."""
        return self.sample, self.kind is Kind.TIMBRE


@dataclass(frozen=True, slots=True)
class Part:
    """What one voice plays."""

    notes: tuple[Note, ...] = ()
    """In time, none overlapping the next."""
    changes: tuple[Change, ...] = ()
    """In time, VELOCITY before TIMBRE, at most one of each at a sample; none in a part without notes."""


@dataclass(frozen=True, slots=True)
class Score:
    """A song.

    Raises:
        ValueError: if the parts break a rule that is stated under a field.
    """

    parts: tuple[Part, Part, Part, Part] = (Part(), Part(), Part(), Part())
    """One for each `Voice`, in its order."""
    length: int = 0
    """Samples; no note ends and no change lies after it."""

    def __post_init__(self) -> None:
        for voice in Voice:
            _check(voice, self.parts[voice], self.length)

    @classmethod
    def of(cls, parts: Iterable[Part], length: int) -> Score:
        """A score of four parts in the order of `Voice`.

        Raises:
            ValueError: if they are not four, or break a rule.
        """
        p1, p2, tr, no = parts
        return cls((p1, p2, tr, no), length)

    def with_parts(self, parts: Mapping[Voice, Part]) -> Score:
        """The same with other parts for some voices."""
        return Score.of((parts.get(voice, self.parts[voice]) for voice in Voice), self.length)

    def map_parts(self, change: Callable[[Part], Part], length: int | None = None) -> Score:
        """The same with every part changed, and another length if one is given."""
        return Score.of(map(change, self.parts), self.length if length is None else length)

    def only(self, voices: Collection[Voice]) -> Score:
        """The same with nothing in the other voices."""
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
        """Whether any note or change says more than TX1 can."""
        return any(
            part.changes or any(note.velocity != FULL_VELOCITY for note in part.notes) for part in self.parts
        )


def _check(voice: Voice, part: Part, length: int) -> None:
    pitches = VALUES[voice, Kind.NOTE_ON]
    for note in part.notes:
        if note.onset < 0 or note.length < 1 or note.pitch not in pitches or not 1 <= note.velocity <= 15:
            raise ValueError(f"{voice.name}: {note} is out of range")
    if voice is Voice.TR and any(note.velocity != FULL_VELOCITY for note in part.notes):
        raise ValueError(f"the triangle has no volume: its notes have velocity {FULL_VELOCITY}")
    if any(note.end > after.onset for note, after in pairwise(part.notes)):
        raise ValueError(f"{voice.name}: notes overlap or are not in time")
    _check_changes(voice, part)
    end = max(part.notes[-1].end if part.notes else 0, part.changes[-1].sample if part.changes else 0)
    if end > length:
        raise ValueError(f"{voice.name} goes on to sample {end}, after the end of the song at {length}")


def _check_changes(voice: Voice, part: Part) -> None:
    """Raises ValueError if changes are out of range, not in time, or of a part without notes."""
    for change in part.changes:
        if change.sample < 0 or change.value not in VALUES.get((voice, change.kind), ()):
            raise ValueError(f"{voice.name}: {change} is out of range")
    if part.changes and not part.notes:
        raise ValueError(f"{voice.name} has changes but no notes")
    onsets = {note.onset for note in part.notes}
    if any(change.kind is Kind.VELOCITY and change.sample in onsets for change in part.changes):
        raise ValueError(f"{voice.name}: a volume at the start of a note is the note's own velocity")
    moments = [change.order for change in part.changes]
    if any(before >= after for before, after in pairwise(moments)):
        raise ValueError(f"{voice.name}: changes are not in time, or one comes twice")


class ScoreBuilder:
    """Makes a score of events as they come.

    What happens to a voice at one sample counts as a whole: its last state wins, so a note that ends where
    it starts leaves nothing, and a NOTEOFF of a silent voice says nothing.

    Attributes:
        time: samples up to now.
    """

    def __init__(self) -> None:
        self.time = 0
        self._notes: tuple[list[Note], ...] = tuple([] for _ in Voice)
        self._changes: tuple[list[Change], ...] = tuple([] for _ in Voice)
        self._sounding: list[Note | None] = [None] * len(Voice)
        self._now: dict[Voice, dict[Kind, Event]] = {}

    def sounding(self, voice: Voice) -> bool:
        """Whether a voice sounds after the events so far."""
        now = self._now.get(voice, {})
        return Kind.NOTE_ON in now or (self._sounding[voice] is not None and Kind.NOTE_OFF not in now)

    def add(self, event: Event) -> None:
        """Takes the next event; END says nothing."""
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
        """The score so far, with every note closed now. More events may follow, at this sample too."""
        end = self.copy()
        end._settle()
        for voice in Voice:
            end._close(voice)
        both = zip(end._notes, end._changes, strict=True)
        return Score.of(
            (Part(tuple(notes), tuple(changes) if notes else ()) for notes, changes in both), self.time
        )

    def copy(self) -> ScoreBuilder:
        """The same so far, to go on by itself."""
        twin = ScoreBuilder()
        twin.time = self.time
        twin._notes = tuple(list(notes) for notes in self._notes)
        twin._changes = tuple(list(changes) for changes in self._changes)
        twin._sounding = list(self._sounding)
        twin._now = {voice: dict(now) for voice, now in self._now.items()}
        return twin

    def _close(self, voice: Voice) -> None:
        """Ends the note that sounds in a voice, if one does."""
        note = self._sounding[voice]
        if note is not None and note.onset < self.time:
            length = self.time - note.onset
            self._notes[voice].append(Note(note.onset, length, note.pitch, note.velocity))
        self._sounding[voice] = None

    def _settle(self) -> None:
        """Turns what happened at this sample into notes and changes."""
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
    """Makes a score of events."""
    builder = ScoreBuilder()
    for event in events:
        builder.add(event)
    return builder.score()


_TEXT_ORDER = {Kind.NOTE_OFF: 0, Kind.NOTE_ON: 0, Kind.VELOCITY: 1, Kind.TIMBRE: 2}


def rank(event: Event) -> int:
    """Place of a voice's event among all that happen at one sample; each may come once, in rising order."""
    return -1 if event.voice is None else 3 * event.voice + _TEXT_ORDER.get(event.kind, 0)


def events_of_score(score: Score, *, expression: bool) -> Iterator[Event]:
    """The canonical events of a score, with exact waits.

    Args:
        score: any score.
        expression: with VELOCITY and TIMBRE (TX2) or without (TX1).

    Yields:
        At one sample the voices in order, within a voice NOTEOFF or NOTEON, VELOCITY, TIMBRE; at last the
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
