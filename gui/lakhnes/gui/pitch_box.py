"""Pitches by the names of their notes, and a field for one."""

from __future__ import annotations

import re

from PySide6.QtCore import Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QWidget

from lakhnes.gui.fields import ANY, Spin
from lakhnes.runtime.music.scales import NOTE_NAMES

_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NOTE = re.compile(r"([a-g])([#b]?)(-?\d{1,2})")


def note_name(pitch: int) -> str:
    """Return the name of a MIDI pitch: 60 is C4."""
    return f"{_PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def note_pitch(name: str) -> int | None:
    """Return the MIDI pitch of a name such as `C4`, `f#3` or `Bb2`; None for any other text."""
    match = _NOTE.fullmatch(name.strip().lower())
    if match is None:
        return None
    letter, accidental, octave = match.groups()
    return (int(octave) + 1) * 12 + NOTE_NAMES[letter] + {"#": 1, "b": -1, "": 0}[accidental]


class PitchBox(Spin):
    """A pitch of a voice, or any, which lies beyond the end where it does not limit.

    Signals:
        chosen: the MIDI pitch that a user set, None for any.
    """

    chosen = Signal(object)

    def __init__(
        self,
        name: str,
        tip: str,
        pitches: range,
        *,
        highest: bool = False,
        named: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        """Make a field.

        Args:
            name: what it is, as it is read out.
            tip: the tooltip.
            pitches: that the voice plays.
            highest: whether it limits from above.
            named: whether pitches have names of notes, rather than numbers.
            parent: where it is.
        """
        self._any = pitches[-1] + 1 if highest else pitches[0] - 1
        self._named = named
        super().__init__(name, tip, min(pitches[0], self._any), max(pitches[-1], self._any), parent)
        self.valueChanged.connect(self._changed)
        self.show_pitch(None)

    @property
    def pitch(self) -> int | None:
        """The shown pitch; None for any."""
        return None if self.value() == self._any else self.value()

    def show_pitch(self, pitch: int | None) -> None:
        """Shows a pitch and says nothing."""
        self.show_value(self._any if pitch is None else pitch)

    def textFromValue(self, value: int) -> str:  # noqa: N802 - Qt's name
        """Return the name of a pitch."""
        if value == self._any:
            return ANY
        return note_name(value) if self._named else str(value)

    def valueFromText(self, text: str) -> int:  # noqa: N802 - Qt's name
        """Return the pitch of a name, or the current one for any other text."""
        value = self._read(text)
        return self.value() if value is None else value

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        """Return whether a text is a pitch, may become one, or cannot."""
        value = self._read(text)
        if value is not None and self.minimum() <= value <= self.maximum():
            state = QValidator.State.Acceptable
        elif re.fullmatch(r"a?n?y?|[a-g]?[#b]?-?\d{0,3}", text.strip().lower()):
            state = QValidator.State.Intermediate
        else:
            state = QValidator.State.Invalid
        return state, text, place

    def fixup(self, text: str) -> str:
        """Return the previous text for an unfinished one."""
        return self.textFromValue(self.value())

    def _read(self, text: str) -> int | None:
        text = text.strip().lower()
        if text in (ANY, ""):
            return self._any
        if text.isdecimal():
            return int(text)
        return note_pitch(text) if self._named else None

    def _changed(self, value: int) -> None:
        self.chosen.emit(self.pitch)
