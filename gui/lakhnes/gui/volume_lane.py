"""The volumes of notes under the roll, to see and to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QSize, Qt
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.gui.roll import Roll
from lakhnes.gui.roll_geometry import HEADER
from lakhnes.gui.theme import LIGHT, SMALL_TYPE, Theme, mixed
from lakhnes.runtime import Note, Score, Voice
from lakhnes.runtime.music.note_editing import Edited, Pick, changed
from lakhnes.runtime.music.score import FULL_VELOCITY
from lakhnes.studio.selecting import by_voice

HEIGHT = 76
"""Pixels of the lane."""

_MARGIN = 6  # pixels above the loudest and under the softest
_BESIDE = 4  # pixels between the stems of two voices that begin together
_HELP = (
    "Click or draw to set the volume of notes. If single notes are selected, they all change by the same "
    "amount. Left and right go from note to note, up and down change the volume."
)
_NO_VOLUME = "The triangle has a fixed volume."


@dataclass(frozen=True, slots=True)
class _Stem:
    """A note and where its volume is drawn."""

    voice: Voice
    note: Note
    left: float
    right: float
    """First pixel of the note, and the one after its last."""


class VolumeLane(QWidget):
    """How loud the notes of the selected voices are, of the one that was chosen last without a selection."""

    def __init__(self, roll: Roll, parent: QWidget | None = None) -> None:
        """Shows the volumes of what a roll shows, at the same places."""
        super().__init__(parent)
        self._roll, self._editor = roll, roll.editor
        self._theme: Theme = LIGHT
        self._drawn: dict[tuple[Voice, int], int] = {}  # by note: the volume that the hand gives it
        self._group: tuple[Note, Pick] | None = None  # notes that change together, and the one in the hand
        self._last: QPointF | None = None
        self._shown: tuple[object, ...] = ()
        self.setObjectName("volume-lane")
        self.setAccessibleName("Volumes")
        self.setAccessibleDescription(_HELP)
        self.setWhatsThis(_HELP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As high as it always is."""
        return QSize(400, HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self.update()

    def refresh(self) -> None:
        """Follows the roll."""
        roll = self._roll
        shown = (roll.state, roll.axis, roll.selection, self.voices)
        if self.isVisible() and shown != self._shown:
            self._shown = shown
            self.update()

    @property
    def voices(self) -> frozenset[Voice]:
        """Those whose volumes are shown; the triangle has none."""
        chosen = self._roll.selection
        voices = {self._editor.selector.voice} if chosen is None else chosen.voices
        return frozenset(voices) - {Voice.TR}

    def level(self, y: float) -> int:
        """Return the volume at a pixel, 1 to 15."""
        room = self.height() - 2 * _MARGIN
        return min(max(round((self.height() - _MARGIN - y) / room * FULL_VELOCITY), 1), FULL_VELOCITY)

    def edge(self, volume: int) -> int:
        """Return the pixel of a volume."""
        room = self.height() - 2 * _MARGIN
        return round(self.height() - _MARGIN - volume / FULL_VELOCITY * room)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Takes the note under the mouse, and all that are selected with it one by one."""
        place = event.position()
        if event.button() is not Qt.MouseButton.LeftButton or place.x() < HEADER:
            return
        voices = self.voices
        if not voices or not self._editor.attempt(lambda: self._editor.unlocked(voices)):
            return
        self._last = place
        chosen = self._roll.selection
        if chosen is not None and chosen.notes is not None:
            stems = [
                stem for stem in self._stems(place.x(), place.x())
                if (stem.voice, stem.note.onset) in chosen.notes
            ]  # fmt: skip
            self._group = (stems[0].note, self._editor.grasped()) if stems else None
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Shows the volumes that the hand gives."""
        if self._last is None:
            return
        before, place = self._last, event.position()
        self._last = place
        if self._group is not None:
            note, pick = self._group
            steps = self.level(place.y()) - note.velocity
            self._editor.preview("Volume", lambda score, chosen: _louder(score, chosen, steps), pick)
        else:
            self._draw(before, place)
        self._roll.show_edit()
        self.update()
        QToolTip.showText(
            event.globalPosition().toPoint(), f"{self.level(place.y())} of {FULL_VELOCITY}", self
        )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Does it, as one step."""
        if event.button() is not Qt.MouseButton.LeftButton or self._last is None:
            return
        group, drawn = self._group, dict(self._drawn)
        self._let_go()
        if group is not None:
            note, pick = group
            steps = self.level(event.position().y()) - note.velocity
            self._do(lambda score: _louder(score, pick, steps), sum(map(len, pick.values())))
        elif drawn:
            self._do(lambda score: _with_volumes(score, drawn), len(drawn))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Goes from note to note, changes their volume, and leaves what is under way."""
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 4, Qt.Key.Key_PageDown: -4}
        ways = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        key, chosen = Qt.Key(event.key()), self._roll.selection
        if key == Qt.Key.Key_Escape and self._last is not None:
            self._let_go()
        elif event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier or key not in {**steps, **ways}:
            super().keyPressEvent(event)
            return
        elif chosen is None or chosen.notes is None:
            self._roll.edit(self._editor.name_notes)
        elif key in ways:
            self._roll.edit(lambda: self._editor.step_note(ways[key]))
        else:
            self._roll.edit(lambda: self._roll.notes.louder(steps[key]))
        self.setAccessibleDescription(self._roll.accessibleDescription())
        self.update()

    def _draw(self, before: QPointF, place: QPointF) -> None:
        """Gives notes volumes along a line of the hand; in a selected span no others."""
        chosen, (first, last) = self._roll.selection, sorted((before.x(), place.x()))
        run = place.x() - before.x()
        for stem in self._stems(first, last):
            if chosen is not None and not chosen.holds(self._roll.axis.tick(stem.left + 0.5), stem.voice):
                continue
            share = min(max((stem.left - before.x()) / run, 0), 1) if run else 1
            y = before.y() + share * (place.y() - before.y())
            self._drawn[stem.voice, stem.note.onset] = self.level(y)
        drawn = dict(self._drawn)
        if drawn:
            pick = by_voice(frozenset(drawn))
            self._editor.preview("Volume", lambda score, _: _with_volumes(score, drawn), pick)

    def _do(self, change: Callable[[Score], Edited], n_notes: int) -> None:
        self._roll.edit(lambda: self._editor.carry_out("Volume", change, n_notes=n_notes))
        self.update()

    def _let_go(self) -> None:
        """Leaves what is under way."""
        self._last = self._group = None
        self._drawn.clear()
        self._editor.cancel()
        self._roll.show_edit()
        self.update()

    def _stems(self, first: float, last: float) -> Iterator[_Stem]:
        """Yield the notes of the shown voices that sound between two pixels."""
        axis, state = self._roll.axis, self._roll.state
        for voice in sorted(self.voices):
            placed = self._roll.placed[voice]
            inside = placed.between(axis.tick(first), axis.tick(last + 1))
            for i in range(inside.start, inside.stop):
                left, right = axis.x(float(placed.starts[i])), axis.x(float(placed.ends[i]))
                yield _Stem(voice, state.score.parts[voice].notes[i], left, right)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint a stem for each note, as high as its volume."""
        theme, chosen, voices = self._theme, self._roll.selection, sorted(self.voices)
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.window)
        painter.fillRect(QRect(HEADER, 0, self.width() - HEADER, self.height()), theme.lane)
        for volume in (5, 10, 15):
            painter.fillRect(QRect(HEADER, self.edge(volume), self.width() - HEADER, 1), theme.lane_alternate)
        named = None if chosen is None else chosen.notes
        painter.setClipRect(HEADER, 0, self.width() - HEADER, self.height())
        bottom = self.edge(0)
        stems: dict[tuple[Voice, bool], list[QRect]] = {}
        for stem in self._stems(HEADER, self.width()):
            picked = named is None or (stem.voice, stem.note.onset) in named
            top = self.edge(stem.note.velocity)
            x = round(stem.left) + _BESIDE * voices.index(stem.voice)
            wide = max(3, min(7, round(stem.right - stem.left) - 1))
            stems.setdefault((stem.voice, picked), []).extend(
                (QRect(x, top, 2, bottom - top), QRect(x, top - 1, wide, 4))
            )
        painter.setPen(Qt.PenStyle.NoPen)
        for (voice, picked), rects in sorted(stems.items()):
            painter.setBrush(theme.voices[voice] if picked else mixed(theme.lane, theme.voices[voice], 0.4))
            painter.drawRects(rects)
        painter.setClipping(False)
        self._paint_header(painter)
        painter.end()

    def _paint_header(self, painter: QPainter) -> None:
        theme, voices = self._theme, sorted(self.voices)
        painter.setPen(theme.text)
        high = painter.fontMetrics().height()
        painter.drawText(QRect(20, 6, HEADER - 24, high), Qt.AlignmentFlag.AlignLeft, "Volume")
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * SMALL_TYPE)
        painter.setFont(font)
        painter.setPen(theme.faint_text)
        names = ", ".join(TRACK_NAMES[voice] for voice in voices) or _NO_VOLUME
        place = QRect(20, 8 + high, HEADER - 24, self.height() - high - 10)
        painter.drawText(place, Qt.TextFlag.TextWordWrap, names)
        if self.hasFocus():
            painter.setPen(theme.accent)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(0, 0, self.width() - 1, self.height() - 1)


def _louder(score: Score, pick: Pick, steps: int) -> Edited:
    """Return a score with some notes louder or softer by steps."""
    return changed(score, pick, lambda each: each.louder(steps))


def _with_volumes(score: Score, volumes: dict[tuple[Voice, int], int]) -> Edited:
    """Return a score with other volumes, by voice and onset; changes inside a note move with it."""
    return changed(
        score,
        by_voice(frozenset(volumes)),
        lambda each: each.louder(volumes[each.voice, each.note.onset] - each.note.velocity),
    )


__all__ = ["HEIGHT", "VolumeLane"]
