"""Whether the window may close: what would be lost is asked about, exports are waited for."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from lakhnes.gui.message_bar import MessageBar
from lakhnes.gui.questions import QUIT_LATER, QUIT_NOW, STAY, Ask, quitting_exports, quitting_unkept
from lakhnes.studio.filing import Filing
from lakhnes.studio.view import Message


class Quitting:
    """Asks before a window closes, or waits until it may."""

    def __init__(self, window: QWidget, filing: Filing, messages: MessageBar, ask: Ask) -> None:
        """Lets a window close.

        Args:
            window: that is to close.
            filing: what keeps songs, and exports them.
            messages: shows that the window waits.
            ask: asks the user.
        """
        self._window, self._filing, self._messages, self._ask = window, filing, messages, ask
        self._waiting: Message | None = None  # says that the window closes when all is exported
        self._alone = False  # whether no user is present to answer

    def unasked(self) -> None:
        """Asks nothing from now on; told twice, it stops what is being exported."""
        if self._alone:
            self._filing.stop_exports()
        self._alone = True

    def may_end(self) -> bool:
        """Keeps what can be kept, and asks about what would be lost; whether the window may close now."""
        lost = self._filing.keep()
        if lost and not self._alone and self._ask(quitting_unkept(lost)) == STAY:
            return False
        labels = [job.label for job in self._filing.exporting]
        if not labels:
            return True
        answer = QUIT_LATER if self._alone else self._ask(quitting_exports(labels))
        if answer == QUIT_NOW:
            self._filing.stop_exports()
        elif answer == QUIT_LATER:
            self._close_when_exported()
        return answer == QUIT_NOW

    def _close_when_exported(self) -> None:
        self._stay()
        self._waiting = Message(
            "LakhNES quits when the export is finished.", actions=(("Do not quit", self._stay),)
        )
        self._messages.post(self._waiting)

        def close() -> None:
            QTimer.singleShot(0, self._window, self._window.close)  # for the studio is being looked at

        self._filing.when_exported(close, close if self._alone else self._stay)

    def _stay(self) -> None:
        """Do not close the window after the exports."""
        self._filing.wait_no_more()
        self._messages.withdraw(self._waiting)


__all__ = ["Quitting"]
