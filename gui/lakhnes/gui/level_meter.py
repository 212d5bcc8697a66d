"""A level meter with a mark at its peak."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lakhnes.gui.theme import LIGHT, Theme, mixed

FLOOR_DB = -48.0
"""Levels below this are shown as silence."""

FALL_DB = 30.0
"""Decibels per second by which the bar falls."""

HOLD_SECONDS = 1.2
"""Time that the mark of a peak stays."""

_HOT_DB = -3.0
_THICK = 8  # pixels


def share_of(level: float) -> float:
    """Return where a level lies on the meter, linear in decibels: 0 up to `FLOOR_DB`, 1 at full scale."""
    if level <= 0:
        return 0.0
    return min(max(1 - 20 * math.log10(level) / FLOOR_DB, 0.0), 1.0)


class LevelMeter(QWidget):
    """A level that rises at once, falls slowly, and holds its peak for a moment."""

    def __init__(
        self,
        orientation: Qt.Orientation = Qt.Orientation.Horizontal,
        *,
        now: Callable[[], float] = time.perf_counter,
        parent: QWidget | None = None,
    ) -> None:
        """Shows silence.

        Args:
            orientation: which way it grows: to the right, or up.
            now: the time in seconds.
            parent: the widget that it lies in.
        """
        super().__init__(parent)
        self._orientation, self._now = orientation, now
        self._theme, self._colour = LIGHT, LIGHT.accent
        self._share = self._peak = 0.0
        self._seen, self._peaked = now(), -math.inf
        self._shown = (0, 0)
        across = orientation is Qt.Orientation.Horizontal
        grows, stays = QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        self.setSizePolicy(grows if across else stays, stays if across else grows)
        self.setAccessibleName("Level")
        self.setToolTip(f"Level from {FLOOR_DB:.0f} to 0 dB; the mark shows the latest peak")

    def sizeHint(self) -> QSize:  # noqa: N802
        """Long and thin."""
        size = QSize(80, _THICK)
        return size if self._orientation is Qt.Orientation.Horizontal else size.transposed()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Half as long."""
        size = QSize(40, _THICK)
        return size if self._orientation is Qt.Orientation.Horizontal else size.transposed()

    def set_theme(self, theme: Theme, colour: QColor | None = None) -> None:
        """Takes the colours.

        Args:
            theme: of the app.
            colour: of the bar, such as a voice's; None for the accent.
        """
        self._theme, self._colour = theme, colour or theme.accent
        self.update()

    def set_level(self, level: float) -> None:
        """Takes the level of this moment, 0..1; call it at each frame, so that it can fall."""
        now = self._now()
        fallen = self._share + FALL_DB * (now - self._seen) / FLOOR_DB
        self._seen = now
        self._share = max(share_of(level), fallen, 0.0)
        if self._share >= self._peak or now - self._peaked > HOLD_SECONDS:
            self._peak, self._peaked = self._share, now
        self._show()

    @property
    def share(self) -> float:
        """How much of the meter is filled, 0..1."""
        return self._share

    @property
    def peak(self) -> float:
        """Where the mark is, 0..1."""
        return self._peak

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Counts in the pixels of the new size."""
        super().resizeEvent(event)
        self._show()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paints the bar, its loud end in another colour, and the mark."""
        painter = QPainter(self)
        theme = self._theme
        bar, mark = self._shown
        hot = round(share_of(10 ** (_HOT_DB / 20)) * self._length())
        painter.fillRect(self._part(0, self._length()), mixed(theme.window, theme.bar_line, 0.45))
        painter.fillRect(self._part(0, min(bar, hot)), self._colour)
        if bar > hot:
            painter.fillRect(self._part(hot, bar), theme.error)
        if mark > 1:
            painter.fillRect(self._part(mark - 2, mark), theme.error if mark > hot else theme.text)
        painter.end()

    def _length(self) -> int:
        return self.width() if self._orientation is Qt.Orientation.Horizontal else self.height()

    def _part(self, start: int, end: int) -> QRect:
        """Return the area of a stretch of the meter, counted from its quiet end."""
        if self._orientation is Qt.Orientation.Horizontal:
            return QRect(start, 0, end - start, self.height())
        return QRect(0, self.height() - end, self.width(), end - start)

    def _show(self) -> None:
        """Asks to be painted if that would change anything."""
        shown = (round(self._share * self._length()), round(self._peak * self._length()))
        if shown != self._shown:
            self._shown = shown
            self.update()
