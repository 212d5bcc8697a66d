"""Buttons with icons of our own, drawn in the colours of the palette: light and dark need no files."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import (
    QColor,
    QIcon,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QStyle, QStyleOptionToolButton, QStylePainter, QToolButton, QWidget

from lakhnes.gui.theme import TARGET, ink_on

_GRID = 16
_SIZES = (16, 24, 32, 48)
_STROKE = 1.5
_FADING = 0.75  # what the Fusion style leaves of the saturation of a button's colour
_CIRCLE = "M14 8 C14 11.3 11.3 14 8 14 C4.7 14 2 11.3 2 8 C2 4.7 4.7 2 8 2 C11.3 2 14 4.7 14 8 Z"

_FILLED = {
    "play": "M4 2 L14 8 L4 14 Z",
    "stop": "M3 3 L13 3 L13 13 L3 13 Z",
    "folded": "M5 3 L11 8 L5 13 Z",
    "unfolded": "M3 5 L13 5 L8 11 Z",
    "start": "M3 3 L5 3 L5 13 L3 13 Z M13 3 L13 13 L6 8 Z",
}
_DRAWN = {
    "loop": "M5 4 L11 4 C13.3 4 14 6 14 8 C14 10 13.3 12 11 12 L5 12 C2.7 12 2 10 2 8 C2 6.4 2.6 5 3.6 4.4 "
    "M8.5 9.5 L6 12 L8.5 14.5",
    "endless": "M8 8 C6.5 5.2 5.5 4.5 4.2 4.5 C2.5 4.5 1.5 6 1.5 8 C1.5 10 2.5 11.5 4.2 11.5 "
    "C5.5 11.5 6.5 10.8 8 8 C9.5 5.2 10.5 4.5 11.8 4.5 C13.5 4.5 14.5 6 14.5 8 C14.5 10 13.5 11.5 11.8 11.5 "
    "C10.5 11.5 9.5 10.8 8 8",
    "dice": "M4 2 L12 2 C13.3 2 14 2.7 14 4 L14 12 C14 13.3 13.3 14 12 14 L4 14 C2.7 14 2 13.3 2 12 L2 4 "
    "C2 2.7 2.7 2 4 2 Z M5.3 5.3 L5.3 5.4 M8 8 L8 8.1 M10.7 10.6 L10.7 10.7",
    "copy": "M6 6 L14 6 L14 14 L6 14 Z M10 6 L10 2 L2 2 L2 10 L6 10",
    "reset": "M3 8.4 C3 5.2 5.2 3 8 3 C10.8 3 13 5.2 13 8 C13 10.8 10.8 13 8 13 C6.4 13 5 12.3 4.1 11.1 "
    "M0.8 6.2 L3 8.6 L5.4 6.4",
    "save": "M8 2 L8 10 M4.5 7 L8 10.5 L11.5 7 M2.5 11 L2.5 14 L13.5 14 L13.5 11",
    "delete": "M3 4.5 L13 4.5 M6 4.5 L6 2.5 L10 2.5 L10 4.5 M4.5 4.5 L5.2 14 L10.8 14 L11.5 4.5",
    "close": "M4 4 L12 12 M12 4 L4 12",
    "new": "M3 2 L9.5 2 L13 5.5 L13 14 L3 14 Z M8 6.5 L8 11.5 M5.5 9 L10.5 9",
    "more": "M2 4 L2 12 M2 8 L12 8 M9 4.5 L12.5 8 L9 11.5",
    "again": "M13 6.5 C12.3 4.4 10.3 3 8 3 C5.2 3 3 5.2 3 8 C3 10.8 5.2 13 8 13 C10 13 11.7 11.9 12.5 10.2 "
    "M13.3 3 L13.3 6.6 L9.8 6.6",
    "undo": "M3 6.5 L10 6.5 C12.2 6.5 13.5 8 13.5 9.8 C13.5 11.6 12.2 13 10 13 L6 13 M6 3.5 L3 6.5 L6 9.5",
    "redo": "M13 6.5 L6 6.5 C3.8 6.5 2.5 8 2.5 9.8 C2.5 11.6 3.8 13 6 13 L10 13 M10 3.5 L13 6.5 L10 9.5",
    "draw": "M3 13 L3.8 9.8 L11 2.6 L13.4 5 L6.2 12.2 Z M9.3 4.3 L11.7 6.7",
    "drag": "M8 2 L8 14 M2 8 L14 8 M6 4 L8 2 L10 4 M6 12 L8 14 L10 12 M4 6 L2 8 L4 10 M12 6 L14 8 L12 10",
    "wait": f"{_CIRCLE} M8 4.8 L8 8 L10.4 9.6",
    "heard": f"{_CIRCLE} M6.2 5.4 L10 8 L6.2 10.6",
    "info": f"{_CIRCLE} M8 7.6 L8 11 M8 5 L8 5.1",
    "error": "M8 2 L15 14 L1 14 Z M8 6.5 L8 9.6 M8 11.7 L8 11.8",
}


def pixmap(shape: str, colour: QColor, size: int = _GRID, ratio: float = 1.0) -> QPixmap:
    """Return a shape as a picture.

    Args:
        shape: its name.
        colour: of all of it.
        size: side in pixels of the screen as Qt counts them.
        ratio: real pixels for each of these.
    """
    picture = QPixmap(round(size * ratio), round(size * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / _GRID, size / _GRID)
    if shape in _FILLED:
        painter.fillPath(_path(_FILLED[shape]), colour)
    else:
        cap, join = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
        painter.strokePath(_path(_DRAWN[shape]), QPen(colour, _STROKE, Qt.PenStyle.SolidLine, cap, join))
    painter.end()
    return picture


def icon(shape: str, palette: QPalette) -> QIcon:
    """Return a shape as an icon in a palette's colours, for a button that is up, down or disabled."""
    drawn = QIcon()
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    for mode, colours in ((QIcon.Mode.Normal, group.Active), (QIcon.Mode.Disabled, group.Disabled)):
        for state, ink in ((QIcon.State.Off, role.ButtonText), (QIcon.State.On, role.HighlightedText)):
            for size in _SIZES:
                drawn.addPixmap(pixmap(shape, palette.color(colours, ink), size), mode, state)
    return drawn


class Button(QToolButton):
    """A button that the Tab key reaches, with an icon that is always in the colours of its palette."""

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        shape: str | None = None,
        text: str = "",
        checkable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """Make a button.

        Args:
            name: its accessible name; the object name is the same with hyphens.
            tip: the tooltip.
            shape: its icon; None for none.
            text: what it says; empty for the icon alone.
            checkable: whether it stays down.
            parent: where it is.
        """
        super().__init__(parent)
        self._shape = shape
        self._down: QColor | None = None  # its colour while it is down, if that is not the accent's
        self.setMinimumSize(TARGET, TARGET)
        self.setObjectName(name.lower().replace(" ", "-"))
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setText(text)
        self.setCheckable(checkable)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if shape and text:
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._draw()

    def set_shape(self, shape: str) -> None:
        """Take another icon."""
        if shape != self._shape:
            self._shape = shape
            self._draw()

    def set_down_colour(self, colour: QColor) -> None:
        """Take another colour for its down state."""
        self._down = colour
        self.update()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the icon in the new colours."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._draw()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the button, in the accent colour while it is down, which is visible in the dark theme."""
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        if self.isChecked():
            role, colours = QPalette.ColorRole, option.palette
            accent = self._down or colours.highlight().color()
            saturation = min(255, round(accent.saturation() / _FADING))
            colours.setColor(role.Button, QColor.fromHsv(accent.hue(), saturation, accent.value()))
            colours.setColor(role.ButtonText, ink_on(accent))
            option.palette = colours
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Press it on Return, because the space key plays."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.click()
        else:
            super().keyPressEvent(event)

    def _draw(self) -> None:
        if self._shape:
            self.setIcon(icon(self._shape, self.palette()))


def _path(text: str) -> QPainterPath:
    """Return a path from its text: letters M, L, C and Z with their coordinates, as in SVG."""
    path = QPainterPath()
    words = text.split()
    while words:
        letter = words.pop(0)
        if letter == "Z":
            path.closeSubpath()
            continue
        word = letter[0]
        numbers = [float(letter[1:])]
        while len(numbers) < (6 if word == "C" else 2):
            numbers.append(float(words.pop(0)))
        points = [QPointF(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if word == "M":
            path.moveTo(points[0])
        elif word == "L":
            path.lineTo(points[0])
        else:
            path.cubicTo(*points)
    return path
