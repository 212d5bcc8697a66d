"""What is done to the song, at hand below it: new, continue, regenerate, undo, takes, drag out, export."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

from lakhnes.gui.buttons import Button

_LEFT = (
    ("new", "New", "new", "Another song, with another seed; around the voices that are locked"),
    ("continue", "Continue", "more", "Compose eight bars more"),
    ("regenerate", "Regenerate", "again", "Compose the selection anew, four times"),
    ("undo", "", "undo", "Take the last step back"),
    ("redo", "", "redo", "Do again what was undone"),
)


class DragHandle(Button):
    """A button that is dragged, not pressed.

    Attributes:
        dragged: somebody pulls at it; `clicked` if they only press it.
    """

    dragged = Signal()

    def __init__(self) -> None:
        """A handle at rest."""
        tip = "Drag the selection, or the whole song, into the DAW as MIDI; with Alt a file for each voice"
        super().__init__("Drag out", tip, shape="drag", text="Drag")
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self._pressed: QPointF | None = None

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begins to pull."""
        self._pressed = event.position()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Pulls; far enough, it is a drag."""
        if self._pressed is not None:
            way = (event.position() - self._pressed).manhattanLength()
            if way >= QApplication.startDragDistance():
                self._pressed = None
                self.setDown(False)
                self.dragged.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Lets go."""
        self._pressed = None
        super().mouseReleaseEvent(event)


class SongBar(QWidget):
    """The row of it.

    Attributes:
        dragged: the song is to be dragged out.
    """

    dragged = Signal()

    def __init__(self, takes: QWidget, parent: QWidget | None = None) -> None:
        """A row around the choice of takes."""
        super().__init__(parent)
        self.setObjectName("song-bar")
        self.buttons: dict[str, Button] = {}
        self.handle = DragHandle()
        self.handle.dragged.connect(self.dragged)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._takes = takes

    def add(self, commands: Mapping[str, QAction]) -> None:
        """Puts buttons for commands into the row."""
        for name, text, shape, tip in _LEFT:
            self._row.addWidget(self._button(commands[name], text, shape, tip))
        self._row.addWidget(self._takes)
        self._row.addStretch(1)
        self._row.addWidget(self.handle)
        self._row.addWidget(self._button(commands["export"], "Export…", "save", "Write files of any kind"))

    def _button(self, action: QAction, text: str, shape: str, tip: str) -> Button:
        keys = action.shortcut().toString()
        button = Button(action.objectName().capitalize(), f"{tip} ({keys})", shape=shape, text=text)
        button.clicked.connect(action.trigger)
        action.enabledChanged.connect(button.setEnabled)
        self.buttons[action.objectName()] = button
        return button
