"""The meter: even in decibels, quick up, slow down, a mark at the peak."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lakhnes.gui.level_meter import FALL_DB, FLOOR_DB, HOLD_SECONDS, LevelMeter, share_of
from lakhnes.gui.theme import DARK, Theme

pytestmark = pytest.mark.gui


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Paints(QObject):
    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        self.count += event.type() == QEvent.Type.Paint
        return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(qtbot: QtBot, clock: Clock) -> LevelMeter:
    made = LevelMeter(now=clock)
    qtbot.addWidget(made)
    made.resize(200, 8)
    made.show()
    qtbot.waitExposed(made)
    QApplication.processEvents()
    return made


@given(st.floats(0, 2), st.floats(0, 2))
def test_louder_is_never_less(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= share_of(low) <= share_of(high) <= 1


def test_the_scale_is_even_in_decibels() -> None:
    assert share_of(0) == share_of(10 ** (FLOOR_DB / 20)) == 0
    assert share_of(1) == 1
    assert share_of(10 ** (FLOOR_DB / 40)) == pytest.approx(0.5)


def test_it_rises_at_once_and_falls_slowly(meter: LevelMeter, clock: Clock) -> None:
    meter.set_level(1.0)
    assert meter.share == 1
    clock.time += 0.4
    meter.set_level(0.0)
    assert meter.share == pytest.approx(1 + 0.4 * FALL_DB / FLOOR_DB)
    clock.time += 60
    meter.set_level(0.0)
    assert meter.share == 0


def test_the_mark_holds_the_peak_for_a_moment(meter: LevelMeter, clock: Clock) -> None:
    meter.set_level(0.9)
    peak = meter.peak
    clock.time += HOLD_SECONDS * 0.9
    meter.set_level(0.01)
    assert meter.peak == peak > meter.share
    clock.time += HOLD_SECONDS * 0.2
    meter.set_level(0.01)
    assert meter.peak == meter.share < peak


@pytest.mark.parametrize("way", list(Qt.Orientation))
@pytest.mark.parametrize("theme", [DARK])
def test_the_bar_is_as_long_as_it_is_loud(
    qtbot: QtBot, clock: Clock, way: Qt.Orientation, theme: Theme
) -> None:
    meter = LevelMeter(way, now=clock)
    qtbot.addWidget(meter)
    meter.set_theme(theme, theme.voices[2])
    across = way is Qt.Orientation.Horizontal
    meter.resize(200 if across else 8, 8 if across else 200)
    meter.set_level(10 ** (FLOOR_DB / 40))
    image = meter.grab().toImage()
    line = [image.pixelColor(i, 4) if across else image.pixelColor(4, 199 - i) for i in range(200)]
    assert all(colour == theme.voices[2] for colour in line[:97])
    assert line[98] == line[99] == theme.text
    assert all(colour not in (theme.voices[2], theme.text) for colour in line[101:])
    meter.set_level(1.0)
    assert meter.grab().toImage().pixelColor(*((195, 4) if across else (4, 4))) == theme.error
    hint = meter.sizeHint()
    assert (hint.width() > hint.height()) is across


def test_nothing_is_painted_that_has_not_changed(meter: LevelMeter, clock: Clock) -> None:
    paints = Paints(meter)
    meter.installEventFilter(paints)
    for _ in range(5):
        meter.set_level(0.0)
        clock.time += 0.016
        QApplication.processEvents()
    assert paints.count == 0
    meter.set_level(0.5)
    QApplication.processEvents()
    assert paints.count == 1
