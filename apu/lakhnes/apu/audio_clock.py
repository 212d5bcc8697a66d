"""When the frames of a sound stream are heard, told from when they were asked for.

A device asks for a block whenever it has room: at best in even time, often late, for the system was busy, or
several blocks at once. Being late is what chance adds, so the earliest of the latest requests show the
stream's true time.
"""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 1.0
"""How far back requests are looked at, and how soon lost time is noticed."""

MAX_SLEW = 1e-3
"""How fast the estimate moves, in seconds a second: above the drift between clocks, below what is heard."""

_SETTLING_SECONDS = 0.5
_MAX_JUMP = 0.005  # seconds; beyond that the stream was interrupted


class AudioClock:
    """Follows a stream's time as its blocks are asked for.

    Attributes:
        origin: time of the stream's first frame, as it would be had nothing been lost, in seconds on the
            clock of `asked`.
        losses: how often the stream stood still and went on later.
    """

    def __init__(self, sample_rate: int, block: int) -> None:
        """Wait for the first block.

        Args:
            sample_rate: of the stream, in Hz.
            block: usual length of a block in frames.
        """
        self._sample_rate = sample_rate
        self._jump = min(_MAX_JUMP, max(0.001, block / sample_rate / 2))
        self._least: deque[tuple[float, float]] = deque()  # (now, origin), both rising: the window's minima
        self._first = self._last = 0.0
        self.origin = 0.0
        self.losses = 0

    def asked(self, frame: int, now: float) -> None:
        """Record that the device asked for a block.

        Args:
            frame: the block's first, counted from the stream's start.
            now: seconds, never before the last request.
        """
        origin = now - frame / self._sample_rate
        while self._least and self._least[0][0] < now - WINDOW_SECONDS:
            self._least.popleft()
        while self._least and self._least[-1][1] >= origin:
            self._least.pop()
        self._least.append((now, origin))
        if frame == 0:
            self._first = self._last = now
            self.origin = origin
        error = self._least[0][1] - self.origin
        if now - self._first < _SETTLING_SECONDS or abs(error) > self._jump:
            self.losses += error > self._jump
            self.origin += error
        else:
            most = MAX_SLEW * (now - self._last)
            self.origin += min(most, max(-most, error))
        self._last = now
