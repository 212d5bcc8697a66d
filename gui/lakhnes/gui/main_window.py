"""The window: the roll and the controls around it. It only connects widgets to the studio."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lakhnes.gui.about import About
from lakhnes.gui.commands import Menus
from lakhnes.gui.dock_title import DockTitle
from lakhnes.gui.file_actions import ChooseFile, FileActions
from lakhnes.gui.flow import Flow
from lakhnes.gui.help_dialog import HelpDialog, keys_dialog, manual_dialog
from lakhnes.gui.message_bar import MessageBar
from lakhnes.gui.naming import named
from lakhnes.gui.outputs_bar import OutputsBar
from lakhnes.gui.progress import JobBar
from lakhnes.gui.questions import Ask, asker
from lakhnes.gui.quitting import Quitting
from lakhnes.gui.roll import Roll
from lakhnes.gui.shelf import Shelf
from lakhnes.gui.song_bar import SongBar
from lakhnes.gui.steering_panel import SteeringPanel
from lakhnes.gui.switches import Switches
from lakhnes.gui.takes_bar import TakesBar
from lakhnes.gui.theme import GAP, SMALL_GAP, Theme, dress, is_dark
from lakhnes.gui.transport import TransportBar
from lakhnes.gui.voice_strips import VoiceStrips
from lakhnes.gui.volume_lane import VolumeLane
from lakhnes.gui.window_place import ROOM_FOR_STEERING, fit
from lakhnes.runtime import Voice
from lakhnes.runtime.printable import printable
from lakhnes.studio.arranging import Arranging
from lakhnes.studio.bar_editor import BarEditor
from lakhnes.studio.editor import Editor
from lakhnes.studio.note_commands import NoteCommands
from lakhnes.studio.preferences import PreferenceStore, PresetStore
from lakhnes.studio.studio import Choice, Studio
from lakhnes.studio.takes import Takes
from lakhnes.studio.view import Message

FRAME_MS = 16
"""Milliseconds between two refreshes."""

_CLOSE_SECONDS = 1.5
"""Longest time that closing waits for a device that does not answer."""

_USUAL_SIZE = (1280, 800)

_PULL = "Drag this button into the DAW. Ctrl+E exports to a file instead."
_WELCOME = (
    "Your first song is being composed. Press Space to play it. Then try three things: drag over a lane and "
    "press Ctrl+R for four new takes; lock a voice with L and press New for a new song around it; "
    "double-click in a lane to draw a note, or on a note to delete it."
)


class MainWindow(QMainWindow):
    """The app's window.

    Attributes:
        roll: the piano roll.
        studio: composes and plays.
        takes: regenerates parts of the song.
        arranging: composes new voices and dynamics around the song.
        editor: selection and edits by hand.
        notes: commands for notes.
        bars: commands for bars.
        files: opens, saves and exports files for a user.
        menus: all commands.
        switches: the menu switches and their stored state.
        ended: whether all tasks have ended, once the window is closed.
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
        """Make the window; `begin` loads the model and opens the outputs.

        Args:
            studio: the studio, not yet opened.
            store: the user's preferences.
            theme: the colours.
            choose_open: asks for a file to read; a dialog if None.
            choose_save: asks for a file to write; the window asks about replacing files.
            ask: asks a question; a box in front of the window if None.
        """
        super().__init__()
        self.studio = studio
        self.takes = Takes(studio)
        self.arranging = Arranging(studio)
        self.editor = Editor(studio)
        self.notes, self.bars = NoteCommands(self.editor), BarEditor(self.editor)
        self._store = store
        self._theme = theme
        self._ask = ask or asker(self)
        self.ended = True
        self._revision = -1
        preferences = store.value
        self.messages = MessageBar()
        self.files = FileActions(
            self,
            self.editor,
            store,
            self.messages,
            self._ask,
            choose_open=choose_open,
            choose_save=choose_save,
        )
        self.filing = self.files.filing
        self._quitting = Quitting(self, self.filing, self.messages, self._ask)
        self.transport = TransportBar(studio)
        self.roll = Roll(self.notes)
        self.volumes = VolumeLane(self.roll)
        self.takes_bar = TakesBar(self.takes)
        self.song_bar = SongBar()
        self.strips = VoiceStrips(studio)
        self.steering = SteeringPanel(studio, PresetStore(store), new=self.new)
        self.outputs = OutputsBar(studio, preferences.ports, sound=preferences.sound)
        self.jobs = JobBar(studio.jobs)
        self._lay_out()
        self.switches = Switches(
            self.roll,
            studio.playback,
            store,
            steering=self.steering_dock,
            strips=self.strips,
            volumes=self.volumes,
        )
        self.menus = Menus(self)
        self.commands = self.menus.actions
        self.song_bar.add(self.commands, step=preferences.step, bars=preferences.new_bars)
        for first, second in pairwise(
            (self.roll, self.volumes, *self.song_bar.buttons.values(), self.song_bar.handle)
        ):
            QWidget.setTabOrder(first, second)
        self.roll.setFocus()
        menu = self.commands["open"].associatedObjects()[0]
        assert isinstance(menu, QMenu)
        menu.insertMenu(self.commands["save"], self.files.recent)
        self._connect()
        self.set_theme(theme)
        self.setAcceptDrops(True)
        self.resize(*_USUAL_SIZE)
        self.restoreGeometry(QByteArray.fromBase64(preferences.geometry.encode()))
        self.restoreState(QByteArray.fromBase64(preferences.layout.encode()))
        self.fit_screen(self.screen().availableGeometry(), first=not preferences.geometry)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.refresh)

    def fit_screen(self, area: QRect, *, first: bool) -> None:
        """Move and resize the window into a screen; on a narrow one the steering is hidden at first.

        Args:
            area: the free part of the screen.
            first: whether no earlier run has left the place of the window.
        """
        if first and area.width() < ROOM_FOR_STEERING:
            self.steering_dock.hide()
        fit(self, area)

    def begin(self) -> None:
        """Load the model, open the outputs, offer unsaved songs, and start the refresh timer."""
        preferences = self._store.value
        self.studio.say = self.messages.post
        if self._store.remark:
            self.messages.post(Message(self._store.remark, error=True))
        if self._store.first:
            self.messages.post(Message(_WELCOME, actions=(("Play", self.studio.playback.play),)))
        self.studio.open(preferences.ports, sound=preferences.sound)
        self.filing.keeping.find(self.files.offer)
        self._timer.start(FRAME_MS)
        self.refresh()

    def refresh(self) -> None:
        """Show the current state."""
        view = self.studio.poll()
        session = self.studio.session
        if session.revision != self._revision:
            self._revision = session.revision
            state = session.state
            for widget in (self.transport, self.roll, self.steering, self.strips):
                widget.show_state(state)
            self._name_steps()
            self.menus.refresh()
            title = printable(self.filing.title).replace("[*]", "[*][*]")  # else Qt takes it for its star
            self.setWindowTitle(f"{title}[*]")
            self.setWindowModified(session.changed)
        for shown in (self.transport, self.roll, self.strips, self.outputs):
            shown.show_view(view)
        self.volumes.refresh()
        self.takes.refresh()
        self.takes_bar.refresh()
        self.jobs.refresh()
        self.messages.show_problems(view.problems)
        self.filing.tick()

    def set_theme(self, theme: Theme) -> None:
        """Show everything in other colours."""
        self._theme = theme
        for widget in (self.transport, self.roll, self.volumes, self.strips, self.messages):
            widget.set_theme(theme)

    # User actions

    def regenerate(self) -> None:
        """Regenerate the selection; without one, say that it needs one."""
        selection = self.roll.selection
        if selection is None:
            self.messages.post(Message("Select a part of the song first, then regenerate it."))
            return
        self.editor.attempt(lambda: self.takes.regenerate(selection.span, selection.voices))

    def new(self, seed: int | None = None) -> None:
        """Start a new song, around the locked voices if there are any."""

        def begin() -> None:
            self.arranging.new_song(seed, self._store.value.new_bars)
            self.takes.done()  # they are of the song before

        self.editor.attempt(begin)

    def dynamics(self) -> None:
        """Compose dynamics and timbre for the selected notes, or for all notes without a selection."""
        chosen = self.roll.selection
        span, voices = (None, frozenset(Voice)) if chosen is None else (chosen.span, chosen.voices)
        self.editor.attempt(lambda: self.arranging.dynamics(span, voices))

    def toggle_loop(self) -> None:
        """Switch the loop over the selection on or off."""
        self._loop(self.studio.view().loop is None)

    @property
    def theme_name(self) -> str:
        """The chosen theme: `light`, `dark` or `system`."""
        return self._store.value.theme

    def use_theme(self, name: str) -> None:
        """Use the theme `light`, `dark` or `system`."""
        self._store.change(theme=name)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self.set_theme(dress(application, is_dark(name)))

    def show_keys(self) -> None:
        """Show all keys and mouse gestures."""
        self._show_help(keys_dialog(self.menuBar(), self))

    def show_manual(self) -> None:
        """Show the manual."""
        self._show_help(manual_dialog(self))

    @staticmethod
    def _show_help(dialog: HelpDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def about(self) -> None:
        """Show the about box."""
        about = About(self.studio.session.state.model, self)
        about.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        about.open()

    def _prefer_outputs(self, ports: Choice, sound: bool) -> None:
        self._store.change(ports=ports, sound=sound)

    def _loop(self, on: bool) -> None:
        chosen = self.roll.selection
        self.studio.playback.set_loop(chosen.span if on and chosen is not None else None)

    def _show_menu(self, place: QPoint) -> None:
        menu = self.menus.context_menu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    # Qt events

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Return the focus to the roll on Escape, if Escape has no other meaning."""
        if event.key() == Qt.Key.Key_Escape:
            self.roll.setFocus()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Accept files, except those dragged out of this window."""
        if event.mimeData().hasUrls() and event.source() is None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open the first dropped file and offer the others."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
        self.files.open_dropped(paths)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """End everything, unless something would be lost and the user decides to stay.

        Unsaved work is kept and offered at the next start.
        """
        if self._timer.isActive() and not self._quitting.may_end():
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
        """Close at the request of the system: ask nothing, and wait for exports unless called twice."""
        self._quitting.unasked()
        self.close()

    # Construction

    def _lay_out(self) -> None:
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(GAP, GAP, GAP, SMALL_GAP)
        column.setSpacing(GAP)
        column.addWidget(self.transport)
        column.addWidget(self.roll, 1)
        for widget in (self.volumes, self.song_bar, self.takes_bar, Shelf(self.strips)):
            column.addWidget(widget)
        foot = QWidget()
        row = Flow(foot)
        row.add(self.outputs)
        row.add(self.strips.master)
        row.add(self.transport.news)
        row.add(self.transport.late, stretch=True)
        row.add(self.jobs)
        column.addWidget(foot)
        self.messages.lie_over(self.roll)
        self.setCentralWidget(centre)
        dock = self.steering_dock = named(QDockWidget("Steering", self), "steering")
        dock.setTitleBarWidget(DockTitle(dock, "Close Steering; F9 shows it again"))
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
        self.roll.drag_started.connect(self.files.drag_out)
        self.roll.menu_requested.connect(self._show_menu)
        self.song_bar.dragged.connect(self.files.drag_out)
        self.song_bar.step_chosen.connect(self.switches.use_step)
        self.song_bar.length_chosen.connect(self.switches.use_length)
        self.song_bar.handle.clicked.connect(lambda: self.messages.post(Message(_PULL)))
        self.transport.loop_toggled.connect(self._loop)
        self.outputs.chosen.connect(self._prefer_outputs)

    def _name_steps(self) -> None:
        session = self.studio.session
        for name, label in (("undo", session.undo_label), ("redo", session.redo_label)):
            self.commands[name].setEnabled(label is not None)
            self.commands[name].setText(f"&{name.capitalize()}" + (f" {label.lower()}" if label else ""))
