"""The view of the roll: the picture of the song, the playhead, scrolling and zooming."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QFocusEvent, QPainter, QPaintEvent, QPixmap, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from lakhnes.gui.roll_geometry import (
    HEADER,
    LEAST_LANE,
    RULER,
    TOP,
    Axis,
    Lane,
    PlacedNotes,
    lanes_height,
    lanes_of,
)
from lakhnes.gui.roll_painting import Sight, paint
from lakhnes.gui.theme import LIGHT, Theme
from lakhnes.runtime import Voice
from lakhnes.runtime.music.note_editing import Pick
from lakhnes.studio.selecting import Selection, Selector
from lakhnes.studio.state import SongState
from lakhnes.studio.view import View

_PLAYHEAD = 7  # pixels it is wide to either side, at the ruler


class RollView(QAbstractScrollArea):
    """The song in four lanes, without hands.

    Everything that stands still is kept as a picture; a moving playhead costs two narrow strips of it.

    Attributes:
        follow: whether the roll goes along with the playhead.
        held: whether a hand is at work in it, so that no page is to be turned.
    """

    def __init__(self, state: SongState, selector: Selector, parent: QWidget | None = None) -> None:
        """Shows a song, and what a selector selects of it."""
        super().__init__(parent)
        self.follow = True
        self.held = False
        self._state = state
        self._view = View()
        self._theme = LIGHT
        self._brushes: tuple[QBrush, ...] = tuple(LIGHT.note_brush(voice) for voice in Voice)
        self._notes = tuple(PlacedNotes.of(part, state.grid) for part in state.score.parts)
        self._lanes: tuple[Lane, ...] = ()
        self._pixels_per_beat = 48.0
        self._selector = selector
        self._marked: Pick = {}
        self._let_go = False
        self._still = QPixmap()
        self._stale: tuple[float, float] | None = (0, math.inf)
        self._playhead = math.nan
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumSize(HEADER + 160, TOP + LEAST_LANE)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        for bar in (self.horizontalScrollBar(), self.verticalScrollBar()):
            bar.actionTriggered.connect(self.let_go)
            bar.setSingleStep(32)
        self._lay_out()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size that shows all lanes."""
        return QSize(4 * HEADER, lanes_height(0))

    # State

    def show_state(self, state: SongState) -> None:
        """Shows a song; paints only what is new, where that is simple."""
        old, self._state = self._state, state
        if state.grid is old.grid and state.voices == old.voices:
            self._show_notes(old, state)
        else:
            self._notes = tuple(PlacedNotes.of(part, state.grid) for part in state.score.parts)
            self.spoil()
        self._lay_out()

    def _show_notes(self, old: SongState, state: SongState) -> None:
        """Places the parts that changed, and spoils what they and the end of the song take."""
        changed: list[float] = []
        notes = list(self._notes)
        for voice in Voice:
            before, after = old.score.parts[voice], state.score.parts[voice]
            if after is not before:
                notes[voice] = PlacedNotes.of(after, state.grid, before)
                tick = notes[voice].first_difference(self._notes[voice])
                changed += [] if tick is None else [tick]
        self._notes = tuple(notes)
        if state.end != old.end:
            changed.append(min(state.end, old.end))
        if state.kept != old.kept:
            changed.append(min(state.kept, old.kept))
        if (state.scale, state.chords) != (old.scale, old.chords):
            changed.append(0)
        if changed:
            self.spoil(0 if not old.end or not state.end else self.axis.x(min(changed)) - 2)

    def show_view(self, view: View) -> None:
        """Shows where the song is played, and the loop."""
        old, self._view = self._view, view
        if view.loop != old.loop or (not self._state.end and _invitation(view) != _invitation(old)):
            self.spoil()
        if view.playing != old.playing:
            self._let_go = False
        if view.place != old.place:
            self._go_along()
        self._move_playhead()

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self._brushes = tuple(theme.note_brush(voice) for voice in Voice)
        self.spoil()

    @property
    def state(self) -> SongState:
        """The song that is shown."""
        return self._state

    @property
    def view(self) -> View:
        """How it is played."""
        return self._view

    @property
    def placed(self) -> tuple[PlacedNotes, ...]:
        """The notes of each voice in ticks."""
        return self._notes

    @property
    def axis(self) -> Axis:
        """Where ticks are."""
        return Axis(self._pixels_per_beat, self.horizontalScrollBar().value())

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Where the voices are, in their order."""
        return self._lanes

    @property
    def pixels_per_beat(self) -> float:
        """How near the song is, 4..400."""
        return self._pixels_per_beat

    @property
    def selection(self) -> Selection | None:
        """The selection."""
        return self._selector.selection

    def lane_at(self, y: float) -> Lane:
        """Return the lane nearest to a pixel."""
        return min(self._lanes, key=lambda lane: max(lane.top - y, y - lane.bottom + 1))

    # Scrolling and zooming

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Goes nearer (over 1) or farther away about a pixel.

        Args:
            factor: of the pixels a beat takes.
            x: pixel that stays; None for the playhead, or the middle if it is not to be seen.
        """
        if x is None:
            x = self.axis.x(self._view.place)
            if not HEADER <= x < self.viewport().width():
                x = (HEADER + self.viewport().width()) / 2
        self._set_axis(self.axis.zoomed(factor, x))

    def zoom_to_fit(self) -> None:
        """Shows the whole song, four bars at least."""
        self._zoom_to((0, max(self._state.end, 4 * self._state.grid.bar_ticks)))

    def zoom_to_selection(self) -> None:
        """Shows what is selected as large as it fits; without a selection the song."""
        if self.selection is None:
            self.zoom_to_fit()
        else:
            self._zoom_to(self.selection.span)

    def _zoom_to(self, span: tuple[int, int]) -> None:
        self._set_axis(Axis.fitting(span, self.viewport().width()))

    def _set_axis(self, axis: Axis) -> None:
        self._pixels_per_beat = axis.pixels_per_beat
        self._lay_out()
        self.horizontalScrollBar().setValue(axis.scroll)
        self.let_go()
        self.spoil()

    def let_go(self) -> None:
        """Stop following the playhead until it is in sight again or playback starts again."""
        self._let_go = self._view.playing

    def scroll_by(self, across: int, down: int = 0) -> None:
        """Scrolls by pixels, as a user's wish."""
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + across)
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() + down)
        self.let_go()

    def reveal(self, tick: float, voice: Voice | None = None) -> None:
        """Scrolls as little as it takes for a tick, and a voice, to be seen."""
        x, width = self.axis.x(tick), self.viewport().width()
        if x < HEADER:
            self.scroll_by(math.floor(x - HEADER - 8))
        elif x > width - 8:
            self.scroll_by(math.ceil(x - width + 8))
        if voice is not None:
            lane = self._lanes[voice]
            below = lane.bottom - self.viewport().height()
            self.scroll_by(0, lane.top - TOP if lane.top < TOP else max(0, below))

    def _go_along(self) -> None:
        """Turns the page when the playhead has left it."""
        x, width = self.axis.x(self._view.place), self.viewport().width()
        if HEADER <= x < width:
            self._let_go = False
        elif self.follow and not self._let_go and not self.held:
            lead = (width - HEADER) // 16
            self.horizontalScrollBar().setValue(round(x - HEADER - lead) + self.axis.scroll)

    def _lay_out(self) -> None:
        """Fits lanes and scroll bars to the song and the size; spoils the picture if lanes move."""
        size = self.viewport().size()
        page = max(1, size.width() - HEADER)
        extent = self.axis.extent(max(self._state.end, self._state.kept)) + page / 4
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setPageStep(page)
        across.setRange(0, max(0, math.ceil(extent - page)) if extent > page * 1.25 else 0)
        down.setPageStep(size.height())
        down.setRange(0, max(0, lanes_height(size.height()) - size.height()))
        lanes = lanes_of(self._notes, size.height(), down.value())
        if lanes != self._lanes:
            self._lanes = lanes
            self.spoil()
        self._move_playhead()

    # Painting

    def spoil(self, left: float = 0, right: float = math.inf) -> None:
        """Repaint a stretch, from one pixel to another."""
        right = min(right, self.viewport().width())
        if left >= right:
            return
        if self._stale is not None:
            left, right = min(left, self._stale[0]), max(right, self._stale[1])
        self._stale = (left, right)
        self.viewport().update()

    def _move_playhead(self) -> None:
        """Asks for the strips where the playhead was and is, if it moved by what can be seen."""
        ratio = self.devicePixelRatioF()
        x = round(self.axis.x(self._view.place) * ratio) / ratio
        if x != self._playhead:
            for place in (self._playhead, x):
                if not math.isnan(place) and -_PLAYHEAD < place - HEADER < self.viewport().width():
                    self.viewport().update(self._strip(place))
            self._playhead = x

    def _strip(self, x: float) -> QRect:
        return QRect(math.floor(x) - _PLAYHEAD, 0, 2 * _PLAYHEAD + 2, self.viewport().height())

    def _refresh(self) -> None:
        """Paints what is stale of the picture of all that stands still."""
        size, ratio = self.viewport().size(), self.devicePixelRatioF()
        if self._still.size() != size * ratio or self._still.devicePixelRatio() != ratio:
            self._still = QPixmap(size * ratio)
            self._still.setDevicePixelRatio(ratio)
            self._stale = (0, math.inf)
        if self._stale is None:
            return
        left = max(0, math.floor(self._stale[0]))
        right = math.ceil(min(self._stale[1], size.width()))
        self._stale = None
        sight = Sight(
            size.width(), size.height(), self._state, self._notes, self.axis, self._lanes, self._theme,
            self._brushes, self.font(), self.selection, self._view.loop, self.hasFocus(),
            _invitation(self._view), self._marked,
        )  # fmt: skip
        painter = QPainter(self._still)
        paint(painter, sight, left, right)
        painter.end()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Copies what is asked for from the picture, and lays the playhead over it."""
        self._refresh()
        painter = QPainter(self.viewport())
        painter.drawPixmap(0, 0, self._still)  # Qt clips it to what is asked for
        if self._playhead >= HEADER and event.region().intersects(self._strip(self._playhead)):
            x, bottom = self._playhead, self.viewport().height()
            painter.fillRect(QRectF(x - 0.5, RULER - 5, 2, bottom), self._theme.playhead)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.playhead)
            corners = ((x - 5.5, RULER - 14), (x + 6.5, RULER - 14), (x + 0.5, RULER - 4))
            painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
        painter.end()

    # Qt events

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fits the lanes to the new size."""
        super().resizeEvent(event)
        self._lay_out()
        self.spoil()

    def scrollContentsBy(self, dx: int, dy: int) -> None:  # noqa: N802
        """Repaint; the ruler and the header stay."""
        if dy:
            self._lanes = lanes_of(self._notes, self.viewport().height(), self.verticalScrollBar().value())
        self._move_playhead()
        self.spoil()

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Shows that keys go here."""
        super().focusInEvent(event)
        self.spoil()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Shows that keys go elsewhere."""
        super().focusOutEvent(event)
        self.spoil()


def _invitation(view: View) -> str:
    """Return the text of an empty song."""
    if view.playing:
        return "Composing…"
    return "Press play in your DAW to start." if view.following else "Press Space to start."
