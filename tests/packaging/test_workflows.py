"""The workflows of GitHub Actions."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_actionlint_finds_nothing() -> None:
    actionlint = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or shutil.which(
        "actionlint"
    )
    if actionlint is None:
        pytest.skip("actionlint is not installed")
    workflows = [str(path) for path in (ROOT / ".github/workflows").glob("*.yml")]
    done = subprocess.run([actionlint, *workflows], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
