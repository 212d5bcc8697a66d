"""The examples of the documentation, and the Python in its pages."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import mido
import numpy as np
import onnxruntime as ort
import pytest
import soundfile
from support import module_of

from lakhnes.bridge import import_midi
from lakhnes.runtime import Kind, Model, find_model, tx1
from lakhnes.runtime.music.events import parse_event

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs/examples"
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
    """Runs a program in Python; the lines that it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def client() -> ModuleType:
    return module_of(EXAMPLES / "onnx_client.py")


def test_the_client_composes_events(tmp_path: Path) -> None:
    said = run(EXAMPLES / "onnx_client.py", find_model("nes-frames"), 80, 5, folder=tmp_path)
    events = list(map(parse_event, said))
    assert len(events) > 10
    assert {Kind.WAIT, Kind.NOTE_ON} <= {event.kind for event in events}
    assert run(EXAMPLES / "onnx_client.py", find_model("nes-frames"), 80, 5, folder=tmp_path) == said


def test_the_client_needs_nothing_of_ours() -> None:
    imports = re.findall(r"^(?:import|from) (\w+)", (EXAMPLES / "onnx_client.py").read_text(), re.MULTILINE)
    assert set(imports) == {"json", "os", "sys", "numpy", "onnxruntime"}


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


def test_the_library_example_makes_files(tmp_path: Path) -> None:
    said = run(EXAMPLES / "library.py", folder=tmp_path)
    assert said[-1] == "<S>"
    assert sum("NOTEON" in line for line in said) > 20
    tempi = [m.tempo for m in mido.MidiFile(tmp_path / "song.mid").tracks[0] if m.type == "set_tempo"]
    assert [round(mido.tempo2bpm(tempo)) for tempo in tempi] == [140]
    scale = {9, 11, 0, 2, 4, 5, 7}
    score = import_midi(tmp_path / "song.mid").score
    assert {note.pitch % 12 for part in score.parts[:3] for note in part.notes} <= scale
    sound, rate = soundfile.read(tmp_path / "song.wav")
    assert rate == 48_000
    assert len(sound) / rate == pytest.approx(8 * 4 * 60 / 140, abs=0.1)
    assert np.abs(sound).max() > 0.05


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
