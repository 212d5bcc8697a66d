"""The colours: readable, and the voices different without them."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lakhnes.bridge import picture
from lakhnes.gui.buttons import Button
from lakhnes.gui.theme import (
    DARK,
    LIGHT,
    TARGET,
    Theme,
    contrast,
    dress,
    ink_on,
    mixed,
    palette_of,
    theme_for,
)
from lakhnes.runtime import Voice

pytestmark = pytest.mark.gui
THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def rows(theme: Theme) -> tuple[QColor, ...]:
    """All that notes lie on."""
    return (theme.lane, theme.lane_alternate, theme.ahead, theme.outside_key, theme.tonic, theme.to_come)


def over(back: QColor, front: QColor) -> QColor:
    """What is seen where a half transparent colour lies over another one."""
    return mixed(back, front, front.alphaF())


def filled(theme: Theme, voice: Voice) -> QImage:
    image = QImage(24, 24, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.fillRect(image.rect(), theme.note_brush(voice))
    painter.end()
    return image


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast(QColor("white"), QColor("black")) == pytest.approx(21)
    assert contrast(QColor("#777777"), QColor("white")) == pytest.approx(4.48, abs=0.01)


@THEMES
def test_texts_can_be_read(theme: Theme) -> None:
    backs = (theme.window, theme.lane, theme.lane_alternate, theme.ahead)
    for ink in (theme.text, theme.faint_text, theme.error):
        for back in backs:
            assert contrast(ink, back) >= 4.5
    for ink in (theme.text, theme.faint_text):  # the numbers on the ruler
        assert contrast(ink, over(theme.window, theme.selection)) >= 4.5


@THEMES
def test_switches_can_be_told_apart_and_read(theme: Theme) -> None:
    for colour in (theme.mute, theme.solo, theme.lock, theme.accent):
        assert contrast(ink_on(colour), colour) >= 4.5
        assert contrast(colour, theme.window) >= 3
    assert len({colour.name() for colour in (theme.mute, theme.solo, theme.lock)}) == 3


@THEMES
def test_notes_and_lines_stand_out(theme: Theme) -> None:
    for colour in (*theme.voices, theme.playhead, theme.accent):
        for back in rows(theme):
            assert contrast(colour, back) >= 3
    for colour in theme.voices:  # what is selected lies over notes and rows
        for back in rows(theme):
            assert contrast(over(colour, theme.selection), over(back, theme.selection)) >= 3
    for back in rows(theme):
        assert contrast(theme.playhead, over(back, theme.selection)) >= 3
    assert contrast(theme.bar_line, theme.lane) > contrast(theme.beat_line, theme.lane) > 1


@THEMES
def test_the_palette_can_be_read(theme: Theme) -> None:
    palette, role = palette_of(theme), QPalette.ColorRole
    pairs = [
        (role.WindowText, role.Window), (role.Text, role.Base), (role.Text, role.AlternateBase),
        (role.ButtonText, role.Button), (role.ToolTipText, role.ToolTipBase),
        (role.HighlightedText, role.Highlight), (role.PlaceholderText, role.Base), (role.Link, role.Window),
    ]  # fmt: skip
    for ink, back in pairs:
        assert contrast(palette.color(ink), palette.color(back)) >= 4.5, (ink, back)
    off = palette.color(QPalette.ColorGroup.Disabled, role.Text)
    for back in (role.Window, role.Base, role.Button):
        assert contrast(off, palette.color(back)) >= 4.5
    assert contrast(off, theme.lane) < contrast(palette.color(role.Text), theme.lane) / 2


@THEMES
@pytest.mark.parametrize("state", ["up", "hovered", "down", "down and hovered", "disabled"])
def test_buttons_can_be_read_in_every_state(qtbot: QtBot, theme: Theme, state: str) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    dress(app, theme is DARK)
    for colour in (theme.accent, theme.mute, theme.solo, theme.lock):
        button = Button("Solo", "", text="\u2588\u2588", checkable=True)
        qtbot.addWidget(button)
        button.set_down_colour(colour)
        button.setChecked("down" in state)
        button.setEnabled(state != "disabled")
        button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, "hovered" in state)
        button.resize(120, TARGET)
        button.ensurePolished()
        image = button.grab().toImage()
        middle = TARGET // 2
        ink, back = image.pixelColor(60, middle), image.pixelColor(15, middle)
        assert ink != back
        assert contrast(ink, back) >= 4.5, (ink.name(), back.name())


@THEMES
def test_voices_differ_by_pattern_and_keep_their_colour(theme: Theme) -> None:
    patterns = set()
    for voice in Voice:
        image = filled(theme, voice)
        own = [[image.pixelColor(x, y) == theme.voices[voice] for x in range(24)] for y in range(24)]
        assert sum(map(sum, own)) > 24 * 24 * 0.7
        patterns.add(tuple(map(tuple, own)))
    assert len(patterns) == 4


def test_the_voices_look_as_in_the_picture_of_a_song() -> None:
    for theme, other in ((LIGHT, picture._LIGHT), (DARK, picture._DARK)):
        assert [colour.name() for colour in theme.voices] == list(other.voices)


@pytest.mark.parametrize("dark", [False, True])
def test_dress_gives_the_whole_app_a_theme(qtbot: QtBot, dark: bool) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme = dress(app, dark)
    assert theme is theme_for(dark) is (DARK if dark else LIGHT)
    assert app.style().objectName() == "fusion"
    assert app.palette().color(QPalette.ColorRole.Window) == theme.window
    assert (theme.window.lightness() < 128) is dark
