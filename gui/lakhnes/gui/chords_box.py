"""The chords of a song's bars as a line of text."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from lakhnes.gui.theme import TARGET

_HELP = (
    "One chord for each bar, such as Am F C G; the list repeats. Composed notes follow the chord on strong "
    "beats, and the bass follows its root. Leave empty for no chords."
)


class ChordsBox(QLineEdit):
    """A line of chords.

    Attributes:
        typed: emitted with the text that a user has entered.
    """

    typed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty field."""
        super().__init__(parent)
        self._shown = ""
        self.setObjectName("chords")
        self.setMinimumHeight(TARGET)
        self.setAccessibleName("Chords")
        self.setAccessibleDescription(_HELP)
        self.setToolTip(_HELP)
        self.setPlaceholderText("e.g. Am F C G")
        self.editingFinished.connect(self._tell)

    def show_text(self, text: str) -> None:
        """Show chords without emitting anything; an unfinished entry stays unless the chords changed."""
        if text != self._shown or not self.hasFocus():
            self._shown = text
            if self.text() != text:
                self.setText(text)
                self.setCursorPosition(0)

    def _tell(self) -> None:
        if self.text() != self._shown:
            self.typed.emit(self.text())


__all__ = ["ChordsBox"]
