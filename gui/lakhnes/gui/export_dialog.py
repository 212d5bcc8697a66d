"""The export dialog: which voices and bars, and which file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.gui.naming import named
from lakhnes.gui.targets import give_room
from lakhnes.runtime import Voice
from lakhnes.studio.exports import ExportRequest, heard
from lakhnes.studio.file_formats import MIDI, WRITTEN, FileFormat
from lakhnes.studio.selecting import Selection
from lakhnes.studio.state import SongState


@dataclass(frozen=True, slots=True)
class Form:
    """A choice in the dialog: a file format, and how its notes are timed if it has several ways."""

    format: FileFormat
    way: str = ""
    """The difference to the other choices of this format, for people; empty for the only one."""
    exact: bool = False
    raw: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.format.name}{self.way} ({self.format.ending})"


_WAYS = {
    MIDI: (
        Form(MIDI, " for DAWs, aligned to bars and beats"),
        Form(MIDI, " for DAWs, raw timing", raw=True),
        Form(MIDI, " with exact chip values", exact=True),
    )
}

FORMS = tuple(form for written in WRITTEN for form in _WAYS.get(written, (Form(written),)))
"""The choices: every format that is written."""

_RATES = (44_100, 48_000, 96_000)


class ExportDialog(QDialog):
    """Asks; what is wanted goes to a function.

    Attributes:
        form: the choice of the kind of file.
    """

    def __init__(
        self,
        state: SongState,
        selection: Selection | None,
        ask: Callable[[str, str], str],
        export: Callable[[ExportRequest], bool],
        parent: QWidget | None = None,
    ) -> None:
        """Asks about a song.

        Args:
            state: the song.
            selection: what is selected; None for nothing.
            ask: asks for a file, given an ending and a filter; empty for none.
            export: takes what is wanted; whether it is done, or another file is to be asked for.
            parent: where it is.
        """
        super().__init__(parent)
        self.setWindowTitle("Export")
        self._heard, self._selection, self._ask, self._export = heard(state), selection, ask, export
        self.form = named(QComboBox(), "form")
        self.form.addItems([form.name for form in FORMS])
        self.voices = {voice: named(QCheckBox(TRACK_NAMES[voice]), f"voice-{voice.name}") for voice in Voice}
        self.selected = named(QCheckBox("&Selection only"), "selected")
        self.selected.setEnabled(selection is not None)
        self.selected.setChecked(selection is not None)
        self._choose_voices()
        self.selected.toggled.connect(self._choose_voices)
        self.rate = named(QComboBox(), "rate")
        for rate in _RATES:
            self.rate.addItem(f"{rate:,} Hz", rate)
        self.bits = named(QComboBox(), "bits")
        for bits in (24, 16):
            self.bits.addItem(f"{bits} bits", bits)
        self.stereo = named(QCheckBox("S&tereo with spread voices"), "stereo")
        self.stems = named(QCheckBox("One file per &voice"), "stems")
        self.stereo.toggled.connect(lambda on: self.stems.setChecked(self.stems.isChecked() and not on))
        self.stems.toggled.connect(lambda on: self.stereo.setChecked(self.stereo.isChecked() and not on))
        self.loops = named(QCheckBox("Loop from the end to the &beginning"), "loops")
        self.provenance = named(QCheckBox("Say how the &music was made"), "provenance")
        self.provenance.setToolTip("Model, seed, settings and hand edits; no names and no paths")
        self.provenance.setChecked(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.go = self.buttons.addButton("&Export…", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setObjectName("export")
        self.buttons.accepted.connect(self._go)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        give_room(self)
        self.form.currentIndexChanged.connect(self._fit)
        for box in self.voices.values():
            box.toggled.connect(self._fit)
        self._fit()

    def request(self, path: Path) -> ExportRequest:
        """Return the request for an export to a file."""
        form = FORMS[self.form.currentIndex()]
        return ExportRequest(
            path,
            voices=frozenset(voice for voice, box in self.voices.items() if box.isChecked()),
            span=self._selection.span if self._selection and self.selected.isChecked() else None,
            exact=form.exact,
            raw_timing=form.raw,
            sample_rate=self.rate.currentData(),
            bits=self.bits.currentData(),
            stereo=form.format.sound and self.stereo.isChecked(),
            stems=form.format.sound and self.stems.isChecked(),
            loops=form.format.loops and self.loops.isChecked(),
            provenance=self.provenance.isChecked(),
        )

    def _go(self) -> None:
        form = FORMS[self.form.currentIndex()]
        ending = form.format.ending
        while name := self._ask(ending, f"{form.name.split(' (')[0]} (*{ending})"):
            path = Path(name if name.lower().endswith(ending) else name + ending)
            if self._export(self.request(path)):
                self.accept()
                return

    def _choose_voices(self) -> None:
        """Checks the voices that are selected, as dragging takes them; else those that are heard."""
        chosen = self._heard
        if self._selection is not None and self.selected.isChecked():
            chosen = self._selection.voices
        for voice, box in self.voices.items():
            box.setChecked(voice in chosen)

    def _fit(self) -> None:
        """Lets those options be set that the kind of file has; nothing moves."""
        written = FORMS[self.form.currentIndex()].format
        for widget in (self.rate, self.stereo, self.stems):
            widget.setEnabled(written.sound)
        self.bits.setEnabled(written.bit_depth)
        self.loops.setEnabled(written.loops)
        self.go.setEnabled(any(box.isChecked() for box in self.voices.values()))

    def _lay_out(self) -> None:
        rows = QFormLayout()
        rows.addRow("&Format", self.form)
        four = QHBoxLayout()
        for box in self.voices.values():
            four.addWidget(box)
        rows.addRow("Voices", four)
        rows.addRow("", self.selected)
        rows.addRow("&Rate", self.rate)
        rows.addRow("&Depth", self.bits)
        for widget in (self.stereo, self.stems, self.loops, self.provenance):
            rows.addRow("", widget)
        column = QVBoxLayout(self)
        column.addLayout(rows)
        column.addStretch(1)
        column.addWidget(self.buttons)
