"""The program's icon: four lanes with notes, 16 pixels square, as large as it is wanted."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPixmap

from lakhnes.gui.theme import DARK

PIXELS = (
    "..############..",
    ".##############.",
    "##########111###",
    "####111######11#",
    "#111############",
    "################",
    "#22##22##22##22#",
    "###22##22##22###",
    "################",
    "#333333#########",
    "########333333##",
    "################",
    "#4###4##44##4#4#",
    "#4##44##44#44#4#",
    ".##############.",
    "..############..",
)
"""A row a string: `.` is clear, `#` the window's colour, a digit a voice's."""

_SIZES = (16, 32, 48, 64, 128, 256, 512)


def image(size: int) -> QImage:
    """Return the icon as a square image of a size in pixels, preferably a multiple of 16."""
    colours = {".": QColor(0, 0, 0, 0), "#": DARK.window}
    colours |= {str(i + 1): colour for i, colour in enumerate(DARK.voices)}
    picture = QImage(16, 16, QImage.Format.Format_ARGB32)
    for y, row in enumerate(PIXELS):
        for x, kind in enumerate(row):
            picture.setPixelColor(x, y, colours[kind])
    return picture.scaled(
        size, size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
    )


def app_icon() -> QIcon:
    """Return the icon in every size that a desktop asks for."""
    icon = QIcon()
    for size in _SIZES:
        icon.addPixmap(QPixmap.fromImage(image(size)))
    return icon


__all__ = ["PIXELS", "app_icon", "image"]
