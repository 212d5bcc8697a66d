"""Writing chords over the roll, and in the steering."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from roll_hands import click, shown_roll, song

from lakhnes.gui.chord_field import ChordField
from lakhnes.gui.chords_box import ChordsBox
from lakhnes.gui.roll import Roll
from lakhnes.gui.roll_geometry import RULER
from lakhnes.studio.view import Message

BAR = 4 * 480
Key = Qt.Key


def over(roll: Roll, bar: int) -> QPoint:
    """A place in the row of chords."""
    return QPoint(round(roll.axis.x((bar + 0.5) * BAR)), RULER + 8)


def field(roll: Roll) -> ChordField:
    return roll.findChild(ChordField)


def chords(roll: Roll) -> str:
    return roll.editor.state.chords


def test_chords_are_written_where_they_are_clicked(qtbot: QtBot) -> None:
    roll = shown_roll(qtbot, song())
    before = roll.editor.state
    click(roll, over(roll, 1))
    assert field(roll).isVisible()
    assert field(roll).accessibleName() == "Chord of bar 2"
    QTest.keyClicks(field(roll), "Am7")
    QTest.keyClick(field(roll), Key.Key_Tab)
    assert field(roll).accessibleName() == "Chord of bar 3"
    QTest.keyClicks(field(roll), "F/G")
    QTest.keyClick(field(roll), Key.Key_Return)
    assert not field(roll).isVisible()
    assert chords(roll) == "N.C. Am7 F/G Am7"
    assert "Am7 in bar 2" in roll.hint_at(over(roll, 1))
    roll.editor.undo()
    roll.editor.undo()
    assert roll.editor.state == before


def test_the_key_opens_the_selected_bar_and_escape_leaves_it(qtbot: QtBot) -> None:
    roll = shown_roll(qtbot, song(chords="C G"))
    roll.editor.select_span(3 * BAR, 4 * BAR)
    roll.write_chord()
    assert field(roll).text() == "G"
    QTest.keyClicks(field(roll), "Dm")
    QTest.keyClick(field(roll), Key.Key_Escape)
    assert not field(roll).isVisible()
    assert chords(roll) == "C G"


def test_what_is_no_chord_stays_to_be_mended(qtbot: QtBot) -> None:
    roll = shown_roll(qtbot, song())
    said: list[Message] = []
    roll.editor.studio.say = said.append
    click(roll, over(roll, 0))
    QTest.keyClicks(field(roll), "Czz")
    QTest.keyClick(field(roll), Key.Key_Return)
    assert "'Czz' is no chord" in said[0].text
    assert field(roll).isVisible()
    assert chords(roll) == ""


def test_the_line_of_chords_tells_what_was_typed(qtbot: QtBot) -> None:
    box, typed = ChordsBox(), list[str]()
    qtbot.addWidget(box)
    box.typed.connect(typed.append)
    box.show_text("Am F")
    assert box.text() == "Am F"
    box.setText("")
    QTest.keyClicks(box, "Am F C")
    QTest.keyClick(box, Key.Key_Return)
    box.show_text("Am")
    QTest.keyClick(box, Key.Key_Return)
    assert typed == ["Am F C"]
