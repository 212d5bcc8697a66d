"""Presets of the steering, by name."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import Combo
from lakhnes.runtime import LakhnesError
from lakhnes.studio.preferences import PresetStore
from lakhnes.studio.state import STEERING_FIELDS
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message


class PresetBar(QWidget):
    """Choosing a preset applies its values as one step; typing a name and pressing the button saves one."""

    def __init__(self, studio: Studio, store: PresetStore, parent: QWidget | None = None) -> None:
        """Shows what is in a store.

        Args:
            studio: whose settings are kept and set.
            store: of presets.
            parent: where it is.
        """
        super().__init__(parent)
        self._studio, self._store = studio, store
        self.names = Combo("Preset", "Choose a preset, or type a name to make a new one")
        self.names.setEditable(True)
        self.names.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        line = self.names.lineEdit()
        assert line is not None
        line.setPlaceholderText("Name of a preset")
        line.setAccessibleName("Preset")
        line.setMaxLength(60)
        self.save = Button("Save the preset", "Save the steering under this name", shape="save")
        self.delete = Button("Delete the preset", "Delete this preset", shape="delete")
        self.setFocusProxy(self.names)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.names, 1)
        row.addWidget(self.save)
        row.addWidget(self.delete)
        self._fill("")
        self.names.activated.connect(self._use)
        self.names.editTextChanged.connect(self._show_buttons)
        self.save.clicked.connect(self._save)
        self.delete.clicked.connect(self._delete)

    @property
    def name(self) -> str:
        """The text of the field."""
        return self.names.currentText().strip()

    def _use(self) -> None:
        name = self.name
        session = self._studio.session
        try:
            kept = self._store.get(name)
            values = {field: kept[field] for field in STEERING_FIELDS if field in kept}
            _ = replace(session.state, **values).request
        except (LakhnesError, TypeError, ValueError, AttributeError) as error:
            text = f"The preset {name} cannot be used: {error} Delete it, or save another under that name."
            self._studio.say(Message(text, error=True))
        else:
            session.change(f"Preset {name}", **values)

    def _save(self) -> None:
        state = self._studio.session.state
        try:
            self._store.put(self.name, {field: getattr(state, field) for field in STEERING_FIELDS})
        except LakhnesError as error:
            self._studio.say(Message(str(error), error=True))
        self._fill(self.name)

    def _delete(self) -> None:
        try:
            self._store.delete(self.name)
        except LakhnesError as error:
            self._studio.say(Message(str(error), error=True))
        self._fill("")

    def _fill(self, name: str) -> None:
        self.names.clear()
        self.names.addItems(sorted(self._store.names(), key=str.casefold))
        self.names.setCurrentIndex(self.names.findText(name) if name else -1)
        self.names.setEditText(name)
        self._show_buttons()

    def _show_buttons(self) -> None:
        self.save.setEnabled(bool(self.name))
        self.delete.setEnabled(self.name in self._store.names())
