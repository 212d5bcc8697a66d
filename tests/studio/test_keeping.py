"""Keeping: no song is lost that somebody could miss, and none comes back that was thrown away."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest
from studio_desk import KEPT, Desk
from support import tune

from lakhnes.bridge import write_midi
from lakhnes.runtime import OptionError, OutputError, Score, Voice
from lakhnes.studio import autosave as autosave_module
from lakhnes.studio import keeping as keeping_module
from lakhnes.studio.autosave import Autosave, left_behind, remove
from lakhnes.studio.filing import Filing
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.session_file import VERSION, read_session, read_song, session_bytes, write_session
from lakhnes.studio.state import SongState, Whereabouts
from lakhnes.studio.studio import Studio

DAYS = Path(__file__).parents[1] / "many_days.py"
EMPTY = SongState(seed=5)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def seeds(desk: Desk) -> list[int]:
    """Of all autosaves."""
    return sorted(read_session(path).seed for path in desk.autosaves())


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, state: SongState, whereabouts: Whereabouts) -> None:
        raise OutputError(f"{path} cannot be written: there is no space.")

    monkeypatch.setattr(autosave_module, "write_session", write)


# Whatever happens


def many_days(folder: Path, count: int, *words: str) -> dict[str, dict[str, list[int]]]:
    command = [sys.executable, str(DAYS), str(folder), str(count), *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, dict[str, list[int]]] = json.loads(done.stdout)
    return result


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_no_song_is_lost_in_many_days(tmp_path: Path) -> None:
    assert many_days(tmp_path, 200)["lost"] == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_many_days_would_show_a_song_that_is_lost(tmp_path: Path) -> None:
    assert len(many_days(tmp_path, 20, "forgetful")["lost"]) > 1


# When a song is kept


def test_a_song_is_kept_at_once_and_then_from_time_to_time(desk: Desk) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.frame()
    (path,) = desk.autosaves()
    assert read_session(path).seed == 1
    stamp = path.stat().st_mtime_ns
    desk.later()
    assert path.stat().st_mtime_ns == stamp
    desk.studio.session.change("Seed", seed=2)
    desk.frame(1.0)
    assert read_session(path).seed == 2, "nothing was written for a while"
    desk.studio.session.change("Seed", seed=3)
    desk.frame(1.0)
    assert read_session(path).seed == 2
    desk.later()
    assert read_session(path).seed == 3
    assert desk.texts == []


@pytest.mark.parametrize(
    "state", [SongState(), replace(KEPT, kept=0)], ids=["nothing", "only what was composed ahead"]
)
def test_what_nobody_could_miss_is_not_kept(tmp_path: Path, state: SongState) -> None:
    desk = Desk(tmp_path, state)
    desk.studio.session.change("Temperature", temperature=1.2)
    desk.later()
    desk.studio.new(7)
    desk.later()
    desk.close()
    assert not desk.kept.exists()
    other = Desk(tmp_path)
    assert other.left() == []
    other.close()


def test_what_is_edited_is_kept_though_nobody_heard_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, replace(KEPT, kept=0))
    desk.studio.session.edit("Dynamics", Score(length=tune().length), (0, 44_100), (Voice.P1,))
    desk.frame()
    assert len(desk.autosaves()) == 1
    desk.close()


def test_a_saved_song_is_kept_no_more(desk: Desk, tmp_path: Path) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.later()
    assert desk.autosaves()
    desk.filing.save(tmp_path / "a.lakhnes")
    desk.settle()
    desk.frame()
    assert desk.autosaves() == []
    desk.studio.session.change("Seed", seed=2)
    desk.close()
    assert len(desk.autosaves()) == 1


def test_music_that_was_only_opened_is_in_its_file(desk: Desk, tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "mine.mid")
    desk.filing.open(tmp_path / "mine.mid")
    desk.settle()
    desk.later()
    assert desk.autosaves() == []
    desk.hear()
    desk.frame()
    assert len(desk.autosaves()) == 1


# Another song in its place


def test_new_and_open_keep_the_song_before(desk: Desk, tmp_path: Path) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.studio.new(2)
    desk.frame()
    assert seeds(desk) == [1]
    desk.hear()
    desk.frame()
    write_session(tmp_path / "a.lakhnes", replace(KEPT, seed=3))
    desk.filing.open(tmp_path / "a.lakhnes")
    desk.settle()
    desk.frame()
    assert seeds(desk) == [1, 2]
    desk.close()
    other = Desk(tmp_path, EMPTY)
    assert sorted(left.name for left in other.left()) == ["LakhNES 1", "LakhNES 2"]
    other.close()


def test_what_was_changed_a_moment_before_is_kept_as_it_was_left(desk: Desk) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.frame()
    desk.studio.session.change("Seed", seed=2)
    desk.studio.new(3)
    desk.frame()
    assert seeds(desk) == [2]


def test_undoing_back_and_forth_keeps_one_file_for_each_song(desk: Desk) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.studio.new(2)
    desk.hear()
    for _ in range(3):
        desk.studio.session.undo()
        desk.frame()
        assert seeds(desk) == [1, 2]
        desk.studio.session.redo()
        desk.frame()
        assert seeds(desk) == [1, 2]
    desk.studio.session.undo()
    desk.studio.session.change("Seed", seed=4)  # nothing leads to the other one any more
    desk.later()
    assert seeds(desk) == [2, 4]


def test_a_song_that_is_saved_while_another_comes_is_saved_itself(desk: Desk, tmp_path: Path) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.frame()
    desk.filing.save(tmp_path / "a.lakhnes")
    desk.studio.new(2)
    desk.settle()
    assert desk.filing.path is None, "the new song has no file"
    desk.frame()
    assert desk.autosaves() == []
    desk.studio.session.undo()
    assert desk.filing.path == tmp_path / "a.lakhnes"
    assert not desk.filing.changed


# Coming back


def test_a_song_comes_back_as_it_was_left(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first.filing.save(tmp_path / "Night Walk.lakhnes")
    first.settle()
    first.studio.session.change("Seed", seed=1)
    first.studio.playback.seek(960)
    first.close()
    second = Desk(tmp_path, EMPTY)
    (left,) = second.left()
    assert (left.name, left.seconds, left.problem) == ("Night Walk", tune().length / 44_100, "")
    second.recover(left)
    assert second.state == replace(KEPT, seed=1, song=1)
    assert (second.filing.title, second.studio.playback.place) == ("Night Walk — LakhNES", 960)
    assert second.filing.path == tmp_path / "Night Walk.lakhnes"
    assert second.filing.changed
    assert second.studio.session.undo_label == "Restore Night Walk"
    assert second.left() == []
    assert left.file not in second.autosaves()
    assert len(second.autosaves()) == 1
    second.close()
    third = Desk(tmp_path, EMPTY)
    (again,) = third.left()
    third.recover(again)
    assert (third.filing.title, third.studio.playback.place) == ("Night Walk — LakhNES", 960)
    assert third.filing.save()
    third.settle()
    third.frame()
    assert third.autosaves() == []
    assert read_song(tmp_path / "Night Walk.lakhnes") == (replace(KEPT, seed=1), Whereabouts(960))
    third.close()


def test_music_that_was_changed_comes_back_by_its_name(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "mine.mid")
    first = Desk(tmp_path, EMPTY)
    first.filing.open(tmp_path / "mine.mid")
    first.settle()
    first.hear()
    first.close()
    second = Desk(tmp_path, EMPTY)
    (left,) = second.left()
    second.recover(left)
    assert (second.filing.title, second.filing.path) == ("mine — LakhNES", None)
    assert Path(second.filing.suggested(".wav")).name == "mine.wav"
    second.close()


def test_recovering_keeps_the_song_in_the_window(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first.studio.session.change("Seed", seed=1)
    first.close()
    second = Desk(tmp_path, replace(KEPT, seed=2))
    second.studio.session.change("Temperature", temperature=1.3)
    second.recover(second.left()[0])
    second.frame()
    assert seeds(second) == [1, 2]
    (mine,) = second.left()
    assert mine.name == "LakhNES 2"
    second.recover(mine)
    assert second.state == replace(KEPT, seed=2, temperature=1.3)
    second.close()
    assert seeds(second) == [1, 2]


def test_a_song_is_on_the_disk_all_the_time_that_it_is_recovered(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first.studio.session.change("Seed", seed=1)
    first.close()
    second = Desk(tmp_path, EMPTY)
    (left,) = second.left()
    assert left.file is not None
    unsaved = second.filing.keeping._autosave.take(left.file, 7)
    assert unsaved.state.song == 7
    assert seeds(second) == [1]
    second.filing.keeping._autosave.settle()
    assert seeds(second) == [1]
    second.close()
    assert seeds(second) == [1]


def test_songs_are_listed_the_latest_first(tmp_path: Path) -> None:
    for number in range(3):
        left = Autosave(tmp_path / "kept")
        left.tell(replace(KEPT, seed=number, bpm=60.0), Whereabouts())
        assert left.settle() == {}
        left.release()
        stamp = (5 - number) * 1000
        os.utime(max(tmp_path.glob("kept/*"), key=lambda path: path.stat().st_mtime), (stamp, stamp))
    desk = Desk(tmp_path, EMPTY)
    listed = [(left.name, left.when, left.seconds) for left in desk.left()]
    assert listed == [("LakhNES 0", 5000, 8), ("LakhNES 1", 4000, 8), ("LakhNES 2", 3000, 8)]
    desk.close()


@pytest.mark.parametrize("content", [b"half", b""])
def test_a_song_that_cannot_be_read_is_listed_with_the_reason_and_stays(desk: Desk, content: bytes) -> None:
    desk.kept.mkdir()
    path = desk.kept / "autosave-1-a.lakhnes"
    path.write_bytes(content)
    (left,) = desk.left()
    assert "not a session, or a broken one" in left.problem
    desk.recover(left)
    assert "not a session, or a broken one" in desk.texts[0]
    assert desk.state == KEPT
    assert path.read_bytes() == content
    desk.filing.keeping.discard([left])
    desk.settle()
    assert not path.exists()


def test_a_song_of_a_newer_version_waits_for_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakhnes.studio.session_file.VERSION", VERSION + 1)
    data = session_bytes(Path("a"), KEPT)
    monkeypatch.undo()
    desk.kept.mkdir()
    path = desk.kept / "autosave-1-a-0.lakhnes"
    path.write_bytes(data)
    (left,) = desk.left()
    assert "update lakhnes" in left.problem
    desk.recover(left)
    assert path.exists()


# Throwing away


def test_what_is_thrown_away_is_gone(desk: Desk) -> None:
    left = Autosave(desk.kept)
    left.tell(KEPT, Whereabouts())
    left.settle()
    left.release()
    desk.filing.keeping.discard(desk.left())
    desk.settle()
    assert desk.left() == []
    assert list(desk.kept.iterdir()) == []


def test_a_song_of_this_run_can_be_thrown_away(desk: Desk) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.studio.new(2)
    desk.frame()
    (left,) = desk.left()
    desk.filing.keeping.discard([left])
    desk.frame()
    assert desk.autosaves() == []
    assert desk.left() == []
    desk.recover(left)
    assert desk.state.seed == 2
    desk.studio.session.undo()  # somebody wants it after all
    desk.frame()
    assert seeds(desk) == [1]


def test_unsaved_songs_do_not_become_ever_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_module, "MOST_LEFT", 3)
    for number in range(5):
        desk = Desk(tmp_path, replace(KEPT, seed=number))
        desk.studio.session.change("Temperature", temperature=1.3)
        desk.close()
        (path,) = (path for path in desk.autosaves() if read_session(path).seed == number)
        os.utime(path, (1000 + number, 1000 + number))
    assert len(desk.autosaves()) == 5, "they are offered once at least"
    desk = Desk(tmp_path, EMPTY)
    assert len(desk.left()) == 5
    desk.close()
    assert seeds(desk) == [2, 3, 4]


# Several at once


def test_a_song_of_a_program_that_runs_is_not_offered(desk: Desk, tmp_path: Path) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.later()
    (path,) = desk.autosaves()
    other = Desk(tmp_path, EMPTY)
    assert other.left() == []
    with pytest.raises(OptionError, match="open in another window"):
        other.filing.keeping._autosave.take(path, 1)
    remove(path)
    assert path.exists()
    desk.filing.keeping._autosave.release()  # as the system does when a program dies
    assert [left.file for left in other.left()] == [path]
    other.close()


def test_only_one_of_two_windows_gets_a_song(desk: Desk, tmp_path: Path) -> None:
    first = Desk(tmp_path, EMPTY)
    first.hear()
    first.close()
    other = Desk(tmp_path, replace(EMPTY, seed=6))
    (left,) = desk.left()
    assert other.left() == [left]
    desk.recover(left)
    other.recover(left)
    assert "Another window may have restored it" in other.texts[0]
    assert (desk.state.seed, other.state.seed) == (5, 6)
    other.filing.keeping.discard([left])
    other.settle()
    assert len(desk.autosaves()) == 1
    other.close()


def test_locks_of_runs_that_were_killed_are_tidied_away(desk: Desk) -> None:
    desk.kept.mkdir()
    stale, alive = desk.kept / "autosave-1-aa.lock", Autosave(desk.kept)
    stale.touch()
    alive.tell(KEPT, Whereabouts())
    alive.settle()
    alive.forget(0)
    alive.settle()
    assert left_behind(desk.kept) == []
    assert [path.suffix for path in desk.kept.iterdir()] == [".lock"]
    assert not stale.exists()
    alive.release()
    assert list(desk.kept.iterdir()) == []


# A full disk, and the end


def test_a_song_that_cannot_be_kept_is_said_once_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch)
    for seed in (1, 2, 3):
        desk.studio.session.change("Seed", seed=seed)
        desk.frame()
        desk.later()
    desk.studio.new(4)
    desk.frame()
    assert len(desk.said) == 1
    assert "cannot be kept" in desk.texts[0]
    assert list(desk.filing.keep()) == ["LakhNES 3"]
    monkeypatch.undo()
    desk.later()
    assert seeds(desk) == [3]
    assert desk.filing.keep() == {}


def test_a_folder_that_is_none_is_said(desk: Desk) -> None:
    desk.kept.write_bytes(b"no folder")
    desk.studio.session.change("Seed", seed=1)
    assert "Check it and its permissions" in desk.filing.keep()["LakhNES 1"]


def test_one_song_that_cannot_be_written_keeps_no_other_from_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = write_session

    def write(path: Path, state: SongState, whereabouts: Whereabouts) -> None:
        if state.seed == 1:
            raise ZeroDivisionError("odd")
        real(path, state, whereabouts)

    monkeypatch.setattr(autosave_module, "write_session", write)
    desk.studio.session.change("Seed", seed=1)
    desk.studio.new(2)
    desk.hear()
    desk.frame()
    assert seeds(desk) == [2]
    assert "ZeroDivisionError: odd" in desk.texts[0]


def test_after_the_end_nothing_is_written(tmp_path: Path) -> None:
    kept = Autosave(tmp_path)
    kept.tell(KEPT, Whereabouts())
    kept.settle()
    (path,) = left_behind_anyway(tmp_path)
    kept.release()
    kept.forget(0)
    kept.tell(replace(KEPT, song=1), Whereabouts())
    kept.settle()
    assert left_behind(tmp_path) == [path]
    assert read_session(path) == KEPT


def left_behind_anyway(folder: Path) -> list[Path]:
    """Files of any run."""
    return list(folder.glob("*.lakhnes"))


def test_a_save_that_is_not_done_is_done_at_the_end(desk: Desk, tmp_path: Path) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.filing.save(tmp_path / "a.lakhnes")
    desk.studio.new(2)
    desk.hear()
    desk.filing.save(tmp_path / "b.lakhnes")
    desk.close()
    assert [read_session(tmp_path / name).seed for name in ("a.lakhnes", "b.lakhnes")] == [1, 2]
    assert desk.autosaves() == []


def test_closing_twice_is_closing(desk: Desk) -> None:
    desk.studio.session.change("Seed", seed=1)
    desk.close()
    desk.close()
    assert len(desk.autosaves()) == 1


def test_closing_with_a_full_disk_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch)
    desk.studio.session.change("Seed", seed=1)
    desk.filing.close()
    assert "LakhNES 1 is not saved and could not be kept" in desk.texts[0]


def test_the_usual_place_is_the_platform_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_state_path", lambda name, appauthor: tmp_path / name)
    studio = Studio(KEPT)
    filing = Filing(studio, PreferenceStore(tmp_path / "app.json"))
    studio.session.change("Seed", seed=1)
    filing.close()
    studio.close()
    assert list((tmp_path / "lakhnes").glob("autosave-*.lakhnes"))
