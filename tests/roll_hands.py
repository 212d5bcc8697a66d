"""A roll as tests sit before it: a song in it, and hands for mouse and keys."""

from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lakhnes.gui.roll import Roll, Selection
from lakhnes.runtime import Note, Part, Score, Voice
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.editor import Editor
from lakhnes.studio.note_commands import NoteCommands
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio

BEAT = 22_050
BAR = 4 * PPQ
ALL = frozenset(Voice)
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
SHIFT, CONTROL, ALT = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
PLAIN = Qt.KeyboardModifier.NoModifier
Key = Qt.Key


def song(bars: int = 8, **fields: Any) -> SongState:
    """A note of half a beat on each beat of every voice, at 120 BPM."""
    pitches = {Voice.P1: (72, 76, 79, 84), Voice.P2: (60, 64, 67, 64), Voice.TR: (36, 36, 43, 36)}
    parts = [
        Part(
            tuple(
                Note(beat * BEAT, BEAT // 2, pitches.get(voice, (2, 9, 15, 9))[beat % 4])
                for beat in range(bars * 4)
            )
        )
        for voice in Voice
    ]
    score = Score((parts[0], parts[1], parts[2], parts[3]), bars * 4 * BEAT)
    return SongState(score=score, **{"kept": bars * BAR, **fields})


class Heard:
    """What a roll asks of its window."""

    def __init__(self, roll: Roll) -> None:
        self.selections: list[Selection | None] = []
        self.seeks: list[int] = []
        self.loops: list[tuple[int, int] | None] = []
        self.drags: list[bool] = []
        roll.selection_changed.connect(self.selections.append)
        roll.seek_requested.connect(self.seeks.append)
        roll.loop_requested.connect(self.loops.append)
        roll.drag_started.connect(lambda: self.drags.append(True))


def roll_of(state: SongState | None = None) -> Roll:
    return Roll(NoteCommands(Editor(Studio(state))))


def shown_roll(qtbot: QtBot, state: SongState) -> Roll:
    """A roll on the screen."""
    made = roll_of(state)
    qtbot.addWidget(made)
    made.resize(1000, 500)
    made.show()
    qtbot.waitExposed(made)
    QApplication.processEvents()
    return made


def at(roll: Roll, tick: float, voice: Voice | None = Voice.P1) -> QPoint:
    """A pixel at a tick, at the top of a voice's lane, where no notes are, or on the ruler."""
    lane = None if voice is None else roll.lanes[voice]
    return QPoint(round(roll.axis.x(tick)), 10 if lane is None else lane.top + 1)


def mouse(
    roll: Roll, kind: QEvent.Type, place: QPoint, buttons: Qt.MouseButton, modifiers: Qt.KeyboardModifier
) -> None:
    port = roll.viewport()
    button = NONE if kind == QEvent.Type.MouseMove else LEFT
    where = QPointF(place)
    event = QMouseEvent(kind, where, QPointF(port.mapToGlobal(place)), button, buttons, modifiers)
    QApplication.sendEvent(port, event)


def drag(
    roll: Roll, start: QPoint, end: QPoint, modifiers: Qt.KeyboardModifier = PLAIN, *, drop: bool = True
) -> None:
    mouse(roll, QEvent.Type.MouseButtonPress, start, LEFT, modifiers)
    for share in (0.25, 0.5, 0.75, 1.0):
        mouse(roll, QEvent.Type.MouseMove, start + (end - start) * share, LEFT, modifiers)
    if drop:
        mouse(roll, QEvent.Type.MouseButtonRelease, end, NONE, modifiers)


def click(roll: Roll, place: QPoint, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    QTest.mouseClick(roll.viewport(), LEFT, modifiers, place)


def press(roll: Roll, *keys: Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    for key in keys:
        QTest.keyClick(roll, key, modifiers)


def wheel(
    roll: Roll, steps: int, modifiers: Qt.KeyboardModifier = PLAIN, place: QPoint | None = None
) -> None:
    place = place or QPoint(500, 200)
    where = QPointF(roll.viewport().mapToGlobal(place))
    event = QWheelEvent(
        QPointF(place), where, QPoint(), QPoint(0, 120 * steps), NONE, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(roll.viewport(), event)


def on_note(roll: Roll, beat: int, voice: Voice = Voice.P1, share: float = 0.5) -> QPoint:
    """A pixel of the note that begins on a beat, a share of the way along it."""
    grid = roll.state.grid
    note = next(n for n in roll.state.score.parts[voice].notes if n.onset == grid.sample(beat * PPQ))
    top, height = roll.lanes[voice].row(note.pitch)
    left, right = roll.axis.x(grid.tick(note.onset)), roll.axis.x(grid.tick(note.end))
    return QPoint(round(left + share * (right - left - 1)), top + height // 2)
