import math
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lakhnes.bridge.beat_clock import (
    CLOCK,
    CONTINUE,
    SONG_POSITION,
    SONG_UNITS,
    START,
    STOP,
    BeatClock,
    ClockSender,
    ClockState,
    ClockStatus,
    InternalClock,
)
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.song_position import SongPositionUnit
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.time.grid import TEMPI_BPM


def _running(position: float, jumps: int = 1) -> ClockState:
    return ClockState(position, 120.0, True, jumps, ClockStatus.RUNNING)


def _stopped(position: float, jumps: int = 2) -> ClockState:
    return ClockState(position, 120.0, False, jumps, ClockStatus.STOPPED)


def _position_told(message: bytes) -> int:
    assert message[0] == SONG_POSITION
    assert len(message) == 3
    assert message[1] < 128 > message[2]
    return message[1] | message[2] << 7


def _statuses(messages: list[bytes]) -> list[int]:
    return [message[0] for message in messages]


def test_a_new_clock_stands_at_the_start():
    clock: BeatClock = InternalClock(90.0)
    assert clock.state(5.0) == ClockState(0.0, 90.0, False, 0, ClockStatus.STOPPED)
    assert clock.time_of(1.0) == math.inf


def test_runs_stops_and_keeps_its_place():
    clock = InternalClock(120.0)
    clock.start(10.0)
    assert clock.state(11.0) == ClockState(2.0, 120.0, True, 1, ClockStatus.RUNNING)
    assert clock.time_of(4.0) == pytest.approx(12.0)
    assert clock.time_of(1.0) == pytest.approx(10.5)
    clock.stop(11.5)
    assert clock.state(20.0) == ClockState(3.0, 120.0, False, 2, ClockStatus.STOPPED)
    assert clock.time_of(4.0) == math.inf
    clock.start(30.0)
    assert clock.state(30.5).position == pytest.approx(4.0)


def test_start_and_seek_lead_to_a_position():
    clock = InternalClock()
    clock.start(0.0, 16.0)
    assert clock.state(0.0).position == 16.0
    clock.seek(4.0, 1.0)
    assert clock.state(1.5) == ClockState(5.0, 120.0, True, 2, ClockStatus.RUNNING)
    clock.start(2.0, 0.0)
    assert clock.state(2.0) == ClockState(0.0, 120.0, True, 3, ClockStatus.RUNNING)
    clock.stop(2.0)
    clock.seek(7.0, 3.0)
    assert clock.state(9.0) == ClockState(7.0, 120.0, False, 5, ClockStatus.STOPPED)


def test_what_changes_nothing_is_no_jump():
    clock = InternalClock()
    clock.stop(0.0)
    assert clock.state(0.0).jumps == 0
    clock.start(0.0)
    clock.start(1.0)
    assert clock.state(1.0) == ClockState(2.0, 120.0, True, 1, ClockStatus.RUNNING)


def test_the_position_goes_on_when_the_tempo_changes():
    clock = InternalClock(60.0)
    clock.start(0.0)
    clock.set_bpm(240.0, 2.0)
    assert clock.state(2.0) == ClockState(2.0, 240.0, True, 1, ClockStatus.RUNNING)
    assert clock.state(3.0).position == pytest.approx(6.0)
    assert clock.time_of(10.0) == pytest.approx(4.0)


def test_a_late_call_of_another_thread_does_not_turn_the_position_back():
    clock = InternalClock(120.0)
    clock.start(0.0)
    reached = clock.state(10.0).position
    clock.set_bpm(20.0, 9.0)
    assert clock.state(9.5).position == reached
    assert clock.state(13.0).position == pytest.approx(reached + 1)


@pytest.mark.parametrize("bpm", [0.0, -1.0, 19.9, 400.1, math.nan, math.inf])
def test_a_tempo_out_of_range_is_refused(bpm):
    with pytest.raises(OptionError, match="20 to 400"):
        InternalClock(bpm)
    with pytest.raises(OptionError, match="20 to 400"):
        MidiClock(bpm)
    clock = InternalClock()
    with pytest.raises(OptionError, match="20 to 400"):
        clock.set_bpm(bpm, 0.0)
    assert clock.state(0.0).bpm == 120.0


@pytest.mark.parametrize("position", [-0.1, math.nan, math.inf])
def test_a_position_outside_the_song_is_refused(position):
    clock = InternalClock()
    with pytest.raises(OptionError, match="0 or more"):
        clock.seek(position, 0.0)
    with pytest.raises(OptionError, match="0 or more"):
        clock.start(0.0, position)
    assert clock.state(0.0) == ClockState(0.0, 120.0, False, 0, ClockStatus.STOPPED)


def test_threads_may_use_it_together():
    clock = InternalClock()
    clock.start(0.0)
    fell = []

    def look() -> None:
        before = 0.0
        for step in range(2000):
            position = clock.state(step / 1000).position
            if position < before:
                fell.append((before, position))
            before = position

    def turn() -> None:
        for step in range(2000):
            clock.set_bpm(60.0 + step % 200, step / 1000)

    threads = [threading.Thread(target=target) for target in (look, look, turn, turn)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not fell
    assert clock.state(2.0).position > 1.9


def test_a_loop_goes_round_and_counts_its_rounds():
    clock = InternalClock(120.0)
    clock.start(0.0, 2.0)
    clock.set_loop(4.0, 8.0, 0.0)
    assert clock.state(1.0) == ClockState(4.0, 120.0, True, 1, ClockStatus.RUNNING, (4.0, 8.0))
    assert clock.time_of(8.0) == clock.time_of(20.0) == pytest.approx(3.0)
    assert clock.time_of(5.0) == pytest.approx(1.5)
    assert clock.state(3.25) == ClockState(4.5, 120.0, True, 2, ClockStatus.RUNNING, (4.0, 8.0), True, 1)
    late = clock.state(9.5)
    assert late.position == pytest.approx(5.0)
    assert late.jumps == 5, "three rounds between two looks"
    clock.clear_loop(10.0)
    assert clock.state(12.0).position == pytest.approx(10.0)
    assert clock.state(12.0).loop is None


def test_a_place_behind_the_loop_is_left_alone_until_it_is_moved():
    clock = InternalClock(60.0)
    clock.start(0.0, 8.0)
    clock.set_loop(0.0, 4.0, 0.0)
    assert clock.state(5.0) == ClockState(13.0, 60.0, True, 1, ClockStatus.RUNNING)
    assert clock.time_of(20.0) == pytest.approx(12.0)
    clock.seek(3.0, 5.0)
    assert clock.state(6.5).position == pytest.approx(0.5)
    clock.set_loop(0.0, 0.25, 6.5)
    assert clock.state(8.0).position == pytest.approx(2.0)


def test_a_place_that_only_rounding_keeps_from_the_loops_end_is_the_end():
    clock = InternalClock(120.0)
    clock.set_loop(0.0, 1.0, 100.0)
    clock.start(100.0, 1.0 - 2e-16)
    assert clock.state(100.0).loop is None
    assert clock.time_of(1.25) > 100.1
    assert clock.state(101.0).position == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("start", "end"), [(-1.0, 4.0), (4.0, 4.0), (5.0, 4.0), (0.0, math.inf), (math.nan, 4.0)]
)
def test_a_loop_that_is_none_is_refused(start, end):
    with pytest.raises(OptionError, match="end after its start"):
        InternalClock().set_loop(start, end)


@given(
    begin=st.floats(0.0, 100.0),
    length=st.floats(0.01, 64.0),
    before=st.floats(0.0, 64.0),
    bpm=st.floats(*TEMPI_BPM),
    waits=st.lists(st.floats(0.0, 30.0) | st.none(), max_size=20),
)
@example(begin=0.0, length=11.0, before=0.0, bpm=90.0, waits=[None, None, 22.0, None])
def test_however_often_a_loop_is_looked_at_it_is_where_it_should_be(begin, length, before, bpm, waits):
    """A wait of None sleeps until the loop's end is reached, as the sending thread does."""
    end = begin + length
    first = max(0.0, end - before - 1e-3)
    clock, now, jumps = InternalClock(bpm), 1000.0, 1
    clock.start(now, first)
    clock.set_loop(begin, end)
    for wait in waits:
        inside = clock.state(now)
        woken = clock.time_of(end) if wait is None else now + wait
        now = max(now, woken)
        state = clock.state(now)
        unwrapped = first + (now - 1000.0) * bpm / 60
        over = unwrapped - end
        expected = unwrapped if over < -1e-5 else begin + max(over, 0.0) % length
        apart = abs(state.position - expected)
        assert min(apart, abs(length - apart)) < 1e-5
        assert state.position < end
        assert abs(state.jumps - 1 - max(0.0, math.floor(over / length) + 1)) <= (
            apart > 1e-5 or abs(over) < 1e-5
        )
        assert state.jumps >= jumps
        if wait is None:
            assert state.jumps == inside.jumps + 1, "woken at the end, the jump is seen"
            assert state.position == pytest.approx(begin, abs=1e-5)
        jumps = state.jumps


MOST_SLACK = 0.067
"""Seconds that the clock of a beat may be late, at the most, for a receiver."""


class Transport(RuleBasedStateMachine):
    """The internal clock, its sender, and a MIDI clock that listens to it, under any hands."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.clock = InternalClock()
        self.sender = ClockSender()
        # jumps to anywhere look now and then as if positions were told in clocks: `auto` has tests of its own
        self.follower = MidiClock(song_position=SongPositionUnit.SIXTEENTHS)
        self.before = self.clock.state(self.now)
        self.sent: list[int] = []
        self.place: int | None = None  # clock that a receiver has to play next
        self.playing = False
        self.located = -math.inf  # when the receivers were sent elsewhere

    def _send(self) -> ClockState:
        state = self.clock.state(self.now)
        for message in self.sender.due(state):
            self.sent.append(message[0])
            self.follower.receive(message, self.now)
            match message[0]:
                case 0xFA:
                    self.place, self.playing = 0, True
                case 0xF2:
                    assert not self.playing, "a song position is for those that stand"
                    self.place = _position_told(message) * 6
                case 0xFB:
                    self.playing = True
                case 0xFC:
                    assert self.playing, "stopped twice"
                    self.playing, self.located = False, self.now
                case 0xF8:
                    assert self.playing
                    assert self.place is not None
                    self.place += 1
        return state

    @rule(seconds=st.floats(0.0, 0.3))
    def wait(self, seconds):
        """Sleeps as the sending thread does, from deadline to deadline."""
        until = self.now + seconds
        while True:
            state = self._send()
            at = self.clock.time_of(self.sender.next_position(state))
            if at > until:
                break
            assert at > self.now
            self.now = at
        self.now = until
        self._send()

    @rule(position=st.none() | st.floats(0.0, 5000.0))
    def start(self, position):
        changes = position is not None or not self.before.running
        self.clock.start(self.now, position)
        self._expect_jump(changes)

    @rule()
    def stop(self):
        self.clock.stop(self.now)
        self._expect_jump(self.before.running)

    @rule(position=st.floats(0.0, 5000.0))
    def seek(self, position):
        self.clock.seek(position, self.now)
        self._expect_jump(True)
        assert self.before.position == position

    @rule(bpm=st.floats(*TEMPI_BPM))
    def set_bpm(self, bpm):
        position = self.clock.state(self.now).position
        self.clock.set_bpm(bpm, self.now)
        assert self.clock.state(self.now).position == position

    @rule(start=st.floats(0.0, 40.0), length=st.floats(0.3, 8.0), begin=st.floats(0.0, 2.0))
    def go_round(self, start, length, begin):
        self.clock.set_loop(start, start + length, self.now)
        self._expect_jump(False)
        self.clock.seek(start + length / (1 + begin), self.now)
        self._expect_jump(True)

    @rule()
    def go_on(self):
        self.clock.clear_loop(self.now)
        self._expect_jump(False)

    def _expect_jump(self, changes: bool) -> None:
        state = self.clock.state(self.now)
        assert state.jumps == self.before.jumps + changes
        self.before = state

    @invariant()
    def the_position_never_falls_without_a_jump(self):
        state = self._send()
        if state.jumps == self.before.jumps:
            assert state.position >= self.before.position
            assert state.running == self.before.running
        assert math.isfinite(state.position)
        self.before = state

    @invariant()
    def the_receiver_is_where_we_are(self):
        state = self._send()
        assert self.playing == state.running
        if not state.running:
            assert self.sender.next_position(state) == math.inf
            return
        following = self.sender.next_position(state)
        assert state.position < following <= state.position + 0.25 + 1e-6
        assert (self.place - round(following * 24)) % (SONG_UNITS * 6) == 0
        heard = self.follower.state(self.now)
        if heard.status is ClockStatus.LOST:  # told to go on at a sixteenth that is far away
            return
        clock = 60 / heard.bpm / 24
        if (
            heard.running
            and self.now - self.located < 2 * clock + MOST_SLACK
            and heard.position % 1 > 22 / 24
        ):
            return  # just before a beat, whose clock may be that of the new place
        assert abs(heard.position - self.place / 24) < 2 / 24


TestTransport = Transport.TestCase
TestTransport.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_jump_just_before_a_beat_is_followed_though_the_new_place_ticks_later():
    transport = Transport()
    transport.start(position=None)
    transport.go_round(start=1.8125, length=1.25, begin=0.5)
    transport.wait(0.15625)
    transport.seek(1.125)
    transport.wait(0.06)
    heard = transport.follower.state(transport.now)
    assert (heard.status, heard.position) == (ClockStatus.WAITING, 1.25)
    transport.wait(0.01)
    heard = transport.follower.state(transport.now)
    assert (heard.status, heard.position) == (ClockStatus.RUNNING, pytest.approx(1.265))
    transport.the_receiver_is_where_we_are()


def test_a_new_place_between_two_clocks_is_no_jitter():
    transport = Transport()
    transport.start(position=None)
    transport.wait(0.0613)
    transport.seek(3291.786)  # its clock is sent at once, the next 3 ms later
    transport.set_bpm(213.0)
    transport.wait(0.25)
    assert transport.follower.state(transport.now).bpm == pytest.approx(213.0)
    transport.set_bpm(337.0)
    transport.wait(0.125)
    transport.the_receiver_is_where_we_are()


def test_sends_start_and_a_clock_at_the_songs_start():
    sender = ClockSender()
    assert sender.due(_stopped(0.0)) == []
    assert sender.next_position(_running(0.0)) == 0.0
    assert sender.due(_running(0.0)) == [bytes([START]), bytes([CLOCK])]
    assert sender.due(_running(0.0)) == []
    assert sender.next_position(_running(0.0)) == pytest.approx(1 / 24)


def test_a_late_first_look_is_a_start_all_the_same():
    assert _statuses(ClockSender().due(_running(0.03))) == [START, CLOCK]


def test_sends_24_clocks_a_beat_at_their_deadlines():
    clock, sender = InternalClock(133.0), ClockSender()
    clock.start(50.0)
    now, times = 50.0, []
    while now < 59.99:
        state = clock.state(now)
        times += [now for message in sender.due(state) if message[0] == CLOCK]
        now = clock.time_of(sender.next_position(state))
    expected = [50.0 + number * 60 / 133 / 24 for number in range(len(times))]
    assert times == pytest.approx(expected)
    assert len(times) == math.ceil(9.99 * 133 / 60 * 24)


def test_goes_on_at_the_next_sixteenth():
    sender = ClockSender()
    messages = sender.due(_running(4.1))
    assert _statuses(messages) == [SONG_POSITION, CONTINUE]
    assert _position_told(messages[0]) == 17
    assert sender.next_position(_running(4.1)) == 4.25
    assert sender.due(_running(4.2)) == []
    assert _statuses(sender.due(_running(4.25))) == [CLOCK]


def test_a_sixteenth_just_passed_is_the_place():
    sender = ClockSender()
    messages = sender.due(_running(4.02))
    assert _statuses(messages) == [SONG_POSITION, CONTINUE, CLOCK]
    assert _position_told(messages[0]) == 16


def test_a_jump_while_running_stops_and_locates():
    sender = ClockSender()
    sender.due(_running(1.0))
    messages = sender.due(_running(8.0, jumps=2))
    assert _statuses(messages) == [STOP, SONG_POSITION, CONTINUE, CLOCK]
    assert _position_told(messages[1]) == 32
    assert _statuses(sender.due(_running(0.0, jumps=3))) == [STOP, START, CLOCK]


def test_stop_is_sent_once():
    sender = ClockSender()
    sender.due(_running(1.0))
    assert sender.next_position(_stopped(1.0)) == 1.0
    assert sender.due(_stopped(1.0)) == [bytes([STOP])]
    assert sender.due(_stopped(1.0)) == []
    assert sender.due(_stopped(5.0, jumps=9)) == []
    assert sender.next_position(_stopped(1.0)) == math.inf


def test_catches_up_a_little_and_locates_after_a_long_sleep():
    sender = ClockSender()
    sender.due(_running(0.0))
    assert _statuses(sender.due(_running(0.5))) == [CLOCK] * 12
    messages = sender.due(_running(100.0))
    assert _statuses(messages) == [STOP, SONG_POSITION, CONTINUE, CLOCK]
    assert _position_told(messages[1]) == 400


@given(unit=st.integers(1, 3 * SONG_UNITS))
def test_song_position_begins_again_after_14_bits(unit):
    sender = ClockSender()
    messages = sender.due(_running(unit / 4))
    assert _statuses(messages) == [SONG_POSITION, CONTINUE, CLOCK]
    assert _position_told(messages[0]) == unit % SONG_UNITS
    assert sender.next_position(_running(unit / 4)) == pytest.approx(unit / 4 + 1 / 24)
