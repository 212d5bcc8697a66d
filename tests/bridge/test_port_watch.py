"""Ports that go away, stand still and come back, and what they were connected to."""

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge.attempt import Attempt
from lakhnes.bridge.midi_outlet import MidiOutlet
from lakhnes.bridge.port_watch import Connections, InputWatch, OutletWatch
from lakhnes.bridge.ports import MidiInput, MidiOutput, open_input, open_output
from lakhnes.runtime import PortError, PortLostError, Voice


class Server:
    """A sound server with the ports of others, which may stand still or end."""

    name = "Pretended"
    can_open_virtual = True

    def __init__(self) -> None:
        self.others = {"daw:in", "synth:in"}
        self.connected: set[str] = set()
        self.still = self.ended = False
        self.sent: list[list[int]] = []
        self.opened: list[str] = []
        self.open_seconds = 0.0

    def take(self, data: list[int]) -> None:
        self.sent.append(data)

    def outputs(self) -> list[str]:
        return []

    def inputs(self) -> list[str]:
        return []

    def end(self) -> None:
        self.ended = True
        self.connected.clear()
        self.others.clear()

    def open_output(self, name: str, *, virtual: bool) -> "Port":
        if self.ended:
            raise PortError("No server answers.")
        self.opened.append(name)
        time.sleep(self.open_seconds)
        return Port(self)

    def open_input(self, name: str, receive: Callable[[list[int]], None], *, virtual: bool) -> "Port":
        return self.open_output(name, virtual=virtual)


class Port:
    """An open port that is its own patch bay; it does not outlive the server that it was opened on."""

    def __init__(self, server: Server) -> None:
        self.server, self.open = server, True
        self.patch_bay = self

    def send(self, data: list[int]) -> None:
        self.server.take(data)

    def alive(self) -> bool:
        self.open = self.open and not self.server.ended
        return self.open

    def stalled(self) -> bool:
        return self.server.still

    def close(self) -> None:
        self.open = False

    def connections(self) -> frozenset[str]:
        return frozenset(self.server.connected)

    def exists(self, name: str) -> bool:
        return name in self.server.others

    def connect(self, name: str) -> None:
        if name in self.server.others:
            self.server.connected.add(name)


class Out:
    """An outlet on a port of the server, and the watch over it."""

    def __init__(self, server: Server) -> None:
        self.server, self.heard = server, 0
        port = self._opened()
        self.outlet = MidiOutlet(port)
        self.watch = OutletWatch(self.outlet, (port,), lambda: (self._opened(),), connected=self._connected)

    def _opened(self) -> MidiOutput:
        return open_output(virtual="LakhNES", backend=self.server)

    def _connected(self) -> None:
        self.heard += 1


def test_a_server_that_stands_still_keeps_its_port_and_gets_nothing_that_would_come_late() -> None:
    server = Server()
    out = Out(server)
    assert out.watch.check() is None
    out.outlet.note_on(Voice.P1, 60, 15, 0)
    server.still = True
    assert "hangs" in str(out.watch.check())
    assert out.watch.lost
    before = len(server.sent)
    out.outlet.note_on(Voice.P1, 62, 15, 0)
    assert len(server.sent) == before
    server.still = False
    assert out.watch.check() is None
    assert not out.watch.lost
    assert server.opened == ["LakhNES"], "the same port"
    assert [0xB0, 123, 0] in server.sent[before:], "what sounded is over"
    out.outlet.note_on(Voice.P1, 64, 15, 0)
    assert server.sent[-1] == [0x90, 64, 127]


def test_a_server_that_is_started_anew_has_the_port_and_its_connections_again() -> None:
    server = Server()
    out = Out(server)
    server.connected |= {"daw:in", "synth:in"}
    assert out.watch.check() is None
    heard = out.heard
    server.connected.remove("synth:in")  # somebody undid it
    assert [out.watch.check(), out.watch.check()] == [None, None]
    server.end()
    assert "gone" in str(out.watch.check())
    server.ended = False
    assert out.watch.check() is None
    assert not server.connected
    server.others |= {"daw:in", "synth:in"}
    assert out.watch.check() is None
    assert server.connected == {"daw:in"}
    assert out.watch.check() is None
    assert out.heard > heard, "the DAW is put in place"
    assert server.opened == ["LakhNES", "LakhNES"]
    server.connected.clear()  # a new server may lose it
    out.watch.check()
    assert server.connected == {"daw:in"}
    for _ in range(5):
        out.watch.check()
    server.connected.clear()
    out.watch.check()
    assert not server.connected, "now somebody has undone it"


def test_a_port_that_takes_long_to_open_has_its_connections_again() -> None:
    server = Server()
    out = Out(server)
    server.connected.add("daw:in")
    assert out.watch.check() is None
    server.end()
    assert "gone" in str(out.watch.check())
    server.ended, server.open_seconds = False, 0.5
    server.others.add("daw:in")
    assert "gone" in str(out.watch.check())
    end = time.monotonic() + 10
    while server.connected != {"daw:in"}:
        out.watch.check()
        assert time.monotonic() < end
    assert not out.watch.lost
    assert len(server.opened) == 2


def test_a_connection_that_a_dead_server_never_answered_holds_up_no_other() -> None:
    server, dead, done = Server(), threading.Event(), threading.Event()
    port, connections = Port(server), Connections()
    server.connected.add("daw:in")
    connections.check([port])
    connections.reopened()
    server.connected.clear()
    connect = port.connect
    port.connect = lambda name: (dead.set(), done.wait(20))  # type: ignore[method-assign]
    try:
        connections.check([port])
        assert dead.is_set()
        port.connect = connect  # type: ignore[method-assign]
        connections.reopened()
        connections.check([port])
        assert server.connected == {"daw:in"}
    finally:
        done.set()


def test_a_deleted_port_that_is_still_listed_stays_gone_until_it_takes_something() -> None:
    server = Server()
    out = Out(server)

    def refuse(data: list[int]) -> None:
        raise PortLostError("The driver is gone.")

    takes = server.take
    server.take = refuse  # type: ignore[method-assign]
    out.outlet.note_on(Voice.P1, 60, 15, 0)
    assert out.outlet.lost
    for _ in range(3):
        assert "gone" in str(out.watch.check())
        assert out.watch.lost
    server.take = takes  # type: ignore[method-assign]
    assert out.watch.check() is None
    assert not out.watch.lost


def test_an_input_says_that_somebody_is_heard_no_more() -> None:
    server, gone, looks = Server(), [], []
    port = open_input(virtual="Control", callback=lambda *_: None, backend=server)

    def reopen() -> MidiInput:
        return open_input(virtual="Control", callback=lambda *_: None, backend=server)

    watch = InputWatch(port, reopen, disconnected=lambda: gone.append(1), looked=lambda: looks.append(1))
    server.connected.add("daw:in")
    assert watch.check() is None
    assert not gone
    server.others.discard("daw:in")
    server.connected.clear()
    assert watch.check() is None
    assert gone == [1]
    server.others.add("daw:in")
    watch.check()
    assert server.connected == {"daw:in"}
    server.still = True
    assert "hangs" in str(watch.check())
    assert len(looks) == 4
    server.still = False
    assert watch.check() is None
    watch.close()
    assert not port.alive()
    assert watch.check() is None
    assert not watch.lost, "it was closed"
    assert server.opened == ["Control"]


@given(st.lists(st.sampled_from(["connect", "undo", "quit", "return", "restart", "look"]), max_size=30))
@settings(deadline=None)
def test_a_connection_is_there_again_unless_somebody_undid_it(actions: list[str]) -> None:
    server = Server()
    port, connections = Port(server), Connections()
    wanted = False
    for action in actions:
        there = "daw:in" in server.others
        if action == "connect" and there:
            server.connected.add("daw:in")
            wanted = True
        elif action == "undo" and "daw:in" in server.connected:
            for _ in range(4):  # it was there for a while
                connections.check([port])
            server.connected.discard("daw:in")
            connections.check([port])
            wanted = False
        elif action == "quit":
            server.connected.discard("daw:in")
            server.others.discard("daw:in")
        elif action == "return":
            server.others.add("daw:in")
        elif action == "restart":
            server.connected.clear()
            connections.reopened()
        connections.check([port])
    server.others.add("daw:in")
    connections.check([port])
    connections.check([port])
    assert ("daw:in" in server.connected) == wanted


def test_an_attempt_that_hangs_holds_nobody_and_its_result_is_taken_later() -> None:
    going, unwanted = threading.Event(), []
    attempt = Attempt(lambda: going.wait(20), unwanted.append)
    began = time.monotonic()
    assert attempt() is None
    assert attempt() is None
    assert time.monotonic() - began < 10
    going.set()
    while (result := attempt()) is None:
        pass
    assert result is True
    assert attempt.idle
    going.clear()
    assert attempt() is None
    attempt.end()
    going.set()
    end = time.monotonic() + 10
    while not unwanted:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_an_attempt_that_fails_says_so_and_is_made_again() -> None:
    results = iter([PortError("No."), 5])

    def do() -> int:
        result = next(results)
        if isinstance(result, PortError):
            raise result
        return result

    attempt = Attempt(do)
    with pytest.raises(PortError, match="No"):
        attempt()
    assert attempt() == 5
