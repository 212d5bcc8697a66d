"""Painting the chords over the lanes of the roll."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFont, QPainter

from lakhnes.gui.roll_geometry import CHORDS, RULER, TOP
from lakhnes.studio.chord_lane import chords_of

if TYPE_CHECKING:
    from lakhnes.gui.roll_painting import Sight

_LONGEST = 90  # pixels that a name may take
_SIGNS = str.maketrans("#b", "\u266f\u266d")


def paint_chords(painter: QPainter, sight: Sight, left: int, right: int) -> None:
    """Paint each chord where it starts; repeated chords are fainter."""
    theme, axis = sight.theme, sight.axis
    painter.fillRect(QRect(left, TOP - 1, right - left, 1), theme.beat_line)
    chords = chords_of(sight.state.chords)
    if not chords:
        return
    bar = sight.state.grid.bar_ticks
    font = QFont(sight.font)
    font.setBold(True)
    painter.setFont(font)
    metrics, free = painter.fontMetrics(), -math.inf
    end = min(axis.tick(right), max(sight.state.end, sight.state.kept, len(chords) * bar))
    for number in range(max(0, math.floor(axis.tick(left - _LONGEST) / bar)), math.ceil(end / bar)):
        chord, before = (chords[place % len(chords)] for place in (number, number - 1))
        x = round(axis.x(number * bar)) + 4
        if x < free or (chord == before and number % len(chords)):
            continue
        painter.setPen(theme.text if number < len(chords) else theme.faint_text)
        name = chord.name[:1] + chord.name[1:].translate(_SIGNS) if chord.root is not None else chord.name
        painter.drawText(QRect(x, RULER - 4, _LONGEST, CHORDS), Qt.AlignmentFlag.AlignVCenter, name)
        free = x + metrics.horizontalAdvance(name) + 6
    painter.setFont(sight.font)
