"""The about box: the program, the model that composes, and the licences of what is inside."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from lakhnes.gui.targets import give_room
from lakhnes.runtime import LakhnesError, find_model

_PARTS = (
    ("Qt and PySide6", "PySide6-Essentials", "LGPL-3.0"),
    ("pyo", "pyo", "LGPL-3.0"),
    ("ONNX Runtime", "onnxruntime", "MIT"),
    ("NumPy", "numpy", "BSD-3-Clause"),
    ("mido", "mido", "MIT"),
    ("python-rtmidi", "python-rtmidi", "MIT"),
    ("python-soundfile, libsndfile", "soundfile", "BSD-3-Clause, LGPL-2.1"),
    ("Pillow", "pillow", "MIT-CMU"),
)
"""Name, distribution and licence of each part inside."""


def about_text() -> str:
    """Return the first page as HTML."""
    return (
        f"<h2>LakhNES {version('lakhnes')}</h2>"
        "<p>Composes music for the four voices of the NES sound chip, live into a DAW, through its own 2A03, "
        "and into files. MIT licence.</p>"
        "<p>After LakhNES by Chris Donahue, Huanru Henry Mao, Yiting Ethan Li, Garrison W. Cottrell and "
        "Julian McAuley (ISMIR 2019).</p>"
    )


def model_text(name: str) -> str:
    """Return the model's card as Markdown, or a sentence if the model has no card."""
    try:
        card = find_model(name).with_name("MODEL_CARD.md")
        return card.read_text("utf-8")
    except (LakhnesError, OSError, UnicodeDecodeError):
        return f"The model {name} has no card that says how it was made."


def licences_text() -> str:
    """Return the parts inside as an HTML table."""
    rows = []
    for name, distribution, licence in _PARTS:
        try:
            rows.append(
                f"<tr><td>{name}&nbsp;</td><td>{version(distribution)}&nbsp;</td><td>{licence}</td></tr>"
            )
        except PackageNotFoundError:
            continue  # an extra that is not installed
    free = "Parts under the LGPL are libraries of their own and can be replaced."
    return f"<table>{''.join(rows)}</table><p>{free}</p>"


class About(QDialog):
    """The window of it."""

    def __init__(self, model: str, parent: QWidget | None = None) -> None:
        """Tells of the program and of a model."""
        super().__init__(parent)
        self.setWindowTitle("About LakhNES")
        self.resize(560, 420)
        tabs = QTabWidget()
        first = QLabel(about_text())
        first.setWordWrap(True)
        first.setAlignment(Qt.AlignmentFlag.AlignTop)
        first.setMargin(12)
        card, licences = QTextBrowser(), QTextBrowser()
        card.setMarkdown(model_text(model))
        licences.setHtml(licences_text())
        for widget, title in ((first, "&LakhNES"), (card, "&Model"), (licences, "L&icences")):
            tabs.addTab(widget, title)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(tabs)
        column.addWidget(buttons)
        give_room(self)
