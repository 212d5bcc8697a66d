"""The bar of commands below the roll: new, continue, regenerate, undo, draw, drag out, export."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import Combo, caption
from lakhnes.gui.flow import Flow, grouped
from lakhnes.studio.editor import STEPS, USUAL_STEP

_LEFT = (
    ("new", "New", "new", "New song with a random seed; locked voices stay"),
    ("continue", "Continue", "more", "Compose eight more bars"),
    ("regenerate", "Regenerate", "again", "Compose four new takes of the selection"),
    ("undo", "", "undo", "Undo the last change"),
    ("redo", "", "redo", "Redo the last undone change"),
    ("draw", "Draw", "draw", "Draw notes with the mouse; when off, drag to select"),
)


LENGTHS = (0, 4, 8, 16, 32, 64)
"""Lengths of a new song in bars; 0 for an open-ended one."""


class DragHandle(Button):
    """A button that is dragged, not pressed.

    Attributes:
        dragged: somebody pulls at it; `clicked` if they only press it.
    """

    dragged = Signal()

    def __init__(self) -> None:
        """Make a handle."""
        tip = "Drag the selection or the whole song into the DAW as MIDI; Alt: one file per voice"
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
        step_chosen: the name of the steps that notes are to be put on.
        step: the choice of it.
        length_chosen: emitted with the length of new songs in bars; 0 for open-ended.
        length: the choice of it.
    """

    dragged = Signal()
    step_chosen = Signal(str)
    length_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty bar."""
        super().__init__(parent)
        self.setObjectName("song-bar")
        self.buttons: dict[str, Button] = {}
        self.handle = DragHandle()
        self.handle.dragged.connect(self.dragged)
        self.step = Combo("Step", "Notes snap to this step when you draw, move or resize them")
        self.step.addItems(list(STEPS))
        self.step.activated.connect(lambda: self.step_chosen.emit(self.step.currentText()))
        self.length = Combo("Length of a new song", "Length of a new song")
        for bars in LENGTHS:
            self.length.addItem(f"{bars} bars" if bars else "open-ended", bars)
        self.length.setMinimumContentsLength(9)
        self.length.activated.connect(lambda: self.length_chosen.emit(self.length.currentData()))
        self._flow = Flow(self)

    def add(self, commands: Mapping[str, QAction], *, step: str = USUAL_STEP, bars: int = 0) -> None:
        """Puts buttons for commands into the row.

        Args:
            commands: the actions, by name.
            step: the steps that are chosen at first.
            bars: how long new songs are at first.
        """
        self.step.setCurrentText(step)
        if self.length.findData(bars) < 0:
            self.length.addItem(f"{bars} bars", bars)
        self.length.setCurrentIndex(self.length.findData(bars))
        for name, text, shape, tip in _LEFT:
            button = self._button(commands[name], text, shape, tip)
            self._flow.add(grouped(button, self.length) if name == "new" else button)
        self._flow.add(grouped(caption("Step", self.step), self.step))
        self._flow.add(self.handle)
        self._flow.add(self._button(commands["export"], "Export…", "save", "Export to a file"))

    def _button(self, action: QAction, text: str, shape: str, tip: str) -> Button:
        keys = action.shortcut().toString()
        switch = action.isCheckable()
        name = action.objectName().capitalize()
        button = Button(name, f"{tip} ({keys})", shape=shape, text=text, checkable=switch)
        button.clicked.connect(action.trigger)
        action.enabledChanged.connect(button.setEnabled)
        action.toggled.connect(button.setChecked)
        self.buttons[action.objectName()] = button
        return button
