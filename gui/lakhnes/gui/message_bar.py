"""Messages in a bar, in place of boxes: what is wrong and the next step, or what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent, QKeyEvent, QPalette
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from lakhnes.gui.buttons import Button, pixmap
from lakhnes.gui.fields import reading
from lakhnes.gui.theme import LIGHT, Theme
from lakhnes.runtime.printable import printable
from lakhnes.studio.view import Message

INFO_SECONDS = 6.0
"""How long a message stays that tells of nothing wrong and asks for nothing."""

Later = Callable[[float, Callable[[], None]], None]
"""Does something after so many seconds."""


@dataclass(eq=False, slots=True)
class _Entry:
    message: Message
    standing: bool = False
    """Whether it is a problem that is there until it is gone."""


class MessageBar(QFrame):
    """The newest message, and how many more there are; hidden where there is none.

    Escape closes what is shown, where the bar has the keyboard.
    """

    def __init__(self, *, later: Later | None = None, parent: QWidget | None = None) -> None:
        """Shows nothing yet.

        Args:
            later: does something after some seconds; a timer of Qt's if not given.
            parent: where it is.
        """
        super().__init__(parent)
        self._later = later or self._after
        self._theme = LIGHT
        self._entries: list[_Entry] = []  # the newest first
        self._problems: tuple[str, ...] = ()
        self._shown: _Entry | None = None
        self.setObjectName("messages")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self.shape = QLabel()
        self.kind = reading("message-kind")
        font = self.kind.font()
        font.setBold(True)
        self.kind.setFont(font)
        self.text = reading("message")
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.more = reading("more-messages")
        self.close_button = Button("Close the message", "Close the message (Escape)", shape="close")
        self.actions_shown: list[Button] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 4, 4)
        row.addWidget(self.shape)
        row.addWidget(self.kind)
        row.addWidget(self.text, 1)
        self._places = QHBoxLayout()
        row.addLayout(self._places)
        row.addWidget(self.more)
        row.addWidget(self.close_button)
        self.close_button.clicked.connect(self.close_shown)
        self._show()

    def post(self, message: Message) -> None:
        """Shows a message on top; the same once more only comes to the top."""
        self._entries = [
            entry
            for entry in self._entries
            if entry.standing or (entry.message.text, entry.message.error) != (message.text, message.error)
        ]
        self._add(_Entry(message))
        self._show()

    def show_problems(self, problems: tuple[str, ...]) -> None:
        """Shows what is wrong now; what is closed comes back only if it was gone in between."""
        if problems == self._problems:
            return
        old, self._problems = self._problems, problems
        self._entries = [
            entry for entry in self._entries if not entry.standing or entry.message.text in problems
        ]
        for problem in problems:
            if problem not in old:
                self._add(_Entry(Message(problem, error=True), standing=True))
        self._show()

    def withdraw(self, message: Message | None) -> None:
        """Closes a message that is not so any more, if it is there."""
        for entry in [entry for entry in self._entries if entry.message is message]:
            self._remove(entry)

    def clear(self) -> None:
        """Closes everything."""
        self._entries.clear()
        self._show()

    def close_shown(self) -> None:
        """Closes what is shown."""
        if self._entries:
            self._remove(self._entries[0])

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self._colour()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Closes what is shown on Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_shown()
        else:
            super().keyPressEvent(event)

    def _add(self, entry: _Entry) -> None:
        self._entries.insert(0, entry)
        if not entry.message.error and not entry.message.actions:
            self._later(INFO_SECONDS, lambda: self._expire(entry))

    def _expire(self, entry: _Entry) -> None:
        """Closes an entry; later, if the keyboard would be taken from what is shown."""
        if entry is self._shown and self._has_keyboard():
            self._later(INFO_SECONDS, lambda: self._expire(entry))
        else:
            self._remove(entry)

    def _remove(self, entry: _Entry) -> None:
        if entry in self._entries:
            self._entries.remove(entry)
            self._show()

    def _has_keyboard(self) -> bool:
        widget = QApplication.focusWidget()
        return widget is not None and self.isAncestorOf(widget)

    def _show(self) -> None:
        entry = self._entries[0] if self._entries else None
        others = len(self._entries) - 1
        self.more.setText(f"+{others} more")
        self.more.setVisible(others > 0)
        self.more.setToolTip("\n\n".join(printable(other.message.text) for other in self._entries[1:]))
        if entry is not self._shown:
            self._shown = entry
            if entry is not None:
                self._fill(entry.message)
        self.setVisible(entry is not None)

    def _fill(self, message: Message) -> None:
        self.kind.setText("Problem" if message.error else "Note")
        text = printable(message.text)
        self.text.setText(text)
        self.setAccessibleName(f"{self.kind.text()}: {text}")
        self._colour()
        for button in self.actions_shown:
            self._places.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.actions_shown = [Button(name, name, text=name) for name, _ in message.actions]
        for button, (_, what) in zip(self.actions_shown, message.actions, strict=True):
            button.clicked.connect(lambda _=False, do=what: self._act(do))
            self._places.addWidget(button)
        for button, following in pairwise((*self.actions_shown, self.close_button)):
            QWidget.setTabOrder(button, following)
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _act(self, what: Callable[[], None]) -> None:
        """What was chosen is done; the message has served its purpose."""
        entry = self._shown
        if entry is not None:
            self._remove(entry)
        what()

    def _colour(self) -> None:
        if self._shown is None:
            return
        error = self._shown.message.error
        colour = self._theme.error if error else self._theme.accent
        palette = self.kind.palette()
        palette.setColor(self.kind.foregroundRole(), colour)
        self.kind.setPalette(palette)
        shape = "error" if error else "info"
        self.shape.setPixmap(pixmap(shape, colour, ratio=self.devicePixelRatioF()))

    def _after(self, seconds: float, what: Callable[[], None]) -> None:
        QTimer.singleShot(round(seconds * 1000), self, what)
