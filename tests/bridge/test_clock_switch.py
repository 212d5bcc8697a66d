"""One clock out of two: the player that follows it never sees the change but as a jump."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lakhnes.bridge.beat_clock import CLOCK, CONTINUE, START, STOP, ClockStatus, InternalClock
from lakhnes.bridge.clock_switch import ClockSwitch
from lakhnes.bridge.midi_clock import MidiClock


def ticking(switch: ClockSwitch, first: float, count: int) -> float:
    """Feeds clocks at 120 BPM; the time of the last."""
    for number in range(count):
        switch.midi.receive(bytes([CLOCK]), first + number / 48)
    return first + (count - 1) / 48


def test_a_daw_takes_over_and_our_own_clock_stands_where_it_was() -> None:
    switch = ClockSwitch(InternalClock(90.0), MidiClock(120.0))
    switch.internal.start(0.0)
    before = switch.state(2.0)
    assert (before.position, before.bpm, before.running) == (3.0, 90.0, True)
    assert not switch.following
    switch.follow(True, 2.0)
    state = switch.state(2.0)
    assert switch.following
    assert state.status is ClockStatus.WAITING
    assert state.jumps == before.jumps + 1
    switch.midi.receive(bytes([START]), 3.0)
    now = ticking(switch, 3.0, 97)
    state = switch.state(now)
    assert state.running
    assert abs(state.position - 4.0) < 0.01
    assert abs(switch.time_of(5.0) - now - 0.5) < 0.01
    switch.follow(False, now)
    after = switch.state(now + 1)
    assert (after.running, after.status, after.bpm) == (False, ClockStatus.STOPPED, 90.0)
    assert abs(after.position - 4.0) < 0.01
    assert after.jumps == state.jumps + 1
    switch.follow(False, now + 2)
    assert switch.state(now + 2) == after, "it does so already"
    switch.internal.set_loop(0.0, 1.0)
    switch.internal.start(now + 2, 0.0)
    assert switch.state(now + 2).loop == (0.0, 1.0)


class Switching(RuleBasedStateMachine):
    """Both clocks under any hands."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.switch = ClockSwitch(InternalClock(), MidiClock())
        self.before = self.switch.state(self.now)

    @rule(seconds=st.floats(0.0, 2.0))
    def wait(self, seconds):
        self.now += seconds

    @rule(message=st.sampled_from([START, STOP, CONTINUE, CLOCK]))
    def hear(self, message):
        self.switch.midi.receive(bytes([message]), self.now)

    @rule(place=st.none() | st.floats(0.0, 50.0), loop=st.booleans())
    def play(self, place, loop):
        self.switch.internal.start(self.now, place)
        if loop:
            self.switch.internal.set_loop(1.0, 3.0, self.now)

    @rule()
    def stop(self):
        self.switch.internal.stop(self.now)

    @rule(midi=st.booleans())
    def follow(self, midi):
        before, changes = self.switch.state(self.now), midi != self.switch.following
        self.switch.follow(midi, self.now)
        after = self.switch.state(self.now)
        assert after.jumps == before.jumps + changes
        if changes and not midi:
            assert after.position == before.position
            assert not after.running

    @invariant()
    def the_position_falls_only_with_a_jump(self):
        state = self.switch.state(self.now)
        assert state.jumps >= self.before.jumps
        if state.jumps == self.before.jumps:
            assert state.position >= self.before.position
        self.before = state


TestSwitching = Switching.TestCase
TestSwitching.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
