"""The workflows of GitHub Actions."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_actionlint_finds_nothing() -> None:
    actionlint = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or shutil.which(
        "actionlint"
    )
    if actionlint is None:
        pytest.skip("actionlint is not installed")
    done = subprocess.run([actionlint, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash_with_their_version_beside(path: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses:(.*)$", path.read_text(), re.MULTILINE)
    assert used
    for action in used:
        assert re.fullmatch(r" [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+", action), action


def test_an_action_is_the_same_in_all_workflows() -> None:
    found = {
        tuple(action.split("@", 1))
        for path in WORKFLOWS
        for action in re.findall(r"uses: (.*)$", path.read_text(), re.MULTILINE)
    }
    assert len({name for name, _ in found}) == len(found)
