"""The field in which chords are written over the roll."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

_HELP = (
    "One chord for this bar, or several for the bars from here on: C, Am7, F/G. Return sets it, Tab moves "
    "to the next bar, Escape cancels. Leave empty for no chord."
)


class ChordField(QLineEdit):
    """A text field over a bar, visible while a user types in it.

    Attributes:
        left: emitted when it closes.
    """

    left = Signal()

    def __init__(
        self, parent: QWidget, write: Callable[[int, str], bool], go_on: Callable[[int], None]
    ) -> None:
        """Make a closed field.

        Args:
            parent: the widget that it lies over.
            write: takes the bar and the typed text; returns whether it was accepted.
            go_on: opens the field over another bar.
        """
        super().__init__(parent)
        self._write, self._go_on, self._bar, self._before = write, go_on, 0, ""
        self.setObjectName("chord-field")
        self.setAccessibleDescription(_HELP)
        self.setToolTip(_HELP)
        self.returnPressed.connect(self._enter)
        self.hide()

    def open(self, bar: int, text: str, place: QRect) -> None:
        """Open the field over a bar.

        Args:
            bar: number of the bar, from 0.
            text: the current chord.
            place: area of the field.
        """
        self._bar, self._before = bar, text
        self.setAccessibleName(f"Chord of bar {bar + 1}")
        self.setText(text)
        self.selectAll()
        self.setGeometry(place)
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _finish(self) -> bool:
        """Writes what was typed; whether it was taken."""
        return self.text() == self._before or self._write(self._bar, self.text())

    def _enter(self) -> None:
        if self._finish():
            self._close()

    def _close(self) -> None:
        self._before = self.text()
        if self.isVisible():
            self.hide()
            self.left.emit()

    def event(self, event: QEvent) -> bool:
        """Goes on to another bar with Tab, which Qt would take for the next control."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            ways = {Qt.Key.Key_Tab: 1, Qt.Key.Key_Backtab: -1}
            way = ways.get(Qt.Key(event.key()))
            if way is not None:
                if self._finish():
                    self._go_on(max(0, self._bar + way))
                return True
            if event.key() == Qt.Key.Key_Escape:
                self._close()
                return True
        if event.type() == QEvent.Type.FocusOut and self.isVisible():
            self._finish()
            self._close()
        return super().event(event)


__all__ = ["ChordField"]
