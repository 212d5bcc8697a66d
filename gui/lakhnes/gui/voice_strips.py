"""A strip for each voice, as on a mixer, and one for the sound of all."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from lakhnes.apu import instrument_names
from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import Combo, Slider, Spin, caption, reading
from lakhnes.gui.flow import Flow, grouped
from lakhnes.gui.level_meter import LevelMeter
from lakhnes.gui.pitch_box import PitchBox
from lakhnes.gui.theme import GAP, LIGHT, SMALL_GAP, Theme
from lakhnes.runtime import Voice
from lakhnes.runtime.music.events import VOCABULARY_PITCHES
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import View

_FULL = 100  # volume sliders count in hundredths
_SWATCH = QSize(8, 16)
_SWITCHES = {"muted": ("Mute", "Unmute"), "solo": ("Solo", "No solo"), "locked": ("Lock", "Unlock")}
"""Names of the steps that switch a voice's setting on and off."""


class Swatch(QWidget):
    """A voice's colour and pattern, as its notes have them."""

    def __init__(self, voice: Voice, parent: QWidget | None = None) -> None:
        """Shows a voice."""
        super().__init__(parent)
        self._voice, self._theme = voice, LIGHT
        self.setFixedSize(_SWATCH)

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paints it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.note_brush(self._voice))
        painter.end()


class VoiceStrip(QFrame):
    """The settings of one voice, and how loud it is."""

    def __init__(self, studio: Studio, voice: Voice, parent: QWidget | None = None) -> None:
        """Controls a voice.

        Args:
            studio: that plays it.
            voice: which.
            parent: where it is.
        """
        super().__init__(parent)
        self._studio, self._voice = studio, voice
        name = TRACK_NAMES[voice]
        self.setObjectName(f"strip-{voice.name}")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.swatch = Swatch(voice)
        key = voice + 1
        self.mute = Button(f"Mute {name}", f"Mute {name} ({key})", text="M", checkable=True)
        self.solo = Button(f"Solo {name}", f"Hear {name} alone (Alt+{key})", text="S", checkable=True)
        self.lock = Button(
            f"Lock {name}",
            f"Keep its notes when other parts are regenerated (Ctrl+{key})",
            text="L",
            checkable=True,
        )
        self.volume = Slider(f"Volume of {name}", "Volume in the built-in sound", _FULL)
        self.meter = LevelMeter()
        self.instrument = Combo(f"Instrument of {name}", "Instrument in the built-in sound")
        self.instrument.addItems(instrument_names())
        self.channel = Spin(f"Channel of {name}", "MIDI channel", 1, 16)
        pitches, named = VOCABULARY_PITCHES[voice], voice is not Voice.NO
        self.lowest = PitchBox(f"Lowest pitch of {name}", "Lowest pitch to compose", pitches, named=named)
        self.highest = PitchBox(
            f"Highest pitch of {name}",
            "Highest pitch to compose",
            pitches,
            highest=True,
            named=named,
        )
        self._switches = {"muted": self.mute, "solo": self.solo, "locked": self.lock}
        self._lay_out(name)
        self._connect()
        self.show_state(studio.session.state)

    def show_state(self, state: SongState) -> None:
        """Shows a song's settings."""
        voice = state.voices[self._voice]
        for field, button in self._switches.items():
            with QSignalBlocker(button):
                button.setChecked(getattr(voice, field))
        self.volume.show_value(round(voice.volume * _FULL))
        if self.instrument.findText(voice.instrument) < 0:
            self.instrument.addItem(voice.instrument)
        self.instrument.setCurrentText(voice.instrument)
        self.channel.show_value(voice.channel)
        self.lowest.show_pitch(voice.lowest)
        self.highest.show_pitch(voice.highest)

    def toggle(self, field: str) -> None:
        """Switches `muted`, `solo` or `locked`."""
        on = not getattr(self._studio.session.state.voices[self._voice], field)
        label = f"{_SWITCHES[field][not on]} {TRACK_NAMES[self._voice]}"
        changes: dict[str, Any] = {field: on}
        self._studio.session.change_voice(label, self._voice, **changes)

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self.swatch.set_theme(theme)
        self.meter.set_theme(theme, theme.voices[self._voice])
        for button, colour in ((self.mute, theme.mute), (self.solo, theme.solo), (self.lock, theme.lock)):
            button.set_down_colour(colour)

    def _change(self, label: str, name: str, **changes: Any) -> None:
        label = f"{label} of {TRACK_NAMES[self._voice]}"
        key = f"{self._voice.name} {name}"
        self._studio.session.change_voice(label, self._voice, key=key, **changes)

    def _limit(self, name: str, pitch: int | None) -> None:
        """Takes a limit; the other one goes along where they would cross."""
        changes: dict[str, int | None] = {name: pitch}
        lowest, highest = self.lowest.pitch, self.highest.pitch
        if lowest is not None and highest is not None and lowest > highest:
            changes = {"lowest": pitch, "highest": pitch}
        self._change("Range", "range", **changes)

    def _lay_out(self, name: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(SMALL_GAP, SMALL_GAP, SMALL_GAP, SMALL_GAP)
        column.setSpacing(SMALL_GAP)
        title = _bold(QLabel(name))
        title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        title.setMinimumWidth(title.fontMetrics().horizontalAdvance("Pulse 1"))
        rows: tuple[tuple[tuple[QWidget, int], ...], ...] = (
            ((self.swatch, 0), (title, 1), *((button, 0) for button in self._switches.values())),
            ((self.volume, 1),),
            ((self.meter, 1),),
            ((self.instrument, 1), (caption("Ch.", self.channel), 0), (self.channel, 0)),
            ((caption("Range", self.lowest), 0), (self.lowest, 1), (caption("to", self.highest), 0),
             (self.highest, 1)),
        )  # fmt: skip
        for widgets in rows:
            row = QHBoxLayout()
            row.setSpacing(SMALL_GAP)
            for widget, stretch in widgets:
                row.addWidget(widget, stretch)
            column.addLayout(row)

    def _connect(self) -> None:
        for field, button in self._switches.items():
            button.clicked.connect(lambda _=False, name=field: self.toggle(name))
        self.volume.valueChanged.connect(lambda value: self._change("Volume", "volume", volume=value / _FULL))
        self.instrument.activated.connect(
            lambda: self._change("Instrument", "instrument", instrument=self.instrument.currentText())
        )
        self.channel.valueChanged.connect(lambda value: self._change("Channel", "channel", channel=value))
        self.lowest.chosen.connect(lambda pitch: self._limit("lowest", pitch))
        self.highest.chosen.connect(lambda pitch: self._limit("highest", pitch))


class MasterStrip(QWidget):
    """The built-in sound as a whole. It is mute while its volume is 0."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        """Controls a studio's sound."""
        super().__init__(parent)
        self._studio = studio
        self._before = SongState().volume  # what unmuting goes back to
        self.setObjectName("strip-master")
        self.mute = Button("Mute the sound", "Mute the built-in sound", text="M", checkable=True)
        self.volume = Slider("Volume", "Volume of the built-in sound", _FULL)
        self.level = reading("volume-level")
        self.level.setMinimumWidth(self.level.fontMetrics().horizontalAdvance("muted"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SMALL_GAP)
        for widget in (caption("Volume", self.volume), self.mute, self.volume, self.level):
            row.addWidget(widget)
        self.volume.valueChanged.connect(self._set_volume)
        self.mute.clicked.connect(self._mute)
        self.show_state(studio.session.state)

    def show_state(self, state: SongState) -> None:
        """Shows a song's settings."""
        if state.volume > 0:
            self._before = state.volume
        self.volume.show_value(round(state.volume * _FULL))
        with QSignalBlocker(self.mute):
            self.mute.setChecked(state.volume == 0)
        self.level.setText("muted" if state.volume == 0 else f"{state.volume:.0%}")

    def _set_volume(self, value: int) -> None:
        self._studio.session.change("Volume", key="volume", volume=value / _FULL)

    def _mute(self, on: bool) -> None:
        label = "Mute the sound" if on else "Unmute the sound"
        self._studio.session.change(label, volume=0.0 if on else self._before)


class VoiceStrips(QWidget):
    """The strips of all voices, side by side.

    Attributes:
        strips: of each voice.
        master: the strip of the whole sound, for the owner to place.
    """

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        """Controls a studio's voices."""
        super().__init__(parent)
        self.strips = {voice: VoiceStrip(studio, voice) for voice in Voice}
        self.master = MasterStrip(studio)
        self.setObjectName("strips")
        pairs = Flow(self)
        for first, second in ((Voice.P1, Voice.P2), (Voice.TR, Voice.NO)):
            pairs.add(grouped(self.strips[first], self.strips[second], gap=GAP), stretch=True)

    def show_state(self, state: SongState) -> None:
        """Shows a song's settings."""
        for strip in self.strips.values():
            strip.show_state(state)
        self.master.show_state(state)

    def show_view(self, view: View) -> None:
        """Shows how loud the voices are."""
        for voice, strip in self.strips.items():
            strip.meter.set_level(view.peaks[voice])

    def toggle(self, voice: Voice, field: str) -> None:
        """Switches `muted`, `solo` or `locked` of a voice."""
        self.strips[voice].toggle(field)

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        for strip in self.strips.values():
            strip.set_theme(theme)
        self.master.mute.set_down_colour(theme.mute)


def _bold(label: QLabel) -> QLabel:
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
