"""Editing scores: cut, join, extract and replace spans, and add notes between existing ones.

One rule holds at every edge. A note that sounds across it is cut there. A note that begins there has the
volume and the timbre of that moment. A `Seam` remembers the cut, so joining the pieces restores the score.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TypeVar

from lakhnes.runtime.music.events import SAMPLE_RATE, Kind, Voice, octave_shifted
from lakhnes.runtime.music.score import Change, Note, Part, Score, shared_ends

_T = TypeVar("_T", Note, Change)

_onset = attrgetter("onset")
_end = attrgetter("end")
_sample = attrgetter("sample")


@dataclass(frozen=True, slots=True)
class Seam:
    """The notes and changes that a cut divided."""

    ringing: frozenset[Voice] = frozenset()
    """Voices whose note continues across the cut."""
    changing: frozenset[Voice] = frozenset()
    """Those of them whose volume changes at the cut."""
    stated: frozenset[Voice] = frozenset()
    """Voices whose timbre was added at the start of the second piece."""


def cut(score: Score, sample: int) -> tuple[Score, Score, Seam]:
    """Cut a score in two.

    Args:
        score: any.
        sample: place of the cut, 0 to the length of the score.

    Returns:
        The part before, the part after (its sample 0 lies at `sample`), and the seam that `join` needs to
        restore the score.
    """
    nothing = Score()
    if sample <= 0 or sample >= score.length:
        return (nothing, score, Seam()) if sample <= 0 else (score, nothing, Seam())
    head, tail = extract(score, (0, sample)), extract(score, (sample, score.length))
    parts = {}
    for voice, part in zip(Voice, tail.parts, strict=True):  # a change at the very end belongs to no span
        last = [replace(c, sample=tail.length) for c in _at(score.parts[voice], score.length)]
        parts[voice] = replace(part, changes=(*part.changes, *last)) if part.notes else part
    return head, tail.with_parts(parts), _seam(score, tail, sample)


def _seam(score: Score, tail: Score, sample: int) -> Seam:
    """Return what a cut at a sample divided, given the tail after it."""
    here = {(voice, change.kind) for voice in Voice for change in _at(score.parts[voice], sample)}
    ringing = frozenset(v for v in Voice if any(n.onset < sample < n.end for n in score.parts[v].notes))
    changing = frozenset(voice for voice in ringing if (voice, Kind.VELOCITY) in here)
    stated = {v for v in Voice if _states_timbre(tail.parts[v]) and (v, Kind.TIMBRE) not in here}
    return Seam(ringing, changing, frozenset(stated))


def _at(part: Part, sample: int) -> list[Change]:
    """Return the changes at a sample."""
    return [change for change in part.changes if change.sample == sample]


def join(head: Score, tail: Score, seam: Seam | None = None) -> Score:
    """Return two scores, one after the other.

    Args:
        head: the first.
        tail: the second.
        seam: the cut between them; None for unrelated scores.
    """
    if not tail.length:
        return head
    seam = seam or Seam()
    parts = []
    for voice, first, second in zip(Voice, head.parts, tail.parts, strict=True):
        notes = list(first.notes)
        changes = [change for change in first.changes if change.sample < head.length]
        if voice in seam.stated and notes and _states_timbre(second):
            second = replace(second, changes=second.changes[1:])
        if voice in seam.ringing and notes and second.notes:
            over = second.notes[0]
            notes[-1] = replace(notes[-1], length=notes[-1].length + over.length)
            if voice in seam.changing:
                changes.append(Change(head.length, Kind.VELOCITY, over.velocity))
            second = replace(second, notes=second.notes[1:])
        part = _followed(tuple(notes), tuple(changes), replace(second, changes=()), head.length)
        moved = [replace(change, sample=change.sample + head.length) for change in second.changes]
        parts.append(replace(part, changes=(*changes, *moved) if part.notes else ()))
    return Score.of(parts, head.length + tail.length)


def spliced(score: Score, span: tuple[int, int], middle: Score) -> Score:
    """Return a score with a span replaced by another score; later music moves earlier or later.

    Args:
        score: any; silence is added if it ends before the span.
        span: first sample and the one after the last; both may be the same.
        middle: the music for that place.
    """
    first, last = span
    start, length = first + middle.length, max(score.length, last)  # where the rest comes to lie, and its end
    parts = {}
    for voice, part, new in zip(Voice, score.parts, middle.parts, strict=True):
        head, tail = _cut(part, (0, first)), _cut(part, (last, length), start)
        ending = [change for change in _at(part, length) if tail.notes]  # it belongs to no span
        changes = (*tail.changes, *(_earlier(change, last - start) for change in ending))
        begun = _followed(head.notes, head.changes, new, first)
        notes = (*begun.notes, *tail.notes)
        before = (change for change in begun.changes if change.sample < start)
        parts[voice] = Part(notes, (*before, *changes) if notes else ())
    return score.with_parts(parts, start + length - last)


def difference(old: Score, new: Score) -> tuple[tuple[int, int], frozenset[Voice]] | None:
    """Return the shortest span that contains all differences of two scores, and the voices that differ."""
    first, last, voices = old.length, 0, set[Voice]()
    for voice in Voice:
        one, other = old.parts[voice], new.parts[voice]
        if one == other:
            continue
        voices.add(voice)
        places = [
            *_only_in_one(one.notes, other.notes, lambda note: (note.onset, note.end)),
            *_only_in_one(one.changes, other.changes, lambda change: (change.sample, change.sample + 1)),
        ]
        first = min(first, *(place[0] for place in places))
        last = max(last, *(place[1] for place in places))
    return ((first, last), frozenset(voices)) if voices else None


def _only_in_one(
    one: tuple[_T, ...], other: tuple[_T, ...], place: Callable[[_T], tuple[int, int]]
) -> list[tuple[int, int]]:
    """Where the things lie that only one of two sequences has in its middle."""
    same, back = shared_ends(one, other)
    return [place(thing) for things in (one, other) for thing in things[same : len(things) - back]]


def last_seconds(score: Score, seconds: float) -> Score:
    """Return the end of a score; notes that ring into it begin with it."""
    return extract(score, (max(0, score.length - round(seconds * SAMPLE_RATE)), score.length))


def fit_to_vocabulary(score: Score) -> tuple[Score, int]:
    """Move notes outside the vocabularies' ranges by octaves.

    Return the score and the number of such notes.
    """
    moved = 0
    parts = {}
    for voice in Voice:
        old = score.parts[voice].notes
        notes = tuple(replace(note, pitch=octave_shifted(voice, note.pitch)) for note in old)
        moved += sum(a.pitch != b.pitch for a, b in zip(old, notes, strict=True))
        parts[voice] = replace(score.parts[voice], notes=notes)
    return score.with_parts(parts), moved


def without_span(score: Score, span: tuple[int, int], voices: Collection[Voice]) -> Score:
    """Return a score without the notes that some voices begin in a span; a note that rings into it stays."""
    parts = {}
    for voice in voices:
        notes = tuple(note for note in score.parts[voice].notes if not span[0] <= note.onset < span[1])
        changes = [c for c in score.parts[voice].changes if not span[0] <= c.sample < span[1]]
        parts[voice] = Part(notes, tuple(changes) if notes else ())
    return score.with_parts(parts)


def clipped(part: Part, span: tuple[int, int]) -> Part:
    """Return a part cut to a span, without moving it."""
    low, high = span
    notes = []
    for note in part.notes:
        onset, end = max(low, note.onset), min(high, note.end)
        if onset < end:
            notes.append(replace(note, onset=onset, length=end - onset))
    onsets = {note.onset for note in notes}
    inside = [c for c in _inside(part.changes, span) if c.kind is Kind.TIMBRE or c.sample not in onsets]
    return Part(tuple(notes), tuple(inside) if notes else ())


def with_new(kept: Score, new: Mapping[Voice, Part]) -> Score:
    """Return a score with new notes and changes in some voices, between the kept ones."""
    parts = {}
    for voice, part in new.items():
        old = kept.parts[voice]
        old_onsets = [note.onset for note in old.notes]
        notes = []
        for note in part.notes:  # each between the kept ones before and after it
            after = bisect_right(old_onsets, note.onset)
            onset = max(note.onset, old.notes[after - 1].end) if after else note.onset
            end = min(note.end, old_onsets[after]) if after < len(old_onsets) else note.end
            if onset < end:
                notes.append(replace(note, onset=onset, length=end - onset))
        onsets = {note.onset for note in notes}
        taken = {(change.sample, change.kind) for change in old.changes}
        added = [
            change
            for change in part.changes
            if (change.sample, change.kind) not in taken
            and not (change.kind is Kind.VELOCITY and change.sample in onsets)
        ]
        together = sorted([*old.notes, *notes], key=attrgetter("onset"))
        automation = sorted([*old.changes, *added], key=attrgetter("order"))
        parts[voice] = Part(tuple(together), tuple(automation) if together else ())
    return kept.with_parts(parts)


def _states_timbre(part: Part) -> bool:
    return bool(part.changes) and part.changes[0].sample == 0 and part.changes[0].kind is Kind.TIMBRE


def extract(score: Score, span: tuple[int, int], voices: Collection[Voice] = tuple(Voice)) -> Score:
    """Return a span of some voices as a new score; notes that ring into it or out of it are cut.

    Notes at its start have the volume and the timbre of that moment.

    Args:
        score: any.
        span: first sample and the one after the last.
        voices: the others are empty.
    """
    parts = (_cut(score.parts[voice], span) if voice in voices else Part() for voice in Voice)
    return Score.of(parts, span[1] - span[0])


def with_span(score: Score, other: Score, span: tuple[int, int], voices: Collection[Voice]) -> Score:
    """Return a score with a span of some voices taken from another score.

    Notes that begin in the span count. A note that rings into the span is as long as in the other score, if
    that has it. A note that was cut for the span is therefore restored. The length of the score stays the
    same.

    Args:
        score: the music outside the span.
        other: the music inside the span.
        span: first sample and the one after the last.
        voices: the voices to replace.
    """
    return score.with_parts(
        {voice: _replaced(score.parts[voice], other.parts[voice], span, score.length) for voice in voices}
    )


def with_tail(score: Score, tail: Score, sample: int) -> Score:
    """Return a score up to a sample, followed by another one.

    Args:
        score: its notes that begin before `sample` stay, and end at `sample` at the latest.
        tail: the following music; its sample 0 lies at `sample`.
        sample: 0 to the score's length, or later; the gap is then silent.
    """
    parts = {}
    for voice, head, later in zip(Voice, score.parts, tail.parts, strict=True):
        notes = head.notes[: bisect_left(head.notes, sample, key=_onset)]
        if notes:
            notes = (*notes[:-1], _until(notes[-1], sample))
        changes = head.changes[: bisect_left(head.changes, sample, key=_sample)]
        parts[voice] = _followed(notes, changes, later, sample)
    return score.with_parts(parts, sample + tail.length)


def _followed(notes: tuple[Note, ...], changes: tuple[Change, ...], later: Part, sample: int) -> Part:
    """Return notes and changes, followed by a part whose sample 0 lies at `sample`."""
    notes = (*notes, *(note.moved(sample) for note in later.notes))
    moved = (replace(change, sample=change.sample + sample) for change in later.changes)
    return Part(notes, (*changes, *moved) if notes else ())


def _until(note: Note, end: int) -> Note:
    """Return a note that ends at a sample at the latest.

    Unchanged notes stay shared objects, to save memory.
    """
    return note if note.end <= end else replace(note, length=end - note.onset)


def _cut(part: Part, span: tuple[int, int], at: int = 0) -> Part:
    """Return a part cut to a span; the start of the span moves to a sample."""
    start, end = span
    earlier = start - at
    first = bisect_right(part.notes, start, key=_end)
    there = part.notes[first : bisect_left(part.notes, end, first, key=_onset)]
    if not there or start >= end:
        return Part()
    notes = [*there]
    notes[-1] = _until(notes[-1], end)
    notes = [
        _from(notes[0], start, part.changes, earlier),
        *(note.moved(-earlier) if earlier else note for note in notes[1:]),
    ]
    changes = [_earlier(change, earlier) for change in _inside(part.changes, span)]
    if notes[0].onset == at:  # it has its own volume
        changes = [c for c in changes if c.sample > at or c.kind is Kind.TIMBRE]
    if not any(c.sample == at and c.kind is Kind.TIMBRE for c in changes):
        changes = [*_timbre_at(part, start, at), *changes]
    return Part(tuple(notes), tuple(sorted(changes, key=attrgetter("order"))))


def _from(note: Note, start: int, changes: Collection[Change], earlier: int) -> Note:
    """Return the rest of a note from a start, at its volume there, moved to an earlier time."""
    if note.onset >= start:
        return note.moved(-earlier) if earlier else note
    since = [c for c in changes if note.onset < c.sample <= start and c.kind is Kind.VELOCITY]
    velocity = since[-1].value if since else note.velocity
    return replace(note, onset=start - earlier, length=note.end - start, velocity=velocity)


def _timbre_at(part: Part, start: int, at: int) -> list[Change]:
    """Return the timbre of a part at a start, if it was stated before; it moves to a sample."""
    before = [change for change in part.changes if change.sample < start and change.kind is Kind.TIMBRE]
    return [replace(change, sample=at) for change in before[-1:]]


def _earlier(change: Change, samples: int) -> Change:
    return replace(change, sample=change.sample - samples) if samples else change


def _inside(changes: tuple[Change, ...], span: tuple[int, int]) -> tuple[Change, ...]:
    return _between(changes, *span, _sample)


def _replaced(part: Part, other: Part, span: tuple[int, int], length: int) -> Part:
    """Return a part of some length, with the notes that begin in a span taken from another part."""
    start, end = span[0], max(span[0], min(span[1], length))
    before = _before(part, other, start)
    inside = _between(other.notes, start, end, _onset)
    after = part.notes[bisect_left(part.notes, end, key=_onset) :]
    following = after[0].onset if after else length
    if inside:
        ends = [*(note.onset for note in inside[1:]), following]
        inside = tuple(_until(note, min(stop, length)) for note, stop in zip(inside, ends, strict=True))
        following = inside[0].onset
    if before:
        before = (*before[:-1], _until(before[-1], min(following, length)))
    notes = (*before, *inside, *after)
    # A part without notes has lost its changes, also those outside the span.
    outside = part.changes if part.notes else other.changes
    changes = (
        *outside[: bisect_left(outside, start, key=_sample)],
        *_between(other.changes, start, end, _sample),
        *_between(outside, end, length + 1, _sample),
    )
    return Part(notes, changes if notes else ())


def _between(things: tuple[_T, ...], start: int, end: int, place: Callable[[_T], int]) -> tuple[_T, ...]:
    """Return the items of a sequence in time that lie in a span."""
    low, high = (bisect_left(things, sample, key=place) for sample in (start, end))
    return things[low:high]


def _before(part: Part, other: Part, start: int) -> tuple[Note, ...]:
    """Return the notes of a part that begin before a sample.

    One that crosses it is as long as in another part.
    """
    notes = part.notes[: bisect_left(part.notes, start, key=_onset)]
    twins = other.notes[: bisect_left(other.notes, start, key=_onset)]
    if notes and twins:
        last, twin = notes[-1], twins[-1]
        if max(last.end, twin.end) > start and replace(twin, length=last.length) == last:
            return (*notes[:-1], twin)
    return notes
