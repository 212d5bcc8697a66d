"""`lakhnes study`, as a user runs it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from studies import Made, simulated
from support import lakhnes_here

PLAN = """
clip_seconds = 2
checks = 1
[sources.people]
files = "songs/tune.mid"
[sources.others]
files = "songs/tune.mid"
human = false
[[tests]]
kind = "turing"
count = 1
"""


@pytest.fixture
def home(made: Made) -> Path:
    return made.folder.parent


def test_make_writes_a_study_and_says_where(home: Path, tmp_path: Path) -> None:
    (home / "small.toml").write_text(PLAN)
    done = lakhnes_here("study", "make", home / "small.toml", "-o", "study", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "wrote study: 2 questions, 4 clips" in done.stdout
    assert (tmp_path / "study/page/index.html").is_file()
    again = lakhnes_here("study", "make", home / "small.toml", "-o", "study", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert "study exists and is not empty. Give the name of a new folder." in again.stderr


def test_mistakes_are_named_without_a_traceback(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("seed = -1\n")
    for words, said in (
        (("make", "bad.toml", "-o", "x"), "names no sources"),
        (("make", "none.toml", "-o", "x"), "none.toml cannot be read"),
        (("serve", "none", "-o", "x"), "key.json"),
        (("report", "none"), "key.json"),
        (("report", "none", "-o", "x.pdf"), "End it in .html"),
    ):
        done = lakhnes_here("study", *words, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_serve_collects_until_ctrl_c_and_report_counts(made: Made, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, "-u", "-m", "lakhnes.cli", "study", "serve", str(made.folder)]
    process = subprocess.Popen(
        [*command, "-o", "results", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert address is not None
        for number in range(2):
            facts = simulated(
                made.key, number, {"people": 2.0, "machine": 2.0}, np.random.default_rng(number)
            )
            connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=60)
            connection.request("POST", "/results", json.dumps(facts), {"Content-Type": "application/json"})
            assert connection.getresponse().status == 201
            connection.close()
            assert f"{number + 1} in results" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    outputs = ("-o", "r.html", "-o", "r.json", "-o", "r.txt")
    done = lakhnes_here("study", "report", "results", *outputs, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 listeners count; 0 results do not." in done.stdout
    assert json.loads((tmp_path / "r.json").read_text())["listeners"] == 2
    assert (tmp_path / "r.txt").read_text() in done.stdout
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
