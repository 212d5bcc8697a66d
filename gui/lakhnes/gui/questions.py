"""Questions that a window asks before something is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from lakhnes.gui.targets import give_room

_MOST_NAMES = 8
"""Files or songs that a question names."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its answers."""

    text: str
    """The question, in a sentence."""
    more: str
    """Further details."""
    answers: tuple[str, ...]
    """Texts of buttons; the last one changes nothing, and is what Escape means."""
    usual: int = -1
    """The answer that Return means."""


Ask = Callable[[Question], str]
"""Asks a question; the answer."""


REPLACE, OTHER_NAME = "Replace", "Choose another name"
THROW_AWAY, KEEP = "Throw away", "Keep"
QUIT_LATER, QUIT_NOW, STAY = "Quit when it is finished", "Stop it and quit", "Do not quit"
QUIT_WITHOUT = "Quit without it"


def replacing(paths: list[Path]) -> Question:
    """Ask whether existing files may be replaced."""
    if len(paths) == 1:
        text = f"{paths[0].name} already exists. Replace it?"
    else:
        text = f"{len(paths)} files already exist. Replace them?"
    names = "" if len(paths) == 1 else _listed(path.name for path in paths) + "\n\n"
    return Question(text, f"{names}In {paths[0].parent}", (REPLACE, OTHER_NAME))


def replacing_altered(path: Path) -> Question:
    """Ask whether a session may be saved over what another program has made of its file."""
    text = f"Another program has changed {path.name} since you opened or saved it. Replace it?"
    more = "Save under another name to keep both versions."
    return Question(text, more, (REPLACE, OTHER_NAME))


def throwing_away(names: list[str]) -> Question:
    """Ask whether unsaved songs may be thrown away."""
    if len(names) == 1:
        text, more = f"Throw {names[0]} away?", "It is not saved anywhere else."
    else:
        text = f"Throw {len(names)} songs away?"
        more = f"{_listed(names)}\n\nThey are not saved anywhere else."
    return Question(text, more, (THROW_AWAY, KEEP))


def quitting_exports(labels: list[str]) -> Question:
    """Ask what becomes of exports that are not done."""
    if len(labels) == 1:
        text = "An export is still running. Quit anyway?"
    else:
        text = f"{len(labels)} exports are still running. Quit anyway?"
    more = f"{_listed(labels)}\n\nIf you stop now, unfinished files are removed."
    return Question(text, more, (QUIT_LATER, QUIT_NOW, STAY), usual=0)


def quitting_unkept(reasons: dict[str, str]) -> Question:
    """Ask whether to quit though songs can be kept nowhere."""
    names = list(reasons)
    text = f"{names[0]} is not saved" if len(names) == 1 else f"{len(names)} songs are not saved"
    listed = "" if len(names) == 1 else _listed(names) + "\n\n"
    more = f"{listed}{reasons[names[0]]}\n\nIf you quit now, unsaved work is lost."
    return Question(f"{text} and cannot be kept for the next start.", more, (QUIT_WITHOUT, STAY))


def asker(parent: QWidget) -> Ask:
    """Return what asks in a window of its own, in front of another."""

    def ask(question: Question) -> str:
        box = QMessageBox(parent)
        box.setObjectName("question")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("LakhNES")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(question.text)
        box.setInformativeText(question.more)
        *others, last = question.answers
        buttons = [box.addButton(answer, QMessageBox.ButtonRole.AcceptRole) for answer in others]
        buttons.append(box.addButton(last, QMessageBox.ButtonRole.RejectRole))
        box.setDefaultButton(buttons[question.usual])
        box.setEscapeButton(buttons[-1])
        give_room(box)
        box.exec()
        clicked = box.clickedButton()
        box.deleteLater()
        return next(
            (answer for b, answer in zip(buttons, question.answers, strict=True) if b == clicked), last
        )

    return ask


def _listed(names: Iterable[str]) -> str:
    """Names, one a line, and how many more there are."""
    every = list(names)
    shown = every[:_MOST_NAMES]
    if len(every) > len(shown):
        shown.append(f"and {len(every) - len(shown)} more")
    return "\n".join(shown)
