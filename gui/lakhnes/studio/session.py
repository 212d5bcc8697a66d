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
from lakhnes.runtime.music.editing import extract, with_span
from lakhnes.studio.state import SongState, Whereabouts

MOST_STEPS = 500
"""Steps that can be undone."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of some notes that leaves the song as long as it was."""

    span: tuple[int, int]
    """First sample and the one after the last."""
    voices: frozenset[Voice]


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

    def applied(self, current: SongState, wanted: SongState) -> SongState:
        """The current state with what this step changed as it is in another."""
        state = replace(current, **{name: getattr(wanted, name) for name in self.names})
        for voice, name in self.voices:
            state = state.with_voice(voice, **{name: getattr(wanted.voices[voice], name)})
        if self.edit is not None:
            score = with_span(current.score, wanted.score, self.edit.span, self.edit.voices)
            state = replace(state, score=score)
        return state

    @property
    def changes_notes(self) -> bool:
        """Whether it changed the song itself."""
        return self.edit is not None or "score" in self.names

    def takes_in(self, other: _Step) -> bool:
        """Takes a later step in, if both are one to the user; whether it did."""
        if self.key is None or self.key != other.key or self.edit != other.edit:
            return False
        self.after = other.after
        self.names |= other.names
        self.voices |= other.voices
        return True


@dataclass(frozen=True, slots=True)
class _Known:
    """What a session knows of a song beside its state."""

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
        """What `undo` takes back; None if there is nothing."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """What `redo` does again; None if there is nothing."""
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
    ) -> None:
        """Takes a span of some voices from another score, as one step.

        Args:
            label: what was done, for people.
            score: where the notes come from, in the same time.
            span: first sample and the one after the last.
            voices: those that change.
            key: steps of the same key, one after the other, are one.
        """
        notes = with_span(self.state.score, score, span, voices)
        self._do(label, replace(self.state, score=notes), key, edit=Edit(span, frozenset(voices)))
        edited = self.state.grid.tick(min(span[1], notes.length))
        self.amend(kept=max(edited, self.state.kept))  # what is edited is asked for

    def amend(self, **changes: Any) -> None:
        """Changes fields of the state without a step: what came by itself, while it was played."""
        state = replace(self.state, **changes)
        if state != self.state:
            self.state = state
            self.revision += 1

    def undo(self) -> str | None:
        """Takes the last step back; its label, None if there was none."""
        if not self._done:
            return None
        step = self._done.pop()
        now = self.state
        self._go(step.applied(now, step.before))
        step.after = now
        self._undone.append(step)
        self._count(step)
        return step.label

    def redo(self) -> str | None:
        """Does again what was undone last; its label, None if there is nothing."""
        if not self._undone:
            return None
        step = self._undone.pop()
        now = self.state
        self._go(step.applied(now, step.after))
        step.before = now
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
        names: frozenset[str] = frozenset(),
        voices: frozenset[tuple[Voice, str]] = frozenset(),
    ) -> None:
        if state == self.state:
            return
        step = _Step(label, key, self.state, state, edit, names, voices)
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
    """What was asked for or heard of a song: not what was only composed ahead, and may change."""
    if state.kept >= state.end:
        return state.score
    return extract(state.score, (0, state.grid.sample(state.kept)))


def _has_notes(state: SongState) -> bool:
    """Whether there are notes in what was asked for or heard."""
    end = state.grid.sample(state.kept)
    return any(part.notes and part.notes[0].onset < end for part in state.score.parts)


def _differ(a: SongState, b: SongState) -> bool:
    if replace(a, score=_NOTHING, kept=0) != replace(b, score=_NOTHING, kept=0):
        return True
    return min(a.kept, a.end) != min(b.kept, b.end) or asked(a) != asked(b)


_NOTHING = Score()
