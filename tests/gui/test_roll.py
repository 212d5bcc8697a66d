"""The roll: driven with mouse and keys as a user does, and looked at."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from roll_hands import (
    ALL,
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
    press,
    roll_of,
    shown_roll,
    song,
    wheel,
)  # fmt: skip

from lakhnes.gui.roll import Roll, Selection
from lakhnes.gui.roll_geometry import HEADER, PIXELS_PER_BEAT, RULER, TOP
from lakhnes.gui.roll_painting import Sight, paint
from lakhnes.gui.theme import DARK, LIGHT, Theme
from lakhnes.runtime import Part, Score, Voice
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.editor import Editor
from lakhnes.studio.note_commands import NoteCommands
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import View

pytestmark = pytest.mark.gui


@pytest.fixture
def roll(qtbot: QtBot) -> Roll:
    return shown_roll(qtbot, song())


def seen(roll: Roll) -> QImage:
    """What is on the screen."""
    return roll.viewport().grab().toImage()


def colours(image: QImage, area: QRect) -> set[str]:
    area = area.intersected(image.rect())
    return {
        image.pixelColor(x, y).name()
        for x in range(area.left(), area.right() + 1)
        for y in range(area.top(), area.bottom() + 1)
    }


# Selecting with the mouse


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    near=st.floats(*PIXELS_PER_BEAT),
    scroll=st.floats(0, 1),
    ends=st.tuples(st.integers(HEADER, 990), st.integers(HEADER, 990)).filter(
        lambda ends: abs(ends[0] - ends[1]) > 40
    ),
    voices=st.tuples(st.sampled_from(Voice), st.sampled_from(Voice)),
)
def test_a_drag_selects_the_beats_and_the_lanes_it_touches(
    roll: Roll, near: float, scroll: float, ends: tuple[int, int], voices: tuple[Voice, Voice]
) -> None:
    roll.set_selection(None)
    roll.zoom(near / roll.pixels_per_beat)
    bar = roll.horizontalScrollBar()
    bar.setValue(round(scroll * bar.maximum()))
    axis = roll.axis
    start, stop = (QPoint(x, at(roll, 0, voice).y()) for x, voice in zip(ends, voices, strict=True))
    drag(roll, start, stop)
    beats = sorted(max(0, int(axis.tick(x) // PPQ)) for x in ends)
    first, last = beats[0] * PPQ, min((beats[1] + 1) * PPQ, 8 * BAR)
    if first >= 8 * BAR:
        assert roll.selection is None
    else:
        low, high = sorted(voices)
        assert roll.selection == Selection(first, last, frozenset(map(Voice, range(low, high + 1))))


def test_alt_selects_sixteenths_and_the_ruler_bars(roll: Roll) -> None:
    roll.zoom_to_fit()
    drag(roll, at(roll, 130, Voice.P2), at(roll, 590, Voice.P2), ALT)
    assert roll.selection == Selection(120, 600, frozenset((Voice.P2,)))
    drag(roll, at(roll, BAR + 500, None), at(roll, 3 * BAR + 20, None))
    assert roll.selection == Selection(BAR, 4 * BAR, ALL)
    drag(roll, at(roll, 3 * BAR + 500, None), at(roll, 2 * BAR + 20, None))
    assert roll.selection == Selection(2 * BAR, 4 * BAR, ALL)


def test_a_click_goes_there_and_lets_the_selection_go(roll: Roll) -> None:
    heard = Heard(roll)
    roll.set_selection(Selection(0, BAR, ALL))
    click(roll, at(roll, BAR + PPQ + 100))
    assert roll.selection is None
    assert heard.seeks == [BAR + PPQ]
    click(roll, at(roll, BAR + PPQ + 100, None))
    assert heard.seeks == [BAR + PPQ] * 2
    click(roll, at(roll, BAR + PPQ + 130), ALT)
    assert heard.seeks[-1] == BAR + PPQ + 120


def test_double_click_on_the_ruler_selects_a_bar(roll: Roll) -> None:
    place = at(roll, 3 * BAR + 700, None)
    click(roll, place)
    mouse(roll, QEvent.Type.MouseButtonDblClick, place, LEFT, PLAIN)
    mouse(roll, QEvent.Type.MouseButtonRelease, place, NONE, PLAIN)
    assert roll.selection == Selection(3 * BAR, 4 * BAR, ALL)


def test_a_click_on_a_name_selects_the_voice(roll: Roll) -> None:
    heard = Heard(roll)
    for voice in Voice:
        click(roll, QPoint(30, at(roll, 0, voice).y()))
        assert roll.selection == Selection(0, 8 * BAR, frozenset((voice,)))
    click(roll, QPoint(30, at(roll, 0, Voice.P1).y()), CONTROL)
    assert roll.selection == Selection(0, 8 * BAR, frozenset((Voice.P1, Voice.NO)))
    click(roll, QPoint(30, at(roll, 0, Voice.NO).y()), SHIFT)
    assert roll.selection == Selection(0, 8 * BAR, frozenset((Voice.P1,)))
    click(roll, QPoint(30, at(roll, 0, Voice.P1).y()), CONTROL)
    assert roll.selection is None
    assert not heard.seeks


def test_shift_click_extends(roll: Roll) -> None:
    drag(roll, at(roll, 100), at(roll, 900))
    click(roll, at(roll, BAR + 10, Voice.P2), SHIFT)
    assert roll.selection == Selection(0, BAR + PPQ, frozenset((Voice.P1, Voice.P2)))


def test_a_press_inside_the_selection_drags_it_away(roll: Roll) -> None:
    chosen = Selection(0, BAR, frozenset((Voice.P1,)))
    roll.set_selection(chosen)
    heard = Heard(roll)
    drag(roll, at(roll, 500), at(roll, 2 * BAR, Voice.TR))
    assert heard.drags == [True]
    assert roll.selection == chosen
    click(roll, at(roll, 500))
    assert roll.selection is None
    assert not heard.seeks
    roll.set_selection(chosen)
    drag(roll, at(roll, 500, Voice.P2), at(roll, 1100, Voice.P2))
    assert heard.drags == [True]
    assert roll.selection == Selection(PPQ, 3 * PPQ, frozenset((Voice.P2,)))


def test_the_cursor_shows_what_can_be_dragged(roll: Roll) -> None:
    roll.set_selection(Selection(0, BAR, frozenset((Voice.P1,))))
    shapes = []
    for place in (at(roll, 500), at(roll, 500, Voice.P2), at(roll, 500, None)):
        mouse(roll, QEvent.Type.MouseMove, place, NONE, PLAIN)
        shapes.append(roll.viewport().cursor().shape())
    arrow = Qt.CursorShape.ArrowCursor
    assert shapes == [Qt.CursorShape.OpenHandCursor, arrow, arrow]


def test_a_drag_beyond_the_edge_scrolls(roll: Roll, qtbot: QtBot) -> None:
    edge = roll.viewport().width()
    drag(roll, at(roll, 100), QPoint(edge + 40, at(roll, 0).y()), drop=False)
    qtbot.waitUntil(lambda: roll.horizontalScrollBar().value() > 200)
    mouse(roll, QEvent.Type.MouseButtonRelease, QPoint(edge + 40, 100), NONE, PLAIN)
    chosen = roll.selection
    assert chosen is not None
    assert chosen.first == 0
    assert chosen.last >= roll.axis.tick(edge - 1)
    stopped = roll.horizontalScrollBar().value()
    qtbot.wait(100)
    assert roll.horizontalScrollBar().value() == stopped


def test_other_buttons_select_nothing(roll: Roll) -> None:
    heard = Heard(roll)
    QTest.mouseClick(roll.viewport(), Qt.MouseButton.RightButton, PLAIN, at(roll, 500))
    assert not heard.seeks
    assert not heard.selections


# Selecting with keys


def test_arrows_move_and_extend_the_selection(roll: Roll) -> None:
    roll.setFocus()
    roll.show_view(View(place=BAR + 500))
    press(roll, Key.Key_Right)
    assert roll.selection == Selection(BAR + PPQ, BAR + 2 * PPQ, frozenset((Voice.P1,)))
    press(roll, Key.Key_Right)
    press(roll, Key.Key_Right, Key.Key_Right, modifiers=SHIFT)
    assert roll.selection == Selection(BAR + 2 * PPQ, BAR + 5 * PPQ, frozenset((Voice.P1,)))
    press(roll, Key.Key_Down, modifiers=SHIFT)
    assert roll.selection == Selection(BAR + 2 * PPQ, BAR + 5 * PPQ, frozenset((Voice.P1, Voice.P2)))
    press(roll, Key.Key_Right, modifiers=CONTROL)
    assert roll.selection == Selection(3 * BAR, 4 * BAR, frozenset((Voice.P1, Voice.P2)))
    press(roll, Key.Key_Right, modifiers=CONTROL | SHIFT)
    assert roll.selection == Selection(3 * BAR, 5 * BAR, frozenset((Voice.P1, Voice.P2)))
    press(roll, Key.Key_Down)
    assert roll.selection == Selection(3 * BAR, 5 * BAR, frozenset((Voice.TR,)))
    press(roll, *[Key.Key_Left] * 40)
    assert roll.selection == Selection(0, PPQ, frozenset((Voice.TR,)))


def test_the_keys_keep_what_they_select_in_sight(roll: Roll) -> None:
    roll.setFocus()
    roll.resize(500, 200)
    press(roll, *[Key.Key_Right] * 12)
    press(roll, *[Key.Key_Down] * 3)
    chosen = roll.selection
    assert chosen is not None
    assert HEADER <= roll.axis.x(chosen.first) < roll.viewport().width()
    lane = roll.lanes[Voice.NO]
    assert TOP <= lane.top < lane.bottom <= roll.viewport().height()
    press(roll, *[Key.Key_Up] * 3)
    press(roll, *[Key.Key_Left] * 12)
    assert roll.axis.x(0) >= HEADER
    assert roll.lanes[Voice.P1].top == TOP


def test_all_none_loop_and_seek(roll: Roll) -> None:
    heard = Heard(roll)
    roll.setFocus()
    press(roll, Key.Key_L, Key.Key_Return)
    assert (heard.loops, heard.seeks) == ([None], [])
    press(roll, Key.Key_A, modifiers=CONTROL)
    assert roll.selection == Selection(0, 8 * BAR, ALL)
    roll.set_selection(Selection(BAR, 2 * BAR, ALL))
    press(roll, Key.Key_L, Key.Key_Return, Key.Key_Enter)
    assert heard.loops[-1] == (BAR, 2 * BAR)
    assert heard.seeks == [BAR, BAR]
    roll.show_view(View(loop=(BAR, 2 * BAR)))
    press(roll, Key.Key_L)
    assert heard.loops[-1] is None
    press(roll, Key.Key_Escape)
    assert roll.selection is None
    assert heard.selections[-1] is None


def test_keys_that_say_nothing_are_left_to_the_window(qtbot: QtBot) -> None:
    left: list[int] = []

    class Window(Roll):
        def keyPressEvent(self, event: Any) -> None:  # noqa: N802
            super().keyPressEvent(event)
            if not event.isAccepted() and event.key() != Key.Key_Control:
                left.append(event.key())

    window = Window(NoteCommands(Editor(Studio())))
    qtbot.addWidget(window)
    press(window, Key.Key_Space, Key.Key_Escape, Key.Key_Return, Key.Key_F5, Key.Key_L)
    press(window, Key.Key_L, modifiers=CONTROL)
    assert left == [Key.Key_Space, Key.Key_Escape, Key.Key_Return, Key.Key_F5, Key.Key_L]


def test_selecting_is_told_once_and_said_in_words(roll: Roll) -> None:
    heard = Heard(roll)
    chosen = Selection(BAR, 2 * BAR, frozenset((Voice.TR, Voice.P1)))
    roll.set_selection(chosen)
    roll.set_selection(chosen)
    assert heard.selections == [chosen]
    assert roll.accessibleDescription() == "Pulse 1, Triangle, from 2.1 to 3.1"
    roll.show_state(song(bars=2))
    assert heard.selections == [chosen]
    roll.show_state(song(bars=1))
    assert heard.selections == [chosen, None]
    assert "Arrows" in roll.accessibleDescription()


# Scrolling, zooming and following


def test_the_wheel_scrolls_and_zooms_about_the_mouse(roll: Roll) -> None:
    across, down = roll.horizontalScrollBar(), roll.verticalScrollBar()
    wheel(roll, -2)
    assert across.value() > 0
    assert down.maximum() == 0
    before = across.value()
    wheel(roll, 1, SHIFT)
    assert across.value() < before
    place = at(roll, 3 * BAR)
    tick, near = roll.axis.tick(place.x()), roll.pixels_per_beat
    wheel(roll, 2, CONTROL, place)
    assert roll.pixels_per_beat == pytest.approx(near * 1.25**2)
    assert roll.axis.x(tick) == pytest.approx(place.x(), abs=0.51)
    wheel(roll, -200, CONTROL, place)
    assert roll.pixels_per_beat == PIXELS_PER_BEAT[0]
    roll.resize(600, 200)
    wheel(roll, -1)
    assert down.value() > 0
    assert roll.lanes[0].top < TOP


def test_keys_scroll_and_zoom(roll: Roll) -> None:
    roll.setFocus()
    bar = roll.horizontalScrollBar()
    press(roll, Key.Key_PageDown)
    assert bar.value() == min(bar.pageStep(), bar.maximum()) > 0
    press(roll, Key.Key_End)
    assert bar.value() == bar.maximum()
    press(roll, Key.Key_PageUp, Key.Key_Home)
    assert bar.value() == 0
    near = roll.pixels_per_beat
    press(roll, Key.Key_Plus)
    assert roll.pixels_per_beat > near
    press(roll, Key.Key_Minus, Key.Key_Minus)
    assert roll.pixels_per_beat < near
    roll.set_selection(Selection(2 * BAR, 3 * BAR, ALL))
    press(roll, Key.Key_Z)
    assert HEADER <= roll.axis.x(2 * BAR) < roll.axis.x(3 * BAR) <= roll.viewport().width()
    assert roll.pixels_per_beat > 150
    press(roll, Key.Key_F)
    assert HEADER <= roll.axis.x(0) < roll.axis.x(8 * BAR) <= roll.viewport().width()


def test_the_roll_follows_by_pages(roll: Roll) -> None:
    bar, width = roll.horizontalScrollBar(), roll.viewport().width()
    turned = []
    for tick in range(0, 6 * BAR, 40):
        before = bar.value()
        roll.show_view(View(playing=True, place=float(tick)))
        if bar.value() != before:
            turned.append(tick)
        assert HEADER <= roll.axis.x(tick) < width
    assert 1 <= len(turned) <= 3
    roll.show_view(View(place=0.0))
    assert bar.value() == 0


def test_a_user_who_scrolls_is_left_alone(roll: Roll) -> None:
    bar = roll.horizontalScrollBar()
    roll.zoom(4, HEADER)
    bar.setValue(0)
    roll.show_view(View(playing=True, place=100.0))
    wheel(roll, -8)
    away = bar.value()
    assert roll.axis.x(100) < HEADER
    roll.show_view(View(playing=True, place=140.0))
    assert bar.value() == away
    roll.show_view(View(playing=False, place=150.0))
    roll.show_view(View(playing=True, place=160.0))
    assert HEADER <= roll.axis.x(160) < roll.viewport().width()
    roll.follow = False
    roll.show_view(View(playing=True, place=5.0 * BAR))
    assert roll.axis.x(5 * BAR) >= roll.viewport().width()


def test_no_page_is_turned_under_a_hand(roll: Roll) -> None:
    roll.show_view(View(playing=True, place=100.0))
    drag(roll, at(roll, 100), at(roll, 900), drop=False)
    roll.show_view(View(playing=True, place=7.0 * BAR))
    assert roll.horizontalScrollBar().value() == 0
    mouse(roll, QEvent.Type.MouseButtonRelease, at(roll, 900), NONE, PLAIN)
    roll.show_view(View(playing=True, place=7.1 * BAR))
    assert roll.axis.x(7.1 * BAR) < roll.viewport().width()


# What is seen


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_notes_are_where_they_should_be(roll: Roll, theme: Theme) -> None:
    roll.set_theme(theme)
    roll.zoom_to_fit()
    image = seen(roll)
    for voice in Voice:
        lane = roll.lanes[voice]
        for note in roll.state.score.parts[voice].notes:
            tick = roll.state.grid.tick(note.onset)
            left, right = round(roll.axis.x(tick)), round(roll.axis.x(tick + PPQ / 2))
            top, height = lane.row(note.pitch)
            assert theme.voices[voice].name() in colours(image, QRect(left, top, right - left - 1, height))
            around = colours(image, QRect(right, lane.top, left - right + 15, lane.height))
            assert theme.voices[voice].name() not in around
            above = colours(image, QRect(left, lane.top, right - left, top - lane.top))
            assert theme.voices[voice].name() not in above


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_ahead_muted_and_soloed_notes_look_different(roll: Roll, theme: Theme) -> None:
    roll.set_theme(theme)
    roll.zoom_to_fit()

    def look(voice: Voice, beat: int) -> set[str]:
        note = roll.state.score.parts[voice].notes[beat]
        top, height = roll.lanes[voice].row(note.pitch)
        left = round(roll.axis.x(beat * PPQ))
        return colours(seen(roll), QRect(left + 3, top + 1, 6, height - 2))

    def back(beat: float) -> set[str]:
        lane = roll.lanes[Voice.P1]
        x = round(roll.axis.x(beat * PPQ))
        return colours(seen(roll), QRect(x - 4, lane.top, 4, lane.height))

    for voice in Voice:
        roll.show_state(song())
        kept, plain = look(voice, 20), back(20.9)
        assert theme.voices[voice].name() in kept
        roll.show_state(song(kept=4 * BAR))
        assert look(voice, 12) != set()
        ahead = look(voice, 20)
        assert theme.voices[voice].name() not in ahead, "its core is not filled"
        assert theme.ahead.name() in back(20.9)
        assert theme.ahead.name() not in plain
        roll.show_state(song().with_voice(voice, muted=True))
        muted = look(voice, 20)
        assert theme.voices[voice].name() not in muted
        assert muted != ahead
        other = Voice.P2 if voice is Voice.P1 else Voice.P1
        roll.show_state(song().with_voice(other, solo=True))
        assert look(voice, 20) == muted


def test_what_is_set_for_a_voice_is_seen_beside_its_name(roll: Roll) -> None:
    def header(voice: Voice, **fields: Any) -> QImage:
        roll.show_state(song().with_voice(voice, **fields))
        lane = roll.lanes[voice]
        return seen(roll).copy(QRect(0, lane.top, HEADER, lane.height))

    for voice in Voice:
        looks = [
            header(voice, **fields)
            for fields in ({}, {"locked": True}, {"muted": True}, {"solo": True}, {"volume": 0.3})
        ]
        assert [looks.index(look) for look in looks] == [0, 1, 2, 3, 0]


def test_the_end_the_loop_and_the_selection_are_seen(roll: Roll) -> None:
    roll.zoom_to_fit()
    lane = roll.lanes[Voice.P2]
    end = round(roll.axis.x(8 * BAR))
    assert colours(seen(roll), QRect(end + 10, lane.top, 4, lane.height)) == {LIGHT.window.name()}
    plain = seen(roll)
    roll.show_view(View(loop=(BAR, 2 * BAR)))
    looped = seen(roll)
    middle = QRect(round(roll.axis.x(1.5 * BAR)), RULER - 5, 10, 4)
    assert colours(looped, middle) == {LIGHT.accent.name()}
    assert LIGHT.accent.name() not in colours(plain, middle)
    roll.show_view(View())
    assert seen(roll) == plain
    roll.set_selection(Selection(BAR, 2 * BAR, frozenset((Voice.P2,))))
    chosen = seen(roll)
    inside = QRect(round(roll.axis.x(BAR)) + 20, lane.top + 1, 60, lane.height - 2)
    assert chosen.copy(inside) != plain.copy(inside)
    other = QRect(inside.left(), roll.lanes[Voice.TR].top, 60, lane.height)
    assert chosen.copy(other) == plain.copy(other)


def test_the_focus_is_seen(roll: Roll, qtbot: QtBot) -> None:
    roll.activateWindow()
    roll.setFocus()
    qtbot.waitUntil(roll.hasFocus)
    frame = QRect(0, 0, 2, 500)
    assert LIGHT.accent.name() in colours(seen(roll), frame)
    roll.clearFocus()
    assert LIGHT.accent.name() not in colours(seen(roll), frame)


def test_an_empty_song_invites(qtbot: QtBot) -> None:
    roll = roll_of()
    qtbot.addWidget(roll)
    roll.resize(700, 400)
    roll.show()
    middle = QRect(300, 195, 240, 30)
    assert LIGHT.faint_text.name() in colours(seen(roll), middle)
    looks = [seen(roll)]
    for view in (View(playing=True), View(following=True), View()):
        roll.show_view(view)
        looks.append(seen(roll))
    assert [looks.index(look) for look in looks] == [0, 1, 2, 0]
    heard = Heard(roll)
    drag(roll, at(roll, 100), at(roll, 2000))
    press(roll, Key.Key_Right, Key.Key_F, Key.Key_Z, Key.Key_Plus)
    press(roll, Key.Key_A, modifiers=CONTROL)
    click(roll, QPoint(30, 100))
    assert roll.selection is None
    assert not heard.selections
    roll.show_state(song())
    roll.zoom_to_fit()
    assert LIGHT.faint_text.name() not in colours(seen(roll), middle)


class Painted(QObject):
    """Notes which areas are painted."""

    def __init__(self, roll: Roll) -> None:
        super().__init__(roll)
        self.widths: list[int] = []
        roll.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if isinstance(event, QPaintEvent):
            self.widths.append(event.region().boundingRect().width())
        return False


def test_the_playhead_moves_in_a_narrow_strip(roll: Roll) -> None:
    roll.show_view(View(playing=True, place=400.0))
    QApplication.processEvents()
    painted = Painted(roll)
    shows = []
    for place in range(400, 500, 20):
        roll.show_view(View(playing=True, place=float(place)))
        QApplication.processEvents()
        image = seen(roll)
        x = round(roll.axis.x(place))
        assert image.pixelColor(x, 200) == LIGHT.playhead
        shows.append(x)
    grabs = [width for width in painted.widths if width == roll.viewport().width()]
    strips = [width for width in painted.widths if width not in grabs]
    assert len(set(shows)) == 5
    assert len(strips) >= 4
    assert max(strips) <= 24
    painted.widths.clear()
    roll.show_view(View(playing=True, place=480.01))
    QApplication.processEvents()
    assert not painted.widths, "nothing to see has changed"


def whole(roll: Roll) -> QImage:
    """The roll as it is painted at once."""
    fresh = roll_of()
    fresh.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    fresh.resize(roll.size())
    fresh.show()
    fresh.show_state(roll.state)
    fresh.show_view(roll.view)
    fresh.zoom(roll.pixels_per_beat / fresh.pixels_per_beat)
    fresh.horizontalScrollBar().setValue(roll.axis.scroll)
    fresh.set_selection(roll.selection)
    image = seen(fresh)
    fresh.deleteLater()
    return image


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 10), st.integers(60, 72), st.floats(0, 1)),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_painted_in_stretches_looks_as_painted_at_once(
    roll: Roll, steps: list[tuple[int, int, int, float]]
) -> None:
    roll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    roll.clearFocus()
    notes = song(bars=10).score.parts
    for beats, kept, pitch, scroll in steps:
        four = [Part(tuple(note for note in part.notes if note.onset < beats * BEAT)) for part in notes]
        four[1] = Part(
            tuple(replace(note, pitch=pitch) if i == 7 else note for i, note in enumerate(four[1].notes))
        )
        score = Score((four[0], four[1], four[2], four[3]), beats * BEAT)
        bar = roll.horizontalScrollBar()
        bar.setValue(round(scroll * bar.maximum()))
        seen(roll)
        roll.show_state(SongState(score=score, kept=kept * BAR))
    assert seen(roll) == whole(roll)


def test_it_is_sharp_on_a_screen_of_many_pixels() -> None:
    roll = roll_of()
    roll.resize(600, 300)
    roll.show_state(song())
    image = QImage(1200, 600, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(2)
    sight = Sight(
        600, 300, roll.state, roll._notes, roll.axis, roll.lanes, LIGHT,
        tuple(LIGHT.note_brush(voice) for voice in Voice), QFont(), None, None, False, "", {},
    )  # fmt: skip
    painter = QPainter(image)
    paint(painter, sight, 0, 600)
    painter.end()
    note = roll.state.score.parts[Voice.P1].notes[0]
    top, height = roll.lanes[Voice.P1].row(note.pitch)
    x = round(roll.axis.x(0)) + 5
    assert image.pixelColor(2 * x, 2 * top + height) == LIGHT.voices[0]
    assert image.pixelColor(2 * x, 2 * (top + height) + 1) != QColor(LIGHT.voices[0])


def test_a_note_is_told_in_words(roll: Roll) -> None:
    note = roll.state.score.parts[Voice.P1].notes[9]
    top, height = roll.lanes[Voice.P1].row(note.pitch)
    place = QPoint(round(roll.axis.x(9 * PPQ)) + 2, top + height // 2)
    assert roll.note_at(place) == "Pulse 1  E5  bar 3.2, 0.5 beats, volume 15"
    assert roll.hint_at(place) == roll.note_at(place)
    assert roll.note_at(place - QPoint(0, height + 2)) == ""
    assert roll.note_at(QPoint(place.x(), 5)) == roll.note_at(QPoint(5, place.y())) == ""
    drum = roll.lanes[Voice.NO].row(2)
    assert (
        roll.note_at(QPoint(round(roll.axis.x(0)) + 3, drum[0] + 3))
        == "Noise  2  bar 1.1, 0.5 beats, volume 15"
    )
    assert "Pulse 1" in roll.hint_at(QPoint(5, place.y()))
    assert "bars" in roll.hint_at(QPoint(place.x(), 5))
    roll.show_state(song(kept=BAR))
    assert "ahead" in roll.hint_at(at(roll, 3 * BAR + 400))
    assert roll.hint_at(at(roll, 400)) == ""
