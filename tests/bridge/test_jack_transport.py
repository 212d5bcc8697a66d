"""The transport of a JACK server as a clock: a server of our own making, and a real one with its own tool."""

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jack import JackServer, jack_server
from live_rig import Log, play, timeline_of

from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.bridge.jack_transport import JackTransport, Transport
from lakhnes.bridge.player import Player
from lakhnes.bridge.rtmidi_backend import jack_transport
from lakhnes.runtime import OptionError, PortError, Voice

RATE, PERIOD = 48_000, 1024


@dataclass
class Server:
    """A server whose transport is moved by hand; `now` is its time and ours."""

    bpm: float | None = 120.0
    now_seconds: float = 50.0
    frame: int = 0
    rolling: bool = False
    lost: bool = False
    tells: int = 1920
    """Ticks of a beat."""
    loop: tuple[int, int] | None = None

    def now(self) -> float:
        return self.now_seconds

    def cycle(self) -> None:
        """Goes on by a cycle."""
        self.now_seconds += PERIOD / RATE
        if self.rolling:
            self.frame += PERIOD
            if self.loop is not None and self.frame >= self.loop[1]:
                self.frame = self.loop[0]

    def query(self) -> Transport:
        beats = None
        if self.bpm is not None:
            beats = int(self.frame / RATE * self.bpm / 60 * self.tells) / self.tells
        place = (self.rolling, False, self.now_seconds, self.frame, RATE, PERIOD)
        return Transport(*place, beats, 1 / self.tells, self.bpm)

    def roll(self, on: bool) -> None:
        self.rolling = on


def clock_of(server: Server, bpm: float = 120.0) -> JackTransport:
    return JackTransport(lambda: server, bpm, now=server.now)


def test_it_rolls_stops_and_is_located() -> None:
    server = Server()
    clock = clock_of(server)
    standing = clock.state(server.now_seconds)
    assert (standing.position, standing.running, standing.status) == (0.0, False, ClockStatus.STOPPED)
    assert clock.toggle(0.0)
    server.cycle()
    state = clock.state(server.now_seconds + 0.01)
    assert (state.running, state.jumps, state.bpm) == (True, standing.jumps + 1, 120.0)
    assert state.landed == 0.0, "where it stood; what it has rolled since is caught up on"
    assert state.position == pytest.approx((PERIOD / RATE + 0.01) * 2)
    assert clock.time_of(4.0) == pytest.approx(server.now_seconds + 2.0 - PERIOD / RATE)
    server.frame = 96_000 * 4
    moved = clock.state(server.now_seconds)
    assert (moved.running, moved.jumps) == (True, state.jumps + 1)
    assert moved.position == pytest.approx(16.0)
    server.rolling = False
    stopped = clock.state(server.now_seconds)
    assert (stopped.running, stopped.jumps, stopped.position) == (False, moved.jumps + 1, 16.0)
    server.frame = 96_000
    assert clock.state(server.now_seconds).position == 4.0
    assert clock.state(server.now_seconds).jumps == stopped.jumps + 1


def test_a_place_is_never_beyond_the_cycle_and_never_falls() -> None:
    server = Server(rolling=True)
    clock = clock_of(server)
    assert clock.state(server.now_seconds).running
    assert clock.state(server.now_seconds + 5.0).position == pytest.approx(PERIOD / RATE * 2)
    server.now_seconds += 3.0  # the server was held up, and goes on where it was
    server.frame += PERIOD
    state = clock.state(server.now_seconds)
    assert state.jumps == 1
    assert state.position == pytest.approx(PERIOD / RATE * 2)


def test_a_server_that_catches_up_has_not_jumped() -> None:
    server = Server(rolling=True)
    clock = clock_of(server)
    clock.state(server.now_seconds)
    server.now_seconds += 10 * PERIOD / RATE
    for _ in range(3):
        server.frame += 3 * PERIOD
        server.now_seconds += 0.001
        assert clock.state(server.now_seconds).jumps == 1
    server.frame += 12 * PERIOD
    assert clock.state(server.now_seconds).jumps == 2


def test_beats_are_told_to_the_frame_though_ticks_are_coarse() -> None:
    server = Server(bpm=133.3, tells=96, rolling=True)
    clock = clock_of(server)
    clock.state(server.now_seconds)
    for _ in range(2000):
        server.cycle()
        true = server.frame / RATE * 133.3 / 60
        assert clock.state(server.now_seconds).position == pytest.approx(true, abs=1e-6)
    assert clock.state(server.now_seconds).jumps == 1


def test_a_new_tempo_and_a_master_that_comes_late_are_followed() -> None:
    server = Server(bpm=None, rolling=True)
    clock = clock_of(server, 90.0)
    for _ in range(100):
        server.cycle()
    state = clock.state(server.now_seconds)
    assert (state.bpm, state.position) == (90.0, pytest.approx(server.frame / RATE * 1.5))
    server.bpm = 150.0
    assert clock.state(server.now_seconds).bpm == 150.0
    with pytest.raises(OptionError):
        clock_of(server, 9999.0)


def test_a_server_that_ends_is_said_and_entered_again() -> None:
    first, second = Server(rolling=True), Server(frame=96_000)
    servers = iter([first, None, second])

    def enter() -> Server:
        server = next(servers)
        if server is None:
            raise PortError("No server answers.")
        return server

    clock = JackTransport(enter, now=lambda: 50.0)
    assert clock.state(50.0).running
    assert clock.check() is None
    first.lost = True
    assert clock.state(50.0).status is ClockStatus.LOST
    assert not clock.toggle(50.0)
    assert "has ended" in str(clock.check())
    assert clock.check() is None
    assert (clock.state(50.0).running, clock.state(50.0).position) == (False, 4.0)


@pytest.mark.parametrize("offset", [0.0, 0.05, -0.05])
def test_a_loop_of_the_transport_plays_nothing_beyond_it(offset: float) -> None:
    bar = 96_000  # frames of a bar at 120
    server = Server(rolling=True, loop=(0, bar // PERIOD * PERIOD))
    clock, log = clock_of(server), Log()
    player = Player(timeline_of(4), clock, [log], offset_seconds=offset)
    for _ in range(8 * (bar // PERIOD)):
        play(player, server.now_seconds, server.now_seconds + PERIOD / RATE)
        server.cycle()
    bass = [pitch for _, voice, pitch in log.said if voice is Voice.TR and pitch is not None]
    assert len(bass) >= 31
    assert set(bass) == {40, 41, 42, 43}
    assert {b for a, b in itertools.pairwise(bass) if a == 43} == {40}


@pytest.mark.parametrize("bar", [0, 2])
@pytest.mark.parametrize("seen_after", [1, 2, 3])
def test_a_start_and_a_jump_that_are_seen_late_lose_no_note(bar: int, seen_after: int) -> None:
    server = Server(frame=96_000 * bar)
    clock, log = clock_of(server), Log()
    player = Player(timeline_of(4), clock, [log])
    player.step(server.now_seconds)
    server.rolling = True
    for _ in range(seen_after):
        server.cycle()
    play(player, server.now_seconds, server.now_seconds + PERIOD / RATE)
    server.frame = 96_000
    for _ in range(seen_after):
        server.cycle()
    play(player, server.now_seconds, server.now_seconds + PERIOD / RATE)
    first, second = [pitch for _, voice, pitch in log.said if voice is Voice.TR and pitch is not None]
    assert (first, second) == (40 + 4 * bar, 44)


@given(st.lists(st.tuples(st.sampled_from(["cycle", "roll", "locate", "late", "tempo"]), st.floats(0, 1))))
@settings(deadline=None, max_examples=40)
def test_places_never_fall_without_a_jump(actions: list[tuple[str, float]]) -> None:
    server = Server(rolling=True)
    clock = clock_of(server)
    before = clock.state(server.now_seconds)
    for action, amount in actions:
        if action == "cycle":
            server.cycle()
        elif action == "roll":
            server.rolling = amount < 0.5
        elif action == "locate":
            server.frame = int(amount * 1e6)
        elif action == "late":
            server.now_seconds += amount
        else:
            server.bpm = 60 + 100 * amount
        for within in (0.0, 0.01, 0.02):
            state = clock.state(server.now_seconds + within)
            assert state.jumps >= before.jumps
            if state.running and state.jumps == before.jumps:
                assert state.position >= before.position
            before = state


@pytest.fixture
def server() -> Iterator[JackServer]:
    pytest.importorskip("rtmidi")
    with jack_server() as running:
        yield running


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.jack
def test_the_transport_of_a_real_server(server: JackServer) -> None:
    clock = JackTransport(jack_transport)
    tool = subprocess.Popen(["jack_transport"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert tool.stdin is not None

    def tell(*commands: str) -> None:
        assert tool.stdin is not None
        for command in commands:
            tool.stdin.write(command + "\n")
        tool.stdin.flush()

    def state() -> ClockStatus:
        return clock.state(time.perf_counter()).status

    try:
        tell("master", "tempo 150", "locate 0", "play")
        until(lambda: state() is ClockStatus.RUNNING and clock.state(time.perf_counter()).bpm == 150.0)
        until(lambda: clock.state(time.perf_counter()).position > 2.0)
        first = clock.state(time.perf_counter())
        for _ in range(50):
            now = time.perf_counter()
            place = clock.state(now).position
            assert abs(clock.time_of(place) - now) < 0.1  # a busy server is late
            time.sleep(0.002)
        assert clock.toggle(time.perf_counter())
        until(lambda: state() is ClockStatus.STOPPED)
        tell("locate 480000")
        until(lambda: clock.state(time.perf_counter()).position == pytest.approx(25.0, abs=0.01))
        assert clock.state(time.perf_counter()).jumps > first.jumps
        server.kill()
        until(lambda: state() is ClockStatus.LOST)
        server.start()
        until(lambda: clock.check() is None)
        assert state() is ClockStatus.STOPPED
    finally:
        tool.kill()
        tool.wait()
        tool.stdin.close()
