"""Mouse gestures in the roll: selecting a span, dragging it out, moving notes, drawing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QApplication

from lakhnes.gui.roll_geometry import HEADER, TOP, Hit, Lane, Zone
from lakhnes.runtime import Note, Voice
from lakhnes.runtime.music.note_editing import changed, in_range, lifted
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.editor import Change
from lakhnes.studio.selecting import cell

if TYPE_CHECKING:
    from lakhnes.gui.roll import Roll

_Modifier = Qt.KeyboardModifier
_VOLUME_PIXELS = 6
"""By which the mouse moves for one step of volume."""


class Gesture(Protocol):
    """A button that is held."""

    def move(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Handle a move of the mouse or a change of the modifier keys."""

    def end(self) -> None:
        """Handle the release of the button."""

    def cancel(self) -> None:
        """Cancel the gesture."""


def far(place: QPointF, other: QPointF) -> bool:
    """Return whether the mouse has moved far enough for a drag."""
    return (place - other).manhattanLength() >= QApplication.startDragDistance()


class SpanGesture:
    """Selects beats of the lanes, or bars on the ruler; a mere click goes to the place."""

    def __init__(self, roll: Roll, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Begins; with Shift it extends what is selected.

        Args:
            roll: where.
            place: that was pressed.
            modifiers: keys that are held.
        """
        self._roll, self._pressed, self._modifiers = roll, place, modifiers
        self._on_ruler = place.y() < TOP
        self._moving = bool(modifiers & _Modifier.ShiftModifier) and roll.selection is not None
        if self._moving:
            self._reach(place)

    def move(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Selects up to a place."""
        self._modifiers = modifiers
        if not self._moving and far(place, self._pressed):
            self._moving = True
            self._roll.editor.selector.begin(self._cell(self._pressed), *self._voices(self._pressed))
        if self._moving:
            self._reach(place)

    def end(self) -> None:
        """Goes to the place, if nothing was selected."""
        if not self._moving:
            self._roll.set_selection(None)
            fine = bool(self._modifiers & _Modifier.AltModifier)
            self._roll.seek_requested.emit(self._cell(self._pressed, PPQ // 4 if fine else PPQ)[0])

    def cancel(self) -> None:
        """Leave the selection as it is."""

    def _reach(self, place: QPointF) -> None:
        _, voice = self._voices(place)
        self._roll.editor.selector.reach(self._cell(place), voice)
        self._roll.tell_selection()

    def _cell(self, place: QPointF, unit: int | None = None) -> tuple[int, int]:
        x = min(max(place.x(), HEADER), self._roll.viewport().width() - 1)
        return cell(self._roll.axis.tick(x), unit or self._unit())

    def _unit(self) -> int:
        """Ticks of what is selected at once."""
        if self._modifiers & _Modifier.AltModifier:
            return PPQ // 4
        return self._roll.state.grid.bar_ticks if self._on_ruler else PPQ

    def _voices(self, place: QPointF) -> tuple[Voice, Voice]:
        if self._on_ruler:
            return Voice.P1, Voice.NO
        voice = self._roll.lane_at(place.y()).voice
        return voice, voice


class DragOutGesture:
    """Drags what is selected out of the window; a mere click lets it go."""

    def __init__(self, roll: Roll, place: QPointF) -> None:
        """Begins at a place inside the selection."""
        self._roll, self._pressed = roll, place
        self._dragged = False

    def move(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Hand the drag over to the listener, who may consume the release."""
        if not self._dragged and far(place, self._pressed):
            self._dragged = True
            self._roll.held = False
            self._roll.drag_started.emit()

    def end(self) -> None:
        """Lets the selection go."""
        if not self._dragged:
            self._roll.set_selection(None)

    def cancel(self) -> None:
        """Leave the selection as it is."""


class NoteGesture:
    """Moves selected notes, resizes them at an edge, with Alt changes their volume; a click selects one."""

    def __init__(self, roll: Roll, hit: Hit, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Begins at a note.

        Args:
            roll: where.
            hit: the note, and where in it.
            place: that was pressed.
            modifiers: keys that are held: Ctrl takes the note in or out, or drags a copy.
        """
        self._roll, self._hit, self._pressed, self._modifiers = roll, hit, place, modifiers
        self._moving = False
        self._refused = False
        self._heard = hit.note.pitch
        lane = roll.lanes[hit.voice]
        self._row = lane.height / (lane.high - lane.low + 1)  # as it is now: lanes may change under way
        self._was_selected = hit.note.onset in roll.editor.pick.get(hit.voice, ())
        self._toggles = bool(modifiers & (_Modifier.ControlModifier | _Modifier.ShiftModifier))
        if not self._was_selected:
            if self._toggles:
                roll.editor.toggle(hit.voice, hit.note.onset)
            else:
                roll.editor.select({hit.voice: frozenset((hit.note.onset,))})
            roll.tell_selection()
            roll.editor.hear_note(hit.voice, hit.note)

    def move(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Shows what becomes of the notes here."""
        editor = self._roll.editor
        if self._refused or not (self._moving or far(place, self._pressed)):
            return
        if not self._moving:
            self._moving = True
            self._refused = not editor.attempt(editor.grasped)
            if self._refused:
                return
        label, change = self._change(place, modifiers)
        editor.preview(label, change, editor.grasped())
        self._roll.show_edit()

    def end(self) -> None:
        """Does it; a click selects the note alone."""
        editor, voice, note = self._roll.editor, self._hit.voice, self._hit.note
        if self._moving:
            editor.attempt(editor.finish)
        elif self._was_selected and self._toggles:
            editor.toggle(voice, note.onset)
        elif self._was_selected:
            editor.select({voice: frozenset((note.onset,))})
            editor.hear_note(voice, note)
        self._roll.show_edit()

    def cancel(self) -> None:
        """Leaves everything where it was."""
        self._roll.editor.cancel()
        self._roll.show_edit()

    def _change(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> tuple[str, Change]:
        editor, note = self._roll.editor, self._hit.note
        way = place - self._pressed
        ticks = way.x() * PPQ / self._roll.pixels_per_beat
        free = bool(modifiers & _Modifier.ShiftModifier)
        if self._modifiers & _Modifier.AltModifier:
            steps = round(-way.y() / _VOLUME_PIXELS)
            return "Volume", lambda score, pick: changed(score, pick, lambda each: each.louder(steps))
        if self._hit.zone is Zone.BODY:
            notes = lifted(self._roll.state.score, editor.pick)
            semitones = in_range(notes, round(-way.y() / self._row))
            self._hear(note.pitch + semitones)
            copy = bool(modifiers & _Modifier.ControlModifier)
            label = "Copy" if copy else "Move"
            return label, editor.moving(note.onset, ticks, semitones, free=free, copy=copy)
        start = self._hit.zone is Zone.START
        edge = note.onset if start else note.end
        return "Resize", editor.resizing(edge, ticks, free=free, start=start)

    def _hear(self, pitch: int) -> None:
        """Lets the note in the hand be heard where it comes to another pitch."""
        note = self._hit.note
        if pitch != self._heard:
            self._heard = pitch
            self._roll.editor.hear_note(self._hit.voice, Note(0, 1, pitch, note.velocity))


class DrawGesture:
    """Draws a note, as long as the mouse is drawn."""

    def __init__(self, roll: Roll, place: QPointF) -> None:
        """Begins with a note of one step."""
        self._roll, self._pressed = roll, place
        lane: Lane = roll.lane_at(place.y())
        self._voice, self._pitch = lane.voice, lane.pitch_at(place.y())
        self._refused = not roll.editor.attempt(lambda: roll.editor.unlocked((lane.voice,)))
        if not self._refused:
            self.move(place, _Modifier.NoModifier)
            roll.editor.hear_note(self._voice, Note(0, 1, self._pitch))

    def move(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Shows the note up to here."""
        if self._refused:
            return
        editor, axis = self._roll.editor, self._roll.axis
        first, last = axis.tick(self._pressed.x()), axis.tick(max(place.x(), HEADER))
        if not far(place, self._pressed):
            last = first
        free = bool(modifiers & _Modifier.ShiftModifier)
        editor.preview("Draw", editor.drawing(self._voice, first, last, self._pitch, free=free), {})
        self._roll.show_edit()

    def end(self) -> None:
        """Puts it there."""
        if not self._refused:
            self._roll.editor.attempt(self._roll.editor.finish)
            self._roll.show_edit()

    def cancel(self) -> None:
        """Leaves it."""
        self._roll.editor.cancel()
        self._roll.show_edit()


__all__ = ["DragOutGesture", "DrawGesture", "Gesture", "NoteGesture", "SpanGesture", "far"]
