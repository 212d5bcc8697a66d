"""Every command of README and documentation, as a reader runs it: page by page, in an empty folder."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from jack import JackServer, jack_server
from rig import PATIENCE_SECONDS, stop
from support import tune

from lakhnes.apu import registers_of, vgm_bytes
from lakhnes.bridge import MidiStyle, write_midi
from lakhnes.runtime import DEFAULT_MODEL, Note, Part, Score, tx1_text, tx2_text

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(<!-- not run: (.+) -->\n)?^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PLAIN, LIVE, TRAINING = "plain", "live", "training"
NEEDS = {"play": LIVE, "app": LIVE, "ports": LIVE, "doctor": LIVE}
"""What needs a JACK server, because it opens ports or looks for them."""
TRAINED = ("prepare", "train", "export", "calibrate", "evaluate")

MOST = {"--seconds": 4, "--count": 2, "--bars": 2, "--songs": 2}
"""Of what is composed: a command that asks for more is run with so much."""
LENGTH = ["--tokens", "60"]
"""A song that the model ends may last minutes: it gets this length."""

BROUGHT = ("any", "game", "song")
"""Files of these names a reader has; where they are not there, they are laid there."""


class Command(NamedTuple):
    """A command of a page."""

    words: list[str]
    shown: str
    """What the page shows of its output; empty for nothing."""
    trains: bool
    """It stands in a fence with the training side's commands, and may need what they make."""

    @property
    def need(self) -> str:
        if self.words[0] != "lakhnes":
            return PLAIN
        return TRAINING if self.trains else NEEDS.get(self.words[1], PLAIN)


def commands(page: Path) -> Iterator[Command]:
    """The commands of the `sh` fences of a page, without those that install or check."""
    fences = list(FENCE.finditer(page.read_text()))
    for fence, after in zip(fences, [*fences[1:], None], strict=False):
        if fence[3] != "sh" or fence[2]:
            continue
        between = page.read_text()[fence.end() : after.start()] if after else ""
        shown = after[4] if after and after[3] == "text" and between.count("\n\n") < 3 else ""
        lines = [shlex.split(line, comments=True) for line in fence[4].replace("\\\n", " ").splitlines()]
        lines = [words for words in lines if words and not installs(words)]
        trains = any(words[1] in TRAINED for words in lines if words[0] == "lakhnes")
        for place, words in enumerate(lines):
            yield Command(words, shown if place == 0 else "", trains)


def installs(words: Sequence[str]) -> bool:
    """Whether it changes the machine or takes minutes, and is tested elsewhere: by CI itself."""
    program = Path(words[0]).name
    script = words[1] if program == "sh" else ""
    return program in ("pip", "git") or script in ("scripts/test", "scripts/check", "scripts/docs")


def cases() -> Iterator[object]:
    marks = {
        PLAIN: [],
        LIVE: [pytest.mark.jack],
        TRAINING: [pytest.mark.train],
    }
    for page in PAGES:
        found = list(commands(page))
        for need in marks:
            if some := [command for command in found if command.need == need]:
                name = f"{page.relative_to(ROOT)}-{need}"
                yield pytest.param(some, need, id=name, marks=marks[need])


class Reader:
    """Somebody in an empty folder, with the program and a home of their own."""

    def __init__(self, folder: Path, stack: ExitStack, server: JackServer | None, small: Path | None) -> None:
        self.folder = folder / "here"
        self.folder.mkdir()
        self._stack, self._server, self._small = stack, server, small
        self.left_out: list[str] = []
        home = folder / "home"
        scripts = Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([*map(str, scripts), os.environ["PATH"]]),
            "HOME": str(home),
            **{f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")},
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "QT_QPA_PLATFORM": "offscreen",
        }

    def does(self, command: Command) -> None:
        """Runs a command as far as it needs to be run."""
        words = command.words
        if words[:2] == ["sh", "scripts/compose"]:  # what that script ends in
            words = ["lakhnes", "generate", "-o", "song.mid", *words[2:]]
        words = shortened(words)
        if words[1] == "train":  # what a run begins with is trained, exported and measured for minutes
            words = [str(self._small) if word == DEFAULT_MODEL else word for word in words]
        assert words[0] == "lakhnes", f"no rule says what to do with {shlex.join(words)}"
        if not self.lay(words):
            return
        if words[1] == "play":
            said = self.begins(words, "LakhNES   seed", 130)
            assert all(f"wrote   {name}" in said for name in options(words, "--record"))
        elif words[1] == "train":
            said = self.begins(words, "step ", 0)
            assert "go on with --resume" in said
        elif words[1] == "app":
            self.opens(words)
        else:
            self.finishes(words, command.shown)

    def finishes(self, words: list[str], shown: str) -> None:
        """It ends well; what it is to write is there, what the page shows is what it says."""
        done = subprocess.run(
            words, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
        said = (done.stdout + done.stderr).splitlines()
        for name in options(words, "-o"):
            if "--count" not in words and "--stems" not in words:
                assert (self.folder / name).exists(), shlex.join(words)
        forms = [form(line) for line in said]
        for line in shown.splitlines():
            assert form(line) in forms, f"{shlex.join(words)} says nothing like {line!r}: {said}"

    def begins(self, words: list[str], sign: str, code: int) -> str:
        """It gets going, says a sign of it, and ends in order on Ctrl-C; what it said."""
        path = self.folder / "said.txt"
        with path.open("w") as out:
            process = self._started(words, out)
            wait_for(lambda: sign in path.read_text(), process, path)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == code, path.read_text()
        return path.read_text()

    def opens(self, words: list[str]) -> None:
        """The app makes its port, and closes in order."""
        look = [sys.executable, "-c", "import PySide6.QtWidgets"]
        if subprocess.run(look, capture_output=True).returncode:
            self.left_out.append("Qt cannot be loaded here")
            return
        assert self._server is not None
        path = self.folder / "said.txt"
        with path.open("w") as out:
            process = self._started(words, out)
            server = self._server
            wait_for(lambda: "LakhNES:LakhNES" in server.ports(), process, path)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == 0, path.read_text()
        assert "Traceback" not in path.read_text()

    def _started(self, words: list[str], out: object) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=out,  # type: ignore[call-overload]
            stderr=subprocess.STDOUT,
        )
        self._stack.callback(stop, process, signal.SIGKILL)
        return process

    def lay(self, words: list[str]) -> bool:
        """Lays what a reader brings to where it is looked for; whether that can be done."""
        given = [word for word, before in zip(words[2:], words[1:], strict=False) if before not in WRITES]
        for word in given:
            path = self.folder / word
            if words[1] == "accompany" and path.suffix == ".mid":
                lay_music(path)  # what was composed before may lack the voices that are kept
            if path.exists() or word.startswith("-"):
                continue
            if word in ("my-midi/", "their-songs/"):
                some_midi(path)
            elif word == "path/to/LakhNES":
                checkpoint = ROOT.parent / "shared/fixtures/lakhnes/tiny"
                if not checkpoint.is_dir():
                    self.left_out.append(f"a LakhNES checkpoint is not there ({checkpoint})")
                    return False
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(checkpoint, path)
            elif path.name.partition(".")[0] in BROUGHT and "." in word:
                lay_music(path)
        for name in options(words, "--port"):
            self._existing_port(name)
        return True

    def _existing_port(self, name: str) -> None:
        """A port that is there: a program that hears it."""
        assert self._server is not None
        if shutil.which("jack_midi_dump") is None:
            pytest.skip("jack_midi_dump is not installed")
        process = subprocess.Popen(["jack_midi_dump", "-a", name], stdout=subprocess.DEVNULL)
        self._stack.callback(stop, process, signal.SIGINT)
        self._server.wait_for(f"{name}:input")


WRITES = ("-o", "--output", "--record", "--keep")


def options(words: Sequence[str], name: str) -> list[str]:
    """The values of an option."""
    return [value for option, value in pairwise(words) if option == name]


def shortened(words: list[str]) -> list[str]:
    """The same with less to compose."""
    less = [
        str(min(int(word), MOST[before])) if before in MOST and word.isdecimal() else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    endless = words[1] == "generate" and not {"--seconds", "--bars", "--tokens"} & set(words)
    return less + LENGTH if endless else less


def form(line: str) -> str:
    """A line without its figures and its blanks."""
    return re.sub(r"\d+(\.\d+)?", "0", " ".join(line.split()))


def wait_for(what: Callable[[], bool], process: "subprocess.Popen[bytes]", said: Path) -> None:
    end = time.monotonic() + 3 * PATIENCE_SECONDS
    while not what():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < end, f"it does not get going: {said.read_text()}"
        time.sleep(0.05)


def lay_music(path: Path) -> None:
    """Music of our own in the format that a name asks for."""
    if path.suffix == ".mid":
        write_midi(tune(), path)
    elif path.suffix in (".vgm", ".vgz"):
        path.write_bytes(vgm_bytes(registers_of(tune()), compressed=path.suffix == ".vgz"))
    else:
        path.write_text(tx2_text(tune()) if ".tx2" in path.name else tx1_text(tune()))


def some_midi(folder: Path) -> None:
    """A folder of little songs, no two the same; so few that those to be kept for `valid` are named."""
    beat = 22_050
    for number in range(20):
        rng = np.random.default_rng(number)
        lead = tuple(Note(i * beat // 2, beat // 3, int(p)) for i, p in enumerate(rng.integers(60, 84, 40)))
        bass = tuple(Note(i * beat, beat // 2, int(p)) for i, p in enumerate(rng.integers(36, 48, 20)))
        split = folder / ("train" if number % 2 else "valid")
        split.mkdir(parents=True, exist_ok=True)
        score = Score((Part(lead), Part(), Part(bass), Part()), 20 * beat)
        write_midi(score, split / f"song{number:02d}.mid", MidiStyle.NES)


@pytest.mark.parametrize(("some", "need"), list(cases()))
def test_commands_do_what_the_page_says(
    some: list[Command], need: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if need == TRAINING:
        pytest.importorskip("torch")
        pytest.importorskip("onnx")
    if need == LIVE and Path("/dev/snd/seq").exists():
        pytest.skip("the ALSA sequencer is here and would answer before JACK")
    with ExitStack() as stack:
        server = stack.enter_context(jack_server()) if need == LIVE else None
        small = request.getfixturevalue("small") if need == TRAINING else None
        reader = Reader(tmp_path, stack, server, small)
        for command in some:
            reader.does(command)
    if reader.left_out:
        pytest.skip(f"all else was run, but {'; '.join(reader.left_out)}")


def test_every_fence_of_commands_is_known() -> None:
    told = [(page, fence) for page in PAGES for fence in FENCE.finditer(page.read_text())]
    assert sum(fence[3] == "sh" for _, fence in told) > 20
    for page, fence in told:
        assert fence[3] in ("sh", "text", "python"), f"{page}: a fence of {fence[3]} is not run by any test"
    unfit = [fence[2] for _, fence in told if fence[2]]
    assert len(unfit) <= 3, f"too much is not run: {unfit}"
