"""Colours and patterns: light and dark, the voices as in a song's picture."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPalette
from PySide6.QtWidgets import QApplication

from lakhnes.runtime import Voice

SMALL_GAP, GAP, LARGE_GAP = 4, 8, 16
"""Pixels between things: of one group, of neighbours, of groups."""

TARGET = 28
"""Pixels that whatever is pressed is high, and wide, at least."""

SMALL_TYPE, TITLE_TYPE, LARGE_TYPE = 0.8, 1.5, 2.0
"""Sizes of type relative to the system font: of marks, of hints, of the position."""

_TILE = 6  # pixels after which a pattern comes again


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of the app."""

    window: QColor
    """Behind everything."""
    lane: QColor
    """Behind the notes of a voice."""
    lane_alternate: QColor
    """Behind every other row of a lane, and of a list."""
    bar_line: QColor
    beat_line: QColor
    text: QColor
    faint_text: QColor
    """Colour of less important text; as readable as `text`, but quieter."""
    playhead: QColor
    selection: QColor
    """Half transparent: lies over lanes and notes."""
    ahead: QColor
    """Behind notes that were composed ahead."""
    accent: QColor
    """Focus, loops, and what is switched on."""
    error: QColor
    """Text of what went wrong."""
    mute: QColor
    """A voice that is not heard."""
    solo: QColor
    """A voice that is heard alone."""
    lock: QColor
    """A voice whose notes stay."""
    voices: tuple[QColor, QColor, QColor, QColor]
    """In the order of `Voice`."""

    @property
    def outside_key(self) -> QColor:
        """Behind the notes that are not in the key."""
        return mixed(self.lane_alternate, self.bar_line, 0.22)

    @property
    def tonic(self) -> QColor:
        """Behind the first note of the key."""
        return mixed(self.lane, self.accent, 0.13)

    @property
    def to_come(self) -> QColor:
        """Behind bars that are still to be composed."""
        return mixed(self.window, self.lane, 0.45)

    def note_brush(self, voice: Voice) -> QBrush:
        """Return the brush of a voice's notes.

        Pulse 1 is plain, pulse 2 hatched, the triangle lined along its notes and the noise across them, so
        that the voices differ without colour too.
        """
        colour = self.voices[voice]
        if voice is Voice.P1:
            return QBrush(colour)
        tile = QImage(_TILE, _TILE, QImage.Format.Format_RGB32)
        tile.fill(colour)
        painter = QPainter(tile)
        painter.setPen(self.lane)
        if voice is Voice.P2:
            for i in range(_TILE):
                painter.drawPoint(i, _TILE - 1 - i)
        elif voice is Voice.TR:
            painter.drawLine(0, _TILE // 2, _TILE, _TILE // 2)
        else:
            painter.drawLine(_TILE // 2, 0, _TILE // 2, _TILE)
        painter.end()
        return QBrush(tile)


def mixed(one: QColor, other: QColor, share: float) -> QColor:
    """Return a mix of two opaque colours: the first at 0, the other at 1."""
    first, second = (one.red(), one.green(), one.blue()), (other.red(), other.green(), other.blue())
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return QColor(red, green, blue)


def contrast(one: QColor, other: QColor) -> float:
    """Return the contrast ratio of two opaque colours, 1 to 21.

    Source: WCAG 2.2, "contrast ratio".
    """
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: QColor) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (colour.redF(), colour.greenF(), colour.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _clear(colour: str, alpha: int) -> QColor:
    made = QColor(colour)
    made.setAlpha(alpha)
    return made


LIGHT = Theme(
    window=QColor("#e8ebef"),
    lane=QColor("#fbfcfd"),
    lane_alternate=QColor("#f2f4f7"),
    bar_line=QColor("#b3bbc6"),
    beat_line=QColor("#e0e4e9"),
    text=QColor("#1c2128"),
    faint_text=QColor("#4b5562"),
    playhead=QColor("#d1123f"),
    selection=_clear("#4353d9", 48),
    ahead=QColor("#e6e9f3"),
    accent=QColor("#4353d9"),
    error=QColor("#b3261e"),
    mute=QColor("#b3261e"),
    solo=QColor("#8a5a00"),
    lock=QColor("#4353d9"),
    voices=(QColor("#0b6bb5"), QColor("#cf5200"), QColor("#00875f"), QColor("#7a4fa3")),
)
"""Dark on light."""

DARK = Theme(
    window=QColor("#12151a"),
    lane=QColor("#1f252d"),
    lane_alternate=QColor("#1a1f26"),
    bar_line=QColor("#56616f"),
    beat_line=QColor("#2d343e"),
    text=QColor("#eef1f5"),
    faint_text=QColor("#9aa5b3"),
    playhead=QColor("#ff7488"),
    selection=_clear("#8f9bff", 60),
    ahead=QColor("#262c3f"),
    accent=QColor("#8f9bff"),
    error=QColor("#ff8a80"),
    mute=QColor("#ff8a80"),
    solo=QColor("#ffd166"),
    lock=QColor("#8f9bff"),
    voices=(QColor("#58b4f5"), QColor("#ff9a4d"), QColor("#3fd6a0"), QColor("#c49bf0")),
)
"""Light on dark."""


def ink_on(colour: QColor) -> QColor:
    """White or black, whichever is read better on a colour."""
    return max(QColor("#ffffff"), QColor("#12151a"), key=lambda ink: contrast(ink, colour))


def theme_for(dark: bool) -> Theme:
    """Return the dark or the light theme."""
    return DARK if dark else LIGHT


def palette_of(theme: Theme) -> QPalette:
    """Return the palette of a theme for Qt's own controls."""
    button = mixed(theme.window, theme.lane, 0.6)
    palette = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.lane,
        role.AlternateBase: theme.lane_alternate,
        role.Text: theme.text,
        role.PlaceholderText: theme.faint_text,
        role.Button: button,
        role.ButtonText: theme.text,
        role.BrightText: theme.error,
        role.ToolTipBase: theme.lane,
        role.ToolTipText: theme.text,
        role.Highlight: theme.accent,
        role.HighlightedText: ink_on(theme.accent),
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.faint_text,
        role.Light: mixed(button, theme.lane, 0.5),
        role.Midlight: mixed(button, theme.bar_line, 0.2),
        role.Mid: mixed(theme.window, theme.bar_line, 0.6),
        role.Dark: theme.bar_line,
        role.Shadow: mixed(theme.window, QColor("#000000"), 0.6),
    }
    for name, colour in colours.items():
        palette.setColor(name, colour)
    off = mixed(theme.faint_text, theme.window, 0.1)  # quiet, and still read by everybody
    for name in (role.WindowText, role.Text, role.ButtonText, role.PlaceholderText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, off)
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, theme.bar_line)
    return palette


def is_dark(theme: str) -> bool:
    """Return whether the name of a theme means dark colours; `system` asks the system."""
    if theme != "system":
        return theme == "dark"
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application.styleHints().colorScheme() is Qt.ColorScheme.Dark


def dress(app: QApplication, dark: bool) -> Theme:
    """Gives the whole app a theme, the same on every system.

    Returns:
        The theme, for the widgets that paint themselves.
    """
    theme = theme_for(dark)
    app.styleHints().setColorScheme(Qt.ColorScheme.Dark if dark else Qt.ColorScheme.Light)
    app.setStyle("Fusion")
    app.setPalette(palette_of(theme))
    return theme
