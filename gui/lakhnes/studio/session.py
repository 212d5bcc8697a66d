"""The session: a song's state, and undoing and redoing over everything that changes it.

A step remembers what it changed and nothing else. So what is composed while the song plays is no step, and
stays when a step before it is undone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from lakhnes.runtime import Score, Voice
from lakhnes.runtime.music.cutting import extract, with_span
from lakhnes.studio.state import SongState

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


class Session:
    """A song under work.

    Attributes:
        state: the song now.
        revision: rises with every change, whatever made it.
        edits: rises with every step that changes notes, and when one is undone or redone.
    """

    def __init__(self, state: SongState | None = None) -> None:
        """Begins with a state, an empty song if none is given."""
        self.state = state or SongState()
        self.revision = 0
        self.edits = 0
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._saved = self.state
        self._judged = (self.state, self.state, False)

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
        if self._judged[0] is not self.state or self._judged[1] is not self._saved:
            self._judged = (self.state, self._saved, _differ(self.state, self._saved))
        return self._judged[2]

    def saved(self, state: SongState) -> None:
        """Notes that a state is saved; counts as a revision, since `changed` may be another."""
        self._saved = state
        self.revision += 1

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
        self.state = step.applied(now, step.before)
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
        self.state = step.applied(now, step.after)
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
        self.state = state
        self._count(step)

    def _count(self, step: _Step) -> None:
        self.revision += 1
        self.edits += step.changes_notes


def asked(state: SongState) -> Score:
    """What was asked for or heard of a song: not what was only composed ahead, and may change."""
    if state.kept >= state.end:
        return state.score
    return extract(state.score, (0, state.grid.sample(state.kept)))


def _differ(a: SongState, b: SongState) -> bool:
    if replace(a, score=_NOTHING, kept=0) != replace(b, score=_NOTHING, kept=0):
        return True
    return min(a.kept, a.end) != min(b.kept, b.end) or asked(a) != asked(b)


_NOTHING = Score()
