"""Room for the pointer: whatever is pressed in a dialog is as high as in the window."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QFormLayout, QLineEdit, QWidget

from lakhnes.gui.theme import TARGET

_PRESSED = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit)


def give_room(dialog: QWidget) -> None:
    """Make all controls in a dialog high enough, and the captions of its forms as high."""
    for kind in _PRESSED:
        for control in dialog.findChildren(kind):
            if not isinstance(control.parent(), (QAbstractSpinBox, QComboBox)):
                control.setMinimumHeight(TARGET)
    for form in dialog.findChildren(QFormLayout):
        for row in range(form.rowCount()):
            item = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
            caption = None if item is None else item.widget()
            if caption is not None:
                caption.setMinimumHeight(TARGET)


__all__ = ["give_room"]
