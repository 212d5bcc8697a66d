"""Commands for the selected notes: cut, copy, paste, transpose, quantise, split, join.

Each command is one step, and refuses with an `OptionError` where nothing is selected or all of it is locked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import Note, OptionError, Score, Voice
from lakhnes.runtime.music.events import octave_shifted
from lakhnes.runtime.music.note_editing import (
    Edited,
    Pick,
    Placed,
    begun_in,
    changed,
    cleared,
    in_range,
    joined,
    lifted,
    moved,
    overlaid,
    quantised,
    resized,
    split,
)
from lakhnes.studio.editor import NOTHING, STEPS, USUAL_STEP, Editor
from lakhnes.studio.selecting import cell


@dataclass(frozen=True, slots=True)
class _Clip:
    """The clipboard: copied notes of a song."""

    score: Score
    start: int
    """Sample of the song where it begins."""
    length: int
    """Samples."""
    bpm: float
    """The tempo in which its samples count."""
    voices: frozenset[Voice]
    notes: Pick | None
    """The notes that were selected one by one; None for a span with its rests."""

    @property
    def n_notes(self) -> int:
        """About how many notes it has."""
        return self.score.n_notes if self.notes is None else sum(map(len, self.notes.values()))

    def length_at(self, bpm: float) -> int:
        """Samples that it takes in a tempo."""
        return round(self.length * self.bpm / bpm)

    def at(self, sample: int, bpm: float, voices: Collection[Voice]) -> list[Placed]:
        """Return its notes of some voices, moved to a sample and converted to a tempo."""
        factor, end = self.bpm / bpm, self.start + self.length
        pick = begun_in(self.score, (self.start, end), voices) if self.notes is None else self.notes
        placed = []
        for each in lifted(self.score, {voice: pick[voice] for voice in voices if voice in pick}):
            last = each.note.end if self.notes is not None else min(each.note.end, end)
            here = each.spanning(each.note.onset, last).moved(-self.start)
            if factor != 1:
                swells = tuple(replace(swell, sample=round(swell.sample * factor)) for swell in here.swells)
                onset, off = (round(place * factor) for place in (here.note.onset, here.note.end))
                here = replace(here, swells=swells).spanning(onset, off)
            placed.append(here.moved(sample))
        return placed


class NoteCommands:
    """Commands for what an editor selects, and the clipboard.

    Attributes:
        editor: what they edit with.
    """

    def __init__(self, editor: Editor) -> None:
        """Begins with nothing copied."""
        self.editor = editor
        self._clip: _Clip | None = None

    def delete(self, label: str = "Delete") -> None:
        """Takes the selected notes out."""
        self.editor.change(label, lambda score, pick: overlaid(score, pick, ()))

    def copy(self) -> None:
        """Copies what is selected; of a span the rests as well."""
        self._clip = self._copied()

    def cut(self) -> None:
        """Copies what is selected, and takes it out."""
        self.editor.grasped()
        self.copy()
        self.delete("Cut")

    def paste(self) -> None:
        """Lays what was copied at the playhead."""
        if self._clip is None:
            raise OptionError("Nothing has been copied yet. Select notes and press Ctrl+C.")
        place = cell(self.editor.studio.playback.place, self.editor.step)[0]
        self._paste("Paste", self._clip, self.editor.state.grid.sample(place))

    def duplicate(self) -> None:
        """Lays what is selected once more, right after itself."""
        copied = self._copied()
        chosen, state = self.editor.selection, self.editor.state
        assert chosen is not None
        ticks = chosen.last - chosen.first
        if chosen.notes is not None:
            ticks = -(-ticks // self.editor.step) * self.editor.step
        self._paste("Duplicate", copied, state.grid.sample(chosen.first + ticks))

    def _copied(self) -> _Clip:
        chosen, state = self.editor.selection, self.editor.state
        if chosen is None:
            raise OptionError(NOTHING)
        first, last = (state.grid.sample(tick) for tick in chosen.span)
        notes = None
        if chosen.notes is not None:
            notes = self.editor.pick
            if not notes:  # they are gone
                raise OptionError(NOTHING)
            first = min(min(onsets) for onsets in notes.values())
        return _Clip(state.score, first, last - first, state.composed_bpm, chosen.voices, notes)

    def _paste(self, label: str, clip: _Clip, sample: int) -> None:
        state = self.editor.state
        free = self.editor.unlocked(clip.voices)
        end = sample + clip.length_at(state.composed_bpm)

        def make(score: Score) -> Edited:
            laid = clip.at(sample, state.composed_bpm, free)
            if clip.notes is not None:
                return overlaid(score, {}, laid)
            return overlaid(cleared(score, (sample, end), free), {}, laid, length=end)

        def then(edited: Edited) -> None:
            if clip.notes is not None:
                self.editor.select(edited.notes)
            else:
                self.editor.select_span(state.grid.tick(sample), state.grid.tick(end), free)

        self.editor.carry_out(label, make, then, n_notes=clip.n_notes)

    def transpose(self, semitones: int) -> None:
        """Moves the selected notes up or down, all or none; the noise's where it is selected alone.

        Raises:
            OptionError: if one would leave the range of its voice.
        """

        def transposed(score: Score, pick: Pick) -> Edited:
            meant: Pick = {voice: pick[voice] for voice in pick if voice is not Voice.NO} or pick
            if in_range(lifted(score, meant), semitones) != semitones:
                raise OptionError("Some notes would leave the range of their voice, so none were moved.")
            edited = moved(score, meant, 0, semitones)
            return replace(edited, notes={**pick, **edited.notes})

        self.editor.change("Transpose by an octave" if abs(semitones) == 12 else "Transpose", transposed)
        self.editor.hear_first()

    def nudge(self, ticks: int) -> None:
        """Moves the selected notes later, or earlier below 0; the first of them to the start at most."""
        pick = self.editor.grasped()
        state = self.editor.state
        first = min(min(onsets) for onsets in pick.values())
        here = state.grid.tick(first)
        there = max(0, here + ticks)
        samples = state.grid.sample(there) - state.grid.sample(here)
        self.editor.change("Move", lambda score, pick: moved(score, pick, samples), follow=True)

    def lengthen(self, ticks: int) -> None:
        """Makes the selected notes longer, or shorter."""
        grid = self.editor.state.grid
        least = grid.sample(min(self.editor.step, abs(ticks)))
        samples = grid.sample(abs(ticks)) * (1 if ticks > 0 else -1)
        self.editor.change("Resize", lambda score, pick: resized(score, pick, samples, least))

    def louder(self, steps: int) -> None:
        """Makes the selected notes louder, or softer, by steps of the chip's volume.

        Raises:
            OptionError: if only the triangle's are selected, which has one volume.
        """
        if set(self.editor.grasped()) == {Voice.TR}:
            raise OptionError("The triangle has a fixed volume, so its notes stay as they are.")
        self.editor.change(
            "Volume", lambda score, pick: changed(score, pick, lambda each: each.louder(steps))
        )
        self.editor.hear_first()

    def quantise(self) -> None:
        """Puts the selected notes on the steps; on sixteenths where there are none."""
        grid, step = self.editor.state.grid, self.editor.step if self.editor.step > 1 else STEPS[USUAL_STEP]

        def nearest(sample: int) -> int:
            return grid.sample(round(grid.tick(sample) / step) * step)

        self.editor.change("Quantise", lambda score, pick: quantised(score, pick, nearest))

    def split(self) -> None:
        """Splits the selected notes at the playhead; in the middle where it stands in none of them."""
        grid, score = self.editor.state.grid, self.editor.state.score
        here = grid.sample(self.editor.studio.playback.place)
        notes = [each.note for each in lifted(score, self.editor.grasped())]
        at_playhead = any(note.onset < here < note.end for note in notes)

        def place(note: Note) -> int:
            if at_playhead:
                return here
            middle = (note.onset + note.end) // 2
            on_step = grid.sample(self.editor.snapped(grid.tick(middle)))
            return on_step if note.onset < on_step < note.end else middle

        self.editor.change("Split", lambda score, pick: split(score, pick, place))

    def join(self) -> None:
        """Makes one note of those that are selected in each voice.

        Raises:
            OptionError: if there are not two in any.
        """
        if all(len(onsets) < 2 for onsets in self.editor.grasped().values()):
            raise OptionError("Select two or more notes of one voice to join them.")
        self.editor.change("Join", joined)

    def to_voice(self, voice: Voice) -> None:
        """Gives the selected notes to another voice, shifted by octaves where it is too low or too high."""
        self.editor.unlocked((voice,))
        notes = [each.of(voice) for each in lifted(self.editor.state.score, self.editor.grasped())]
        laid = [each.moved(0, octave_shifted(voice, each.note.pitch) - each.note.pitch) for each in notes]
        label = f"To {TRACK_NAMES[voice].lower()}"
        self.editor.change(label, lambda score, pick: overlaid(score, pick, laid), follow=True)


__all__ = ["NoteCommands"]
