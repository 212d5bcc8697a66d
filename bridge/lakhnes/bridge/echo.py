"""Our own messages that come back: a track that is monitored, or one loopback port for both directions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

ECHO_SECONDS = 0.2
"""How long what we sent may be on its way: some of the longest audio periods."""

_TOLD_SECONDS = 5.0
"""How long it is told after it was heard last."""

COMES_BACK = (
    "lakhnes receives its own notes, and ignores them. Switch off the track that sends its input to LakhNES "
    "Control, and use one loopback port for each direction."
)


class Echo:
    """Knows what was sent a moment ago; any thread may ask."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        """Has sent nothing.

        Args:
            now: seconds that only grow.
        """
        self._now = now
        self._lock = threading.Lock()
        self._sent: dict[bytes, list[float]] = {}  # when each message was sent that has not come back
        self._heard: float | None = None  # when one came back last

    def sent(self, data: Sequence[int]) -> None:
        """A message of a channel was sent; others come from no keyboard."""
        if data[0] < 0xF0:
            now = self._now()
            with self._lock:
                times = self._sent.setdefault(bytes(data), [])
                times[:] = [at for at in times if now - at <= ECHO_SECONDS]
                times.append(now)

    def is_ours(self, data: bytes) -> bool:
        """Whether a message that comes in is one of ours; each comes back once."""
        now = self._now()
        with self._lock:
            times = self._sent.get(data, [])
            times[:] = [at for at in times if now - at <= ECHO_SECONDS]
            if not times:
                return False
            times.pop(0)
            self._heard = now
            return True

    def check(self) -> str | None:
        """What is wrong, as a sentence, if something came back of late; None if nothing did."""
        heard = self._heard
        return COMES_BACK if heard is not None and self._now() - heard < _TOLD_SECONDS else None
