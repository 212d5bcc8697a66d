"""Selecting in a song: what is selected, and where a hand or a key has come to with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lakhnes.runtime import BeatGrid, Score, Voice
from lakhnes.runtime.music.note_editing import Pick, begun_in, lifted, picked


@dataclass(frozen=True, slots=True)
class Selection:
    """A span of some voices; of its notes all that begin in it, or those that are named."""

    first: int
    """First tick."""
    last: int
    """The tick after the last."""
    voices: frozenset[Voice]
    """At least one."""
    notes: frozenset[tuple[Voice, int]] | None = None
    """Voice and onset, in samples, of notes that are selected one by one; None for the span itself."""

    @classmethod
    def of_notes(cls, score: Score, grid: BeatGrid, pick: Pick) -> Selection | None:
        """Notes of a score; None if it has none of them."""
        notes = lifted(score, pick)
        if not notes:
            return None
        first = grid.tick(min(each.note.onset for each in notes))
        last = grid.tick(max(each.note.end for each in notes))
        named = frozenset((each.voice, each.note.onset) for each in notes)
        return cls(first, max(last, first + 1), frozenset(voice for voice, _ in named), named)

    def pick(self, score: Score, grid: BeatGrid) -> Pick:
        """Return the selected notes of a score."""
        if self.notes is None:
            return begun_in(score, (grid.sample(self.first), grid.sample(self.last)), self.voices)
        return picked(lifted(score, by_voice(self.notes)))

    @property
    def span(self) -> tuple[int, int]:
        """First tick and the one after the last."""
        return self.first, self.last

    def holds(self, tick: float, voice: Voice) -> bool:
        """Return whether a place lies in it."""
        return voice in self.voices and self.first <= tick < self.last


def by_voice(notes: frozenset[tuple[Voice, int]]) -> Mapping[Voice, frozenset[int]]:
    """Notes that are named one by one as a pick."""
    return {
        voice: frozenset(onset for other, onset in notes if other is voice)
        for voice in {voice for voice, _ in notes}
    }


def cell(tick: float, step: int) -> tuple[int, int]:
    """Return the span of the beat, bar or row at a tick; the first one before the song.

    Args:
        tick: any.
        step: ticks of a beat, a bar or a row.
    """
    first = max(0, int(tick // step) * step)
    return first, first + step


class Selector:
    """Grows and moves a selection from an anchor, the cell where it began.

    Attributes:
        selection: what is selected; None for nothing.
        limit: the tick up to which there is something to select.
    """

    def __init__(self) -> None:
        self.selection: Selection | None = None
        self.limit = 0
        self._anchor = (0, 0)
        self._head = 0  # the end that moves
        self._first_voice = self._last_voice = Voice.P1

    @property
    def head(self) -> int:
        """The tick of the end that moves."""
        return self._head

    @property
    def voice(self) -> Voice:
        """The voice that was chosen last."""
        return self._last_voice

    def set_limit(self, limit: int) -> None:
        """Takes another limit, and lets go what lies after it."""
        self.limit = limit
        chosen = self.selection
        if chosen is not None and chosen.last > limit:
            self.put(replace(chosen, last=limit) if chosen.first < limit else None)

    def put(self, selection: Selection | None) -> None:
        """Selects just this, or nothing."""
        self.selection = selection
        if selection is not None:
            self._anchor = selection.span
            self._head = selection.last
            self._first_voice, self._last_voice = min(selection.voices), max(selection.voices)

    def begin(self, span: tuple[int, int], first: Voice, last: Voice) -> None:
        """Start a new selection with a cell and a range of voices; nothing after the end of the song."""
        self._anchor = (max(0, span[0]), min(span[1], self.limit))
        self._head = self._anchor[1]
        self._first_voice, self._last_voice = first, last
        self._settle()

    def reach(self, span: tuple[int, int], voice: Voice) -> None:
        """Grows or shrinks so that it goes from the anchor to another cell and voice."""
        before = span[0] < self._anchor[0]
        self._head = max(0, span[0]) if before else min(span[1], self.limit)
        self._last_voice = voice
        self._settle()

    def step(self, way: int, unit: int, *, extend: bool, start: float) -> None:
        """Moves to the next cell, or grows or shrinks by one.

        Args:
            way: 1 later, -1 earlier.
            unit: ticks of a cell.
            extend: whether the anchor stays.
            start: a tick of the first cell, if nothing is selected.
        """
        chosen = self.selection
        if chosen is None:
            self.begin(cell(min(start, self.limit - 1), unit), self._last_voice, self._last_voice)
        elif extend:
            first, last = self._anchor
            outside = not first <= self._head <= last
            base = self._head if outside else (last if way > 0 else first)
            head = (base // unit + 1) * unit if way > 0 else (-(-base // unit) - 1) * unit
            self._head = min(max(head, 0), self.limit)
            self._settle(chosen.voices)
        else:
            first = -(-chosen.last // unit) * unit if way > 0 else (-(-chosen.first // unit) - 1) * unit
            if first < self.limit:
                first = max(first, 0)
                self._anchor = (first, min(first + unit, self.limit))
                self._head = self._anchor[1]
                self._settle(chosen.voices)

    def step_voice(self, way: int, *, extend: bool) -> None:
        """Goes to the voice below (1) or above (-1), or takes it in."""
        voice = Voice(min(max(self._last_voice + way, 0), len(Voice) - 1))
        self._last_voice = voice
        if not extend:
            self._first_voice = voice
        if self.selection is not None:
            self._settle()

    def _settle(self, voices: frozenset[Voice] | None = None) -> None:
        """Makes the selection of the anchor, the head and the voices."""
        first = min(self._anchor[0], self._head)
        last = min(max(self._anchor[1], self._head), self.limit)
        low, high = sorted((self._first_voice, self._last_voice))
        chosen = frozenset(Voice(number) for number in range(low, high + 1)) if voices is None else voices
        self.selection = Selection(first, last, chosen) if first < last else None
