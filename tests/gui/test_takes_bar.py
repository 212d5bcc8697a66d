"""The takes bar and the job bar, driven as a user does."""

from collections.abc import Iterator
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from lakhnes.gui.progress import JobBar
from lakhnes.gui.takes_bar import TakesBar
from lakhnes.studio.jobs import Job, Jobs

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


class FakeTakes:
    """Takes that come when the test says so."""

    def __init__(self) -> None:
        self.active = False
        self.count = self.ready = 0
        self.chosen: int | None = None
        self.refusing = False

    def ask(self) -> None:
        self.active, self.count, self.ready, self.chosen = True, 4, 0, None

    def choose(self, index: int | None) -> None:
        if not self.refusing:
            self.chosen = index

    def again(self) -> None:
        self.count += 4

    def done(self) -> None:
        self.active, self.count, self.ready = False, 0, 0

    def cancel(self) -> None:
        self.count = self.ready
        self.active = self.ready > 0


@pytest.fixture
def takes() -> FakeTakes:
    return FakeTakes()


@pytest.fixture
def bar(qtbot: QtBot, takes: FakeTakes) -> TakesBar:
    bar = TakesBar(takes)
    qtbot.addWidget(bar)
    return bar


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    jobs = Jobs(lambda job, text: None)
    yield jobs
    jobs.close()


def states(bar: TakesBar) -> list[bool]:
    return [button.isEnabled() for button in bar.buttons]


def test_it_is_there_while_there_are_takes(qtbot: QtBot, bar: TakesBar, takes: FakeTakes) -> None:
    assert bar.isHidden()
    takes.ask()
    bar.refresh()
    assert bar.isVisible()
    assert [button.text() for button in bar.buttons] == ["1", "2", "3", "4"]
    takes.ready = 4
    bar.refresh()
    qtbot.mouseClick(bar.keep, LEFT)
    assert bar.isHidden()


def test_takes_can_be_chosen_as_they_come(qtbot: QtBot, bar: TakesBar, takes: FakeTakes) -> None:
    takes.ask()
    bar.refresh()
    assert bar.before.isChecked()
    qtbot.mouseClick(bar.buttons[1], LEFT)
    assert takes.chosen is None
    takes.ready, takes.chosen = 2, 0
    bar.refresh()
    assert states(bar) == [True, True, False, False]
    assert bar.buttons[0].isChecked()
    assert (bar.progress.value(), bar.progress.maximum()) == (2, 4)
    qtbot.mouseClick(bar.buttons[1], LEFT)
    assert takes.chosen == 1
    assert not bar.buttons[0].isChecked()
    qtbot.keyClick(bar.before, Qt.Key.Key_Space)
    assert takes.chosen is None
    takes.chosen = 1  # by its key
    bar.refresh()
    assert bar.buttons[1].isChecked()


def test_a_choice_that_is_refused_is_not_shown(qtbot: QtBot, bar: TakesBar, takes: FakeTakes) -> None:
    takes.ask()
    takes.ready, takes.refusing = 1, True
    bar.refresh()
    qtbot.mouseClick(bar.buttons[0], LEFT)
    assert bar.before.isChecked()


def test_four_more(qtbot: QtBot, bar: TakesBar, takes: FakeTakes) -> None:
    takes.ask()
    bar.refresh()
    qtbot.mouseClick(bar.again, LEFT)
    assert takes.count == 4
    takes.ready = 4
    bar.refresh()
    assert bar.progress.isHidden()
    qtbot.mouseClick(bar.again, LEFT)
    assert states(bar) == [True] * 4 + [False] * 4
    assert bar.progress.isVisible()
    assert "F5" in bar.buttons[3].toolTip()
    assert "F" not in bar.buttons[4].toolTip()


def test_stopping_keeps_what_has_come(qtbot: QtBot, bar: TakesBar, takes: FakeTakes) -> None:
    takes.ask()
    takes.ready = 2
    bar.refresh()
    qtbot.mouseClick(bar.stop, LEFT)
    assert states(bar) == [True, True]
    assert bar.stop.isHidden()
    takes.ask()
    bar.refresh()
    qtbot.keyClick(bar.before, Qt.Key.Key_Escape)
    assert bar.isHidden()


def test_any_takes_are_shown(qtbot: QtBot, bar: TakesBar, takes: FakeTakes) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.booleans(), st.integers(0, 12), st.data())
    def check(active: bool, count: int, data: st.DataObject) -> None:
        takes.active, takes.count = active, count
        takes.ready = data.draw(st.integers(0, count))
        takes.chosen = data.draw(st.none() | st.integers(0, takes.ready - 1)) if takes.ready else None
        bar.refresh()
        assert bar.isVisible() == active
        assert states(bar) == [index < takes.ready for index in range(count)]
        down = [button.isChecked() for button in (bar.before, *bar.buttons)]
        assert down.index(True) == (0 if takes.chosen is None else takes.chosen + 1)
        assert sum(down) == 1

    check()


def test_jobs_are_shown_while_they_run(qtbot: QtBot, jobs: Jobs) -> None:
    bar = JobBar(jobs)
    qtbot.addWidget(bar)
    assert bar.isHidden()
    told, end = Event(), Event()

    def work(job: Job) -> None:
        job.tell(0.25)
        told.set()
        end.wait(10)

    jobs.start(Job("Looking", quiet=True), lambda job: end.wait(10), lane="look")
    bar.refresh()
    assert bar.isHidden()
    jobs.start(Job("Exporting"), work)
    jobs.start(Job("Loading"), lambda job: None)
    told.wait(10)
    bar.refresh()
    assert bar.isVisible()
    assert bar.label.text() == "Exporting, and 1 more"
    assert bar.bar.value() / bar.bar.maximum() == 0.25
    end.set()
    qtbot.waitUntil(lambda: (jobs.deliver(), not jobs.running)[1])
    bar.refresh()
    assert bar.isHidden()


def test_nobody_knows_how_long_some_jobs_take(qtbot: QtBot, jobs: Jobs) -> None:
    bar = JobBar(jobs)
    qtbot.addWidget(bar)
    end = Event()
    job = jobs.start(Job("Loading"), lambda job: end.wait(10))
    bar.refresh()
    assert bar.bar.maximum() == 0
    job.tell(0.5)
    bar.refresh()
    assert bar.bar.value() / bar.bar.maximum() == 0.5
    end.set()


def test_a_job_is_cancelled(qtbot: QtBot, jobs: Jobs) -> None:
    bar = JobBar(jobs)
    qtbot.addWidget(bar)
    end = Event()
    job = jobs.start(Job("Exporting"), lambda job: end.wait(10))
    bar.refresh()
    qtbot.mouseClick(bar.cancel, LEFT)
    assert job.cancelled
    assert bar.label.text() == "Cancelling: Exporting"
    assert not bar.cancel.isEnabled()
    end.set()
