"""The window's menus: every command with its words, its keys and what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtGui import QAction, QKeySequence

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import Voice

if TYPE_CHECKING:
    from lakhnes.gui.main_window import MainWindow


class Command(NamedTuple):
    """Something that can be chosen from a menu."""

    name: str
    """Of the action, for whoever looks for it."""
    text: str
    """In the menu."""
    keys: tuple[str, ...]
    """Shortcuts."""
    do: Callable[[], object]
    repeats: bool = False
    """Whether it is done again and again while its keys are held."""


_GAP = None


def _menus(window: MainWindow) -> Iterable[tuple[str, list[Command | None]]]:
    studio, roll, takes, strips = window.studio, window.roll, window.takes, window.strips

    def toggles(verb: str, field: str, keys: str) -> list[Command | None]:
        return [
            Command(
                f"{field}-{voice.name}",
                f"{verb} {TRACK_NAMES[voice].lower()}",
                (f"{keys}{voice + 1}",),
                lambda v=voice: strips.toggle(v, field),  # type: ignore[misc]
            )
            for voice in Voice
        ]

    def take(key: int) -> Callable[[], object]:
        return lambda: takes.choose(None if key == 0 else key - 1)

    texts = ("As it was &before", "Take &1", "Take &2", "Take &3", "Take &4")
    yield (
        "&File",
        [
            Command("open", "&Open…", ("Ctrl+O",), window.open),
            Command("import", "&Import MIDI…", ("Ctrl+I",), window.import_midi),
            Command("save", "&Save", ("Ctrl+S",), window.save),
            Command("save-as", "Save &as…", ("Ctrl+Shift+S",), window.save_as),
            Command("export", "&Export…", ("Ctrl+E",), window.export),
            Command("unsaved", "&Unsaved songs…", ("Ctrl+U",), window.show_unsaved),
            _GAP,
            Command("quit", "&Quit", ("Ctrl+Q",), window.close),
        ],
    )
    yield (
        "&Edit",
        [
            Command("undo", "&Undo", ("Ctrl+Z",), studio.session.undo, repeats=True),
            Command("redo", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), studio.session.redo, repeats=True),
            _GAP,
            Command("select-all", "Select &all", ("Ctrl+A",), roll.select_all),
            Command("select-none", "Select &nothing", ("Ctrl+D",), lambda: roll.set_selection(None)),
        ],
    )
    yield (
        "&Song",
        [
            Command("new", "&New", ("Ctrl+N",), window.new),
            Command("continue", "&Continue", ("Ctrl+Return",), studio.more),
            Command("regenerate", "&Regenerate the selection", ("Ctrl+R",), window.regenerate),
            Command("dynamics", "Compose &dynamics", ("Ctrl+Shift+D",), window.dynamics),
            _GAP,
            *(Command(f"take-{key}", text, (f"F{key + 1}",), take(key)) for key, text in enumerate(texts)),
        ],
    )
    yield (
        "&Play",
        [
            Command("play", "&Play or stop", ("Space",), studio.playback.toggle),
            Command("start", "To the &start", ("Ctrl+Home",), lambda: studio.playback.seek(0)),
            Command("loop", "&Loop the selection", ("Ctrl+L",), window.toggle_loop),
            Command("tap", "&Tap the tempo", ("T",), window.transport.tap),
            Command("panic", "All notes &off", ("Ctrl+.",), studio.playback.panic),
        ],
    )
    yield (
        "&Voices",
        [
            *toggles("Mute", "muted", ""),
            _GAP,
            *toggles("Solo", "solo", "Alt+"),
            _GAP,
            *toggles("Lock", "locked", "Ctrl+"),
        ],
    )
    yield (
        "V&iew",
        [
            Command("zoom-in", "Zoom &in", ("Ctrl++", "Ctrl+="), lambda: roll.zoom(1.25), repeats=True),
            Command("zoom-out", "Zoom &out", ("Ctrl+-",), lambda: roll.zoom(0.8), repeats=True),
            Command("zoom-fit", "The whole &song", ("Ctrl+0",), roll.zoom_to_fit),
            _GAP,
            Command("theme-light", "&Light", (), lambda: window.use_theme("light")),
            Command("theme-dark", "&Dark", (), lambda: window.use_theme("dark")),
            Command("theme-system", "As the s&ystem", (), lambda: window.use_theme("system")),
        ],
    )
    yield "&Help", [Command("about", "&About LakhNES", ("F12",), window.about)]


def add_menus(window: MainWindow) -> dict[str, QAction]:
    """Fills a window's menu bar.

    Returns:
        The actions by the names of their commands.
    """
    actions: dict[str, QAction] = {}
    for title, commands in _menus(window):
        menu = window.menuBar().addMenu(title)
        menu.setObjectName(title.replace("&", "").lower())
        for command in commands:
            if command is None:
                menu.addSeparator()
                continue
            action = QAction(command.text, window)
            action.setObjectName(command.name)
            action.setShortcuts([QKeySequence(key) for key in command.keys])
            action.setAutoRepeat(command.repeats)
            action.triggered.connect(lambda _=False, do=command.do: do())
            menu.addAction(action)
            actions[command.name] = action
    return actions
