"""One clock that is ours or somebody else's, and may change from one to the other while music plays."""

from __future__ import annotations

import threading
from dataclasses import replace

from lakhnes.bridge.beat_clock import BeatClock, ClockState, InternalClock
from lakhnes.bridge.midi_clock import MidiClock


class ClockSwitch:
    """The `BeatClock` of our own clock, or of the one that is followed.

    Any thread may call it.

    Attributes:
        internal: our own.
        midi: what follows MIDI clock; it may be fed all the time.
        followed: what is followed if our own does not count: `midi`, or another one.
    """

    def __init__(self, internal: InternalClock, midi: MidiClock, followed: BeatClock | None = None) -> None:
        """Takes the clocks, and begins with our own.

        Args:
            internal: our own.
            midi: what follows MIDI clock.
            followed: what is followed; None for the MIDI clock.
        """
        self.internal = internal
        self.midi = midi
        self.followed = midi if followed is None else followed
        self._lock = threading.Lock()
        self._clock: BeatClock = internal
        self._before = 0  # jumps that are not the present clock's

    @property
    def following(self) -> bool:
        """Whether another's clock counts."""
        return self._clock is self.followed

    def follow(self, midi: bool, now: float) -> None:
        """Lets another's clock count, or our own; nothing if it does already.

        Our own stands then, at the place where the other was.

        Args:
            midi: which.
            now: seconds of `time.perf_counter`.
        """
        with self._lock:
            if midi == self.following:
                return
            left = self._clock.state(now)
            if not midi:
                self.internal.stop(now)
                self.internal.seek(max(0.0, left.position), now)
            self._clock = self.followed if midi else self.internal
            self._before += left.jumps + 1 - self._clock.state(now).jumps

    def state(self, now: float) -> ClockState:
        """Where the clock that counts is at a time in seconds of `time.perf_counter`."""
        with self._lock:
            state = self._clock.state(now)
            return replace(state, jumps=self._before + state.jumps)

    def time_of(self, position: float) -> float:
        """When that clock will reach a position in beats; `math.inf` while it stands."""
        with self._lock:
            return self._clock.time_of(position)
