"""What of a timeline stays when another form of its song is loaded, so that an edit costs what it changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter
from typing import Any

import numpy as np

from lakhnes.runtime.compose.moments import moments_of
from lakhnes.runtime.compose.span import Moment
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Change, Note, Part, Score, shared_ends
from lakhnes.runtime.time.grid import BeatGrid

_onset = attrgetter("onset")
_end = attrgetter("end")
_sample = attrgetter("sample")
_tick = attrgetter("tick")
_sound = attrgetter("length", "pitch", "velocity")
_change = attrgetter("kind", "value")


@dataclass(frozen=True, slots=True)
class Stretch:
    """The stretch in which two forms of a song differ, in ticks of the new form."""

    first: int
    """Before it both are the same."""
    last: int | None
    """A tick with an event in both forms, from which on both have the same events; None if there is none."""
    later: int = 0
    """Number of ticks by which everything from `last` on lies later than in the old form."""


@dataclass(frozen=True, slots=True)
class _Voiced:
    """The notes, or the changes, of a voice in two forms of a song."""

    old: tuple[Note, ...] | tuple[Change, ...]
    new: tuple[Note, ...] | tuple[Change, ...]
    start: Callable[[Any], int]
    """Returns the first sample of an item."""
    end: Callable[[Any], int]
    """Returns the sample after an item; of a change, its own sample."""
    value: Callable[[Any], object]
    """Returns everything of an item except its place."""

    def shared(self, samples: int) -> tuple[int, int]:
        """Return the number of items that both forms share at their start and, of the rest, at their end.

        Args:
            samples: how much later the items at the end lie in the new form.
        """
        if not samples:
            return shared_ends(self.old, self.new)
        same, _ = shared_ends(self.old, self.new)
        start, value = self.start, self.value
        pairs = zip(reversed(self.old[same:]), reversed(self.new[same:]), strict=False)
        alike = takewhile(
            lambda pair: start(pair[0]) + samples == start(pair[1]) and value(pair[0]) == value(pair[1]),
            pairs,
        )
        return same, sum(1 for _ in alike)


def _voiced(old: Score, new: Score) -> Iterator[_Voiced]:
    for before, after in zip(old.parts, new.parts, strict=True):
        yield _Voiced(before.notes, after.notes, _onset, _end, _sound)
        yield _Voiced(before.changes, after.changes, _sample, _sample, _change)


def differing(old: Score, new: Score, grid: BeatGrid) -> Stretch:
    """Return where two forms of a song differ; the shortest stretch if they do not.

    If the new form is longer or shorter, as after inserting bars, the rest may be the same music later or
    earlier.

    Args:
        old: one form.
        new: the other.
        grid: of both.
    """
    samples = new.length - old.length
    first, last = min(old.length, new.length), 0
    moved: list[int] = []  # samples of the new form where something happens that only lies elsewhere
    for line in _voiced(old, new):
        same, back = line.shared(samples)
        for things, later in ((line.old, samples), (line.new, 0)):
            stop = len(things) - back
            first = min([first, *map(line.start, things[same : same + 1 if samples else stop][:1])])
            # A note before the rest may ring into it, where the rest has moved away from it.
            last = max(
                [last, *(line.end(thing) + later for thing in things[0 if samples else same : stop][-1:])]
            )
        if samples:
            rest = line.new[len(line.new) - back :]
            moved += [*map(line.start, rest), *map(line.end, rest)]
    after_it = grid.sample(grid.tick(max(first, first + samples, last)) + 2)  # a note may end a tick later
    onsets = [part.notes[bisect_left(part.notes, after_it, key=_onset) :][:1] for part in new.parts]
    following = min((notes[0].onset for notes in onsets if notes), default=None)
    if following is None:
        return Stretch(grid.tick(first), None)
    if not samples:
        return Stretch(grid.tick(first), grid.tick(following))
    places = np.array([*moved, following, new.length], dtype=np.float64)
    ticks = np.rint(grid.exact_ticks(places)) - np.rint(grid.exact_ticks(places - samples))
    alike = bool((ticks == ticks[0]).all())  # else some are rounded to other ticks
    return Stretch(grid.tick(first), grid.tick(following) if alike else None, int(ticks[0]) if alike else 0)


def n_differing(old: Score, new: Score) -> int:
    """Return the number of notes between those that two scores share at both ends of each voice.

    Notes that follow inserted or deleted music count as shared.
    """
    samples = new.length - old.length
    count = 0
    for line in list(_voiced(old, new))[::2]:
        shared = max(sum(line.shared(0)), sum(line.shared(samples)) if samples else 0)
        count += max(len(line.old), len(line.new)) - shared
    return count


def moments_between(
    score: Score, grid: BeatGrid, first: int, last: int, end: int, *, expression: bool
) -> list[Moment]:
    """Return those of `moments_of` a score from one tick on and before another."""
    low, high = grid.sample(first - 1), grid.sample(last + 1)
    parts = []
    for voice in Voice:
        notes, changes = score.parts[voice].notes, score.parts[voice].changes
        begin, stop = bisect_left(notes, low, key=_onset), bisect_left(notes, high, key=_onset)
        inside = changes[bisect_left(changes, low, key=_sample) : bisect_left(changes, high, key=_sample)]
        parts.append(Part(notes[max(0, begin - 1) : stop + 1], inside))
    found = moments_of(parts, grid, end, expression=expression)
    return found[bisect_left(found, first, key=_tick) : bisect_left(found, last, key=_tick)]


__all__ = ["Stretch", "differing", "moments_between", "n_differing"]
