"""A key and a scale, as two lists."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from lakhnes.gui.fields import ANY, Combo
from lakhnes.runtime.music.scales import NOTE_NAMES, SCALES

_KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""By pitch class, as musicians write them."""

_SIGNS = str.maketrans("#b", "♯♭")


def key_and_scale(text: str) -> tuple[int, str] | None:
    """Return the pitch class of the key and the name of the scale for a text such as `a minor`.

    Args:
        text: as `parse_scale` reads it.

    Returns:
        None if it is nothing of the kind, such as pitch classes.
    """
    words = text.lower().split(maxsplit=1)
    if not words or words[0][0] not in NOTE_NAMES:
        return None
    name = words[1].replace(" ", "-") if len(words) == 2 else "major"
    sharps = words[0].count("#") - words[0][1:].count("b")
    return ((NOTE_NAMES[words[0][0]] + sharps) % 12, name) if name in SCALES else None


class ScaleBox(QWidget):
    """Which notes melodies keep to; a scale of another kind, from a file, is one more key.

    Signals:
        changed: the scale's text that a user chose; empty for none.
    """

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Shows that any notes may come."""
        super().__init__(parent)
        self.key = Combo("Key", "The key of the melodies")
        self.key.addItem(ANY, ANY)
        for pitch_class, name in enumerate(_KEYS):
            self.key.addItem(name.translate(_SIGNS), pitch_class)
        self.scale = Combo("Scale", "The scale of the melodies; choose a key first")
        for name in SCALES:
            self.scale.addItem(name.replace("-", " "), name)
        self.setFocusProxy(self.key)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.key)
        row.addWidget(self.scale, 1)
        self._text = ""
        self._show()
        for combo in (self.key, self.scale):
            combo.activated.connect(self._chosen)

    @property
    def text(self) -> str:
        """The scale as `parse_scale` reads it; empty for none."""
        return self._text

    def show_text(self, text: str) -> None:
        """Shows a scale and says nothing."""
        if text != self._text:
            self._text = text
            self._show()

    def _show(self) -> None:
        while self.key.count() > len(_KEYS) + 1:
            self.key.removeItem(self.key.count() - 1)
        found = key_and_scale(self._text)
        if found is not None:
            self.key.setCurrentIndex(1 + found[0])
            self.scale.setCurrentIndex(self.scale.findData(found[1]))
        elif self._text:
            self.key.addItem(self._text, self._text)
            self.key.setCurrentIndex(self.key.count() - 1)
        else:
            self.key.setCurrentIndex(0)
        self.scale.setEnabled(found is not None)

    def _chosen(self) -> None:
        key = self.key.currentData()
        if isinstance(key, int):
            text = f"{_KEYS[key].lower()} {self.scale.currentData()}"
        else:
            text = "" if key == ANY else self.key.currentText()
        if text == self._text or (key_and_scale(text) is not None and _same(text, self._text)):
            return
        self.show_text(text)
        self.changed.emit(text)


def _same(one: str, other: str) -> bool:
    """Return whether two texts name the same key and scale, such as `c# minor` and `Db minor`."""
    return key_and_scale(one) == key_and_scale(other)
