"""Where a window stands: inside the screen, whatever its size was on another one."""

from __future__ import annotations

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QMainWindow

ROOM_FOR_STEERING = 1000
"""Least width of a screen in pixels at which the steering fits and the rows of controls do not wrap."""


def fit(window: QMainWindow, area: QRect) -> None:
    """Move and resize a window into the free area of a screen."""
    frame = window.frameGeometry().size() - window.geometry().size()
    size = window.size().boundedTo(area.size() - frame)
    if size != window.size() and not window.isMaximized():
        window.resize(size)
    place = window.geometry()
    if not area.contains(place):
        place.moveLeft(max(area.left(), min(place.left(), area.right() - place.width() + 1)))
        place.moveTop(max(area.top(), min(place.top(), area.bottom() - place.height() + 1)))
        window.setGeometry(place)


__all__ = ["ROOM_FOR_STEERING", "fit"]
