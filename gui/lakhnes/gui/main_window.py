"""The window: the roll with what belongs to it around it. It only joins widgets to the studio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QByteArray, QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QCloseEvent,
    QDrag,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lakhnes.bridge import MIDI_ENDINGS
from lakhnes.bridge.lines import Line
from lakhnes.gui.about import About
from lakhnes.gui.commands import add_menus
from lakhnes.gui.export_dialog import ExportDialog
from lakhnes.gui.import_dialog import ImportDialog
from lakhnes.gui.message_bar import MessageBar
from lakhnes.gui.naming import named
from lakhnes.gui.outputs_bar import OutputsBar
from lakhnes.gui.progress import JobBar
from lakhnes.gui.questions import (
    QUIT_LATER,
    QUIT_NOW,
    REPLACE,
    STAY,
    THROW_AWAY,
    Ask,
    asker,
    quitting_exports,
    quitting_unkept,
    replacing,
    replacing_altered,
    throwing_away,
)
from lakhnes.gui.roll import Roll, Selection
from lakhnes.gui.song_bar import SongBar
from lakhnes.gui.steering_panel import SteeringPanel
from lakhnes.gui.takes_bar import TakesBar
from lakhnes.gui.theme import Theme, dress
from lakhnes.gui.transport import TransportBar
from lakhnes.gui.unsaved_dialog import UnsavedDialog, offer_text
from lakhnes.gui.voice_strips import VoiceStrips
from lakhnes.runtime import LakhnesError, Voice
from lakhnes.runtime.printable import printable
from lakhnes.studio.arranging import Arranging
from lakhnes.studio.exports import ExportRequest, targets
from lakhnes.studio.filing import Filing
from lakhnes.studio.keeping import LeftSong
from lakhnes.studio.preferences import PreferenceStore, PresetStore
from lakhnes.studio.studio import Choice, Studio
from lakhnes.studio.takes import Takes
from lakhnes.studio.view import Message

FRAME_MS = 16
"""From one look at the studio to the next."""

_CLOSE_SECONDS = 1.5
"""How long the window's end waits for what does not answer."""

_PULL = "Pull this into the DAW with the mouse. Ctrl+E writes the same file where you want it."
_MIDI_FILES = f"MIDI ({' '.join('*' + ending for ending in MIDI_ENDINGS)})"
_MUSIC = "Music (*.lakhnes *.mid *.midi *.smf *.kar *.rmi *.midi2 *.tx1.txt *.tx2.txt *.txt *.vgm *.vgz)"
_SESSION = "Sessions (*.lakhnes)"

ChooseFile = Callable[[str, str, str], str]
"""Asks for a file: given a title, a folder or name to begin with, and a filter; empty for none."""


class MainWindow(QMainWindow):
    """The app's window.

    Attributes:
        roll: the piano roll.
        studio: what composes and plays.
        takes: what is composed anew.
        arranging: what is composed around the song.
        filing: files in and out.
        ended: whether all that was being done has ended, once the window is closed.
    """

    def __init__(
        self,
        studio: Studio,
        store: PreferenceStore,
        *,
        theme: Theme,
        choose_open: ChooseFile | None = None,
        choose_save: ChooseFile | None = None,
        ask: Ask | None = None,
    ) -> None:
        """Makes the window; `begin` opens what is behind it.

        Args:
            studio: not yet opened.
            store: what the user prefers.
            theme: colours.
            choose_open: asks for a file to read; a dialog if None.
            choose_save: asks for a file to write; it need not ask whether one may be replaced.
            ask: asks a question; a box in front of the window if None.
        """
        super().__init__()
        self.studio = studio
        self.takes = Takes(studio)
        self.arranging = Arranging(studio)
        self.filing = Filing(studio, store)
        self._store = store
        self._theme = theme
        self._choose_open = choose_open or self._ask_open
        self._choose_save = choose_save or self._ask_save
        self._ask = ask or asker(self)
        self._offered: Message | None = None  # tells of songs that were left unsaved
        self._waiting: Message | None = None  # says that the window closes when all is exported
        self._alone = False  # whether nobody is there to answer a question
        self.ended = True
        self._revision = -1
        self._dragging = False
        preferences = store.value
        self.messages = MessageBar()
        self.transport = TransportBar(studio)
        self.roll = Roll(studio)
        self.takes_bar = TakesBar(self.takes)
        self.song_bar = SongBar(self.takes_bar)
        self.strips = VoiceStrips(studio)
        self.steering = SteeringPanel(studio, PresetStore(store), new=self.new)
        self.outputs = OutputsBar(studio, preferences.ports, sound=preferences.sound)
        self.jobs = JobBar(studio.jobs)
        self._lay_out()
        self.commands = add_menus(self)
        self.song_bar.add(self.commands)
        for first, second in pairwise((self.roll, *self.song_bar.buttons.values(), self.song_bar.handle)):
            QWidget.setTabOrder(first, second)
        self.roll.setFocus()
        self._add_recent()
        self._connect()
        self.set_theme(theme)
        self.setAcceptDrops(True)
        self.resize(1280, 800)
        self.restoreGeometry(QByteArray.fromBase64(preferences.geometry.encode()))
        self.restoreState(QByteArray.fromBase64(preferences.layout.encode()))
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.refresh)

    def begin(self) -> None:
        """Loads the model, opens the outputs, offers what was left unsaved, and begins to look."""
        preferences = self._store.value
        self.studio.say = self.messages.post
        if self._store.remark:
            self.messages.post(Message(self._store.remark, error=True))
        self.studio.open(preferences.ports, sound=preferences.sound)
        self.filing.keeping.find(self._offer)
        self._timer.start(FRAME_MS)
        self.refresh()

    def refresh(self) -> None:
        """Shows how things are now."""
        view = self.studio.poll()
        session = self.studio.session
        if session.revision != self._revision:
            self._revision = session.revision
            state = session.state
            for widget in (self.transport, self.roll, self.steering, self.strips):
                widget.show_state(state)
            self._name_steps()
            title = printable(self.filing.title).replace("[*]", "[*][*]")  # else Qt takes it for its star
            self.setWindowTitle(f"{title}[*]")
            self.setWindowModified(session.changed)
        for shown in (self.transport, self.roll, self.strips, self.outputs):
            shown.show_view(view)
        self.takes.refresh()
        self.takes_bar.refresh()
        self.jobs.refresh()
        self.messages.show_problems(view.problems)
        self.filing.tick()

    def _offer(self, left: list[LeftSong]) -> None:
        """Offers what earlier runs left unsaved."""
        if not left:
            return
        actions: tuple[tuple[str, Callable[[], None]], ...] = (("Show them…", self.show_unsaved),)
        if len(left) == 1:
            actions = (("Throw it away", lambda: self._discard(left[0])),)
            if not left[0].problem:
                actions = (("Restore it", lambda: self.filing.keeping.recover(left[0])), *actions)
        self._offered = Message(offer_text(left), actions=actions)
        self.messages.post(self._offered)

    def _discard(self, left: LeftSong) -> None:
        if self._ask(throwing_away([left.name])) == THROW_AWAY:
            self.filing.keeping.discard([left])
        else:
            self._offer([left])

    def set_theme(self, theme: Theme) -> None:
        """Shows everything in other colours."""
        self._theme = theme
        for widget in (self.transport, self.roll, self.strips, self.messages):
            widget.set_theme(theme)

    # What a user does

    def regenerate(self) -> None:
        """Composes the selection anew; without one, the bar at the playhead in all voices."""
        selection = self.roll.selection
        if selection is None:
            self.messages.post(Message("Select a part of the roll first; then it can be composed anew."))
            return
        span = selection.first, selection.last
        self._do(lambda: self.takes.regenerate(span, selection.voices))

    def new(self, seed: int | None = None) -> None:
        """A new song; around the voices that are locked, if any are."""
        self._arrange(lambda: self.arranging.new_song(seed))

    def dynamics(self) -> None:
        """Composes dynamics and timbre for the notes of the selection; without one, for all."""
        selection = self.roll.selection
        voices = tuple(Voice) if selection is None else selection.voices
        self._arrange(lambda: self.arranging.dynamics(self._span(selection), voices))

    def open(self, path: str | Path | None = None) -> None:
        """Opens music or a session; asks which if no path is given."""
        wanted = str(path) if path else self._choose_open("Open", self._store.value.folder, _MUSIC)
        if wanted:
            self.filing.open(Path(wanted))

    def import_midi(self) -> None:
        """Asks for a MIDI file, and which of its tracks the voices play."""
        wanted = self._choose_open("Import MIDI", self._store.value.folder, _MIDI_FILES)
        if wanted:
            self.filing.list_tracks(Path(wanted), lambda lines: self._import(Path(wanted), lines))

    def _import(self, path: Path, lines: list[Line]) -> None:
        def take(voices: str, arpeggio: bool) -> None:
            self.filing.open(path, voices, arpeggio=arpeggio)

        dialog = ImportDialog(lines, take, self.studio, self)
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

        dialog = ExportDialog(self.studio.session.state, self.roll.selection, ask, export, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_unsaved(self) -> None:
        """Lists the songs that are in no file and not in the window."""

        def show(left: list[LeftSong]) -> None:
            self.messages.withdraw(self._offered)
            if not left:
                self.messages.post(Message("There are no other unsaved songs."))
                return
            dialog = UnsavedDialog(self.filing.keeping, left, self._ask, self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

        self.filing.keeping.find(show)

    def _may_replace(self, paths: list[Path]) -> bool:
        """Whether files that are there may be replaced, if there are any; asks once for all of them."""
        return not paths or self._ask(replacing(paths)) == REPLACE

    def drag_out(self) -> None:
        """Drags the selection, or the whole song, out of the window as MIDI files."""
        if self._dragging:
            return
        self._dragging = True
        selection = self.roll.selection
        voices = frozenset(Voice) if selection is None else selection.voices
        each = bool(QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier)
        self.filing.drag_files(
            voices, self._span(selection), each=each, done=self._drag, failed=self._drag_failed
        )

    def _drag(self, paths: list[Path]) -> None:
        # Dragging waits for the mouse; within `refresh` nothing would be shown meanwhile.
        QTimer.singleShot(0, self, lambda: self._drag_on(paths))

    def _drag_on(self, paths: list[Path]) -> None:
        self._dragging = False
        if not QApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            return  # let go before the files were there
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        drag = QDrag(self)
        drag.setMimeData(mime)
        drag.exec(Qt.DropAction.CopyAction)

    def _drag_failed(self) -> None:
        self._dragging = False

    def _arrange(self, what: Callable[[], None]) -> None:
        def begin() -> None:
            what()
            self.takes.done()  # they are of the song before

        self._do(begin)

    def _do(self, what: Callable[[], None]) -> None:
        try:
            what()
        except LakhnesError as error:
            self.messages.post(Message(str(error), error=True))

    def toggle_loop(self) -> None:
        """Plays the selection again and again, or no longer."""
        self._loop(self.studio.view().loop is None)

    def use_theme(self, name: str) -> None:
        """Shows everything in `light` or `dark` colours, or as the `system` has it."""
        self._store.change(theme=name)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self.set_theme(dress(application, is_dark(name)))

    def about(self) -> None:
        """Tells what this is, and whose work is in it."""
        about = About(self.studio.session.state.model, self)
        about.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        about.open()

    def _prefer_outputs(self, ports: Choice, sound: bool) -> None:
        self._store.change(ports=ports, sound=sound)

    def _loop(self, on: bool) -> None:
        self.studio.playback.set_loop(self._span(self.roll.selection) if on else None)

    @staticmethod
    def _span(selection: Selection | None) -> tuple[int, int] | None:
        return None if selection is None else (selection.first, selection.last)

    # What Qt tells

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Goes back to the roll on Escape, from wherever it means nothing else."""
        if event.key() == Qt.Key.Key_Escape:
            self.roll.setFocus()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Takes files, unless they are our own."""
        if event.mimeData().hasUrls() and event.source() is None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Opens the first file that is dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.filing.open(paths[0])
        else:
            self.messages.post(
                Message("Only files can be dropped here: MIDI, text, VGM or a session.", error=True)
            )

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Ends everything, unless something would be lost and the user rather stays.

        What is not saved is kept and offered at the next start.
        """
        if self._timer.isActive() and not self._may_end():
            event.ignore()
            return
        self._timer.stop()
        self._store.change(
            geometry=bytes(self.saveGeometry().toBase64().data()).decode(),
            layout=bytes(self.saveState().toBase64().data()).decode(),
        )
        self.studio.playback.stop()
        self.filing.close()
        self.hide()
        self.ended = self.studio.close(_CLOSE_SECONDS)
        event.accept()

    def end(self) -> None:
        """Closes as the system wants it: asks nothing, and waits for exports unless it is told twice."""
        if self._alone:
            self.filing.stop_exports()
        self._alone = True
        self.close()

    def _may_end(self) -> bool:
        """Keeps what can be kept, and asks about what would be lost."""
        lost = self.filing.keep()
        if lost and not self._alone and self._ask(quitting_unkept(lost)) == STAY:
            return False
        labels = [job.label for job in self.filing.exporting]
        if not labels:
            return True
        answer = QUIT_LATER if self._alone else self._ask(quitting_exports(labels))
        if answer == QUIT_NOW:
            self.filing.stop_exports()
        elif answer == QUIT_LATER:
            self._close_when_exported()
        return answer == QUIT_NOW

    def _close_when_exported(self) -> None:
        self._stay()
        self._waiting = Message(
            "LakhNES quits when the export is finished.", actions=(("Do not quit", self._stay),)
        )
        self.messages.post(self._waiting)

        def close() -> None:
            QTimer.singleShot(0, self, self.close)  # for the studio is being looked at

        self.filing.when_exported(close, close if self._alone else self._stay)

    def _stay(self) -> None:
        """The window closes by itself no more."""
        self.filing.wait_no_more()
        self.messages.withdraw(self._waiting)

    # How it is put together

    def _lay_out(self) -> None:
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(8, 8, 8, 4)
        column.setSpacing(6)
        for widget in (self.messages, self.transport):
            column.addWidget(widget)
        column.addWidget(self.roll, 1)
        column.addWidget(self.song_bar)
        column.addWidget(self.strips)
        foot = QHBoxLayout()
        foot.addWidget(self.outputs)
        foot.addStretch(1)
        foot.addWidget(self.jobs)
        column.addLayout(foot)
        self.setCentralWidget(centre)
        dock = named(QDockWidget("Steering", self), "steering")
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.steering)
        area.setMinimumWidth(
            self.steering.minimumSizeHint().width() + area.verticalScrollBar().sizeHint().width()
        )
        dock.setWidget(area)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)

    def _connect(self) -> None:
        self.roll.seek_requested.connect(self.studio.playback.seek)
        self.roll.selection_changed.connect(self.transport.show_selection)
        self.roll.loop_requested.connect(self.studio.playback.set_loop)
        self.roll.drag_started.connect(self.drag_out)
        self.song_bar.dragged.connect(self.drag_out)
        self.song_bar.handle.clicked.connect(lambda: self.messages.post(Message(_PULL)))
        self.transport.loop_toggled.connect(self._loop)
        self.outputs.chosen.connect(self._prefer_outputs)

    def _name_steps(self) -> None:
        session = self.studio.session
        for name, label in (("undo", session.undo_label), ("redo", session.redo_label)):
            self.commands[name].setEnabled(label is not None)
            self.commands[name].setText(f"&{name.capitalize()}" + (f" {label.lower()}" if label else ""))

    def _add_recent(self) -> None:
        """The files that were opened last, in a menu that is filled when it is looked at."""
        self.recent = QMenu("Open &recent", self)
        self.recent.aboutToShow.connect(self._fill_recent)
        menu = self.commands["open"].associatedObjects()[0]
        assert isinstance(menu, QMenu)
        menu.insertMenu(self.commands["save"], self.recent)

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
        return QFileDialog.getOpenFileName(self, title, place, kinds)[0]

    def _ask_save(self, title: str, place: str, kinds: str) -> str:
        # What is written may have another name, with an ending, or be several files: that is asked later.
        option = QFileDialog.Option.DontConfirmOverwrite
        return QFileDialog.getSaveFileName(self, title, place, kinds, options=option)[0]


def is_dark(theme: str) -> bool:
    """Whether a theme's name means dark colours; `system` asks the system."""
    if theme != "system":
        return theme == "dark"
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application.styleHints().colorScheme() is Qt.ColorScheme.Dark
