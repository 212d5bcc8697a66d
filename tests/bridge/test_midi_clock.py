import math
import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lakhnes.bridge.beat_clock import BeatClock, ClockStatus
from lakhnes.bridge.midi_clock import Joining, MidiClock
from lakhnes.bridge.song_position import SongPositionUnit

CLOCK, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"
TICK = 60 / 120 / 24
BAR = 96


def _song_position(unit: int) -> bytes:
    return bytes([0xF2, unit & 127, unit >> 7])


def _tick(clock: MidiClock, count: int, now: float, interval: float = TICK) -> float:
    """Clocks from `now` on; gives the time of the last."""
    for number in range(count):
        clock.receive(CLOCK, now + number * interval)
    return now + (count - 1) * interval


def _running(count: int = 49) -> tuple[MidiClock, float]:
    """A clock that has run for so many clocks at 120 BPM, and the time of the last."""
    clock = MidiClock()
    clock.receive(START, 10.0)
    return clock, _tick(clock, count, 10.01)


def test_nothing_was_heard_yet():
    clock: BeatClock = MidiClock(bpm=97.0)
    state = clock.state(3.0)
    assert (state.position, state.bpm, state.running, state.jumps) == (0.0, pytest.approx(97.0), False, 0)
    assert state.status is ClockStatus.WAITING
    assert clock.time_of(1.0) == math.inf


def test_clocks_alone_tell_the_tempo_but_do_not_run():
    clock = MidiClock()
    now = _tick(clock, 30, 5.0, 60 / 150 / 24)
    state = clock.state(now)
    assert (state.position, state.running, state.status) == (0.0, False, ClockStatus.HEARD)
    assert state.bpm == pytest.approx(150.0)
    assert clock.state(now + 0.3).status is ClockStatus.WAITING
    assert state.jumps == 0


def test_start_is_position_0_at_the_first_clock():
    clock = MidiClock()
    clock.receive(START, 10.0)
    waiting = clock.state(10.4)
    assert (waiting.position, waiting.running, waiting.status) == (0.0, False, ClockStatus.WAITING)
    assert (waiting.jumps, clock.time_of(0.0)) == (1, math.inf)
    clock.receive(CLOCK, 10.5)
    state = clock.state(10.5)
    assert (state.position, state.running, state.status) == (0.0, True, ClockStatus.RUNNING)
    assert state.jumps == 1
    now = _tick(clock, 24, 10.5 + TICK)
    assert clock.state(now).position == pytest.approx(1.0)
    assert clock.time_of(3.0) == pytest.approx(12.0)


def test_the_tempo_is_known_at_start_and_the_senders_phase_may_be_new():
    clock = MidiClock()
    interval = 60 / 150 / 24
    now = _tick(clock, 60, 5.0, interval)
    clock.receive(START, now)
    clock.receive(CLOCK, now + 0.4 * interval)
    state = clock.state(now + 0.4 * interval)
    assert (state.position, state.bpm) == (0.0, pytest.approx(150.0))
    assert clock.time_of(1.0) == pytest.approx(now + 24.4 * interval)


def test_stop_holds_the_place_at_once():
    clock, now = _running()
    clock.receive(STOP, now + TICK / 2)
    state = clock.state(now + 1.0)
    assert (state.running, state.status, state.jumps) == (False, ClockStatus.STOPPED, 2)
    assert state.position == pytest.approx(48.5 / 24)
    assert clock.time_of(9.0) == math.inf
    _tick(clock, 30, now + TICK)
    assert clock.state(now + 31 * TICK).position == state.position


def test_continue_goes_on_with_the_next_clock():
    clock, now = _running()
    clock.receive(STOP, now + TICK / 2)
    clock.receive(CONTINUE, now + 1.0)
    assert clock.state(now + 1.0).status is ClockStatus.WAITING
    clock.receive(CLOCK, now + 1.1)
    state = clock.state(now + 1.1)
    assert (state.position, state.running, state.jumps) == (pytest.approx(49 / 24), True, 3)


def test_song_position_while_stopped_is_where_continue_goes_on():
    clock, now = _running()
    clock.receive(STOP, now)
    clock.receive(_song_position(1000), now)
    state = clock.state(now)
    assert (state.position, state.running, state.jumps) == (250.0, False, 3)
    clock.receive(CONTINUE, now)
    clock.receive(CLOCK, now + 0.1)
    state = clock.state(now + 0.1)
    assert (state.position, state.running, state.jumps) == (250.0, True, 4)
    _tick(clock, 24, now + 0.1 + TICK)
    assert clock.state(now + 0.1 + 24 * TICK).position == pytest.approx(251.0)


def test_song_position_while_running_jumps():
    clock, now = _running()
    clock.receive(_song_position(16), now + TICK / 2)
    state = clock.state(now + TICK / 2)
    assert (state.position, state.running, state.jumps) == (4.0, True, 2)
    assert clock.time_of(4.0) == pytest.approx(now + TICK)
    _tick(clock, 7, now + TICK)
    assert clock.state(now + 7 * TICK).position == pytest.approx(4.25)


def test_start_while_running_begins_anew():
    clock, now = _running()
    clock.receive(START, now + TICK / 2)
    assert not clock.state(now + TICK / 2).running
    clock.receive(START, now + TICK / 2)
    assert clock.state(now + TICK / 2).jumps == 3
    clock.receive(CLOCK, now + TICK)
    state = clock.state(now + TICK)
    assert (state.position, state.running, state.jumps) == (pytest.approx(0.0, abs=1e-6), True, 3)


def test_what_changes_nothing_is_no_jump():
    clock, now = _running()
    clock.receive(CONTINUE, now)
    assert (clock.state(now).running, clock.state(now).jumps) == (True, 1)
    clock.receive(STOP, now)
    clock.receive(STOP, now)
    assert clock.state(now).jumps == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xf2",
        b"\xf2\x10",
        [0xF2, 0x10, 0x90],
        [0xF2, -1, 0],
        [0xF2, 300, 0],
        b"\x90\x40\x40",
        [0xF0] + [1] * 900,
    ],
)
def test_broken_and_foreign_messages_are_ignored(data):
    clock, now = _running()
    before = clock.state(now)
    clock.receive(data, now)
    assert clock.state(now) == before


def test_messages_may_be_lists_of_numbers():
    clock = MidiClock()
    clock.receive([0xF2, 0x08, 0x01], 1.0)
    assert clock.state(1.0).position == (0x08 + 0x80) / 4


def test_waits_for_a_late_clock_at_the_next_one():
    clock, now = _running()
    assert clock.state(now + 5 * TICK).position == pytest.approx(49 / 24, abs=0.02 / 24)
    assert clock.state(now + 11 * TICK).running


def test_a_silent_clock_is_lost_and_goes_on_by_the_count():
    clock, now = _running()
    lost = clock.state(now + 0.26)
    assert (lost.running, lost.status, lost.jumps) == (False, ClockStatus.LOST, 2)
    assert lost.position <= 49.02 / 24
    assert clock.state(now + 9.0) == lost
    assert clock.time_of(100.0) == math.inf
    clock.receive(CLOCK, now + 10.0)
    state = clock.state(now + 10.0)
    assert (state.position, state.running, state.jumps) == (pytest.approx(49 / 24), True, 3)
    assert state.status is ClockStatus.RUNNING


def test_a_loss_that_nobody_saw_counts_too():
    clock, now = _running()
    clock.receive(CLOCK, now + 5.0)
    assert clock.state(now + 5.0).jumps == 3


def test_a_slow_clock_is_not_lost():
    clock = MidiClock()
    clock.receive(START, 0.0)
    interval = 60 / 20 / 24
    for number in range(100):
        clock.receive(CLOCK, number * interval)
        state = clock.state((number + 0.99) * interval)
        assert (state.running, state.jumps) == (True, 1)
    assert clock.state(99 * interval + 0.4).running
    assert clock.state(99 * interval + 0.6).status is ClockStatus.LOST


@pytest.mark.parametrize("then", [START, CONTINUE, STOP, _song_position(5)])
def test_a_lost_clock_obeys_the_transport(then):
    clock, now = _running()
    jumps = clock.state(now + 1.0).jumps
    clock.receive(then, now + 1.0)
    assert clock.state(now + 1.0).jumps == jumps + 1
    clock.receive(CLOCK, now + 1.1)
    state = clock.state(now + 1.1)
    expected = {START: 0.0, CONTINUE: 49 / 24, _song_position(5): 1.25}
    assert state.running == (then != STOP)
    if state.running:
        assert state.position == pytest.approx(expected[then])


@pytest.mark.parametrize("bpm", [1.0, 5.0, 12.0, 400.0, 700.0, 3000.0, 1e6])
def test_any_tempo_is_counted(bpm):
    clock = MidiClock()
    clock.receive(START, 0.0)
    interval = 60 / bpm / 24
    now = _tick(clock, 200, 0.0, interval)
    state = clock.state(now)
    assert state.running
    assert 1.0 <= state.bpm <= 2001.0
    if 10 < bpm < 2000:
        assert (state.position, state.bpm) == (pytest.approx(199 / 24, abs=1e-3), pytest.approx(bpm))
    assert abs(state.position - 199 / 24) <= (1 + (2.2 * 0.03 + 0.0002) * 24 * 2000 / 60) / 24


def test_clocks_at_one_moment_are_counted():
    clock, now = _running()
    _tick(clock, 500, now, 0.0)
    state = clock.state(now)
    assert math.isfinite(state.bpm)
    assert abs(state.position - 548 / 24) < 3.0
    for number in range(1, 300):
        clock.receive(CLOCK, now + number * TICK)
    state = clock.state(now + 299 * TICK)
    assert state.position == pytest.approx((548 + 299) / 24, abs=0.01)
    assert state.bpm == pytest.approx(120.0, rel=0.01)


def test_threads_may_use_it_together():
    clock = MidiClock()
    clock.receive(START, 0.0)
    fell = []

    def look() -> None:
        before = 0.0
        for step in range(3000):
            state = clock.state(step / 1500)
            if state.position < before and state.jumps == 1:
                fell.append((before, state))
            before = state.position

    looking = [threading.Thread(target=look) for _ in range(2)]
    for thread in looking:
        thread.start()
    _tick(clock, 97, 0.0)
    for thread in looking:
        thread.join()
    assert not fell
    assert clock.state(2.0).position >= 4.0


# Jumps on a beat


def _wrap(style: str, clock: MidiClock, now: float, unit: int = 0) -> None:
    """What a DAW says at the end of its loop, before the clock of its start."""
    told = {
        "position": [_song_position(unit)],
        "position, continue": [_song_position(unit), CONTINUE],
        "stop, position, continue": [STOP, _song_position(unit), CONTINUE],
        "start": [START],
    }
    for data in told[style]:
        clock.receive(data, now)


STYLES = ("position", "position, continue", "stop, position, continue", "start")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("early", [0.0002, 0.9 * TICK])
def test_a_loop_goes_back_with_the_clock_of_its_start_and_is_one_jump(style, early):
    clock = MidiClock()
    clock.receive(START, 10.0)
    now = 10.01
    for round_ in range(4):
        for number in range(BAR):
            clock.receive(CLOCK, now)
            state = clock.state(now)
            assert state.running
            assert (state.jumps, state.rounds) == (1 + round_, round_)
            assert state.position == pytest.approx(number / 24, abs=1e-3)
            assert state.loop == ((0.0, 4.0) if round_ else None)
            now += TICK
        before = clock.state(now - early)
        _wrap(style, clock, now - early)
        after = clock.state(now - early)
        assert (after.running, after.jumps, after.rounds) == (True, before.jumps, before.rounds)
        assert after.position < 4.0
    clock.receive(CLOCK, now)
    assert clock.state(now).wrapped


def test_no_beat_is_reached_before_its_clock():
    clock, now = _running(24)
    assert clock.state(now + 2 * TICK).position < 1.0
    assert clock.time_of(1.0) == pytest.approx(now + TICK)
    clock.receive(CLOCK, now + 2.5 * TICK)
    assert clock.state(now + 2.5 * TICK).position == 1.0
    assert clock.time_of(1.0) == now + 2.5 * TICK, "a beat comes with its clock"


def test_a_loop_is_one_until_its_end_is_passed():
    clock, now = _running(BAR)
    _wrap("position", clock, now + TICK / 2)
    now = _tick(clock, BAR, now + TICK)
    assert clock.state(now).loop == (0.0, 4.0)
    assert clock.time_of(7.0) == clock.time_of(4.0)
    clock.receive(CLOCK, now + TICK)
    state = clock.state(now + TICK)
    assert (state.loop, state.position, state.jumps) == (None, 4.0, 2)


@pytest.mark.parametrize("told", [None, 3])
def test_a_stop_on_a_beat_stops_a_moment_later_or_with_the_clock(told):
    for clocks in (0, 1):
        clock, now = _running(BAR)
        clock.receive(STOP, now + TICK / 2)
        if told is not None:
            clock.receive(_song_position(told), now + TICK / 2)
        assert clock.state(now + TICK / 2).running
        _tick(clock, clocks, now + TICK)
        state = clock.state(now + TICK)
        assert (state.running, state.status) == (False, ClockStatus.STOPPED)
        assert state.position == pytest.approx(4.0 if told is None else told / 4, abs=0.03)


@pytest.mark.parametrize("style", STYLES)
def test_a_jump_whose_beat_has_no_clock_happens_at_once(style):
    clock, now = _running(BAR)
    _wrap(style, clock, now + TICK / 2, 0)
    assert clock.state(now + 1.5 * TICK).running, "the clock of the beat may be late"
    state = clock.state(now + 2.5 * TICK)
    assert (state.status, state.position, state.jumps) == (ClockStatus.WAITING, 0.0, 2)
    clock.receive(CLOCK, now + 3.5 * TICK)
    state = clock.state(now + 3.5 * TICK)
    assert (state.running, state.position, state.rounds, state.loop) == (True, 0.0, 0, None)
    assert clock.time_of(1.0) == pytest.approx(now + 27.5 * TICK)


def test_a_clock_that_falls_silent_at_a_jump_goes_on_from_there():
    clock, now = _running(BAR)
    clock.receive(_song_position(8), now + TICK / 2)
    assert clock.state(now + 1.0).status is ClockStatus.WAITING
    clock.receive(CLOCK, now + 2.0)
    assert clock.state(now + 2.0).position == 2.0


# A clock that runs and has said nothing


def _heard(joining: Joining, clocks: int, unit: int | None = None) -> tuple[MidiClock, float]:
    """A clock of which no Start was heard, and the time of its last tick."""
    clock = MidiClock(joining=joining)
    _tick(clock, 1, 4.0)
    if unit is not None:
        clock.receive(_song_position(unit), 4.0)
    return clock, _tick(clock, clocks, 4.0 + TICK)


def test_a_clock_that_runs_is_joined_after_a_bar():
    clock, now = _heard(Joining.BAR, BAR - 1)
    assert clock.state(now).status is ClockStatus.HEARD
    clock.receive(CLOCK, now + TICK)
    state = clock.state(now + TICK)
    assert (state.status, state.position, state.jumps) == (ClockStatus.RUNNING, 0.0, 1)
    assert state.bpm == pytest.approx(120.0)


def test_a_clock_with_a_place_is_joined_at_its_next_bar():
    clock, now = _heard(Joining.BAR, BAR - 24, unit=36)  # beat 2 of bar 3: three beats are left
    assert clock.state(now).status is ClockStatus.HEARD
    clock.receive(CLOCK, now + TICK)
    assert (clock.state(now + TICK).running, clock.state(now + TICK).position) == (True, 12.0)


@pytest.mark.parametrize("joining", [Joining.ASK, Joining.START])
@pytest.mark.parametrize(("unit", "place"), [(None, 0.0), (36, 24.0)])
def test_a_clock_is_joined_when_the_user_wants_it_and_left(joining, unit, place):
    clock, now = _heard(joining, 3 * BAR, unit)
    assert (clock.state(now).status, clock.joinable) == (ClockStatus.HEARD, True)
    assert clock.toggle(now)
    now = _tick(clock, 1 if unit is None else BAR, now + TICK)
    while not clock.state(now).running:
        now = _tick(clock, 1, now + TICK)
    assert clock.state(now).position == pytest.approx(place, abs=4.0)
    assert clock.state(now).position % 4 < 3.9
    assert clock.toggle(now)
    assert clock.state(now).status is ClockStatus.STOPPED
    now = _tick(clock, 3 * BAR, now + TICK)
    assert clock.state(now).status is ClockStatus.HEARD, "it was left"


def test_who_has_said_start_or_stop_is_left_to_itself():
    clock, now = _running()
    assert not clock.toggle(now)
    assert not clock.joinable
    clock.receive(STOP, now)
    now = _tick(clock, 4 * BAR, now + TICK)
    assert clock.state(now).status is ClockStatus.STOPPED
    clock.meet()
    now = _tick(clock, BAR + 1, now + TICK)
    assert clock.state(now).running, "another machine, perhaps"


# Song positions that are counted in clocks


def _stopped_and_told(clocks: int, told: int, unit: SongPositionUnit = SongPositionUnit.AUTO) -> MidiClock:
    clock = MidiClock(song_position=unit)
    clock.receive(START, 10.0)
    now = _tick(clock, clocks, 10.0)
    clock.receive(STOP, now + TICK / 2)
    clock.receive(_song_position(told), now + 1.0)
    return clock


@given(clocks=st.integers(30, 2000))
@settings(deadline=None, max_examples=25)
def test_what_position_is_counted_in_shows_where_a_machine_goes_on(clocks):
    sixteenth = -(-clocks // 6)
    for told in (sixteenth, 6 * sixteenth):
        clock = _stopped_and_told(clocks, told)
        assert clock.state(1e4).position == sixteenth / 4
        clock.receive(_song_position(told), 1e4)
        assert clock.state(1e4).position == sixteenth / 4


def test_what_position_is_counted_in_may_be_told():
    assert _stopped_and_told(237, 240, SongPositionUnit.SIXTEENTHS).state(1e4).position == 60.0
    clock = MidiClock(song_position=SongPositionUnit.CLOCKS)
    clock.receive(_song_position(192), 1.0)
    assert clock.state(1.0).position == 8.0


class Sender(RuleBasedStateMachine):
    """Any messages at any times."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 50.0
        self.clock = MidiClock(song_position=SongPositionUnit.SIXTEENTHS)
        self.before = self.clock.state(self.now)
        self.clocks = 0  # since the last jump, while running

    def _receive(self, data: bytes | list[int]) -> None:
        self.clock.receive(data, self.now)

    def _expect(self, jumps: int, running: bool) -> None:
        state = self.clock.state(self.now)
        assert state.jumps == self.before.jumps + jumps
        assert state.running == running
        self.before = state

    def _deferred(self) -> bool:
        """Whether the last message is for the next clock, which is a beat's."""
        state = self.clock.state(self.now)
        return state.running and state.jumps == self.before.jumps

    @rule(seconds=st.floats(0.0, 0.6))
    def wait(self, seconds):
        self.now += seconds

    @rule(count=st.integers(1, 30), interval=st.floats(0.0, 0.15), jitter=st.floats(0.0, 0.05))
    def clocks_come(self, count, interval, jitter):
        for number in range(count):
            self.now += interval + jitter * (number % 3)
            self._receive(CLOCK)
            self.moves_only_forward()

    @rule()
    def start(self):
        self.moves_only_forward()
        self._receive(START)
        if self._deferred():
            self._receive(CLOCK)
            self._expect(1, True)
        else:
            self._expect(1, False)
            assert self.before.status is ClockStatus.WAITING
        assert self.before.position == pytest.approx(0.0, abs=0.2)

    @rule()
    def stop(self):
        self.moves_only_forward()
        stands = not self.before.running
        before = self.before
        self._receive(STOP)
        if self._deferred():
            self.now += 0.006
        state = self.clock.state(self.now)
        assert state.status is ClockStatus.STOPPED
        assert state.jumps >= before.jumps + (not stands)
        self.before = state

    @rule()
    def go_on(self):
        self.moves_only_forward()
        goes = self.before.running
        self._receive(CONTINUE)
        state = self.clock.state(self.now)
        assert state.running == goes
        if goes:
            assert state == self.before
        else:
            assert state.status is ClockStatus.WAITING
        self.before = state

    @rule(unit=st.integers(0, 16383))
    def song_position(self, unit):
        self.moves_only_forward()
        running = self.before.running
        self._receive(_song_position(unit))
        state = self.clock.state(self.now)
        assert state.running == running
        if self._deferred():
            self._receive(CLOCK)
            assert self.clock.state(self.now).running
        else:
            assert state.position == unit / 4
        self.before = self.clock.state(self.now)

    @rule(data=st.binary(max_size=5) | st.lists(st.integers(-300, 300), max_size=4))
    def anything(self, data):
        self._receive(data)

    @invariant()
    def moves_only_forward(self):
        state = self.clock.state(self.now)
        assert state.jumps >= self.before.jumps
        if state.jumps == self.before.jumps:
            assert state.position >= self.before.position
            assert state.running >= self.before.running
        assert math.isfinite(state.position)
        assert state.position >= 0.0
        assert 1.0 < state.bpm < 2001.0
        assert state.running == (state.status is ClockStatus.RUNNING)
        assert math.isinf(self.clock.time_of(state.position + 1)) == (not state.running)
        self.before = state


TestSender = Sender.TestCase
TestSender.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)


@given(intervals=st.lists(st.floats(0.0062, 0.12), min_size=1, max_size=120))
@example(
    [1 / 16, 1 / 16, 3 / 32, 3 / 256, 5 / 64, 1 / 32, *(1 / 16,) * 6, 3 / 32, 3 / 32, *(1 / 16,) * 5]
)  # a place ahead by the jitter of 213 BPM, when the tempo falls to 38
@settings(deadline=None)
def test_is_never_further_than_the_next_clock_nor_its_jitter(intervals):
    clock = MidiClock()
    clock.receive(START, 0.0)
    now = fastest = 0.0
    for count, interval in enumerate(intervals):
        clock.receive(CLOCK, now)
        at, end = clock.state(now), clock.state(now + interval)
        fastest = max(fastest, at.bpm)  # the place waits, and does not go back, where the tempo falls
        jitter = 2.2 * 0.03 + 0.0002  # seconds that are believed at most
        assert count / 24 - jitter * at.bpm / 60 - 1e-9 <= at.position
        assert end.position <= (count + 1) / 24 + jitter * fastest / 60 + 1e-9
        assert end.jumps == 1
        now += interval


# The figures: true tempo, arrivals as a cable or a sound server makes them, errors where the true clocks are.


def _true_times(bpms: np.ndarray) -> np.ndarray:
    return 100.0 + np.concatenate([[0.0], np.cumsum(60 / 24 / bpms)])


def _arrivals(times: np.ndarray, jitter: str, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """When clocks arrive, and their mean delay, which `--offset-ms` is for."""
    if jitter == "none":
        return times, 0.0
    if jitter == "1 ms":
        return np.maximum.accumulate(times + rng.uniform(0.0, 0.001, len(times))), 0.0005
    period = int(jitter) / 48000
    phase = rng.uniform(0.0, period)
    return np.ceil((times - phase) / period) * period + phase, period / 2


def _errors_ms(bpms: np.ndarray, jitter: str, seed: int) -> np.ndarray:
    """How far the clock is ahead at each true clock, in ms."""
    rng = np.random.default_rng(seed)
    times = _true_times(bpms)
    arrivals, delay = _arrivals(times, jitter, rng)
    clock = MidiClock()
    clock.receive(START, arrivals[0])
    errors, heard = [], 0
    for number, look in enumerate(times[:-1] + delay):
        while heard < len(arrivals) and arrivals[heard] <= look:
            clock.receive(CLOCK, float(arrivals[heard]))
            heard += 1
        state = clock.state(float(look))
        errors.append((state.position * 24 - number) * 60 / 24 / bpms[number] * 1000)
    return np.array(errors)


@pytest.mark.parametrize(("jitter", "p99_ms"), [("none", 0.001), ("1 ms", 0.5), ("256", 1.0), ("1024", 4.0)])
@pytest.mark.parametrize("bpm", [60.0, 90.0, 120.0, 137.3, 180.0])
def test_bar_lines_are_met_at_a_steady_tempo(jitter, p99_ms, bpm):
    errors = [_errors_ms(np.full(24 * BAR, bpm), jitter, seed)[2 * BAR :: BAR] for seed in range(4)]
    assert np.percentile(np.abs(errors), 99) <= p99_ms


@pytest.mark.parametrize(
    ("jitter", "bar_ms", "beat_ms"),
    [("none", 0.001, 0.001), ("1 ms", 0.5, 1.0), ("256", 1.5, 4.0), ("1024", 4.0, 15.0)],
)
@pytest.mark.parametrize(("before", "after"), [(90.0, 150.0), (150.0, 90.0), (60.0, 240.0), (120.0, 126.0)])
def test_a_step_of_tempo_is_followed(jitter, bar_ms, beat_ms, before, after):
    for seed in range(6):
        step = 3 * BAR + 17 * seed
        bpms = np.where(np.arange(step + 2 * BAR) < step, before, after)
        errors = np.abs(_errors_ms(bpms, jitter, seed)[step:])
        assert errors[BAR:].max() <= bar_ms
        assert errors[24:].max() <= beat_ms


@pytest.mark.parametrize(("jitter", "worst_ms"), [("none", 0.5), ("1 ms", 2.5), ("256", 7.0), ("1024", 20.0)])
@pytest.mark.parametrize(("before", "after"), [(90.0, 150.0), (150.0, 90.0)])
def test_an_accelerando_is_followed(jitter, worst_ms, before, after):
    bpms = np.interp(np.arange(8 * BAR), [2 * BAR, 6 * BAR], [before, after])
    for seed in range(3):
        errors = np.abs(_errors_ms(bpms, jitter, seed)[2 * BAR :])
        assert errors.max() <= worst_ms
        assert errors[-BAR:].max() <= worst_ms / 4


def test_one_late_clock_is_no_new_tempo():
    clock = MidiClock()
    clock.receive(START, 0.0)
    _tick(clock, 100, 0.0)
    clock.receive(CLOCK, 100 * TICK + 0.008)
    _tick(clock, 2, 101 * TICK)
    state = clock.state(102 * TICK)
    assert state.bpm == pytest.approx(120.0, rel=0.001)
    assert state.position == pytest.approx(102 / 24, abs=0.001)


def test_a_clock_that_got_lost_on_the_way_is_not_counted():
    clock = MidiClock()
    clock.receive(START, 0.0)
    _tick(clock, 100, 0.0)
    _tick(clock, 20, 101 * TICK)
    state = clock.state(120 * TICK)
    assert state.position == pytest.approx(119 / 24, abs=0.001)
    assert state.bpm == pytest.approx(120.0, rel=0.001)
