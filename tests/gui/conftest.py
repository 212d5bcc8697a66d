"""Qt without a screen, and a desk to sit at."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from desk import Desk, desk

from lakhnes.runtime import Model


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the app keeps everything."""
    for name in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def sit(qtbot: QtBot, places: Path, builtin_model: Model) -> Callable[..., AbstractContextManager[Desk]]:
    """Opens a desk; its settings stay from one to the next."""
    return partial(desk, qtbot, places, builtin_model)


@pytest.fixture
def at(sit: Callable[..., AbstractContextManager[Desk]]) -> Iterator[Desk]:
    """An open desk."""
    with sit() as made:
        yield made
