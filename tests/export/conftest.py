"""Leaves out tests of the training side where PyTorch is not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py", "measure/test_*.py"]


def pytest_report_header() -> str | None:
    """Say why the tests are missing."""
    return "PyTorch is not installed: tests/export is left out" if collect_ignore_glob else None
