"""Songs that are in no file: a list from which they are put back or thrown away."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from lakhnes.gui.naming import named
from lakhnes.gui.questions import THROW_AWAY, Ask, throwing_away
from lakhnes.gui.targets import give_room
from lakhnes.studio.keeping import MOST_LEFT, Keeping, LeftSong

_COLUMNS = ("Song", "Changed", "Length")
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def when_text(left: LeftSong) -> str:
    """Return when a song was changed, in local time."""
    return f"{datetime.fromtimestamp(left.when):%Y-%m-%d %H:%M}"


def length_text(left: LeftSong) -> str:
    """Return the length of a song in minutes and seconds."""
    minutes, seconds = divmod(round(left.seconds), 60)
    return f"{minutes}:{seconds:02d}"


class UnsavedDialog(QDialog):
    """Lists songs, the latest first.

    Attributes:
        songs: the list.
        restore: puts the song in focus back.
        discard: throws those that are selected away.
    """

    def __init__(
        self, keeping: Keeping, left: list[LeftSong], ask: Ask, parent: QWidget | None = None
    ) -> None:
        """Shows what was found.

        Args:
            keeping: where songs are put back or thrown away.
            left: the songs.
            ask: asks before something is thrown away.
            parent: where it is.
        """
        super().__init__(parent)
        self.setWindowTitle("Unsaved songs")
        self.resize(620, 380)
        self._keeping, self._ask = keeping, ask
        self.text = QLabel(_what_they_are(left))
        self.text.setWordWrap(True)
        self.songs = named(QTreeWidget(), "unsaved-songs")
        self.songs.setHeaderLabels(_COLUMNS)
        self.songs.headerItem().setTextAlignment(2, _RIGHT)
        self.songs.setRootIsDecorated(False)
        self.songs.setAllColumnsShowFocus(True)
        self.songs.setUniformRowHeights(True)
        self.songs.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.songs.setAccessibleName("Unsaved songs")
        self.text.setBuddy(self.songs)
        header = self.songs.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.restore = self.buttons.addButton("&Restore", QDialogButtonBox.ButtonRole.AcceptRole)
        self.discard = self.buttons.addButton("&Throw away", QDialogButtonBox.ButtonRole.ActionRole)
        self.restore.clicked.connect(self._restore)
        self.discard.clicked.connect(self._discard)
        self.buttons.rejected.connect(self.reject)
        self.songs.itemActivated.connect(self._restore)
        self.songs.itemSelectionChanged.connect(self._fit)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.songs)
        delete.activated.connect(self._discard)
        rows = QVBoxLayout(self)
        for widget in (self.text, self.songs, self.buttons):
            rows.addWidget(widget)
        give_room(self)
        for song in left:
            self._add(song)
        first = self.songs.topLevelItem(0)
        if first is not None:
            self.songs.setCurrentItem(first)
        self._fit()

    def _add(self, left: LeftSong) -> None:
        texts = ["", "cannot be read"] if left.problem else [when_text(left), length_text(left)]
        item = QTreeWidgetItem([left.name, *texts])
        item.setData(0, Qt.ItemDataRole.UserRole, left)
        item.setTextAlignment(2, _RIGHT)
        for column in range(len(_COLUMNS)):
            item.setToolTip(column, left.problem or left.name)
        self.songs.addTopLevelItem(item)

    def _chosen(self) -> list[LeftSong]:
        return [item.data(0, Qt.ItemDataRole.UserRole) for item in self.songs.selectedItems()]

    def _fit(self) -> None:
        chosen = self._chosen()
        self.restore.setEnabled(len(chosen) == 1 and not chosen[0].problem)
        self.discard.setEnabled(bool(chosen))

    def _restore(self) -> None:
        chosen = self._chosen()
        if len(chosen) == 1 and not chosen[0].problem:
            self._keeping.recover(chosen[0])
            self.accept()

    def _discard(self) -> None:
        chosen = self._chosen()
        if chosen and self._ask(throwing_away([left.name for left in chosen])) == THROW_AWAY:
            self._keeping.discard(chosen)
            for item in self.songs.selectedItems():
                self.songs.takeTopLevelItem(self.songs.indexOfTopLevelItem(item))


def offer_text(left: list[LeftSong]) -> str:
    """Tell of songs that an earlier run of the program left."""
    if len(left) > 1:
        return f"{len(left)} songs were not saved."
    (one,) = left
    if one.problem:
        return f"A song was not saved, and cannot be read: {one.problem}"
    return f"{one.name} was not saved ({when_text(one)}, {length_text(one)})."


def _what_they_are(left: list[LeftSong]) -> str:
    text = (
        "These songs have not been saved to a file. A song that you restore replaces the one in the window, "
    )
    text += "which is kept here too."
    older = sum(one.file is not None for one in left) - MOST_LEFT
    if older > 0:
        text += f" Only the latest {MOST_LEFT} are kept: the {older} oldest go when you quit."
    return text
