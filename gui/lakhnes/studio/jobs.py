"""Background tasks; their results arrive on the thread that asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from lakhnes.runtime import LakhnesError

T = TypeVar("T")


class Cancelled(Exception):  # noqa: N818 - no error
    """Somebody does not want a job's result any more."""


class Job:
    """Something that is being done.

    Attributes:
        label: what, for people.
        progress: how much of it is done, 0..1; None where nobody knows.
        quiet: whether people need not be told of it.
    """

    def __init__(self, label: str, *, quiet: bool = False) -> None:
        """Make a job that has not started."""
        self.label, self.quiet = label, quiet
        self.progress: float | None = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Cancel the job; it ends when it next checks."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it is to end."""
        return self._cancelled.is_set()

    def tell(self, progress: float) -> None:
        """Says how much is done.

        Raises:
            Cancelled: if somebody cancelled it.
        """
        if self.cancelled:
            raise Cancelled
        self.progress = progress


class Jobs:
    """Threads that do jobs, one lane for each kind, so that a long one holds up its own kind only.

    The messages of jobs arrive only on the thread that calls `deliver`.
    """

    def __init__(self, failed: Callable[[Job, str], None]) -> None:
        """Begins without work.

        Args:
            failed: is told of what a job could not do, in words.
        """
        self._failed = failed
        self._lanes: dict[str, ThreadPoolExecutor] = {}
        self._posted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._running: deque[Job] = deque()
        self._closed = False

    @property
    def running(self) -> tuple[Job, ...]:
        """The jobs that are not done, the oldest first."""
        return tuple(self._running)

    def start(
        self,
        job: Job,
        work: Callable[[Job], T],
        done: Callable[[T], None] = lambda result: None,
        *,
        lane: str = "files",
    ) -> Job:
        """Begins a job when those before it in its lane are over.

        Args:
            job: what is done.
            work: does it, on another thread; it calls `Job.tell` often.
            done: takes the result, where `deliver` is called; not if the job was cancelled.
            lane: jobs of one lane come one after the other.

        Returns:
            The job.
        """
        if self._closed:
            return job
        self._running.append(job)
        pool = self._lanes.setdefault(lane, ThreadPoolExecutor(1, thread_name_prefix=f"lakhnes {lane}"))
        pool.submit(self._run, job, work, done)
        return job

    def post(self, what: Callable[[], None]) -> None:
        """Has something done where `deliver` is called; from any thread."""
        self._posted.put(what)

    def deliver(self) -> None:
        """Does what jobs have left to be done on this thread."""
        while not self._posted.empty():
            self._posted.get()()

    def cancel(self) -> None:
        """Cancels every job that people were told of."""
        for job in self.running:
            if not job.quiet:
                job.cancel()

    def close(self) -> None:
        """Cancels everything and waits for it to end."""
        self._closed = True
        for job in self.running:
            job.cancel()
        for pool in self._lanes.values():
            pool.shutdown(wait=True, cancel_futures=True)
        self._running.clear()

    def _run(self, job: Job, work: Callable[[Job], T], done: Callable[[T], None]) -> None:
        try:
            if job.cancelled:
                raise Cancelled
            result = work(job)
        except Cancelled:
            self.post(lambda: self._over(job))
        except (LakhnesError, OSError, MemoryError) as error:
            message = _said(error)
            self.post(lambda: self._over(job))
            self.post(lambda: self._failed(job, message))
        except BaseException as error:  # a fault of ours, but the song and the window go on
            message = f"{job.label} failed ({type(error).__name__}: {error}). Nothing was changed."
            self.post(lambda: self._over(job))
            self.post(lambda: self._failed(job, message))
        else:
            self.post(lambda: self._take(job, done, result))

    def _take(self, job: Job, done: Callable[[T], None], result: T) -> None:
        self._over(job)
        if job.cancelled:
            return
        try:
            done(result)
        except (LakhnesError, OSError) as error:
            self._failed(job, _said(error))

    def _over(self, job: Job) -> None:
        if job in self._running:  # else `close` has ended it
            self._running.remove(job)


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, LakhnesError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}. Check the path and its permissions."
    if isinstance(error, MemoryError):
        return "There is not enough memory for this. Close other programs, or choose a shorter part."
    return str(error)
