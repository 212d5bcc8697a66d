"""The window's menus: every command with its words, its keys and what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import Voice

if TYPE_CHECKING:
    from lakhnes.gui.main_window import MainWindow


class Command(NamedTuple):
    """Something that can be chosen from a menu."""

    name: str
    """Name of the action."""
    text: str
    """In the menu."""
    keys: tuple[str, ...]
    """Shortcuts."""
    do: Callable[[], object]
    repeats: bool = False
    """Whether it is done again and again while its keys are held."""
    on: Callable[[], bool] | None = None
    """Whether it is switched on; None for what is no switch."""


_GAP = None
_Menu = tuple[str, list[Command | None]]


def _file(window: MainWindow) -> _Menu:
    return (
        "&File",
        [
            Command("open", "&Open…", ("Ctrl+O",), window.files.open),
            Command("import", "&Import MIDI…", ("Ctrl+I",), window.files.import_midi),
            Command("save", "&Save", ("Ctrl+S",), window.files.save),
            Command("save-as", "Save &as…", ("Ctrl+Shift+S",), window.files.save_as),
            Command("export", "&Export…", ("Ctrl+E",), window.files.export),
            Command("unsaved", "&Unsaved songs…", ("Ctrl+U",), window.files.show_unsaved),
            _GAP,
            Command("quit", "&Quit", ("Ctrl+Q",), window.close),
        ],
    )


def _edit(window: MainWindow) -> _Menu:
    roll, notes, editor = window.roll, window.notes, window.notes.editor

    def edits(do: Callable[[], object]) -> Callable[[], object]:
        return lambda: roll.edit(do)

    return (
        "&Edit",
        [
            Command("undo", "&Undo", ("Ctrl+Z",), edits(editor.undo), repeats=True),
            Command("redo", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), edits(editor.redo), repeats=True),
            _GAP,
            Command("cut", "Cu&t", ("Ctrl+X",), edits(notes.cut)),
            Command("copy", "&Copy", ("Ctrl+C",), edits(notes.copy)),
            Command("paste", "&Paste at the playhead", ("Ctrl+V",), edits(notes.paste)),
            Command("duplicate", "&Duplicate", ("Ctrl+D",), edits(notes.duplicate)),
            Command("delete", "De&lete", ("Del", "Backspace"), edits(notes.delete)),
            _GAP,
            Command("select-all", "Select &all", ("Ctrl+A",), roll.select_all),
            Command("select-notes", "Select single &notes", ("E",), edits(editor.name_notes)),
            Command("select-none", "Select n&othing", ("Ctrl+Shift+A",), lambda: roll.set_selection(None)),
        ],
    )


def _notes(window: MainWindow) -> _Menu:
    roll, notes, bars = window.roll, window.notes, window.bars

    def edits(do: Callable[[], object]) -> Callable[[], object]:
        return lambda: roll.edit(do)

    def edit(name: str, text: str, keys: str, do: Callable[[], object], *, repeats: bool = False) -> Command:
        return Command(name, text, (keys,) if keys else (), edits(do), repeats=repeats)

    return (
        "&Notes",
        [
            Command("draw", "&Draw notes", ("B",), window.switches.toggle_drawing, on=lambda: roll.drawing),
            _GAP,
            edit("semitone-up", "Semitone &up", "Ctrl+Up", lambda: notes.transpose(1), repeats=True),
            edit("semitone-down", "Semitone do&wn", "Ctrl+Down", lambda: notes.transpose(-1), repeats=True),
            edit("octave-up", "&Octave up", "Ctrl+Shift+Up", lambda: notes.transpose(12)),
            edit("octave-down", "O&ctave down", "Ctrl+Shift+Down", lambda: notes.transpose(-12)),
            edit("louder", "&Louder", "Ctrl+Alt+Up", lambda: notes.louder(1), repeats=True),
            edit("softer", "Sof&ter", "Ctrl+Alt+Down", lambda: notes.louder(-1), repeats=True),
            edit("quantise", "&Quantise", "Q", notes.quantise),
            edit("split", "&Split", "S", notes.split),
            edit("join", "&Join", "Ctrl+J", notes.join),
            _GAP,
            *(
                edit(f"to-{v.name}", f"To {TRACK_NAMES[v].lower()}", "", lambda v=v: notes.to_voice(v))  # type: ignore[misc]
                for v in (Voice.P1, Voice.P2, Voice.TR)
            ),
            _GAP,
            edit("insert-bars", "&Insert bars", "Ctrl+Shift+I", bars.insert),
            edit("duplicate-bars", "Duplicate &bars", "Ctrl+Shift+B", bars.duplicate),
            edit("delete-bars", "Delete ba&rs", "Ctrl+Shift+Del", bars.delete),
            edit("trim", "&End the song here", "", bars.trim),
        ],
    )


def _song(window: MainWindow) -> _Menu:
    takes = window.takes

    def take(key: int) -> Callable[[], object]:
        return lambda: takes.choose(None if key == 0 else key - 1)

    texts = ("Notes &before", "Take &1", "Take &2", "Take &3", "Take &4")
    return (
        "&Song",
        [
            Command("new", "&New", ("Ctrl+N",), window.new),
            Command("continue", "&Continue", ("Ctrl+Return",), window.studio.more),
            Command("regenerate", "&Regenerate the selection", ("Ctrl+R",), window.regenerate),
            Command("dynamics", "Compose &dynamics", ("Ctrl+Shift+D",), window.dynamics),
            Command("chords", "C&hords…", ("H",), window.roll.write_chord),
            _GAP,
            *(Command(f"take-{key}", text, (f"F{key + 1}",), take(key)) for key, text in enumerate(texts)),
        ],
    )


def _play(window: MainWindow) -> _Menu:
    playback = window.studio.playback
    return (
        "&Play",
        [
            Command("play", "&Play or stop", ("Space",), playback.toggle),
            Command("start", "To the &start", ("Ctrl+Home",), lambda: playback.seek(0)),
            Command(
                "loop",
                "&Loop the selection",
                ("Ctrl+L",),
                window.toggle_loop,
                on=lambda: playback.loop is not None,
            ),
            Command(
                "metronome",
                "&Metronome",
                ("K",),
                window.switches.toggle_metronome,
                on=lambda: playback.metronome.on,
            ),
            Command(
                "count-in",
                "&Count in a bar",
                (),
                window.switches.toggle_count_in,
                on=lambda: playback.counts_in,
            ),
            Command("tap", "&Tap the tempo", ("T",), window.transport.tap),
            Command(
                "hear",
                "&Hear selected notes",
                (),
                window.switches.toggle_hearing,
                on=lambda: window.notes.editor.hear,
            ),
            Command("panic", "All notes &off", ("Ctrl+.",), playback.panic),
        ],
    )


def _voices(window: MainWindow) -> _Menu:
    session, strips = window.studio.session, window.strips

    def toggles(verb: str, field: str, keys: str) -> list[Command | None]:
        return [
            Command(
                f"{field}-{voice.name}",
                f"{verb} {TRACK_NAMES[voice].lower()}",
                (f"{keys}{voice + 1}",),
                lambda v=voice: strips.toggle(v, field),  # type: ignore[misc]
                on=lambda v=voice: getattr(session.state.voices[v], field),  # type: ignore[misc]
            )
            for voice in Voice
        ]

    return (
        "&Voices",
        [
            *toggles("Mute", "muted", ""),
            _GAP,
            *toggles("Solo", "solo", "Alt+"),
            _GAP,
            *toggles("Lock", "locked", "Ctrl+"),
        ],
    )


def _view(window: MainWindow) -> _Menu:
    roll = window.roll

    def theme(name: str, text: str) -> Command:
        return Command(
            f"theme-{name}", text, (), lambda: window.use_theme(name), on=lambda: window.theme_name == name
        )

    return (
        "V&iew",
        [
            Command("zoom-in", "Zoom &in", ("Ctrl++", "Ctrl+="), lambda: roll.zoom(1.25), repeats=True),
            Command("zoom-out", "Zoom &out", ("Ctrl+-",), lambda: roll.zoom(0.8), repeats=True),
            Command("zoom-fit", "The whole &song", ("Ctrl+0",), roll.zoom_to_fit),
            _GAP,
            Command(
                "steering",
                "S&teering",
                ("F9",),
                window.switches.toggle_steering,
                on=lambda: not window.steering_dock.isHidden(),
            ),
            Command(
                "strips",
                "V&oices",
                ("F10",),
                window.switches.toggle_strips,
                on=lambda: not window.strips.isHidden(),
            ),
            Command(
                "volumes",
                "&Volumes of the notes",
                ("V",),
                window.switches.toggle_volumes,
                on=lambda: not window.volumes.isHidden(),
            ),
            Command(
                "follow-playhead",
                "&Follow the playhead",
                (),
                window.switches.toggle_follow,
                on=lambda: roll.follow,
            ),
            _GAP,
            theme("light", "&Light"),
            theme("dark", "&Dark"),
            theme("system", "As the s&ystem"),
        ],
    )


def _help(window: MainWindow) -> _Menu:
    return (
        "&Help",
        [
            Command("keys", "&Keys", ("Ctrl+F1",), window.show_keys),
            Command("manual", "&Manual", (), window.show_manual),
            _GAP,
            Command("about", "&About LakhNES", ("F12",), window.about),
        ],
    )


_MENUS = (_file, _edit, _notes, _song, _play, _voices, _view, _help)

CONTEXT = (
    ("cut", "copy", "paste", "duplicate", "delete"),
    ("semitone-up", "semitone-down", "octave-up", "octave-down", "louder", "softer"),
    ("quantise", "split", "join", "to-P1", "to-P2", "to-TR"),
    ("regenerate", "dynamics", "chords", "loop"),
    ("insert-bars", "duplicate-bars", "delete-bars", "trim"),
    ("select-notes", "select-all", "draw"),
)
"""Names of the commands in the context menu of the roll, in groups."""


class Menus:
    """The window's commands as actions, by name.

    Attributes:
        actions: the actions.
    """

    def __init__(self, window: MainWindow) -> None:
        """Fills a window's menu bar."""
        self.actions: dict[str, QAction] = {}
        self._switches: list[tuple[QAction, Callable[[], bool]]] = []
        for fill in _MENUS:
            title, commands = fill(window)
            menu = window.menuBar().addMenu(title)
            menu.setObjectName(title.replace("&", "").lower())
            menu.aboutToShow.connect(self.refresh)
            for command in commands:
                if command is None:
                    menu.addSeparator()
                else:
                    menu.addAction(self._action(command, window))

    def refresh(self) -> None:
        """Shows which switches are on."""
        for action, on in self._switches:
            action.setChecked(on())

    def context_menu(self, parent: QWidget) -> QMenu:
        """Return a menu of what can be done with what is selected."""
        menu = QMenu(parent)
        self.refresh()
        for group in CONTEXT:
            menu.addSeparator()
            for name in group:
                menu.addAction(self.actions[name])
        return menu

    def _action(self, command: Command, window: MainWindow) -> QAction:
        action = QAction(command.text, window)
        action.setObjectName(command.name)
        action.setShortcuts([QKeySequence(key) for key in command.keys])
        action.setAutoRepeat(command.repeats)
        action.triggered.connect(lambda: self._do(command))
        if command.on is not None:
            action.setCheckable(True)
            self._switches.append((action, command.on))
        self.actions[command.name] = action
        return action

    def _do(self, command: Command) -> None:
        command.do()
        if command.on is not None:
            self.refresh()  # the tick changed by itself, whatever became of it
