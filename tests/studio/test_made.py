"""How songs of the app were made: what is composed, kept and edited."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from studio_desk import KEPT, Desk
from support import tune
from tiny import tiny_model_of

from lakhnes.bridge import write_midi
from lakhnes.runtime import Model, Provenance, Voice, file_sha256
from lakhnes.studio.arranging import Arranging
from lakhnes.studio.bar_editor import BarEditor
from lakhnes.studio.editor import Editor
from lakhnes.studio.exports import ExportRequest
from lakhnes.studio.made import record_of
from lakhnes.studio.note_commands import NoteCommands
from lakhnes.studio.records import read_records
from lakhnes.studio.session_file import read_session
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio

PLAIN = Provenance("app", "")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def model_of_tests(name: str) -> Model:
    model = tiny_model_of()
    model.sha256 = "ab" * 32
    return model


def made(studio: Studio) -> Provenance:
    """The record of the song now, without the version."""
    record = Provenance.from_text(record_of(studio.session.state, studio.models), "the song")
    assert record.lakhnes
    return replace(record, lakhnes="")


def test_a_song_that_nobody_composed_names_no_model(desk: Desk) -> None:
    assert made(desk.studio) == PLAIN


def test_opened_music_is_known_by_its_hash(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "Anna's song.mid"
    write_midi(tune(), path)
    desk.filing.open(path)
    desk.settle()
    assert made(desk.studio) == replace(PLAIN, kept=(file_sha256(path),))
    desk.studio.new(seed=3)
    assert made(desk.studio) == PLAIN
    desk.studio.session.undo()
    assert made(desk.studio).kept == (file_sha256(path),)


def test_edits_by_hand_are_counted_and_undone(desk: Desk) -> None:
    editor = Editor(desk.studio)
    notes, bars = NoteCommands(editor), BarEditor(editor)
    editor.select({Voice.P1: frozenset((0,))})
    notes.transpose(1)
    notes.transpose(1)
    assert made(desk.studio).edits == 2
    editor.select_span(0, 4 * 480)
    bars.delete()
    assert made(desk.studio).edits == 3
    desk.studio.session.undo()
    desk.studio.session.undo()
    assert made(desk.studio).edits == 1
    desk.studio.session.redo()
    assert made(desk.studio).edits == 2


def test_what_is_composed_has_a_model_a_seed_and_settings() -> None:
    state = replace(KEPT, composed=True, seed=9, temperature=1.2, top_p=None, chords=" Am  F", drones=True)
    state = state.with_voice(Voice.P2, lowest=50, highest=70)
    studio = Studio(replace(state, scale="purple"), load=model_of_tests)
    assert made(studio).model == "unknown"
    studio.models.fetch(state.model, lambda model: None)
    while state.model not in studio.models:
        studio.jobs.deliver()
    settings = {
        "bpm": 120.0,
        "temperature": 1.2,
        "top-p": "none",
        "repetition-penalty": 0.0,
        "range": ("P2:50-70",),
    }
    expected = replace(PLAIN, model="tiny", model_sha256="ab" * 32, seed=9, settings=settings)
    assert made(studio) == expected, "a scale that nobody can read is not in force, and chords wait for it"
    studio.session.change("Scale", scale="a minor")
    assert made(studio).settings == {**settings, "scale": "a minor", "chords": "Am F"}
    studio.close()


def test_composing_around_music_says_that_it_was_composed() -> None:
    studio = Studio(KEPT, load=model_of_tests)
    studio.models.fetch(KEPT.model, lambda model: studio.models.twin(KEPT.model))
    while KEPT.model not in studio.models:
        studio.jobs.deliver()
    studio.session.change_voice("Lock", Voice.P1, locked=True)
    Arranging(studio).new_song(seed=5)
    while studio.jobs.running:
        studio.jobs.deliver()
    record = made(studio)
    assert (record.model, record.seed, record.edits) == ("tiny", 5, 0)
    studio.session.undo()
    assert made(studio) == PLAIN
    studio.close()


@pytest.mark.parametrize("name", ["a.mid", "a.wav", "a.vgm", "a.nsf", "a.lakhnes"])
def test_files_say_it(desk: Desk, tmp_path: Path, name: str) -> None:
    desk.studio.session.amend(edits=4, sources=("cd" * 32,))
    path = tmp_path / name
    if name.endswith(".lakhnes"):
        desk.filing.save(path)
    else:
        desk.filing.export(ExportRequest(path))
    desk.settle()
    (record,) = read_records(path)
    assert record is not None
    assert replace(record, lakhnes="") == replace(PLAIN, edits=4, kept=("cd" * 32,))


def test_an_export_can_be_silent(desk: Desk, tmp_path: Path) -> None:
    desk.filing.export(ExportRequest(tmp_path / "a.mid", provenance=False))
    desk.settle()
    assert b"provenance" not in (tmp_path / "a.mid").read_bytes()


def test_what_is_dragged_out_says_it(desk: Desk) -> None:
    dragged: list[Path] = []
    desk.filing.drag_files(tuple(Voice), None, each=True, done=dragged.extend)
    desk.settle()
    assert len(dragged) == 4
    for path in dragged:
        assert [record is not None and record.task for record in read_records(path)] == ["app"]


def test_a_session_keeps_the_counts(desk: Desk, tmp_path: Path) -> None:
    desk.studio.session.amend(edits=4, sources=("cd" * 32,), composed=True)
    desk.filing.save(tmp_path / "a.lakhnes")
    desk.settle()
    state = read_session(tmp_path / "a.lakhnes")
    assert (state.edits, state.sources, state.composed) == (4, ("cd" * 32,), True)


def test_music_composed_ahead_is_nothing_to_save(desk: Desk) -> None:
    desk.studio.session.saved(desk.state)
    desk.studio.session.amend(composed=True)
    assert not desk.studio.session.changed
    assert SongState().composed is False
