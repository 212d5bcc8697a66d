"""An open stage whose ports, sound and clock are exchanged while it plays."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from lakhnes.apu import Synth, sound_device
from lakhnes.apu.sound_device import SoundOutput
from lakhnes.bridge import InternalClock, MidiClock
from lakhnes.bridge.beat_clock import CLOCK, START
from lakhnes.runtime import (
    BeatGrid,
    MissingExtraError,
    Model,
    Note,
    OptionError,
    Part,
    PortError,
    PortLostError,
    Request,
    Score,
    SoundError,
)
from lakhnes.studio import outputs
from lakhnes.studio import wiring as wirings
from lakhnes.studio.stage import Stage
from lakhnes.studio.wiring import Wiring

SILENT = Wiring(ports=None, instrument="plain", ahead_bars=1.0)


class Port:
    """An open port that writes down what it is sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[list[int]] = []
        self.open = True

    def send(self, data: list[int]) -> None:
        if not self.open:
            raise PortLostError("The port is gone.")
        self.sent.append(data)

    def alive(self) -> bool:
        return self.open

    def close(self) -> None:
        self.open = False

    def hanging(self) -> set[tuple[int, int]]:
        sounding = set()
        for status, *values in self.sent:
            if status & 0xF0 == 0x90:
                sounding.add((status & 0xF, values[0]))
            elif status & 0xF0 == 0x80:
                sounding.discard((status & 0xF, values[0]))
        return sounding


class Backend:
    """A system with two ports, that makes others."""

    name = "Pretended"
    can_open_virtual = True

    def __init__(self) -> None:
        self.ports: list[Port] = []
        self.receive: Callable[[list[int]], None] = lambda data: None

    def outputs(self) -> list[str]:
        return ["Organ", "Drums"]

    def inputs(self) -> list[str]:
        return []

    def open_output(self, name: str, *, virtual: bool) -> Port:
        self.ports.append(Port(name))
        return self.ports[-1]

    def open_input(self, name: str, receive: Callable[[list[int]], None], *, virtual: bool) -> Port:
        self.receive = receive
        self.ports.append(Port(name))
        return self.ports[-1]

    def now_open(self) -> list[str]:
        return [port.name for port in self.ports if port.open]


class Device:
    """A sound output that asks for nothing."""

    name = "Loudspeaker"
    alive = True

    def __init__(self, synth: Synth) -> None:
        self.synth = synth
        self.state = "open"

    def start(self) -> None:
        self.state = "started"

    def close(self) -> None:
        self.state = "closed"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    made = Backend()
    monkeypatch.setattr(wirings, "rtmidi_backend", lambda api=None: made)
    return made


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    made: list[Device] = []

    def open_sound(synth: Synth) -> Device:
        made.append(Device(synth))
        return made[-1]

    monkeypatch.setattr("lakhnes.apu.sound_device.open_sound", open_sound)
    return made


@pytest.fixture(autouse=True)
def output(monkeypatch: pytest.MonkeyPatch) -> SoundOutput:
    """The sound output that the system has."""
    there = SoundOutput("jack", "Loudspeaker")
    monkeypatch.setattr("lakhnes.apu.sound_device.find_sound_output", lambda: there)
    return there


def song() -> Score:
    """Sixteen bars with a note on every row, at 400 beats a minute."""
    rows = [BeatGrid.steady(400).sample(120 * row) for row in range(16 * 16 + 1)]
    notes = tuple(Note(on, off - on, 60 + i % 12) for i, (on, off) in enumerate(pairwise(rows)))
    return Score((Part(notes), Part(), Part(), Part()), rows[-1])


@contextmanager
def playing(model: Model, wiring: Wiring = SILENT, **options: Any) -> Iterator[Stage]:
    """A stage that plays the song."""
    with Stage(wiring, model, Request(), 7, 400.0, 4, song=song(), optional=True, **options) as stage:
        stage.switch.internal.start(time.perf_counter())
        stage.performance.wake()
        yield stage


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


def on_notes(port: Port) -> list[int]:
    return [data[1] for data in port.sent if data[0] & 0xF0 == 0x90]


def test_ports_come_and_go_while_it_plays(tiny_model: Model, backend: Backend) -> None:
    with playing(tiny_model) as stage:
        assert stage.outputs == []
        assert stage.remarks == []
        stage.use_ports(("organ",))
        organ = backend.ports[0]
        until(lambda: len(on_notes(organ)) > 3)
        assert stage.outputs == ["Organ"]
        assert backend.now_open() == ["Organ", "LakhNES Control"]
        stage.use_ports(())
        assert stage.outputs == ["LakhNES"]
        assert not organ.open
        assert not organ.hanging()
        virtual = backend.ports[-1]
        until(lambda: len(on_notes(virtual)) > 3)
        stage.set_channels((5, 6, 7, 8))
        until(lambda: virtual.sent[-1][0] == 0x94)
        with pytest.raises(PortError, match="no MIDI output 'Piano'"):
            stage.use_ports(("Piano",))
        with pytest.raises(OptionError, match="one MIDI port or four"):
            stage.use_ports(("Organ", "Drums"))
        assert backend.now_open() == ["LakhNES Control", "LakhNES"]
        assert stage.outputs == ["LakhNES"], "still in use"
        heard = len(virtual.sent)
        until(lambda: len(virtual.sent) > heard)
        stage.use_ports(None)
        assert stage.outputs == []
        assert not virtual.hanging()
        assert backend.now_open() == ["LakhNES Control"]
        assert stage.performance.error is None
        assert stage.performance.status().problems == ()
    assert backend.now_open() == []


def test_a_lost_port_comes_back_also_after_an_exchange(tiny_model: Model, backend: Backend) -> None:
    with playing(tiny_model, replace(SILENT, ports=("Drums",))) as stage:
        stage.use_ports(("Organ",))
        backend.ports[-1].open = False
        until(lambda: backend.ports[-1].open)
        assert backend.ports[-1].name == "Organ"
        until(lambda: on_notes(backend.ports[-1]))
        assert stage.lost is None


def test_without_anything_it_goes_on_in_silence_and_says_why(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_ports(api: str | None = None) -> Backend:
        raise PortError("There is no MIDI here.")

    def no_sound(synth: Synth) -> Device:
        raise SoundError("There is no sound output.")

    monkeypatch.setattr(wirings, "rtmidi_backend", no_ports)
    monkeypatch.setattr("lakhnes.apu.sound_device.open_sound", no_sound)
    wiring = replace(SILENT, ports=(), synth=True)
    with playing(tiny_model, wiring) as stage:
        assert stage.remarks == ["There is no MIDI here.", "There is no sound output."]
        stage.use_sound(True)
        stage.use_ports(())
        until(lambda: stage.performance.status().sent > 5)
        until(lambda: set(stage.performance.status().problems) == set(stage.remarks))
    with pytest.raises(PortError, match="no MIDI here"), Stage(wiring, tiny_model, Request(), 7, 120.0, 4):
        pass


def test_what_appears_later_is_used_and_its_problem_goes(
    tiny_model: Model, backend: Backend, devices: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakhnes.bridge.performance.WATCH_SECONDS", 0.01)
    signs: list[object] = []
    monkeypatch.setattr(outputs, "sound_signs", lambda: tuple(signs))
    open_sound = sound_device.open_sound
    here = wirings.rtmidi_backend

    def no_ports(api: str | None = None) -> Backend:
        raise PortError("There is no MIDI here.")

    def no_sound(synth: Synth) -> Device:
        raise SoundError("There is no sound output.")

    monkeypatch.setattr(wirings, "rtmidi_backend", no_ports)
    monkeypatch.setattr(sound_device, "open_sound", no_sound)
    with playing(tiny_model) as stage:
        heard: list[bool] = []
        stage.taken = lambda: heard.append(True)
        stage.use_ports(())
        stage.use_sound(True)
        until(lambda: len(stage.performance.status().problems) == 2)
        monkeypatch.setattr(wirings, "rtmidi_backend", here)
        monkeypatch.setattr(sound_device, "open_sound", open_sound)
        until(lambda: stage.outputs == ["LakhNES"])
        signs.append("a card")
        until(lambda: stage.heard_on == "Loudspeaker")
        until(lambda: not stage.performance.status().problems)
        assert (stage.remarks, heard) == ([], [True])
        until(lambda: any(on_notes(port) for port in backend.ports))
        stage.use_ports(("Organ",))
        with pytest.raises(PortError):
            stage.use_ports(("Nowhere",))
        assert stage.outputs == ["Organ"]


def test_sound_that_is_wished_for_no_more_is_not_waited_for(
    tiny_model: Model, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakhnes.bridge.performance.WATCH_SECONDS", 0.01)

    def no_sound(synth: Synth) -> Device:
        raise SoundError("There is no sound output.")

    monkeypatch.setattr(sound_device, "open_sound", no_sound)
    with playing(tiny_model) as stage:
        stage.use_sound(True)
        until(lambda: bool(stage.performance.status().problems))
        stage.use_sound(False)
        until(lambda: not stage.performance.status().problems)


def test_sound_is_looked_for_when_something_changes_and_seldom_else() -> None:
    signs: list[tuple[object, ...] | None] = [()]
    attempts = outputs.Attempts(lambda: signs[0])
    assert sum(attempts.due() for _ in range(60)) == 2
    signs[0] = ("a card",)
    assert [attempts.due() for _ in range(7)] == [True] * 5 + [False] * 2
    signs[0] = None
    assert sum(attempts.due() for _ in range(10)) == 5


def test_sound_is_turned_on_and_off(tiny_model: Model, backend: Backend, devices: list[Device]) -> None:
    with playing(tiny_model) as stage:
        assert stage.synth is None
        stage.use_sound(True)
        stage.use_sound(True)
        assert [device.state for device in devices] == ["started"]
        assert stage.synth is devices[0].synth
        assert stage.sound == "Loudspeaker"
        synth = devices[0].synth
        until(lambda: abs(synth.render(4096, time.perf_counter())).max() > 0.01)
        stage.use_sound(False)
        assert devices[0].state == "closed"
        assert (stage.synth, stage.sound) == (None, None)
        stage.use_sound(True)
    assert [device.state for device in devices] == ["closed", "closed"]


def test_sound_that_is_gone_comes_back_on_the_same_output(
    tiny_model: Model, devices: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakhnes.bridge.performance.WATCH_SECONDS", 0.01)
    monkeypatch.setattr(outputs, "sound_signs", lambda: None)
    there = SoundOutput("portaudio", "Other")
    with playing(tiny_model) as stage:
        stage.use_sound(True)
        synth = stage.synth
        monkeypatch.setattr("lakhnes.apu.sound_device.find_sound_output", lambda: there)
        devices[0].alive = False
        until(lambda: any("sound output has disappeared" in p for p in stage.performance.status().problems))
        assert stage.heard_on is None
        time.sleep(0.1)
        assert len(devices) == 1  # another output is not the one that was lost
        there = SoundOutput("jack", "Loudspeaker")
        until(lambda: stage.heard_on == "Loudspeaker")
        assert [device.state for device in devices] == ["closed", "started"]
        assert stage.synth is synth
        until(lambda: not stage.performance.status().problems)


def test_missing_sound_is_told(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_sound(synth: Synth) -> Device:
        raise MissingExtraError("synth", "Sound")

    monkeypatch.setattr("lakhnes.apu.sound_device.open_sound", open_sound)
    with playing(tiny_model) as stage, pytest.raises(MissingExtraError):
        stage.use_sound(True)


def test_it_follows_a_daw_and_comes_back(tiny_model: Model, backend: Backend) -> None:
    with playing(tiny_model, replace(SILENT, ports=())) as stage:
        assert isinstance(stage.clock, InternalClock)
        stage.follow(True)
        assert isinstance(stage.clock, MidiClock)
        assert not stage.performance.status().clock.running
        for message in (START, CLOCK, CLOCK, CLOCK):
            backend.receive([message])
        assert stage.performance.status().clock.running
        stage.follow(False)
        assert isinstance(stage.clock, InternalClock)
        assert not stage.performance.status().clock.running
        for message in (START, CLOCK, CLOCK, CLOCK):
            backend.receive([message])
        assert not stage.performance.status().clock.running


def test_a_daw_is_heard_also_where_nothing_is_sent(tiny_model: Model, backend: Backend) -> None:
    with playing(tiny_model) as stage:
        assert stage.deaf is not None
        stage.follow(True)
        assert stage.deaf is None
        for message in (START, CLOCK, CLOCK, CLOCK):
            backend.receive([message])
        assert stage.performance.status().clock.running


def test_who_follows_without_midi_is_told_why_nothing_comes(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_ports(api: str | None = None) -> Backend:
        raise PortError("There is no MIDI here.")

    monkeypatch.setattr(wirings, "rtmidi_backend", no_ports)
    with playing(tiny_model) as stage:
        stage.follow(True)
        assert "no MIDI here" in str(stage.deaf)


def test_it_may_be_closed_twice_and_from_elsewhere(
    tiny_model: Model, backend: Backend, devices: list[Device]
) -> None:
    before = threading.active_count()
    with playing(tiny_model, replace(SILENT, ports=(), synth=True)) as stage:
        closing = [threading.Thread(target=stage.close) for _ in range(3)]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        stage.use_ports(("Organ",))
        stage.use_sound(True)
        stage.close()
    assert backend.now_open() == []
    assert [device.state for device in devices] == ["closed"]
    assert threading.active_count() == before


def test_a_song_to_begin_with_is_there_and_goes_on(tiny_model: Model) -> None:
    with Stage(SILENT, tiny_model, Request(), 7, 400.0, 4, song=song(), optional=True) as stage:
        timeline = stage.performance.composer.timeline
        assert timeline.score()[1] == song()
        assert timeline.edition == 1
