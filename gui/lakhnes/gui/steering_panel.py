"""The steering panel: settings for the music that is composed next."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFileDialog, QFormLayout, QLabel, QVBoxLayout, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.chords_box import ChordsBox
from lakhnes.gui.fields import Combo, DoubleSpin, ShareSpin, SliderField, Spin, caption
from lakhnes.gui.fold import Fold, arrange_form, heading
from lakhnes.gui.preset_bar import PresetBar
from lakhnes.gui.scale_box import ScaleBox
from lakhnes.gui.seed_box import SeedBox
from lakhnes.gui.theme import GAP
from lakhnes.runtime import OptionError, list_models, parse_chords
from lakhnes.runtime.decode.sampling import MAX_SURPRISE
from lakhnes.runtime.music.chords import chord_names
from lakhnes.runtime.printable import printable
from lakhnes.studio.preferences import PresetStore
from lakhnes.studio.state import AHEAD_BARS, STEERING_FIELDS, SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

_OTHER = "Other…"
_MOST_TOKENS = 1000  # more than any vocabulary has


class SteeringPanel(QWidget):
    """The fields of the steering. A change takes effect at the next bar that has not been heard."""

    def __init__(
        self,
        studio: Studio,
        presets: PresetStore,
        *,
        new: Callable[[int | None], None] | None = None,
        models: Callable[[], Collection[str]] = list_models,
        choose_folder: Callable[[], str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """Steers a studio.

        Args:
            studio: what composes.
            presets: where presets are kept.
            new: begins a song with a seed, or with any if None; the studio's own if not given.
            models: the names of models.
            choose_folder: asks for the folder of a model; empty for none. A dialog if not given.
            parent: where it is.
        """
        super().__init__(parent)
        self._studio, self._models = studio, models
        self._choose_folder = choose_folder or self._ask_folder
        self.setObjectName("steering-panel")
        self._make_fields()
        self.presets = PresetBar(studio, presets)
        self.seed = SeedBox(new or studio.new)
        self.model = Combo("Model", "The model that composes; a new one continues from here")
        self.reset = Button("Defaults", "Reset the steering to its defaults", shape="reset", text="Defaults")
        self._lay_out()
        self._connect()
        self.show_state(studio.session.state)

    def show_state(self, state: SongState) -> None:
        """Shows a song's settings."""
        self.temperature.show_value(state.temperature)
        self.top_k.show_value(state.top_k or 0)
        self.top_p.show_value(state.top_p or 0.0)
        self.surprise.show_value(state.surprise or 0.0)
        self.density.show_value(state.density)
        self.repetition.show_value(state.repetition)
        self.drones.setChecked(state.drones)
        self.scale.show_text(state.scale)
        self.chords.show_text(state.chords)
        self.ahead.show_value(state.ahead_bars)
        self.seed.show_seed(state.seed)
        if self.model.currentData() != state.model:
            self._show_model(state.model)
        plain = SongState()
        names = (*STEERING_FIELDS, "ahead_bars")
        self.reset.setEnabled(any(getattr(state, name) != getattr(plain, name) for name in names))

    # User actions

    def _change(self, label: str, name: str, value: object) -> None:
        self._studio.session.change(label, key=name, **{name: value})

    def _use_chords(self, text: str) -> None:
        try:
            chords = chord_names(parse_chords(text)) if text.strip() else ""
        except OptionError as error:
            self._studio.say(Message(str(error), error=True))
            return
        self._studio.session.change("Chords", chords=chords)

    def _reset(self) -> None:
        plain = SongState()
        values = {name: getattr(plain, name) for name in (*STEERING_FIELDS, "ahead_bars")}
        self._studio.session.change("Default steering", **values)

    def _use_model(self) -> None:
        now = self._studio.session.state.model
        name = self.model.currentData()
        if name is None:
            name = self._choose_folder()
        self._show_model(now)  # until the other one is loaded
        if name and name != now:
            self._studio.use_model(name)

    def _ask_folder(self) -> str:
        return QFileDialog.getExistingDirectory(self, "Folder of a model")

    # How it is put together

    def _show_model(self, model: str) -> None:
        names = list(self._models())
        with QSignalBlocker(self.model):
            self.model.clear()
            for name in names if model in names else [model, *names]:
                self.model.addItem(printable(Path(name).name if name not in names else name), name)
                self.model.setItemData(self.model.count() - 1, printable(name), Qt.ItemDataRole.ToolTipRole)
            self.model.addItem(_OTHER, None)
            self.model.setCurrentIndex(self.model.findData(model))

    def _make_fields(self) -> None:
        self.temperature = SliderField(
            "Temperature",
            "Lower is safer, higher is wilder; 0 always takes the likeliest event",
            (0.5, 1.5),
            (0.0, 2.0),
            step=0.05,
            decimals=2,
        )
        self.top_k = Spin("Top k", "Number of likeliest events to choose from", 0, _MOST_TOKENS)
        self.top_k.setSpecialValueText("all")
        self.top_p = ShareSpin(
            "Top p", "Choose from the likeliest events that together reach this probability"
        )
        self.surprise = DoubleSpin(
            "Surprise",
            "The music gets wilder when it becomes more predictable than this many nats per event; "
            "at 1 a song repeats less of its own material",
            (0.0, MAX_SURPRISE),
            step=0.1,
            decimals=1,
        )
        self.surprise.setSpecialValueText("off")
        self.density = SliderField(
            "Density",
            "Right for more notes, left for fewer",
            (-5.0, 5.0),
            (-5.0, 5.0),
            step=0.5,
            decimals=1,
        )
        self.repetition = SliderField(
            "Repetition",
            "More bars repeat earlier ones to the right, more are new to the left; works with models in bars",
            (-5.0, 5.0),
            (-5.0, 5.0),
            step=0.5,
            decimals=1,
        )
        self.drones = Button(
            "Drones",
            "Allow voices to hold a note, repeat a pitch or rest for any length; if off, they keep moving",
            text="Allow",
            checkable=True,
        )
        self.scale = ScaleBox()
        self.chords = ChordsBox()
        self.ahead = DoubleSpin(
            "Bars ahead",
            "Bars composed ahead of the playhead: fewer react sooner to your changes, more are safer",
            AHEAD_BARS,
            step=0.5,
            decimals=1,
        )

    def _lay_out(self) -> None:
        self.sampling = Fold("Sampling", "How the model chooses the next event")
        for text, field, help_text in (
            ("Temperature", self.temperature, "Higher is wilder; 0 always takes the likeliest."),
            ("Top k", self.top_k, "How many of the likeliest events are allowed."),
            ("Top p", self.top_p, "Leaves out rare events: the rest together have this probability."),
            ("Surprise", self.surprise, "Gets wilder when the music becomes too predictable."),
        ):
            self.sampling.form.addRow(caption(text, field), field)
            self.sampling.form.addRow(_helping(help_text))
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addLayout(_form(("Preset", self.presets)))
        column.addWidget(heading("Music"))
        column.addLayout(
            _form(
                ("Key", self.scale),
                ("Chords", self.chords),
                ("Density", self.density),
                ("Repetition", self.repetition),
                ("Long notes", self.drones),
                ("Seed", self.seed),
            )
        )
        column.addWidget(heading("Composing"))
        column.addLayout(_form(("Model", self.model), ("Bars ahead", self.ahead)))
        column.addWidget(self.sampling)
        column.addWidget(self.reset)
        column.addStretch(1)

    def _connect(self) -> None:
        self.temperature.changed.connect(lambda value: self._change("Temperature", "temperature", value))
        self.top_k.valueChanged.connect(lambda value: self._change("Top k", "top_k", value or None))
        self.top_p.valueChanged.connect(lambda value: self._change("Top p", "top_p", value or None))
        self.surprise.valueChanged.connect(lambda value: self._change("Surprise", "surprise", value or None))
        self.density.changed.connect(lambda value: self._change("Density", "density", value))
        self.repetition.changed.connect(lambda value: self._change("Repetition", "repetition", value))
        self.drones.clicked.connect(lambda down: self._change("Drones", "drones", down))
        self.scale.changed.connect(lambda text: self._change("Key", "scale", text))
        self.chords.typed.connect(self._use_chords)
        self.ahead.valueChanged.connect(lambda value: self._change("Bars ahead", "ahead_bars", value))
        self.reset.clicked.connect(self._reset)
        self.model.activated.connect(self._use_model)


def _form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """Fields with their captions; captions stand above where there is no room."""
    form = QFormLayout()
    arrange_form(form)
    for text, field in rows:
        form.addRow(caption(text, field), field)
    return form


def _helping(text: str) -> QLabel:
    """Return a line of help for a field."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    return label
