"""Follows the MIDI clock of a DAW or a drum machine: its transport, its place, its loops."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from enum import StrEnum

from lakhnes.bridge import beat_clock as midi
from lakhnes.bridge.beat_clock import CLOCKS_PER_BEAT, ClockState, ClockStatus, checked_bpm
from lakhnes.bridge.clock_line import FLOOR_SECONDS, ClockLine
from lakhnes.bridge.song_position import SongPosition, SongPositionUnit

LOST_SECONDS = 0.25
"""Silence after which a clock is lost, at usual tempi."""
LOST_CLOCKS = 4
"""The same in clocks, which is longer for slow ones."""

_BEFORE_LINE = 0.001
"""Clocks that a position stays short of a beat whose clock has not come."""
_HOLD_SECONDS = 0.005
"""How long a Stop on a beat may be the first part of a jump: Stop, song position, Continue."""
_HOLD_CLOCKS = 2
"""How long a jump on a beat waits for the beat's clock: so many clocks, and the slack of the line."""


class Joining(StrEnum):
    """What to do about a clock that runs without having said Start."""

    BAR = "bar"
    """Play from its next bar on."""
    ASK = "ask"
    """Play once the user wants it."""
    START = "start"
    """Wait for Start or Continue, unless the user wants it."""


class MidiClock:
    """The `BeatClock` of another machine, fed with the MIDI messages that come in.

    The position is bound to the clocks counted: between them it follows the smoothed tempo, never further
    than to the next clock (and its jitter), where it waits for a late one. It reaches no beat before that
    beat's own clock: there the other machine may go back in a loop, which it says just before the clock.

    Start leads to the song's start and Continue to the clock after the last one heard or to the song
    position, both at the next clock; until then the status is WAITING and the clock stands. Song position
    leads to a place at the next clock. Stop stops at once. Start counts always; Continue while running and
    Stop while stopped change nothing. Clocks while stopped tell the tempo. A clock that falls silent without
    Stop is LOST, stands, and goes on with its next tick; one below 10 BPM, which nothing sends, may be taken
    for that from tick to tick.

    A jump on a beat, told in any of these ways, happens at the beat's clock, and back makes a loop of the
    part between. The loop is expected from then on, until its end is passed. If the beat's clock is overdue,
    the jump was none on a beat: it happens at once, and the clock waits there for the next.

    Clocks of a machine of which no Start, Continue or Stop was heard yet are HEARD. They are joined at the
    next bar line, counted from the song position if one was told. Else the bar line is the user's, or a bar
    after the first clock.
    """

    def __init__(
        self,
        bpm: float = 120.0,
        *,
        beats_per_bar: int = 4,
        joining: Joining = Joining.BAR,
        song_position: SongPositionUnit = SongPositionUnit.AUTO,
    ) -> None:
        """A clock that has heard nothing.

        Args:
            bpm: the tempo to tell before two clocks were heard.
            beats_per_bar: of the music.
            joining: what to do about a clock that runs without having said Start.
            song_position: what the other machine counts song position in.

        Raises:
            OptionError: for a tempo out of range.
        """
        self._lock = threading.Lock()
        self._line = ClockLine(60 / (CLOCKS_PER_BEAT * checked_bpm(bpm)))
        self._bar = beats_per_bar * CLOCKS_PER_BEAT
        self._joining = joining
        self._units = SongPosition(song_position)
        self._heard = -math.inf  # when the last clock came
        self._status = ClockStatus.WAITING
        self._rolling = False  # started and not stopped, though it may wait for a clock
        self._count = -1  # the last clock, from the song's start
        self._position = 0.0  # in clocks, as told last
        self._located = False  # stands where it was sent until the next clock, though it may be running
        self._jumps = self._rounds = 0
        self._landed: int | None = None  # in clocks, where the last jump led; None for wherever it was seen
        self._loop: tuple[int, int] | None = None  # in clocks
        self._wrapped = False  # the last jump was the loop's
        self._target: int | None = None  # where the clock of the next beat leads
        self._stop_at: float | None = None  # when a Stop came that may be part of a jump
        self._beat = (0, -math.inf)  # the last beat that was played, and when its clock came
        self._told = False  # Start, Continue or Stop was heard
        self._placed = False  # a song position was, and clocks count from there
        self._idle = 0  # clocks heard since, or since the first
        self._asked = False  # the user wants to join
        self._left = False  # the user does not want to

    def receive(self, data: bytes | Sequence[int], now: float) -> None:
        """Takes a MIDI message of any kind; those that are no clock or broken are ignored.

        Args:
            data: one raw message.
            now: when it came, seconds of `time.perf_counter`.
        """
        if not data:
            return
        with self._lock:
            self._look(now)
            match data[0]:
                case midi.CLOCK:
                    self._clock(now)
                case midi.START:
                    self._told = True
                    self._units.located(0)
                    self._start(0)
                case midi.CONTINUE:
                    self._told = True
                    self._continue()
                case midi.STOP:
                    self._told = True
                    self._stop(now)
                case midi.SONG_POSITION:
                    self._song_position(data)

    def state(self, now: float) -> ClockState:
        """Where the clock is at a time in seconds of `time.perf_counter`."""
        with self._lock:
            self._look(now)
            running = self._status is ClockStatus.RUNNING
            loop = None
            if running and self._loop is not None:
                loop = (self._loop[0] / CLOCKS_PER_BEAT, self._loop[1] / CLOCKS_PER_BEAT)
            return ClockState(
                self._position / CLOCKS_PER_BEAT,
                60 / (CLOCKS_PER_BEAT * self._line.interval),
                running,
                self._jumps,
                self._status,
                loop,
                self._wrapped,
                self._rounds,
                foreign=True,
                landed=None if self._landed is None else self._landed / CLOCKS_PER_BEAT,
            )

    def time_of(self, position: float) -> float:
        """When a position in beats will be reached if the tempo stays; `math.inf` while it stands."""
        with self._lock:
            if self._status is not ClockStatus.RUNNING:
                return math.inf
            clocks = position * CLOCKS_PER_BEAT
            if self._loop is not None:
                clocks = min(clocks, self._loop[1])
            at = self._line.time_at(clocks - self._count + self._line.last)
            beat, came = self._beat
            return max(at, came) if clocks >= beat else at

    @property
    def joinable(self) -> bool:
        """Whether `toggle` has something to join or to leave."""
        with self._lock:
            return not self._told if self._rolling else self._status is ClockStatus.HEARD

    def toggle(self, now: float) -> bool:
        """Joins a clock that is heard and does not run, at its next bar; or leaves one that was joined so.

        Args:
            now: seconds of `time.perf_counter`.

        Returns:
            Whether there was anything to do: a machine that has said Start is left to itself.
        """
        with self._lock:
            self._look(now)
            if self._rolling:
                if self._told:
                    return False
                self._halt()
                self._left = True
            elif self._silent(now):
                return False
            elif self._told or not self._placed:
                self._start(self._count + 1)
            else:
                self._asked = True
            return True

    def meet(self) -> None:
        """Another machine may be connected: whether it runs is not known, unless this one plays."""
        with self._lock:
            if not self._rolling:
                self._told = self._left = False

    def _clock(self, now: float) -> None:
        if self._stop_at is not None:  # no Continue has followed
            self._halt()
        if self._silent(now):
            self._line.restart()
        self._heard = max(now, self._heard)
        self._line.add(self._heard, first=self._status is ClockStatus.WAITING)
        if self._status is ClockStatus.LOST:
            self._jump()
        if not self._rolling and not self._told:
            self._meet_bar()
        if self._rolling:
            if self._target is not None:
                self._arrive(self._target)
            self._count += 1
            self._units.count()
            self._located = False
            if self._status is not ClockStatus.RUNNING:
                self._position = float(self._count)
            if self._loop is not None and self._count >= self._loop[1]:
                self._loop = None
            if self._count % CLOCKS_PER_BEAT == 0:
                self._beat = (self._count, self._heard)
        standing = ClockStatus.STOPPED if self._told else ClockStatus.HEARD
        self._status = ClockStatus.RUNNING if self._rolling else standing
        self._look(now)

    def _meet_bar(self) -> None:
        """Counts a clock of a machine that runs perhaps, and joins it on a bar line if that is wanted."""
        place = self._count + 1 + self._idle
        on_bar = place % self._bar == 0 if self._placed else self._idle >= self._bar
        if on_bar and (self._asked or (self._joining is Joining.BAR and not self._left)):
            self._go_to(place if self._placed else self._count + 1)
            self._rolling, self._asked = True, False
        self._idle += 1

    def _start(self, count: int) -> None:
        """Makes the next clock the one of this count, and runs from there."""
        self._left = False
        if self._on_line:
            self._target, self._stop_at = count, None
            return
        self._go_to(count)
        self._rolling = True
        self._status = ClockStatus.WAITING

    def _stop(self, now: float) -> None:
        if self._on_line:
            self._stop_at = now if self._stop_at is None else self._stop_at
        else:
            self._halt()

    def _halt(self) -> None:
        """Stops, and stays where it is or was told to go."""
        if self._rolling:
            self._jump()
        self._rolling, self._stop_at = False, None
        self._status = ClockStatus.STOPPED
        if self._target is not None:
            self._go_to(self._target)

    def _continue(self) -> None:
        if self._stop_at is not None:
            self._stop_at = None
        elif self._status in (ClockStatus.STOPPED, ClockStatus.LOST, ClockStatus.HEARD) or not self._rolling:
            self._start(self._count + 1)

    def _song_position(self, data: bytes | Sequence[int]) -> None:
        if len(data) < 3 or not (0 <= data[1] < 128 and 0 <= data[2] < 128):
            return
        told = data[1] + (data[2] << 7)
        count = self._units.clocks(told, standing=not self._rolling or self._stop_at is not None)
        if self._on_line:
            self._target = None if count == self._count + 1 else count
        elif self._status is not ClockStatus.RUNNING or count != self._count + 1:
            self._go_to(count)
            if not self._rolling:
                self._placed, self._idle = True, 0
                if self._told or self._status is not ClockStatus.HEARD:
                    self._status = ClockStatus.STOPPED

    @property
    def _on_line(self) -> bool:
        """Whether it runs, and the next clock is a beat's."""
        return self._status is ClockStatus.RUNNING and (self._count + 1) % CLOCKS_PER_BEAT == 0

    def _arrive(self, target: int) -> None:
        """The next clock is another one than that which would follow."""
        end = self._count + 1
        self._go_to(target)
        if target < end:
            self._rounds += 1
            self._loop, self._wrapped = (target, end), True

    def _go_to(self, count: int) -> None:
        self._jump()
        self._landed = count
        self._count = count - 1
        self._position = float(count)
        self._located = True
        self._loop = self._target = None
        self._beat = (count, -math.inf)

    def _jump(self) -> None:
        self._jumps += 1
        self._landed = None
        self._wrapped = False

    def _silent(self, now: float) -> bool:
        return now - self._heard > max(LOST_SECONDS, LOST_CLOCKS * self._line.interval)

    def _look(self, now: float) -> None:
        """Moves the position on to a time, or finds the clock stopped or lost."""
        if self._status is ClockStatus.HEARD and self._silent(now):
            self._status = ClockStatus.WAITING
            self._placed, self._idle = False, 0
        if self._stop_at is not None and now > self._stop_at + _HOLD_SECONDS:
            self._halt()
        overdue = self._heard + _HOLD_CLOCKS * self._line.interval + self._line.slack
        if self._target is not None and now > overdue:
            self._go_to(self._target)
            self._status = ClockStatus.WAITING
        if self._status is not ClockStatus.RUNNING:
            return
        line = self._line
        reached = self._count + line.index_at(now) - line.last
        late = (line.jitter + FLOOR_SECONDS) / line.interval
        next_beat = (self._count // CLOCKS_PER_BEAT + 1) * CLOCKS_PER_BEAT
        furthest = min(self._count + 1 + late, next_beat - _BEFORE_LINE)
        bounded = min(max(reached, self._count - line.slack / line.interval), furthest)
        if not self._located:
            self._position = max(self._position, bounded)
        if self._silent(now):
            self._status = ClockStatus.LOST
            self._jump()
