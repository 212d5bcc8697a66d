"""The transport bar, driven as a user does."""

import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import steps, wheel
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from support import tune

from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.gui.tap_tempo import TapTempo
from lakhnes.gui.theme import DARK, LIGHT
from lakhnes.gui.transport import TransportBar
from lakhnes.gui.transport_texts import late_text, place_text, time_text
from lakhnes.runtime import Score
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.jobs import Job
from lakhnes.studio.playback import Playback
from lakhnes.studio.session import Session
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import View

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
READY = View(ready=True)


class Told(Playback):
    """Notes what it is told."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio.session, studio.jobs, studio.say, time.perf_counter)
        self.told: list[object] = []
        self.until: Event | None = None

    def toggle(self) -> None:
        self.told.append("toggle")

    def seek(self, tick: int) -> None:
        self.told.append(("seek", tick))

    def follow(self, midi: bool) -> None:
        self.told.append(("follow", midi))
        until = self.until
        if until is not None:
            self._jobs.start(Job("Following", quiet=True), lambda job: until.wait(10))


@pytest.fixture
def told(studio: Studio) -> Told:
    """What the studio without a stage is told."""
    playback = Told(studio)
    studio.playback = playback
    return playback


@pytest.fixture
def studio() -> Iterator[Studio]:
    studio = Studio(SongState())
    yield studio
    studio.close()


@pytest.fixture
def times() -> list[float]:
    return []


@pytest.fixture
def bar(qtbot: QtBot, studio: Studio, told: Told, times: list[float]) -> TransportBar:
    bar = TransportBar(studio, now=lambda: times.pop(0))
    qtbot.addWidget(bar)
    bar.show()
    bar.activateWindow()
    bar.show_view(READY)
    return bar


def test_play_says_what_it_does(qtbot: QtBot, bar: TransportBar, told: Told) -> None:
    assert bar.play.text() == "Play"
    qtbot.mouseClick(bar.play, LEFT)
    bar.show_view(replace(READY, playing=True))
    assert bar.play.text() == bar.play.accessibleName() == "Stop"
    qtbot.keyClick(bar.play, Qt.Key.Key_Space)
    bar.show_view(READY)
    assert bar.play.text() == "Play"
    qtbot.mouseClick(bar.start, LEFT)
    assert told.told == ["toggle", "toggle", ("seek", 0)]


def test_nothing_plays_before_the_model_is_there(qtbot: QtBot, bar: TransportBar, told: Told) -> None:
    bar.show_view(View())
    qtbot.mouseClick(bar.play, LEFT)
    qtbot.mouseClick(bar.start, LEFT)
    assert told.told == []


def test_following_leaves_the_transport_to_the_daw(qtbot: QtBot, bar: TransportBar, studio: Studio) -> None:
    bar.show_selection(object())
    bar.show_view(replace(READY, following=True, bpm=97.23))
    for button in (bar.play, bar.start, bar.loop, bar.tap_button):
        assert not button.isEnabled()
    assert "DAW" in bar.play.toolTip()
    bar.tap()
    assert bar.tempo.value() == pytest.approx(97.2)
    bar.tempo.setFocus()
    qtbot.keyClicks(bar.tempo, "150\r")
    qtbot.keyClick(bar.tempo, Qt.Key.Key_Up)
    assert studio.session.state.bpm == 120
    bar.show_view(READY)
    assert bar.tempo.value() == 120
    assert not bar.tempo.isReadOnly()


def test_loop(qtbot: QtBot, bar: TransportBar) -> None:
    asked: list[bool] = []
    bar.loop_toggled.connect(asked.append)
    qtbot.mouseClick(bar.loop, LEFT)
    assert asked == []
    bar.show_selection(object())
    qtbot.mouseClick(bar.loop, LEFT)
    bar.show_view(replace(READY, loop=(0, 960)))
    bar.show_selection(None)
    assert bar.loop.isChecked()
    qtbot.mouseClick(bar.loop, LEFT)
    assert asked == [True, False]
    bar.show_view(READY)
    assert not bar.loop.isChecked()
    assert not bar.loop.isEnabled()


def test_endless_is_a_step_each_time(qtbot: QtBot, bar: TransportBar, studio: Studio) -> None:
    qtbot.mouseClick(bar.endless, LEFT)
    assert not studio.session.state.endless
    qtbot.mouseClick(bar.endless, LEFT)
    assert studio.session.state.endless
    assert steps(studio.session) == 2


def test_a_tempo_is_typed_and_turned_as_one_step(qtbot: QtBot, bar: TransportBar, studio: Studio) -> None:
    bar.tempo.setFocus()
    bar.tempo.selectAll()
    qtbot.keyClicks(bar.tempo, "133.3")
    assert studio.session.state.bpm == 120
    qtbot.keyClick(bar.tempo, Qt.Key.Key_Return)
    assert studio.session.state.bpm == 133.3
    for _ in range(3):
        qtbot.keyClick(bar.tempo, Qt.Key.Key_Down)
    assert studio.session.state.bpm == pytest.approx(130.3)
    assert steps(studio.session) == 1
    studio.session.undo()
    bar.show_state(studio.session.state)
    assert bar.tempo.value() == 120


def test_the_wheel_turns_only_what_has_the_keyboard(qtbot: QtBot, bar: TransportBar, studio: Studio) -> None:
    bar.play.setFocus()
    wheel(bar.tempo, 1)
    assert studio.session.state.bpm == 120
    bar.tempo.setFocus()
    qtbot.waitUntil(bar.tempo.hasFocus)
    wheel(bar.tempo, 1)
    assert studio.session.state.bpm == 121


def test_what_is_being_typed_stays_while_music_is_composed(
    qtbot: QtBot, bar: TransportBar, studio: Studio
) -> None:
    bar.tempo.setFocus()
    bar.tempo.selectAll()
    qtbot.keyClicks(bar.tempo, "14")
    studio.session.amend(score=tune())
    bar.show_state(studio.session.state)
    bar.show_view(replace(READY, playing=True, place=480.0))
    qtbot.keyClicks(bar.tempo, "4\r")
    assert studio.session.state.bpm == 144


def test_bars_are_chosen_before_anything_is_heard(qtbot: QtBot, bar: TransportBar, studio: Studio) -> None:
    bar.beats_per_bar.setFocus()
    bar.beats_per_bar.selectAll()
    qtbot.keyClicks(bar.beats_per_bar, "3\r")
    assert studio.session.state.beats_per_bar == 3
    studio.session.amend(score=tune(), kept=480)
    bar.show_state(studio.session.state)
    assert not bar.beats_per_bar.isEnabled()
    assert "already" in bar.beats_per_bar.toolTip()
    studio.session.amend(kept=0)
    bar.show_state(studio.session.state)
    assert bar.beats_per_bar.isEnabled()


def test_taps_are_a_tempo(qtbot: QtBot, bar: TransportBar, studio: Studio, times: list[float]) -> None:
    times += [10.0, 10.5, 11.0, 11.4]
    qtbot.mouseClick(bar.tap_button, LEFT)
    assert studio.session.state.bpm == 120
    assert steps(studio.session) == 0
    for _ in range(3):
        bar.tap()
    assert studio.session.state.bpm == pytest.approx(60 / (1.4 / 3), abs=0.05)
    assert steps(studio.session) == 1


@given(st.floats(21, 399), st.integers(2, 30), st.floats(0, 1e6))
def test_even_taps_are_their_tempo(bpm: float, count: int, start: float) -> None:
    taps = TapTempo()
    heard = [taps.tap(start + i * 60 / bpm) for i in range(count)]
    assert heard[0] is None
    assert heard[1:] == pytest.approx([bpm] * (count - 1), abs=0.06)


@given(st.lists(st.floats(-10, 10), max_size=20))
def test_any_taps_are_a_tempo_in_range(gaps: list[float]) -> None:
    taps, now = TapTempo(), 0.0
    for gap in gaps:
        now += gap
        bpm = taps.tap(now)
        assert bpm is None or 20 <= bpm <= 400


def test_a_new_tempo_begins_after_a_rest_or_a_turn() -> None:
    taps = TapTempo()
    for now in (0.0, 0.5, 1.0, 1.5):
        taps.tap(now)
    assert taps.tap(2.5) == 60
    assert taps.tap(9.0) is None
    assert taps.tap(9.3) == 200


def test_the_clock_is_told_in_words_and_shapes(bar: TransportBar) -> None:
    seen: dict[ClockStatus, tuple[str, bytes]] = {}
    for status in ClockStatus:
        bar.show_view(replace(READY, following=True, clock=status))
        picture = bar.clock_shape.pixmap().toImage()
        alpha = bytes(picture.pixelColor(x, y).alpha() for x in range(16) for y in range(16))
        seen[status] = bar.clock_status.text(), alpha
    assert {status: text for status, (text, _) in seen.items()} == {
        ClockStatus.STOPPED: "stopped",
        ClockStatus.HEARD: "DAW clock received",
        ClockStatus.RUNNING: "playing",
        ClockStatus.WAITING: "waiting for the DAW",
        ClockStatus.LOST: "DAW clock lost",
    }
    assert len({shape for _, shape in seen.values()}) == len(ClockStatus)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_lost_clock_has_the_colour_of_errors(bar: TransportBar, theme: Any) -> None:
    bar.show_view(replace(READY, following=True, clock=ClockStatus.LOST))
    bar.set_theme(theme)
    label = bar.clock_status
    assert label.palette().color(label.foregroundRole()) == theme.error


def test_following_is_asked_for_and_shown(qtbot: QtBot, bar: TransportBar, told: Told) -> None:
    assert bar.own.isChecked()
    qtbot.mouseClick(bar.daw, LEFT)
    assert told.told == [("follow", True)]
    bar.show_view(replace(READY, following=True))
    assert bar.daw.isChecked()
    qtbot.mouseClick(bar.own, LEFT)
    assert told.told[1:] == [("follow", False)]


def test_a_clock_that_cannot_be_followed_is_given_up(
    qtbot: QtBot, bar: TransportBar, studio: Studio, told: Told
) -> None:
    told.until = Event()
    qtbot.mouseClick(bar.daw, LEFT)
    bar.show_view(replace(READY, sent=1))
    assert bar.daw.isChecked()  # it is on its way
    told.until.set()
    qtbot.waitUntil(lambda: (studio.jobs.deliver(), not studio.jobs.running)[1])
    bar.show_view(READY)
    assert bar.own.isChecked()


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (View(), ""),
        (View(sent=1204), "late 0 of 1,204"),
        (View(sent=1204, late=3, worst_seconds=0.0142), "late 3 of 1,204, worst 14 ms"),
        (View(sent=9, late=1, worst_seconds=1.5, gaps=2), "late 1 of 9, worst 1500 ms, 2 gaps"),
        (View(gaps=1), "1 gap"),
    ],
)
def test_late_events_are_counted(bar: TransportBar, view: View, text: str) -> None:
    assert late_text(view) == text
    bar.show_view(view)
    assert bar.late.text() == text
    assert bar.late.toolTip().startswith(text)
    assert "10 ms" in bar.late.toolTip()


def test_late_events_are_shortened_where_there_is_little_room(bar: TransportBar) -> None:
    bar.show_view(View(sent=1204, late=3, worst_seconds=0.0142))
    bar.late.resize(400, 28)
    assert bar.late.shown == bar.late.text()
    bar.late.resize(90, 28)
    assert bar.late.shown.startswith("late")
    assert bar.late.shown.endswith("\u2026")
    assert bar.late.fontMetrics().horizontalAdvance(bar.late.shown) <= 90


def test_it_says_whether_the_model_keeps_up(qtbot: QtBot, bar: TransportBar, studio: Studio) -> None:
    bar.show_view(View())
    assert bar.composing.text() == "· no model"
    end = Event()
    studio.jobs.start(Job("Loading", quiet=True), lambda job: end.wait(10))
    bar.show_view(View())
    assert bar.composing.text() == "· loading the model"
    end.set()
    bar.show_view(replace(READY, waiting=True))
    assert bar.composing.text() == "· composing"
    bar.show_view(READY)
    assert bar.composing.text() == ""


@given(st.integers(1, 16), st.integers(0, 2000), st.data())
def test_places_are_bars_and_beats(beats: int, bar: int, data: st.DataObject) -> None:
    beat = data.draw(st.integers(0, beats - 1))
    inside = data.draw(st.floats(0, PPQ - 0.001))
    place = (bar * beats + beat) * PPQ + inside
    assert place_text(SongState(beats_per_bar=beats), place) == f"{bar + 1}.{beat + 1}"


def test_times_are_minutes_and_seconds(bar: TransportBar) -> None:
    assert time_text(0, 120) == "0:00"
    assert time_text(119 * PPQ, 60) == "1:59"
    assert time_text(2 * 600 * PPQ, 120) == "10:00"
    bar.show_view(replace(READY, place=9.5 * PPQ))
    assert (bar.place.text(), bar.time.text()) == ("3.2", "0:04")


def test_any_state_is_shown_and_stays(bar: TransportBar, studio: Studio) -> None:
    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(200, 4000),
        st.integers(1, 16),
        st.booleans(),
        st.booleans(),
        st.sampled_from((None, (0, 9))),
    )
    def check(tenths: int, beats: int, endless: bool, empty: bool, loop: tuple[int, int] | None) -> None:
        score = Score() if empty else tune()
        state = SongState(
            score=score, kept=0 if empty else 480, bpm=tenths / 10, beats_per_bar=beats, endless=endless
        )
        studio.session = session = Session(state)
        bar.show_state(state)
        bar.show_view(replace(READY, loop=loop))
        assert bar.tempo.value() == pytest.approx(state.bpm)
        assert bar.beats_per_bar.value() == beats
        assert bar.beats_per_bar.isEnabled() == empty
        assert bar.endless.isChecked() == endless
        assert bar.loop.isChecked() == (loop is not None)
        assert (session.state, session.undo_label) == (state, None)

    check()


def test_the_tab_key_reaches_everything(qtbot: QtBot, bar: TransportBar) -> None:
    bar.show_selection(object())
    bar.start.setFocus()
    qtbot.waitUntil(bar.start.hasFocus)
    reached: list[QWidget] = []
    for _ in range(9):
        widget = QApplication.focusWidget()
        assert widget is not None
        assert widget.accessibleName()
        assert widget.toolTip()
        reached.append(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    wanted = [
        bar.start,
        bar.play,
        bar.loop,
        bar.endless,
        bar.tempo,
        bar.tap_button,
        bar.beats_per_bar,
        bar.own,
    ]
    assert reached[: len(wanted)] == wanted
