"""Editing notes by hand: moving, resizing, copying, splitting and joining them.

One rule keeps every voice monophonic. A placed note owns its time. An older note that overlaps it keeps its
part before the new note, or if it has none, its part after. Changes of volume inside a note move with it.
Timbre belongs to the place and stays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter
from typing import TypeVar

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import VALUES, VOCABULARY_PITCHES, Kind, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY, Change, Note, Part, Score

LEAST_SAMPLES = 2 * 735
"""Shortest remainder of an overlapped note, in samples: two frames of the chip. A shorter one is deleted."""

_T = TypeVar("_T", Note, Change)

Pick = Mapping[Voice, frozenset[int]]
"""Selected notes of a score: the onsets in samples, for each voice."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A note of a voice with the changes of volume inside it."""

    voice: Voice
    note: Note
    swells: tuple[Change, ...] = ()
    """VELOCITY after the onset and before the end, in samples of the song."""

    def moved(self, samples: int, semitones: int = 0) -> Placed:
        """Return the note later or earlier, higher or lower."""
        swells = tuple(replace(change, sample=change.sample + samples) for change in self.swells)
        return Placed(self.voice, self.note.moved(samples, semitones), swells)

    def spanning(self, onset: int, end: int) -> Placed:
        """Return the note from one sample to another, at least one long; its swells stay in place."""
        end = max(end, onset + 1)
        swells = tuple(change for change in self.swells if onset < change.sample < end)
        return replace(self, note=replace(self.note, onset=onset, length=end - onset), swells=swells)

    def louder(self, steps: int) -> Placed:
        """Return the note and its swells at another volume; the triangle has none."""
        if self.voice is Voice.TR:
            return self
        swells = tuple(replace(change, value=_volume(change.value + steps)) for change in self.swells)
        return replace(
            self, note=replace(self.note, velocity=_volume(self.note.velocity + steps)), swells=swells
        )

    def of(self, voice: Voice) -> Placed:
        """Return the note in another voice.

        Raises:
            OptionError: between the noise, which has no pitches, and another voice; or for a pitch out of
                range.
        """
        if voice is self.voice:
            return self
        if Voice.NO in (voice, self.voice):
            raise OptionError("The noise has no pitches, so notes stay among the other three voices.")
        velocity = FULL_VELOCITY if voice is Voice.TR else self.note.velocity
        swells = () if voice is Voice.TR else self.swells
        return Placed(voice, replace(self.note, velocity=velocity), swells)


def _volume(value: int) -> int:
    return min(max(value, 1), FULL_VELOCITY)


@dataclass(frozen=True, slots=True)
class Edited:
    """A score after an edit, and the edited notes."""

    score: Score
    notes: Pick


def lifted(score: Score, pick: Pick) -> list[Placed]:
    """Return the selected notes of a score, voice by voice, in order of time."""
    return [
        Placed(voice, note, _swells(score.parts[voice], note))
        for voice, onsets in sorted(pick.items())
        for note in _notes_at(score.parts[voice], onsets)
    ]


_onset = attrgetter("onset")
_end = attrgetter("end")
_sample = attrgetter("sample")


def _notes_at(part: Part, onsets: Collection[int]) -> list[Note]:
    notes = part.notes
    places = ((bisect_left(notes, onset, key=_onset), onset) for onset in sorted(onsets))
    return [notes[i] for i, onset in places if i < len(notes) and notes[i].onset == onset]


def _swells(part: Part, note: Note) -> tuple[Change, ...]:
    if not part.changes:
        return ()
    low = bisect_right(part.changes, note.onset, key=_sample)
    high = bisect_left(part.changes, note.end, low, key=_sample)
    return tuple(change for change in part.changes[low:high] if change.kind is Kind.VELOCITY)


def picked(placed: Iterable[Placed]) -> dict[Voice, frozenset[int]]:
    """Return notes as a selection."""
    found: dict[Voice, set[int]] = {}
    for each in placed:
        found.setdefault(each.voice, set()).add(each.note.onset)
    return {voice: frozenset(onsets) for voice, onsets in found.items()}


def begun_in(score: Score, span: tuple[int, int], voices: Collection[Voice]) -> dict[Voice, frozenset[int]]:
    """Return the notes that begin in a span of some voices."""
    found = {}
    for voice in voices:
        notes = notes_in(score.parts[voice], span)
        if notes:
            found[voice] = frozenset(note.onset for note in notes)
    return found


def notes_in(part: Part, span: tuple[int, int]) -> tuple[Note, ...]:
    """Return the notes of a part that begin in a span."""
    low, high = (bisect_left(part.notes, sample, key=_onset) for sample in span)
    return part.notes[low:high]


# The one mechanism


def overlaid(score: Score, out: Pick, laid: Iterable[Placed], *, length: int = 0) -> Edited:
    """Return a score without some of its notes, and with others placed over the rest.

    Args:
        score: any.
        out: the notes to remove.
        laid: the notes to place; of two at one sample the later counts, and each ends where the next begins.
        length: least length of the score in samples; it grows for notes that end later.

    Raises:
        OptionError: for a note before the start, or a pitch that its voice lacks.
    """
    come: dict[Voice, dict[int, Placed]] = {}
    for each in laid:
        _check_note(each)
        come.setdefault(each.voice, {})[each.note.onset] = each
    parts, notes = {}, {}
    for voice in {*out, *come}:
        at = come.get(voice, {})
        apart = _one_after_another([at[onset] for onset in sorted(at)])
        parts[voice] = _overlaid_part(score.parts[voice], out.get(voice, frozenset()), apart)
        if apart:
            notes[voice] = frozenset(each.note.onset for each in apart)
    ends = [part.notes[-1].end for part in parts.values() if part.notes]
    longer = score.lengthened(max([length, *ends]))
    return Edited(longer.with_parts(parts), notes)


def _check_note(placed: Placed) -> None:
    if placed.note.onset < 0:
        raise OptionError("A note cannot begin before the song does.")
    if placed.note.pitch not in VALUES[placed.voice, Kind.NOTE_ON]:
        raise OptionError(f"{placed.voice.name} has no pitch {placed.note.pitch}.")


def _one_after_another(laid: list[Placed]) -> list[Placed]:
    """Return notes in order of time, each cut where the next begins."""
    cuts = [
        one.spanning(one.note.onset, min(one.note.end, after.note.onset)) for one, after in pairwise(laid)
    ]
    return [*cuts, *laid[-1:]]


def _overlaid_part(part: Part, out: frozenset[int], laid: list[Placed]) -> Part:
    """Return a part without some notes, with others placed over the rest."""
    new = [each.note for each in laid]
    touched = [*(_notes_at(part, out)), *new]
    if not touched:
        return part
    low = bisect_right(part.notes, min(note.onset for note in touched), key=_end)
    high = bisect_left(part.notes, max(note.end for note in touched), key=_onset)
    old = part.notes[low:high]
    rests = [_rest(note, part, new) for note in old if note.onset not in out]
    kept = [note for note in rests if note is not None]
    notes = sorted([*kept, *new], key=_onset)
    together = (*part.notes[:low], *notes, *part.notes[high:])
    return Part(together, _changes(part, old, kept, laid) if together else ())


def _rest(note: Note, part: Part, laid: list[Note]) -> Note | None:
    """Return the rest of a note under others; None if it is too short."""
    first = bisect_right(laid, note.onset, key=_end)
    if first == len(laid) or laid[first].onset >= note.end:
        return note
    cutting = laid[first]
    if cutting.onset > note.onset:
        start, end, velocity = note.onset, cutting.onset, note.velocity
    else:
        following = laid[first + 1].onset if first + 1 < len(laid) else note.end
        start, end = cutting.end, min(note.end, following)
        velocity = _velocity_at(part, note, start)
    if end - start < LEAST_SAMPLES:
        return None
    return Note(start, end - start, note.pitch, velocity)


def _velocity_at(part: Part, note: Note, sample: int) -> int:
    """Return the volume of a note at a sample inside it."""
    since = [change for change in _swells(part, note) if change.sample <= sample]
    return since[-1].value if since else note.velocity


def _changes(part: Part, old: tuple[Note, ...], kept: list[Note], laid: list[Placed]) -> tuple[Change, ...]:
    """Return the changes of an edited part; each note keeps its own swells."""
    new = [each.note for each in laid]
    before, after = list(old), sorted([*kept, *new], key=_onset)
    own = {(note.onset, note.end) for note in kept}
    swells = [change for each in laid for change in each.swells]

    def stays(change: Change) -> bool:
        if change.kind is not Kind.VELOCITY:
            return True
        now = _holding(after, change.sample)
        if now is not None:
            return (now.onset, now.end) in own and now.onset < change.sample
        return _holding(before, change.sample) is None

    if not any(change.kind is Kind.VELOCITY for change in part.changes) and not swells:
        return part.changes
    changes = [change for change in part.changes if stays(change)]
    return tuple(sorted([*changes, *swells], key=attrgetter("order")))


def _holding(notes: list[Note], sample: int) -> Note | None:
    """Return the note that sounds at a sample."""
    at = bisect_right(notes, sample, key=_onset) - 1
    return notes[at] if at >= 0 and sample < notes[at].end else None


# Edits of some notes


def changed(score: Score, pick: Pick, change: Callable[[Placed], Placed]) -> Edited:
    """Return a score with each selected note changed by a function."""
    return overlaid(score, pick, [change(each) for each in lifted(score, pick)])


def moved(score: Score, pick: Pick, samples: int, semitones: int = 0, *, copy: bool = False) -> Edited:
    """Move notes in time and pitch, all by the same amount, as far as song and voices allow.

    Args:
        score: any.
        pick: the selected notes.
        samples: how much later; negative for earlier.
        semitones: how much higher; for the noise in steps.
        copy: whether the original notes stay too.
    """
    notes = lifted(score, pick)
    later = max(samples, -min((each.note.onset for each in notes), default=0))
    higher = in_range(notes, semitones)
    return overlaid(score, {} if copy else pick, [each.moved(later, higher) for each in notes])


def in_range(notes: Iterable[Placed], semitones: int) -> int:
    """Return the nearest interval that keeps notes in the ranges of their voices."""
    for each in notes:
        pitches = VOCABULARY_PITCHES[each.voice]
        lowest, highest = pitches[0] - each.note.pitch, pitches[-1] - each.note.pitch
        semitones = min(max(semitones, min(lowest, 0)), max(highest, 0))
    return semitones


def resized(score: Score, pick: Pick, samples: int, least: int, *, start: bool = False) -> Edited:
    """Make notes longer or shorter, all by the same amount.

    Args:
        score: any.
        pick: the selected notes.
        samples: how much later they end, or begin.
        least: least length in samples; a shorter note does not become shorter.
        start: whether the start moves.
    """

    def resize(each: Placed) -> Placed:
        note = each.note
        kept = min(note.length, least)
        if start:
            return each.spanning(min(max(0, note.onset + samples), note.end - kept), note.end)
        return each.spanning(note.onset, max(note.end + samples, note.onset + kept))

    return changed(score, pick, resize)


def split(score: Score, pick: Pick, at: Callable[[Note], int]) -> Edited:
    """Split notes, each at the sample that a function returns; a sample outside the note leaves it whole."""
    pieces = []
    for each in lifted(score, pick):
        note, place = each.note, at(each.note)
        if note.onset < place < note.end:
            loud = _velocity_at(score.parts[each.voice], note, place)
            after = each.spanning(place, note.end)
            pieces += [
                each.spanning(note.onset, place),
                replace(after, note=replace(after.note, velocity=loud)),
            ]
        else:
            pieces.append(each)
    return overlaid(score, pick, pieces)


def joined(score: Score, pick: Pick) -> Edited:
    """Join the selected notes of each voice: the first one's pitch, from its start to the last one's end."""
    notes = lifted(score, pick)
    whole = []
    for voice in sorted(pick):
        theirs = [each for each in notes if each.voice is voice]
        if theirs:
            first, end = theirs[0], theirs[-1].note.end
            between = begun_in(score, (first.note.onset, end), (voice,)).get(voice, frozenset())
            inside = [each for each in lifted(score, {voice: between}) if each.note.end <= end]
            swells = tuple(change for each in inside for change in each.swells)
            whole.append(replace(first, swells=swells).spanning(first.note.onset, end))
    return overlaid(score, pick, whole)


def quantised(score: Score, pick: Pick, nearest: Callable[[int], int]) -> Edited:
    """Move the starts of notes onto a grid; each keeps its length.

    Args:
        score: any.
        pick: the selected notes.
        nearest: returns the sample of the grid nearest to a sample.
    """
    return changed(score, pick, lambda each: each.moved(max(0, nearest(each.note.onset)) - each.note.onset))


def cleared(score: Score, span: tuple[int, int], voices: Collection[Voice]) -> Score:
    """Return a score with some voices silent in a span; a note that rings into it ends there."""
    parts = {}
    for voice in voices:
        part = score.parts[voice]
        ringing = {note.onset for note in part.notes if note.onset < span[0] < note.end}
        cuts = [
            each.spanning(each.note.onset, span[0]) for each in lifted(score, {voice: frozenset(ringing)})
        ]
        gone = begun_in(score, span, (voice,)).get(voice, frozenset())
        parts[voice] = overlaid(score, {voice: gone | ringing}, cuts).score.parts[voice]
    return score.with_parts(parts)


__all__ = [
    "LEAST_SAMPLES",
    "Edited",
    "Pick",
    "Placed",
    "begun_in",
    "changed",
    "cleared",
    "in_range",
    "joined",
    "lifted",
    "moved",
    "notes_in",
    "overlaid",
    "picked",
    "quantised",
    "resized",
    "split",
]
