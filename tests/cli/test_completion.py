"""Completion, as a shell asks for it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SCRIPTS = Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))


def shell(script: str, home: Path) -> str:
    """Runs a script in bash, with a home of its own; what it prints."""
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": os.pathsep.join([*map(str, SCRIPTS), os.environ["PATH"]]),
    }
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home into which completion is installed."""
    if sys.platform == "win32" or shutil.which("bash") is None:
        pytest.skip("bash is not here")
    folder = tmp_path_factory.mktemp("home")
    shell("lakhnes --install-completion; exit $?", folder)
    assert "lakhnes" in (folder / ".bashrc").read_text()
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("lakhnes gen", {"generate"}),
        ("lakhnes c", {"continue", "convert", "calibrate"}),
        ("lakhnes generate --sca", {"--scale"}),
        ("lakhnes study m", {"make"}),
        ("lakhnes accompany --mode r", {"rhythm"}),
    ],
)
def test_bash_completes_commands_options_and_values(home: Path, words: str, expected: set[str]) -> None:
    script = (
        f"source ~/.bashrc; COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}; "
        '_lakhnes_completion lakhnes; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert set(shell(script, home).split()) == expected
