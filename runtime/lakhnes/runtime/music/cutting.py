"""Cutting scores: a span out of one, another's span into one, an end onto one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from operator import attrgetter

from lakhnes.runtime.music.events import Kind, Voice
from lakhnes.runtime.music.score import Change, Note, Part, Score


def extract(score: Score, span: tuple[int, int], voices: Collection[Voice] = tuple(Voice)) -> Score:
    """A span of some voices as a score of its own; notes that ring into it or out of it are cut.

    What begins with the span has the volume and the timbre that it has there.

    Args:
        score: any.
        span: first sample and the one after the last.
        voices: the others are empty.
    """
    p1, p2, tr, no = (_cut(score.parts[voice], span) if voice in voices else Part() for voice in Voice)
    return Score((p1, p2, tr, no), span[1] - span[0])


def with_span(score: Score, other: Score, span: tuple[int, int], voices: Collection[Voice]) -> Score:
    """A score in which a span of some voices is as in another; what begins in the span counts.

    A note that rings into the span is as long as in the other score, if that has it: so what was cut for the
    sake of the span comes back with it. The score stays as long as it is.

    Args:
        score: what stays outside.
        other: what comes into the span.
        span: first sample and the one after the last.
        voices: those that are replaced.
    """
    parts = list(score.parts)
    for voice in voices:
        parts[voice] = _replaced(score.parts[voice], other.parts[voice], span, score.length)
    return replace(score, parts=(parts[0], parts[1], parts[2], parts[3]))


def with_tail(score: Score, tail: Score, sample: int) -> Score:
    """A score up to a sample, and another one from there on.

    Args:
        score: its notes that begin before `sample` stay, and end there at the latest.
        tail: what follows; its sample 0 lies at `sample`.
        sample: 0 to the score's length, or later: what lies between is silent then.
    """
    parts = []
    for head, later in zip(score.parts, tail.parts, strict=True):
        notes = [_until(note, sample) for note in head.notes if note.onset < sample]
        notes += [replace(note, onset=note.onset + sample) for note in later.notes]
        changes = [change for change in head.changes if change.sample < sample]
        changes += [replace(change, sample=change.sample + sample) for change in later.changes]
        parts.append(Part(tuple(notes), tuple(changes) if notes else ()))
    return Score((parts[0], parts[1], parts[2], parts[3]), sample + tail.length)


def _until(note: Note, end: int) -> Note:
    """A note that ends at a sample, if not before. Songs of long sessions share what stays the same."""
    return note if note.end <= end else replace(note, length=end - note.onset)


def _cut(part: Part, span: tuple[int, int]) -> Part:
    start, end = span
    notes: list[Note] = []
    for note in part.notes:
        if note.end <= start or note.onset >= end:
            continue
        note = _until(note, end)
        if note.onset < start:
            since = [c for c in part.changes if note.onset < c.sample <= start and c.kind is Kind.VELOCITY]
            velocity = since[-1].value if since else note.velocity
            note = replace(note, onset=start, length=note.end - start, velocity=velocity)
        notes.append(replace(note, onset=note.onset - start) if start else note)
    changes = [c if not start else replace(c, sample=c.sample - start) for c in _inside(part.changes, span)]
    if notes and notes[0].onset == 0:
        changes = [c for c in changes if c.sample > 0 or c.kind is Kind.TIMBRE]
    before = [c for c in part.changes if c.sample < start and c.kind is Kind.TIMBRE]
    if before and not any(c.sample == 0 and c.kind is Kind.TIMBRE for c in changes):
        changes.append(replace(before[-1], sample=0))
        changes.sort(key=attrgetter("order"))
    return Part(tuple(notes), tuple(changes) if notes else ())


def _inside(changes: Collection[Change], span: tuple[int, int]) -> list[Change]:
    return [change for change in changes if span[0] <= change.sample < span[1]]


def _replaced(part: Part, other: Part, span: tuple[int, int], length: int) -> Part:
    """A part of some length with what begins in a span taken from another one."""
    start, end = span[0], min(span[1], length)
    notes = [note for note in part.notes if note.onset < start]
    twin = next((note for note in reversed(other.notes) if note.onset < start), None)
    if (
        notes
        and twin
        and max(notes[-1].end, twin.end) > start
        and replace(twin, length=notes[-1].length) == notes[-1]
    ):
        notes[-1] = twin
    notes += [note for note in other.notes if start <= note.onset < end]
    notes += [note for note in part.notes if note.onset >= max(start, end)]
    ends = [*(note.onset for note in notes[1:]), length]
    apart = [_until(note, min(stop, length)) for note, stop in zip(notes, ends, strict=False)]
    # A part without notes has lost its changes, also those outside the span.
    outside = part.changes if part.notes else other.changes
    changes = [change for change in outside if not start <= change.sample < end and change.sample <= length]
    changes += _inside(other.changes, (start, end))
    changes.sort(key=attrgetter("order"))
    return Part(tuple(apart), tuple(changes) if apart else ())
