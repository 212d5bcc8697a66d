"""Editing the song's bars: insert, delete, duplicate, and end the song."""

from __future__ import annotations

from collections.abc import Callable

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import OptionError, Score, Voice
from lakhnes.runtime.music.editing import extract, spliced
from lakhnes.studio.edit_steps import MANY_NOTES
from lakhnes.studio.editor import Editor
from lakhnes.studio.jobs import Job
from lakhnes.studio.note_columns import prepare_columns
from lakhnes.studio.session import Splice
from lakhnes.studio.view import Message


class BarEditor:
    """Edits the selected bars, or the one at the playhead, in all voices."""

    def __init__(self, editor: Editor) -> None:
        """Edit the selection of an editor."""
        self._editor = editor
        self._studio = editor.studio

    @property
    def bars(self) -> tuple[int, int]:
        """First tick of the meant bars and the tick after them: the selection, or the bar at the playhead."""
        chosen = self._editor.selection
        place = self._studio.playback.place
        first, last = (place, place + 1) if chosen is None else chosen.span
        bar = self._studio.session.state.grid.bar_ticks
        return first // bar * bar, -(-last // bar) * bar

    def insert(self) -> None:
        """Insert as many empty bars before the meant ones."""
        first, last = self.bars
        grid = self._studio.session.state.grid
        empty = Score(length=grid.sample(last) - grid.sample(first))
        self._splice("Insert bars", (first, first), lambda score: empty, last - first, (first, last))

    def duplicate(self) -> None:
        """Repeat the meant bars after themselves."""
        first, last = self._there()
        grid = self._studio.session.state.grid
        start, end = grid.sample(first), grid.sample(last)

        def middle(score: Score) -> Score:
            return extract(score.lengthened(end), (start, end))

        self._splice("Duplicate bars", (last, last), middle, last - first, (last, 2 * last - first))

    def delete(self) -> None:
        """Remove the meant bars; the rest moves earlier."""
        first, last = self._there()
        self._splice("Delete bars", (first, last), lambda score: Score(), 0, None)

    def trim(self) -> None:
        """End the song after the meant bars.

        Raises:
            OptionError: if it ends there or before.
        """
        state = self._studio.session.state
        _, last = self.bars
        if last >= state.end:
            raise OptionError("The song already ends here. Select an earlier bar.")
        self._check_locked(last)
        sample = state.grid.sample(last)
        score = extract(state.score, (0, sample))
        place = Splice(sample, state.score.length, sample)
        edits = state.edits + 1
        self._studio.session.splice("Trim the end", score, place, kept=last, endless=False, edits=edits)
        self._leave_out(last)
        self._editor.refresh()

    def _there(self) -> tuple[int, int]:
        """Return the meant bars, within the song.

        Raises:
            OptionError: if it has none of them.
        """
        state = self._studio.session.state
        first, last = self.bars
        if first >= state.end:
            raise OptionError("There are no bars here. Select bars of the song.")
        bar = state.grid.bar_ticks
        return first, min(last, -(-state.end // bar) * bar)

    def _splice(
        self,
        label: str,
        span: tuple[int, int],
        middle: Callable[[Score], Score],
        ticks: int,
        selected: tuple[int, int] | None,
    ) -> None:
        """Replace a span of ticks by other bars, as one step; in a long song in the background.

        Args:
            label: what is done, for people.
            span: first tick and the one after the last; the same for nothing.
            middle: gives what comes there, of the song as it is.
            ticks: how long that is.
            selected: what is selected then.
        """
        self._check_locked(span[0])
        session = self._studio.session
        old, grid, edits = session.state.score, session.state.grid, session.edits
        first, last = span
        start, end = grid.sample(first), grid.sample(last)
        length = grid.sample(first + ticks) - start

        def take(made: tuple[Score, Score]) -> None:
            state = session.state
            if session.edits != edits:
                self._studio.say(
                    Message(f"{label}: the song changed in the meantime. Try again.", error=True)
                )
                return
            score = made[1]
            if state.score is not old:  # music has come at its end since
                score = spliced(state.score, (start, end), made[0])
            before = state.score.length
            kept = max(state.kept + ticks - (last - first), first) if state.kept > first else state.kept
            place = Splice(min(start, before), max(start, min(end, before)), start + length)
            kept = max(kept, first + ticks if ticks else 0)
            session.splice(label, score, place, kept=kept, edits=state.edits + 1)
            self._leave_out(session.state.end)
            if selected is None:
                self._editor.selector.put(None)
            else:
                self._editor.select_span(*selected)

        def make() -> tuple[Score, Score]:
            between = middle(old)
            score = spliced(old, (start, end), between)
            prepare_columns(score, old)
            return between, score

        if old.n_notes <= MANY_NOTES:
            take(make())
        else:
            self._studio.jobs.start(Job(label), lambda job: make(), take, lane="edit")

    def _leave_out(self, end: int) -> None:
        """End a loop that extends beyond the song."""
        loop = self._studio.playback.loop
        if loop is not None and loop[1] > end:
            self._studio.playback.set_loop(None)

    def _check_locked(self, first: int) -> None:
        """Refuse to move or remove notes of a locked voice.

        Raises:
            OptionError: if there are any after a tick.
        """
        state = self._studio.session.state
        sample = state.grid.sample(first)
        for voice in Voice:
            notes = state.score.parts[voice].notes
            if state.voices[voice].locked and notes and notes[-1].end > sample:
                raise OptionError(
                    f"{TRACK_NAMES[voice]} is locked, so its bars cannot move. Unlock it: Ctrl+{voice + 1}."
                )


__all__ = ["BarEditor"]
