"""Where music goes: a MIDI port of our own or another program's, and the built-in sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from lakhnes.bridge import list_ports
from lakhnes.gui.buttons import Button
from lakhnes.gui.naming import named
from lakhnes.runtime import LakhnesError
from lakhnes.runtime.printable import printable
from lakhnes.studio.jobs import Job
from lakhnes.studio.studio import Choice, Studio
from lakhnes.studio.view import Message, View

_OWN = "Own port, LakhNES"
_NONE = "No MIDI"
_MOST_PIXELS = 220


def _names() -> list[str]:
    return sorted({port.name for port in list_ports() if port.direction == "output"})


class OutputsBar(QWidget):
    """A button for the MIDI port, with a menu of what there is, and a switch for the sound.

    Signals:
        chosen: where MIDI goes now (None, (), or names), and whether sound is on.
    """

    chosen = Signal(object, bool)

    def __init__(
        self,
        studio: Studio,
        ports: Choice = (),
        *,
        sound: bool = True,
        names: Callable[[], Sequence[str]] = _names,
        parent: QWidget | None = None,
    ) -> None:
        """Shows a studio's outputs.

        Args:
            studio: what plays.
            ports: where MIDI goes at first.
            sound: whether the built-in sound is on at first.
            names: finds the MIDI ports that one can send to; it may take its time.
            parent: where it is.
        """
        super().__init__(parent)
        self._studio, self._names = studio, names
        self._ports = ports
        self._shown: tuple[tuple[str, ...], str | None, bool] | None = None
        self.port = Button("MIDI port", "MIDI output for the four voices", text=_NONE)
        self.port.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self.look)
        self.port.setMenu(self.menu)
        self.port.clicked.connect(self.port.showMenu)  # by the keyboard
        tip = "Play the song on the built-in 2A03 sound chip"
        self.sound = Button("Built-in sound", tip, text="Sound output", checkable=True)
        self.sound.setChecked(sound)
        self.sound.toggled.connect(self._switch_sound)
        self.place = named(QLabel(), "sound-output")
        for widget in (self.port, self.place):  # names of ports may be long
            widget.setMaximumWidth(_MOST_PIXELS)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        caption = QLabel("&MIDI")
        caption.setBuddy(self.port)
        for widget in (caption, self.port, self.sound, self.place):
            row.addWidget(widget)
        self._fill(())
        self.show_view(View())

    def show_view(self, view: View) -> None:
        """Shows where music really goes."""
        shown = view.ports, view.sound, self.sound.isChecked() and view.ready
        if shown == self._shown:
            return
        self._shown = shown
        self.port.setText(printable(", ".join(view.ports)) if view.ports else _NONE)
        self.place.setText(f"to {view.sound}" if view.sound else "no output" if shown[2] else "")

    def look(self) -> None:
        """Looks which ports there are; the menu gets them when they are known."""
        job = Job("Looking for MIDI ports", quiet=True)
        self._studio.jobs.start(job, lambda _: self._found(), self._fill, lane="look")

    def _found(self) -> Sequence[str]:
        try:
            return self._names()
        except LakhnesError as error:
            text = str(error)
            self._studio.jobs.post(lambda: self._studio.say(Message(text, error=True)))
            return ()

    def _fill(self, names: Sequence[str]) -> None:
        self.menu.clear()
        group = QActionGroup(self.menu)
        choices: list[tuple[str, Choice]] = [(_OWN, ()), (_NONE, None)]
        choices += [(name, (name,)) for name in names]
        for place, (text, choice) in enumerate(choices):
            if place == 2:
                self.menu.addSeparator()
            action = QAction(printable(text).replace("&", "&&"), group)
            action.setCheckable(True)
            action.setChecked(choice == self._ports)
            action.triggered.connect(lambda _=False, wanted=choice: self._choose(wanted))
            self.menu.addAction(action)

    def _choose(self, ports: Choice) -> None:
        self._ports = ports
        self._studio.use_ports(ports)
        self.chosen.emit(ports, self.sound.isChecked())

    def _switch_sound(self, on: bool) -> None:
        self._studio.use_sound(on)
        self.chosen.emit(self._ports, on)
