"""The window as a user has it: start, hear, steer, choose takes, drag out, save, quit, reopen, break it."""

import re
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import BAR, Desk
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QCloseEvent, QKeySequence, QPixmap
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QSlider,
)
from support import tune

from lakhnes.apu import Synth
from lakhnes.bridge import import_midi, write_midi
from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.gui import file_actions
from lakhnes.gui.buttons import Button
from lakhnes.gui.dock_title import DockTitle
from lakhnes.gui.export_dialog import FORMS, ExportDialog
from lakhnes.gui.help_dialog import HelpDialog
from lakhnes.gui.import_dialog import ImportDialog, TrackPreview
from lakhnes.gui.roll import Selection
from lakhnes.gui.theme import TARGET
from lakhnes.runtime import OptionError, Voice, parse_scale
from lakhnes.studio.view import Message

pytestmark = pytest.mark.gui


def pitches(at: Desk, voice: Voice, first: int, last: int) -> list[tuple[int, int]]:
    """Onsets and pitches of a voice between two ticks."""
    grid = at.state.grid
    notes = at.state.score.parts[voice].notes
    return [(n.onset, n.pitch) for n in notes if grid.sample(first) <= n.onset < grid.sample(last)]


def test_it_composes_by_itself_and_plays_at_a_key(at: Desk) -> None:
    at.until(lambda: at.state.end >= BAR)
    at.qtbot.keyClick(at.window, Qt.Key.Key_Space)
    at.until(lambda: at.studio.view().playing and at.studio.view().place > 480)
    assert at.window.transport.play.text() == "Stop"
    at.until(lambda: at.state.kept >= BAR)  # what is heard stays
    at.qtbot.keyClick(at.window, Qt.Key.Key_Space)
    at.until(lambda: not at.studio.view().playing)
    assert at.errors() == []


def test_a_locked_bass_stays_while_the_lead_is_composed_anew(at: Desk) -> None:
    at.composed(8)
    at.choose("locked-TR")
    assert at.state.voices[Voice.TR].locked
    before = at.state.score
    at.window.roll.set_selection(Selection(2 * BAR, 4 * BAR, frozenset({Voice.P1, Voice.TR})))
    at.choose("regenerate")
    at.until(lambda: at.window.takes.ready == 4)
    assert at.window.takes_bar.isVisible()
    heard = []
    for key in range(5):
        at.choose(f"take-{key}")
        assert at.window.takes.chosen == (None if key == 0 else key - 1)
        heard.append(pitches(at, Voice.P1, 2 * BAR, 4 * BAR))
        assert at.state.score.parts[Voice.TR].notes[: len(before.parts[Voice.TR].notes)] == (
            before.parts[Voice.TR].notes
        )
        outside = [n for n in at.state.score.parts[Voice.P1].notes if n.onset < at.state.grid.sample(2 * BAR)]
        assert [n.onset for n in outside] == [
            n.onset for n in before.parts[Voice.P1].notes if n.onset < at.state.grid.sample(2 * BAR)
        ]
    assert len(set(map(tuple, heard[1:]))) > 1, "the takes are all the same"
    at.choose("undo")  # all the choosing is one step
    assert pitches(at, Voice.P1, 2 * BAR, 4 * BAR) == heard[0]
    at.window.refresh()
    assert at.window.takes_bar.isVisible()
    assert at.window.takes.chosen is None
    at.choose("redo")
    at.window.refresh()
    assert at.window.takes.chosen == 3


def test_takes_stay_while_other_notes_are_edited(at: Desk) -> None:
    at.composed(8)
    at.window.roll.set_selection(Selection(2 * BAR, 4 * BAR, frozenset({Voice.P1})))
    at.choose("regenerate")
    at.until(lambda: at.window.takes.ready == 4)
    at.window.roll.set_selection(Selection(4 * BAR, 6 * BAR, frozenset(Voice)))
    at.choose("delete")
    at.window.refresh()
    assert (at.window.takes.active, at.window.takes.chosen) == (True, 0)
    for number in range(2, 5):
        at.choose(f"take-{number}")
        assert at.window.takes.chosen == number - 1
        if pitches(at, Voice.P1, 2 * BAR, 4 * BAR):
            break
    at.window.roll.set_selection(Selection(2 * BAR, 4 * BAR, frozenset({Voice.P1})))
    at.choose("softer")  # without any note it could be another take
    at.window.refresh()
    assert not at.window.takes.active
    assert "were closed" in at.said[-1].text


def test_what_was_edited_stays_while_the_music_around_it_is_composed_anew(at: Desk) -> None:
    at.composed(8)
    notes = [n for n in at.state.score.parts[Voice.P1].notes if n.onset < at.state.grid.sample(2 * BAR)]
    at.window.editor.select({Voice.P1: frozenset(n.onset for n in notes)})
    at.choose("semitone-up")
    edited = [(n.onset, n.pitch) for n in notes]
    at.window.roll.set_selection(Selection(2 * BAR, 6 * BAR, frozenset(Voice)))
    at.choose("regenerate")
    at.until(lambda: at.window.takes.ready == 4)
    for key in (1, 2, 3, 4, 0):
        at.choose(f"take-{key}")
        now = [(n.onset, n.pitch - 1) for n in at.state.score.parts[Voice.P1].notes[: len(edited)]]
        assert now == edited


def test_notes_are_edited_while_they_play(at: Desk) -> None:
    at.composed(8)
    at.choose("play")
    at.until(lambda: at.studio.view().place > BAR // 4)
    at.window.roll.set_selection(Selection(4 * BAR, 6 * BAR, frozenset({Voice.P1, Voice.TR})))
    at.choose("delete")
    at.choose("undo")
    at.choose("duplicate")
    at.until(lambda: at.studio.view().place > 2 * BAR)
    assert at.studio.view().playing
    at.choose("play")
    at.settle()
    assert at.errors() == []
    stage = at.studio.stage
    assert stage is not None
    assert stage.performance.error is None


def test_nothing_is_composed_anew_where_all_is_locked_or_nothing_selected(at: Desk) -> None:
    at.composed(4)
    at.choose("regenerate")
    assert "Select" in at.said[-1].text if at.said else "Select" in at.window.messages.text.text()
    at.choose("locked-P1")
    at.window.roll.set_selection(Selection(0, BAR, frozenset({Voice.P1})))
    before = at.state.score
    at.choose("regenerate")
    assert "locked" in at.window.messages.text.text()
    assert at.state.score is before


def test_dynamics_are_composed_for_the_notes_that_are_selected(at: Desk) -> None:
    at.composed(6)
    at.settle()
    before, end = at.state.score, at.state.grid.sample(4 * BAR)
    at.choose("locked-P2")
    at.window.roll.set_selection(Selection(0, 4 * BAR, frozenset(Voice)))
    at.choose("dynamics")
    at.until(lambda: at.studio.session.undo_label == "Dynamics")
    after = at.state.score
    for voice in Voice:
        was, now = (
            [(n.onset, n.length, n.pitch) for n in one.parts[voice].notes if n.onset < before.length]
            for one in (before, after)
        )
        assert now[: len(was) - 1] == was[:-1]  # the last one may ring on by now
    changes = {voice: [change.sample for change in after.parts[voice].changes] for voice in Voice}
    assert changes[Voice.P1]
    assert changes[Voice.NO]
    assert changes[Voice.P2] == []
    assert max(at for part in changes.values() for at in part) <= end
    at.settle()
    assert at.state.score.parts[Voice.P1].changes == after.parts[Voice.P1].changes, "they are played too"
    at.choose("undo")
    assert not any(part.changes for part in at.state.score.parts)
    assert at.errors() == []


def test_dynamics_need_notes_that_are_not_locked(at: Desk) -> None:
    at.composed(4)
    at.window.roll.set_selection(Selection(0, BAR, frozenset({Voice.P1})))
    at.choose("locked-P1")
    at.choose("dynamics")
    assert "are locked" in at.window.messages.text.text()
    with pytest.raises(OptionError, match="There are no notes"):
        at.window.arranging.dynamics((60 * BAR, 61 * BAR))
    assert [job for job in at.studio.jobs.running if not job.quiet] == []


def test_dynamics_of_a_song_that_is_changed_meanwhile_are_left_out(at: Desk) -> None:
    at.composed(4)
    at.choose("dynamics")
    at.studio.new(5)
    at.until(lambda: any("changed while this was being composed" in message.text for message in at.said))
    assert at.studio.session.undo_label == "New song"


def test_the_key_holds_for_what_comes(at: Desk) -> None:
    at.settle()
    assert at.studio.stage is not None
    for box, text in ((at.window.steering.scale.key, "A"), (at.window.steering.scale.scale, "minor")):
        box.setCurrentText(text)
        box.activated.emit(box.currentIndex())
    assert parse_scale(at.state.scale) == parse_scale("a minor")
    at.settle()
    begun = at.studio.stage.performance.composer.timeline.end + BAR  # a bar that is begun stays as it is
    at.composed(begun // BAR + 4)
    allowed = parse_scale("a minor")
    at.settle()
    melodic = [n for voice in (Voice.P1, Voice.P2, Voice.TR) for n in at.state.score.parts[voice].notes]
    came = [n for n in melodic if n.onset >= at.state.grid.sample(begun)]
    assert came
    assert all(n.pitch % 12 in allowed for n in came)
    at.choose("undo")
    at.choose("undo")
    at.choose("undo")
    assert at.state.scale == ""


def test_a_seed_is_a_song_and_undo_brings_the_song_before_back(at: Desk) -> None:
    at.composed(4)
    first = at.state.score
    at.window.steering.seed.line.setText("77")
    at.qtbot.keyClick(at.window.steering.seed.line, Qt.Key.Key_Return)
    assert at.state.seed == 77
    at.composed(2)
    one = at.state.score
    at.studio.new(77)
    at.composed(2)
    shorter = min(one.length, at.state.score.length)
    for voice in Voice:
        assert [n for n in at.state.score.parts[voice].notes if n.end < shorter] == [
            n for n in one.parts[voice].notes if n.end < shorter
        ]
    while at.studio.session.undo_label not in (None, "Continue") or at.state.seed != 11:
        at.choose("undo")
    assert at.state.score.parts[Voice.NO].notes[:3] == first.parts[Voice.NO].notes[:3]
    assert at.state.score.length >= first.length


def test_a_song_that_is_dropped_can_be_continued(at: Desk, places: Path) -> None:
    path = places / "mine.mid"
    write_midi(tune(), path)
    at.drop(path)
    at.until(lambda: at.state.score.n_notes == tune().n_notes)
    end = at.state.end
    assert at.state.kept == end
    at.choose("continue")
    at.until(lambda: at.state.end >= end + 8 * BAR)
    assert pitches(at, Voice.TR, 0, end) == [
        (n.onset, n.pitch)
        for n in at.state.score.parts[Voice.TR].notes
        if n.onset < at.state.grid.sample(end)
    ]
    assert any("mine.mid" in message.text for message in at.said)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.mid", b"MThd\0\0"),
        ("broken.lakhnes", b"PK nothing"),
        ("sound.wav", b"RIFF"),
        ("empty.mid", b""),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_lost(
    at: Desk, places: Path, name: str, content: bytes
) -> None:
    at.composed(2)
    before = at.state
    (places / name).write_bytes(content)
    at.drop(places / name)
    at.until(lambda: bool(at.errors()))
    assert name in at.errors()[0]
    assert at.state.seed == before.seed
    assert at.studio.session.undo_label == "Continue"


def test_what_is_no_file_cannot_be_dropped(at: Desk) -> None:
    at.drop("https://example.org/song.mid")
    assert "Drop a file here" in at.window.messages.text.text()


def test_files_that_are_dropped_together_are_named(at: Desk, places: Path) -> None:
    for name in ("one.mid", "two.mid", "three.mid"):
        write_midi(tune(), places / name)
    at.drop(places / "one.mid", places / "two.mid", places / "three.mid")
    at.until(lambda: "one" in at.window.windowTitle())
    bar = at.window.messages
    texts = [entry.message.text for entry in bar._entries]
    assert any("two.mid, three.mid" in text for text in texts)
    entry = next(entry for entry in bar._entries if "two.mid" in entry.message.text)
    entry.message.actions[1][1]()
    at.until(lambda: "three" in at.window.windowTitle())


def test_a_session_of_a_newer_version_says_so(at: Desk, places: Path) -> None:
    at.composed(2)
    at.answers = [str(places / "song.lakhnes")]
    at.choose("save")
    at.until(lambda: any("Saved" in message.text for message in at.said))
    newer = places / "newer.lakhnes"
    with zipfile.ZipFile(places / "song.lakhnes") as old, zipfile.ZipFile(newer, "w") as new:
        for member in old.namelist():
            new.writestr(member, old.read(member).replace(b'"version": 1', b'"version": 99'))
    at.drop(newer)
    at.until(lambda: bool(at.errors()))
    assert "newer" in at.errors()[0]
    assert "99" in at.errors()[0]


def test_a_session_comes_back_as_it_was_saved(
    sit: Callable[..., AbstractContextManager[Desk]], places: Path
) -> None:
    with sit() as at:
        at.composed(4)
        at.choose("muted-NO")
        at.window.steering.density.spin.setValue(1.5)
        at.window.steering.repetition.spin.setValue(-2)
        at.settle()
        at.answers = [str(places / "song")]
        at.choose("save")
        at.until(lambda: not at.studio.session.changed)
        saved = at.state
        assert at.window.windowTitle().startswith("song")
        assert not at.window.isWindowModified()
    with sit() as at:
        assert not any("left" in message.text for message in at.said), "it was saved"
        at.answers = [str(places / "song.lakhnes")]
        at.choose("open")
        at.until(lambda: at.state.seed == saved.seed and at.state.score.length >= saved.score.length)
        assert at.state.voices == saved.voices
        assert at.state.density == 1.5
        assert at.state.request.repetition == -2
        sample = saved.score.length
        for voice in Voice:
            assert [n for n in at.state.score.parts[voice].notes if n.onset < sample] == list(
                saved.score.parts[voice].notes
            )
        at.window.files.recent.aboutToShow.emit()
        assert at.window.files.recent.actions()[0].text() == "song.lakhnes"


def test_what_was_not_saved_is_offered_at_the_next_start(
    sit: Callable[..., AbstractContextManager[Desk]],
) -> None:
    with sit() as at:
        at.composed(4)
        at.settle()
        left = at.state
    with sit() as at:
        bar = at.window.messages
        at.until(lambda: "was not saved" in bar.text.text())
        restore = next(b for b in bar.actions_shown if b.text() == "Restore it")
        at.qtbot.mouseClick(restore, Qt.MouseButton.LeftButton)
        at.until(lambda: at.state.seed == left.seed and at.state.end >= 4 * BAR)
        notes = left.score.parts[Voice.NO].notes
        assert at.state.score.parts[Voice.NO].notes[: len(notes)] == notes


def test_the_selection_is_dragged_out_as_midi(
    at: Desk, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_midi(tune(), places / "mine.mid")
    at.drop(places / "mine.mid")
    at.until(lambda: at.state.score.n_notes == tune().n_notes)
    dragged: list[list[Path]] = []

    class Drag:
        def __init__(self, source: object) -> None:
            pass

        def setMimeData(self, data: Any) -> None:  # noqa: N802 - Qt's name
            dragged.append([Path(url.toLocalFile()) for url in data.urls()])

        def setPixmap(self, picture: QPixmap) -> None:  # noqa: N802
            assert picture.width() > 20

        def exec(self, action: object) -> None:
            # As a DAW does: reads what it is given.
            self.scores = [import_midi(path).score for path in dragged[-1]]
            assert sum(score.n_notes for score in self.scores) > 0

    monkeypatch.setattr(file_actions, "QDrag", Drag)
    held = Qt.MouseButton.LeftButton
    monkeypatch.setattr(QApplication, "mouseButtons", staticmethod(lambda: held))
    at.window.roll.set_selection(Selection(0, BAR, frozenset({Voice.TR})))
    at.window.roll.drag_started.emit()
    at.until(lambda: len(dragged) == 1)
    score = import_midi(dragged[0][0]).score
    assert [len(part.notes) for part in score.parts] == [0, 0, len(pitches(at, Voice.TR, 0, BAR)), 0]
    at.window.roll.set_selection(None)
    at.window.files.drag_out()
    at.until(lambda: len(dragged) == 2)
    assert import_midi(dragged[1][0]).score.n_notes == tune().n_notes


def test_the_tracks_of_a_midi_file_are_shown_and_chosen(at: Desk, places: Path) -> None:
    path = places / "tune.mid"
    write_midi(tune(), path)
    at.answers = [str(path)]
    at.choose("import")
    at.until(lambda: at.window.findChild(ImportDialog) is not None)
    dialog = at.window.findChild(ImportDialog)
    previews = dialog.findChildren(TrackPreview)
    assert len(previews) == sum(bool(part.notes) for part in tune().parts)
    for preview, part in zip(previews, [part for part in tune().parts if part.notes], strict=True):
        boxes = preview.boxes()
        assert len(boxes) == len(part.notes)
        assert all(preview.rect().toRectF().adjusted(-1, -1, 2, 2).contains(box) for box in boxes)
    assert dialog.choice == ""
    chosen = dialog.voices[Voice.TR]
    chosen.setCurrentIndex(chosen.findText("1  'Pulse 1'"))
    dialog.voices[Voice.NO].setCurrentText("Nothing")
    assert dialog.choice == "TR=1,NO=none"
    at.qtbot.mouseClick(dialog.go, Qt.MouseButton.LeftButton)
    at.until(lambda: len(at.state.score.parts[Voice.TR].notes) == len(tune().parts[Voice.P1].notes))
    assert at.errors() == []
    at.until(lambda: at.window.findChild(ImportDialog) is None)


def test_the_tracks_of_a_midi_file_are_heard(at: Desk, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = places / "tune.mid"
    write_midi(tune(), path)

    def asked() -> ImportDialog:
        at.answers = [str(path)]
        at.choose("import")
        at.until(lambda: at.window.findChild(ImportDialog) is not None)
        return at.window.findChild(ImportDialog)

    def press(number: int) -> None:
        at.qtbot.mouseClick(dialog.hear[number], Qt.MouseButton.LeftButton)

    def loud() -> bool:
        return bool(np.abs(synth.render(4096, time.perf_counter())).max() > 0.05)

    dialog = asked()
    assert not any(button.isEnabled() for button in dialog.hear), "no sound is on"
    dialog.reject()
    at.until(lambda: at.window.findChild(ImportDialog) is None)
    synth = Synth("plain", block=4096)
    monkeypatch.setattr(type(at.studio.stage), "synth", property(lambda stage: synth))
    at.composed(2)
    at.studio.playback.play()
    dialog = asked()
    assert all(button.isEnabled() for button in dialog.hear)
    press(0)
    assert [button.isChecked() for button in dialog.hear] == [True, False, False, False]
    assert not at.studio.view().playing
    at.until(loud)
    press(2)
    assert [button.isChecked() for button in dialog.hear] == [False, False, True, False]
    press(2)
    assert not any(button.isChecked() for button in dialog.hear)
    at.until(lambda: not loud())
    press(1)
    at.until(loud)
    dialog.reject()
    assert at.studio.playback.audition.line is None
    at.until(lambda: not loud())
    assert at.errors() == []


def test_everything_can_be_exported(at: Desk, places: Path) -> None:
    at.composed(2)
    at.settle()
    for index, form in enumerate(FORMS):
        at.choose("export")
        dialog = at.window.findChild(ExportDialog)
        assert dialog is not None
        dialog.form.setCurrentIndex(index)
        path = places / f"{index}{form.format.ending}"
        at.answers = [str(path)]
        before = len(at.said)
        at.qtbot.mouseClick(dialog.go, Qt.MouseButton.LeftButton)
        at.until(lambda before=before: len(at.said) > before)
        assert at.errors() == []
        assert path.stat().st_size > 20
        at.until(lambda: at.window.findChild(ExportDialog) is None)


def test_an_export_that_cannot_be_written_is_said(at: Desk, places: Path) -> None:
    at.composed(2)
    at.choose("export")
    dialog = at.window.findChild(ExportDialog)
    assert dialog is not None
    at.answers = [str(places / "nowhere" / "song.mid")]
    at.qtbot.mouseClick(dialog.go, Qt.MouseButton.LeftButton)
    at.until(lambda: bool(at.errors()))
    assert "nowhere" in at.errors()[0]


def test_it_closes_at_once_while_it_composes(sit: Callable[..., AbstractContextManager[Desk]]) -> None:
    with sit() as at:
        at.composed(4)
        at.studio.more(64)
        at.studio.playback.play()
        at.window.roll.set_selection(Selection(0, 4 * BAR, frozenset(Voice)))
        at.choose("regenerate")
        event = QCloseEvent()
        QApplication.sendEvent(at.window, event)
        assert event.isAccepted()
    assert not at.studio.jobs.running


def test_following_a_daw_is_seen(at: Desk) -> None:
    pytest.importorskip("rtmidi")
    at.qtbot.mouseClick(at.window.transport.daw, Qt.MouseButton.LeftButton)
    at.until(lambda: at.studio.view().following)
    assert at.studio.view().clock is ClockStatus.WAITING
    at.until(lambda: "wait" in at.window.transport.clock_status.text())
    assert not at.window.transport.tempo.isEnabled() or at.window.transport.tempo.isReadOnly()
    at.qtbot.mouseClick(at.window.transport.own, Qt.MouseButton.LeftButton)
    at.until(lambda: not at.studio.view().following)


def test_a_song_that_is_not_endless_ends(at: Desk) -> None:
    at.choose("new")
    at.window.transport.endless.click()
    at.composed(1)
    at.settle()
    at.studio.set_bpm(400)
    end = at.state.end
    at.studio.playback.seek(end - 240)
    at.studio.playback.play()
    at.until(lambda: at.studio.view().playing)
    at.until(lambda: not at.studio.view().playing)
    assert at.state.end == end


def test_a_loop_goes_round(at: Desk) -> None:
    at.composed(4)
    at.studio.set_bpm(400)
    at.window.roll.set_selection(Selection(BAR, 2 * BAR, frozenset(Voice)))
    at.choose("loop")
    assert at.studio.view().loop == (BAR, 2 * BAR)
    at.studio.playback.seek(2 * BAR - 240)
    at.studio.playback.play()
    at.until(lambda: BAR <= at.studio.view().place < BAR + 480)
    at.choose("loop")
    at.until(lambda: at.studio.view().place > 2 * BAR)


def test_the_tempo_of_what_nobody_heard_is_composed_and_later_only_played(at: Desk) -> None:
    at.until(lambda: at.state.end >= BAR)
    at.studio.set_bpm(90)
    assert (at.state.composed_bpm, at.state.score.n_notes) == (90, 0)
    at.composed(2)
    before = at.state.score
    at.studio.set_bpm(150)
    assert (at.state.composed_bpm, at.state.bpm) == (90, 150)
    assert at.state.score.parts[Voice.NO].notes[:2] == before.parts[Voice.NO].notes[:2]


def test_menus_have_every_command_once_and_all_can_be_undone_by_keys(at: Desk) -> None:
    keys = [key.toString() for action in at.window.commands.values() for key in action.shortcuts()]
    assert len(keys) == len(set(keys))
    for name in ("about", "theme-light", "theme-dark", "zoom-fit", "zoom-in", "zoom-out", "panic", "start"):
        at.choose(name)
    assert at.errors() == []


def test_help_has_every_key_and_the_manual(at: Desk) -> None:
    at.choose("keys")
    at.choose("manual")
    keys, manual = at.window.findChildren(HelpDialog)
    for words in ("Semitone up", "Ctrl+Up", "Double-click", "Quantise"):
        assert words in keys.text.toPlainText()
    assert "Edit by hand" in manual.text.toPlainText()
    for dialog in (keys, manual):
        dialog.close()


def test_switches_in_the_menus_show_their_state(at: Desk) -> None:
    commands = at.window.commands
    at.choose("muted-P1")
    at.window.refresh()
    assert commands["muted-P1"].isChecked()
    at.choose("undo")
    at.window.refresh()
    assert not commands["muted-P1"].isChecked()
    at.window.steering_dock.close()
    at.window.menus.refresh()
    assert not commands["steering"].isChecked()
    at.choose("steering")
    assert commands["steering"].isChecked()
    assert at.window.steering_dock.isVisible()
    for name in ("draw", "metronome", "count-in", "hear"):
        before = commands[name].isChecked()
        at.choose(name)
        assert commands[name].isChecked() is not before


def test_all_can_be_used_in_a_small_window(at: Desk) -> None:
    at.window.steering_dock.show()
    at.window.resize(1024, 640)
    at.qtbot.wait(50)
    at.window.takes.active, at.window.takes.count = True, 16
    at.window.takes_bar.refresh()
    at.qtbot.wait(50)
    assert at.window.width() <= 1024
    area = at.window.rect()
    for button in at.window.findChildren(Button):
        if button.isVisible():
            place = QRect(button.mapTo(at.window, QPoint(0, 0)), button.size())
            assert area.contains(place), button.objectName()
            assert min(button.width(), button.height()) >= TARGET
    for kind in (QComboBox, QAbstractSpinBox, QLineEdit):
        for field in at.window.findChildren(kind):
            if field.isVisible() and not isinstance(field.parent(), QAbstractSpinBox | QComboBox):
                assert field.height() >= TARGET, field.objectName()
    at.window.takes.done()


@pytest.mark.parametrize(("width", "steering"), [(1024, True), (960, False)])
def test_a_narrow_screen_has_room_for_the_roll_at_first(at: Desk, width: int, steering: bool) -> None:
    at.window.steering_dock.show()
    at.window.fit_screen(QRect(0, 0, width, 540), first=True)
    assert at.window.steering_dock.isHidden() is not steering
    assert at.window.frameGeometry().width() <= width
    assert at.window.frameGeometry().height() <= 540


def test_half_a_small_screen_is_enough(at: Desk) -> None:
    """A screen of 1366 x 768 at a scale of 2; the voices are scrolled to there."""
    at.window.steering_dock.hide()
    at.window.takes.active, at.window.takes.count = True, 4
    at.window.takes_bar.refresh()
    at.window.resize(683, 384)
    at.qtbot.wait(50)
    assert (at.window.width(), at.window.height()) == (683, 384)
    area, strips = at.window.rect(), at.window.strips
    for button in at.window.findChildren(Button):
        if button.isVisible() and not strips.isAncestorOf(button):
            place = QRect(button.mapTo(at.window, QPoint(0, 0)), button.size())
            assert area.contains(place), button.objectName()
    at.window.messages.post(Message("A note of some words that takes a line of the window."))
    at.qtbot.wait(10)
    assert not at.window.messages.geometry().intersects(at.window.roll.geometry())
    assert not at.window.messages.geometry().intersects(at.window.takes_bar.geometry())
    shelf = strips.parentWidget().parentWidget()
    for strip in strips.strips.values():
        for field in (strip.mute, strip.highest):
            field.setFocus()
            at.qtbot.keyClick(field, Qt.Key.Key_Backtab)
            at.qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
            assert field.isAncestorOf(QApplication.focusWidget()) or field.hasFocus()
            assert shelf.rect().contains(field.mapTo(shelf, field.rect().center())), field.objectName()
    assert at.window.roll.viewport().height() >= 48
    at.choose("strips")
    at.qtbot.wait(50)
    assert not shelf.isVisible()
    at.choose("strips")
    at.window.resize(1280, 800)
    at.qtbot.wait(50)
    assert shelf.isVisible()
    assert not shelf.verticalScrollBar().maximum()
    assert at.window.roll.geometry().contains(at.window.messages.geometry())
    at.window.takes.done()


@pytest.mark.parametrize("name", ["export", "keys", "manual", "about"])
def test_dialogs_have_room_for_the_pointer(at: Desk, name: str) -> None:
    at.choose(name)
    dialog = at.window.findChild(QDialog)
    assert dialog is not None
    pressed = [
        control
        for kind in (QAbstractButton, QComboBox)
        for control in dialog.findChildren(kind)
        if control.isVisible()
    ]
    assert pressed
    for control in pressed:
        assert control.height() >= TARGET, (control.objectName(), control.height())
    dialog.reject()


def test_the_steering_is_closed_by_its_title_and_comes_back(at: Desk) -> None:
    dock = at.window.steering_dock
    dock.show()
    title = dock.titleBarWidget()
    assert isinstance(title, DockTitle)
    at.qtbot.mouseClick(title.close_button, Qt.MouseButton.LeftButton)
    assert not dock.isVisible()
    at.choose("steering")
    assert dock.isVisible()


def test_every_key_of_the_manual_is_one_of_the_menus(at: Desk) -> None:
    page = (Path(__file__).parents[2] / "docs/app.md").read_text()
    held = r"(?<![\w+])(?:(?:Ctrl|Shift|Alt)\+)*"
    pattern = held + r"(?:(?<=\+)(?:[A-Z0-9.]|Up|Down|Home|Return|Delete)|F\d{1,2})(?!\w)"
    named = {QKeySequence(key) for key in re.findall(pattern, page)}
    assert len(named) > 30
    there = {sequence for action in at.window.commands.values() for sequence in action.shortcuts()}
    assert not {sequence.toString() for sequence in named - there}


def test_every_control_has_a_name_and_is_reached_by_keys(at: Desk) -> None:
    at.window.steering.sampling.head.click()
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox, QSlider)
    controls = [control for kind in kinds for control in at.window.centralWidget().findChildren(kind)]
    controls += [control for kind in kinds for control in at.window.steering.findChildren(kind)]
    assert len(controls) > 50
    for control in controls:
        assert control.accessibleName(), control.objectName()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control.objectName()


def test_a_new_song_is_as_long_as_is_chosen(at: Desk) -> None:
    length = at.window.song_bar.length
    length.setCurrentIndex(length.findData(16))
    length.activated.emit(length.currentIndex())
    at.choose("new")
    assert (at.state.kept, at.state.endless) == (16 * BAR, False)
    length.setCurrentIndex(0)
    length.activated.emit(0)
    at.choose("new")
    assert (at.state.kept, at.state.endless) == (0, True)


def test_the_ports_that_are_there_can_be_chosen(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bar = at.window.outputs
    bar._names = lambda: ["Synth A", "Synth B"]
    bar.menu.aboutToShow.emit()
    at.until(lambda: len(bar.menu.actions()) == 5)
    wanted: list[object] = []
    monkeypatch.setattr(at.studio, "use_ports", wanted.append)
    next(action for action in bar.menu.actions() if action.text() == "Synth B").trigger()
    assert wanted == [("Synth B",)]
    assert at.window._store.value.ports == ("Synth B",)
