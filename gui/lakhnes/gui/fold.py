"""Fields under a heading that a user can fold away."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.theme import GAP, SMALL_GAP


def heading(text: str) -> QLabel:
    """Return the heading of a group of fields."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def arrange_form(form: QFormLayout) -> None:
    """Arrange a form that may be narrow: labels move above their fields if there is no room next to them."""
    form.setContentsMargins(0, 0, 0, 0)
    form.setSpacing(SMALL_GAP)
    form.setHorizontalSpacing(GAP)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)


class Fold(QWidget):
    """A heading that shows and hides the fields below it.

    Attributes:
        head: the button.
        form: the fields below it.
    """

    def __init__(self, title: str, tip: str, parent: QWidget | None = None) -> None:
        """Start folded.

        Args:
            title: of the heading.
            tip: the tooltip.
            parent: where it is.
        """
        super().__init__(parent)
        self.head = Button(title, tip, shape="folded", text=title, checkable=True)
        self.head.setAutoRaise(True)
        self._body = QWidget()
        self.form = QFormLayout(self._body)
        arrange_form(self.form)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SMALL_GAP)
        column.addWidget(self.head, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._body)
        self._body.hide()
        self.head.toggled.connect(self._show)

    @property
    def open(self) -> bool:
        """Whether the fields are visible."""
        return self.head.isChecked()

    def _show(self, on: bool) -> None:
        self._body.setVisible(on)
        self.head.set_shape("unfolded" if on else "folded")
