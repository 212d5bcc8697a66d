"""The bar of takes: choosing a take puts it in its place in the song."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QProgressBar, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import caption
from lakhnes.gui.flow import Flow, grouped

_KEYS = 4  # takes that have a key: F2 to F5


class TakesToChoose(Protocol):
    """The takes to choose from; `lakhnes.studio.takes.Takes` implements it."""

    active: bool
    """Whether there is something to choose from, or coming."""
    count: int
    """Takes that were asked for."""
    chosen: int | None
    """The take in the song; None for the old notes."""

    @property
    def ready(self) -> int:
        """How many takes are ready."""

    def choose(self, index: int | None) -> None:
        """Put a take into the song; None for the old notes."""

    def again(self) -> None:
        """Asks for more."""

    def done(self) -> None:
        """Keep the chosen take and discard the rest."""

    def cancel(self) -> None:
        """Stop composing; finished takes can still be chosen."""


class TakesBar(QWidget):
    """A button for each take; hidden if there are none."""

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
        self.before = Button("Before", "The notes before regenerating (F1)", text="Before", checkable=True)
        self.buttons: list[Button] = []
        self.progress = QProgressBar()
        self.progress.setObjectName("takes-progress")
        self.progress.setTextVisible(False)
        self.progress.setMaximumWidth(160)
        self.stop = Button("Stop composing takes", "Stop composing takes (Escape)", text="Stop")
        self.again = Button("Four more", "Compose four more takes", text="More")
        self.keep = Button("Keep", "Keep the chosen take and discard the others", text="Keep")
        self._group = QButtonGroup(self)
        self._group.addButton(self.before)
        self._flow = Flow(self)
        self._flow.add(grouped(caption("Takes", self.before), self.before))
        for widget in (self.progress, self.stop, self.again, self.keep):
            self._flow.add(widget)
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
        self.progress.setAccessibleName(f"{ready} of {count} takes are ready")
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
            self._flow.insert(number, button)
            self.buttons.append(button)
            QWidget.setTabOrder(self.buttons[-2] if number > 1 else self.before, button)
        while len(self.buttons) > count:
            button = self.buttons.pop()
            self._group.removeButton(button)
            self._flow.removeWidget(button)
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
