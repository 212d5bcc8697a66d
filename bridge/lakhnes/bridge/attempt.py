"""What may take long, for whoever must not wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_PATIENCE_SECONDS = 0.2
"""What is done sooner is done at once."""

_T = TypeVar("_T")


class Attempt(Generic[_T]):
    """Does something that may take long, on a thread of its own, once at a time."""

    def __init__(self, do: Callable[[], _T], unwanted: Callable[[_T], None] = lambda result: None) -> None:
        """Takes what is to be done.

        Args:
            do: does it.
            unwanted: takes what comes after the end.
        """
        self._do, self._unwanted = do, unwanted
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._result: list[_T] = []
        self._error: Exception | None = None
        self._ended = False

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self._thread is None

    def __call__(self) -> _T | None:
        """Begins, or goes on; the result once it is there, None before.

        Raises:
            Exception: what it raised; the next call begins anew.
        """
        thread = self._thread
        if thread is None:
            thread = self._thread = threading.Thread(target=self._run, name="lakhnes attempt", daemon=True)
            thread.start()
        thread.join(_PATIENCE_SECONDS)
        if thread.is_alive():
            return None
        self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._result.pop() if self._result else None

    def end(self) -> None:
        """Wants no result any more."""
        with self._lock:
            self._ended = True
        for result in self._result:
            self._unwanted(result)

    def _run(self) -> None:
        try:
            result = self._do()
        except Exception as error:
            self._error = error
            return
        with self._lock:
            ended = self._ended
            if not ended:
                self._result.append(result)
        if ended:
            self._unwanted(result)
