import gc
import threading
import weakref

import pytest
from pytestqt.qtbot import QtBot

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
