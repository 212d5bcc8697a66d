"""Edits of the song, each as one step of the session; those of many notes in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lakhnes.runtime import Score, Voice
from lakhnes.runtime.music.editing import difference
from lakhnes.runtime.music.note_editing import Edited
from lakhnes.studio.jobs import Job
from lakhnes.studio.note_columns import prepare_columns
from lakhnes.studio.session import Splice
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

MANY_NOTES = 1500
"""Notes from which on an edit is done in the background, and not shown before."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """An edit that is thought through."""

    old: Score
    edited: Edited
    found: tuple[tuple[int, int], frozenset[Voice]] | None
    """Where the two differ."""


def _plan(old: Score, edited: Edited) -> _Planned:
    """Return an edit with the place where it changes a score."""
    prepare_columns(edited.score, old)
    return _Planned(old, edited, difference(old.lengthened(edited.score.length), edited.score))


def carry_out(
    studio: Studio,
    label: str,
    make: Callable[[Score], Edited],
    then: Callable[[Edited], None],
    n_notes: int,
) -> None:
    """Edit a studio's song as one step; many notes in the background.

    Args:
        studio: whose song it is.
        label: what is done, for people.
        make: gives the edited song.
        then: takes it when it is done.
        n_notes: about how many notes change.
    """
    old, edits = studio.session.state.score, studio.session.edits

    def take(planned: _Planned) -> None:
        if studio.session.edits != edits:
            studio.say(Message(f"{label}: the song changed in the meantime. Try again.", error=True))
            return
        _take(studio, label, planned)
        then(planned.edited)

    if n_notes <= MANY_NOTES:
        take(_plan(old, make(old)))
    else:
        studio.jobs.start(Job(label), lambda job: _plan(old, make(old)), take, lane="edit")


def _take(studio: Studio, label: str, planned: _Planned) -> None:
    """Take an edited score as one step; the song grows by whole bars."""
    session = studio.session
    state, new, length = session.state, planned.edited.score, planned.old.length
    if new.length > length:
        bar = state.grid.bar_ticks
        end = -(-state.grid.tick(new.length) // bar) * bar
        new = new.lengthened(state.grid.sample(end))
        first = length if planned.found is None else min(planned.found[0][0], length)
        kept = max(state.kept, state.grid.tick(new.length))
        session.splice(label, new, Splice(first, length, new.length), kept=kept, edits=state.edits + 1)
    elif planned.found is not None:
        session.edit(label, new, *planned.found, edits=state.edits + 1)


__all__ = ["MANY_NOTES", "carry_out"]
