"""The frozen programs, as someone without Python has them: in an empty folder, with an empty environment."""

import json
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import mido
import numpy as np
import pytest
from jack import JackServer, jack_server
from x_screen import Screen

pytest.importorskip("PyInstaller")
pytestmark = [
    pytest.mark.frozen,
    pytest.mark.skipif(
        sys.platform != "linux", reason="the smoke test of other systems is in the release workflow"
    ),
]

ROOT = Path(__file__).parents[2]
PROGRAMS = ("lakhnes", "lakhnes-app")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which both archives are unpacked."""
    out, there = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("unpacked")
    command = [sys.executable, str(ROOT / "packaging/build"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in PROGRAMS:
        (archive,) = out.glob(f"{name}-{version('lakhnes')}-linux-*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(there, filter="data")
    shutil.rmtree(out)
    return there


@pytest.fixture
def server() -> Iterator[JackServer]:
    with jack_server() as running:
        yield running


def run(program: Path, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with nothing but what is given in its environment."""
    command = [str(program), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_in_the_archive(frozen: Path, name: str) -> None:
    folder = frozen / name
    licences = (folder / "LICENCES.txt").read_text("utf-8")
    parts = [
        "numpy",
        "onnxruntime",
        "pyo",
        "python-rtmidi",
        *(["PySide6_Essentials"] if "app" in name else []),
    ]
    assert all(f"\n{part}\n" in licences for part in parts)
    assert "MIT License" in (folder / "LICENSE.txt").read_text()
    assert "LGPL-3.0" in (folder / "LGPL.txt").read_text()
    beside = {
        "lakhnes": {"lakhnes.1"},
        "lakhnes-app": {"lakhnes.desktop", "lakhnes.metainfo.xml", "lakhnes.png"},
    }
    assert beside[name] <= {path.name for path in folder.iterdir()}
    for unwanted in ("torch", "tkinter", "numba", "hypothesis"):
        assert not [*folder.glob(f"_internal/{unwanted}*")]
    assert not [*folder.rglob("libonnxruntime.so*")], "onnxruntime's Python module does not load it"


def test_the_command_composes_and_makes_sound(frozen: Path, tmp_path: Path) -> None:
    program = frozen / "lakhnes/lakhnes"
    done = run(
        program, "generate", "-o", "a.mid", "-o", "a.wav", "--seconds", "8", "--seed", "5", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert sum(message.type == "note_on" for message in mido.MidiFile(tmp_path / "a.mid")) > 20
    soundfile = pytest.importorskip("soundfile")
    sound, rate = soundfile.read(tmp_path / "a.wav")
    assert (len(sound), rate) == (8 * 44_100, 44_100)
    assert np.abs(sound).max() > 0.05
    assert version("lakhnes") in run(program, "--version", cwd=tmp_path).stdout
    assert "Usage: lakhnes" in run(program, "--help", cwd=tmp_path).stdout
    bash = Path(shutil.which("bash") or "/bin/bash")
    shown = run(bash, "-c", f"{program} --show-completion; exit $?", cwd=tmp_path)
    assert "complete -o default -F _lakhnes_completion lakhnes" in shown.stdout, shown.stderr


def test_the_command_says_what_is_not_in_it(frozen: Path, tmp_path: Path) -> None:
    program = frozen / "lakhnes/lakhnes"
    for command in (["app"], ["train", "x", "-o", "y"]):
        done = run(program, *command, cwd=tmp_path)
        assert done.returncode == 1
        assert "is not in this program" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.jack
def test_the_command_sees_ports_and_sound(frozen: Path, tmp_path: Path, server: JackServer) -> None:
    program = frozen / "lakhnes/lakhnes"
    player = subprocess.Popen(
        [str(program), "play"], env=server.environment, stdout=subprocess.PIPE, text=True
    )
    try:
        server.wait_for("LakhNES:LakhNES")
        done = run(program, "ports", "--json", cwd=tmp_path, **server.environment)
        assert "LakhNES" in json.dumps(json.loads(done.stdout))
    finally:
        player.send_signal(signal.SIGINT)
        player.communicate(timeout=60)
    done = run(program, "doctor", "--json", cwd=tmp_path, **server.environment)
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert found["sound output"]["found"] == "a JACK server"
    assert all(check["ok"] for check in found.values())


@pytest.mark.jack
@pytest.mark.gui
@pytest.mark.skipif(not shutil.which("xdotool") or not shutil.which("Xvfb"), reason="no Xvfb, or no xdotool")
def test_the_app_composes_and_is_heard_and_seen(frozen: Path, tmp_path: Path, server: JackServer) -> None:
    from PIL import ImageGrab

    with Screen() as screen:
        environment = {"DISPLAY": screen.name, "HOME": str(tmp_path), **server.environment}
        app = subprocess.Popen([frozen / "lakhnes-app/lakhnes-app"], cwd=tmp_path, env=environment)
        try:
            window = screen.window("LakhNES")
            for channel in (1, 2):
                server.wait_for(f"lakhnes:output_{channel}")
            screen.tool("windowfocus", window)
            screen.tool("key", "space")
            server.wait_for("LakhNES:LakhNES")
            sound = recorded(server, tmp_path / "heard.wav")
            ImageGrab.grab(xdisplay=screen.name).save(tmp_path / "app.png")
            screen.tool("key", "ctrl+q")
            assert app.wait(60) == 0
        finally:
            app.kill()
            app.wait()
    assert np.abs(sound).max() > 0.02
    looked_at(tmp_path / "app.png")


def recorded(server: JackServer, path: Path) -> np.ndarray:
    """Five seconds of what the app plays."""
    soundfile = pytest.importorskip("soundfile")
    server.recorder(path, 5, "lakhnes:output_1", "lakhnes:output_2").wait(60)
    sound, _ = soundfile.read(path)
    return np.asarray(sound)


def looked_at(path: Path) -> None:
    """Notes of some voice are on the picture, and a playhead."""
    from PIL import Image

    picture = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).astype(int)
    for colour in ((0xD1, 0x12, 0x3F), (0x0B, 0x6B, 0xB5)):
        assert (np.abs(picture - colour).max(-1) <= 3).sum() > 200
