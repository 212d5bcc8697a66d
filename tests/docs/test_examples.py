"""The examples of the documentation, and the Python in its pages."""

import ast
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import mido
import numpy as np
import onnxruntime as ort
import pytest
import soundfile
from support import module_of

from lakhnes.bridge import import_midi
from lakhnes.runtime import SAMPLE_RATE, Kind, Model, Score, Timing, Voice, find_model, tx1
from lakhnes.runtime.music.events import parse_event
from lakhnes.runtime.time.grid import PPQ

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(
        re.findall(r"^```python[^\n]*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    )
    if "--8<--" not in code  # an example of its own
]


def run(*words: object, folder: Path) -> list[str]:
    """Runs a program in Python, with one thread; the lines that it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def pitches(score: Score, voice: Voice) -> list[int]:
    return [note.pitch for note in score.parts[voice].notes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, list[str]]]:
    """Runs an example once; the folder that it was given, and what it prints."""

    @cache
    def make(number: str) -> tuple[Path, list[str]]:
        (program,) = EXAMPLES.glob(f"{number}_*.py")
        elsewhere, folder = (tmp_path_factory.mktemp(f"{number}-{name}") for name in ("here", "out"))
        said = run(program, folder, folder=elsewhere)
        assert not list(elsewhere.iterdir())
        return folder, said

    return make


def test_examples_are_numbered_and_say_how_to_run_them() -> None:
    programs = sorted(EXAMPLES.glob("*.py"))
    assert [path.name[:3] for path in programs] == [f"{number:02d}_" for number in range(1, 11)]
    for path in programs:
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert f"python {path.name} [FOLDER]" in docstring, path


def test_generate(tmp_path: Path) -> None:
    said = run(EXAMPLES / "01_generate.py", folder=tmp_path)
    assert said[-1] == "<S>"
    assert sum("NOTEON" in line for line in said) > 20
    tempi = [m.tempo for m in mido.MidiFile(tmp_path / "song.mid").tracks[0] if m.type == "set_tempo"]
    assert [round(mido.tempo2bpm(tempo)) for tempo in tempi] == [140]
    scale = {9, 11, 0, 2, 4, 5, 7}
    score = import_midi(tmp_path / "song.mid").score
    assert {note.pitch % 12 for part in score.parts[:3] for note in part.notes} <= scale
    sound, rate = soundfile.read(tmp_path / "song.wav")
    assert rate == 48_000
    assert len(sound) / rate == pytest.approx(4 * 4 * 60 / 140, abs=0.1)
    assert np.abs(sound).max() > 0.05


def test_continue(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    score = import_midi(made("02")[0] / "continued.mid").score
    assert pitches(score, Voice.P1)[:8] == [69, 72, 76, 74, 72, 71, 69, 64]
    assert pitches(score, Voice.TR)[:16] == [45] * 8 + [40] * 8
    new = [note for part in score.parts for note in part.notes if note.onset >= 4 * SAMPLE_RATE]
    assert len(new) > 5


def test_accompany(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    score = import_midi(made("03")[0] / "accompanied.mid").score
    assert pitches(score, Voice.TR) == [root + 12 * (i % 2) for root in (45, 41, 48, 43) for i in range(8)]
    assert all(score.parts[voice].notes for voice in (Voice.P1, Voice.P2, Voice.NO))


def test_take_apart(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    folder, said = made("04")
    assert said[0] == "6.4 s at 150 BPM"
    score = import_midi(folder / "before.mid").score
    for voice in Voice:
        assert sum(line.startswith(f"{voice.name}  bar ") for line in said) == min(
            3, len(pitches(score, voice))
        )
    sounds = [soundfile.read(folder / f"stem-{voice.name}.wav")[0] for voice in Voice]
    assert len({sound.tobytes() for sound in sounds}) == 4


def test_own_constraint(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    score = import_midi(made("05")[0] / "no-repeats.mid").score
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        found = pitches(score, voice)
        assert len(found) > 5
        assert all(one != other for one, other in pairwise(found))


def test_own_outlet(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    folder, said = made("06")
    assert (folder / "played.txt").read_text().splitlines() == said
    assert len(said) > 5
    times = [float(line.split()[0]) for line in said]
    assert times == sorted(times)


def test_live_clock(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    found = import_midi(made("07")[0] / "followed.mid")
    assert found.score.n_notes > 5
    assert found.grid is not None
    assert found.grid.bpm >= 100
    assert found.grid.sample(5 * PPQ) - found.grid.sample(4 * PPQ) < found.grid.sample(PPQ)


def test_own_instrument(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    plain, shaped = (soundfile.read(made("08")[0] / f"{name}.wav")[0] for name in ("plain", "shaped"))
    assert len(plain) > 2 * SAMPLE_RATE
    assert np.abs(shaped).max() > 0.05
    assert np.square(shaped).mean() < np.square(plain).mean()  # its notes fade


@pytest.mark.train
def test_train(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    folder, said = made("09")
    assert float(said[-1].split()[2]) < math.log(len(tx1()))  # it has learnt something
    assert Model.load(folder / "model").info.timing is Timing.FRAMES
    assert import_midi(folder / "trained.mid").score.n_notes


def test_plain_onnxruntime(made: Callable[[str], tuple[Path, list[str]]]) -> None:
    folder, said = made("10")
    assert (folder / "events.txt").read_text().splitlines()[: len(said)] == said
    events = list(map(parse_event, said))
    assert len(events) > 10
    assert {Kind.WAIT, Kind.NOTE_ON} <= {event.kind for event in events}


@pytest.fixture(scope="module")
def client() -> ModuleType:
    return module_of(EXAMPLES / "10_plain_onnxruntime.py")


def test_the_client_loads_nothing_of_ours() -> None:
    text = (EXAMPLES / "10_plain_onnxruntime.py").read_text()
    imports = re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)
    assert set(imports) == {"importlib", "json", "os", "pathlib", "sys", "numpy", "onnxruntime"}


def test_the_client_has_the_vocabulary(client: ModuleType) -> None:
    assert list(map(str, tx1().events)) == client.TX1


def test_the_client_reads_as_the_runtime_does(client: ModuleType) -> None:
    file, model = find_model("nes-frames"), Model.load("nes-frames")
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    info = json.loads(session.get_modelmeta().custom_metadata_map["lakhnes"])
    tokens = [0, *np.random.default_rng(3).integers(1, len(tx1()), info["mem_len"] + 40).tolist()]
    model.reset()
    for place, logits in enumerate(client.logits_of(session, info, tokens)):
        ours = model.step(tokens[place])
        if place % 60 == 0 or place >= info["mem_len"]:
            np.testing.assert_allclose(logits, ours, atol=0.3)
            assert np.corrcoef(logits, ours)[0, 1] > 0.999


@pytest.mark.parametrize("code", PYTHON)
def test_python_in_pages_names_what_there_is(code: str) -> None:
    tree = compile(code, "page", "exec")
    assert tree.co_code
    imports = re.findall(r"^(?:import|from) .*$", code, re.MULTILINE)
    if any("lakhnes.export" in line for line in imports):
        pytest.importorskip("torch")
    exec("\n".join(imports), {})


def test_python_in_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "readme.py").write_text(next(p.values[0] for p in PYTHON if p.id == "README.md-0"))
    assert run("readme.py", folder=tmp_path)[-1] == "<S>"
    assert import_midi(tmp_path / "song.mid").score.n_notes
