"""The steering panel and its fields, driven as a user does."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import drag, steps, wheel
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from lakhnes.gui.scale_box import key_and_scale
from lakhnes.gui.seed_box import MAX_SEED
from lakhnes.gui.steering_panel import SteeringPanel
from lakhnes.runtime import DEFAULT_MODEL, OptionError, OutputError, parse_scale
from lakhnes.runtime.music.scales import SCALES
from lakhnes.studio.session import Session
from lakhnes.studio.state import STEERING_FIELDS, SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
KEYS = st.sampled_from(
    ("C", "c#", "Db", "d", "Eb", "E", "f", "F#", "Gb", "g", "Ab", "A", "bb", "B", "Cb", "e#")
)
SCALE_TEXTS = st.one_of(
    st.just(""),
    st.builds("{} {}".format, KEYS, st.sampled_from([*SCALES, "harmonic minor", "minor pentatonic"])),
    KEYS,
    st.sets(st.integers(0, 11), min_size=1).map(lambda notes: ",".join(map(str, notes))),
)


class Told(Studio):
    """A studio without a stage, that notes which models it is to use and what it says."""

    def __init__(self, state: SongState) -> None:
        super().__init__(state)
        self.used: list[str] = []
        self.messages: list[Message] = []
        self.say = self.messages.append

    def use_model(self, name: str) -> None:
        self.used.append(name)


class Presets:
    """Presets in memory; it can be made to refuse."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}
        self.refusing = False

    def names(self) -> list[str]:
        return list(self.kept)

    def get(self, name: str) -> Mapping[str, Any]:
        if name not in self.kept:
            raise OptionError(f"There is no preset {name}.")
        return self.kept[name]

    def put(self, name: str, values: Mapping[str, Any]) -> None:
        self._look()
        self.kept[name] = values

    def delete(self, name: str) -> None:
        self._look()
        del self.kept[name]

    def _look(self) -> None:
        if self.refusing:
            raise OutputError("app.json: the disk is full. Make room, then try again.")


@pytest.fixture
def studio() -> Iterator[Told]:
    studio = Told(SongState(seed=7))
    yield studio
    studio.close()


@pytest.fixture
def presets() -> Presets:
    presets = Presets()
    presets.kept = {"Wild": {"temperature": 1.4, "top_k": None, "density": 3.0}, "calm": {"temperature": 0.6}}
    return presets


@pytest.fixture
def folders() -> list[str]:
    return []


@pytest.fixture
def panel(qtbot: QtBot, studio: Told, presets: Presets, folders: list[str]) -> SteeringPanel:
    panel = SteeringPanel(
        studio, presets, models=lambda: [DEFAULT_MODEL, "other"], choose_folder=lambda: folders.pop()
    )
    qtbot.addWidget(panel)
    panel.resize(340, 400)
    panel.show()
    panel.activateWindow()
    return panel


def choose(qtbot: QtBot, combo: QComboBox, text: str) -> None:
    """Chooses from a list with the arrow keys, as it is without the mouse."""
    combo.setFocus()
    wanted = combo.findText(text)
    assert wanted >= 0
    while combo.currentIndex() != wanted:
        key = Qt.Key.Key_Down if combo.currentIndex() < wanted else Qt.Key.Key_Up
        qtbot.keyClick(combo, key)


def line(panel: SteeringPanel) -> QLineEdit:
    edit = panel.presets.names.lineEdit()
    assert edit is not None
    return edit


def test_a_drag_is_one_step(panel: SteeringPanel, studio: Told) -> None:
    drag(panel.temperature.slider, [5, 10, 20, 30])
    hotter = studio.session.state.temperature
    assert 1 < hotter < 1.5
    assert panel.temperature.spin.value() == pytest.approx(hotter)
    assert steps(studio.session) == 1
    drag(panel.density.slider, [-4, -8])
    assert -5 < studio.session.state.density < 0
    assert steps(studio.session) == 2
    studio.session.undo()
    studio.session.undo()
    panel.show_state(studio.session.state)
    assert (panel.temperature.value, panel.density.value) == (1, 0)


def test_numbers_go_further_than_sliders(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    spin = panel.temperature.spin
    for typed, slider in (("2", panel.temperature.slider.maximum()), ("0", 0)):
        spin.setFocus()
        spin.selectAll()
        qtbot.keyClicks(spin, f"{typed}\r")
        panel.show_state(studio.session.state)
        assert studio.session.state.temperature == float(typed)
        assert panel.temperature.slider.value() == slider
    assert steps(studio.session) == 1


def test_top_k_of_none_is_all(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    panel.top_k.setFocus()
    panel.top_k.selectAll()
    qtbot.keyClicks(panel.top_k, "0\r")
    assert studio.session.state.top_k is None
    assert panel.top_k.text() == "all"
    qtbot.keyClick(panel.top_k, Qt.Key.Key_Up)
    assert studio.session.state.top_k == 1


def test_top_p_is_off_or_half_and_more(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    studio.session.amend(top_p=None)
    panel.show_state(studio.session.state)
    panel.top_p.setFocus()
    seen: list[float | None] = []
    keys = (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down)
    for key in keys:
        qtbot.keyClick(panel.top_p, key)
        seen.append(studio.session.state.top_p)
    assert seen == [0.5, 0.55, 0.5, None, None]
    assert panel.top_p.text() == "off"
    panel.top_p.selectAll()
    qtbot.keyClicks(panel.top_p, "0.9\r")
    assert studio.session.state.top_p == 0.9
    for _ in range(4):
        qtbot.keyClick(panel.top_p, Qt.Key.Key_Up)
    assert studio.session.state.top_p == 1
    assert steps(studio.session) == 1


def test_surprise_is_off_or_so_many_nats(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    assert panel.surprise.text() == "off"
    panel.surprise.setFocus()
    seen: list[float | None] = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down):
        qtbot.keyClick(panel.surprise, key)
        seen.append(studio.session.state.surprise)
    assert seen == [0.1, 0.2, 0.1, None]
    panel.surprise.selectAll()
    qtbot.keyClicks(panel.surprise, "0.7\r")
    assert studio.session.state.request.sampling.surprise == 0.7
    panel.show_state(studio.session.state)
    panel.reset.click()
    assert studio.session.state.surprise is None


def test_drones_are_let_be_or_not(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    assert not panel.drones.isChecked()
    for asked in (True, False, True):
        qtbot.mouseClick(panel.drones, LEFT)
        assert studio.session.state.drones is (not studio.session.state.request.repetition_penalty) is asked
    panel.show_state(studio.session.state)
    panel.reset.click()
    panel.show_state(studio.session.state)
    assert (studio.session.state.drones, panel.drones.isChecked()) == (False, False)


def test_bars_ahead_stay_in_range(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    panel.ahead.setFocus()
    for _ in range(9):
        qtbot.keyClick(panel.ahead, Qt.Key.Key_Down)
    assert studio.session.state.ahead_bars == 0.5
    panel.ahead.selectAll()
    qtbot.keyClicks(panel.ahead, "16\r")
    assert studio.session.state.ahead_bars == 16


def test_the_wheel_scrolls_past(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    panel.seed.line.setFocus()
    for field in (panel.temperature.slider, panel.density.spin, panel.top_k, panel.scale.key, panel.model):
        wheel(field, -1)
    assert steps(studio.session) == 0
    panel.scale.key.setFocus()
    qtbot.waitUntil(panel.scale.key.hasFocus)
    wheel(panel.scale.key, -1)
    assert studio.session.state.scale == "c major"


def test_key_and_scale(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    assert not panel.scale.scale.isEnabled()
    choose(qtbot, panel.scale.key, "A")
    assert studio.session.state.scale == "a major"
    choose(qtbot, panel.scale.scale, "harmonic minor")
    assert studio.session.state.scale == "a harmonic-minor"
    assert steps(studio.session) == 1
    choose(qtbot, panel.scale.key, "any")
    assert studio.session.state.scale == ""
    assert not panel.scale.scale.isEnabled()


def test_a_scale_of_another_kind_is_one_more_key(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    studio.session.amend(scale="0,2,7")
    panel.show_state(studio.session.state)
    assert panel.scale.key.currentText() == "0,2,7"
    choose(qtbot, panel.scale.key, "B")
    assert studio.session.state.scale == "b major"
    assert panel.scale.key.findText("0,2,7") == -1


@given(SCALE_TEXTS)
def test_keys_are_read_as_the_runtime_reads_them(text: str) -> None:
    found = key_and_scale(text)
    if found is None:
        assert text == "" or text[0].isdecimal()
    else:
        root, name = found
        assert {(root + step) % 12 for step in SCALES[name]} == parse_scale(text)


def test_every_key_and_scale_can_be_composed(panel: SteeringPanel, studio: Told) -> None:
    for key in range(1, panel.scale.key.count()):
        panel.scale.key.setCurrentIndex(key)
        panel.scale.key.activated.emit(key)
        for scale in range(panel.scale.scale.count()):
            panel.scale.scale.setCurrentIndex(scale)
            panel.scale.scale.activated.emit(scale)
            notes = studio.session.state.request.scale
            steps_up = SCALES[panel.scale.scale.currentData()]
            assert notes == {(key - 1 + step) % 12 for step in steps_up}


def test_a_seed_is_typed(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    seed = panel.seed.line
    seed.setFocus()
    seed.selectAll()
    qtbot.keyClicks(seed, f"{MAX_SEED}9x-")
    assert seed.text() == str(MAX_SEED)
    assert studio.session.state.seed == 7
    qtbot.keyClick(seed, Qt.Key.Key_Return)
    assert studio.session.state.seed == MAX_SEED
    assert studio.session.undo_label == "New song"


def test_a_seed_that_is_not_finished_is_forgotten(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    seed = panel.seed.line
    for leave in (lambda: qtbot.keyClick(seed, Qt.Key.Key_Escape), panel.top_k.setFocus):
        seed.setFocus()
        qtbot.waitUntil(seed.hasFocus)
        seed.selectAll()
        qtbot.keyClicks(seed, "55")
        studio.session.amend(kept=studio.session.state.kept + 480)
        panel.show_state(studio.session.state)
        assert seed.text() == "55"
        leave()
        assert seed.text() == "7"
    seed.setFocus()
    seed.clear()
    qtbot.keyClick(seed, Qt.Key.Key_Return)
    panel.top_k.setFocus()
    assert seed.text() == "7"
    assert steps(studio.session) == 0


def test_the_dice_throw_a_seed_that_can_be_copied(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    qtbot.mouseClick(panel.seed.dice, LEFT)
    panel.show_state(studio.session.state)
    thrown = studio.session.state.seed
    assert thrown != 7
    assert panel.seed.line.text() == str(thrown)
    qtbot.mouseClick(panel.seed.copy, LEFT)
    assert QGuiApplication.clipboard().text() == str(thrown)


def test_new_songs_can_begin_elsewhere(qtbot: QtBot, studio: Told, presets: Presets) -> None:
    asked: list[int | None] = []
    panel = SteeringPanel(studio, presets, new=asked.append, models=list)
    qtbot.addWidget(panel)
    qtbot.keyClicks(panel.seed.line, "\r")
    qtbot.mouseClick(panel.seed.dice, LEFT)
    assert asked == [7, None]


def test_a_model_is_chosen_and_shown_when_it_composes(
    qtbot: QtBot, panel: SteeringPanel, studio: Told
) -> None:
    assert panel.model.currentText() == DEFAULT_MODEL
    qtbot.keyClick(panel.model, Qt.Key.Key_Down)
    assert studio.used == ["other"]
    assert panel.model.currentText() == DEFAULT_MODEL
    studio.session.change("Model", model="other")
    panel.show_state(studio.session.state)
    assert panel.model.currentText() == "other"


def test_a_model_of_a_folder(qtbot: QtBot, panel: SteeringPanel, studio: Told, folders: list[str]) -> None:
    folders += ["/models/mine", ""]
    for told in ([], ["/models/mine"]):
        panel.model.setFocus()
        qtbot.keyClick(panel.model, Qt.Key.Key_End)
        assert studio.used == told
        assert panel.model.currentText() == DEFAULT_MODEL
    studio.session.amend(model="/models/mine")
    panel.show_state(studio.session.state)
    assert panel.model.currentText() == "mine"
    assert panel.model.currentData() == "/models/mine"


def test_a_preset_is_taken_as_one_step(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    assert [panel.presets.names.itemText(i) for i in range(2)] == ["calm", "Wild"]
    qtbot.keyClick(panel.presets.names, Qt.Key.Key_Down)
    qtbot.keyClick(panel.presets.names, Qt.Key.Key_Down)
    state = studio.session.state
    assert (state.temperature, state.top_k, state.density, state.seed) == (1.4, None, 3.0, 7)
    assert studio.session.undo_label == "Preset Wild"
    assert steps(studio.session) == 2
    panel.show_state(state)
    assert panel.temperature.value == 1.4


def test_names_of_presets_can_be_typed(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    panel.presets.names.setFocus()
    qtbot.keyClicks(line(panel), "nobody\r")
    assert (steps(studio.session), panel.presets.name) == (0, "nobody")
    line(panel).clear()
    qtbot.keyClicks(line(panel), "calm\r")
    assert studio.session.state.temperature == 0.6
    assert studio.messages == []


def test_a_preset_that_is_gone_is_told_of(
    qtbot: QtBot, panel: SteeringPanel, studio: Told, presets: Presets
) -> None:
    presets.kept.clear()
    qtbot.keyClick(panel.presets.names, Qt.Key.Key_Down)
    assert steps(studio.session) == 0
    assert "no preset" in studio.messages[0].text


def test_presets_are_kept_and_forgotten(
    qtbot: QtBot, panel: SteeringPanel, studio: Told, presets: Presets
) -> None:
    assert not panel.presets.save.isEnabled()
    studio.session.amend(temperature=1.25, scale="a minor")
    qtbot.keyClicks(line(panel), " Mine ")
    assert not panel.presets.delete.isEnabled()
    qtbot.mouseClick(panel.presets.save, LEFT)
    assert set(presets.kept["Mine"]) == set(STEERING_FIELDS)
    assert (presets.kept["Mine"]["temperature"], presets.kept["Mine"]["scale"]) == (1.25, "a minor")
    assert panel.presets.name == "Mine"
    qtbot.mouseClick(panel.presets.delete, LEFT)
    assert "Mine" not in presets.kept
    assert panel.presets.name == ""
    assert steps(studio.session) == 0


def test_presets_that_cannot_be_kept_are_told_of(
    qtbot: QtBot, panel: SteeringPanel, studio: Told, presets: Presets
) -> None:
    presets.refusing = True
    qtbot.keyClicks(line(panel), "calm")
    qtbot.mouseClick(panel.presets.save, LEFT)
    qtbot.mouseClick(panel.presets.delete, LEFT)
    assert [message.error for message in studio.messages] == [True, True]
    assert "disk is full" in studio.messages[0].text
    assert "calm" in presets.kept


@pytest.mark.parametrize(
    "values", [{"temperature": -3.0}, {"temperature": "hot"}, {"scale": 5}, {"top_k": 0}]
)
def test_a_broken_preset_changes_nothing(
    qtbot: QtBot, panel: SteeringPanel, studio: Told, presets: Presets, values: dict[str, Any]
) -> None:
    presets.kept["calm"] = values
    qtbot.keyClick(panel.presets.names, Qt.Key.Key_Down)
    assert steps(studio.session) == 0
    assert studio.messages[0].error
    assert "preset calm" in studio.messages[0].text


def test_defaults(qtbot: QtBot, panel: SteeringPanel, studio: Told) -> None:
    assert not panel.reset.isEnabled()
    studio.session.amend(temperature=1.3, scale="a minor", ahead_bars=8.0, bpm=90.0)
    panel.show_state(studio.session.state)
    qtbot.mouseClick(panel.reset, LEFT)
    assert studio.session.state == replace(SongState(seed=7), bpm=90.0)
    assert steps(studio.session) == 1
    panel.show_state(studio.session.state)
    assert not panel.reset.isEnabled()


def test_any_state_is_shown_and_stays(panel: SteeringPanel, studio: Told) -> None:
    @settings(max_examples=60, deadline=None)
    @given(
        st.integers(0, 200),
        st.none() | st.integers(1, 1000),
        st.none() | st.integers(1, 100),
        st.none() | st.integers(1, 30),
        st.integers(-50, 50),
        st.booleans(),
        SCALE_TEXTS,
        st.integers(5, 160),
        st.integers(0, MAX_SEED),
        st.sampled_from((DEFAULT_MODEL, "other", "/models/mine")),
    )
    def check(
        temperature: int,
        top_k: int | None,
        top_p: int | None,
        surprise: int | None,
        density: int,
        drones: bool,
        scale: str,
        ahead: int,
        seed: int,
        model: str,
    ) -> None:
        state = SongState(
            temperature=temperature / 100,
            top_k=top_k,
            top_p=top_p and top_p / 100,
            surprise=surprise and surprise / 10,
            density=density / 10,
            drones=drones,
            scale=scale,
            ahead_bars=ahead / 10,
            seed=seed,
            model=model,
        )
        studio.session = session = Session(state)
        panel.show_state(state)
        assert panel.temperature.value == pytest.approx(state.temperature)
        assert (panel.top_k.value() or None) == top_k
        assert (panel.top_p.value() or None) == pytest.approx(state.top_p)
        assert (panel.surprise.value() or None) == pytest.approx(state.surprise)
        assert panel.density.value == pytest.approx(state.density)
        assert panel.drones.isChecked() is drones
        assert panel.scale.text == scale
        assert panel.ahead.value() == pytest.approx(state.ahead_bars)
        assert panel.seed.line.text() == str(seed)
        assert panel.model.currentData() == model
        assert (session.state, session.undo_label) == (state, None)
        found = key_and_scale(scale)
        if found is not None:
            assert (panel.scale.key.currentData(), panel.scale.scale.currentData()) == found

    check()


def test_fields_have_names_and_captions(panel: SteeringPanel) -> None:
    fields = (
        panel.temperature.spin,
        panel.temperature.slider,
        panel.top_k,
        panel.top_p,
        panel.surprise,
        panel.density.spin,
        panel.drones,
        panel.scale.key,
        panel.scale.scale,
        panel.ahead,
        panel.seed.line,
        panel.seed.dice,
        panel.seed.copy,
        panel.model,
        panel.presets.names,
        panel.presets.save,
        panel.presets.delete,
    )
    for field in fields:
        assert field.accessibleName()
        assert field.toolTip()
        assert field.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert len({field.objectName() for field in fields}) == len(fields)
