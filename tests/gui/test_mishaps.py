"""What goes wrong in a user's day, and what undoing, quitting and the keyboard are to do about it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

import pytest
from desk import BAR, Desk
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import delete
from support import tune

from lakhnes.bridge import write_midi
from lakhnes.gui import file_actions
from lakhnes.gui.main_window import MainWindow
from lakhnes.gui.roll import Selection
from lakhnes.gui.theme import DARK
from lakhnes.runtime import Model, OptionError, Voice
from lakhnes.studio.jobs import Job
from lakhnes.studio.opening import open_file
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.session_file import read_session, write_session
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio

pytestmark = pytest.mark.gui


def loads_only(model: Model, name: str) -> Callable[[str], Model]:
    """Finds one model, as if there were no other."""

    def load(wanted: str) -> Model:
        if wanted != name:
            raise OptionError(f"There is no model {wanted!r}.")
        return model.twin()

    return load


@pytest.mark.parametrize("early", [True, False], ids=["before the model is there", "later"])
def test_a_session_whose_model_is_gone_goes_on_with_another(
    qtbot: QtBot, places: Path, small_model: Model, early: bool
) -> None:
    path = places / "old.lakhnes"
    write_session(path, SongState(score=tune(), kept=4 * BAR, model="/nowhere/gone"))
    usual = SongState().model
    studio = Studio(load=loads_only(small_model, usual))
    said: list[str] = []
    studio.say = lambda message: said.append(message.text)
    studio.open(None, sound=False)
    if not early:
        qtbot.waitUntil(lambda: studio.poll().ready, timeout=20_000)
    opened = open_file(path, studio.session.state).state
    studio.session.change("Open", score=opened.score, kept=opened.kept, model=opened.model)

    def composes() -> bool:
        return studio.poll().ready and studio.settled and studio.session.state.model == usual

    try:
        qtbot.waitUntil(composes, timeout=20_000)
        assert studio.session.state.score.n_notes >= tune().n_notes
        assert [text for text in said if "/nowhere/gone" in text] == said[-1:]
    finally:
        assert studio.close()


def test_another_model_can_be_had_where_the_first_is_broken(qtbot: QtBot, small_model: Model) -> None:
    studio = Studio(load=loads_only(small_model, "good"))
    said: list[str] = []
    studio.say = lambda message: said.append(message.text)
    studio.open(None, sound=False)
    try:
        qtbot.waitUntil(lambda: not studio.poll().ready and bool(said))
        studio.use_model("good")
        qtbot.waitUntil(lambda: studio.poll().ready and studio.session.state.end > 0, timeout=20_000)
        assert studio.session.state.model == "good"
    finally:
        assert studio.close()


def test_a_scale_that_is_none_keeps_nobody_from_composing(
    sit: Callable[..., AbstractContextManager[Desk]],
) -> None:
    with sit(SongState(seed=3, scale="q lydo")) as at:
        at.until(lambda: at.state.end > 0)
        assert at.said == [] or "no scale" in at.said[0].text


def test_undoing_the_tempo_keeps_what_was_heard_since(at: Desk) -> None:
    at.studio.set_bpm(150)
    at.studio.set_beats_per_bar(3)
    at.until(lambda: at.state.composed_bpm == 150 and at.state.end > 0)
    at.studio.more(4)
    at.until(lambda: at.state.end >= 12 * 480)
    at.choose("undo")  # Continue
    at.studio.playback.play()
    at.until(lambda: at.state.kept > 0)
    at.studio.playback.stop()
    heard = [part.notes[:2] for part in at.state.score.parts]
    assert any(heard)
    at.choose("undo")
    at.choose("undo")
    assert (at.state.bpm, at.state.beats_per_bar) == (120, 4)
    at.settle()
    assert at.state.kept > 0
    assert [part.notes[:2] for part in at.state.score.parts] == heard
    assert at.state.composed_bpm == 150


def test_a_tempo_that_is_undone_before_anything_was_heard_is_composed_at(at: Desk) -> None:
    at.studio.set_bpm(150)
    at.until(lambda: at.state.composed_bpm == 150 and at.state.end > 0)
    at.choose("undo")
    at.until(lambda: at.state.composed_bpm == 120 and at.state.end > 0)
    assert at.state.bpm == 120


def test_a_take_does_not_come_into_another_song(at: Desk) -> None:
    at.composed(8)
    at.window.roll.set_selection(Selection(4 * BAR, 6 * BAR, frozenset(Voice)))
    at.choose("regenerate")
    at.until(lambda: at.window.takes.ready > 1)
    at.studio.new(5)
    at.window.takes.choose(1)  # before anybody has looked
    assert at.state.kept == 0
    assert at.studio.session.undo_label == "New song"
    assert not at.window.takes.active


def test_takes_that_somebody_ends_are_not_waited_for(at: Desk) -> None:
    at.composed(4)
    at.window.roll.set_selection(Selection(0, 4 * BAR, frozenset(Voice)))
    at.choose("regenerate")
    for job in at.studio.jobs.running:
        job.cancel()  # as the button beside the progress does
    at.until(lambda: at.window.takes.count == at.window.takes.ready)
    assert at.window.takes.active == (at.window.takes.ready > 0)


def test_what_is_set_while_music_is_opened_stays(at: Desk, places: Path) -> None:
    write_midi(tune(), places / "mine.mid")
    at.window.files.open(places / "mine.mid")
    at.choose("muted-TR")
    at.until(lambda: at.state.score.n_notes == tune().n_notes)
    assert at.state.voices[Voice.TR].muted


def test_a_save_right_before_the_end_is_made(
    sit: Callable[..., AbstractContextManager[Desk]], places: Path
) -> None:
    go = Event()
    with sit() as at:
        at.composed(2)
        at.studio.jobs.start(Job("Slow disk", quiet=True), lambda job: go.wait(20))  # the lane is taken
        at.answers = [str(places / "last.lakhnes")]
        at.choose("save")
        at.window.filing.close()
        go.set()
    kept = read_session(places / "last.lakhnes")
    assert kept.seed == at.state.seed
    assert kept.score.n_notes > 0
    with sit() as again:
        assert again.said == []


def test_the_window_closes_though_something_does_not_answer(
    qtbot: QtBot, places: Path, small_model: Model
) -> None:
    go = Event()
    store = PreferenceStore(places / "app.json")
    store.change(sound=False, ports=None)
    window = MainWindow(Studio(load=lambda name: small_model.twin()), store, theme=DARK)
    window.show()
    window.begin()
    qtbot.waitUntil(lambda: window.studio.view().ready, timeout=20_000)
    window.studio.jobs.start(Job("Opening the sound"), lambda job: go.wait(20), lane="outputs")
    assert window.close()
    assert not window.isVisible()
    assert not window.ended
    go.set()
    assert window.studio.close()
    delete(window)


def test_keys_of_the_window_work_while_a_field_has_the_keyboard(at: Desk) -> None:
    at.window.activateWindow()
    tempo = at.window.transport.tempo
    tempo.setFocus()
    at.until(tempo.hasFocus)
    tempo.selectAll()
    at.qtbot.keyClicks(tempo, "140")
    at.qtbot.keyClick(tempo, Qt.Key.Key_Return)
    assert at.state.bpm == 140
    at.qtbot.keyClick(tempo, Qt.Key.Key_Space)
    at.until(lambda: at.studio.view().playing)
    assert tempo.value() == 140
    at.qtbot.keyClick(tempo, Qt.Key.Key_Space)
    at.until(lambda: not at.studio.view().playing)
    at.until(at.window.commands["undo"].isEnabled)
    at.qtbot.keyClick(tempo, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert at.state.bpm == 120
    at.until(lambda: tempo.value() == 120)
    at.qtbot.keyClicks(tempo, "1")  # typing goes on in the field
    assert not at.state.voices[Voice.P1].muted
    at.qtbot.keyClick(tempo, Qt.Key.Key_Escape)
    assert QApplication.focusWidget() is at.window.roll
    assert at.state.bpm == 120
    at.qtbot.keyClick(at.window.roll, Qt.Key.Key_1)
    assert at.state.voices[Voice.P1].muted


def test_the_loop_is_not_shown_while_a_daw_leads(at: Desk) -> None:
    pytest.importorskip("rtmidi")
    at.composed(4)
    at.studio.playback.set_loop((0, BAR))
    assert at.studio.view().loop == (0, BAR)
    at.studio.playback.follow(True)
    at.until(lambda: at.studio.playback.following)
    assert at.studio.view().loop is None
    at.studio.playback.set_loop((BAR, 2 * BAR))
    at.studio.playback.follow(False)
    at.until(lambda: not at.studio.playback.following)
    assert at.studio.view().loop == (0, BAR)


def test_what_ends_the_player_is_told(at: Desk) -> None:
    stage = at.studio.stage
    assert stage is not None
    stage.performance.error = ValueError("broken")
    assert "broken" in at.studio.view().problems[-1]
    at.until(lambda: "broken" in at.window.messages.text.text())


def test_new_voices_do_not_come_into_another_song(at: Desk) -> None:
    at.composed(4)
    voice = next(voice for voice in Voice if at.state.score.parts[voice].notes)
    at.choose(f"locked-{voice.name}")
    at.choose("new")  # composed around that voice, which takes a moment
    at.studio.new(5)
    at.until(lambda: any("changed while this was being composed" in message.text for message in at.said))
    assert at.studio.session.undo_label == "New song"
    assert at.state.seed == 5


def test_a_key_that_is_held_plays_once_and_undoes_on(at: Desk) -> None:
    assert not at.window.commands["play"].autoRepeat()
    assert not at.window.commands["continue"].autoRepeat()
    assert at.window.commands["undo"].autoRepeat()


def test_nothing_is_dragged_that_was_let_go(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    at.composed(2)
    monkeypatch.setattr(file_actions, "QDrag", lambda source: pytest.fail("the mouse is let go"))
    at.window.files.drag_out()
    at.until(lambda: not at.studio.jobs.running)
    at.qtbot.wait(50)
    at.qtbot.mouseClick(at.window.song_bar.handle, Qt.MouseButton.LeftButton)
    assert "Ctrl+E" in at.window.messages.text.text()


def test_a_name_with_a_star_is_shown_as_it_is(at: Desk, places: Path) -> None:
    path = places / "mine [*].lakhnes"
    write_session(path, SongState(score=tune(), kept=4 * BAR))
    at.window.files.open(path)
    at.until(lambda: at.window.windowTitle().startswith("mine [*][*]"))
