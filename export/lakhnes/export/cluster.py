"""Who does the work: this process, the cores of this machine, or many machines through Dask.

All of them do the same: they take tasks one after the other, hold only a few at once, and give the results in
the order of the tasks. A worker that dies takes nothing with it: its tasks are done again by others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar

from lakhnes.runtime.errors import DataError, MissingExtraError, OptionError

T = TypeVar("T")
R = TypeVar("R")

_DEATHS = 3
"""So many workers may die over one task; then it is the task that kills them."""

_AWAY_SECONDS = 60.0
"""A cluster may be without workers for so long."""

_RECOUNT = 16
"""After so many tasks the cores of a cluster are counted again."""

_AGAIN = "Run the same command again: it goes on where it was."


class Executor(Protocol):
    """Does tasks somewhere."""

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Results in the order of the tasks; both are taken and given one by one.

        Raises:
            DataError: if it cannot go on.
        """
        ...

    def close(self) -> None:
        """Ends all workers of its own."""
        ...


class Serial:
    """Does tasks in this process."""

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """See `Executor`."""
        return map(work, tasks)

    def close(self) -> None:
        """Nothing is left to end."""


class Processes:
    """Does tasks on the cores of this machine."""

    def __init__(self, jobs: int) -> None:
        """Starts nothing yet.

        Args:
            jobs: how many processes.

        Raises:
            OptionError: if there are none.
        """
        if jobs < 1:
            raise OptionError(f"{jobs} jobs are too few; give 1 or more.")
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """See `Executor`."""
        coming = iter(tasks)
        waiting: deque[tuple[T, Future[R]]] = deque()
        deaths = 0
        while True:
            while len(waiting) < 2 * self._jobs + 1:
                try:
                    task = next(coming)
                except StopIteration:
                    break
                waiting.append((task, self._submit(work, task)))
            if not waiting:
                return
            try:
                result = waiting[0][1].result()
            except BrokenProcessPool:
                deaths += 1
                if deaths == _DEATHS:
                    raise DataError(
                        f"Worker processes died {_DEATHS} times over the same files, maybe for want of "
                        "memory. Run the same command again with --jobs 1, or find the file that does it."
                    ) from None
                self.close()
                waiting = deque((task, self._submit(work, task)) for task, _ in waiting)
                continue
            deaths = 0
            waiting.popleft()
            yield result

    def close(self) -> None:
        """Ends the processes; what they have begun is given up."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._jobs, mp_context=get_context("spawn"), initializer=_follow_parent
            )
        try:
            with _deaf_to_interrupts():  # what processes inherit: Ctrl-C is for their parent only
                return self._pool.submit(work, task)
        except BrokenProcessPool as error:
            dead: Future[R] = Future()
            dead.set_exception(error)
            return dead


def _follow_parent() -> None:
    """Ends this worker when its parent is gone, however that ended."""
    parent = parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def follow() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Cluster:
    """Does tasks on the workers of a Dask cluster, on which this program must be installed too."""

    def __init__(self, address: str) -> None:
        """Connects to a scheduler.

        Args:
            address: such as `tcp://192.168.1.10:8786`.

        Raises:
            MissingExtraError: if Dask is not installed.
            DataError: if no scheduler answers there.
        """
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("dask", "distributed"):
                raise
            raise MissingExtraError("cluster", "lakhnes prepare --cluster") from None
        try:
            connect: Any = Client
            self._client: Any = connect(address, timeout=10, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise DataError(
                f"No Dask scheduler answers at {address} ({str(error).splitlines()[0]}). "
                "Start one with `dask scheduler`, and workers with `dask worker ADDRESS`."
            ) from None

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """See `Executor`."""
        coming = iter(tasks)
        waiting: deque[Any] = deque()
        done = most = 0
        while True:
            if done % _RECOUNT == 0:  # workers may come and go
                most = max(4, 2 * self._cores() + 1)
            while len(waiting) < most:
                try:
                    task = next(coming)
                except StopIteration:
                    break
                waiting.append(self._client.submit(work, task, pure=False, retries=_DEATHS))
            if not waiting:
                return
            yield self._result(waiting.popleft())
            done += 1

    def close(self) -> None:
        """Leaves the cluster; it goes on without us."""
        self._client.close()

    def _result(self, future: Any) -> Any:
        from distributed import CancelledError, KilledWorker

        away = 0.0
        while True:
            try:
                return future.result(timeout=5)
            except TimeoutError:
                away = 0.0 if self._cores() else away + 5
                if away >= _AWAY_SECONDS:
                    raise DataError(f"The cluster has no workers left. Start some. {_AGAIN}") from None
            except KilledWorker:
                raise DataError(
                    "Workers of the cluster died over the same files, maybe for want of memory. "
                    "Find the file that does it, or give the workers more memory."
                ) from None
            except (CancelledError, OSError):
                raise DataError(f"The connection to the cluster is lost. {_AGAIN}") from None

    def _cores(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except OSError:  # Dask's CommClosedError too
            raise DataError(f"The connection to the cluster is lost. {_AGAIN}") from None
