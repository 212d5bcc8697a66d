"""The steering: what is asked of the music that is composed from now on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QFileDialog, QFormLayout, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import Combo, DoubleSpin, ShareSpin, SliderField, Spin, caption
from lakhnes.gui.preset_bar import PresetBar
from lakhnes.gui.scale_box import ScaleBox
from lakhnes.gui.seed_box import SeedBox
from lakhnes.runtime import list_models
from lakhnes.runtime.decode.sampling import MAX_SURPRISE
from lakhnes.runtime.printable import printable
from lakhnes.studio.preferences import PresetStore
from lakhnes.studio.state import AHEAD_BARS, STEERING_FIELDS, SongState
from lakhnes.studio.studio import Studio

_OTHER = "Other…"
_MOST_TOKENS = 1000  # more than any vocabulary has


class SteeringPanel(QWidget):
    """Fields one under the other. Whatever is chosen counts from the next bar that is not heard yet."""

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
        self.model = Combo("Model", "What composes; another one goes on from where the song is")
        self.reset = Button(
            "Defaults", "Set the steering as it is in a new session", shape="reset", text="Defaults"
        )
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
        self.drones.setChecked(state.drones)
        self.scale.show_text(state.scale)
        self.ahead.show_value(state.ahead_bars)
        self.seed.show_seed(state.seed)
        if self.model.currentData() != state.model:
            self._show_model(state.model)
        plain = SongState()
        names = (*STEERING_FIELDS, "ahead_bars")
        self.reset.setEnabled(any(getattr(state, name) != getattr(plain, name) for name in names))

    # What a user does

    def _change(self, label: str, name: str, value: object) -> None:
        self._studio.session.change(label, key=name, **{name: value})

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
        return QFileDialog.getExistingDirectory(self, "The folder of a model")

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
            "Lower is safer, higher is wilder; 0 takes the likeliest always",
            (0.5, 1.5),
            (0.0, 2.0),
            step=0.05,
            decimals=2,
        )
        self.top_k = Spin("Top k", "Only the so many likeliest events may come", 0, _MOST_TOKENS)
        self.top_k.setSpecialValueText("all")
        self.top_p = ShareSpin("Top p", "Only the likeliest events that together reach this share may come")
        self.surprise = DoubleSpin(
            "Surprise",
            "Grows wilder where the music has become easier to foresee than this many nats an event; "
            "1 is much, and songs then come back to less of what they said",
            (0.0, MAX_SURPRISE),
            step=0.1,
            decimals=1,
        )
        self.surprise.setSpecialValueText("off")
        self.density = SliderField(
            "Density",
            "More notes to the right, fewer to the left",
            (-5.0, 5.0),
            (-5.0, 5.0),
            step=0.5,
            decimals=1,
        )
        self.drones = Button(
            "Drones",
            "Voices may hold a note, repeat pitches or rest for as long as they like; else they are urged on",
            text="Let them be",
            checkable=True,
        )
        self.scale = ScaleBox()
        self.ahead = DoubleSpin(
            "Bars ahead",
            "How much is composed in front of what is heard: less follows your hand sooner, more is safer",
            AHEAD_BARS,
            step=0.5,
            decimals=1,
        )

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows: tuple[tuple[str, QWidget], ...] = (
            ("Preset", self.presets),
            ("Temperature", self.temperature),
            ("Top k", self.top_k),
            ("Top p", self.top_p),
            ("Surprise", self.surprise),
            ("Density", self.density),
            ("Drones", self.drones),
            ("Key", self.scale),
            ("Bars ahead", self.ahead),
            ("", self.reset),
            ("Seed", self.seed),
            ("Model", self.model),
        )
        for text, field in rows:
            form.addRow(caption(text, field), field)

    def _connect(self) -> None:
        self.temperature.changed.connect(lambda value: self._change("Temperature", "temperature", value))
        self.top_k.valueChanged.connect(lambda value: self._change("Top k", "top_k", value or None))
        self.top_p.valueChanged.connect(lambda value: self._change("Top p", "top_p", value or None))
        self.surprise.valueChanged.connect(lambda value: self._change("Surprise", "surprise", value or None))
        self.density.changed.connect(lambda value: self._change("Density", "density", value))
        self.drones.clicked.connect(lambda down: self._change("Drones", "drones", down))
        self.scale.changed.connect(lambda text: self._change("Key", "scale", text))
        self.ahead.valueChanged.connect(lambda value: self._change("Bars ahead", "ahead_bars", value))
        self.reset.clicked.connect(self._reset)
        self.model.activated.connect(self._use_model)
