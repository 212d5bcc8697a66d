"""What lakhnes depends on: the lock fits the ranges, and every place names the same versions of Python."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from lakhnes.cli import doctor
from lakhnes.runtime.errors import MissingExtraError

requirements = pytest.importorskip("packaging.requirements")
specifiers = pytest.importorskip("packaging.specifiers")
utils = pytest.importorskip("packaging.utils")

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PYTHONS = [
    found[1]
    for line in PROJECT["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
]


def test_the_lock_has_a_version_in_the_range_of_every_dependency() -> None:
    locked: defaultdict[str, list[str]] = defaultdict(list)
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, version = line.partition(" ;")[0].split("==")
            locked[utils.canonicalize_name(name)].append(version)
    extras = PROJECT["optional-dependencies"]
    for text in [
        *PROJECT["dependencies"],
        *extras["dev"],
        *(need for extra in extras.values() for need in extra),
    ]:
        wanted = requirements.Requirement(text)
        if wanted.name != "lakhnes":
            versions = locked[utils.canonicalize_name(wanted.name)]
            assert versions, f"{wanted.name} is not locked: sh scripts/lock --no-upgrade"
            assert all(wanted.specifier.contains(version) for version in versions), text


@pytest.mark.parametrize("python", PYTHONS)
def test_a_missing_extra_is_to_be_installed_where_it_can_be(
    monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr("sys.version_info", tuple(map(int, python.split("."))))
    for extra, needs in PROJECT["optional-dependencies"].items():
        markers = [requirements.Requirement(need).marker for need in needs]
        can_be = all(marker is None or marker.evaluate({"python_version": python}) for marker in markers)
        assert (f'run  pip install "lakhnes[{extra}]"' in str(MissingExtraError(extra, "It"))) == can_be


def test_every_place_names_the_same_pythons() -> None:
    allowed = specifiers.SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed] == PYTHONS
    assert [f"{major}.{minor}" for major, minor in doctor.PYTHONS] == PYTHONS
    words = f"{', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}"
    assert f"lakhnes needs Python {words}" in (ROOT / "scripts/python-env").read_text("utf-8")
    assert f"`lakhnes needs Python {words}`" in (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    span = f"Python {PYTHONS[0]} to {PYTHONS[-1]}"
    for page in ("README.md", "docs/index.md", "docs/comparison.md"):
        assert span in (ROOT / page).read_text("utf-8")
