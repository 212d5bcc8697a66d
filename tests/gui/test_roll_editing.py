"""Editing in the roll by mouse and keys, in a real window: what is heard, said, and can be undone."""

from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from roll_hands import (
    ALT,
    BAR,
    BEAT,
    CONTROL,
    LEFT,
    NONE,
    PLAIN,
    SHIFT,
    Heard,
    Key,
    at,
    click,
    drag,
    mouse,
    on_note,
    press,
    shown_roll,
    song,
)  # fmt: skip

from lakhnes.gui.roll import Roll, Selection
from lakhnes.runtime import Voice
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.view import Message

pytestmark = pytest.mark.gui


@pytest.fixture
def roll(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Roll:
    """A roll of two bars, in which a beat is so wide that a note has edges."""
    made = shown_roll(qtbot, song(bars=2))
    made.editor.studio.say = said.append
    said.clear()
    sounds.clear()
    monkeypatch.setattr(
        made.editor.studio.playback, "hear_note", lambda voice, pitch, velocity: sounds.append((voice, pitch))
    )
    made.zoom_to_fit()
    return made


said: list[Message] = []
sounds: list[tuple[Voice, int]] = []


def played(roll: Roll, voice: Voice = Voice.P1) -> list[tuple[float, float, int]]:
    """Onset and length in beats, and pitch, of what the song has, which the roll shows."""
    notes = roll.editor.state.score.parts[voice].notes
    assert roll.state.score.parts[voice].notes == notes
    return [(round(n.onset / BEAT, 3), round(n.length / BEAT, 3), n.pitch) for n in notes]


def along(roll: Roll, ticks: float) -> QPoint:
    return QPoint(round(ticks * roll.pixels_per_beat / PPQ), 0)


def up(roll: Roll, semitones: float, voice: Voice = Voice.P1) -> QPoint:
    lane = roll.lanes[voice]
    return QPoint(0, -round(semitones * lane.height / (lane.high - lane.low + 1)))


def chosen(roll: Roll) -> list[tuple[Voice, float]]:
    """Voice and beat of the notes that are selected one by one."""
    pick = roll.editor.marked
    return sorted((voice, onset / BEAT) for voice, onsets in pick.items() for onset in onsets)


def double_click(roll: Roll, place: QPoint) -> None:
    click(roll, place)
    mouse(roll, QEvent.Type.MouseButtonDblClick, place, LEFT, PLAIN)
    mouse(roll, QEvent.Type.MouseButtonRelease, place, NONE, PLAIN)


def test_a_click_selects_a_note_and_sounds_it(roll: Roll) -> None:
    heard = Heard(roll)
    click(roll, on_note(roll, 1))
    assert chosen(roll) == [(Voice.P1, 1)]
    assert sounds == [(Voice.P1, 76)]
    assert not heard.seeks
    assert roll.accessibleDescription() == "Pulse 1  E5  bar 1.2, 0.5 beats, volume 15"
    click(roll, on_note(roll, 2, Voice.TR))
    assert chosen(roll) == [(Voice.TR, 2)]
    click(roll, on_note(roll, 3), CONTROL)
    click(roll, on_note(roll, 4), SHIFT)
    assert chosen(roll) == [(Voice.P1, 3), (Voice.P1, 4), (Voice.TR, 2)]
    assert roll.accessibleDescription() == "3 notes, from 1.3 to 2.1+.50"
    click(roll, on_note(roll, 3), CONTROL)
    assert chosen(roll) == [(Voice.P1, 4), (Voice.TR, 2)]
    click(roll, on_note(roll, 4))
    assert chosen(roll) == [(Voice.P1, 4)]
    click(roll, at(roll, 700))
    assert roll.selection is None


def test_a_note_is_dragged_in_time_and_pitch(roll: Roll) -> None:
    start = on_note(roll, 1)
    drag(roll, start, start + along(roll, 250) + up(roll, 3))
    assert played(roll)[:3] == [(0, 0.5, 72), (1.5, 0.5, 79), (2, 0.5, 79)]
    assert chosen(roll) == [(Voice.P1, 1.5)]
    assert sounds[0] == (Voice.P1, 76)
    assert sounds[-1] == (Voice.P1, 79)
    assert roll.editor.studio.session.undo_label == "Move"
    roll.edit(roll.editor.undo)
    assert played(roll)[1] == (1, 0.5, 76)


def test_what_is_dragged_is_shown_before_it_is_done_and_escape_leaves_it(roll: Roll) -> None:
    start = on_note(roll, 1)
    drag(roll, start, start + up(roll, 2), drop=False)
    assert roll.state.score.parts[Voice.P1].notes[1].pitch == 78
    assert chosen(roll) == [(Voice.P1, 1)]
    assert roll.editor.state.score.parts[Voice.P1].notes[1].pitch == 76
    press(roll, Key.Key_Escape)
    assert played(roll)[1] == (1, 0.5, 76)
    mouse(roll, QEvent.Type.MouseButtonRelease, start, NONE, PLAIN)
    assert roll.editor.studio.session.undo_label is None


def test_dragging_takes_copies_and_goes_between_the_steps(roll: Roll) -> None:
    start = on_note(roll, 1)
    drag(roll, start, start + along(roll, 240), CONTROL)
    assert [beat for beat, _, _ in played(roll)][:4] == [0, 1, 1.5, 2]
    start = on_note(roll, 3)
    drag(roll, start, start + along(roll, 110), SHIFT)
    beat = played(roll)[4][0]
    assert 3.1 < beat < 3.4
    assert beat % 0.25


def test_all_that_is_selected_goes_along(roll: Roll) -> None:
    roll.set_selection(Selection(0, BAR, frozenset((Voice.P1, Voice.P2))))
    start = on_note(roll, 1)
    drag(roll, start, start + along(roll, 120))
    for voice in (Voice.P1, Voice.P2):
        assert [beat for beat, _, _ in played(roll, voice)][:5] == [0.25, 1.25, 2.25, 3.25, 4]
    assert len(chosen(roll)) == 8
    assert [beat for beat, _, _ in played(roll, Voice.TR)][:2] == [0, 1]


def test_the_ends_of_a_note_are_dragged(roll: Roll) -> None:
    drag(roll, on_note(roll, 1, share=0.97), on_note(roll, 1, share=0.97) + along(roll, 130))
    assert played(roll)[1] == (1, 0.75, 76)
    drag(roll, on_note(roll, 2, share=0.03), on_note(roll, 2, share=0.03) + along(roll, -130))
    assert played(roll)[2] == (1.75, 0.75, 79)
    assert roll.editor.studio.session.undo_label == "Resize"


def test_alt_changes_the_volume(roll: Roll) -> None:
    start = on_note(roll, 1)
    drag(roll, start, start + QPoint(0, 30), ALT)
    assert roll.state.score.parts[Voice.P1].notes[1].velocity == 10
    assert played(roll)[1] == (1, 0.5, 76)


def test_double_click_draws_a_note_and_deletes_one(roll: Roll) -> None:
    place = QPoint(round(roll.axis.x(300)), on_note(roll, 1).y())
    double_click(roll, place)
    assert played(roll)[1] == (0.5, 0.25, 76)
    assert chosen(roll) == [(Voice.P1, 0.5)]
    assert roll.editor.studio.session.undo_label == "Draw"
    double_click(roll, place + QPoint(2, 0))
    assert played(roll)[1] == (1, 0.5, 76)
    assert roll.editor.studio.session.undo_label == "Delete"


def test_notes_are_drawn_as_long_as_the_mouse_is(roll: Roll) -> None:
    roll.drawing = True
    lane = roll.lanes[Voice.P2]
    place = QPoint(round(roll.axis.x(250)), lane.top + 2)
    pitch = lane.high
    drag(roll, place, place + along(roll, 960))
    assert (0.5, 2.25, pitch) in played(roll, Voice.P2)
    assert sounds[-1] == (Voice.P2, pitch)
    start = on_note(roll, 3)
    drag(roll, start, start + along(roll, 120))
    assert played(roll)[3] == (3.25, 0.5, 84)


def test_a_note_drawn_after_the_end_makes_the_song_longer(roll: Roll) -> None:
    double_click(roll, at(roll, 2 * BAR + 100))
    assert roll.state.end == 3 * BAR
    roll.edit(roll.editor.undo)
    assert roll.state.end == 2 * BAR


def test_a_locked_voice_says_why_it_stays(roll: Roll) -> None:
    roll.editor.studio.session.change_voice("Lock", Voice.P1, locked=True)
    roll.show_edit()
    start = on_note(roll, 1)
    drag(roll, start, start + along(roll, 240))
    double_click(roll, at(roll, 300))
    assert played(roll)[1] == (1, 0.5, 76)
    assert {(message.text, message.error) for message in said} == {
        ("Pulse 1 is locked, so those notes stay. Unlock to edit them: Ctrl+1.", False)
    }


def test_the_cursor_shows_what_a_press_would_do(roll: Roll) -> None:
    shape = Qt.CursorShape
    for place, wanted in (
        (on_note(roll, 1), shape.SizeAllCursor),
        (on_note(roll, 1, share=0.98), shape.SizeHorCursor),
        (on_note(roll, 1, share=0.02), shape.SizeHorCursor),
        (at(roll, 700), shape.ArrowCursor),
    ):
        mouse(roll, QEvent.Type.MouseMove, place, NONE, PLAIN)
        assert roll.viewport().cursor().shape() is wanted
    roll.drawing = True
    mouse(roll, QEvent.Type.MouseMove, at(roll, 700), NONE, PLAIN)
    assert roll.viewport().cursor().shape() is shape.CrossCursor


def test_the_keys_edit_notes_that_are_selected_one_by_one(roll: Roll) -> None:
    roll.setFocus()
    click(roll, on_note(roll, 1))
    for key, modifiers, note in (
        (Key.Key_Up, PLAIN, (1, 0.5, 77)),
        (Key.Key_Up, SHIFT, (1, 0.5, 89)),
        (Key.Key_Down, SHIFT, (1, 0.5, 77)),
        (Key.Key_Right, PLAIN, (1.25, 0.5, 77)),
        (Key.Key_Left, PLAIN, (1, 0.5, 77)),
        (Key.Key_Right, SHIFT, (1, 0.75, 77)),
        (Key.Key_Left, SHIFT, (1, 0.5, 77)),
    ):
        press(roll, key, modifiers=modifiers)
        assert played(roll)[1] == note
    press(roll, Key.Key_Down, modifiers=ALT)
    assert roll.state.score.parts[Voice.P1].notes[1].velocity == 14
    press(roll, Key.Key_Right, modifiers=ALT)
    assert chosen(roll) == [(Voice.P1, 2)]
    press(roll, Key.Key_Right, modifiers=CONTROL)
    assert chosen(roll) == [(Voice.P1, 6)]
    press(roll, Key.Key_Escape)
    assert roll.selection is None


def test_the_keys_reach_notes_from_a_span(roll: Roll) -> None:
    roll.setFocus()
    press(roll, Key.Key_Right, Key.Key_Right)
    roll.edit(roll.editor.name_notes)
    assert chosen(roll) == [(Voice.P1, 1)]
    press(roll, Key.Key_Up)
    assert played(roll)[1] == (1, 0.5, 77)


def test_the_menu_is_asked_for_with_the_note_under_the_mouse(roll: Roll) -> None:
    asked: list[Any] = []
    roll.menu_requested.connect(asked.append)
    place = on_note(roll, 2)
    reason = QContextMenuEvent.Reason.Mouse
    QApplication.sendEvent(
        roll.viewport(), QContextMenuEvent(reason, place, roll.viewport().mapToGlobal(place))
    )
    assert chosen(roll) == [(Voice.P1, 2)]
    roll.set_selection(Selection(0, BAR, frozenset((Voice.P1,))))
    QApplication.sendEvent(
        roll.viewport(), QContextMenuEvent(reason, place, roll.viewport().mapToGlobal(place))
    )
    assert roll.selection == Selection(0, BAR, frozenset((Voice.P1,)))
    assert len(asked) == 2


def test_selected_notes_are_seen(roll: Roll) -> None:
    before = roll.viewport().grab().toImage()
    place = on_note(roll, 1, share=0.0)
    click(roll, on_note(roll, 1))
    after = roll.viewport().grab().toImage()
    assert before.pixelColor(place) != after.pixelColor(place)
    assert before.pixelColor(on_note(roll, 3, share=0.0)) == after.pixelColor(on_note(roll, 3, share=0.0))
