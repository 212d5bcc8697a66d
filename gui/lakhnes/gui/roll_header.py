"""Painting what stands at the left of the roll: names of voices, their settings, some pitches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.gui.roll_geometry import CHORDS, HEADER, RULER, TOP, Lane, pitch_name
from lakhnes.gui.theme import SMALL_TYPE, mixed
from lakhnes.runtime import Voice

if TYPE_CHECKING:
    from lakhnes.gui.roll_painting import Sight

_Align = Qt.AlignmentFlag


def paint_header(painter: QPainter, sight: Sight) -> None:
    """Names, what is set for each voice, and some of its pitches."""
    theme = sight.theme
    painter.fillRect(QRect(0, 0, HEADER, sight.height), theme.window)
    painter.setClipRect(0, TOP, HEADER, sight.height - TOP)
    for lane in sight.lanes:
        _pitch_labels(painter, sight, lane)
        _name(painter, sight, lane)
    painter.setClipRect(0, 0, HEADER, TOP)
    painter.fillRect(QRect(0, RULER - 5, HEADER, 1), theme.bar_line)
    painter.setPen(theme.faint_text)
    painter.drawText(QRect(0, 0, HEADER - 8, RULER - 6), _Align.AlignRight | _Align.AlignVCenter, "bar")
    painter.drawText(
        QRect(0, RULER - 4, HEADER - 8, CHORDS), _Align.AlignRight | _Align.AlignVCenter, "chords"
    )


def _name(painter: QPainter, sight: Sight, lane: Lane) -> None:
    theme, state = sight.theme, sight.state
    voice = lane.voice
    heard = state.audible(voice)
    painter.setPen(Qt.PenStyle.NoPen)
    colour = theme.voices[voice] if heard else mixed(theme.lane, theme.voices[voice], 0.36)
    painter.setBrush(sight.brushes[voice] if heard else colour)
    painter.drawRect(8, lane.top + 6, 6, lane.height - 12)
    font = QFont(sight.font)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(theme.text if heard else theme.faint_text)
    high = painter.fontMetrics().height()
    painter.drawText(QRect(20, lane.top + 5, HEADER - 20, high), _Align.AlignLeft, TRACK_NAMES[voice])
    painter.setFont(sight.font)
    settings = state.voices[voice]
    word = "muted" if settings.muted and not heard else "solo" if settings.solo else "" if heard else "silent"
    left = 20
    if settings.locked:
        _lock(painter, QPoint(left, lane.top + 7 + high), theme.text)
        left += 15
    painter.setPen(theme.faint_text)
    painter.drawText(QRect(left, lane.top + 6 + high, HEADER - left, high), _Align.AlignLeft, word)


def _lock(painter: QPainter, at: QPoint, colour: QColor) -> None:
    """Paint a small padlock."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colour, 1.6))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawArc(at.x() + 2, at.y() + 1, 6, 9, 0, 180 * 16)
    painter.drawLine(at.x() + 2, at.y() + 5, at.x() + 2, at.y() + 7)
    painter.drawLine(at.x() + 8, at.y() + 5, at.x() + 8, at.y() + 7)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(at.x(), at.y() + 6, 10, 7, 1.5, 1.5)
    painter.restore()


def _pitch_labels(painter: QPainter, sight: Sight, lane: Lane) -> None:
    """Names at the right of the header: each C, or some of the noise's numbers."""
    font = QFont(sight.font)
    font.setPointSizeF(font.pointSizeF() * SMALL_TYPE)
    painter.setFont(font)
    painter.setPen(sight.theme.faint_text)
    high = painter.fontMetrics().height()
    shown = (1, 6, 11, 16) if lane.voice is Voice.NO else range(-(-lane.low // 12) * 12, lane.high + 1, 12)
    for pitch in shown:
        middle = (lane.edge(pitch) + lane.edge(pitch - 1)) // 2
        place = QRect(HEADER - 40, middle - high // 2, 34, high)
        if lane.top <= place.top() + 3 and place.bottom() - 3 <= lane.bottom:
            painter.drawText(place, _Align.AlignRight | _Align.AlignVCenter, pitch_name(lane.voice, pitch))
    painter.setFont(sight.font)
