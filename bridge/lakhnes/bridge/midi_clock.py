"""Follows the MIDI clock of a DAW or a drum machine: its transport, its place, its tempo without jitter."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence

import numpy as np

from lakhnes.bridge import beat_clock as midi
from lakhnes.bridge.beat_clock import CLOCKS_PER_BEAT, CLOCKS_PER_UNIT, ClockState, ClockStatus, checked_bpm

LOST_SECONDS = 0.25
"""Silence after which a clock is lost, at usual tempi."""
LOST_CLOCKS = 4
"""The same in clocks, which is longer for slow ones."""

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
_FLOOR_SECONDS = 0.0002
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

    @property
    def slack(self) -> float:
        """Seconds that a clock may lie off the line."""
        return _FIT * self.jitter + _FLOOR_SECONDS

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
            if rest <= fit * self.jitter + _FLOOR_SECONDS or size <= shortest:
                break
        self.interval = min(max(interval, _INTERVALS[0]), _INTERVALS[1])
        self._origin = self._arrivals[-1] + float(mean) + (size - 1) / 2 * self.interval


class MidiClock:
    """The `BeatClock` of another machine, fed with the MIDI messages that come in.

    The position is bound to the clocks counted: between them it follows the smoothed tempo, never further
    than to the next clock (and its jitter), where it waits for a late one.

    Start leads to the song's start and Continue to the clock after the last one heard or to the song
    position, both at the next clock; until then the status is WAITING and the clock stands. Song position
    leads to a place at the next clock. Stop stops at once. Start counts always; Continue while running and
    Stop while stopped change nothing. Clocks while stopped tell the tempo. A clock that falls silent without
    Stop is LOST, stands, and goes on with its next tick; one below 10 BPM, which nothing sends, may be taken
    for that from tick to tick.
    """

    def __init__(self, bpm: float = 120.0) -> None:
        """A clock that has heard nothing.

        Args:
            bpm: the tempo to tell before two clocks were heard.

        Raises:
            OptionError: for a tempo out of range.
        """
        self._lock = threading.Lock()
        self._line = ClockLine(60 / (CLOCKS_PER_BEAT * checked_bpm(bpm)))
        self._heard = -math.inf  # when the last clock came
        self._status = ClockStatus.WAITING
        self._rolling = False  # started and not stopped, though it may wait for a clock
        self._count = -1  # the last clock, from the song's start
        self._position = 0.0  # in clocks, as told last
        self._located = False  # stands where it was sent until the next clock, though it may be running
        self._jumps = 0

    def receive(self, data: bytes | Sequence[int], now: float) -> None:
        """Takes a MIDI message of any kind; those that are no clock or broken are ignored.

        Args:
            data: one raw message.
            now: when it came, seconds of `time.perf_counter`.
        """
        if not data:
            return
        with self._lock:
            match data[0]:
                case midi.CLOCK:
                    self._clock(now)
                case midi.START:
                    self._start(0)
                case midi.CONTINUE:
                    self._continue(now)
                case midi.STOP:
                    self._stop(now)
                case midi.SONG_POSITION:
                    self._song_position(data)

    def state(self, now: float) -> ClockState:
        """Where the clock is at a time in seconds of `time.perf_counter`."""
        with self._lock:
            self._look(now)
            running = self._status is ClockStatus.RUNNING
            bpm = 60 / (CLOCKS_PER_BEAT * self._line.interval)
            return ClockState(self._position / CLOCKS_PER_BEAT, bpm, running, self._jumps, self._status)

    def time_of(self, position: float) -> float:
        """When a position in beats will be reached if the tempo stays; `math.inf` while it stands."""
        with self._lock:
            if self._status is not ClockStatus.RUNNING:
                return math.inf
            return self._line.time_at(position * CLOCKS_PER_BEAT - self._count + self._line.last)

    def _clock(self, now: float) -> None:
        self._look(now)
        if self._silent(now):
            self._line.restart()
        self._heard = max(now, self._heard)
        self._line.add(self._heard, first=self._status is ClockStatus.WAITING)
        if self._status is ClockStatus.LOST:
            self._jumps += 1
        if self._rolling:
            self._count += 1
            self._located = False
            if self._status is not ClockStatus.RUNNING:
                self._position = float(self._count)
        self._status = ClockStatus.RUNNING if self._rolling else ClockStatus.STOPPED
        self._look(now)

    def _start(self, count: int) -> None:
        """Makes the next clock the one of this count, and runs from there."""
        self._go_to(count)
        self._rolling = True
        self._status = ClockStatus.WAITING

    def _stop(self, now: float) -> None:
        self._look(now)
        if self._rolling:
            self._jumps += 1
        self._rolling = False
        self._status = ClockStatus.STOPPED

    def _continue(self, now: float) -> None:
        self._look(now)
        if self._status in (ClockStatus.STOPPED, ClockStatus.LOST) or not self._rolling:
            self._start(self._count + 1)

    def _song_position(self, data: bytes | Sequence[int]) -> None:
        if len(data) < 3 or not (0 <= data[1] < 128 and 0 <= data[2] < 128):
            return
        self._go_to((data[1] + (data[2] << 7)) * CLOCKS_PER_UNIT)
        if not self._rolling:
            self._status = ClockStatus.STOPPED

    def _go_to(self, count: int) -> None:
        self._count = count - 1
        self._position = float(count)
        self._located = True
        self._jumps += 1

    def _silent(self, now: float) -> bool:
        return now - self._heard > max(LOST_SECONDS, LOST_CLOCKS * self._line.interval)

    def _look(self, now: float) -> None:
        """Moves the position on to a time, or finds the clock lost."""
        if self._status is not ClockStatus.RUNNING:
            return
        line = self._line
        reached = self._count + line.index_at(now) - line.last
        late = (line.jitter + _FLOOR_SECONDS) / line.interval
        bounded = min(max(reached, self._count - line.slack / line.interval), self._count + 1 + late)
        if not self._located:
            self._position = max(self._position, bounded)
        if self._silent(now):
            self._status = ClockStatus.LOST
            self._jumps += 1
