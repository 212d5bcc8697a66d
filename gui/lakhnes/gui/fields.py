"""Small fields that several panels share.

A field that a program sets says nothing; one that a user sets says so. The wheel turns a field only where
it has the focus, so that scrolling a panel changes nothing.
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

ANY = "any"
"""What a field says that asks for nothing."""

if TYPE_CHECKING:
    _SpinBox = QAbstractSpinBox
else:  # a class has one of Qt's as its base
    _SpinBox = object

_SPIN_WIDTH = 68  # pixels, so that fields one under the other are in line
_COMBO_WIDTH = 72  # pixels at least; it grows where there is room


def caption(text: str, field: QWidget) -> QLabel:
    """What stands beside a field."""
    label = QLabel(text)
    label.setBuddy(field.focusProxy() or field)
    return label


def reading(name: str, tip: str = "") -> QLabel:
    """A text that changes.

    Args:
        name: of the object.
        tip: what it tells, for whoever rests on it or has it read out.
    """
    label = QLabel()
    label.setObjectName(name)
    label.setToolTip(tip)
    label.setAccessibleDescription(tip)
    return label


def is_for_window(event: QEvent, *, typing: bool, words: bool = False) -> bool:
    """Whether a key is one of the window's, though a field has the keyboard.

    Args:
        event: any.
        typing: whether the field holds what is not finished; undoing is the field's own then.
        words: whether letters mean something in the field.
    """
    if event.type() is not QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    if event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo):
        return not typing
    plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return plain and (event.key() == Qt.Key.Key_Space or (event.key() == Qt.Key.Key_T and not words))


class _Manners(_SpinBox):
    """How a number field treats keys and the wheel, whatever its numbers are."""

    @property
    def _shown(self) -> str:
        """Its value as it stands there while nobody types."""
        field = cast(QSpinBox, self)  # or a QDoubleSpinBox, which has the same
        special = field.specialValueText()
        return special if special and field.value() == field.minimum() else field.textFromValue(field.value())

    def event(self, event: QEvent) -> bool:
        """Leaves the keys to the window that mean nothing here: it plays, and undoes what is finished."""
        if is_for_window(event, typing=self.text() != self._shown):
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Brings back what was there on Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.lineEdit().setText(self._shown)
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Turns the value if it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Spin(_Manners, QSpinBox):
    """A whole number; typing counts when it is finished."""

    def __init__(self, name: str, tip: str, low: int, high: int, parent: QWidget | None = None) -> None:
        """A field.

        Args:
            name: what it is, as it is read out; its object's name is the same with hyphens.
            tip: what it does, for whoever rests on it.
            low: least.
            high: most.
            parent: where it is.
        """
        super().__init__(parent)
        _name(self, name, tip)
        self.setRange(low, high)
        self.setKeyboardTracking(False)

    def show_value(self, value: int) -> None:
        """Shows a value and says nothing; what is being typed stays if that is the value already."""
        if self.value() != max(self.minimum(), min(value, self.maximum())):
            with QSignalBlocker(self):
                self.setValue(value)


class DoubleSpin(_Manners, QDoubleSpinBox):
    """A number with decimals; typing counts when it is finished."""

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
        """A field.

        Args:
            name: what it is, as it is read out; its object's name is the same with hyphens.
            tip: what it does, for whoever rests on it.
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
        """Shows a value and says nothing; what is being typed stays if that is the value already."""
        limited = max(self.minimum(), min(value, self.maximum()))
        if abs(self.value() - limited) > 0.5 * 10.0 ** -self.decimals() + 1e-9:
            with QSignalBlocker(self):
                self.setValue(value)


class ShareSpin(DoubleSpin):
    """A share of 1, or off, which is its least value; arrows go from off to a half and back."""

    LEAST = 0.5
    """Where the arrows turn it off; less can be typed."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        """A field."""
        super().__init__(name, tip, (0.0, 1.0), step=0.05, decimals=2, parent=parent)
        self.setSpecialValueText("off")

    def stepBy(self, steps: int) -> None:  # noqa: N802 - Qt's name
        """Steps as the arrows do."""
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
        """A slider from 0 to `high`."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        _name(self, name, tip)
        self.setRange(0, high)
        self.setMinimumWidth(_COMBO_WIDTH)
        self.setPageStep(max(1, high // 10))

    def show_value(self, value: int) -> None:
        """Shows a value and says nothing."""
        with QSignalBlocker(self):
            self.setValue(value)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Turns the value if it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Combo(QComboBox):
    """A choice from a list; `activated` tells what a user chose."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        """A field.

        Args:
            name: what it is, as it is read out; its object's name is the same with hyphens.
            tip: what it does, for whoever rests on it.
            parent: where it is.
        """
        super().__init__(parent)
        _name(self, name, tip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setMinimumWidth(_COMBO_WIDTH)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Turns the choice if it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SliderField(QWidget):
    """A slider for what is usual, and a number for anything.

    Signals:
        changed: the value that a user set.
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
        """A field.

        Args:
            name: what it is, as it is read out.
            tip: what it does, for whoever rests on it.
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
        """What it shows."""
        return self.spin.value()

    def show_value(self, value: float) -> None:
        """Shows a value and says nothing."""
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
