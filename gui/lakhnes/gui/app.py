"""The desktop app from its start to its end."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from lakhnes.gui.screen import check_screen
from lakhnes.runtime.errors import ScreenError


def run(files: Sequence[Path] = ()) -> int:
    """Show the window until it is closed.

    Args:
        files: a session or music to open; only the first is opened.

    Returns:
        The exit code.

    Raises:
        ScreenError: if there is no screen, or a library that Qt needs is missing.
    """
    check_screen()
    try:
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        raise ScreenError(
            f"Qt cannot be loaded ({error}). Debian, Ubuntu: apt install libegl1 libgl1 libxkbcommon0 "
            "libfontconfig1 libdbus-1-3"
        ) from error

    from lakhnes.bridge import keep_time
    from lakhnes.gui.app_icon import app_icon
    from lakhnes.gui.collector import Collector
    from lakhnes.gui.main_window import MainWindow
    from lakhnes.gui.theme import dress, is_dark
    from lakhnes.studio.preferences import PreferenceStore
    from lakhnes.studio.studio import Studio
    from lakhnes.studio.view import Message

    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("LakhNES")
    application.setDesktopFileName("lakhnes")
    application.setWindowIcon(app_icon())
    store = PreferenceStore()
    window = MainWindow(Studio(), store, theme=dress(application, is_dark(store.value.theme)))

    def unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logging.getLogger(__name__).error("unforeseen", exc_info=(kind, error, trace))
        text = (
            f"Something went wrong ({kind.__name__}: {error}). Save the song under another name to be safe."
        )
        window.messages.post(Message(text, error=True))

    sys.excepthook = unforeseen
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.end())  # Python looks at signals whenever a timer runs
    window.show()
    QTimer.singleShot(0, window.begin)
    if files:
        QTimer.singleShot(0, lambda: window.files.open(files[0]))
    keep_time()
    collector = Collector(application)
    code = application.exec()
    collector.stop()
    sys.stdout.flush()
    if not window.ended:
        sys.stderr.flush()
        os._exit(code)  # Python would wait for what does not answer, and all that counts is on the disk
    return code
