"""Broken files for the readers of music, chords, sessions, preferences and models."""

import sys

import pytest
from fuzz import console_targets, runtime_targets
from fuzz.harness import LONG_INPUTS, SHORT_INPUTS, Target, run, targets

TARGETS = (*runtime_targets.TARGETS, *console_targets.TARGETS)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the limits of the child process are POSIX's")


def check(target: Target, inputs: int, first: int) -> None:
    report = run(target, inputs, first=first)
    print(report)  # noqa: T201, the counts
    assert not report.faults, str(report)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_broken_files(target: Target) -> None:
    check(target, target.short_inputs, 0)


@pytest.mark.train
@pytest.mark.parametrize("name", ["network", "weights"])
def test_broken_models(name: str) -> None:
    pytest.importorskip("torch")
    check(targets("model")[name], SHORT_INPUTS, 0)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_many_broken_files(target: Target) -> None:
    check(target, LONG_INPUTS, SHORT_INPUTS)


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.parametrize("name", ["network", "weights"])
def test_many_broken_models(name: str) -> None:
    pytest.importorskip("torch")
    check(targets("model")[name], LONG_INPUTS, SHORT_INPUTS)
