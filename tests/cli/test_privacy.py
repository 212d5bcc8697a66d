"""No command reaches for a network or leaves anything in the user's folders: strace watches what they do."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from jack import JackServer, jack_server
from support import tune

from lakhnes.bridge import write_midi

LAKHNES = [sys.executable, "-m", "lakhnes.cli"]


class Watched(NamedTuple):
    """What a program did that was watched."""

    code: int
    said: str
    families: set[str]
    """Address families of the sockets that it and its children opened."""
    left: list[str]
    """Files and folders in what was an empty home."""


class Watch:
    """Runs programs in an empty home and an empty folder, under strace."""

    def __init__(self, folder: Path) -> None:
        self.home, self.here, self._log = folder / "home", folder / "here", folder / "calls.txt"
        self.home.mkdir()
        self.here.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
        self.environment = {**kept, "HOME": str(self.home)}

    def run(self, *words: str, until: Callable[[], object] | None = None) -> Watched:
        """Runs a program to its end, or until something is so; Ctrl-C ends it then."""
        strace = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-I",
            "never",
            "-e",
            "trace=network",
            "-o",
            str(self._log),
        ]
        process = subprocess.Popen(
            [*strace, *words],
            cwd=self.here,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the program itself, not only strace
        )
        try:
            if until is not None:
                until()
                os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate(timeout=600)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        families = set(re.findall(r"\bsocket(?:pair)?\((\w+)", self._log.read_text()))
        left = sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))
        return Watched(process.returncode, said, families, left)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip("strace may not watch programs here")
    return Watch(tmp_path)


@pytest.fixture
def server() -> Iterator[JackServer]:
    pytest.importorskip("rtmidi")
    with jack_server() as running:
        yield running


def test_the_watch_sees_connections_and_files(watch: Watch) -> None:
    code = "import pathlib, socket; socket.socket(); (pathlib.Path.home() / 'id').write_text('')"
    assert watch.run(sys.executable, "-c", code) == Watched(0, "", {"AF_INET"}, ["id"])


def test_composing_keeps_to_itself(watch: Watch) -> None:
    outputs = ("-o", "song.mid", "-o", "song.wav", "-o", "song.vgm")
    done = watch.run(*LAKHNES, "generate", *outputs, "--seconds", "8", "--seed", "5")
    assert done.code == 0, done.said
    assert done.families <= {"AF_UNIX"}
    assert done.left == []


def test_composing_in_python_keeps_to_itself(watch: Watch) -> None:
    done = watch.run(sys.executable, "-c", "from lakhnes.runtime import Model; Model.load().step(0)")
    assert (done.code, done.said) == (0, "")
    assert done.families <= {"AF_UNIX"}
    assert done.left == []


@pytest.mark.parametrize(
    "words",
    [
        ("render", "song.mid", "-o", "song.wav"),
        ("convert", "song.mid", "-o", "song.nsf", "-o", "song.nes", "-o", "song.ftm.txt", "-o", "song.vgz"),
    ],
)
def test_files_are_made_of_files_and_of_nothing_else(watch: Watch, words: tuple[str, ...]) -> None:
    write_midi(tune(), watch.here / "song.mid")
    done = watch.run(*LAKHNES, *words)
    assert done.code == 0, done.said
    assert done.families <= {"AF_UNIX"}
    assert done.left == []


@pytest.mark.jack
def test_playing_keeps_to_itself(watch: Watch, server: JackServer) -> None:
    watch.environment |= server.environment
    done = watch.run(*LAKHNES, "play", "--seconds", "3", "--synth")
    assert done.code == 0, done.said
    assert done.families == {"AF_UNIX"}, "JACK's own, on this machine"
    assert done.left == []


@pytest.mark.jack
@pytest.mark.gui
def test_the_app_leaves_nothing_but_its_settings(watch: Watch, server: JackServer) -> None:
    watch.environment |= server.environment | {"QT_QPA_PLATFORM": "offscreen"}

    def looked_at() -> None:
        server.wait_for("LakhNES:LakhNES")
        time.sleep(3)

    done = watch.run(*LAKHNES, "app", until=looked_at)
    assert done.code == 0, done.said
    assert done.families == {"AF_UNIX"}
    assert [Path(name).suffix for name in done.left if (watch.home / name).is_file()] == [".json"]


@pytest.mark.slow
@pytest.mark.train
def test_training_to_its_end_keeps_to_itself(watch: Watch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from small_training import small_data, song

    codec = small_data(watch.here / "data").codec
    (watch.here / "songs").mkdir()
    for number in range(4):
        write_midi(codec.decode(song(codec, number)), watch.here / f"songs/{number}.mid")
    sizes = {
        "n_layer": 1,
        "n_head": 2,
        "d_model": 16,
        "d_inner": 16,
        "streams": 4,
        "segment": 16,
        "mem_len": 16,
    }
    settings = [word for name, value in sizes.items() for word in ("--set", f"{name}={value}")]
    for words in (
        ("prepare", "songs", "-o", "prepared", "--jobs", "2", "--format", "tx1"),
        ("train", "data", "-o", "run", "--steps", "10", *settings),
        ("export", "run", "-o", "model", "--mem-len", "16", "--precision", "int8"),
        ("evaluate", "run", "--data", "data"),
        ("evaluate", "./model", "--data", "data"),
        ("calibrate", "./model", "--data", "data"),
    ):
        done = watch.run(*LAKHNES, *words)
        assert done.code == 0, (words, done.said)
        assert done.families <= {"AF_UNIX"}, words
        assert done.left == [], words
