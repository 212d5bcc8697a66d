"""The import dialog: which tracks of a MIDI file the voices play."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.bridge.lines import Line
from lakhnes.bridge.voice_choice import NOTHING
from lakhnes.gui.buttons import Button
from lakhnes.gui.naming import named
from lakhnes.gui.targets import give_room
from lakhnes.runtime import Voice
from lakhnes.studio.studio import Studio

_HEIGHT, _WIDTH = 36, 320
_LOOK_MS = 50
_SILENT = "Tracks play on the built-in sound. Switch it on first."


class TrackPreview(QWidget):
    """The notes of a track as a small piano roll, over the time of the whole file."""

    def __init__(self, line: Line, end: int) -> None:
        """Shows a track.

        Args:
            line: the track.
            end: samples of the whole file.
        """
        super().__init__()
        self._notes = line.notes
        self._end = max(1, end)
        pitches = [note.pitch for note in line.notes]
        self._low, self._high = min(pitches), max(pitches)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"The notes of {line.label}")

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows whether a track is a melody or chords."""
        return QSize(_WIDTH, _HEIGHT)

    def boxes(self) -> list[QRectF]:
        """Return the rectangles of the notes, in pixels."""
        step = self.height() / (self._high - self._low + 1)
        scale = self.width() / self._end
        return [
            QRectF(
                note.onset * scale,
                (self._high - note.pitch) * step,
                max(1.0, (note.end - note.onset) * scale),
                max(1.5, step),
            )
            for note in self._notes
        ]

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the notes."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().base())
        for box in self.boxes():
            painter.fillRect(box, self.palette().highlight())


class ImportDialog(QDialog):
    """Shows the tracks of a file and asks which of them each voice plays.

    Attributes:
        voices: the choice for each voice.
        arpeggio: whether chords become arpeggios.
        hear: the play button of each track.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        take: Callable[[str, bool], object],
        studio: Studio,
        parent: QWidget | None = None,
    ) -> None:
        """Asks about a file.

        Args:
            lines: its tracks that have notes.
            take: takes what the voices are to play, as `lines_of_voices` reads it, and whether chords become
                arpeggios.
            studio: plays the beginning of a track.
            parent: where it is.
        """
        super().__init__(parent)
        self.setWindowTitle("Import MIDI")
        self._take, self._lines, self._studio = take, lines, studio
        self.hear = [self._hear_button(line) for line in lines]
        self.voices = {voice: named(QComboBox(), f"plays-{voice.name}") for voice in Voice}
        for box in self.voices.values():
            box.addItem("Best match", "")
            for line in lines:
                box.addItem(f"{line.number}  {line.label}", str(line.number))
            box.addItem("Nothing", NOTHING)
        self.arpeggio = named(QCheckBox("Play &chords as arpeggios if one voice has them"), "arpeggio")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.go = self.buttons.addButton("&Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setObjectName("import")
        self.buttons.accepted.connect(self._go)
        self.buttons.rejected.connect(self.reject)
        self._lay_out(lines)
        give_room(self)
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self._show_heard)
        self._timer.start()
        self._show_heard()

    @property
    def choice(self) -> str:
        """The chosen tracks, as `lines_of_voices` reads them."""
        chosen = {voice: box.currentData() for voice, box in self.voices.items()}
        return ",".join(f"{voice.name}={wanted}" for voice, wanted in chosen.items() if wanted)

    def done(self, result: int) -> None:
        """Stop the sound, however the dialog is closed."""
        self._timer.stop()
        self._studio.playback.audition.stop()
        super().done(result)

    def _hear_button(self, line: Line) -> Button:
        button = Button(f"Hear track {line.number}", "", shape="play", checkable=True)
        button.setAutoRaise(True)

        def hear() -> None:
            self._studio.playback.hear(line)
            self._show_heard()

        button.clicked.connect(hear)
        return button

    def _show_heard(self) -> None:
        """Show which track plays, and whether any can."""
        audition = self._studio.playback.audition
        possible = audition.possible
        for line, button in zip(self._lines, self.hear, strict=True):
            heard = audition.line is line
            button.setEnabled(possible)
            button.setChecked(heard)
            button.set_shape("stop" if heard else "play")
            button.setToolTip(
                ("Stop" if heard else f"Play the start of {line.label}") if possible else _SILENT
            )

    def _go(self) -> None:
        self._take(self.choice, self.arpeggio.isChecked())
        self.accept()

    def _lay_out(self, lines: Sequence[Line]) -> None:
        tracks = QWidget()
        grid = QGridLayout(tracks)
        grid.setColumnStretch(1, 1)
        end = max(note.end for line in lines for note in line.notes)
        for row, line in enumerate(lines):
            kind = "drums" if line.drums else f"{len(line.notes)} notes"
            grid.addWidget(QLabel(f"{line.number}  {line.label}\n{kind}"), row, 0)
            grid.addWidget(TrackPreview(line, end), row, 1)
            grid.addWidget(self.hear[row], row, 2)
        scroll = QScrollArea()
        scroll.setWidget(tracks)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumSize(_WIDTH + 200, min(10, len(lines) + 1) * (_HEIGHT + 8))
        rows = QFormLayout()
        for voice, box in self.voices.items():
            rows.addRow(TRACK_NAMES[voice], box)
        rows.addRow("", self.arpeggio)
        column = QVBoxLayout(self)
        column.addWidget(scroll, 1)
        column.addLayout(rows)
        column.addWidget(self.buttons)
