"""A window as tests sit before it: no outputs, nothing of the user's, and no frame between two looks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import delete
from tiny import tiny_model_of

from lakhnes.gui.main_window import MainWindow
from lakhnes.gui.questions import Question
from lakhnes.gui.theme import DARK
from lakhnes.runtime import EXPRESSIVE_MODEL, Model
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Choice, Studio
from lakhnes.studio.view import Message

BAR = 4 * PPQ
SEED = 11


class Desk:
    """A window, and what was said in it.

    Attributes:
        window: the app's.
        said: every message.
        answers: paths that file dialogs give, one after the other.
        asked: every question.
        decisions: answers to questions, one after the other.
    """

    def __init__(self, qtbot: QtBot, folder: Path, model: Model, state: SongState | None = None) -> None:
        self.qtbot = qtbot
        self.said: list[Message] = []
        self.answers: list[str] = []
        self.asked: list[Question] = []
        self.decisions: list[str] = []
        store = PreferenceStore(folder / "app.json")
        store.change(sound=False, ports=None)

        def load(name: str) -> Model:
            return tiny_model_of(expression=True, changes=4.0) if name == EXPRESSIVE_MODEL else model.twin()

        studio = Studio(state or SongState(seed=SEED), load=load)
        self.window = MainWindow(
            studio,
            store,
            theme=DARK,
            choose_open=lambda *_: self.answers.pop(0),
            choose_save=lambda *_: self.answers.pop(0),
            ask=self._decide,
        )

    def _decide(self, question: Question) -> str:
        self.asked.append(question)
        decision = self.decisions.pop(0)
        assert decision in question.answers
        return decision

    @property
    def studio(self) -> Studio:
        return self.window.studio

    @property
    def state(self) -> SongState:
        return self.window.studio.session.state

    def begin(self) -> None:
        """Shows the window, and waits until there is music."""
        self.window.show()
        self.window.begin()
        post = self.studio.say

        def say(message: Message) -> None:
            self.said.append(message)
            post(message)

        self.studio.say = say
        self.until(lambda: self.studio.view().ready)

    def until(self, over: Callable[[], bool]) -> None:
        """Lets the window live until something is so."""
        self.qtbot.waitUntil(over, timeout=30_000)

    def settle(self) -> None:
        """Waits until nothing is done and the song is the timeline's."""

        def settled() -> bool:
            stage = self.studio.stage
            assert stage is not None
            timeline = stage.performance.composer.timeline
            behind = timeline.end < min(self.state.kept, 1 << 30)
            return not self.studio.jobs.running and self.studio.settled and not behind

        self.until(settled)

    def composed(self, bars: int) -> None:
        """Has so many bars composed."""
        self.studio.more(bars)
        self.until(lambda: self.state.end >= bars * BAR)

    def choose(self, name: str) -> None:
        """Chooses a command from a menu."""
        self.window.commands[name].trigger()

    def drop(self, *paths: Path | str) -> None:
        """Drops files, or addresses, on the window."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(p)) if isinstance(p, Path) else QUrl(p) for p in paths])
        copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(self.window, QDragEnterEvent(QPoint(9, 9), copy, data, left, none))
        QApplication.sendEvent(self.window, QDropEvent(QPointF(9, 9), copy, data, left, none))

    def errors(self) -> list[str]:
        return [message.text for message in self.said if message.error]


@contextmanager
def desk(
    qtbot: QtBot, folder: Path, model: Model, state: SongState | None = None, ports: Choice = None
) -> Iterator[Desk]:
    """An open desk."""
    made = Desk(qtbot, folder, model, state)
    made.window._store.change(ports=ports)
    made.begin()
    try:
        yield made
    finally:
        made.window.filing.stop_exports()
        made.until(lambda: not made.window.filing.exporting)  # one keeps the window open
        made.window.close()
        delete(made.window)  # its connections hold it, so it would stay for the rest of the run
