"""Plans, and what is said about bad ones."""

from pathlib import Path

import pytest
from studies import PLAN

from lakhnes.runtime.errors import StudyError
from lakhnes.study.plan import read_plan


def read(text: str, folder: Path) -> object:
    (folder / "plan.toml").write_text(text)
    return read_plan(folder / "plan.toml")


def test_a_plan_says_what_is_asked(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    plan = read_plan(tmp_path / "plan.toml")
    assert [(test.question, test.groups, test.count) for test in plan.tests] == [
        ("turing", (("people", "machine"),), 2),
        ("preference", (("people", "machine"),), 1),
        ("rating", (("people",), ("machine",)), 1),
    ]
    assert (plan.sources["people"].human, plan.sources["machine"].human) == (True, False)
    assert plan.sources["people"].files == tmp_path / "songs"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("clip_seconds = 2", "clip_seconds = 1e9", "clip_seconds = .* from 2 to 60"),
        ("clip_seconds = 2", "clip_seconds = nan", "out of range"),
        ("clip_seconds = 2", "clip_second = 2", "did you mean 'clip_seconds'"),
        ("seed = 5", "seed = true", "seed = True cannot be used"),
        ("seed = 5", "seed = 1.5", "whole number"),
        ("seed = 5", 'instrument = "tuba"', "tuba"),
        ("seed = 5", 'send_to = "ftp://x"', "is no address"),
        ("seed = 5", 'send_to = "http://[x"', "is no address"),
        ('model = "tiny"', "", "give one of model"),
        ('model = "tiny"', 'model = "tiny"\nhuman = true', "a model is not human"),
        ('files = "songs"', 'files = "songs"\nhuman = false', "compares nothing"),
        ('kind = "turing"', 'kind = "touring"', "'touring' is unknown"),
        ('kind = "turing"', 'kind = "turing"\npairs = [["people", "nobody"]]', "no source 'nobody'"),
        ('kind = "turing"', 'kind = "turing"\npairs = [["people"]]', "not a pair of sources"),
        ('kind = "preference"', 'kind = "preference"\npairs = [["people", "people"]]', "with itself"),
        ("count = 2", "count = 199", "trials; 200 are the most"),
        ("[[tests]]", "[tests]", "."),
        ("[sources.people]", "[sources.people", "cannot be read"),
    ],
)
def test_a_bad_plan_is_refused_with_its_place(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in PLAN
    with pytest.raises(StudyError, match=f"plan.toml.*{said}"):
        read(PLAN.replace(old, new, 1), tmp_path)


@pytest.mark.parametrize("text", ["", "sources = 3", "tests = [1]", "sources = {a = 1}"])
def test_an_empty_plan_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"plan\.toml"):
        read(text, tmp_path)


def test_a_missing_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="No such file"):
        read_plan(tmp_path / "none.toml")
