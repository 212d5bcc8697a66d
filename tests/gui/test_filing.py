"""What a window asks before something is lost, and what it does about the answer."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from desk import BAR, Desk
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot
from support import tune

from lakhnes.bridge import import_midi, write_midi
from lakhnes.gui.export_dialog import FORMS, ExportDialog
from lakhnes.gui.questions import (
    KEEP,
    OTHER_NAME,
    QUIT_LATER,
    QUIT_NOW,
    QUIT_WITHOUT,
    REPLACE,
    STAY,
    THROW_AWAY,
    Question,
    asker,
    quitting_exports,
    quitting_unkept,
    replacing,
    throwing_away,
)
from lakhnes.gui.roll import Selection
from lakhnes.gui.unsaved_dialog import UnsavedDialog
from lakhnes.runtime import OutputError, Voice
from lakhnes.studio import filing as filing_module
from lakhnes.studio.autosave import Autosave
from lakhnes.studio.file_formats import WRITTEN
from lakhnes.studio.session_file import read_session, write_session
from lakhnes.studio.state import SongState, Whereabouts

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
Sit = Callable[..., AbstractContextManager[Desk]]
FORM = {form.name: number for number, form in enumerate(FORMS)}
WAV, MIDI = "Sound (.wav)", "MIDI for DAWs, aligned to bars and beats (.mid)"
OGG = "Sound, compressed, with loop tags for games (.ogg)"


def leave(folder: Path, *states: SongState, name: str = "", place: int = 0) -> None:
    """Leaves songs as a program does that was killed."""
    for state in states:
        autosave = Autosave(folder / "state" / "lakhnes")
        autosave.tell(state, Whereabouts(place, name=name))
        assert autosave.settle() == {}
        autosave.release()


def song(at: Desk, places: Path) -> None:
    """Puts the tune into the window."""
    write_midi(tune(), places / "mine.mid")
    at.window.files.open(places / "mine.mid")
    at.until(lambda: at.state.score.n_notes >= tune().n_notes)


def export_dialog(at: Desk, form: str) -> ExportDialog:
    at.choose("export")
    dialog = at.window.findChild(ExportDialog)
    assert dialog is not None
    dialog.form.setCurrentIndex(FORM[form])
    return dialog


def press_export(at: Desk, dialog: ExportDialog, *names: Path | None) -> None:
    """Presses the button, and gives these names; None for no name, as Cancel does."""
    at.answers = [str(name or "") for name in names]
    at.qtbot.mouseClick(dialog.go, LEFT)


@contextmanager
def slow_export(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Exports that wait until an event is set; None of them may hang after it."""
    go, real = Event(), filing_module.exports.export

    def export(*arguments: object) -> object:
        tell = arguments[2]
        assert callable(tell)
        while not go.wait(0.01):
            tell(0.5)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(filing_module.exports, "export", export)
    yield go
    go.set()


# Files that are there


def test_an_export_asks_before_it_replaces_a_file_whose_ending_nobody_typed(at: Desk, places: Path) -> None:
    song(at, places)
    (places / "a.mid").write_bytes(b"precious")
    dialog = export_dialog(at, MIDI)
    at.decisions = [OTHER_NAME]
    press_export(at, dialog, places / "a", places / "b")
    at.until(lambda: any("Wrote" in message.text for message in at.said))
    assert at.asked == [replacing([places / "a.mid"])]
    assert (places / "a.mid").read_bytes() == b"precious"
    assert (places / "b.mid").exists()


def test_an_export_replaces_a_file_if_that_is_wanted(at: Desk, places: Path) -> None:
    song(at, places)
    (places / "a.mid").write_bytes(b"old")
    dialog = export_dialog(at, MIDI)
    at.decisions = [REPLACE]
    press_export(at, dialog, places / "a.mid")
    at.until(lambda: any("Wrote" in message.text for message in at.said))
    assert import_midi(places / "a.mid").score.n_notes > 0


def test_stems_ask_once_and_name_those_that_are_there(at: Desk, places: Path) -> None:
    song(at, places)
    for name in ("a-P1.wav", "a-NO.wav"):
        (places / name).write_bytes(b"precious")
    dialog = export_dialog(at, WAV)
    dialog.stems.setChecked(True)
    at.decisions = [OTHER_NAME]
    press_export(at, dialog, places / "a", None)
    assert at.asked == [replacing([places / "a-P1.wav", places / "a-NO.wav"])]
    assert "a-P1.wav\na-NO.wav" in at.asked[0].more
    dialog.voices[Voice.NO].setChecked(False)
    dialog.voices[Voice.P1].setChecked(False)
    press_export(at, dialog, places / "a.wav")
    at.until(lambda: any("Wrote" in message.text for message in at.said))
    assert len(at.asked) == 1
    assert sorted(path.name for path in places.glob("*.wav")) == [
        "a-NO.wav",
        "a-P1.wav",
        "a-P2.wav",
        "a-TR.wav",
    ]
    assert (places / "a-P1.wav").read_bytes() == b"precious"


def test_a_file_that_is_still_being_written_is_asked_about(
    at: Desk, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song(at, places)
    with slow_export(monkeypatch):
        press_export(at, export_dialog(at, WAV), places / "a")
        at.until(lambda: bool(at.window.filing.exporting))
        at.until(lambda: at.window.findChild(ExportDialog) is None)
        at.decisions = [OTHER_NAME]
        press_export(at, export_dialog(at, WAV), places / "a", None)
        assert at.asked == [replacing([places / "a.wav"])]
    at.until(lambda: not at.window.filing.exporting)


def test_save_as_asks_before_it_replaces_a_session(at: Desk, places: Path) -> None:
    at.composed(2)
    write_session(places / "a.lakhnes", SongState(tune(), kept=8 * BAR, seed=99))
    at.answers, at.decisions = [str(places / "a"), str(places / "b")], [OTHER_NAME]
    at.choose("save-as")
    at.until(lambda: any("Saved b.lakhnes" in message.text for message in at.said))
    assert at.asked == [replacing([places / "a.lakhnes"])]
    assert read_session(places / "a.lakhnes").seed == 99
    at.answers, at.decisions = [str(places / "a")], [REPLACE]
    at.choose("save-as")
    at.until(lambda: any("Saved a.lakhnes" in message.text for message in at.said))
    assert read_session(places / "a.lakhnes").seed == at.state.seed
    at.choose("continue")
    at.choose("save")  # its own file by now
    at.until(lambda: not at.studio.jobs.running)
    assert len(at.asked) == 2


def test_a_session_that_another_window_saved_is_asked_about(at: Desk, places: Path) -> None:
    path = places / "a.lakhnes"
    write_session(path, SongState(tune(), kept=2 * BAR, seed=1))
    at.window.files.open(path)
    at.until(lambda: at.state.seed == 1)
    write_session(path, SongState(tune(), kept=2 * BAR, seed=2))
    at.decisions, at.answers = [OTHER_NAME], [str(places / "b")]
    at.choose("save")
    at.until(lambda: any("Saved b.lakhnes" in message.text for message in at.said))
    assert "Another program has changed" in at.asked[0].text
    assert read_session(path).seed == 2


def test_the_dialog_of_qt_leaves_the_question_to_us(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[QFileDialog.Option] = []

    def ask(*_: object, options: QFileDialog.Option) -> tuple[str, str]:
        given.append(options)
        return "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    assert at.window.files._ask_save("Export", "a.mid", "MIDI (*.mid)") == ""
    assert given == [QFileDialog.Option.DontConfirmOverwrite]


# What is selected


def test_only_what_is_selected_has_the_voices_that_are_selected(at: Desk, places: Path) -> None:
    song(at, places)
    at.choose("muted-P2")
    at.window.roll.set_selection(Selection(0, BAR, frozenset({Voice.TR, Voice.P2})))
    dialog = export_dialog(at, MIDI)

    def checked() -> set[Voice]:
        return {voice for voice, box in dialog.voices.items() if box.isChecked()}

    assert dialog.selected.isChecked()
    assert checked() == {Voice.P2, Voice.TR}, "as dragging takes them"
    dialog.selected.setChecked(False)
    assert checked() == {Voice.P1, Voice.TR, Voice.NO}, "those that are heard"
    dialog.selected.setChecked(True)
    press_export(at, dialog, places / "part")
    at.until(lambda: (places / "part.mid").exists())
    parts = import_midi(places / "part.mid").score.parts
    assert [bool(part.notes) for part in parts] == [False, True, True, False]


def test_without_a_selection_nothing_is_selected(at: Desk, places: Path) -> None:
    song(at, places)
    dialog = export_dialog(at, MIDI)
    assert not dialog.selected.isEnabled()
    assert all(box.isChecked() for box in dialog.voices.values())
    dialog.reject()


def test_the_dialog_offers_what_the_commands_write_with_the_options_that_it_has(
    at: Desk, places: Path
) -> None:
    song(at, places)
    assert list(dict.fromkeys(form.format for form in FORMS)) == list(WRITTEN)
    dialog = export_dialog(at, OGG)
    assert dialog.rate.isEnabled()
    assert dialog.loops.isEnabled()
    assert not dialog.bits.isEnabled(), "Vorbis has no bits per sample"
    dialog.loops.setChecked(True)
    press_export(at, dialog, places / "mine")
    at.until(lambda: (places / "mine.ogg").exists())
    assert b"LOOPSTART=0" in (places / "mine.ogg").read_bytes()


def test_music_has_its_name_in_the_title_and_in_what_is_exported(at: Desk, places: Path) -> None:
    song(at, places)
    assert at.window.windowTitle().startswith("mine — LakhNES")
    suggested: list[str] = []
    at.window.files._choose_save = lambda title, place, kinds: suggested.append(Path(place).name) or ""
    at.qtbot.mouseClick(export_dialog(at, WAV).go, LEFT)
    at.choose("save-as")
    assert suggested == ["mine.wav", "mine.lakhnes"]


# Closing


def test_closing_waits_for_an_export_if_that_is_wanted(
    sit: Sit, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sit() as at, slow_export(monkeypatch) as go:
        song(at, places)
        press_export(at, export_dialog(at, WAV), places / "a")
        at.until(lambda: bool(at.window.filing.exporting))
        at.decisions = [QUIT_LATER]
        assert not at.window.close()
        assert at.asked == [quitting_exports(["Exporting a.wav"])]
        assert at.window.isVisible()
        assert "quits when the export is finished" in at.window.messages.text.text()
        go.set()
        at.until(lambda: not at.window.isVisible())
        assert (places / "a.wav").exists()


def test_closing_stops_an_export_if_that_is_wanted(
    sit: Sit, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sit() as at, slow_export(monkeypatch):
        song(at, places)
        press_export(at, export_dialog(at, WAV), places / "a")
        at.until(lambda: bool(at.window.filing.exporting))
        at.decisions = [QUIT_NOW]
        assert at.window.close()
    assert not (places / "a.wav").exists()


def test_who_does_not_want_to_quit_stays(at: Desk, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow_export(monkeypatch) as go:
        song(at, places)
        press_export(at, export_dialog(at, WAV), places / "a")
        at.until(lambda: bool(at.window.filing.exporting))
        at.decisions = [STAY, QUIT_LATER]
        assert not at.window.close()
        assert not at.window.close()
        bar = at.window.messages
        at.qtbot.mouseClick(next(b for b in bar.actions_shown if b.text() == STAY), LEFT)
        go.set()
        at.until((places / "a.wav").exists)
        at.until(lambda: not at.studio.jobs.running)
        at.qtbot.wait(50)
        assert at.window.isVisible()


def test_an_export_that_fails_keeps_the_window(
    at: Desk, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = Event()

    def export(*_: object) -> None:
        go.wait(20)
        raise OutputError("There is no space.")

    monkeypatch.setattr(filing_module.exports, "export", export)
    song(at, places)
    press_export(at, export_dialog(at, WAV), places / "a")
    at.until(lambda: bool(at.window.filing.exporting))
    at.decisions = [QUIT_LATER]
    assert not at.window.close()
    go.set()
    at.until(lambda: bool(at.errors()))
    at.qtbot.wait(50)
    assert at.window.isVisible()
    assert at.window.messages.text.text() == "There is no space."


def test_a_signal_asks_nothing_and_waits_for_exports_until_it_comes_again(
    sit: Sit, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sit() as at, slow_export(monkeypatch):
        song(at, places)
        press_export(at, export_dialog(at, WAV), places / "a")
        at.until(lambda: bool(at.window.filing.exporting))
        at.window.end()
        assert at.window.isVisible()
        at.window.end()
        assert not at.window.isVisible()
        assert at.asked == []


def test_a_song_that_cannot_be_kept_is_asked_about(
    sit: Sit, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "state").mkdir()
    (places / "state" / "lakhnes").write_bytes(b"no folder")
    with sit() as at:
        at.composed(2)
        at.decisions = [STAY]
        assert not at.window.close()
        assert "is not saved and cannot be kept" in at.asked[0].text
        at.answers = [str(places / "song")]
        at.choose("save")
        at.until(lambda: not at.window.filing.changed)
        at.choose("continue")
        at.decisions = [QUIT_WITHOUT]
        assert at.window.close()


# What was left


def test_several_songs_are_listed_by_name_time_and_length(sit: Sit, places: Path) -> None:
    leave(places, SongState(tune(), kept=2 * BAR, seed=1), SongState(tune(), kept=2 * BAR, seed=2, bpm=60.0))
    leave(places, SongState(tune(), kept=2 * BAR, seed=3), name="Night Walk")
    with sit() as at:
        bar = at.window.messages
        at.until(lambda: bar.text.text() == "3 songs were not saved.")
        at.qtbot.mouseClick(bar.actions_shown[0], LEFT)
        at.until(lambda: at.window.findChild(UnsavedDialog) is not None)
        dialog = at.window.findChild(UnsavedDialog)
        assert dialog is not None
        rows = [dialog.songs.topLevelItem(row) for row in range(3)]
        texts = {row.text(0): (row.text(1), row.text(2)) for row in rows if row is not None}
        assert texts.keys() == {"LakhNES 1", "LakhNES 2", "Night Walk"}
        assert texts["LakhNES 2"][1] == "0:08"
        assert all(len(when) == len("2026-11-29 22:21") for when, _ in texts.values())
        dialog.songs.setCurrentItem(dialog.songs.findItems("Night Walk", Qt.MatchFlag.MatchExactly)[0])
        at.qtbot.mouseClick(dialog.restore, LEFT)
        at.until(lambda: at.state.seed == 3)
        at.until(lambda: at.window.windowTitle().startswith("Night Walk — LakhNES"))
        at.choose("unsaved")
        at.until(lambda: at.window.findChildren(UnsavedDialog) not in ([], [dialog]))
        dialog = at.window.findChildren(UnsavedDialog)[-1]
        assert dialog.songs.topLevelItemCount() == 2
        dialog.songs.selectAll()
        assert not dialog.restore.isEnabled()
        at.decisions = [KEEP, THROW_AWAY]
        at.qtbot.mouseClick(dialog.discard, LEFT)
        assert dialog.songs.topLevelItemCount() == 2
        at.until(dialog.isActiveWindow)
        at.qtbot.keyClick(dialog.songs, Qt.Key.Key_Delete)
        assert dialog.songs.topLevelItemCount() == 0
        assert not dialog.discard.isEnabled()
        dialog.reject()
    with sit() as at:
        at.until(lambda: at.window.messages.text.text().startswith("Night Walk was not saved"))


def test_a_song_stands_where_it_was_left(sit: Sit, places: Path) -> None:
    leave(places, SongState(tune(), kept=2 * BAR, seed=1), place=1440)
    with sit() as at:
        bar = at.window.messages
        at.until(lambda: "Restore it" in [button.text() for button in bar.actions_shown])
        at.qtbot.mouseClick(next(b for b in bar.actions_shown if b.text() == "Restore it"), LEFT)
        at.until(lambda: at.studio.view().place == 1440)
        assert at.state.seed == 1


def test_one_song_is_thrown_away_only_if_that_is_meant(sit: Sit, places: Path) -> None:
    leave(places, SongState(tune(), kept=2 * BAR, seed=1))
    with sit() as at:
        bar = at.window.messages
        at.until(lambda: "Throw it away" in [button.text() for button in bar.actions_shown])
        at.decisions = [KEEP, THROW_AWAY]
        for _ in range(2):
            at.qtbot.mouseClick(next(b for b in bar.actions_shown if b.text() == "Throw it away"), LEFT)
        assert at.asked == [throwing_away(["LakhNES 1"])] * 2
    with sit() as at:
        at.choose("unsaved")
        at.until(lambda: at.window.messages.text.text() == "There are no other unsaved songs.")


def test_a_song_that_cannot_be_read_is_listed_with_the_reason(sit: Sit, places: Path) -> None:
    leave(places, SongState(tune(), kept=2 * BAR, seed=1))
    (places / "state" / "lakhnes" / "autosave-1-a-0.lakhnes").write_bytes(b"half")
    with sit() as at:
        at.choose("unsaved")
        at.until(lambda: at.window.findChild(UnsavedDialog) is not None)
        dialog = at.window.findChild(UnsavedDialog)
        assert dialog is not None
        broken = dialog.songs.findItems("cannot be read", Qt.MatchFlag.MatchExactly, 2)[0]
        assert "broken one" in broken.toolTip(0)
        dialog.songs.setCurrentItem(broken)
        assert not dialog.restore.isEnabled()
        assert dialog.discard.isEnabled()
        dialog.songs.itemActivated.emit(broken, 0)
        assert dialog.isVisible()
        dialog.reject()


def test_new_keeps_the_song_before(sit: Sit) -> None:
    with sit() as at:
        at.composed(2)
        seed = at.state.seed
        at.choose("new")
        at.until(lambda: at.state.seed != seed)
        at.choose("unsaved")
        at.until(lambda: at.window.findChild(UnsavedDialog) is not None)
        dialog = at.window.findChild(UnsavedDialog)
        assert dialog is not None
        at.qtbot.mouseClick(dialog.restore, LEFT)
        at.until(lambda: at.state.seed == seed)


def test_new_around_a_locked_voice_is_a_new_song(at: Desk, places: Path) -> None:
    path = places / "a.lakhnes"
    locked = replace(SongState().voices[Voice.TR], locked=True)
    voices = (*SongState().voices[:2], locked, SongState().voices[3])
    write_session(path, SongState(tune(), kept=2 * BAR, seed=1, voices=voices))
    at.window.files.open(path)
    at.until(lambda: at.state.seed == 1)
    at.studio.session.change("Temperature", temperature=1.1)
    at.choose("new")
    at.until(lambda: at.studio.session.undo_label == "New voices")
    assert at.window.filing.path is None, "saving it does not replace the song before"
    assert len(at.window.filing.keeping._autosave.songs) > 0
    at.choose("undo")
    assert at.window.filing.path == path


# The box itself


def press(text: str) -> None:
    """Presses a button of the box that is asked next."""

    def look() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        button = next(b for b in box.findChildren(QPushButton) if b.text().replace("&", "") == text)
        button.click()

    QTimer.singleShot(50, look)


QUESTIONS = [
    replacing([Path("/music/a.mid")]),
    replacing([Path(f"/music/a{number}.wav") for number in range(12)]),
    throwing_away(["Night Walk"]),
    quitting_exports(["Exporting a.wav", "Exporting b.wav"]),
    quitting_unkept({"Night Walk": "There is no space."}),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text[:20])
def test_a_question_has_its_answers(qtbot: QtBot, question: Question) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    for answer in question.answers:
        press(answer)
        assert asker(window)(question) == answer


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text[:20])
@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_Return])
def test_keys_of_a_question_lose_nothing(qtbot: QtBot, question: Question, key: Qt.Key) -> None:
    window = QWidget()
    qtbot.addWidget(window)

    def look() -> None:
        box = QApplication.activeModalWidget()
        assert box is not None
        qtbot.keyClick(box, key)

    QTimer.singleShot(50, look)
    answer = asker(window)(question)
    assert answer in (QUIT_LATER, question.answers[-1])
    assert answer == question.answers[-1] or key is Qt.Key.Key_Return


def test_a_question_names_some_files_and_says_how_many_more() -> None:
    question = QUESTIONS[1]
    assert question.text == "12 files already exist. Replace them?"
    assert "a7.wav\nand 4 more" in question.more
    assert str(Path("/music")) in question.more
