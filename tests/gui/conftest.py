"""Qt without a screen, and a desk to sit at."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from desk import Desk, desk
from PySide6.QtWidgets import QApplication

from lakhnes.gui.collector import Collector
from lakhnes.runtime import Model


@pytest.fixture(autouse=True)
def collector(qapp: QApplication) -> Iterator[None]:
    """Garbage is collected on the window's thread, as in the app; what a test leaves goes with it."""
    running = Collector()
    yield
    gc.unfreeze()
    gc.collect()  # first: once Python collects by itself, it does so on any thread
    running.stop()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the app keeps everything."""
    for name in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def sit(qtbot: QtBot, places: Path, small_model: Model) -> Callable[..., AbstractContextManager[Desk]]:
    """Opens a desk; its settings stay from one to the next."""
    return partial(desk, qtbot, places, small_model)


@pytest.fixture
def at(sit: Callable[..., AbstractContextManager[Desk]]) -> Iterator[Desk]:
    """An open desk."""
    with sit() as made:
        yield made
