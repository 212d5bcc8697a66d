"""Keys in the roll: they select, scroll and zoom, and move the notes that are selected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from lakhnes.gui.roll_geometry import HEADER
from lakhnes.runtime.time.grid import PPQ

if TYPE_CHECKING:
    from lakhnes.gui.roll import Roll

_Key = Qt.Key
_Modifier = Qt.KeyboardModifier
_PLAIN, _SHIFT, _CONTROL, _ALT = (
    _Modifier.NoModifier,
    _Modifier.ShiftModifier,
    _Modifier.ControlModifier,
    _Modifier.AltModifier,
)
_ARROWS = {_Key.Key_Left: -1, _Key.Key_Down: -1, _Key.Key_Right: 1, _Key.Key_Up: 1}


class RollKeys:
    """Selects, edits, scrolls and zooms with keys."""

    def __init__(self, roll: Roll) -> None:
        """Serves a roll."""
        self._roll, self._selector = roll, roll.editor.selector
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
        key = Qt.Key(event.key())
        if key in _ARROWS:
            chosen = self._roll.selection
            if chosen is not None and chosen.notes is not None:
                return self._arrow_on_notes(key, modifiers)
            if modifiers & ~(_CONTROL | _SHIFT):
                return False
            self._arrow(key, bool(modifiers & _CONTROL), bool(modifiers & _SHIFT))
            return True
        if key == _Key.Key_A and modifiers == _CONTROL:
            self._roll.select_all()
            return True
        if modifiers and not (modifiers == _SHIFT and key in (_Key.Key_Plus, _Key.Key_Equal)):
            return False
        action = self._plain.get(key)
        return action is not None and action()

    def _arrow_on_notes(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Edits the notes that are selected one by one; whether the arrow stands for something with these."""
        roll, notes, editor = self._roll, self._roll.notes, self._roll.editor
        way, step = _ARROWS[key], max(editor.step, 1)
        if key in (_Key.Key_Up, _Key.Key_Down):
            actions: dict[Qt.KeyboardModifier, Callable[[], None]] = {
                _PLAIN: lambda: notes.transpose(way),
                _SHIFT: lambda: notes.transpose(12 * way),
                _ALT: lambda: notes.louder(way),
            }
        else:
            actions = {
                _PLAIN: lambda: notes.nudge(way * step),
                _SHIFT: lambda: notes.lengthen(way * step),
                _CONTROL: lambda: notes.nudge(way * roll.state.grid.bar_ticks),
                _ALT: lambda: editor.step_note(way),
            }
        action = next((do for held, do in actions.items() if held == modifiers), None)
        if action is None:
            return False
        roll.edit(action)
        chosen = roll.selection
        if chosen is not None:
            roll.reveal(chosen.first, min(chosen.voices))
        return True

    def _arrow(self, key: Qt.Key, by_bar: bool, extend: bool) -> None:
        roll, selector = self._roll, self._selector
        before = roll.selection
        grid = roll.state.grid
        unit = grid.bar_ticks if by_bar else PPQ
        if key in (_Key.Key_Up, _Key.Key_Down) and before is not None:
            selector.step_voice(1 if key == _Key.Key_Down else -1, extend=extend)
        else:
            selector.step(-1 if key == _Key.Key_Left else 1, unit, extend=extend, start=self._first_place())
        roll.tell_selection()
        chosen = roll.selection
        if chosen is not None:
            head = selector.head if extend else chosen.first
            roll.reveal(head, selector.voice)

    def _first_place(self) -> float:
        """Return the tick where a selection starts: the playhead, or the left edge if it is out of sight."""
        roll = self._roll
        left, right = roll.axis.tick(HEADER), roll.axis.tick(roll.viewport().width())
        return roll.view.place if left <= roll.view.place < right else max(0.0, left)

    def _clear(self) -> bool:
        if self._roll.leave_edit():
            return True
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
