"""Painting the roll: all of it that stands still, or a stretch of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QLine, QPoint, QRect, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QPainter, QPen, QPolygon

from lakhnes.gui.roll_chords import paint_chords
from lakhnes.gui.roll_geometry import HEADER, RULER, TOP, Axis, Lane, PlacedNotes
from lakhnes.gui.roll_header import paint_header
from lakhnes.gui.shown_scale import ShownScale, shown_scale
from lakhnes.gui.theme import TITLE_TYPE, Theme, mixed
from lakhnes.runtime import Voice
from lakhnes.runtime.music.note_editing import Pick
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.selecting import Selection
from lakhnes.studio.state import SongState

_LABEL_ROOM = 52  # pixels between two numbers on the ruler
_PATTERNED = 6  # pixels from which on a note has a pattern
_BLACK_KEYS = frozenset((1, 3, 6, 8, 10))
_Align = Qt.AlignmentFlag


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Everything that the painting needs."""

    width: int
    """Pixels of the whole roll."""
    height: int
    state: SongState
    notes: tuple[PlacedNotes, ...]
    """By voice."""
    axis: Axis
    lanes: tuple[Lane, ...]
    theme: Theme
    brushes: tuple[QBrush, ...]
    """By voice: the theme's."""
    font: QFont
    selection: Selection | None
    loop: tuple[int, int] | None
    """First tick and the one after the last."""
    focus: bool
    """Whether keys go here."""
    invitation: str
    """Text of an empty song."""
    marked: Pick
    """The notes that are selected one by one."""

    @property
    def scale(self) -> ShownScale | None:
        """The notes of the key; None for no key."""
        return shown_scale(self.state.scale)

    @property
    def end(self) -> float:
        """The pixel where the song ends."""
        return self.axis.x(self.state.end)

    @property
    def asked(self) -> float:
        """The pixel where the composed or requested music ends; the right edge for an empty song."""
        if not self.state.score.length:
            return float(self.width)
        return max(self.end, self.axis.x(self.state.kept))

    @property
    def kept(self) -> float:
        """The pixel where begins what was composed ahead."""
        return self.axis.x(min(self.state.kept, self.state.end))


def paint(painter: QPainter, sight: Sight, left: int, right: int) -> None:
    """Paint a stretch of the roll, from one pixel up to another."""
    area = QRect(left, 0, right - left, sight.height)
    painter.setClipRect(area)
    painter.fillRect(area, sight.theme.window)
    painter.setFont(sight.font)
    first, last = max(left, HEADER), right
    if first < last:
        painter.setClipRect(first, TOP, last - first, sight.height - TOP)
        for lane in sight.lanes:
            _back(painter, sight, lane, first, last)
            _lines(painter, sight, lane, first, last)
            _notes(painter, sight, lane, first, last)
        _selected(painter, sight)
        _edges(painter, sight)
        if not sight.state.score.length:
            _invitation(painter, sight)
        painter.setClipRect(first, 0, last - first, TOP)
        _ruler(painter, sight, first, last)
        paint_chords(painter, sight, first, last)
    if left < HEADER:
        painter.setClipRect(0, 0, HEADER, sight.height)
        paint_header(painter, sight)
    painter.setClipRect(area)
    if sight.focus:
        painter.setPen(QPen(sight.theme.accent, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(1, 1, sight.width - 2, sight.height - 2)


def _back(painter: QPainter, sight: Sight, lane: Lane, left: int, right: int) -> None:
    """Paint the background of a lane: kept music, music composed ahead, and bars still to compose."""
    theme = sight.theme
    start, kept, end = round(sight.axis.x(0)), round(sight.kept), round(sight.end)
    asked = round(sight.asked)
    if asked > start:
        painter.fillRect(QRect(start, lane.top, asked - start, lane.height), theme.to_come)
    painter.fillRect(QRect(start, lane.top, end - start, lane.height), theme.lane)
    painter.setPen(Qt.PenStyle.NoPen)
    for colour, wanted in _rows(sight, lane):
        painter.setBrush(colour)
        painter.drawRects(
            [
                QRect(start, lane.edge(pitch), end - start, lane.edge(pitch - 1) - lane.edge(pitch))
                for pitch in range(lane.low, lane.high + 1)
                if wanted(pitch)
            ]
        )
    if end > kept:
        ahead = QRect(kept, lane.top, end - kept, lane.height)
        painter.fillRect(ahead, theme.ahead)
        _hatch(painter, ahead.intersected(QRect(left, lane.top, right - left, lane.height)), sight)


def _rows(sight: Sight, lane: Lane) -> list[tuple[QColor, Callable[[int], bool]]]:
    """Return the shaded pitches of a lane: those outside the key, and its tonic; else the black keys."""
    theme, scale = sight.theme, sight.scale
    if lane.voice is Voice.NO:
        return [(theme.lane_alternate, lambda pitch: pitch % 2 == 0)]
    if scale is None:
        return [(theme.lane_alternate, lambda pitch: pitch % 12 in _BLACK_KEYS)]
    rows: list[tuple[QColor, Callable[[int], bool]]] = [
        (theme.outside_key, lambda pitch: pitch % 12 not in scale.notes)
    ]
    if scale.tonic is not None:
        rows.append((theme.tonic, lambda pitch: pitch % 12 == scale.tonic))
    return rows


def _hatch(painter: QPainter, area: QRect, sight: Sight) -> None:
    """Slanted lines that go along with the notes, wherever the area begins."""
    if area.isEmpty():
        return
    painter.save()
    painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
    painter.setPen(mixed(sight.theme.ahead, sight.theme.bar_line, 0.28))
    scroll = sight.axis.scroll
    first = (area.left() - area.height() + scroll) // 10 * 10 - scroll
    painter.drawLines(
        [
            QLine(x, area.bottom() + 1, x + area.height(), area.top() + 1)
            for x in range(first, area.right() + 10, 10)
        ]
    )
    painter.restore()


def _lines(painter: QPainter, sight: Sight, lane: Lane, left: int, right: int) -> None:
    """Octaves, and the lines of beats and bars."""
    theme, axis = sight.theme, sight.axis
    start, end = round(axis.x(0)), round(sight.asked)
    from_x, to_x = max(left, start), min(right, end)
    if from_x >= to_x:
        return
    painter.setPen(theme.beat_line)
    if lane.voice is not Voice.NO:
        octaves = [lane.edge(pitch - 1) for pitch in range(lane.low, lane.high + 1) if pitch % 12 == 0]
        painter.drawLines([QLine(from_x, y, to_x - 1, y) for y in octaves if y < lane.bottom])
    beats = sight.state.beats_per_bar
    for step, colour in _steps(axis.pixels_per_beat, beats, theme):
        xs = _marks(axis, step, from_x, to_x)
        painter.setPen(colour)
        painter.drawLines([QLine(x, lane.top, x, lane.bottom - 1) for x in xs])


def _steps(pixels_per_beat: float, beats_per_bar: int, theme: Theme) -> list[tuple[int, QColor]]:
    """Ticks between lines, and their colours, the faintest first."""
    steps = []
    if pixels_per_beat >= 96:
        steps.append((PPQ // 4, mixed(theme.beat_line, theme.lane, 0.45)))
    if pixels_per_beat >= 10:
        steps.append((PPQ, theme.beat_line))
    bar = beats_per_bar * PPQ
    every = _bars_between(pixels_per_beat * beats_per_bar, 7)
    steps.append((bar * every, theme.bar_line))
    return steps


def _bars_between(bar_pixels: float, room: int) -> int:
    """Return the smallest power of two of bars that takes at least some pixels."""
    return int(2 ** max(0, math.ceil(math.log2(room / bar_pixels))))


def _marks(axis: Axis, step: int, left: float, right: float) -> list[int]:
    """Return the pixels of every multiple of some ticks between two pixels."""
    first, last = max(0, math.floor(axis.tick(left) / step)), math.ceil(axis.tick(right) / step)
    return [round(axis.x(number * step)) for number in range(first, last + 1)]


def _notes(painter: QPainter, sight: Sight, lane: Lane, left: int, right: int) -> None:
    """Paint a voice's notes: filled, or outlined if they were composed ahead."""
    rects, ahead = _rects(sight, lane, left, right)
    theme, voice = sight.theme, lane.voice
    heard = sight.state.audible(voice)
    colour = theme.voices[voice] if heard else mixed(theme.lane, theme.voices[voice], 0.36)
    kept = rects[: len(rects) - ahead]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRects(kept)
    wide = [rect for rect in kept if heard and rect.width() >= _PATTERNED]
    if voice is Voice.TR:
        _line_along(painter, wide, theme.lane)
    else:
        painter.setBrushOrigin(-sight.axis.scroll, 0)
        painter.setBrush(sight.brushes[voice])
        painter.drawRects(wide)
    _onsets(painter, kept, mixed(colour, theme.text, 0.35))
    if ahead:
        painter.setPen(colour)
        painter.setBrush(mixed(theme.ahead, colour, 0.22))
        painter.drawRects([rect.adjusted(0, 0, -1, -1) for rect in rects[len(rects) - ahead :]])
    _mark(painter, sight, lane, rects, left)


def _mark(painter: QPainter, sight: Sight, lane: Lane, rects: list[QRect], left: int) -> None:
    """Paint a frame around each selected note, bright within dark, visible on any colour."""
    onsets = sight.marked.get(lane.voice)
    if not onsets:
        return
    notes = sight.notes[lane.voice]
    first = notes.between(sight.axis.tick(left - 2), math.inf).start
    starts = notes.starts[first : first + len(rects)]
    chosen = np.isin(starts, sight.state.grid.exact_ticks(np.array(sorted(onsets), dtype=np.float64)))
    frames = [rects[i].adjusted(-1, -1, 0, 0) for i in np.flatnonzero(chosen)]
    painter.setPen(QPen(sight.theme.text, 2))
    painter.setBrush(sight.theme.selection)
    painter.drawRects(frames)


def _rects(sight: Sight, lane: Lane, left: int, right: int) -> tuple[list[QRect], int]:
    """Return the rectangles of the notes between two pixels, and how many at the end were composed ahead."""
    notes, axis = sight.notes[lane.voice], sight.axis
    inside = notes.between(axis.tick(left - 2), axis.tick(right + 2))
    starts, pitches = notes.starts[inside], notes.pitches[inside]
    scale, zero = axis.pixels_per_beat / PPQ, axis.x(0)
    lefts = np.rint(zero + starts * scale).astype(np.int64)
    rights = np.rint(zero + notes.ends[inside] * scale).astype(np.int64)
    widths = np.maximum(rights - lefts - (rights - lefts > 4), 2)  # a gap between notes that touch
    rows = np.array([lane.row(pitch) for pitch in range(lane.low, lane.high + 1)], dtype=np.int64)
    tops, heights = rows[pitches - lane.low].T
    ahead = len(starts) - int(np.searchsorted(starts, sight.state.kept - 0.5, "left"))
    places = zip(lefts.tolist(), tops.tolist(), widths.tolist(), heights.tolist(), strict=True)
    return [QRect(*place) for place in places], ahead


def _line_along(painter: QPainter, rects: list[QRect], colour: QColor) -> None:
    """Paint a line in the middle of each note."""
    painter.setBrush(colour)
    cores = []
    for rect in rects:
        thick = max(1, rect.height() // 6)
        edge = (rect.height() - thick) // 2
        cores.append(QRect(rect.left() + 2, rect.top() + edge, rect.width() - 4, thick))
    painter.drawRects(cores)


def _onsets(painter: QPainter, rects: list[QRect], colour: QColor) -> None:
    """Paint a darker edge at the start of each note that is wide enough."""
    painter.setBrush(colour)
    painter.drawRects([QRect(r.left(), r.top(), 2, r.height()) for r in rects if r.width() > 9])


def _selected(painter: QPainter, sight: Sight) -> None:
    chosen, theme = sight.selection, sight.theme
    if chosen is None or chosen.notes is not None:
        return
    left, right = round(sight.axis.x(chosen.first)), round(sight.axis.x(chosen.last))
    painter.setPen(QPen(theme.accent, 1))
    painter.setBrush(theme.selection)
    for lane in sight.lanes:
        if lane.voice in chosen.voices:
            painter.drawRect(left, lane.top, right - left, lane.height - 1)


def _edges(painter: QPainter, sight: Sight) -> None:
    """Paint the borders: start of the music composed ahead, end of the song, and the loop."""
    theme = sight.theme
    top, bottom = sight.lanes[0].top, sight.lanes[-1].bottom - 1
    if sight.state.end > sight.state.kept > 0:
        painter.setPen(QPen(theme.faint_text, 1, Qt.PenStyle.DashLine))
        painter.drawLine(round(sight.kept), top, round(sight.kept), bottom)
    if sight.state.end:
        end = round(sight.end)
        painter.fillRect(QRect(end, top, 1, bottom - top + 1), theme.bar_line)
        painter.fillRect(QRect(end + 3, top, 3, bottom - top + 1), theme.bar_line)
    if sight.loop is not None:
        painter.setPen(QPen(theme.accent, 1, Qt.PenStyle.DotLine))
        for tick in sight.loop:
            x = round(sight.axis.x(tick))
            painter.drawLine(x, top, x, bottom)


def _invitation(painter: QPainter, sight: Sight) -> None:
    font = QFont(sight.font)
    font.setPointSizeF(font.pointSizeF() * TITLE_TYPE)
    painter.setFont(font)
    painter.setPen(sight.theme.faint_text)
    area = QRect(HEADER, TOP, sight.width - HEADER, sight.height - TOP)
    painter.drawText(area, _Align.AlignCenter, sight.invitation)
    painter.setFont(sight.font)


def _ruler(painter: QPainter, sight: Sight, left: int, right: int) -> None:
    """Bar numbers, beats where there is room, the loop and the selected span."""
    theme, axis, state = sight.theme, sight.axis, sight.state
    line = RULER - 5
    beats = state.beats_per_bar
    bar = beats * PPQ
    if sight.selection is not None:  # behind the numbers, which are read on it
        _on_ruler(painter, sight, sight.selection.span, theme.selection, line)
    near = axis.pixels_per_beat >= _LABEL_ROOM
    step = PPQ if near else bar * _bars_between(axis.pixels_per_beat * beats, _LABEL_ROOM)
    if axis.pixels_per_beat >= 10:
        painter.setPen(theme.bar_line)
        painter.drawLines([QLine(x, line - 5, x, line) for x in _marks(axis, PPQ, left, right)])
    first = max(0, math.floor(axis.tick(left - 2 * _LABEL_ROOM) / step))
    for tick in range(first * step, math.ceil(axis.tick(right)) + 1, step):
        x = round(axis.x(tick))
        number, inside = divmod(tick, bar)
        painter.setPen(theme.bar_line)
        painter.drawLine(x, line - (5 if inside else 12), x, line)
        painter.setPen(theme.faint_text if inside else theme.text)
        text = f"{number + 1}.{inside // PPQ + 1}" if near and inside else f"{number + 1}"
        painter.drawText(QPoint(x + 4, line - 6), text)
    painter.fillRect(QRect(left, line, right - left, 1), theme.bar_line)
    if sight.loop is not None:
        _on_ruler(painter, sight, sight.loop, theme.accent, 5)
        _loop_ends(painter, sight, sight.loop)


def _on_ruler(painter: QPainter, sight: Sight, span: tuple[int, int], colour: QColor, height: int) -> None:
    x, end = round(sight.axis.x(span[0])), round(sight.axis.x(span[1]))
    painter.fillRect(QRect(x, RULER - 5 - (height if height > 5 else 0), end - x, height), colour)


def _loop_ends(painter: QPainter, sight: Sight, loop: tuple[int, int]) -> None:
    """Flags at the ends of the loop, so that it is seen without its colour too."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(sight.theme.accent)
    for tick, way in zip(loop, (1, -1), strict=True):
        x = round(sight.axis.x(tick))
        painter.drawPolygon(
            QPolygon([QPoint(x, RULER - 13), QPoint(x + way * 8, RULER - 5), QPoint(x, RULER - 5)])
        )
