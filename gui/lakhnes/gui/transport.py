"""The transport: play and loop, place and tempo, whose clock counts, and how well time is kept."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QButtonGroup, QLabel, QWidget

from lakhnes.gui.buttons import Button, pixmap
from lakhnes.gui.elided_label import ElidedLabel
from lakhnes.gui.fields import DoubleSpin, Spin, caption, reading
from lakhnes.gui.flow import Flow, grouped
from lakhnes.gui.tap_tempo import TapTempo
from lakhnes.gui.theme import LARGE_TYPE, LIGHT, Theme
from lakhnes.gui.transport_texts import clock_text, late_text, matters, place_text, time_text
from lakhnes.runtime.time.grid import TEMPI_BPM
from lakhnes.studio.jobs import Job
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import View

_TEMPO_TIP = "Tempo in beats per minute; type a value or use the arrow keys"
_TEMPO_FOLLOWED = "The DAW sets the tempo"
_METRE_TIP = "Beats per bar"
_METRE_FIXED = "The song already has bars; set this before a new song starts"
_LATE_TIP = (
    "Late: number of events sent more than 10 ms late, of all events, and the longest delay.\n"
    "Gap: the music was not composed in time; set more bars ahead."
)


class TransportBar(QWidget):
    """Buttons and numbers above the roll.

    Attributes:
        news: state of clock and composer, for the owner of the bar to place.
        late: timing of the sent events, likewise.

    Signals:
        loop_toggled: whether the selection is to be a loop, or no loop any more.
    """

    loop_toggled = Signal(bool)

    def __init__(
        self, studio: Studio, *, now: Callable[[], float] = time.perf_counter, parent: QWidget | None = None
    ) -> None:
        """Controls a studio.

        Args:
            studio: what plays.
            now: the time of taps.
            parent: where it is.
        """
        super().__init__(parent)
        self._studio, self._now = studio, now
        self._taps = TapTempo()
        self._theme = LIGHT
        self._view = View()
        self._selected = False
        self._following: list[Job] = []
        self._make_buttons()
        self._make_numbers()
        self._make_clock()
        self._lay_out()
        self._connect()
        self.show_state(studio.session.state)
        self._show_all()

    # State

    def show_state(self, state: SongState) -> None:
        """Shows a song's settings."""
        with QSignalBlocker(self.endless):
            self.endless.setChecked(state.endless)
        self.beats_per_bar.show_value(state.beats_per_bar)
        unheard = state.kept == 0
        self.beats_per_bar.setEnabled(unheard)
        self.beats_per_bar.setToolTip(_METRE_TIP if unheard else _METRE_FIXED)
        self._show_place()

    def show_view(self, view: View) -> None:
        """Shows where and how the song is played."""
        old, self._view = self._view, view
        self._show_place()
        if (view.ready, view.playing, view.following, view.loop) != (
            old.ready,
            old.playing,
            old.following,
            old.loop,
        ):
            self._show_buttons()
        if (view.clock, view.following) != (old.clock, old.following) or self._following:
            self._show_clock()
        if (view.sent, view.late, view.worst_seconds, view.gaps) != (
            old.sent,
            old.late,
            old.worst_seconds,
            old.gaps,
        ):
            self._show_late()
        self._show_composing()

    def show_selection(self, selection: object) -> None:
        """Lets the loop be switched on where something is selected; None for nothing."""
        self._selected = selection is not None
        self._show_buttons()

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self._show_clock()
        self._show_late()

    # User actions

    def tap(self) -> None:
        """Takes a tap of the tempo; the DAW's tempo is not ours to change."""
        if self._view.following:
            return
        bpm = self._taps.tap(self._now())
        if bpm is not None:
            self._studio.set_bpm(bpm)

    def _follow(self, midi: bool) -> None:
        before = self._studio.jobs.running
        self._studio.playback.follow(midi)
        self._following = [job for job in self._studio.jobs.running if job not in before]
        self._show_clock()

    def _set_endless(self, on: bool) -> None:
        self._studio.session.change("Endless" if on else "Not endless", endless=on)

    def _set_metre(self, beats: int) -> None:
        self._studio.set_beats_per_bar(beats)

    # Display

    def _show_all(self) -> None:
        self._show_place()
        self._show_buttons()
        self._show_clock()
        self._show_composing()
        self._show_late()

    def _show_place(self) -> None:
        view, state = self._view, self._studio.session.state
        bpm = view.bpm if view.following else state.bpm
        self.tempo.show_value(bpm)
        place = place_text(state, view.place)
        if place != self.place.text():
            self.place.setText(place)
        passed = time_text(view.place, bpm)
        if passed != self.time.text():
            self.time.setText(passed)

    def _show_buttons(self) -> None:
        view = self._view
        ours = not view.following
        self.play.setText("Stop" if view.playing else "Play")
        self.play.set_shape("stop" if view.playing else "play")
        self.play.setAccessibleName(self.play.text())
        self.play.setEnabled(ours and view.ready)
        self.play.setToolTip(f"{self.play.text()} (Space)" if ours else "The DAW starts and stops playback")
        self.start.setEnabled(ours and view.ready)
        with QSignalBlocker(self.loop):
            self.loop.setChecked(view.loop is not None)
        self.loop.setEnabled(ours and (self._selected or view.loop is not None))
        self.tap_button.setEnabled(ours)
        self.tempo.setReadOnly(not ours)
        symbols = DoubleSpin.ButtonSymbols
        self.tempo.setButtonSymbols(symbols.UpDownArrows if ours else symbols.NoButtons)
        self.tempo.setToolTip(_TEMPO_TIP if ours else _TEMPO_FOLLOWED)

    def _show_clock(self) -> None:
        running = self._studio.jobs.running
        self._following = [job for job in self._following if job in running]
        if not self._following:  # else what was asked for is on its way
            (self.daw if self._view.following else self.own).setChecked(True)
        text, shape = clock_text(self._view)
        colour = {
            "error": self._theme.error,
            "play": self._theme.accent,
        }.get(shape, self._theme.faint_text)
        palette = self.clock_status.palette()
        palette.setColor(self.clock_status.foregroundRole(), colour)
        self.clock_status.setPalette(palette)
        self.clock_status.setText(text)
        self.clock_shape.setPixmap(pixmap(shape, colour, ratio=self.devicePixelRatioF()))

    def _show_late(self) -> None:
        text = late_text(self._view)
        self.late.setText(text)
        self.late.setToolTip(f"{text}\n{_LATE_TIP}" if text else _LATE_TIP)
        colour = self._theme.error if matters(self._view) else self._theme.faint_text
        palette = self.late.palette()
        palette.setColor(self.late.foregroundRole(), colour)
        self.late.setPalette(palette)

    def _show_composing(self) -> None:
        if not self._view.ready:
            text = "loading the model" if self._studio.jobs.running else "no model"
        else:
            text = "composing" if self._view.waiting else ""
        text = f"· {text}" if text else ""
        if text != self.composing.text():
            self.composing.setText(text)

    # Construction

    def _make_buttons(self) -> None:
        self.start = Button("To the start", "To the start (Ctrl+Home)", shape="start")
        self.play = Button("Play", "Play (Space)", shape="play", text="Play")
        self.play.setMinimumWidth(72)
        self.loop = Button("Loop", "Loop the selection (Ctrl+L)", shape="loop", checkable=True)
        self.endless = Button(
            "Endless", "Keep composing as the end of the song comes near", shape="endless", checkable=True
        )

    def _make_numbers(self) -> None:
        self.place = reading("place", "Bar and beat")
        large = QFont(self.font())
        large.setPointSizeF(self.font().pointSizeF() * LARGE_TYPE)
        large.setBold(True)
        self.place.setFont(_tabular(large))
        self.place.setMinimumWidth(self.place.fontMetrics().horizontalAdvance("888.88"))
        self.place.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.time = reading("time", "Minutes and seconds")
        self.time.setFont(_tabular(QFont(self.font())))
        self.time.setMinimumWidth(self.time.fontMetrics().horizontalAdvance("88:88"))
        self.tempo = DoubleSpin("Tempo", _TEMPO_TIP, TEMPI_BPM, step=1.0, decimals=1)
        self.tap_button = Button("Tap", "Tap the tempo (T)", text="Tap")
        self.beats_per_bar = Spin("Beats per bar", _METRE_TIP, 1, 16)
        self.late = reading("late", _LATE_TIP, ElidedLabel())
        self.composing = reading("composing", "What the model is doing")

    def _make_clock(self) -> None:
        self.own = Button("Own clock", "Play at the tempo set here", text="Own", checkable=True)
        self.daw = Button(
            "DAW clock",
            "Follow the MIDI clock of a DAW for play, stop and position",
            text="DAW",
            checkable=True,
        )
        self._sources = QButtonGroup(self)
        for button in (self.own, self.daw):
            self._sources.addButton(button)
        self.clock_shape = QLabel()
        self.clock_status = reading("clock-status", "State of the clock")

    def _lay_out(self) -> None:
        flow = Flow(self)
        flow.add(grouped(self.start, self.play, self.loop, self.endless))
        flow.add(grouped(self.place, self.time))
        flow.add(grouped(caption("Tempo", self.tempo), self.tempo, self.tap_button))
        flow.add(grouped(caption("Beats", self.beats_per_bar), self.beats_per_bar))
        flow.add(grouped(caption("Clock", self.own), self.own, self.daw))
        self.news = grouped(self.clock_shape, self.clock_status, self.composing)

    def _connect(self) -> None:
        self.play.clicked.connect(self._studio.playback.toggle)
        self.start.clicked.connect(lambda: self._studio.playback.seek(0))
        self.loop.clicked.connect(self.loop_toggled)
        self.endless.clicked.connect(self._set_endless)
        self.tempo.valueChanged.connect(self._studio.set_bpm)
        self.beats_per_bar.valueChanged.connect(self._set_metre)
        self.tap_button.pressed.connect(self.tap)
        self.own.clicked.connect(lambda: self._follow(False))
        self.daw.clicked.connect(lambda: self._follow(True))


def _tabular(font: QFont) -> QFont:
    """Return the font with digits of equal width."""
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
