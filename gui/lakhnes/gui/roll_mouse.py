"""The mouse in the roll: which gesture a press begins, and what the cursor shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent

from lakhnes.gui.roll_geometry import HEADER, RULER, TOP, Hit, Zone
from lakhnes.gui.roll_gestures import DragOutGesture, DrawGesture, Gesture, NoteGesture, SpanGesture
from lakhnes.runtime import Voice
from lakhnes.studio.selecting import Selection, cell

if TYPE_CHECKING:
    from lakhnes.gui.roll import Roll

_Modifier = Qt.KeyboardModifier
_Shape = Qt.CursorShape
_SCROLL_MS = 30
"""How often a drag beyond the edge scrolls."""


class Mouse:
    """Selects and edits with the mouse."""

    def __init__(self, roll: Roll) -> None:
        """Works in a roll."""
        self._roll = roll
        self._gesture: Gesture | None = None
        self._last = QPointF()
        self._modifiers = _Modifier.NoModifier
        self._scroller = QTimer(roll)
        self._scroller.setInterval(_SCROLL_MS)
        self._scroller.timeout.connect(self._scroll_on)

    def press(self, event: QMouseEvent) -> None:
        """Begins a gesture."""
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        place, modifiers = event.position(), event.modifiers()
        self._last, self._modifiers = place, modifiers
        if place.x() < HEADER:
            if place.y() >= TOP:
                add = bool(modifiers & (_Modifier.ShiftModifier | _Modifier.ControlModifier))
                self._choose_voice(self._roll.lane_at(place.y()).voice, add)
            return
        if RULER <= place.y() < TOP:
            self._roll.write_chord(self._roll.bar_at(place.x()))
            return
        self._roll.held = True
        self._gesture = self._gesture_at(place, modifiers)

    def _gesture_at(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> Gesture:
        roll = self._roll
        if place.y() >= TOP:
            hit = roll.hit(place)
            if hit is not None:
                return NoteGesture(roll, hit, place, modifiers)
            if roll.drawing:
                return DrawGesture(roll, place)
            if self._inside(place) and not modifiers & _Modifier.ShiftModifier:
                return DragOutGesture(roll, place)
        return SpanGesture(roll, place, modifiers)

    def move(self, event: QMouseEvent) -> None:
        """Goes on with the gesture; shows by the cursor what a press would do."""
        place = event.position()
        if self._gesture is None or not event.buttons() & Qt.MouseButton.LeftButton:
            self._show_cursor(place)
            return
        self._last, self._modifiers = place, event.modifiers()
        self._gesture.move(place, event.modifiers())
        scrolls = self._roll.held and self._beyond(place)
        if scrolls and not self._scroller.isActive():
            self._scroller.start()
        elif not scrolls:
            self._scroller.stop()

    def release(self, event: QMouseEvent) -> None:
        """Ends the gesture."""
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        gesture, self._gesture = self._gesture, None
        self._roll.held = False
        self._scroller.stop()
        if gesture is not None:
            gesture.end()

    def cancel(self) -> bool:
        """Leaves what is under way; whether anything was."""
        gesture, self._gesture = self._gesture, None
        self._roll.held = False
        self._scroller.stop()
        if gesture is not None:
            gesture.cancel()
        return gesture is not None

    def double_click(self, event: QMouseEvent) -> None:
        """Draws a note where there is none, deletes one, or on the ruler selects a bar of all voices."""
        place, roll = event.position(), self._roll
        self.cancel()
        if event.button() is not Qt.MouseButton.LeftButton or place.x() < HEADER:
            return
        if RULER <= place.y() < TOP:
            return
        if place.y() < RULER:
            roll.editor.selector.begin(
                cell(roll.axis.tick(place.x()), roll.state.grid.bar_ticks), Voice.P1, Voice.NO
            )
            roll.tell_selection()
            return
        hit = roll.hit(place)
        if hit is None:
            DrawGesture(roll, place).end()
        else:
            roll.editor.select({hit.voice: frozenset((hit.note.onset,))})
            roll.editor.attempt(roll.notes.delete)
            roll.show_edit()

    def _beyond(self, place: QPointF) -> int:
        """Pixels by which a place lies to the left (below 0) or to the right of the lanes."""
        left, right = HEADER, self._roll.viewport().width()
        return round(min(place.x() - left, 0) or max(place.x() - right + 1, 0))

    def _scroll_on(self) -> None:
        self._roll.scroll_by(max(-60, min(60, self._beyond(self._last))))
        if self._gesture is not None:
            self._gesture.move(self._last, self._modifiers)

    def _choose_voice(self, voice: Voice, add: bool) -> None:
        """Selects the whole of a voice; with `add` takes it into the selection, or out of it."""
        roll, chosen = self._roll, self._roll.selection
        if not add or chosen is None:
            roll.select_voices(frozenset((voice,)))
            return
        voices = chosen.voices ^ {voice}
        roll.set_selection(Selection(chosen.first, chosen.last, voices) if voices else None)

    def _inside(self, place: QPointF) -> bool:
        chosen, lane = self._roll.selection, self._roll.lane_at(place.y())
        if chosen is None or chosen.notes is not None:
            return False
        return chosen.holds(self._roll.axis.tick(place.x()), lane.voice)

    def _show_cursor(self, place: QPointF) -> None:
        lanes = place.x() >= HEADER and place.y() >= TOP
        shape = self._shape(self._roll.hit(place), place) if lanes else self._above(place)
        if self._roll.viewport().cursor().shape() is not shape:
            self._roll.viewport().setCursor(shape)

    @staticmethod
    def _above(place: QPointF) -> Qt.CursorShape:
        """Return the cursor for a place above the lanes."""
        return _Shape.IBeamCursor if place.x() >= HEADER and place.y() >= RULER else _Shape.ArrowCursor

    def _shape(self, hit: Hit | None, place: QPointF) -> Qt.CursorShape:
        """Return the cursor for a place in the lanes."""
        if hit is not None:
            return _Shape.SizeAllCursor if hit.zone is Zone.BODY else _Shape.SizeHorCursor
        if self._roll.drawing:
            return _Shape.CrossCursor
        return _Shape.OpenHandCursor if self._inside(place) else _Shape.ArrowCursor


__all__ = ["Mouse"]
