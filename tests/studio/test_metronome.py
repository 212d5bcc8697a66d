"""The metronome: a click on each beat, told once and before its time, whatever the clock does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.studio.metronome import Metronome


class Clicks:
    """What was told and not left out."""

    def __init__(self) -> None:
        self.told: list[tuple[float, bool]] = []
        self.now = 0.0

    def click(self, at: float, *, strong: bool) -> None:
        self.told.append((at, strong))

    def forget_clicks(self) -> None:
        self.told = [click for click in self.told if click[0] <= self.now]

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.told]


class Room:
    """A clock, a metronome and time that passes."""

    def __init__(self, bpm: float = 120.0) -> None:
        self.clock, self.clicks, self.metronome = InternalClock(bpm), Clicks(), Metronome()
        self.metronome.on = True
        self.now = 0.0

    def pass_time(self, seconds: float, step: float = 0.016) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += step
            self.clicks.now = self.now
            state = self.clock.state(self.now)
            self.metronome.poll(self.clicks, self.clock, state, self.now, 4)


@settings(max_examples=40, deadline=None)
@given(st.floats(30, 300), st.floats(0.001, 0.09), st.integers(0, 16))
def test_each_beat_clicks_once_in_time(bpm: float, step: float, start: int) -> None:
    room = Room(bpm)
    room.clock.start(0.0, float(start))
    room.pass_time(5.0, step)
    beats = [at * bpm / 60 for at in room.clicks.times]
    assert beats == pytest.approx(list(range(len(beats))), abs=1e-6)
    assert len(beats) >= 5 * bpm / 60
    assert [strong for _, strong in room.clicks.told] == [(start + n) % 4 == 0 for n in range(len(beats))]


def test_a_loop_clicks_on_without_a_gap() -> None:
    room = Room()
    room.clock.set_loop(0.0, 4.0, 0.0)
    room.clock.start(0.0)
    room.pass_time(6.4)
    times = room.clicks.times
    assert times == pytest.approx([beat / 2 for beat in range(len(times))], abs=1e-6)
    assert len(times) >= 12


def test_stopping_and_moving_leave_out_what_was_to_come() -> None:
    room = Room()
    room.clock.start(0.0)
    room.pass_time(0.9)
    room.clock.stop(room.now)
    room.pass_time(1.0)
    assert room.clicks.times == pytest.approx([0.0, 0.5])
    room.clock.start(room.now, 2.5)
    room.pass_time(0.6)
    assert room.clicks.told[2][0] == pytest.approx(room.now - 0.6 + 0.25, abs=0.02)


def test_a_silent_metronome_says_nothing() -> None:
    room = Room()
    room.metronome.on = False
    room.clock.start(0.0)
    room.pass_time(1.0)
    room.metronome.poll(None, room.clock, room.clock.state(room.now), room.now, 4)
    assert room.clicks.told == []


def test_a_bar_is_counted_before_the_song() -> None:
    clicks = Clicks()
    Metronome().count_in(clicks, 10.0, 120.0, 3)
    assert clicks.told == [(8.5, True), (9.0, False), (9.5, False)]
