"""Broken files for the readers of the training side."""

import sys

import pytest

pytest.importorskip("torch")

from fuzz.harness import LONG_INPUTS, SHORT_INPUTS, Target, run
from fuzz.training_targets import TARGETS

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(sys.platform == "win32", reason="the limits of the child process are POSIX's"),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_broken_files(target: Target):
    report = run(target, SHORT_INPUTS)
    print(report)  # noqa: T201, the counts
    assert not report.faults, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_many_broken_files(target: Target):
    report = run(target, LONG_INPUTS, first=SHORT_INPUTS)
    print(report)  # noqa: T201, the counts
    assert not report.faults, str(report)
