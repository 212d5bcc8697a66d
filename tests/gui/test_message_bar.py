"""The message bar, driven as a user does."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from lakhnes.gui.message_bar import INFO_SECONDS, MessageBar
from lakhnes.gui.theme import DARK, LIGHT
from lakhnes.studio.view import Message

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


class Timer:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        self.waiting.append((seconds, what))

    def pass_by(self) -> None:
        due, self.waiting = self.waiting, []
        for seconds, what in due:
            assert seconds == INFO_SECONDS
            what()


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def bar(qtbot: QtBot, timer: Timer) -> MessageBar:
    bar = MessageBar(later=timer.later)
    qtbot.addWidget(bar)
    return bar


def shown(bar: MessageBar) -> str | None:
    return None if bar.isHidden() else bar.text.text()


def test_the_newest_is_on_top(qtbot: QtBot, bar: MessageBar) -> None:
    assert shown(bar) is None
    bar.post(Message("One.", error=True))
    assert shown(bar) == "One."
    assert bar.more.isHidden()
    bar.post(Message("Two.", error=True))
    bar.post(Message("Three."))
    assert shown(bar) == "Three."
    assert bar.more.text() == "+2 more"
    assert "One." in bar.more.toolTip()
    for text in ("Two.", "One.", None):
        qtbot.mouseClick(bar.close_button, LEFT)
        assert shown(bar) == text


def test_the_same_comes_to_the_top(bar: MessageBar) -> None:
    for text in ("One.", "Two.", "One."):
        bar.post(Message(text, error=True))
    assert shown(bar) == "One."
    assert bar.more.text() == "+1 more"


def test_notes_vanish_and_errors_stay(bar: MessageBar, timer: Timer) -> None:
    bar.post(Message("Broken.", error=True))
    bar.post(Message("Wrote it."))
    bar.post(Message("A session was left.", actions=(("Restore it", lambda: None),)))
    assert bar.more.text() == "+2 more"
    timer.pass_by()
    assert (shown(bar), bar.more.text()) == ("A session was left.", "+1 more")
    bar.close_shown()
    assert shown(bar) == "Broken."
    assert timer.waiting == []


def test_a_note_stays_while_it_has_the_keyboard(qtbot: QtBot, bar: MessageBar, timer: Timer) -> None:
    bar.post(Message("Wrote it."))
    bar.activateWindow()
    bar.close_button.setFocus()
    qtbot.waitUntil(bar.close_button.hasFocus)
    timer.pass_by()
    assert shown(bar) == "Wrote it."
    bar.close_button.clearFocus()
    timer.pass_by()
    assert shown(bar) is None


def test_real_time_makes_notes_vanish(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakhnes.gui.message_bar.INFO_SECONDS", 0.01)
    window, elsewhere = QWidget(), QLineEdit()
    qtbot.addWidget(window)
    bar = MessageBar(parent=window)
    elsewhere.setParent(window)
    window.show()
    elsewhere.setFocus()
    bar.post(Message("Wrote it."))
    assert shown(bar) == "Wrote it."
    qtbot.waitUntil(bar.isHidden)


def test_kinds_differ_without_colour(bar: MessageBar) -> None:
    seen = []
    for error in (False, True):
        bar.post(Message("Text", error=error))
        image = bar.shape.pixmap().toImage()
        seen.append((bar.kind.text(), [image.pixelColor(x, y).alpha() for x in range(16) for y in range(16)]))
    assert [kind for kind, _ in seen] == ["Note", "Problem"]
    assert seen[0][1] != seen[1][1]


def test_kinds_have_colours_of_the_theme(bar: MessageBar) -> None:
    bar.set_theme(DARK)
    bar.post(Message("Text", error=True))
    for theme in (DARK, LIGHT):
        bar.set_theme(theme)
        assert bar.kind.palette().color(bar.kind.foregroundRole()) == theme.error


def test_actions_are_done_and_close_the_message(qtbot: QtBot, bar: MessageBar) -> None:
    done: list[str] = []
    bar.post(Message("Below.", error=True))
    bar.post(
        Message("Left.", actions=(("Restore", lambda: done.append("a")), ("Throw", lambda: done.append("b"))))
    )
    assert [button.text() for button in bar.actions_shown] == ["Restore", "Throw"]
    qtbot.mouseClick(bar.actions_shown[1], LEFT)
    assert done == ["b"]
    assert shown(bar) == "Below."
    assert bar.actions_shown == []


def test_an_action_may_post(qtbot: QtBot, bar: MessageBar) -> None:
    bar.post(Message("Lost.", error=True, actions=(("Again", lambda: bar.post(Message("Found."))),)))
    qtbot.mouseClick(bar.actions_shown[0], LEFT)
    assert shown(bar) == "Found."
    assert bar.more.isHidden()


def test_escape_closes(qtbot: QtBot, bar: MessageBar) -> None:
    bar.post(Message("One.", error=True))
    bar.post(Message("Two.", error=True, actions=(("Do", lambda: None),)))
    qtbot.keyClick(bar.actions_shown[0], Qt.Key.Key_Escape)
    assert shown(bar) == "One."
    qtbot.keyClick(bar.text, Qt.Key.Key_Escape)
    assert shown(bar) is None


def test_clearing_closes_everything(bar: MessageBar) -> None:
    bar.post(Message("One."))
    bar.show_problems(("Wrong.",))
    bar.clear()
    assert shown(bar) is None


def test_problems_go_when_they_are_gone(bar: MessageBar) -> None:
    bar.show_problems(("The port is lost.",))
    assert (shown(bar), bar.kind.text()) == ("The port is lost.", "Problem")
    bar.show_problems(("The port is lost.", "No sound."))
    assert shown(bar) == "No sound."
    bar.show_problems(("No sound.",))
    assert bar.more.isHidden()
    bar.show_problems(())
    assert shown(bar) is None


def test_a_closed_problem_comes_back_only_when_it_was_gone(bar: MessageBar) -> None:
    bar.show_problems(("Lost.",))
    bar.close_shown()
    bar.show_problems(("Lost.",))
    bar.show_problems(("Lost.", "No sound."))
    bar.show_problems(("Lost.",))
    assert shown(bar) is None
    bar.show_problems(())
    bar.show_problems(("Lost.",))
    assert shown(bar) == "Lost."


def test_it_is_read_out(bar: MessageBar) -> None:
    bar.post(Message("The port is lost.", error=True))
    read = QAccessible.queryAccessibleInterface(bar)
    assert read.text(QAccessible.Text.Name) == "Problem: The port is lost."


def test_long_words_do_not_widen_the_window(bar: MessageBar) -> None:
    before = bar.minimumSizeHint().width()
    bar.post(Message("x" * 500, error=True))
    assert bar.minimumSizeHint().width() < before + 200


def test_any_messages(qtbot: QtBot) -> None:
    texts = st.sampled_from("abc")

    class Messages(RuleBasedStateMachine):
        """The bar against a list of texts, the newest first."""

        def __init__(self) -> None:
            super().__init__()
            self.timer = Timer()
            self.bar = MessageBar(later=self.timer.later)
            self.expected: list[tuple[str, str]] = []
            self.standing: tuple[str, ...] = ()

        @rule(text=texts, error=st.booleans())
        def post(self, text: str, error: bool) -> None:
            self.bar.post(Message(text, error=error))
            entry = "error" if error else "note", text
            self.expected = [entry, *(old for old in self.expected if old != entry)]

        @rule(problems=st.lists(texts, unique=True))
        def problems(self, problems: list[str]) -> None:
            self.bar.show_problems(tuple(problems))
            self.expected = [e for e in self.expected if e[0] != "problem" or e[1] in problems]
            for problem in problems:
                if problem not in self.standing:
                    self.expected.insert(0, ("problem", problem))
            self.standing = tuple(problems)

        @rule()
        def close(self) -> None:
            self.bar.close_shown()
            del self.expected[:1]

        @rule()
        def wait(self) -> None:
            self.timer.pass_by()
            self.expected = [entry for entry in self.expected if entry[0] != "note"]

        @invariant()
        def shows_the_newest(self) -> None:
            assert shown(self.bar) == (self.expected[0][1] if self.expected else None)
            others = len(self.expected) - 1
            assert self.bar.more.isHidden() == (others < 1)
            assert others < 1 or self.bar.more.text() == f"+{others} more"
            if self.expected:
                kind = "Note" if self.expected[0][0] == "note" else "Problem"
                assert self.bar.kind.text() == kind

        def teardown(self) -> None:
            self.bar.close()
            self.bar.deleteLater()

    case = Messages.TestCase
    case.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
    case().runTest()


def test_a_parent_lays_it_out(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    bar = MessageBar(parent=window)
    window.show()
    assert not bar.isVisible()
    bar.post(Message("One.", error=True))
    assert bar.isVisible()
