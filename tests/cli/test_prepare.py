"""`lakhnes prepare` as a user runs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import lakhnes_here, tune

from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.export.prepared import open_prepared
from lakhnes.runtime import Note, Part, Score


def lakhnes(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lakhnes.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def fails(*arguments: object, cwd: Path, code: int = 1) -> str:
    """Runs what cannot be done; returns the message, a sentence or two on one line."""
    before = sorted(cwd.rglob("*"))
    done = lakhnes_here("prepare", *arguments, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert code == 2 or len(done.stderr.splitlines()) == 1
    assert sorted(cwd.rglob("*")) == before
    return done.stderr


def some_music(folder: Path, count: int = 6) -> Path:
    folder.mkdir()
    for number in range(count):
        part = tune().parts[0]
        moved = Part(tuple(Note(n.onset, n.length, 40 + (n.pitch + 7 * number) % 60) for n in part.notes))
        score = Score((moved, *tune().parts[1:]), tune().length)
        (folder / f"{number:04d}.mid").write_bytes(midi_bytes(score, MidiStyle.NES))
    (folder / "broken.mid").write_bytes(b"nothing")
    return folder


def test_prepare_says_what_it_made(tmp_path: Path) -> None:
    some_music(tmp_path / "in")
    done = lakhnes("prepare", "in", "-o", "data", "--split", "file", "--valid", 0.4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "tokens a second" in done.stdout
    assert "1 of 7 files (see skipped.tsv)" in done.stdout
    assert "wrote   data (tx1, frames)" in done.stdout
    assert (tmp_path / "data/skipped.tsv").read_text().startswith("file\treason\nbroken.mid\tnot a MIDI file")
    arguments = ("in", "-o", "more", "--format", "tx2", "--timing", "samples", "--valid", 0, "--json")
    result = json.loads(lakhnes("prepare", *arguments, "--jobs", 1, cwd=tmp_path).stdout)
    assert (result["files"], result["skipped"], result["copies"]) == (7, 1, 0)
    data = open_prepared(tmp_path / "more")
    assert (
        result["splits"]["train"]["tokens"] == data.splits["train"].tokens == len(data.songs("train").tokens)
    )
    assert (data.vocabulary.name, data.timing) == ("tx2", "samples")


def test_bad_input_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    some_music(tmp_path / "in", 1)
    (tmp_path / "list").write_text("nonsense a.mid\n")
    assert "There is no music in empty" in fails("empty", "-o", "data", cwd=tmp_path)
    assert "nowhere is not there" in fails("nowhere", "-o", "data", cwd=tmp_path)
    assert "is not empty" in fails("in", "-o", "in", cwd=tmp_path)
    assert "list, line 1" in fails("in", "-o", "data", "--split", "list", cwd=tmp_path)
    split = ("--split", "song")
    assert "neither auto, file, composer" in fails("in", "-o", "data", *split, cwd=tmp_path, code=2)
    assert "cannot be a folder of data" in fails("in", "-o", "list/data", cwd=tmp_path)
    fails("in", "-o", "data", "--jobs", 2, "--cluster", "tcp://127.0.0.1:9", cwd=tmp_path, code=2)
    fails("in", cwd=tmp_path, code=2)


def test_without_dask_a_cluster_names_the_extra(tmp_path: Path) -> None:
    some_music(tmp_path / "in", 1)
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "sys.argv = ['lakhnes', 'prepare', 'in', '-o', 'data', '--cluster', 'tcp://127.0.0.1:9']\n"
        "from lakhnes.cli import main\n"
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'pip install "lakhnes[cluster]"' in done.stderr


def test_preparing_loads_neither_pytorch_nor_onnx_nor_dask(tmp_path: Path) -> None:
    some_music(tmp_path / "in", 2)
    code = (
        "import sys; sys.argv = ['lakhnes', 'prepare', 'in', '-o', 'data', '--jobs', '1']\n"
        "from lakhnes.cli import main\n"
        "assert main() == 0\n"
        "assert not {'torch', 'onnx', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


def group_ends(group: int) -> None:
    """Waits until a group of processes is gone, which raises ProcessLookupError; not longer than 10 s."""
    for _ in range(500):
        os.killpg(group, 0)
        time.sleep(0.02)


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_leaves_no_process(tmp_path: Path) -> None:
    folder = some_music(tmp_path / "in", 400)
    files = list(folder.iterdir())
    for number in range(9):
        (folder / str(number)).mkdir()
        for file in files:
            shutil.copy(file, folder / str(number))
    command = [sys.executable, "-m", "lakhnes.cli", "prepare", "in", "--jobs", "2", "-o"]
    running = subprocess.Popen(
        [*command, "data"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "data").glob("unfinished/block-*1.npz")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said == "lakhnes: interrupted. Run the same command again: it goes on where it was.\n"
    with pytest.raises(ProcessLookupError):
        group_ends(running.pid)
    for name in ("data", "whole"):
        subprocess.run([*command, name], cwd=tmp_path, check=True, capture_output=True)
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("data", "whole"))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))
