"""Files in and out of the window: what is asked of the user, and what the filing does then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QDrag, QPixmap
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QMenu, QWidget

from lakhnes.bridge import MIDI_ENDINGS
from lakhnes.bridge.lines import Line
from lakhnes.gui.export_dialog import ExportDialog
from lakhnes.gui.import_dialog import ImportDialog
from lakhnes.gui.message_bar import MessageBar
from lakhnes.gui.questions import REPLACE, THROW_AWAY, Ask, replacing, replacing_altered, throwing_away
from lakhnes.gui.theme import SMALL_GAP
from lakhnes.gui.unsaved_dialog import UnsavedDialog, offer_text
from lakhnes.runtime import Voice
from lakhnes.runtime.printable import printable
from lakhnes.studio.editor import Editor
from lakhnes.studio.exports import ExportRequest, targets
from lakhnes.studio.filing import Filing
from lakhnes.studio.keeping import LeftSong
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.view import Message

_MIDI_FILES = f"MIDI ({' '.join('*' + ending for ending in MIDI_ENDINGS)})"
_MUSIC = (
    "Music (*.lakhnes *.mid *.midi *.smf *.kar *.rmi *.midi2 *.tx1.txt *.tx2.txt *.txt"
    " *.vgm *.vgz *.nsf *.nsfe)"
)
_SESSION = "Sessions (*.lakhnes)"

_NAMED = 3  # files that are named of those that were dropped together

ChooseFile = Callable[[str, str, str], str]
"""Asks for a file: given a title, a folder or name to begin with, and a filter; empty for none."""


class FileActions:
    """Opens, saves, exports and drags out what an editor's studio has.

    Attributes:
        filing: files in and out.
        recent: the menu of files that were opened last.
    """

    def __init__(
        self,
        window: QWidget,
        editor: Editor,
        store: PreferenceStore,
        messages: MessageBar,
        ask: Ask,
        *,
        choose_open: ChooseFile | None = None,
        choose_save: ChooseFile | None = None,
    ) -> None:
        """Serves a window.

        Args:
            window: in front of which is asked.
            editor: whose song, and what is selected of it.
            store: what the user prefers.
            messages: takes messages.
            ask: asks a question.
            choose_open: asks for a file to read; a dialog if None.
            choose_save: asks for a file to write; it need not ask whether one may be replaced.
        """
        self.filing = Filing(editor.studio, store)
        self._window, self._editor, self._store = window, editor, store
        self._messages, self._ask = messages, ask
        self._choose_open = choose_open or self._ask_open
        self._choose_save = choose_save or self._ask_save
        self._offered: Message | None = None  # tells of songs that were left unsaved
        self._dragging = False
        self.recent = QMenu("Open &recent", window)
        self.recent.aboutToShow.connect(self._fill_recent)

    def open(self, path: str | Path | None = None) -> None:
        """Opens music or a session; asks which if no path is given."""
        wanted = str(path) if path else self._choose_open("Open", self._store.value.folder, _MUSIC)
        if wanted:
            self.filing.open(Path(wanted))

    def open_dropped(self, paths: list[Path]) -> None:
        """Opens the first of some files; names the others, each a press away."""
        if not paths:
            text = "Drop a file here: MIDI, text, VGM, NSF or a session."
            self._messages.post(Message(text, error=True))
            return
        first, others = paths[0], paths[1:]
        self.filing.open(first)
        if others:
            names = ", ".join(printable(path.name) for path in others[:_NAMED])
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            text = f"One song is open at a time: {printable(first.name)}. Not opened: {names}{more}."
            actions = tuple(
                (f"Open {printable(path.name)}", partial(self.filing.open, path)) for path in others[:_NAMED]
            )
            self._messages.post(Message(text, actions=actions))

    def import_midi(self) -> None:
        """Asks for a MIDI file, and which of its tracks the voices play."""
        wanted = self._choose_open("Import MIDI", self._store.value.folder, _MIDI_FILES)
        if wanted:
            self.filing.list_tracks(Path(wanted), lambda lines: self._import(Path(wanted), lines))

    def _import(self, path: Path, lines: list[Line]) -> None:
        def take(voices: str, arpeggio: bool) -> None:
            self.filing.open(path, voices, arpeggio=arpeggio)

        dialog = ImportDialog(lines, take, self._editor.studio, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def save(self) -> bool:
        """Saves the session; asks where the first time. Whether it is being saved."""
        path = self.filing.path
        if path is None:
            return self.save_as()
        if not self.filing.altered:
            return self.filing.save()
        if self._ask(replacing_altered(path)) == REPLACE:
            return self.filing.save(replaces=True)
        return self.save_as()

    def save_as(self) -> bool:
        """Saves the session under another name; whether it is being saved."""
        while wanted := self._choose_save("Save the session", self.filing.suggested(".lakhnes"), _SESSION):
            path = self.filing.session_file(Path(wanted))
            replaced = self.filing.there([path])
            if self._may_replace(replaced):
                return self.filing.save(path, replaces=bool(replaced))
        return False

    def export(self) -> None:
        """Asks what to export and where."""

        def ask(ending: str, kinds: str) -> str:
            return self._choose_save("Export", self.filing.suggested(ending), kinds)

        def export(request: ExportRequest) -> bool:
            replaced = self.filing.there(targets(request))
            if not self._may_replace(replaced):
                return False
            self.filing.export(replace(request, replaces=frozenset(replaced)))
            return True

        dialog = ExportDialog(
            self._editor.studio.session.state, self._editor.selection, ask, export, self._window
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_unsaved(self) -> None:
        """Lists the songs that are in no file and not in the window."""

        def show(left: list[LeftSong]) -> None:
            self._messages.withdraw(self._offered)
            if not left:
                self._messages.post(Message("There are no other unsaved songs."))
                return
            dialog = UnsavedDialog(self.filing.keeping, left, self._ask, self._window)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

        self.filing.keeping.find(show)

    def _may_replace(self, paths: list[Path]) -> bool:
        """Return whether existing files may be replaced; it asks once for all of them."""
        return not paths or self._ask(replacing(paths)) == REPLACE

    def drag_out(self) -> None:
        """Drags the selection, or the whole song, out of the window as MIDI files."""
        if self._dragging:
            return
        self._dragging = True
        selection = self._editor.selection
        voices = frozenset(Voice) if selection is None else selection.voices
        each = bool(QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier)
        self.filing.drag_files(
            voices,
            None if selection is None else selection.span,
            each=each,
            done=self._drag,
            failed=self._drag_failed,
        )

    def _drag(self, paths: list[Path]) -> None:
        # Dragging waits for the mouse; within `refresh` nothing would be shown meanwhile.
        QTimer.singleShot(0, self._window, lambda: self._drag_on(paths))

    def _drag_on(self, paths: list[Path]) -> None:
        self._dragging = False
        if not QApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            return  # the button was released before the files were ready
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        drag = QDrag(self._window)
        drag.setMimeData(mime)
        drag.setPixmap(self._picture(paths))
        drag.exec(Qt.DropAction.CopyAction)

    def _picture(self, paths: list[Path]) -> QPixmap:
        """Return the picture under the mouse during a drag: the names of the files."""
        others = f", and {len(paths) - 1} more" if len(paths) > 1 else ""
        label = QLabel(f"{printable(paths[0].name)}{others}", self._window)
        label.setAutoFillBackground(True)
        label.setFrameShape(QLabel.Shape.Panel)
        label.setMargin(SMALL_GAP)
        label.adjustSize()
        picture = label.grab()
        label.deleteLater()
        return picture

    def _drag_failed(self) -> None:
        self._dragging = False

    def offer(self, left: list[LeftSong]) -> None:
        """Offers what earlier runs left unsaved."""
        if not left:
            return
        actions: tuple[tuple[str, Callable[[], None]], ...] = (("Show them…", self.show_unsaved),)
        if len(left) == 1:
            actions = (("Throw it away", lambda: self._discard(left[0])),)
            if not left[0].problem:
                actions = (("Restore it", lambda: self.filing.keeping.recover(left[0])), *actions)
        self._offered = Message(offer_text(left), actions=actions)
        self._messages.post(self._offered)

    def _discard(self, left: LeftSong) -> None:
        if self._ask(throwing_away([left.name])) == THROW_AWAY:
            self.filing.keeping.discard([left])
        else:
            self.offer([left])

    def _fill_recent(self) -> None:
        self.recent.clear()
        for name in self._store.value.recent:
            action = self.recent.addAction(printable(Path(name).name).replace("&", "&&"))
            action.setToolTip(printable(name))
            action.triggered.connect(lambda _=False, path=name: self.open(path))
        self.recent.setToolTipsVisible(True)
        if self.recent.isEmpty():
            self.recent.addAction("None yet").setEnabled(False)

    def _ask_open(self, title: str, place: str, kinds: str) -> str:
        return QFileDialog.getOpenFileName(self._window, title, place, kinds)[0]

    def _ask_save(self, title: str, place: str, kinds: str) -> str:
        # The files may get an ending or be several, so the question about replacing comes later.
        option = QFileDialog.Option.DontConfirmOverwrite
        return QFileDialog.getSaveFileName(self._window, title, place, kinds, options=option)[0]
