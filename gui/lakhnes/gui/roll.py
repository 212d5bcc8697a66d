"""The roll: the song in four lanes, for viewing, selecting and editing."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.gui.chord_field import ChordField
from lakhnes.gui.roll_geometry import CHORDS, HEADER, RULER, TOP, Hit, note_words, place_name, zone_at
from lakhnes.gui.roll_keys import RollKeys
from lakhnes.gui.roll_mouse import Mouse
from lakhnes.gui.roll_view import RollView
from lakhnes.runtime import Voice
from lakhnes.runtime.music.note_editing import lifted
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.chord_lane import chord_at, with_chords
from lakhnes.studio.note_commands import NoteCommands
from lakhnes.studio.selecting import Selection
from lakhnes.studio.state import SongState

_DETENT = 120  # of a wheel
_CHORD_ROOM = 84  # pixels to write a chord in
_HELP = (
    "Click a note to select it. Drag a note to move it, or its end to resize it. Double-click to draw or "
    "delete a note. Alt and drag: volume. Drag over the lanes to select beats, or over the ruler to select "
    "bars; Alt: sixteenths. Arrows move the selection, Shift extends it, Ctrl moves by bars. E selects its "
    "notes; then the arrows move them. L: loop, Return: go there, +/-: zoom, F: whole song, Z: zoom to the "
    "selection."
)


class Roll(RollView):
    """The song in four lanes, edited with mouse and keys.

    Attributes:
        notes: commands for notes.
        editor: selection and edits.
        drawing: whether a press on an empty place draws a note.
        selection_changed: emitted with a `Selection`, or None.
        seek_requested: emitted with the tick to go to.
        loop_requested: emitted with the first tick and the one after the last, or None for no loop.
        drag_started: emitted when the selection is dragged out.
        menu_requested: emitted with a point of the screen where a menu is wanted.
    """

    selection_changed = Signal(object)
    seek_requested = Signal(int)
    loop_requested = Signal(object)
    drag_started = Signal()
    menu_requested = Signal(QPoint)

    def __init__(self, notes: NoteCommands, parent: QWidget | None = None) -> None:
        """Show the edited song."""
        self.notes, self.editor = notes, notes.editor
        super().__init__(self.editor.state, self.editor.selector, parent)
        self.drawing = False
        self._told: Selection | None = None
        self._mouse, self._keys = Mouse(self), RollKeys(self)
        self._chord_field = ChordField(self.viewport(), self._take_chord, self.write_chord)
        self._chord_field.left.connect(self._leave_chord)
        self.setObjectName("roll")
        self.setAccessibleName("Song")
        self.setAccessibleDescription(_HELP)
        self.setWhatsThis(_HELP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.editor.refresh()

    def show_state(self, state: SongState) -> None:
        """Show a song with the unfinished edit in it; deselect notes that no longer exist."""
        self.editor.refresh(state)
        super().show_state(self.editor.shown(state))
        self._mark()
        self.tell_selection()

    # Selecting and editing

    def set_selection(self, selection: Selection | None) -> None:
        """Select something within the song, or nothing."""
        self._selector.put(selection)
        self.editor.refresh(self._state)
        self.tell_selection()

    def select_all(self) -> None:
        """Select the whole song, up to the end of its last bar."""
        self.select_voices(frozenset(Voice))

    def select_voices(self, voices: frozenset[Voice]) -> None:
        """Select some voices from start to end."""
        if self._selector.limit:
            self.set_selection(Selection(0, self._selector.limit, voices))

    def tell_selection(self) -> None:
        """Show a changed selection and emit `selection_changed`."""
        chosen = self.selection
        if chosen is self._told or chosen == self._told:
            return
        self._told = chosen
        self._mark()
        self.spoil()
        self._describe()
        self.selection_changed.emit(chosen)

    def _describe(self) -> None:
        """Let screen readers speak a changed selection."""
        chosen = self.selection
        words = _HELP if chosen is None else self._words(chosen)
        if words != self.accessibleDescription():
            self.setAccessibleDescription(words)
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))

    def edit(self, what: Callable[[], object]) -> None:
        """Carry out an edit and show it, or show why it was refused."""
        self.editor.attempt(what)
        self.show_edit()

    def bar_at(self, x: float) -> int:
        """Return the number, from 0, of the bar at a pixel."""
        return max(0, math.floor(self.axis.tick(x) / self._state.grid.bar_ticks))

    def write_chord(self, bar: int | None = None) -> None:
        """Open the chord field over a bar; default: the selected bar, or the one at the playhead."""
        length = self._state.grid.bar_ticks
        if bar is None:
            chosen = self.selection
            bar = int(self._view.place if chosen is None else chosen.first) // length
        self.reveal(bar * length)
        self.held = True  # no page is turned under the hands
        left, right = (round(self.axis.x((bar + after) * length)) for after in (0, 1))
        name = chord_at(self._state.chords, bar)
        place = QRect(left, RULER - 3, max(_CHORD_ROOM, right - left), CHORDS + 3)
        self._chord_field.open(bar, "" if name.root is None else name.name, place)

    def _leave_chord(self) -> None:
        self.held = False
        self.setFocus()

    def _take_chord(self, bar: int, typed: str) -> bool:
        session = self.editor.studio.session

        def write() -> None:
            session.change("Chords", chords=with_chords(session.state.chords, bar, typed))

        written = self.editor.attempt(write)
        self.show_edit()
        return written

    def show_edit(self) -> None:
        """Show the song with its edits, also an unfinished one."""
        self.show_state(self.editor.state)
        self._describe()

    def leave_edit(self) -> bool:
        """Cancel an unfinished edit and return whether there was one."""
        return self._mouse.cancel()

    def hit(self, place: QPointF) -> Hit | None:
        """Return the note under a pixel; None for none."""
        lane = self.lane_at(place.y())
        if place.x() < HEADER or place.y() < TOP or not lane.top <= place.y() < lane.bottom:
            return None
        notes, axis = self._notes[lane.voice], self.axis
        slack = PPQ / self._pixels_per_beat
        tick = axis.tick(place.x() + 0.5)
        inside = notes.between(tick - slack, tick + slack)
        for i in range(inside.start, inside.stop):
            top, height = lane.row(int(notes.pitches[i]))
            if top <= place.y() < top + height:
                left, right = axis.x(float(notes.starts[i])), axis.x(float(notes.ends[i]))
                note = self.state.score.parts[lane.voice].notes[i]
                return Hit(lane.voice, note, zone_at(place.x(), left, right))
        return None

    def _mark(self) -> None:
        """Show which single notes are selected."""
        if self.editor.marked != self._marked:
            self._marked = self.editor.marked
            self.spoil()

    def _words(self, chosen: Selection) -> str:
        grid = self._state.grid
        first, last = (place_name(grid, tick) for tick in chosen.span)
        if chosen.notes is None:
            names = ", ".join(TRACK_NAMES[voice] for voice in sorted(chosen.voices))
            return f"{names}, from {first} to {last}"
        if len(chosen.notes) == 1:
            for each in lifted(self._state.score, chosen.pick(self._state.score, grid)):
                return note_words(each.voice, each.note, grid)
        return f"{len(chosen.notes)} notes, from {first} to {last}"

    def note_at(self, point: QPoint) -> str:
        """Return the note under a pixel, such as "Pulse 1  C5  bar 3.2, 0.5 beats"; empty for none."""
        hit = self.hit(QPointF(point))
        return "" if hit is None else note_words(hit.voice, hit.note, self._state.grid)

    def hint_at(self, point: QPoint) -> str:
        """Return the tooltip of a pixel; empty for none."""
        if RULER <= point.y() < TOP and point.x() >= HEADER:
            return self._chord_words(self.bar_at(point.x()))
        if point.y() < RULER:
            return "" if point.x() < HEADER else "Click to go there, drag to select bars"
        if point.x() < HEADER:
            return f"Click to select the whole of {TRACK_NAMES[self.lane_at(point.y()).voice]}"
        note = self.note_at(point)
        ahead = self._state.kept <= self.axis.tick(point.x()) < self._state.end
        return note or ("Composed ahead; it may still change" if ahead else "")

    def _chord_words(self, bar: int) -> str:
        chord = chord_at(self._state.chords, bar)
        there = "" if chord.root is None else f"{chord.name} in bar {bar + 1}. "
        return f"{there}Click to enter chords for composing (H)"

    # Qt events

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802
        """Show a tooltip for what is under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.hint_at(event.pos()), self.viewport())
            return True
        return super().viewportEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Scroll, with Shift sideways; with Ctrl zoom."""
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
        """Start to select, draw or drag."""
        self._mouse.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Continue the gesture."""
        self._mouse.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End the gesture; a click moves the playhead."""
        self._mouse.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Draw or delete a note; on the ruler select a bar."""
        self._mouse.double_click(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802
        """Ask for the context menu; a note under the mouse is selected first."""
        if event.reason() is QContextMenuEvent.Reason.Mouse:
            hit = self.hit(QPointF(event.pos()))
            if hit is not None and hit.note.onset not in self.editor.pick.get(hit.voice, ()):
                self.editor.select({hit.voice: frozenset((hit.note.onset,))})
                self.tell_selection()
        self.menu_requested.emit(event.globalPos())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Handle a key of the roll; the window gets the others."""
        event.setAccepted(self._keys.press(event))


__all__ = ["Roll", "Selection"]
