"""The roll: the song in four lanes, to see, to scroll and to select in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip, QWidget

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.gui.roll_geometry import HEADER, RULER, pitch_name, place_name
from lakhnes.gui.roll_hands import Mouse, RollKeys
from lakhnes.gui.roll_selection import Selection
from lakhnes.gui.roll_view import RollView
from lakhnes.runtime import Voice
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.state import SongState

if TYPE_CHECKING:
    from lakhnes.studio.studio import Studio

_DETENT = 120  # of a wheel
_HELP = (
    "Drag to select beats, on the ruler bars; Alt: sixteenths. Arrows move the selection, Shift extends it, "
    "Ctrl goes by bars. L: loop, Return: go there, +/-: zoom, F: whole song, Z: zoom to the selection."
)


class Roll(RollView):
    """The song in four lanes, to select in with mouse and keys.

    Attributes:
        selection_changed: a `Selection`, or None.
        seek_requested: the tick to go to.
        loop_requested: first tick and the one after the last, or None for no loop.
        drag_started: the selection is dragged; whoever listens drags it on.
    """

    selection_changed = Signal(object)
    seek_requested = Signal(int)
    loop_requested = Signal(object)
    drag_started = Signal()

    def __init__(self, studio: Studio | None = None, parent: QWidget | None = None) -> None:
        """Shows a studio's song, or an empty one."""
        super().__init__(SongState() if studio is None else studio.session.state, parent)
        self._mouse, self._keys = Mouse(self, self._selector), RollKeys(self, self._selector)
        self.setObjectName("roll")
        self.setAccessibleName("Song")
        self.setAccessibleDescription(_HELP)
        self.setWhatsThis(_HELP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self._limit_selection()

    def show_state(self, state: SongState) -> None:
        """Shows a song; what is selected after its end is let go."""
        super().show_state(state)
        before = self.selection
        self._limit_selection()
        self.tell_selection(before)

    # Selecting

    def set_selection(self, selection: Selection | None) -> None:
        """Selects something, as far as the song goes, or nothing."""
        before = self.selection
        self._selector.put(selection)
        self._limit_selection()
        self.tell_selection(before)

    def select_all(self) -> None:
        """Selects the whole song, up to the end of its last bar."""
        self.select_voices(frozenset(Voice))

    def select_voices(self, voices: frozenset[Voice]) -> None:
        """Selects the whole of some voices."""
        if self._selector.limit:
            self.set_selection(Selection(0, self._selector.limit, voices))

    def tell_selection(self, before: Selection | None) -> None:
        """Shows and tells that something else is selected than before, if it is."""
        chosen = self.selection
        if chosen == before:
            return
        self.spoil()
        self.setAccessibleDescription(_HELP if chosen is None else self._words(chosen))
        self.selection_changed.emit(chosen)

    def _limit_selection(self) -> None:
        """Lets nothing be selected after the song's last bar."""
        bar = self._state.grid.bar_ticks
        self._selector.set_limit(-(-self._state.end // bar) * bar)

    def _words(self, chosen: Selection) -> str:
        names = ", ".join(TRACK_NAMES[voice] for voice in sorted(chosen.voices))
        first, last = (place_name(self._state.grid, tick) for tick in chosen.span)
        return f"{names}, from {first} to {last}"

    def note_at(self, point: QPoint) -> str:
        """The note under a pixel in words, such as "Pulse 1  C5  bar 3.2, 0.5 beats"; empty for none."""
        lane = self.lane_at(point.y())
        if point.x() < HEADER or point.y() < RULER or not lane.top <= point.y() < lane.bottom:
            return ""
        notes = self._notes[lane.voice]
        slack = PPQ / self._pixels_per_beat
        tick = self.axis.tick(point.x() + 0.5)
        inside = notes.between(tick - slack, tick + slack)
        for i in range(inside.start, inside.stop):
            pitch = int(notes.pitches[i])
            top, height = lane.row(pitch)
            if top <= point.y() < top + height:
                place = place_name(self._state.grid, float(notes.starts[i]))
                beats = f"{float(notes.ends[i] - notes.starts[i]) / PPQ:.3g}"
                return (
                    f"{TRACK_NAMES[lane.voice]}  {pitch_name(lane.voice, pitch)}  "
                    f"bar {place}, {beats} beat{'s' * (beats != '1')}"
                )
        return ""

    def hint_at(self, point: QPoint) -> str:
        """What a pixel is, or what can be done there; empty if there is nothing to say."""
        if point.y() < RULER:
            return "" if point.x() < HEADER else "Click to go there, drag to select bars"
        if point.x() < HEADER:
            return f"Click to select the whole of {TRACK_NAMES[self.lane_at(point.y()).voice]}"
        note = self.note_at(point)
        ahead = self._state.kept <= self.axis.tick(point.x()) < self._state.end
        return note or ("Composed ahead; it may still change" if ahead else "")

    # What Qt calls

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802
        """Tells what is under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.hint_at(event.pos()), self.viewport())
            return True
        return super().viewportEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Scrolls, with Shift across; with Ctrl goes nearer or farther away."""
        pixels, steps = event.pixelDelta(), event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.25 ** (steps.y() / _DETENT), event.position().x())
        else:
            moved = pixels if not pixels.isNull() else steps * (96 / _DETENT)
            across, down = -moved.x(), -moved.y()
            sideways = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            if sideways or not self.verticalScrollBar().maximum():
                across, down = across or down, 0
            self.scroll_by(across, down)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begins to select or to drag."""
        self._mouse.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Selects, or drags the selection away."""
        self._mouse.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Ends that; a mere click goes to the place."""
        self._mouse.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Selects a bar."""
        self._mouse.double_click(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Does what a key stands for, and leaves the others to the window."""
        event.setAccepted(self._keys.press(event))


__all__ = ["Roll", "Selection"]
