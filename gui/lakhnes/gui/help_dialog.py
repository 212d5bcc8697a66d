"""Help: every key, as the menus have them, what the mouse does in the roll, and the manual."""

from __future__ import annotations

import re
from contextlib import suppress
from html import escape
from pathlib import Path

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QMenu, QMenuBar, QTextBrowser, QVBoxLayout, QWidget

from lakhnes.gui.targets import give_room

_ROLL = (
    ("Click a note", "select and hear it; Ctrl or Shift: add or remove one"),
    ("Drag a note", "move it; Ctrl: copy it, Shift: ignore the step, Alt: change its volume"),
    ("Drag an end of a note", "resize it"),
    ("Double-click", "draw or delete a note; on the ruler: select a bar"),
    ("Drag over a lane, or the ruler", "select beats (Alt: sixteenths) or bars; Shift: extend"),
    ("Drag out of the selection", "drag it into the DAW as MIDI; Alt: one file per voice"),
    ("Click a voice's name", "select the whole voice"),
    ("Wheel", "scroll; Shift: sideways, Ctrl: zoom"),
    ("Arrows", "move the selection; Shift: extend it, Ctrl: by bars"),
    ("E, then arrows", "move the notes; Shift: octave, length; Alt: volume, next note; Ctrl: by bars"),
    ("Return, L, F, Z, +, -", "go to the selection, loop it, whole song, zoom"),
    ("Escape", "cancel the drag; clear the selection; return to the roll"),
)


def keys_text(menus: QMenuBar) -> str:
    """Return all keys of the menus as HTML."""
    parts = ["<h3>In the roll</h3><table>", *(_row(keys, text) for keys, text in _ROLL), "</table>"]
    for entry in menus.actions():
        menu = entry.menu()
        if not isinstance(menu, QMenu):
            continue
        rows = [
            _row(", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in keys), text)
            for action in menu.actions()
            if (keys := action.shortcuts()) and (text := action.text().replace("&", "").rstrip("…"))
        ]
        if rows:
            title = escape(menu.title().replace("&", ""))
            parts += [f"<h3>{title}</h3><table>", *rows, "</table>"]
    return "".join(parts)


def _row(keys: str, text: str) -> str:
    return f"<tr><td width='230'><b>{escape(keys)}</b></td><td>{escape(text)}</td></tr>"


def manual_text() -> str:
    """Return the manual as Markdown without pictures, or a sentence if it is missing."""
    for path in (Path(__file__).with_name("app.md"), Path(__file__).parents[3] / "docs/app.md"):
        with suppress(OSError, UnicodeDecodeError):
            return re.sub(r"!\[[^]]*\]\([^)]*\)", "", path.read_text("utf-8"))
    return "The manual is missing. Install LakhNES again to have it."


class HelpDialog(QDialog):
    """A window with text to read.

    Attributes:
        text: what is read.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        """Make an empty window; the caller sets its text."""
        super().__init__(parent)
        self.setWindowTitle(title)
        self.resize(680, 560)
        self.text = QTextBrowser()
        self.text.setObjectName(title.lower())
        self.text.setAccessibleName(title)
        self.text.setOpenLinks(False)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
        give_room(self)


def keys_dialog(menus: QMenuBar, parent: QWidget) -> HelpDialog:
    """Return a window with all keys of the menus."""
    dialog = HelpDialog("Keys", parent)
    dialog.text.setHtml(keys_text(menus))
    return dialog


def manual_dialog(parent: QWidget) -> HelpDialog:
    """Return a window with the manual."""
    dialog = HelpDialog("Manual", parent)
    dialog.text.setMarkdown(manual_text())
    return dialog
