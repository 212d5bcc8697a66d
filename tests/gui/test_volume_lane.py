"""The volumes of notes under the roll."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from roll_hands import shown_roll, song

from lakhnes.gui.roll import Roll
from lakhnes.gui.volume_lane import VolumeLane
from lakhnes.runtime import Voice
from lakhnes.studio.view import Message

BEAT = 480
Key = Qt.Key


def lane_of(qtbot: QtBot, **fields: object) -> tuple[Roll, VolumeLane]:
    roll = shown_roll(qtbot, song(**fields))  # type: ignore[arg-type]
    lane = VolumeLane(roll)
    qtbot.addWidget(lane)
    lane.resize(roll.viewport().width(), lane.sizeHint().height())
    lane.show()
    return roll, lane


def place(roll: Roll, lane: VolumeLane, number: int, volume: int) -> QPoint:
    """A place of a volume at a note of pulse 1."""
    note = roll.state.score.parts[Voice.P1].notes[number]
    return QPoint(round(roll.axis.x(roll.state.grid.tick(note.onset))) + 2, lane.edge(volume))


def drag(lane: VolumeLane, *places: QPoint) -> None:
    QTest.mousePress(lane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[0])
    for there in places[1:]:
        QTest.mouseMove(lane, there)
    QTest.mouseRelease(lane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[-1])


def volumes(roll: Roll, voice: Voice = Voice.P1) -> list[int]:
    return [note.velocity for note in roll.editor.state.score.parts[voice].notes]


def test_a_line_over_notes_gives_each_its_volume_in_one_step(qtbot: QtBot) -> None:
    roll, lane = lane_of(qtbot)
    before = roll.editor.state.score
    drag(lane, place(roll, lane, 0, 3), place(roll, lane, 4, 11))
    assert volumes(roll)[:5] == [3, 5, 7, 9, 11]
    assert volumes(roll)[5:] == [note.velocity for note in before.parts[Voice.P1].notes[5:]]
    assert roll.selection is None
    roll.editor.undo()
    assert roll.editor.state.score == before


def test_selected_notes_change_together_and_a_span_keeps_to_itself(qtbot: QtBot) -> None:
    roll, lane = lane_of(qtbot)
    drag(lane, place(roll, lane, 1, 10))
    first, second = (roll.state.score.parts[Voice.P1].notes[i].onset for i in (0, 1))
    roll.editor.select({Voice.P1: frozenset((first, second))})
    was = volumes(roll)
    drag(lane, place(roll, lane, 0, was[0] - 2))
    assert volumes(roll)[:3] == [was[0] - 2, 8, was[2]]
    roll.editor.select_span(0, BEAT, {Voice.P1})
    drag(lane, place(roll, lane, 0, 4), place(roll, lane, 3, 4))
    assert volumes(roll)[:3] == [4, 8, was[2]]


def test_keys_go_from_note_to_note_and_change_volumes(qtbot: QtBot) -> None:
    roll, lane = lane_of(qtbot)
    lane.setFocus()
    onset = roll.state.score.parts[Voice.P1].notes[0].onset
    roll.editor.select({Voice.P1: frozenset((onset,))})
    was = volumes(roll)
    for key in (Key.Key_Down, Key.Key_Right, Key.Key_PageDown, Key.Key_Up):
        QTest.keyClick(lane, key)
    assert volumes(roll)[:3] == [was[0] - 1, was[1] - 3, was[2]]
    assert f"volume {was[1] - 3}" in lane.accessibleDescription()


def test_a_locked_voice_and_the_triangle_stay_and_escape_leaves(qtbot: QtBot) -> None:
    roll, lane = lane_of(qtbot)
    said: list[Message] = []
    roll.editor.studio.say = said.append
    before = roll.editor.state.score
    QTest.mousePress(lane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place(roll, lane, 0, 2))
    assert roll.state.score != before, "it is shown"
    QTest.keyClick(lane, Key.Key_Escape)
    assert roll.state.score == before
    roll.editor.studio.session.change_voice("Lock", Voice.P1, locked=True)
    drag(lane, place(roll, lane, 0, 2))
    assert "locked" in said[0].text
    roll.editor.select_span(0, BEAT, {Voice.TR})
    assert lane.voices == frozenset()
    drag(lane, place(roll, lane, 0, 2))
    assert roll.editor.state.score == before
