"""The session: a song's state, and undoing and redoing over everything that changes it.

A step remembers what it changed and nothing else. So what is composed while the song plays is no step, and
stays when a step before it is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from lakhnes.runtime import Score, Voice
from lakhnes.runtime.music.editing import cut, extract, join, spliced, with_span
from lakhnes.studio.state import SongState, Whereabouts

MOST_STEPS = 500
"""Steps that can be undone."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of some notes that leaves the song as long as it was."""

    span: tuple[int, int]
    """First sample and the one after the last."""
    voices: frozenset[Voice]


@dataclass(frozen=True, slots=True)
class Splice:
    """A change of all voices from a sample on, after which the song may have another length."""

    first: int
    """The first sample that changes."""
    before: int
    """The sample after the last that changes, in the song before."""
    after: int
    """The same place in the song after it."""

    @property
    def back(self) -> Splice:
        """The change that takes this one back."""
        return Splice(self.first, self.after, self.before)


@dataclass(slots=True)
class _Step:
    label: str
    key: str | None
    before: SongState
    after: SongState
    edit: Edit | None
    names: frozenset[str]
    """Fields of the state that it changed."""
    voices: frozenset[tuple[Voice, str]]
    """Fields of voices that it changed."""
    splice: Splice | None = None

    def undone(self, current: SongState) -> SongState:
        """Return the current state with this step undone."""
        splice = None if self.splice is None else self.splice.back
        return self._applied(current, self.after, self.before, splice)

    def redone(self, current: SongState) -> SongState:
        """Return the current state with this step redone.

        Music that was requested or heard by then returns, even if it was forgotten in the meantime.
        """
        state = self._applied(current, self.before, self.after, self.splice)
        time = ("song", "composed_bpm", "beats_per_bar")
        same = all(getattr(state, name) == getattr(current, name) for name in time)
        if "score" in self.names or not same or state.kept <= current.kept or state.score == self.after.score:
            return state
        place = state.grid.sample(current.kept)
        if state.score.length < place:
            return state
        _, tail, seam = cut(self.after.score, place)
        head, _, _ = cut(state.score, place)
        return replace(state, score=join(head, tail, seam) if head.length else tail)

    def _applied(
        self, current: SongState, other: SongState, wanted: SongState, splice: Splice | None
    ) -> SongState:
        """Return the current state with this step's fields as in `wanted`; `other` is the state it left."""
        state = replace(current, **{name: getattr(wanted, name) for name in self.names})
        for voice, name in self.voices:
            state = state.with_voice(voice, **{name: getattr(wanted.voices[voice], name)})
        if self.edit is None and splice is None:
            return state
        kept = wanted.kept if current.kept == other.kept else current.kept
        score = current.score
        if self.edit is not None:
            score = with_span(score, wanted.score, self.edit.span, self.edit.voices)
        elif splice is not None:
            score = wanted.score
            if current.score != other.score:  # composed or played along since
                middle = extract(wanted.score, (splice.first, splice.after))
                score = spliced(current.score, (splice.first, splice.before), middle)
            if current.kept != other.kept:
                kept = max(0, current.kept + wanted.end - other.end)
        return replace(state, score=score, kept=kept)

    @property
    def changes_notes(self) -> bool:
        """Whether it changed the song itself."""
        return self.edit is not None or self.splice is not None or "score" in self.names

    def takes_in(self, other: _Step) -> bool:
        """Takes a later step in, if both are one to the user; whether it did."""
        same = self.key is not None and self.key == other.key and self.edit == other.edit
        if not same or self.splice is not None or other.splice is not None:
            return False
        self.after = other.after
        self.names |= other.names
        self.voices |= other.voices
        return True


@dataclass(frozen=True, slots=True)
class _Known:
    """Facts about a song in addition to its state."""

    whereabouts: Whereabouts
    saved: SongState | None
    """The song as a file has it, or as it was when there was nothing to lose; None if there is no such."""


class Session:
    """A song under work, and through undoing those that were under work before it.

    Attributes:
        state: the song now.
        revision: rises with every change, whatever made it.
        edits: rises with every step that changes notes, and when one is undone or redone.
        left: is told of a song that another one is about to take the place of, by whatever way.
    """

    def __init__(self, state: SongState | None = None) -> None:
        """Begins with a state, an empty song if none is given."""
        self.state = state or SongState()
        self.revision = 0
        self.edits = 0
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self.left: Callable[[SongState], None] = lambda state: None
        self._known = {self.state.song: _Known(Whereabouts(), self.state)}
        self._numbers = count(self.state.song + 1)
        self._judged: tuple[SongState, SongState | None, bool] = (self.state, self.state, False)

    @property
    def undo_label(self) -> str | None:
        """Name of the step that `undo` takes back; None for none."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """Name of the step that `redo` repeats; None for none."""
        return self._undone[-1].label if self._undone else None

    @property
    def changed(self) -> bool:
        """Whether anything that a user set, asked for or heard is not saved."""
        saved = self._known[self.state.song].saved
        if self._judged[0] is not self.state or self._judged[1] is not saved:
            self._judged = (self.state, saved, saved is None or _differ(self.state, saved))
        return self._judged[2]

    def could_be_missed(self, state: SongState) -> bool:
        """Return whether a song has notes that were asked for or heard, and is in no file as it is.

        Args:
            state: of any song of this session.
        """
        if state is self.state:
            return _has_notes(state) and self.changed
        saved = self._known[state.song].saved
        return _has_notes(state) and (saved is None or _differ(state, saved))

    def whereabouts(self, song: int | None = None) -> Whereabouts:
        """Return the file and the name of a song; of the one now if no number is given."""
        return self._known[self.state.song if song is None else song].whereabouts

    def number(self) -> int:
        """Return a number for a song that is to begin."""
        return next(self._numbers)

    def saved(self, state: SongState, whereabouts: Whereabouts | None = None) -> None:
        """Notes that a state is saved; counts as a revision, since `changed` may be another.

        Args:
            state: of any song of this session.
            whereabouts: where it is now; None if that has not changed.
        """
        known = self._known[state.song]
        self._known[state.song] = _Known(whereabouts or known.whereabouts, state)
        self.revision += 1

    def begin(
        self,
        label: str,
        *,
        song: int | None = None,
        whereabouts: Whereabouts | None = None,
        unsaved: bool = False,
        **changes: Any,
    ) -> None:
        """Puts another song in the place of this one, as one step.

        Args:
            label: what was done, for people.
            song: the song's number; None for a new song.
            whereabouts: its file and name; None for those that are known, or none.
            unsaved: whether it begins with something that no file has.
            changes: by field of `SongState`.
        """
        number = self.number() if song is None else song
        state = replace(self.state, song=number, **changes)
        known = self._known.get(number, _Known(Whereabouts(), None if unsaved else state))
        self._known[number] = replace(known, whereabouts=whereabouts or known.whereabouts)
        self._do(label, state, None, names=frozenset((*changes, "song")))

    def change(self, label: str, *, key: str | None = None, **changes: Any) -> None:
        """Changes fields of the state, as one step.

        Args:
            label: what was done, for people.
            key: steps of the same key, one after the other, are one.
            changes: by field of `SongState`.
        """
        self._do(label, replace(self.state, **changes), key, names=frozenset(changes))

    def change_voice(self, label: str, voice: Voice, *, key: str | None = None, **changes: Any) -> None:
        """Changes settings of a voice, as one step."""
        theirs = frozenset((voice, name) for name in changes)
        self._do(label, self.state.with_voice(voice, **changes), key, voices=theirs)

    def edit(
        self,
        label: str,
        score: Score,
        span: tuple[int, int],
        voices: Collection[Voice],
        *,
        key: str | None = None,
        **changes: Any,
    ) -> None:
        """Takes a span of some voices from another score, as one step.

        Args:
            label: what was done, for people.
            score: where the notes come from, in the same time.
            span: first sample and the one after the last.
            voices: those that change.
            key: steps of the same key, one after the other, are one.
            changes: of other fields of `SongState`.
        """
        notes = with_span(self.state.score, score, span, voices)
        if notes == self.state.score:
            return
        edited = self.state.grid.tick(min(span[1], notes.length))
        kept = max(edited, self.state.kept)  # what is edited is asked for
        state = replace(self.state, score=notes, kept=kept, **changes)
        self._do(label, state, key, edit=Edit(span, frozenset(voices)), names=frozenset(changes))

    def splice(self, label: str, score: Score, place: Splice, **changes: Any) -> None:
        """Takes another form of the song, which may have another length, as one step.

        Music composed after its end in the meantime stays when the step is undone, but moves.

        Args:
            label: what was done, for people.
            score: the song as it is then, in the same time.
            place: where it differs from the song now.
            changes: of other fields of `SongState`, and of `kept`.
        """
        state = replace(self.state, score=score, **changes)
        self._do(label, state, None, names=frozenset(changes) - {"kept"}, splice=place)

    def amend(self, **changes: Any) -> None:
        """Changes fields of the state without a step: what came by itself, while it was played."""
        state = replace(self.state, **changes)
        if state != self.state:
            self.state = state
            self.revision += 1

    def undo(self) -> str | None:
        """Undo the last step and return its label; None if there was none."""
        if not self._done:
            return None
        step = self._done.pop()
        now = self.state
        self._go(step.undone(now))
        step.before, step.after = self.state, now
        self._undone.append(step)
        self._count(step)
        return step.label

    def redo(self) -> str | None:
        """Redo the last undone step and return its label; None if there is none."""
        if not self._undone:
            return None
        step = self._undone.pop()
        now = self.state
        self._go(step.redone(now))
        step.before, step.after = now, self.state
        self._done.append(step)
        self._count(step)
        return step.label

    def _do(
        self,
        label: str,
        state: SongState,
        key: str | None,
        *,
        edit: Edit | None = None,
        splice: Splice | None = None,
        names: frozenset[str] = frozenset(),
        voices: frozenset[tuple[Voice, str]] = frozenset(),
    ) -> None:
        if state == self.state:
            return
        step = _Step(label, key, self.state, state, edit, names, voices, splice)
        if not (self._done and self._done[-1].takes_in(step)):
            self._done.append(step)
            del self._done[:-MOST_STEPS]
        self._undone.clear()
        self._go(state)
        self._count(step)

    def _go(self, state: SongState) -> None:
        if state.song != self.state.song:
            self.left(self.state)
        self.state = state

    def _count(self, step: _Step) -> None:
        self.revision += 1
        self.edits += step.changes_notes


def asked(state: SongState) -> Score:
    """Return the requested or heard part of a song, without music composed ahead, which may change."""
    if state.kept >= state.end:
        return state.score
    return extract(state.score, (0, state.grid.sample(state.kept)))


def _has_notes(state: SongState) -> bool:
    """Return whether the requested or heard part has notes."""
    end = state.grid.sample(state.kept)
    return any(part.notes and part.notes[0].onset < end for part in state.score.parts)


def _differ(a: SongState, b: SongState) -> bool:
    if replace(a, score=_NOTHING, kept=0, composed=True) != replace(b, score=_NOTHING, kept=0, composed=True):
        return True
    return min(a.kept, a.end) != min(b.kept, b.end) or asked(a) != asked(b)


_NOTHING = Score()
