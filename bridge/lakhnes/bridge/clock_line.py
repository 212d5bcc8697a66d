"""The straight line through the arrivals of MIDI clocks: a tempo without their jitter."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from lakhnes.bridge.beat_clock import CLOCKS_PER_BEAT

_WINDOWS = (64, 48, 40, 32, 26, 20, 16, 12, 9, 7, 5, 4, 3, 2)
"""Clocks that a line may be laid through, the longest that fits the jitter first."""
_STEADY_WINDOW = 48
"""The longest window for a clock that comes when it should; coarse ones get the longer."""
_COARSE_SECONDS = 0.004
"""Jitter of a clock that comes in audio periods."""
_INTERVALS = (60 / (CLOCKS_PER_BEAT * 2000), 60 / (CLOCKS_PER_BEAT * 5))
"""Seconds between clocks that are believed, 2000 and 5 BPM; beyond, the place follows the count alone."""
_BUNCHED_SECONDS = 0.003
"""Clocks so close together, 833 BPM, were held up and came at once."""
_EVIDENCE = 144
"""Intervals for which an odd one is remembered."""
_MOST_ODD_SECONDS = 0.06
"""An interval longer than others by more is no jitter; the longest usual audio period is 46 ms."""
FLOOR_SECONDS = 0.0002
"""Jitter that even the best clock is granted."""
_FIT, _LONG_FIT = 2.2, 1.3
"""Residuals that belong to a line, in jitters; a line through a few clocks may lie off by one itself."""
_LONG_WINDOW = 16
"""Clocks from which on a line lies well enough for the stricter of the two."""


class ClockLine:
    """The straight line through the arrivals of the last clocks: when a clock came, or will.

    How far clocks stray is told from intervals that differ from both their neighbours. A tempo that steps or
    glides does not make such intervals, late and bunched clocks do, so that either is known for what it is:
    the line goes through the longest window of clocks that lie no further from it than this jitter explains.
    """

    def __init__(self, interval: float) -> None:
        """A line without clocks.

        Args:
            interval: seconds between clocks until two were heard.
        """
        self.interval = interval
        """Seconds between clocks."""
        self.last = -1
        """Index of the last clock."""
        self.jitter = 0.0
        """Seconds that clocks come early or late."""
        self._origin = 0.0  # when the clock `last` should have come
        self._arrivals: deque[float] = deque(maxlen=_WINDOWS[0])
        self._intervals: deque[float] = deque(maxlen=3)
        self._odd: deque[float] = deque(maxlen=_EVIDENCE)
        self._expected: float | None = None  # when the last clock should have come, if it strayed
        self._begun = False  # the last arrival is the first of all, or since the clock began anew

    @property
    def slack(self) -> float:
        """Seconds that a clock may lie off the line."""
        return _FIT * self.jitter + FLOOR_SECONDS

    @property
    def _coarse(self) -> bool:
        return self.jitter > _COARSE_SECONDS

    def index_at(self, time: float) -> float:
        """The clock of a time, with its fraction."""
        return self.last + (time - self._origin) / self.interval

    def time_at(self, index: float) -> float:
        """When a clock comes, whole or not."""
        return self._origin + (index - self.last) * self.interval

    def restart(self) -> None:
        """Forgets the arrivals, keeps the tempo: the next clock comes whenever it comes."""
        self._arrivals.clear()
        self._intervals.clear()
        self._expected = None

    def add(self, time: float, *, first: bool = False) -> None:
        """Takes the arrival of the next clock.

        Args:
            time: seconds, not before the clock before.
            first: it is the first after Start or Continue, for which some senders begin their clock anew.
        """
        self.last += 1
        self._origin += self.interval
        if first and (self._coarse or not self._near(time, self._origin)):
            self.restart()
        begun, self._begun = self._begun, not self._arrivals
        if begun and self._arrivals and time - self._arrivals[-1] < _BUNCHED_SECONDS:
            self._arrivals.clear()  # that one was late, as the first is where a sender has to wake up for it
        if not self._arrivals:
            self._arrivals.append(time)
            self._origin = time
            return
        self._judge(time - self._arrivals[-1])
        if self._expected is not None and self._near(time, self._expected + self.interval):
            self._arrivals[-1] = self._expected  # that one was late and this one is not: no new tempo
        elif self._expected is None and len(self._arrivals) > 2 and not self._near(time, self._origin):
            self._expected = self._origin  # late, or a new tempo: the next will tell
            self._arrivals.append(time)
            self._origin = time
            return
        self._expected = None
        self._arrivals.append(time)
        self._fit()

    def _near(self, time: float, expected: float) -> bool:
        return abs(time - expected) <= self.slack

    def _judge(self, interval: float) -> None:
        """Learns the jitter from an interval."""
        self._intervals.append(interval)
        if interval < _BUNCHED_SECONDS:
            odd = min(abs(self.interval - interval), _MOST_ODD_SECONDS)
            self._odd += (odd, odd)
        if len(self._intervals) == 3:
            before, middle, after = self._intervals
            usual = sorted((before, middle, after))[1]
            self._odd.append(min(abs(middle - usual), _MOST_ODD_SECONDS))
        if len(self._odd) > 1:  # one alone was an accident, such as a clock that got lost
            self.jitter = sorted(self._odd)[-2] / 2

    def _fit(self) -> None:
        """Lays the line through the longest window that it fits."""
        shortest, longest = 2, _STEADY_WINDOW
        if self._coarse:
            shortest, longest = min(2 + math.ceil(8 * self.jitter / self.interval), 24), _WINDOWS[0]
        arrivals = np.array(self._arrivals) - self._arrivals[-1]
        if len(arrivals) < shortest:  # the tempo as it was; these few would tell a wild one
            backwards = np.arange(len(arrivals))[::-1] * self.interval
            self._origin = self._arrivals[-1] + float((arrivals + backwards).mean())
            return
        for size in (len(arrivals), *_WINDOWS):
            if size > min(len(arrivals), longest):
                continue
            late = arrivals[-size:]
            steps = np.arange(size) - (size - 1) / 2
            mean = late.mean()
            interval = float(steps @ late) * 12 / (size * (size * size - 1))
            rest = np.abs(late - mean - steps * interval).max()
            fit = _LONG_FIT if size >= _LONG_WINDOW else _FIT
            if rest <= fit * self.jitter + FLOOR_SECONDS or size <= shortest:
                break
        self.interval = min(max(interval, _INTERVALS[0]), _INTERVALS[1])
        self._origin = self._arrivals[-1] + float(mean) + (size - 1) / 2 * self.interval
