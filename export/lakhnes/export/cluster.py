"""Executors: this process, the cores of this machine, or many machines through Dask.

All work alike: they take tasks one by one, hold only a few at once, and return the results in the order of
the tasks. If a worker dies, other workers repeat its tasks.
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
"""Number of workers that may die during one task; then the task counts as the cause."""

_AWAY_SECONDS = 60.0
"""Seconds that a cluster may be without workers."""

_RECOUNT = 16
"""Number of tasks after which a cluster's cores are counted again."""

_AGAIN = "Run the same command again: it goes on where it was."


class Executor(Protocol):
    """Executor of tasks."""

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yield results in the order of the tasks; tasks and results are passed one by one.

        Raises:
            DataError: if it cannot continue.
        """
        ...

    def close(self) -> None:
        """End all its own workers."""
        ...


class Serial:
    """Executor in this process."""

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """See `Executor`."""
        return map(work, tasks)

    def close(self) -> None:
        """Do nothing: no worker exists."""


class Processes:
    """Executor on the cores of this machine."""

    def __init__(self, jobs: int) -> None:
        """Store the number; processes start later.

        Args:
            jobs: number of processes, at least 1.

        Raises:
            OptionError: if it is less than 1.
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
        """End the processes; unfinished tasks are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._jobs, mp_context=get_context("spawn"), initializer=_follow_parent
            )
        try:
            with _deaf_to_interrupts():  # processes inherit this: Ctrl-C is for their parent only
                return self._pool.submit(work, task)
        except BrokenProcessPool as error:
            dead: Future[R] = Future()
            dead.set_exception(error)
            return dead


def _follow_parent() -> None:
    """End this worker when its parent ends, for any reason."""
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
    """Executor on the workers of a Dask cluster; they need this program too."""

    def __init__(self, address: str) -> None:
        """Connect to a scheduler.

        Args:
            address: address such as `tcp://192.168.1.10:8786`.

        Raises:
            MissingExtraError: if Dask is not installed.
            DataError: if no scheduler answers at this address.
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
            if done % _RECOUNT == 0:  # the set of workers may change
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
        """Leave the cluster; it keeps running."""
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
        except OSError:  # also Dask's CommClosedError
            raise DataError(f"The connection to the cluster is lost. {_AGAIN}") from None
