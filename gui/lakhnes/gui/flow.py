"""A layout that places widgets side by side and wraps to another row when there is no room."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLayout, QLayoutItem, QWidget, QWidgetItem

from lakhnes.gui.theme import GAP, SMALL_GAP


class Flow(QLayout):
    """Rows of widgets at their preferred width; stretching widgets share the rest of their row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty row."""
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._stretching: list[QWidget] = []  # those that take what is left
        self.setContentsMargins(0, 0, 0, 0)

    def add(self, widget: QWidget, *, stretch: bool = False) -> None:
        """Add a widget after the others.

        Args:
            widget: the widget.
            stretch: whether it takes the rest of its row.
        """
        if stretch:
            self._stretching.append(widget)
        self.addWidget(widget)

    def insert(self, index: int, widget: QWidget) -> None:
        """Puts a widget before another one."""
        self.addChildWidget(widget)
        self._items.insert(index, QWidgetItem(widget))
        self.invalidate()

    # Qt's interface

    def addItem(self, item: QLayoutItem) -> None:  # noqa: N802
        """Takes a thing."""
        self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        """Return an item; None if the index is out of range."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        """Gives one away."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802
        """It does not want more height."""
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """Return True: a narrower layout is higher."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Return the height at a width."""
        return self._arrange(QRect(0, 0, width, 0), place=False)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size of a single row."""
        shown = [item.sizeHint() for item in self._items if not item.isEmpty()]
        width = sum(size.width() for size in shown) + GAP * max(0, len(shown) - 1)
        return QSize(width, max((size.height() for size in shown), default=0))

    def minimumSize(self) -> QSize:  # noqa: N802
        """Return the size of the widest item."""
        size = QSize()
        for item in self._items:
            if not item.isEmpty():
                size = size.expandedTo(item.minimumSize())
        return size

    def setGeometry(self, area: QRect) -> None:  # noqa: N802
        """Place all items."""
        super().setGeometry(area)
        self._arrange(area, place=True)

    def _arrange(self, area: QRect, *, place: bool) -> int:
        """Fill the rows and return their height."""
        y = area.y()
        for row in self._rows(area.width()):
            high = max(size.height() for _, size in row)
            if place:
                self._place(row, QRect(area.x(), y, area.width(), high))
            y += high + GAP
        return max(0, y - area.y() - GAP)

    def _rows(self, width: int) -> list[list[tuple[int, QSize]]]:
        """Return the index and size of each item, row by row."""
        rows: list[list[tuple[int, QSize]]] = []
        used = 0
        for index, item in enumerate(self._items):
            if item.isEmpty():
                continue
            size = self._size(item, width)
            if not rows or used + GAP + size.width() > width:
                rows.append([])
                used = -GAP
            rows[-1].append((index, size))
            used += GAP + size.width()
        return rows

    def _place(self, row: list[tuple[int, QSize]], area: QRect) -> None:
        left = area.width() - sum(size.width() for _, size in row) - GAP * (len(row) - 1)
        takers = [index for index, _ in row if self._items[index].widget() in self._stretching]
        x = area.x()
        for index, size in row:
            more = max(0, left) // len(takers) if index in takers else 0
            wide = size.width() + more
            top = area.y() + (area.height() - size.height()) // 2
            self._items[index].setGeometry(QRect(x, top, wide, size.height()))
            x += wide + GAP

    def _size(self, item: QLayoutItem, width: int) -> QSize:
        """Return the size of an item for an available width."""
        least, wanted = item.minimumSize(), item.sizeHint().expandedTo(item.minimumSize())
        wide = min(wanted.width(), max(width, least.width()))
        if item.widget() in self._stretching:
            wide = least.width()
        high = item.heightForWidth(wide) if item.hasHeightForWidth() else wanted.height()
        return QSize(wide, high)


def grouped(*widgets: QWidget, gap: int = SMALL_GAP) -> QWidget:
    """Return a widget that keeps some widgets side by side.

    Args:
        widgets: they.
        gap: pixels between them.
    """
    group = QWidget()
    row = QHBoxLayout(group)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(gap)
    for widget in widgets:
        row.addWidget(widget)
    return group
