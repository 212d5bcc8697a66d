"""Mouse and keys in the roll."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication

from lakhnes.gui.roll_geometry import HEADER, RULER
from lakhnes.gui.roll_selection import Selection, Selector, cell
from lakhnes.runtime import Voice
from lakhnes.runtime.time.grid import PPQ

if TYPE_CHECKING:
    from lakhnes.gui.roll import Roll

_Key = Qt.Key
_Modifier = Qt.KeyboardModifier
_SCROLL_MS = 30
"""How often a drag beyond the edge scrolls."""


class Gesture(Enum):
    """What a pressed button may become."""

    NOTHING = 0
    LANES = 1
    RULER = 2
    SELECTION = 3
    """Pressed inside the selection: to drag it away, or to let it go."""


class Mouse:
    """Selects with the mouse."""

    def __init__(self, roll: Roll, selector: Selector) -> None:
        """Selects in a roll."""
        self._roll, self._selector = roll, selector
        self._gesture = Gesture.NOTHING
        self._moving = False
        self._pressed = self._last = QPointF()
        self._modifiers = _Modifier.NoModifier
        self._scroller = QTimer(roll)
        self._scroller.setInterval(_SCROLL_MS)
        self._scroller.timeout.connect(self._scroll_on)

    def press(self, event: QMouseEvent) -> None:
        """Begins a gesture."""
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        place = event.position()
        self._pressed, self._moving, self._modifiers = place, False, event.modifiers()
        extend = bool(event.modifiers() & _Modifier.ShiftModifier)
        if place.x() < HEADER:
            self._gesture = Gesture.NOTHING
            if place.y() >= RULER:
                add = extend or bool(event.modifiers() & _Modifier.ControlModifier)
                self._choose_voice(self._roll.lane_at(place.y()).voice, add)
            return
        on_ruler = place.y() < RULER
        self._roll.held = True
        self._gesture = Gesture.RULER if on_ruler else Gesture.LANES
        if extend and self._roll.selection is not None:
            self._moving = True
            self._reach(place)
        elif not on_ruler and self._inside(place):
            self._gesture = Gesture.SELECTION

    def move(self, event: QMouseEvent) -> None:
        """Goes on with the gesture; shows by the cursor what a press would do."""
        place = event.position()
        if not event.buttons() & Qt.MouseButton.LeftButton or self._gesture is Gesture.NOTHING:
            self._show_cursor(place)
            return
        far = (place - self._pressed).manhattanLength() >= QApplication.startDragDistance()
        self._modifiers = event.modifiers()
        if self._gesture is Gesture.SELECTION:
            if far:
                self._gesture = Gesture.NOTHING
                self._roll.held = False  # whoever drags it on may keep the release to itself
                self._roll.drag_started.emit()
            return
        if far and not self._moving:
            self._moving = True
            self._begin(self._pressed)
        if self._moving:
            self._reach(place)

    def release(self, event: QMouseEvent) -> None:
        """Ends the gesture; without a move it was a click."""
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        gesture, self._gesture = self._gesture, Gesture.NOTHING
        self._roll.held = False
        self._scroller.stop()
        if gesture is Gesture.NOTHING or self._moving:
            return
        self._roll.set_selection(None)
        if gesture is not Gesture.SELECTION:
            fine = bool(self._modifiers & _Modifier.AltModifier)
            self._roll.seek_requested.emit(self._cell(self._pressed, PPQ // 4 if fine else PPQ)[0])

    def double_click(self, event: QMouseEvent) -> None:
        """Selects the bar under the mouse: of one voice, or on the ruler of all."""
        place = event.position()
        self._gesture = Gesture.NOTHING
        if event.button() is Qt.MouseButton.LeftButton and place.x() >= HEADER:
            before = self._roll.selection
            voices = self._voices(place.y() < RULER, place)
            self._selector.begin(self._cell(place, self._roll.state.grid.bar_ticks), *voices)
            self._roll.tell_selection(before)

    def _begin(self, place: QPointF) -> None:
        before = self._roll.selection
        self._selector.begin(self._cell(place), *self._voices(self._gesture is Gesture.RULER, place))
        self._roll.tell_selection(before)

    def _reach(self, place: QPointF) -> None:
        """Selects up to a place, and scrolls for as long as it lies beyond the edge."""
        self._last = place
        before = self._roll.selection
        _, voice = self._voices(self._gesture is Gesture.RULER, place)
        self._selector.reach(self._cell(place), voice)
        self._roll.tell_selection(before)
        if self._beyond(place):
            if not self._scroller.isActive():
                self._scroller.start()
        else:
            self._scroller.stop()

    def _beyond(self, place: QPointF) -> int:
        """Pixels by which a place lies to the left (below 0) or to the right of the lanes."""
        left, right = HEADER, self._roll.viewport().width()
        return round(min(place.x() - left, 0) or max(place.x() - right + 1, 0))

    def _scroll_on(self) -> None:
        self._roll.scroll_by(max(-60, min(60, self._beyond(self._last))))
        self._reach(self._last)

    def _unit(self) -> int:
        """Ticks of what is selected at once."""
        if self._modifiers & _Modifier.AltModifier:
            return PPQ // 4
        return self._roll.state.grid.bar_ticks if self._gesture is Gesture.RULER else PPQ

    def _cell(self, place: QPointF, unit: int | None = None) -> tuple[int, int]:
        x = min(max(place.x(), HEADER), self._roll.viewport().width() - 1)
        return cell(self._roll.axis.tick(x), unit or self._unit())

    def _voices(self, on_ruler: bool, place: QPointF) -> tuple[Voice, Voice]:
        if on_ruler:
            return Voice.P1, Voice.NO
        voice = self._roll.lane_at(place.y()).voice
        return voice, voice

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
        return chosen is not None and chosen.holds(self._roll.axis.tick(place.x()), lane.voice)

    def _show_cursor(self, place: QPointF) -> None:
        grab = place.x() >= HEADER and place.y() >= RULER and self._inside(place)
        shape = Qt.CursorShape.OpenHandCursor if grab else Qt.CursorShape.ArrowCursor
        if self._roll.viewport().cursor().shape() is not shape:
            self._roll.viewport().setCursor(shape)


class RollKeys:
    """Selects, scrolls and zooms with keys."""

    def __init__(self, roll: Roll, selector: Selector) -> None:
        """Serves a roll."""
        self._roll, self._selector = roll, selector
        self._plain: dict[Qt.Key, Callable[[], bool]] = {
            _Key.Key_Escape: self._clear,
            _Key.Key_Return: self._seek,
            _Key.Key_Enter: self._seek,
            _Key.Key_L: self._loop,
            _Key.Key_F: lambda: self._done(roll.zoom_to_fit),
            _Key.Key_Z: lambda: self._done(roll.zoom_to_selection),
            _Key.Key_Plus: lambda: self._done(lambda: roll.zoom(1.25)),
            _Key.Key_Equal: lambda: self._done(lambda: roll.zoom(1.25)),
            _Key.Key_Minus: lambda: self._done(lambda: roll.zoom(0.8)),
            _Key.Key_Home: lambda: self._done(lambda: self._page(-1 << 24)),
            _Key.Key_End: lambda: self._done(lambda: self._page(1 << 24)),
            _Key.Key_PageUp: lambda: self._done(lambda: self._page(-1)),
            _Key.Key_PageDown: lambda: self._done(lambda: self._page(1)),
        }

    def press(self, event: QKeyEvent) -> bool:
        """Does what a key stands for; whether it stands for something."""
        modifiers = event.modifiers() & ~_Modifier.KeypadModifier
        control, extend = _Modifier.ControlModifier, _Modifier.ShiftModifier
        key = Qt.Key(event.key())
        if key in (_Key.Key_Left, _Key.Key_Right, _Key.Key_Up, _Key.Key_Down):
            if modifiers & ~(control | extend):
                return False
            self._arrow(key, bool(modifiers & control), bool(modifiers & extend))
            return True
        if key == _Key.Key_A and modifiers == control:
            self._roll.select_all()
            return True
        if modifiers and not (modifiers == extend and key in (_Key.Key_Plus, _Key.Key_Equal)):
            return False
        action = self._plain.get(key)
        return action is not None and action()

    def _arrow(self, key: Qt.Key, by_bar: bool, extend: bool) -> None:
        roll, selector = self._roll, self._selector
        before = roll.selection
        grid = roll.state.grid
        unit = grid.bar_ticks if by_bar else PPQ
        if key in (_Key.Key_Up, _Key.Key_Down) and before is not None:
            selector.step_voice(1 if key == _Key.Key_Down else -1, extend=extend)
        else:
            selector.step(-1 if key == _Key.Key_Left else 1, unit, extend=extend, start=self._first_place())
        roll.tell_selection(before)
        chosen = roll.selection
        if chosen is not None:
            head = selector.head if extend else chosen.first
            roll.reveal(head, selector.voice)

    def _first_place(self) -> float:
        """The tick where a selection begins: at the playhead, or at the left edge if that is out of sight."""
        roll = self._roll
        left, right = roll.axis.tick(HEADER), roll.axis.tick(roll.viewport().width())
        return roll.view.place if left <= roll.view.place < right else max(0.0, left)

    def _clear(self) -> bool:
        if self._roll.selection is None:
            return False
        self._roll.set_selection(None)
        return True

    def _seek(self) -> bool:
        if self._roll.selection is None:
            return False
        self._roll.seek_requested.emit(self._roll.selection.first)
        return True

    def _loop(self) -> bool:
        """Loops the selection; ends the loop without one, or if it is looped already."""
        chosen = self._roll.selection
        span = None if chosen is None or chosen.span == self._roll.view.loop else chosen.span
        self._roll.loop_requested.emit(span)
        return True

    def _page(self, pages: int) -> None:
        bar = self._roll.horizontalScrollBar()
        self._roll.scroll_by(max(-bar.maximum(), min(bar.maximum(), pages * bar.pageStep())))

    @staticmethod
    def _done(action: Callable[[], None]) -> bool:
        action()
        return True
