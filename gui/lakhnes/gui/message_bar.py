"""Messages in a bar instead of dialogs: a problem with its next step, or a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent, QKeyEvent, QPalette
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from lakhnes.gui.buttons import Button, pixmap
from lakhnes.gui.fields import reading
from lakhnes.gui.theme import GAP, LIGHT, TARGET, Theme
from lakhnes.runtime.printable import printable
from lakhnes.studio.view import Message

INFO_SECONDS = 6.0
"""Time that a message stays if it reports no problem and offers no action."""

_TIMES = 5
"""Least height of the widget below, as a multiple of the height of the bar."""

Later = Callable[[float, Callable[[], None]], None]
"""Calls a function after a number of seconds."""


@dataclass(eq=False, slots=True)
class _Entry:
    message: Message
    standing: bool = False
    """Whether it is a problem that stays until it is solved."""


class MessageBar(QFrame):
    """The newest message and the number of others; hidden if there is none.

    Escape closes the shown message if the bar has the focus.
    """

    def __init__(self, *, later: Later | None = None, parent: QWidget | None = None) -> None:
        """Start hidden.

        Args:
            later: calls a function after some seconds; default: a Qt timer.
            parent: where it is.
        """
        super().__init__(parent)
        self._later = later or self._after
        self._theme = LIGHT
        self._entries: list[_Entry] = []  # the newest first
        self._problems: tuple[str, ...] = ()
        self._shown: _Entry | None = None
        self._under: QWidget | None = None
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

    def lie_over(self, widget: QWidget) -> None:
        """Lie over the foot of a widget, so that nothing moves when the bar appears and disappears.

        Over a low widget the bar would hide most of it, so it then lies over the foot of the parent.
        """
        self._under = widget
        self.setParent(widget.parentWidget())
        self.setVisible(self._shown is not None)
        widget.installEventFilter(self)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Follow the widget below."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self._place()
        return False

    def _place(self) -> None:
        if self._under is None:
            return
        layout = self.layout()
        assert layout is not None
        margins = layout.contentsMargins()
        around = margins.top() + margins.bottom() + 2 * self.frameWidth()
        high = 0
        for _ in range(3):  # the height follows from the width, and the place from the height
            low = self._under.height() < _TIMES * high
            parent = self.parentWidget()
            below = parent.rect() if low and parent is not None else self._under.geometry()
            above = 0 if low else 2 * GAP  # the scroll bar of the roll stays free
            area = below.adjusted(GAP, GAP, -GAP, -GAP)
            wide = max(area.width(), self.minimumSizeHint().width())
            text = self.text.heightForWidth(max(1, self.text.width()))
            high = max(text, TARGET) + around
            self.setGeometry(area.left(), area.bottom() - high - above, wide, high)
            layout.activate()
        self.raise_()

    def post(self, message: Message) -> None:
        """Show a message on top; an equal one moves to the top."""
        self._entries = [
            entry
            for entry in self._entries
            if entry.standing or (entry.message.text, entry.message.error) != (message.text, message.error)
        ]
        self._add(_Entry(message))
        self._show()

    def show_problems(self, problems: tuple[str, ...]) -> None:
        """Show the current problems; a closed one reappears only if it was solved in between."""
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
        """Close a message that no longer applies, if it is shown."""
        for entry in [entry for entry in self._entries if entry.message is message]:
            self._remove(entry)

    def clear(self) -> None:
        """Close all messages."""
        self._entries.clear()
        self._show()

    def close_shown(self) -> None:
        """Close the shown message."""
        if self._entries:
            self._remove(self._entries[0])

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        self._colour()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Close the shown message on Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_shown()
        else:
            super().keyPressEvent(event)

    def _add(self, entry: _Entry) -> None:
        self._entries.insert(0, entry)
        if not entry.message.error and not entry.message.actions:
            self._later(INFO_SECONDS, lambda: self._expire(entry))

    def _expire(self, entry: _Entry) -> None:
        """Close an entry, or wait if it has the focus."""
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
        self._place()

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
        """Do what was chosen and close the message."""
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
