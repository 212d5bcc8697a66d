"""The title of a dock: what it is, and a button that closes it, as large as every other."""

from __future__ import annotations

from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.theme import GAP, SMALL_GAP


class DockTitle(QWidget):
    """A title that a dock is dragged by; a double-click lets it float.

    Attributes:
        close_button: closes the dock.
    """

    def __init__(self, dock: QDockWidget, tip: str) -> None:
        """Make the title of a dock.

        Args:
            dock: the dock, which has its window title.
            tip: the tooltip of the button, which says how to show the dock again.
        """
        super().__init__(dock)
        name = dock.windowTitle()
        self.close_button = Button(f"Close {name}", tip, shape="close")
        self.close_button.setAutoRaise(True)
        self.close_button.clicked.connect(dock.close)
        row = QHBoxLayout(self)
        row.setContentsMargins(GAP, SMALL_GAP, GAP, 0)
        row.addWidget(QLabel(name), 1)
        row.addWidget(self.close_button)


__all__ = ["DockTitle"]
