"""Small fields that several panels share.

Only changes by a user emit signals. The wheel changes a field only if it has the focus, so scrolling a panel
changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QSpinBox,
    QWidget,
)

from lakhnes.gui.theme import TARGET

ANY = "any"
"""Text of a field that sets no limit."""

if TYPE_CHECKING:
    _SpinBox = QAbstractSpinBox
else:  # a class has one of Qt's as its base
    _SpinBox = object

_SPIN_WIDTH = 60  # pixels, so that fields one under the other are in line
_COMBO_WIDTH = 72  # pixels at least; it grows where there is room
_SLIDER_WIDTH = 48


def caption(text: str, field: QWidget) -> QLabel:
    """Return the label of a field."""
    label = QLabel(text)
    label.setBuddy(field.focusProxy() or field)
    label.setMinimumHeight(TARGET)  # in line with the field, wherever it stands
    return label


def reading(name: str, tip: str = "", label: QLabel | None = None) -> QLabel:
    """Return a label whose text changes.

    Args:
        name: the object name.
        tip: the tooltip, which a screen reader also reads.
        label: the label; a new one if None.
    """
    label = QLabel() if label is None else label
    label.setObjectName(name)
    label.setToolTip(tip)
    label.setAccessibleDescription(tip)
    return label


def is_for_window(event: QEvent, *, typing: bool, words: bool = False) -> bool:
    """Return whether a key belongs to the window although a field has the focus.

    Args:
        event: any.
        typing: whether the field holds an unfinished entry; undo then belongs to the field.
        words: whether the field takes letters.
    """
    if event.type() is not QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    if event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo):
        return not typing
    plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return plain and (event.key() == Qt.Key.Key_Space or (event.key() == Qt.Key.Key_T and not words))


class _Manners(_SpinBox):
    """Key and wheel behaviour that all number fields share."""

    @property
    def _shown(self) -> str:
        """The text of its value when nobody is typing."""
        field = cast(QSpinBox, self)  # or a QDoubleSpinBox, which has the same
        special = field.specialValueText()
        return special if special and field.value() == field.minimum() else field.textFromValue(field.value())

    def event(self, event: QEvent) -> bool:
        """Leave play and undo to the window, except undo during an unfinished entry."""
        if is_for_window(event, typing=self.text() != self._shown):
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Restore the previous value on Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.lineEdit().setText(self._shown)
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Change the value only if it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Spin(_Manners, QSpinBox):
    """A field for whole numbers; a typed value counts once it is finished."""

    def __init__(self, name: str, tip: str, low: int, high: int, parent: QWidget | None = None) -> None:
        """Make a field.

        Args:
            name: its accessible name; the object name is the same with hyphens.
            tip: the tooltip.
            low: least.
            high: most.
            parent: where it is.
        """
        super().__init__(parent)
        _name(self, name, tip)
        self.setRange(low, high)
        self.setKeyboardTracking(False)

    def show_value(self, value: int) -> None:
        """Show a value without emitting a signal; an unfinished entry stays if the value is the same."""
        if self.value() != max(self.minimum(), min(value, self.maximum())):
            with QSignalBlocker(self):
                self.setValue(value)


class DoubleSpin(_Manners, QDoubleSpinBox):
    """A field for decimal numbers; a typed value counts once it is finished."""

    def __init__(
        self,
        name: str,
        tip: str,
        limits: tuple[float, float],
        *,
        step: float,
        decimals: int,
        parent: QWidget | None = None,
    ) -> None:
        """Make a field.

        Args:
            name: its accessible name; the object name is the same with hyphens.
            tip: the tooltip.
            limits: least and most.
            step: of an arrow key.
            decimals: that are shown.
            parent: where it is.
        """
        super().__init__(parent)
        _name(self, name, tip)
        self.setDecimals(decimals)
        self.setRange(*limits)
        self.setSingleStep(step)
        self.setKeyboardTracking(False)

    def show_value(self, value: float) -> None:
        """Show a value without emitting a signal; an unfinished entry stays if the value is the same."""
        limited = max(self.minimum(), min(value, self.maximum()))
        if abs(self.value() - limited) > 0.5 * 10.0 ** -self.decimals() + 1e-9:
            with QSignalBlocker(self):
                self.setValue(value)


class ShareSpin(DoubleSpin):
    """A fraction from 0 to 1 whose lowest value means off; arrows step between off and one half."""

    LEAST = 0.5
    """Lowest value that the arrows reach before off; smaller values can be typed."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        """Make a field."""
        super().__init__(name, tip, (0.0, 1.0), step=0.05, decimals=2, parent=parent)
        self.setSpecialValueText("off")

    def stepBy(self, steps: int) -> None:  # noqa: N802 - Qt's name
        """Step as the arrows do."""
        value = self.value()
        if steps > 0 and value < self.LEAST:
            self.setValue(self.LEAST + (steps - 1) * self.singleStep())
        elif steps < 0 and value + steps * self.singleStep() < self.LEAST - 1e-9:
            self.setValue(0.0)
        else:
            super().stepBy(steps)


class Slider(QSlider):
    """A horizontal slider."""

    def __init__(self, name: str, tip: str, high: int, parent: QWidget | None = None) -> None:
        """Make a slider from 0 to `high`."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        _name(self, name, tip)
        self.setRange(0, high)
        self.setMinimumWidth(_SLIDER_WIDTH)
        self.setPageStep(max(1, high // 10))

    def show_value(self, value: int) -> None:
        """Show a value without emitting a signal."""
        with QSignalBlocker(self):
            self.setValue(value)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Change the value only if it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Combo(QComboBox):
    """A choice from a list; `activated` reports what a user chose."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        """Make a field.

        Args:
            name: its accessible name; the object name is the same with hyphens.
            tip: the tooltip.
            parent: where it is.
        """
        super().__init__(parent)
        _name(self, name, tip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)
        self.setMinimumWidth(_COMBO_WIDTH)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Change the choice only if it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SliderField(QWidget):
    """A slider for common values and a number field for all values.

    Signals:
        changed: emitted with the value that a user set.
    """

    changed = Signal(float)

    def __init__(
        self,
        name: str,
        tip: str,
        usual: tuple[float, float],
        limits: tuple[float, float],
        *,
        step: float,
        decimals: int,
        parent: QWidget | None = None,
    ) -> None:
        """Make a field.

        Args:
            name: its accessible name.
            tip: the tooltip.
            usual: ends of the slider.
            limits: least and most of the number.
            step: of an arrow key.
            decimals: that are shown; the slider goes by the last of them.
            parent: where it is.
        """
        super().__init__(parent)
        self._low, self._scale = usual[0], 10**decimals
        self.slider = Slider(f"{name} slider", tip, round((usual[1] - usual[0]) * self._scale))
        self.slider.setSingleStep(max(1, round(step * self._scale)))
        self.spin = DoubleSpin(name, tip, limits, step=step, decimals=decimals)
        self.spin.setMinimumWidth(_SPIN_WIDTH)
        self.setFocusProxy(self.spin)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.spin)
        self.slider.valueChanged.connect(self._slid)
        self.spin.valueChanged.connect(self._typed)

    @property
    def value(self) -> float:
        """Its current value."""
        return self.spin.value()

    def show_value(self, value: float) -> None:
        """Show a value without emitting a signal."""
        self.spin.show_value(value)
        self._place_slider(value)

    def _slid(self, place: int) -> None:
        value = self._low + place / self._scale
        self.spin.show_value(value)
        self.changed.emit(self.spin.value())

    def _typed(self, value: float) -> None:
        self._place_slider(value)
        self.changed.emit(value)

    def _place_slider(self, value: float) -> None:
        self.slider.show_value(round((value - self._low) * self._scale))


def _name(widget: QWidget, name: str, tip: str) -> None:
    widget.setObjectName(name.lower().replace(" ", "-"))
    widget.setAccessibleName(name)
    widget.setToolTip(tip)
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.setMinimumHeight(TARGET)
