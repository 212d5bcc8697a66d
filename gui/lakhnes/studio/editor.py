"""Editing the song by hand: the selection, the unfinished edit, and every edit as one step.

An edit that is under way, such as a drag, is shown and not yet in the song: `pending` holds it as a function,
so that it goes on with whatever is composed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from lakhnes.runtime import LakhnesError, Note, OptionError, Score, Voice
from lakhnes.runtime.music.editing import difference
from lakhnes.runtime.music.note_editing import (
    Edited,
    Pick,
    Placed,
    begun_in,
    lifted,
    moved,
    overlaid,
    resized,
)
from lakhnes.runtime.music.score import FULL_VELOCITY
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.edit_steps import MANY_NOTES, carry_out
from lakhnes.studio.selecting import Selection, Selector, by_voice, cell
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message
from lakhnes.studio.voice_names import voice_names

STEPS = {
    "1/4": PPQ,
    "1/8": PPQ // 2,
    "1/8 triplet": PPQ // 3,
    "1/16": PPQ // 4,
    "1/16 triplet": PPQ // 6,
    "1/32": PPQ // 8,
    "off": 1,
}
"""Ticks of the steps that notes are put on, by name."""

USUAL_STEP = "1/16"

NOTHING = "Select notes first: click one, or drag over some."

Change = Callable[[Score, Pick], Edited]
"""An edit of some notes."""


def _count(pick: Pick) -> int:
    return sum(map(len, pick.values()))


class Editor:
    """Edits the selection in a studio's song.

    Attributes:
        selector: what is selected.
        step: ticks of the step that notes are put on.
        hear: whether a note is heard when it is selected or gets another pitch.
    """

    def __init__(self, studio: Studio) -> None:
        """Begins with nothing selected."""
        self.studio = studio
        self.selector = Selector()
        self.step = STEPS[USUAL_STEP]
        self.hear = True
        self._pending: tuple[str, Change, Pick] | None = None
        self._previewed: tuple[SongState, Change, SongState, Pick] | None = None

    # Selection

    @property
    def selection(self) -> Selection | None:
        """The selection."""
        return self.selector.selection

    @property
    def pick(self) -> Pick:
        """The notes that are selected."""
        chosen, state = self.selection, self.state
        return {} if chosen is None else chosen.pick(state.score, state.grid)

    def select(self, pick: Pick) -> None:
        """Selects notes one by one."""
        state = self.state
        self._limit(state)
        self.selector.put(Selection.of_notes(state.score, state.grid, pick))

    def select_span(self, first: int, last: int, voices: Collection[Voice] = tuple(Voice)) -> None:
        """Selects a span of ticks of some voices."""
        self._limit(self.state)
        self.selector.put(Selection(first, last, frozenset(voices)))

    def toggle(self, voice: Voice, onset: int) -> None:
        """Takes a note into the selection, or out of it."""
        pick = dict(self.pick)
        pick[voice] = pick.get(voice, frozenset()) ^ {onset}
        self.select(pick)

    def name_notes(self) -> None:
        """Selects the notes of the selected span one by one; without one, the note at the playhead."""
        pick = self.pick
        if not pick:
            voice, note = self.selector.voice, self.note_at(self.selector.voice, self.studio.playback.place)
            pick = {} if note is None else {voice: frozenset((note.onset,))}
        self.select(pick)
        self.hear_first()

    def step_note(self, way: int) -> None:
        """Selects the next note of the voice (1) or the one before (-1)."""
        pick = self.pick
        voice = min(pick, default=self.selector.voice)
        onsets = [note.onset for note in self.state.score.parts[voice].notes]
        mine = pick.get(voice, frozenset())
        others = [o for o in onsets if o > max(mine)] if way > 0 and mine else onsets
        if way < 0 and mine:
            others = [onset for onset in onsets if onset < min(mine)][::-1]
        if others:
            self.select({voice: frozenset(others[:1])})
            self.hear_first()

    def refresh(self, state: SongState | None = None) -> None:
        """Lets go of what the song does not have any more.

        Args:
            state: the song as it is shown; the session's if None.
        """
        chosen, state = self.selection, state or self.state
        self._limit(state)
        if chosen is not None and chosen.notes is not None:
            pick = chosen.pick(state.score, state.grid)
            if sum(map(len, pick.values())) != len(chosen.notes):
                self.selector.put(Selection.of_notes(state.score, state.grid, pick))

    def note_at(self, voice: Voice, tick: float) -> Note | None:
        """Return the note of a voice that sounds at a tick, or the next one."""
        sample = self.state.grid.sample(round(tick))
        return next((note for note in self.state.score.parts[voice].notes if note.end > sample), None)

    # Edits that are shown before they are done

    def shown(self, state: SongState) -> SongState:
        """Return a state with the unfinished edit in it."""
        if self._pending is None or _count(self._pending[2]) > MANY_NOTES:
            return state
        _, change, pick = self._pending
        if self._previewed is None or self._previewed[0] is not state or self._previewed[1] is not change:
            edited = change(state.score, pick)
            self._previewed = state, change, replace(state, score=edited.score), edited.notes
        return self._previewed[2]

    @property
    def marked(self) -> Pick:
        """The notes that are selected one by one, where they are shown."""
        if self._previewed is not None:
            return self._previewed[3]
        chosen = self.selection
        return {} if chosen is None or chosen.notes is None else by_voice(chosen.notes)

    def preview(self, label: str, change: Change, pick: Pick) -> None:
        """Shows an edit of some notes that is under way."""
        self._pending = label, change, pick

    def cancel(self) -> None:
        """Leaves what is under way undone."""
        self._pending = self._previewed = None

    def finish(self) -> None:
        """Does what is under way, as one step."""
        pending = self._pending
        self.cancel()
        if pending is not None:
            label, change, pick = pending
            self.carry_out(
                label,
                lambda score: change(score, pick),
                lambda edited: self.select(edited.notes),
                n_notes=_count(pick),
            )

    def grasped(self) -> Pick:
        """Return the notes that may move: selected and not locked.

        Raises:
            OptionError: if nothing is, or all of it is locked.
        """
        pick = self.pick
        if not pick:
            raise OptionError(NOTHING)
        free = self.unlocked(pick)
        return {voice: pick[voice] for voice in pick if voice in free}

    def moving(self, anchor: int, ticks: float, semitones: int, *, free: bool, copy: bool) -> Change:
        """Return an edit that moves notes so that one of them stays on the step.

        Args:
            anchor: the onset of that one, in samples.
            ticks: how much later.
            semitones: how much higher.
            free: whether it may come to lie between the steps.
            copy: whether the notes stay where they are as well.
        """
        grid = self.state.grid
        here = grid.tick(anchor)
        there = here + ticks if free or abs(ticks) < 1 else self.snapped(here + ticks)
        samples = grid.sample(round(there)) - grid.sample(here)
        return lambda score, pick: moved(score, pick, samples, semitones, copy=copy)

    def resizing(self, edge: int, ticks: float, *, free: bool, start: bool) -> Change:
        """Return an edit that moves the ends of notes, or their starts.

        Args:
            edge: the edge that a hand has, in samples.
            ticks: how much later it is to be.
            free: whether it may come to lie between the steps.
            start: whether it is a start.
        """
        grid = self.state.grid
        here = grid.tick(edge)
        there = here + ticks if free else self.snapped(here + ticks)
        samples = grid.sample(round(there)) - edge
        least = grid.sample(1 if free else self.step)
        return lambda score, pick: resized(score, pick, samples, least, start=start)

    def drawing(self, voice: Voice, first: float, last: float, pitch: int, *, free: bool) -> Change:
        """Return an edit that draws a note between two ticks in any order, at least a step long."""
        state, step = self.state, 1 if free else self.step
        early, late = sorted((max(0.0, first), max(0.0, last)))
        start, end = cell(early, step)[0], cell(late, step)[1]
        onset, grid = state.grid.sample(start), state.grid
        before = [note for note in state.score.parts[voice].notes if note.onset <= onset][-1:]
        velocity = before[0].velocity if before else FULL_VELOCITY
        new = Placed(voice, Note(onset, grid.sample(end) - onset, pitch, velocity))
        return lambda score, pick: overlaid(score, pick, [new])

    def snapped(self, tick: float) -> int:
        """Return the step nearest to a tick, not before the song."""
        return max(0, round(tick / self.step) * self.step)

    # Edits that are done

    def undo(self) -> None:
        """Undo the last step; if single notes are selected, the restored notes become the selection."""
        self._go(self.studio.session.undo)

    def redo(self) -> None:
        """Redo the last undone step."""
        self._go(self.studio.session.redo)

    def attempt(self, what: Callable[[], object]) -> bool:
        """Carry out an edit and return whether it was done; a message says why not."""
        try:
            what()
        except LakhnesError as error:  # a refused edit is a hint that may go; other errors are problems
            self.studio.say(Message(str(error), error=not isinstance(error, OptionError)))
            return False
        return True

    def hear_note(self, voice: Voice, note: Note) -> None:
        """Play a note, unless that is switched off or the song plays."""
        if self.hear:
            self.studio.playback.hear_note(voice, note.pitch, note.velocity)

    # How it is done

    @property
    def state(self) -> SongState:
        """The song."""
        return self.studio.session.state

    def _limit(self, state: SongState) -> None:
        """Limit the selection to the song's last bar."""
        bar = state.grid.bar_ticks
        self.selector.set_limit(-(-state.end // bar) * bar)

    def unlocked(self, voices: Collection[Voice]) -> frozenset[Voice]:
        """Return the unlocked ones of some voices; a message names the locked ones.

        Raises:
            OptionError: if all are.
        """
        locked = sorted(voice for voice in voices if self.state.voices[voice].locked)
        if locked:
            text = f"{voice_names(locked)} {'is' if len(locked) == 1 else 'are'} locked, so those notes stay."
            if len(locked) == len(set(voices)):
                raise OptionError(f"{text} Unlock to edit them: Ctrl+{locked[0] + 1}.")
            self.studio.say(Message(text))
        return frozenset(voices) - frozenset(locked)

    def change(self, label: str, change: Change, *, follow: bool = False) -> None:
        """Change the selected notes, as one step.

        Args:
            label: what is done, for people.
            change: what it does to them.
            follow: whether notes that come of a selected span are selected instead of it.

        Raises:
            OptionError: if there are none, or all are locked, or it cannot be done to them.
        """
        chosen, pick = self.selection, self.grasped()
        follow = follow or chosen is None or chosen.notes is not None

        def then(edited: Edited) -> None:
            if follow:
                self.select(edited.notes)

        self.carry_out(label, lambda score: change(score, pick), then, n_notes=_count(pick))

    def carry_out(
        self,
        label: str,
        make: Callable[[Score], Edited],
        then: Callable[[Edited], None] = lambda edited: None,
        *,
        n_notes: int = 0,
    ) -> None:
        """Edit the song as one step; many notes in the background.

        Args:
            label: what is done, for people.
            make: gives the edited song.
            then: takes it when it is done.
            n_notes: about how many notes change.
        """
        carry_out(self.studio, label, make, then, n_notes)

    def _go(self, step: Callable[[], str | None]) -> None:
        """Undo or redo a step, and select the notes that it restores."""
        before, chosen = self.state.score, self.selection
        step()
        after = self.state.score
        named = chosen is not None and chosen.notes is not None
        found = difference(before, after) if named and after.length == before.length else None
        if found is not None:
            span, voices = found
            there = lifted(after, begun_in(after, span, voices))
            old = {voice: set(before.parts[voice].notes) for voice in voices}
            new = [each for each in there if each.note not in old[each.voice]]
            if new:
                self.select({v: frozenset(e.note.onset for e in new if e.voice is v) for v in voices})
        self.refresh()

    def hear_first(self) -> None:
        """Play the first of the single selected notes."""
        named = None if self.selection is None else self.selection.notes
        if named:
            voice, onset = min(named, key=lambda each: (each[1], each[0]))
            for each in lifted(self.state.score, {voice: frozenset((onset,))}):
                self.hear_note(each.voice, each.note)


__all__ = ["NOTHING", "STEPS", "USUAL_STEP", "Change", "Editor"]
