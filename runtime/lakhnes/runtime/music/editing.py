"""Editing scores: cutting, joining, a span out of one, another's span into one, new notes between old ones.

One rule holds at every edge. What sounds at it is cut there, and what begins there has the volume and the
timbre that it has there. A `Seam` remembers what was cut, so that joining the pieces again gives the score
that was there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter

from lakhnes.runtime.music.events import SAMPLE_RATE, Kind, Voice, octave_shifted
from lakhnes.runtime.music.score import Change, Note, Part, Score


@dataclass(frozen=True, slots=True)
class Seam:
    """What was cut in two where a score was cut."""

    ringing: frozenset[Voice] = frozenset()
    """Voices whose note goes on over the cut."""
    changing: frozenset[Voice] = frozenset()
    """Those of them whose volume changes at the cut."""
    stated: frozenset[Voice] = frozenset()
    """Voices whose timbre is stated at the start of the second piece, and was not there."""


def cut(score: Score, sample: int) -> tuple[Score, Score, Seam]:
    """Cuts a score in two.

    Args:
        score: any.
        sample: where, 0 to its length.

    Returns:
        What comes before, what comes after (its sample 0 lies at `sample`), and what `join` needs to give the
        same score again.
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
    """What was cut in two at a sample, after which a tail comes."""
    here = {(voice, change.kind) for voice in Voice for change in _at(score.parts[voice], sample)}
    ringing = frozenset(v for v in Voice if any(n.onset < sample < n.end for n in score.parts[v].notes))
    changing = frozenset(voice for voice in ringing if (voice, Kind.VELOCITY) in here)
    stated = {v for v in Voice if _states_timbre(tail.parts[v]) and (v, Kind.TIMBRE) not in here}
    return Seam(ringing, changing, frozenset(stated))


def _at(part: Part, sample: int) -> list[Change]:
    """The changes at a sample."""
    return [change for change in part.changes if change.sample == sample]


def join(head: Score, tail: Score, seam: Seam | None = None) -> Score:
    """Two scores, one after the other.

    Args:
        head: the first.
        tail: the second.
        seam: what was cut between them; None for scores that were not one.
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
        part = _followed(notes, changes, replace(second, changes=()), head.length)
        moved = [replace(change, sample=change.sample + head.length) for change in second.changes]
        parts.append(replace(part, changes=(*changes, *moved) if part.notes else ()))
    return Score.of(parts, head.length + tail.length)


def last_seconds(score: Score, seconds: float) -> Score:
    """The end of a score; notes that ring into it begin with it."""
    return extract(score, (max(0, score.length - round(seconds * SAMPLE_RATE)), score.length))


def fit_to_vocabulary(score: Score) -> tuple[Score, int]:
    """Shifts notes outside the vocabularies' ranges into them by octaves; returns how many were."""
    moved = 0
    parts = {}
    for voice in Voice:
        old = score.parts[voice].notes
        notes = tuple(replace(note, pitch=octave_shifted(voice, note.pitch)) for note in old)
        moved += sum(a.pitch != b.pitch for a, b in zip(old, notes, strict=True))
        parts[voice] = replace(score.parts[voice], notes=notes)
    return score.with_parts(parts), moved


def without_span(score: Score, span: tuple[int, int], voices: Collection[Voice]) -> Score:
    """A score without what some voices begin in a span; a note that rings into it stays."""
    parts = {}
    for voice in voices:
        notes = tuple(note for note in score.parts[voice].notes if not span[0] <= note.onset < span[1])
        changes = [c for c in score.parts[voice].changes if not span[0] <= c.sample < span[1]]
        parts[voice] = Part(notes, tuple(changes) if notes else ())
    return score.with_parts(parts)


def clipped(part: Part, span: tuple[int, int]) -> Part:
    """A part cut to a span of its own time, which stays."""
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
    """A score with new notes and changes in some voices, between the kept ones."""
    parts = {}
    for voice, part in new.items():
        old = kept.parts[voice]
        old_onsets = [note.onset for note in old.notes]
        notes = []
        for note in part.notes:  # each between the kept ones that are before and after it
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
    """A span of some voices as a score of its own; notes that ring into it or out of it are cut.

    What begins with the span has the volume and the timbre that it has there.

    Args:
        score: any.
        span: first sample and the one after the last.
        voices: the others are empty.
    """
    parts = (_cut(score.parts[voice], span) if voice in voices else Part() for voice in Voice)
    return Score.of(parts, span[1] - span[0])


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
    return score.with_parts(
        {voice: _replaced(score.parts[voice], other.parts[voice], span, score.length) for voice in voices}
    )


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
        changes = [change for change in head.changes if change.sample < sample]
        parts.append(_followed(notes, changes, later, sample))
    return Score.of(parts, sample + tail.length)


def _followed(notes: list[Note], changes: list[Change], later: Part, sample: int) -> Part:
    """Notes and changes with a part after them, whose sample 0 lies at `sample`."""
    notes = notes + [replace(note, onset=note.onset + sample) for note in later.notes]
    changes = changes + [replace(change, sample=change.sample + sample) for change in later.changes]
    return Part(tuple(notes), tuple(changes) if notes else ())


def _until(note: Note, end: int) -> Note:
    """A note that ends at a sample, if not before. Songs of long sessions share what stays the same."""
    return note if note.end <= end else replace(note, length=end - note.onset)


def _cut(part: Part, span: tuple[int, int]) -> Part:
    """What of a part lies in a span, whose start is sample 0 then."""
    start, end = span
    notes = [
        _from(_until(note, end), start, part.changes)
        for note in part.notes
        if note.end > start and note.onset < end
    ]
    if not notes:
        return Part()
    changes = [_earlier(change, start) for change in _inside(part.changes, span)]
    if notes[0].onset == 0:  # it has a volume of its own
        changes = [c for c in changes if c.sample > 0 or c.kind is Kind.TIMBRE]
    if not any(c.sample == 0 and c.kind is Kind.TIMBRE for c in changes):
        changes = [*_timbre_at(part, start), *changes]
    return Part(tuple(notes), tuple(sorted(changes, key=attrgetter("order"))))


def _from(note: Note, start: int, changes: Collection[Change]) -> Note:
    """What of a note lies after a start, which is sample 0 then, at the volume that it has there."""
    if note.onset >= start:
        return replace(note, onset=note.onset - start) if start else note
    since = [c for c in changes if note.onset < c.sample <= start and c.kind is Kind.VELOCITY]
    velocity = since[-1].value if since else note.velocity
    return replace(note, onset=0, length=note.end - start, velocity=velocity)


def _timbre_at(part: Part, start: int) -> list[Change]:
    """The timbre that a part has at a start, which is sample 0 then, if it was stated before."""
    before = [change for change in part.changes if change.sample < start and change.kind is Kind.TIMBRE]
    return [replace(change, sample=0) for change in before[-1:]]


def _earlier(change: Change, samples: int) -> Change:
    return replace(change, sample=change.sample - samples) if samples else change


def _inside(changes: Collection[Change], span: tuple[int, int]) -> list[Change]:
    return [change for change in changes if span[0] <= change.sample < span[1]]


def _replaced(part: Part, other: Part, span: tuple[int, int], length: int) -> Part:
    """A part of some length with what begins in a span taken from another one."""
    start, end = span[0], min(span[1], length)
    notes = _before(part, other, start)
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


def _before(part: Part, other: Part, start: int) -> list[Note]:
    """The notes of a part that begin before a sample; one over it is as long as in another part."""
    notes = [note for note in part.notes if note.onset < start]
    twin = next((note for note in reversed(other.notes) if note.onset < start), None)
    if notes and twin is not None:
        last = notes[-1]
        if max(last.end, twin.end) > start and replace(twin, length=last.length) == last:
            notes[-1] = twin
    return notes
