"""The song's seed: shown, typed, thrown and copied."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent, QValidator
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import is_for_window
from lakhnes.gui.theme import TARGET

MAX_SEED = (1 << 32) - 1
"""Largest seed that is taken."""


class _SeedValidator(QValidator):
    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        digits = text.strip()
        if not digits:
            return QValidator.State.Intermediate, digits, 0
        good = digits.isascii() and digits.isdecimal() and int(digits) <= MAX_SEED
        state = QValidator.State.Acceptable if good else QValidator.State.Invalid
        return state, digits, min(place, len(digits))


class _SeedLine(QLineEdit):
    """A field for the seed; leaving it or pressing Escape restores the old one."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = ""
        self.setValidator(_SeedValidator(self))

    def restore(self) -> None:
        self.setText(self.shown)

    def event(self, event: QEvent) -> bool:
        """Leaves the keys to the window that mean nothing here: it plays, and undoes what is finished."""
        if is_for_window(event, typing=self.text() != self.shown):
            event.ignore()
            return False
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        super().focusOutEvent(event)
        self.restore()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape:
            self.restore()
        super().keyPressEvent(event)


class SeedBox(QWidget):
    """A seed with its dice."""

    def __init__(self, new: Callable[[int | None], None], parent: QWidget | None = None) -> None:
        """Shows a seed.

        Args:
            new: begins a song with a seed; None for one that the dice throw.
            parent: where it is.
        """
        super().__init__(parent)
        self._new = new
        self.line = _SeedLine()
        self.line.setObjectName("seed")
        self.line.setMinimumHeight(TARGET)
        self.line.setAccessibleName("Seed")
        self.line.setToolTip(
            "The same seed and settings make the same song.\n"
            f"Type 0 to {MAX_SEED} and press Return for a new one"
        )
        self.dice = Button("Dice", "New song with a random seed", shape="dice")
        self.copy = Button("Copy the seed", "Copy the seed", shape="copy")
        self.setFocusProxy(self.line)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        row.addWidget(self.dice)
        row.addWidget(self.copy)
        self.line.returnPressed.connect(self._typed)
        self.dice.clicked.connect(lambda: new(None))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.line.shown))

    def show_seed(self, seed: int) -> None:
        """Shows a seed; what is being typed stays unless the seed is another."""
        if str(seed) != self.line.shown:
            self.line.shown = str(seed)
            self.line.setText(self.line.shown)

    def _typed(self) -> None:
        self._new(int(self.line.text()))
