"""A place under the roll that gives way in a low window: what has no room in it can be scrolled to."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget

from lakhnes.gui.naming import named
from lakhnes.gui.theme import SMALL_GAP, TARGET

_LEAST = TARGET + 2 * SMALL_GAP + 2
"""Least height in pixels: a row of buttons in its frame."""


class Shelf(QScrollArea):
    """A widget at its full height if the window has room for it, else a part of it with a scroll bar."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        """Show a widget.

        Args:
            content: the widget; hiding it hides the shelf.
            parent: the parent widget.
        """
        super().__init__(parent)
        self._content = content
        named(self, f"shelf-of-{content.objectName()}")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)
        content.installEventFilter(self)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of the content at the width that the shelf has."""
        content = self._content
        height = content.heightForWidth(self.width()) if content.hasHeightForWidth() else -1
        return QSize(content.sizeHint().width(), height if height >= 0 else content.sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the width that the content needs, and the height of a row of buttons."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar, _LEAST)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Ask for another height if the content takes other rows."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Appear and disappear with the content."""
        if watched is self._content and event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self.setVisible(not self._content.isHidden())
        elif event.type() is QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


__all__ = ["Shelf"]
