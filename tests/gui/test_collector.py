import gc
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from desk import Desk
from pytestqt.qtbot import QtBot

from lakhnes.gui.collector import Collector
from lakhnes.gui.export_dialog import ExportDialog

pytestmark = pytest.mark.gui


class Held:
    """Something in a cycle."""

    def __init__(self) -> None:
        self.itself = self


def test_cycles_of_other_threads_are_collected_on_the_windows_thread(qtbot: QtBot) -> None:
    assert not gc.isenabled()
    ended: list[int] = []

    def work() -> None:
        for _ in range(5000):  # more than Python waits for before it collects
            weakref.finalize(Held(), lambda: ended.append(threading.get_ident()))

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert ended == []
    qtbot.waitUntil(lambda: len(ended) == 5000, timeout=10_000)
    assert set(ended) == {threading.get_ident()}


def test_a_window_that_was_closed_leaves_nothing(sit: Callable[..., AbstractContextManager[Desk]]) -> None:
    with sit() as at:
        at.choose("export")
        window, dialog = weakref.ref(at.window), weakref.ref(at.window.findChild(ExportDialog))
    del at
    gc.collect()
    assert (window(), dialog()) == (None, None)


def test_very_many_objects_are_not_looked_through(qtbot: QtBot) -> None:
    collector = Collector()
    try:
        many = [[number] for number in range(150_000)]
        gone = weakref.ref(Held())
        collector.collect()
        assert gc.get_freeze_count() > 100_000
        assert gone() is not None
        del many
        few = weakref.ref(Held())
        gc.collect()
        assert few() is None
    finally:
        collector.stop()
    gc.collect()
    assert gone() is None
