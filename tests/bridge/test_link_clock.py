"""Ableton Link: a session of our own making, and a real one that another process shares."""

import copy
import math
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_rig import Log, timeline_of

from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.bridge.link_clock import LinkClock, SessionState, link_session
from lakhnes.bridge.player import Player
from lakhnes.runtime import MissingExtraError, Voice


class State:
    """A session's state: a straight line from time to beats."""

    def __init__(self) -> None:
        self.bpm, self.micros, self.beat = 120.0, 0, 0.0
        self.playing, self.since = False, 0

    def tempo(self) -> float:
        return self.bpm

    def setTempo(self, bpm: float, at_time: int) -> None:  # noqa: N802
        self.beat, self.micros = self.beatAtTime(at_time, 4), at_time
        self.bpm = bpm

    def beatAtTime(self, at_time: int, quantum: float) -> float:  # noqa: N802
        return self.beat + (at_time - self.micros) / 1e6 * self.bpm / 60

    def timeAtBeat(self, beat: float, quantum: float) -> int:  # noqa: N802
        return round(self.micros + (beat - self.beat) * 60e6 / self.bpm)

    def isPlaying(self) -> bool:  # noqa: N802
        return self.playing

    def setIsPlaying(self, is_playing: bool, at_time: int) -> None:  # noqa: N802
        self.playing, self.since = is_playing, at_time

    def timeForIsPlaying(self) -> int:  # noqa: N802
        return self.since


class Session:
    """A session that a test moves; its clock is 1000 s ahead of ours."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shared = State()
        self.shared.micros = 1000_000_000
        self.enabled = self.startStopSyncEnabled = True

    def clock(self) -> "Session":
        return self

    def micros(self) -> int:
        return round((self.now + 1000) * 1e6)

    def captureAppSessionState(self) -> State:  # noqa: N802
        return copy.copy(self.shared)

    def commitAppSessionState(self, state: SessionState) -> None:  # noqa: N802
        assert isinstance(state, State)
        self.shared = state

    def numPeers(self) -> int:  # noqa: N802
        return 1

    def play(self, on: bool) -> None:
        self.shared.setIsPlaying(on, self.micros())

    def new_clock(self) -> LinkClock:
        return LinkClock(self, now=lambda: self.now)


def test_it_begins_with_the_bar_after_a_start_and_stops_at_once() -> None:
    session = Session()
    clock = session.new_clock()
    assert clock.state(0.0).status is ClockStatus.STOPPED
    assert clock.time_of(0.0) == math.inf
    session.now = 1.0  # beat 2
    assert clock.toggle(1.0)
    state = clock.state(1.0)
    assert (state.status, state.running) == (ClockStatus.WAITING, False)
    assert state.look_seconds == pytest.approx(1.0, abs=0.001)
    state = clock.state(2.1)
    assert state.running
    assert state.position == pytest.approx(0.2)
    assert state.landed == 0.0
    assert clock.time_of(4.0) == pytest.approx(4.0)
    jumps = state.jumps
    session.now = 2.5
    session.play(False)
    state = clock.state(2.5)
    assert (state.running, state.jumps) == (False, jumps + 1)
    assert state.position == pytest.approx(0.2)  # where it was seen last


def test_a_session_that_plays_already_is_joined_at_its_next_bar() -> None:
    session = Session()
    session.play(True)
    clock = session.new_clock()
    assert clock.state(5.0).status is ClockStatus.WAITING  # beat 10
    assert clock.state(6.0).position == pytest.approx(0.0, abs=1e-6)
    assert clock.state(7.0).position == pytest.approx(2.0)


def test_the_tempo_goes_both_ways() -> None:
    session = Session()
    session.play(True)
    clock = session.new_clock()
    clock.state(0.0)
    clock.set_bpm(60.0, 1.0)
    assert session.shared.tempo() == 60.0
    assert clock.state(2.0).position == pytest.approx(3.0)
    session.shared.setTempo(180.0, 1002_000_000)
    state = clock.state(3.0)
    assert state.bpm == 180.0
    assert state.position == pytest.approx(6.0)
    assert state.jumps == clock.state(3.1).jumps


def test_two_sessions_that_meet_move_the_music_to_the_nearest_place_in_phase() -> None:
    session = Session()
    session.play(True)
    clock = session.new_clock()
    before = clock.state(0.0)
    assert clock.state(5.0).position == pytest.approx(10.0)
    session.shared.beat += 1.5
    after = clock.state(5.01)
    assert after.jumps == before.jumps + 1
    assert after.position == pytest.approx(11.52)
    session.shared.beat -= 2.5 + 4 * 7
    after = clock.state(5.02)
    assert after.position == pytest.approx(13.04)
    assert (session.shared.beatAtTime(1005_020_000, 4) - after.position) % 4 == pytest.approx(0.0)


def test_a_player_plays_every_note_from_the_first_on() -> None:
    session = Session()
    clock, log = session.new_clock(), Log()
    player = Player(timeline_of(2), clock, [log], now=lambda: session.now)
    session.now = 0.3
    session.play(True)
    while session.now < 5.7:
        session.now = max(session.now + 1e-4, player.step(session.now))
    onsets = [(at, pitch) for at, voice, pitch in log.said if voice is Voice.TR and pitch]
    assert [pitch for _, pitch in onsets] == list(range(40, 48))
    assert [at for at, _ in onsets] == pytest.approx([2 + beat / 2 for beat in range(8)], abs=2e-4)


@given(
    st.lists(
        st.tuples(st.sampled_from(["look", "play", "stop", "tempo", "meet"]), st.floats(0, 1)), max_size=40
    )
)
@settings(deadline=None)
def test_places_never_fall_without_a_jump(actions: list[tuple[str, float]]) -> None:
    session = Session()
    clock = session.new_clock()
    before = clock.state(0.0)
    for action, value in actions:
        session.now += 0.5 * value
        if action in ("play", "stop"):
            session.play(action == "play")
        elif action == "tempo":
            session.shared.setTempo(30 + 270 * value, session.micros())
        elif action == "meet":
            session.shared.beat += 8 * value - 4
        state = clock.state(session.now)
        assert state.position >= 0
        if state.jumps == before.jumps and state.running:
            assert state.position >= before.position
        if state.running:
            assert clock.time_of(state.position) == pytest.approx(session.now, abs=0.3)
        before = state


def test_without_the_extra_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "link", None)
    with pytest.raises(MissingExtraError, match="link"):
        link_session(120)


PEER = """
import sys, time
from lakhnes.bridge.link_clock import LinkClock, SessionState, link_session
session = link_session(97.0)
clock = LinkClock(session)
end = time.monotonic() + 20
while not clock.peers and time.monotonic() < end:
    time.sleep(0.05)
print("met" if clock.peers else "alone", flush=True)
sys.stdin.readline()
clock.set_bpm(143.0, time.perf_counter())
clock.toggle(time.perf_counter())
sys.stdin.readline()
"""


def test_two_processes_share_tempo_and_start() -> None:
    pytest.importorskip("link")
    peer = subprocess.Popen(
        [sys.executable, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert peer.stdin is not None
    assert peer.stdout is not None
    clock = LinkClock(link_session(97.0))
    try:
        if peer.stdout.readline() != "met\n":
            pytest.skip("this machine's network carries no multicast, by which peers meet")
        peer.stdin.write("\n")
        peer.stdin.flush()
        end = time.monotonic() + 20
        while not (state := clock.state(time.perf_counter())).running:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert state.bpm == pytest.approx(143.0, abs=0.01)
    finally:
        clock.close()
        peer.kill()
        peer.communicate()
