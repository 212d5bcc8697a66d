"""The takes of what was composed anew: each heard in its place by choosing it."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QProgressBar, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import caption

_KEYS = 4  # takes that have a key: F2 to F5


class TakesToChoose(Protocol):
    """What is chosen from; `lakhnes.studio.takes.Takes` is it."""

    active: bool
    """Whether there is something to choose from, or coming."""
    count: int
    """Takes that were asked for."""
    chosen: int | None
    """Which of them is in the song; None for what was there before."""

    @property
    def ready(self) -> int:
        """How many takes are there."""

    def choose(self, index: int | None) -> None:
        """Puts one into the song; None for what was there before."""

    def again(self) -> None:
        """Asks for more."""

    def done(self) -> None:
        """What is chosen stays; the rest is forgotten."""

    def cancel(self) -> None:
        """Composes no more; what is there can be chosen."""


class TakesBar(QWidget):
    """A button for each take as it comes; hidden where there are none."""

    def __init__(self, takes: TakesToChoose, parent: QWidget | None = None) -> None:
        """Chooses from takes.

        Args:
            takes: what is chosen from.
            parent: where it is.
        """
        super().__init__(parent)
        self._takes = takes
        self._shown: tuple[bool, int, int, int | None] | None = None
        self.setObjectName("takes")
        self.before = Button("Before", "As it was before (F1)", text="Before", checkable=True)
        self.buttons: list[Button] = []
        self.progress = QProgressBar()
        self.progress.setObjectName("takes-progress")
        self.progress.setTextVisible(False)
        self.progress.setMaximumWidth(160)
        self.stop = Button("Stop composing takes", "Compose no more takes (Escape)", text="Stop")
        self.again = Button("Four more", "Compose four more takes", text="More")
        self.keep = Button("Keep", "Keep what is chosen, and forget the other takes", text="Keep")
        self._group = QButtonGroup(self)
        self._group.addButton(self.before)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(caption("Takes", self.before))
        row.addWidget(self.before)
        self._places = QHBoxLayout()
        row.addLayout(self._places)
        for widget in (self.progress, self.stop, self.again, self.keep):
            row.addWidget(widget)
        row.addStretch(1)
        self.before.clicked.connect(lambda: self._choose(None))
        self.stop.clicked.connect(self._stop)
        self.again.clicked.connect(self._again)
        self.keep.clicked.connect(self._keep)
        self.refresh()

    def refresh(self) -> None:
        """Shows how things are; called at each poll."""
        takes = self._takes
        shown = takes.active, takes.count, takes.ready, takes.chosen
        if shown == self._shown:
            return
        self._shown = shown
        active, count, ready, chosen = shown
        self.setVisible(active)
        self._make_buttons(count)
        for index, button in enumerate(self.buttons):
            button.setEnabled(index < ready)
        button = self.before if chosen is None else self.buttons[chosen]
        button.setChecked(True)
        coming = ready < count
        self.progress.setRange(0, max(1, count))
        self.progress.setValue(ready)
        self.progress.setAccessibleName(f"{ready} of {count} takes are there")
        self.progress.setVisible(coming)
        self.stop.setVisible(coming)
        self.again.setEnabled(not coming)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Stops on Escape."""
        if event.key() == Qt.Key.Key_Escape and self._takes.ready < self._takes.count:
            self._stop()
        else:
            super().keyPressEvent(event)

    def _make_buttons(self, count: int) -> None:
        """Has a button for each take that was asked for."""
        while len(self.buttons) < count:
            number = len(self.buttons) + 1
            key = f" (F{number + 1})" if number <= _KEYS else ""
            button = Button(f"Take {number}", f"Take {number}{key}", text=str(number), checkable=True)
            button.clicked.connect(lambda _=False, index=number - 1: self._choose(index))
            self._group.addButton(button)
            self._places.addWidget(button)
            self.buttons.append(button)
            QWidget.setTabOrder(self.buttons[-2] if number > 1 else self.before, button)
        while len(self.buttons) > count:
            button = self.buttons.pop()
            self._group.removeButton(button)
            self._places.removeWidget(button)
            button.hide()
            button.deleteLater()

    def _choose(self, index: int | None) -> None:
        self._takes.choose(index)
        self._shown = None  # the button went down by itself, whatever became of it
        self.refresh()

    def _stop(self) -> None:
        self._takes.cancel()
        self.refresh()

    def _again(self) -> None:
        self._takes.again()
        self.refresh()

    def _keep(self) -> None:
        self._takes.done()
        self.refresh()
