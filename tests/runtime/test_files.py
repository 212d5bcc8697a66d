import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lakhnes.runtime import OutputError, unfinished
from lakhnes.runtime.files import real_name, write_all, write_whole
from lakhnes.runtime.unfinished import Unfinished, remove_left_behind


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a.mid"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.mid cannot be written: No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mid"]


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.mid", b"new")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "no" / "a.mid", b"x")


def test_files_have_the_users_usual_permissions(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_whole(tmp_path / "a.mid", b"x")
    assert (tmp_path / "a.mid").stat().st_mode == usual.stat().st_mode


posix = pytest.mark.skipif(sys.platform == "win32", reason="links and signals are POSIX's")

WRITER = """
import sys, time
from pathlib import Path
from lakhnes.runtime.files import write_all
def slowly(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
write_all({Path(sys.argv[1], "a.mid"): b"whole", Path(sys.argv[1], "b.mid"): slowly})
"""


def writing(folder: Path) -> subprocess.Popen[str]:
    """A process in the middle of writing two files."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@posix
def test_the_next_write_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        assert len(os.listdir(tmp_path)) == 3
        process.send_signal(signal.SIGKILL)
    assert len(os.listdir(tmp_path)) == 3
    write_whole(tmp_path / "c.mid", b"x")
    assert os.listdir(tmp_path) == ["c.mid"]


@posix
def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        before = set(os.listdir(tmp_path))
        write_whole(tmp_path / "c.mid", b"x")
        assert set(os.listdir(tmp_path)) == before | {"c.mid"}
        process.terminate()


def test_files_of_other_machines_other_names_and_no_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = "0123456789abcdef"
    ours = unfinished._machine()
    for name in (
        ".lakhnes-notes",
        f".lakhnes-{write}",
        f".lakhnes-{ours}-{write}.mid",
        f".lakhnes-{ours}-{write[:8]}",
        f".lakhnes-{'0' * 8}-{write}",
        f".lakhnes-{'0' * 8}-{write}-0",
        f".lakhnes-{ours}-{'f' * 16}-0",  # without the mark that tells who writes it
    ):
        (tmp_path / name).touch()
    (tmp_path / f".lakhnes-{ours}-{'a' * 16}").mkdir()
    before = sorted(os.listdir(tmp_path))
    write_whole(tmp_path / "a.mid", b"x")
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "a.mid"])
    (tmp_path / f".lakhnes-{ours}-{write}").touch()
    (tmp_path / f".lakhnes-{ours}-{write}-0").touch()
    remove_left_behind(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "a.mid"])


def test_two_machines_of_one_folder_leave_each_other_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f".lakhnes-{unfinished._machine()}-0123456789abcdef").touch()
    unfinished._machine.cache_clear()
    monkeypatch.setattr("platform.node", lambda: "another")
    try:
        remove_left_behind(tmp_path)
        assert len(os.listdir(tmp_path)) == 1
    finally:
        unfinished._machine.cache_clear()


def test_without_locks_files_are_written_and_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = f".lakhnes-{unfinished._machine()}-0123456789abcdef"
    (tmp_path / left).touch()
    monkeypatch.setattr(unfinished, "_locked", lambda file: False)
    write_whole(tmp_path / "a.mid", b"x")
    assert sorted(os.listdir(tmp_path)) == [left, "a.mid"]


def test_writing_many_files_holds_few_of_them_open(tmp_path: Path) -> None:
    write_all({tmp_path / f"{number}.mid": b"x" for number in range(1500)})
    assert len(os.listdir(tmp_path)) == 1500


def test_two_writes_in_one_folder_do_not_meet(tmp_path: Path) -> None:
    with Unfinished() as one, Unfinished() as two:
        parts = [one.beside(tmp_path / "a"), two.beside(tmp_path / "a"), one.beside(tmp_path / "b")]
        for part in parts:
            part.touch(exist_ok=False)
        remove_left_behind(tmp_path)
        assert all(part.exists() for part in parts)
    assert os.listdir(tmp_path) == []


@posix
@pytest.mark.parametrize("name", ["loop.mid", "loop/a.mid", "there.mid", "n" * 300 + ".mid", "file/a.mid"])
def test_a_path_that_leads_nowhere_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.mid").symlink_to("back.mid")
    (tmp_path / "back.mid").symlink_to("loop.mid")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "there.mid").symlink_to("no/a.mid")
    (tmp_path / "file").touch()
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OutputError, match=r"cannot be written: .*(Give|Make|Check)"):
        write_whole(tmp_path / name, b"x")
    assert sorted(os.listdir(tmp_path)) == before


@posix
def test_a_name_is_that_where_links_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "link").symlink_to("songs")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path / "songs")
    names = [real_name(Path(path)) for path in (".", "../link", "../loop", "none")]
    assert names == ["songs", "songs", "loop", "none"]


@posix
def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.mid").symlink_to("b.mid")
    write_whole(tmp_path / "a.mid", b"x")
    assert (tmp_path / "b.mid").read_bytes() == b"x"
    assert (tmp_path / "a.mid").is_symlink()
