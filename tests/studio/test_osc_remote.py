"""OSC in and out of an open stage, over real UDP on the loopback."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge import InternalClock
from lakhnes.bridge.osc import LOOPBACK, OscAddress, OscInput, OscOutput
from lakhnes.runtime import Model, OptionError, PortError, Request, Voice
from lakhnes.runtime.time.grid import TEMPI_BPM
from lakhnes.studio.osc_remote import DENSITIES, MOST_TOP_K, TEMPERATURES, OscRemote
from lakhnes.studio.stage import Stage
from lakhnes.studio.wiring import Wiring

pytest.importorskip("pythonosc")

PAGE = Path(__file__).parents[2] / "docs" / "osc.md"
ANY_PORT = OscAddress(LOOPBACK, 0)


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


class Ear:
    """Hears every address that lakhnes sends to."""

    def __init__(self) -> None:
        self.said: list[tuple[str, list[object]]] = []
        self.port = OscInput(ANY_PORT, {})
        self.port.receive = lambda address, *said: self.said.append((address, list(said)))  # type: ignore[method-assign]

    def of(self, address: str) -> list[list[object]]:
        return [said for where, said in self.said if where == address]


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.port.close()


@pytest.fixture
def stage(small_model: Model, ear: Ear) -> Iterator[Stage]:
    free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    free.bind((LOOPBACK, 0))
    port = free.getsockname()[1]
    free.close()
    wiring = Wiring(ports=None, ahead_bars=1.0, osc=OscAddress(LOOPBACK, port), osc_to=ear.port.address)
    with Stage(wiring, small_model, Request(), 1, 120, 4, optional=True) as stage:
        yield stage


@pytest.fixture
def hand(stage: Stage) -> Iterator[OscOutput]:
    assert stage._wiring.osc is not None
    with OscOutput(stage._wiring.osc) as hand:
        yield hand


def test_transport_tempo_and_steering(stage: Stage, hand: OscOutput, ear: Ear) -> None:
    until(stage.performance.armed)
    hand.send("/bar", 3)
    hand.send("/tempo", 140)
    hand.send("/play")
    until(lambda: stage.performance.status().clock.running)
    status = stage.performance.status()
    assert status.bar >= 3
    assert status.clock.bpm == 140
    hand.send("/temperature", 1.5)
    hand.send("/top_k", 7)
    hand.send("/density", -2.5)
    until(lambda: stage.performance.status().request.density == -2.5)
    sampling = stage.performance.status().request.sampling
    assert (sampling.temperature, sampling.top_k) == (1.5, 7)
    hand.send("/top_k", 0.0)
    hand.send("/take")
    until(lambda: stage.performance.status().take == 1)
    assert stage.performance.status().request.sampling.top_k is None
    hand.send("/mute", 2, 1)
    until(lambda: Voice.P2 in stage.performance.player.muted)
    hand.send("/stop")
    hand.send("/stop")
    until(lambda: not stage.performance.status().clock.running)
    until(lambda: ["running"] in ear.of("/lakhnes/out/state"))
    until(lambda: ear.of("/lakhnes/out/state")[-1] == ["stopped"])
    assert [140.0] in ear.of("/lakhnes/out/tempo")
    assert any(bar == 3 and 1 <= beat <= 4 for bar, beat in ear.of("/lakhnes/out/beat"))


def test_notes_that_are_played_are_told_and_ended(stage: Stage, hand: OscOutput, ear: Ear) -> None:
    hand.send("/note", 1, 60, 100)
    until(lambda: ear.of("/lakhnes/out/note"))
    hand.send("/note", 1, 60, 0)
    until(lambda: len(ear.of("/lakhnes/out/note")) == 2)
    (voice, pitch, velocity), ended = ear.of("/lakhnes/out/note")
    assert (voice, pitch) == (1, 60)
    assert 1 <= int(str(velocity)) <= 15
    assert ended == [1, 60, 0]


@pytest.mark.parametrize(
    ("address", "arguments", "problem"),
    [
        ("/tempo", ["fast"], "no number"),
        ("/tempo", [1e9], "out of range"),
        ("/tempo", [], "takes 1 numbers, not 0"),
        ("/nowhere", [], "no OSC address"),
        ("/mute", [5, 1], "out of range"),
    ],
)
def test_what_means_nothing_is_reported(
    stage: Stage, address: str, arguments: list[float], problem: str
) -> None:
    assert stage._wiring.osc is not None
    remote = OscInput(ANY_PORT, OscRemote(stage).commands())
    try:
        with OscOutput(remote.address) as out:
            out.send(address, *arguments)
        until(remote.check)
        assert problem in str(remote.check())
    finally:
        remote.close()


@given(st.binary(max_size=64))
@settings(deadline=None, max_examples=100)
def test_any_bytes_are_survived(data: bytes) -> None:
    done: list[int] = []
    remote = OscInput(ANY_PORT, {"/here": lambda numbers: done.append(1)})
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(data, (remote.address.host, remote.address.port))
        with OscOutput(remote.address) as hand:
            hand.send("/here")
        until(lambda: done)
    finally:
        remote.close()


def bundle(time_tag: bytes, *messages: bytes) -> bytes:
    return b"#bundle\0" + time_tag + b"".join(len(message).to_bytes(4) + message for message in messages)


HERE = b"/lakhnes/here\0\0\0,\0\0\0"


@pytest.mark.parametrize(
    "data",
    [
        b"/\xff\0\0,\0\0\0",
        b"/lakhnes/x\0\0,?\0\0",
        bundle(bytes(8), b"what\0\0\0\0"),
        reduce(lambda inside, _: bundle(bytes(8), inside), range(2000), HERE),
    ],
    ids=["no text", "an unknown type", "no message", "too deep"],
)
def test_an_odd_packet_prints_nothing(
    data: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    remote = OscInput(ANY_PORT, {"/here": lambda numbers: done.append(1)})
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for packet in (data, HERE):
                out.sendto(packet, (remote.address.host, remote.address.port))
        until(lambda: done)
    finally:
        remote.close()
    assert (*capfd.readouterr(), caplog.records) == ("", "", [])


def test_a_packet_that_is_none_is_reported() -> None:
    remote = OscInput(ANY_PORT, {})
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"GET / HTTP/1.1", (remote.address.host, remote.address.port))
        until(remote.check)
        assert "A packet came that is no OSC" in str(remote.check())
    finally:
        remote.close()


def test_no_time_in_a_packet_makes_others_wait() -> None:
    done: list[int] = []
    remote = OscInput(ANY_PORT, {"/here": lambda numbers: done.append(1)})
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for packet in (bundle(b"\xff" * 8, HERE, HERE), HERE):
                out.sendto(packet, (remote.address.host, remote.address.port))
        until(lambda: len(done) == 3)
    finally:
        remote.close()


def test_a_port_that_is_taken_and_an_address_that_is_none() -> None:
    first = OscInput(ANY_PORT, {})
    try:
        with pytest.raises(PortError, match="choose another port"):
            OscInput(first.address, {})
    finally:
        first.close()
    assert OscAddress.parse("9000") == OscAddress(LOOPBACK, 9000)
    assert OscAddress.parse("10.0.0.2:9000") == OscAddress("10.0.0.2", 9000)
    for text in ("", "x", "70000", "0", "host:", "host:x", "٣"):
        with pytest.raises(OptionError):
            OscAddress.parse(text)


def test_another_clock_is_left_to_itself(small_model: Model) -> None:
    with Stage(Wiring(ports=None), small_model, Request(), 1, 120, 4, optional=True) as stage:
        stage.switch.follow(True, time.perf_counter())
        commands = OscRemote(stage).commands()
        assert not isinstance(stage.clock, InternalClock)
        for address, numbers in (("/tempo", [100.0]), ("/bar", [2.0]), ("/play", [])):
            with pytest.raises(OptionError):
                commands[address](numbers)


def test_the_page_has_every_address_and_its_range(stage: Stage) -> None:
    page = PAGE.read_text()
    heard = re.findall(r"^\| `/lakhnes(/\w+)` \| ([^|]*)\|", page, re.MULTILINE)
    commands = OscRemote(stage).commands()
    assert {address for address, _ in heard} == set(commands)
    told = dict(heard)
    assert f"{TEMPI_BPM[0]:g} to {TEMPI_BPM[1]:g}" in told["/tempo"]
    assert f"{TEMPERATURES[0]:g} to {TEMPERATURES[1]:g}" in told["/temperature"]
    assert f"{DENSITIES[0]:g} to {DENSITIES[1]:g}" in told["/density"]
    assert f"0 to {MOST_TOP_K}" in told["/top_k"]
