"""`lakhnes ports` and `lakhnes doctor` as a user runs them: with a JACK server, and without this or that."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jack import JackServer, jack_server

from lakhnes.bridge.ports import open_output
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
from lakhnes.runtime.errors import step_to_extra

WITHOUT = (
    "import sys; sys.modules[{!r}] = None; from lakhnes.cli import main; sys.argv[0] = 'lakhnes'\n"
    "sys.exit(main())"
)
ALSA = pytest.mark.skipif(Path("/dev/snd/seq").exists(), reason="here ALSA answers")


def lakhnes(*arguments: str, without: str | None = None, **environment: str) -> Any:
    start = ["-m", "lakhnes.cli"] if without is None else ["-c", WITHOUT.format(without)]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr
    return done


def checks(done: Any) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"nobody{os.getpid()}")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")


@pytest.fixture
def server() -> Iterator[JackServer]:
    pytest.importorskip("rtmidi")
    with jack_server() as running:
        yield running


@pytest.mark.jack
def test_ports_are_listed_as_a_table_and_as_json(server: JackServer) -> None:
    with open_output(virtual="Keys", backend=rtmidi_backend("jack")):
        listed = json.loads(lakhnes("ports", "--json").stdout)
        table = lakhnes("ports")
    assert {"name": "Keys:Keys", "direction": "input", "backend": "JACK"} in listed
    assert table.returncode == 0
    assert table.stderr == ""
    assert "JACK\n  to play to  none\n  to hear     Keys:Keys\n" in table.stdout


@ALSA
@pytest.mark.usefixtures("no_server")
def test_without_a_back_end_the_next_step_is_said() -> None:
    pytest.importorskip("rtmidi")
    done = lakhnes("ports", "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("lakhnes: No MIDI back end answers: ")
    assert len(done.stderr.splitlines()) == 1


def test_without_the_extra_the_pip_line_is_said() -> None:
    done = lakhnes("ports", without="rtmidi")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"lakhnes: A MIDI port needs an extra: {step_to_extra('live')}\n"


@pytest.mark.jack
def test_the_doctor_finds_what_is_there(server: JackServer) -> None:
    done = lakhnes("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = checks(done)
    assert all(found[name]["ok"] for name in ("Python", "model", "MIDI", "own ports", "extra live"))
    assert "events a second" in found["model"]["found"]
    assert "JACK" in found["MIDI"]["found"]
    if found["extra synth"]["ok"]:
        assert found["sound output"]["found"] == "a JACK server"


@pytest.mark.usefixtures("no_server")
def test_the_doctor_says_a_next_step_for_all_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = lakhnes("doctor", without="pyo", XDG_DATA_HOME=str(tmp_path / "file"))
    assert (done.returncode, done.stderr) == (0, ""), "nothing that composing needs is missing"
    lines = done.stdout.splitlines()
    assert any(line.startswith("missing  sound") and 'pip install "lakhnes[synth]"' in line for line in lines)
    if sys.platform == "linux":
        assert any(line.startswith("missing  data folder") and "permissions" in line for line in lines)
    assert all(": " in line for line in lines if line.startswith("missing"))
    assert {line.split()[0] for line in lines} == {"ok", "missing"}


@pytest.mark.usefixtures("no_server")
def test_the_doctor_fails_where_composing_is_broken() -> None:
    done = lakhnes("doctor", "--json", without="onnxruntime")
    assert done.returncode == 1
    assert not json.loads(done.stdout)["ok"]
    found = checks(done)
    assert not found["model"]["ok"]
    assert "onnxruntime" in found["model"]["found"]
    assert found["Python"]["ok"]


def test_help_loads_nothing_of_what_the_commands_need() -> None:
    code = (
        "import sys; from lakhnes.cli import app; sys.argv = ['lakhnes', '--help']; app.run()\n"
        "assert not {'rtmidi', 'pyo', 'onnxruntime', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ports" in done.stdout
    assert "doctor" in done.stdout
