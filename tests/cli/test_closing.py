"""Closing a Windows console, with the system pretended."""

import threading
from collections.abc import Callable

from lakhnes.cli.closing import console_closing


class Kernel:
    """Holds the handlers of a console."""

    def __init__(self) -> None:
        self.handlers: list[Callable[[int], int]] = []

    def SetConsoleCtrlHandler(self, handler: Callable[[int], int], add: int) -> None:  # noqa: N802
        if add:
            self.handlers.append(handler)
        else:
            self.handlers.remove(handler)


def test_closing_the_console_waits_until_the_notes_are_ended() -> None:
    kernel, asked, returned = Kernel(), threading.Event(), threading.Event()

    def close() -> None:
        assert kernel.handlers[0](2) == 1
        returned.set()

    with console_closing(asked.set, kernel, lambda function: function):
        (handler,) = kernel.handlers
        assert handler(0) == 0, "Ctrl-C is a signal"
        assert not asked.is_set()
        closing = threading.Thread(target=close)
        closing.start()
        assert asked.wait(10)
        assert not returned.is_set(), "the program is ended when it returns"
    closing.join(10)
    assert returned.is_set()
    assert not kernel.handlers


def test_elsewhere_nothing_happens() -> None:
    with console_closing(lambda: None):
        pass
