"""The wheel and the sdist: what is in them, and that an environment with nothing else makes music."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.frozen,
    pytest.mark.skipif(find_spec("build") is None, reason="needs the extra `build`"),
]

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
PORTIONS = {"apu", "bridge", "cli", "export", "gui", "runtime", "studio", "study"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and with a wheel that is made of it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(out), "."]
    locked = {**os.environ, "PIP_CONSTRAINT": LOCK.name}
    done = subprocess.run(command, cwd=ROOT, env=locked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    return done.stdout.strip()


def test_what_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        facts = Parser().parsestr(archive.read(metadata).decode())
    code = [name for name in names if ".dist-info/" not in name]
    assert {name.split("/")[1] for name in code} == PORTIONS
    assert all(name.startswith("lakhnes/") for name in code)
    assert not any(f"lakhnes/{'__init__.py'}" == name for name in code), "it would hide the other portions"
    assert any(name.startswith("lakhnes/apu/_chip.") for name in code)
    assert sys.platform == "win32" or "lakhnes/bridge/_jack_port.so" in code
    assert "lakhnes/runtime/models/nes-bars/model.onnx" in code
    assert not [name for name in code if "test" in name or name.endswith((".c", ".h", ".pyc"))]
    assert (facts["Name"], facts["Version"], facts["License-Expression"]) == (
        "lakhnes",
        version("lakhnes"),
        "MIT",
    )
    assert "py3-none-" in wheel.name


def test_what_is_in_the_sdist(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"apu/src/chip.c", "bridge/src/jack_port.c", "hatch_build.py", "README.md", "LICENSE"} <= names
    assert "tests/conftest.py" in names
    assert not [name for name in names if name.startswith(("shared", "dist", "build/", ".venv", "site/"))]
    assert not [name for name in names if name.endswith((".so", ".dll"))]


def test_an_environment_with_nothing_else_makes_music(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    programs = home / ("Scripts" if sys.platform == "win32" else "bin")

    def run(program: str, *arguments: str) -> str:
        command = [str(programs / program), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run("pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(LOCK), str(wheel))
    run("lakhnes", "generate", "-o", "song.mid", "-o", "song.wav", "--seconds", "5", "--seed", "5")
    assert (tmp_path / "song.mid").stat().st_size > 200
    assert (tmp_path / "song.wav").stat().st_size > 5 * 2 * 44_100
    assert (
        run("lakhnes", "--version") == f"lakhnes {version('lakhnes')} (commit {commit()}), model nes-bars\n"
    )
    kept = run("pip", "list", "--format", "freeze", "--disable-pip-version-check")
    assert not {"torch", "PySide6", "numba", "pyo"} & {line.split("==")[0] for line in kept.splitlines()}
