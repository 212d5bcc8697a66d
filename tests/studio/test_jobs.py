"""Jobs: what they say comes where it is asked for, and nowhere else."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lakhnes.runtime import OptionError
from lakhnes.studio.jobs import Cancelled, Job, Jobs

PATIENCE = 10.0


@pytest.fixture
def failures() -> list[tuple[Job, str]]:
    return []


@pytest.fixture
def jobs(failures: list[tuple[Job, str]]) -> Iterator[Jobs]:
    jobs = Jobs(lambda job, text: failures.append((job, text)))
    yield jobs
    jobs.close()


def wait(jobs: Jobs, until: Callable[[], bool]) -> None:
    """Delivers until something is so."""
    end = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < end
        jobs.deliver()
        time.sleep(0.001)


def test_a_result_comes_in_deliver_and_on_its_thread(jobs: Jobs) -> None:
    threads: list[str] = []
    worked = threading.Event()

    def work(job: Job) -> int:
        threads.append(threading.current_thread().name)
        worked.set()
        return 5

    results: list[tuple[int, str]] = []
    job = jobs.start(
        Job("Counting"), work, lambda n: results.append((n, threading.current_thread().name)), lane="a"
    )
    assert worked.wait(PATIENCE)
    jobs._lanes["a"].submit(lambda: None).result(PATIENCE)
    assert (results, jobs.running) == ([], (job,))
    jobs.deliver()
    assert (results, jobs.running) == ([(5, threading.current_thread().name)], ())
    assert threads[0].startswith("lakhnes a")


def test_jobs_of_a_lane_take_turns_and_lanes_do_not_wait(jobs: Jobs) -> None:
    order: list[str] = []
    go = threading.Event()
    jobs.start(Job("first"), lambda job: go.wait(PATIENCE), lambda _: order.append("first"))
    jobs.start(Job("second"), lambda job: order.append("second began"))
    jobs.start(Job("other"), lambda job: None, lambda _: order.append("other"), lane="b")
    wait(jobs, lambda: order == ["other"])
    assert [job.label for job in jobs.running] == ["first", "second"]
    go.set()
    wait(jobs, lambda: not jobs.running)
    assert sorted(order[1:]) == ["first", "second began"]


def test_progress_is_told(jobs: Jobs) -> None:
    go = threading.Event()

    def work(job: Job) -> None:
        job.tell(0.25)
        go.wait(PATIENCE)

    job = jobs.start(Job("Half"), work)
    assert Job("new").progress is None
    wait(jobs, lambda: job.progress == 0.25)
    go.set()
    wait(jobs, lambda: not jobs.running)


def test_a_cancelled_job_ends_and_nobody_hears_of_it(jobs: Jobs, failures: list[tuple[Job, str]]) -> None:
    results: list[object] = []

    def endless(job: Job) -> None:
        while True:
            job.tell(0.5)

    loud = jobs.start(Job("loud"), endless, results.append)
    waiting = jobs.start(Job("waiting"), lambda job: results.append("began"), results.append)
    go = threading.Event()
    quiet = jobs.start(Job("quiet", quiet=True), lambda job: go.wait(PATIENCE), results.append, lane="b")
    jobs.cancel()
    assert (loud.cancelled, waiting.cancelled, quiet.cancelled) == (True, True, False)
    wait(jobs, lambda: jobs.running == (quiet,))
    go.set()
    wait(jobs, lambda: not jobs.running)
    assert (results, failures) == ([True], [])


def test_a_result_that_is_cancelled_before_it_is_delivered_is_dropped(jobs: Jobs) -> None:
    results: list[int] = []
    job = jobs.start(Job("late"), lambda job: 1, results.append)
    jobs._lanes["files"].submit(lambda: None).result(PATIENCE)
    job.cancel()
    jobs.deliver()
    assert (results, jobs.running) == ([], ())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OptionError("Too wild; calm down."), "Too wild; calm down."),
        (FileNotFoundError(2, "No such file", "a.mid"), "a.mid: No such file. Check the path"),
        (OSError("odd"), "odd. Check the path"),
        (MemoryError(), "There is not enough memory"),
        (KeyError("x"), r"Baking failed (KeyError: 'x'). Nothing was changed."),
        (SystemExit(3), r"Baking failed (SystemExit: 3). Nothing was changed."),
    ],
)
def test_a_failure_is_said_and_the_lane_goes_on(
    jobs: Jobs, failures: list[tuple[Job, str]], error: BaseException, said: str
) -> None:
    def work(job: Job) -> None:
        raise error

    results: list[object] = []
    job = jobs.start(Job("Baking"), work, results.append)
    jobs.start(Job("next"), lambda job: 7, results.append)
    wait(jobs, lambda: not jobs.running)
    assert results == [7]
    assert failures[0][0] is job
    assert failures[0][1].startswith(said)


def test_what_cannot_be_done_with_a_result_is_said(jobs: Jobs, failures: list[tuple[Job, str]]) -> None:
    def done(result: int) -> None:
        raise OptionError("Nobody wants it.")

    jobs.start(Job("Giving"), lambda job: 1, done)
    wait(jobs, lambda: not jobs.running)
    assert [text for _, text in failures] == ["Nobody wants it."]


def test_what_is_posted_is_done_in_order(jobs: Jobs) -> None:
    done: list[int] = []
    for number in range(3):
        jobs.post(lambda n=number: done.append(n))
    assert done == []
    jobs.deliver()
    assert done == [0, 1, 2]


def test_closing_ends_what_runs_and_begins_nothing(failures: list[tuple[Job, str]]) -> None:
    jobs = Jobs(lambda job, text: failures.append((job, text)))
    begun, results = threading.Event(), list[object]()

    def endless(job: Job) -> None:
        begun.set()
        while True:
            job.tell(0)

    jobs.start(Job("endless", quiet=True), endless, results.append)
    jobs.start(Job("never"), lambda job: results.append("began"))
    assert begun.wait(PATIENCE)
    jobs.close()
    jobs.close()
    after = jobs.start(Job("after"), lambda job: results.append("began"))
    jobs.deliver()
    assert (results, failures) == ([], [])
    assert after not in jobs.running
    assert not any(thread.name.startswith("lakhnes files") for thread in threading.enumerate())


def test_telling_a_cancelled_job_ends_it() -> None:
    job = Job("x")
    job.tell(0.1)
    job.cancel()
    with pytest.raises(Cancelled):
        job.tell(0.2)
    assert job.progress == 0.1
