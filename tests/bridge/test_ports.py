"""Ports: finding, opening and losing them; on a JACK server, and on a system that makes none."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from jack import JackServer, jack_server

from lakhnes.bridge.jack_port import port_library
from lakhnes.bridge.ports import (
    VOICE_OUTPUT_NAMES,
    PortInfo,
    list_ports,
    open_input,
    open_output,
    open_voice_outputs,
)
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
from lakhnes.bridge.rtmidi_ports import RtMidiPort
from lakhnes.runtime import OptionError, PortError, PortLostError
from lakhnes.runtime.errors import step_to_extra


class FakePort:
    """An open port of `FakeBackend`."""

    def __init__(self, backend: "FakeBackend", name: str) -> None:
        self.backend, self.name = backend, name
        self.sent: list[list[int]] = []
        self.closed = 0

    def send(self, data: list[int]) -> None:
        self.sent.append(data)

    def alive(self) -> bool:
        return self.name in (*self.backend.output_names, *self.backend.input_names)

    def close(self) -> None:
        self.closed += 1


class FakeBackend:
    """A system whose ports are lists; without virtual ports it is as Windows MM."""

    def __init__(self, *outputs: str, inputs: tuple[str, ...] = (), can_open_virtual: bool = False) -> None:
        self.name = "Pretended" if can_open_virtual else "Windows MM"
        self.can_open_virtual = can_open_virtual
        self.output_names, self.input_names = list(outputs), list(inputs)
        self.opened: list[FakePort] = []
        self.receive: Callable[[list[int]], None] | None = None

    def outputs(self) -> list[str]:
        return list(self.output_names)

    def inputs(self) -> list[str]:
        return list(self.input_names)

    def open_output(self, name: str, *, virtual: bool) -> FakePort:
        if virtual:
            self._make(name, self.input_names)
        elif name not in self.output_names:
            raise PortError(f"There is no {name}.")
        self.opened.append(FakePort(self, name))
        return self.opened[-1]

    def open_input(self, name: str, receive: Callable[[list[int]], None], *, virtual: bool) -> FakePort:
        if virtual:
            self._make(name, self.output_names)
        self.receive = receive
        self.opened.append(FakePort(self, name))
        return self.opened[-1]

    def _make(self, name: str, names: list[str]) -> None:
        if not self.can_open_virtual or len(self.opened) == 3:
            raise PortError("No more ports can be made.")
        names.append(name)


# Finding and naming


def test_an_existing_port_is_found_by_its_name_or_by_a_part_that_only_one_has() -> None:
    backend = FakeBackend("loopMIDI Port 1", "loopMIDI Port 12", "Microsoft GS Wavetable Synth 0")
    assert open_output("loopMIDI Port 1", backend=backend).name == "loopMIDI Port 1"
    assert open_output(" wavetable ", backend=backend).name == "Microsoft GS Wavetable Synth 0"
    with pytest.raises(PortError, match=r"'loopMIDI Port 1' or 'loopMIDI Port 12': give more of its name"):
        open_output("loopmidi", backend=backend)
    with pytest.raises(
        PortError, match=r"no MIDI output 'Reaper' on Windows MM: choose 'loopMIDI Port 1' or"
    ):
        open_output("Reaper", backend=backend)
    with pytest.raises(PortError, match="no MIDI input 'x' on Windows MM: it has none"):
        open_input("x", callback=lambda *_: None, backend=backend)


def test_windows_ports_are_found_without_the_numbers_that_change() -> None:
    backend = FakeBackend(
        "Microsoft GS Wavetable Synth 0",
        "loopMIDI Port 1",
        "loopMIDI Port 1 2",
        inputs=("loopMIDI Port 0", "loopMIDI Port 1 1"),
    )

    def opened(name: str) -> tuple[str, str]:
        heard = open_input(name, callback=lambda *_: None, backend=backend)
        return open_output(name, backend=backend).name, heard.name

    assert opened("loopMIDI Port") == ("loopMIDI Port 1", "loopMIDI Port 0")
    assert opened("loopMIDI Port 1") == ("loopMIDI Port 1 2", "loopMIDI Port 1 1")
    assert opened("loopMIDI Port 1 2")[0] == "loopMIDI Port 1 2"
    backend.output_names[:] = ["Keys 1", "loopMIDI Port 7"]
    assert open_output("loopMIDI Port 1", backend=backend).name == "loopMIDI Port 7"
    elsewhere = FakeBackend("Synth 1", "Synth 2", can_open_virtual=True)
    with pytest.raises(PortError, match="'Synth 1' or 'Synth 2'"):
        open_output("Synth", backend=elsewhere)


class Handle:
    """A port of rtmidi, and those that it lists."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def get_ports(self) -> list[str]:
        return list(self.names)


def test_a_windows_port_is_there_under_another_number() -> None:
    class RtMidi:
        RtMidiError = OSError

    handle = Handle("Keys 1", "loopMIDI Port 2")
    port = RtMidiPort(RtMidi, handle, "loopMIDI Port 1", False, backend="Windows MM")
    assert port.alive()
    assert not RtMidiPort(RtMidi, handle, "loopMIDI Port 1", False, backend="ALSA").alive()
    handle.names = ("Keys 1",)
    assert not port.alive()


def test_where_no_ports_can_be_made_the_way_out_is_said() -> None:
    backend = FakeBackend("loopMIDI Port", "Microsoft GS Wavetable Synth 0", inputs=("Keystation 49",))
    for virtual in (None, "Mine"):
        with pytest.raises(PortError) as caught:
            open_output(virtual=virtual, backend=backend)
        message = str(caught.value)
        assert "'loopMIDI Port' or 'Microsoft GS Wavetable Synth 0'" in message
        assert "loopMIDI or Windows MIDI Services" in message
        assert "Default App Loopback" in message
    with pytest.raises(PortError, match="choose 'Keystation 49'"):
        open_input(callback=lambda *_: None, backend=backend)
    with pytest.raises(PortError, match="there is none yet"):
        open_output(backend=FakeBackend())
    assert not backend.opened


def test_a_taken_name_is_numbered() -> None:
    backend = FakeBackend(can_open_virtual=True)
    assert [open_output(backend=backend).name for _ in range(3)] == ["LakhNES", "LakhNES 2", "LakhNES 3"]
    backend = FakeBackend("LakhNES Control:LakhNES Control", inputs=("Mine 128:0",), can_open_virtual=True)
    assert open_input(callback=lambda *_: None, backend=backend).name == "LakhNES 2 Control"
    assert open_output(virtual="Mine", backend=backend).name == "Mine 2"
    backend = FakeBackend(inputs=("Not LakhNES", "LakhNES Triangle"), can_open_virtual=True)
    assert open_output(backend=backend).name == "LakhNES"


def test_four_ports_are_opened_or_none() -> None:
    backend = FakeBackend(can_open_virtual=True)
    with pytest.raises(PortError, match="No more"):
        open_voice_outputs(backend)
    assert [port.closed for port in backend.opened] == [1, 1, 1]
    assert [port.name for port in backend.opened] == list(VOICE_OUTPUT_NAMES[:3])


def test_a_name_that_systems_would_cut_is_refused() -> None:
    backend = FakeBackend(can_open_virtual=True)
    with pytest.raises(OptionError, match="too long: give at most 58"):
        open_output(virtual="ü" * 30, backend=backend)
    assert open_output(virtual="x" * 58, backend=backend).name == "x" * 58


def test_names_that_mean_nothing_are_refused() -> None:
    backend = FakeBackend("A", can_open_virtual=True)
    for arguments in ({"name": " "}, {"virtual": ""}, {"name": "A", "virtual": "A"}):
        with pytest.raises(OptionError):
            open_output(**arguments, backend=backend)
    with pytest.raises(OptionError, match="alsa, jack, coremidi, winmm"):
        rtmidi_backend("midi")


def test_ports_are_listed_by_back_end_and_direction() -> None:
    first, second = FakeBackend("A", inputs=("B",)), FakeBackend("C", can_open_virtual=True)
    assert list_ports([first, second]) == [
        PortInfo("A", "output", "Windows MM"),
        PortInfo("B", "input", "Windows MM"),
        PortInfo("C", "output", "Pretended"),
    ]


# Open ports


def test_a_vanished_or_closed_port_is_not_alive_and_a_closed_one_takes_nothing() -> None:
    backend = FakeBackend("A")
    with open_output("A", backend=backend) as output:
        assert output.alive()
        output.send((0x90, 60, 100))
        backend.output_names.clear()
        assert not output.alive()
        backend.output_names.append("A")
    output.close()
    assert backend.opened[0].sent == [[0x90, 60, 100]]
    assert backend.opened[0].closed == 1
    assert not output.alive()
    with pytest.raises(PortLostError, match="closed"):
        output.send([0xF8])


def test_an_input_stamps_messages_and_outlives_its_callback(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[tuple[bytes, float]] = []

    def callback(data: bytes, at: float) -> None:
        if data == b"\xf0":
            raise ValueError("a system-exclusive message")
        heard.append((data, at))

    backend = FakeBackend(inputs=("Keys",))
    times = iter((1.0, 2.0, 3.0, 4.0))
    midi_input = open_input("keys", callback=callback, backend=backend, now=lambda: next(times))
    assert backend.receive is not None
    with caplog.at_level(logging.ERROR):
        for message in ([0x90, 60, 1], [0xF0], [0xF0], [0xF8]):
            backend.receive(message)
    assert heard == [(b"\x90\x3c\x01", 1.0), (b"\xf8", 4.0)]
    assert midi_input.failures == 2
    assert len(caplog.records) == 1, "a flood of bad messages shall not flood the log"


# JACK


@pytest.fixture
def server() -> Iterator[JackServer]:
    pytest.importorskip("rtmidi")
    with jack_server() as running:
        yield running


def dumped(server: JackServer, source: str, play: Callable[[], None], last: bytes) -> list[bytes]:
    """What `jack_midi_dump` receives from a port while something is played, up to a last message."""
    # It writes in blocks into a pipe, unless told to write lines.
    dump = server.popen("stdbuf", "-oL", "jack_midi_dump", "-a", "mon")
    assert dump.stdout is not None
    watchdog = threading.Timer(20, dump.kill)
    watchdog.start()
    messages: list[bytes] = []
    try:
        server.connect(source, "mon:input")
        play()
        for line in dump.stdout:
            found = re.match(r"\s*\d+:((?: [0-9a-f]{2})+)", line)
            if found:
                messages.append(bytes.fromhex(found[1]))
            if messages and messages[-1] == last:
                break
    finally:
        watchdog.cancel()
        dump.kill()
        dump.wait()
        dump.stdout.close()
    return messages


@pytest.mark.jack
def test_jack_shows_our_ports_under_their_names(server: JackServer) -> None:
    backend = rtmidi_backend("jack")
    with (
        open_output(backend=backend) as first,
        open_output(backend=backend) as second,
        open_input(callback=lambda *_: None, backend=backend) as control,
    ):
        assert (first.name, second.name, control.name) == ("LakhNES", "LakhNES 2", "LakhNES Control")
        ours = [port for port in server.ports() if not port.startswith("system:")]
        assert ours == ["LakhNES:LakhNES", "LakhNES 2:LakhNES 2", "LakhNES Control:LakhNES Control"]
        assert list_ports([backend]) == [
            PortInfo("LakhNES Control:LakhNES Control", "output", "JACK"),
            PortInfo("LakhNES:LakhNES", "input", "JACK"),
            PortInfo("LakhNES 2:LakhNES 2", "input", "JACK"),
        ]
        assert first.alive()
        assert control.alive()
    outputs = open_voice_outputs(backend)
    ours = [port for port in server.ports() if not port.startswith("system:")]
    assert ours == [
        "LakhNES Pulse 1:LakhNES Pulse 1",
        "LakhNES Pulse 2:LakhNES Pulse 2",
        "LakhNES Triangle:LakhNES Triangle",
        "LakhNES Noise:LakhNES Noise",
    ]
    for output in outputs:
        output.close()
    assert not [port for port in server.ports() if port.startswith("LakhNES")]


@pytest.mark.jack
def test_jack_midi_dump_receives_what_is_sent(server: JackServer) -> None:
    wanted = [bytes((0x90 | n % 16, 1 + n % 127, 1 + n % 100)) for n in range(200)]
    wanted += [b"\xf8", b"\xfa", b"\xf2\x10\x02", b"\xc9\x05", b"\xb0\x7b\x00", b"\xfc"]
    with open_output(backend=rtmidi_backend("jack")) as output:

        def play() -> None:
            for number, message in enumerate(wanted):
                output.send(message)
                if number % 20 == 0:
                    time.sleep(0.05)  # the receiver drops what is over 128 in a cycle

        assert dumped(server, "LakhNES:LakhNES", play, last=b"\xfc") == wanted


@pytest.mark.jack
def test_an_input_hears_an_existing_port_with_clock_and_an_existing_output_vanishes(
    server: JackServer,
) -> None:
    backend = rtmidi_backend("jack")
    heard: list[tuple[bytes, float]] = []
    done = threading.Event()

    def callback(data: bytes, at: float) -> None:
        heard.append((data, at))
        if data == b"\xfc":
            done.set()

    before = time.perf_counter()
    with (
        open_output(virtual="Keys", backend=backend) as keys,
        open_input("keys", callback=callback, backend=backend) as midi_input,
    ):
        assert midi_input.name == "Keys:Keys"
        for message in (b"\x90\x3c\x40", b"\xf8", b"\xfe", b"\xf0\x7d\x01\xf7", b"\xb0\x01\x02", b"\xfc"):
            keys.send(message)
        assert done.wait(10)
        assert [data for data, _ in heard] == [b"\x90\x3c\x40", b"\xf8", b"\xb0\x01\x02", b"\xfc"]
        assert all(before < at < time.perf_counter() + 0.05 for _, at in heard)  # JACK hears a period ahead
        assert midi_input.alive()
        keys.close()
        assert not midi_input.alive()
    made = open_input(virtual="Synth", callback=callback, backend=backend)
    with open_output("synth", backend=backend) as output:
        done.clear()
        output.send(b"\xfc")
        assert done.wait(10)
        assert output.alive()
        made.close()
        assert not output.alive()


@pytest.mark.jack
def test_an_input_is_closed_in_the_middle_of_a_flood(server: JackServer) -> None:
    code = """
import threading
from lakhnes.bridge.ports import open_input, open_output
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
backend = rtmidi_backend("jack")
going = True
def flood():
    while going:
        for _ in range(200):
            output.send([0xF8])
        threading.Event().wait(0.01)
with open_output(virtual="Flood", backend=backend) as output:
    thread = threading.Thread(target=flood)
    thread.start()
    for _ in range(5):
        heard = threading.Event()
        midi_input = open_input("Flood", callback=lambda *_: heard.set(), backend=backend)
        assert heard.wait(10)
        midi_input.close()
    going = False
    thread.join()
print("closed")
"""
    done = run(code)
    assert done.stdout == "closed\n"


@pytest.mark.jack
@pytest.mark.parametrize("period", [256, 1024])
def test_jack_places_what_is_sent_at_its_frame_a_period_later(period: int) -> None:
    """Sent ahead of time, so that a busy machine cannot be late; most of it, for the server may be."""
    pytest.importorskip("rtmidi")
    if port_library() is None:
        pytest.skip("the ports of our own were not compiled")
    heard: list[tuple[bytes, float]] = []
    with jack_server(period) as server:
        backend = rtmidi_backend("jack")
        with (
            open_output(backend=backend) as output,
            open_input(callback=lambda data, at: heard.append((data, at)), backend=backend),
        ):
            assert output.exact
            server.connect("LakhNES:LakhNES", "LakhNES Control:LakhNES Control")
            start = time.perf_counter() + 0.3
            due = [start + 0.00777 * number for number in range(120)]
            for number, at in enumerate(due):
                output.send([0x90, number, 100], at)
            end = time.monotonic() + 20
            while len(heard) < len(due):
                assert time.monotonic() < end
                time.sleep(0.01)
    assert [data[1] for data, _ in heard] == list(range(120))
    frames = sorted((at - wanted) * server.rate for (_, at), wanted in zip(heard, due, strict=True))
    assert frames[60] == pytest.approx(period, abs=8)  # a second ahead, the server's own clock drifts
    assert (
        frames[90] - frames[30] < period / 16
    )  # at the beginnings of periods they would differ by half of one


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs Python in a process of its own, which may not hang, crash or chatter."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done


def follow(code: str) -> "subprocess.Popen[str]":
    """Starts Python in a process of its own that is told by lines when to go on."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


LOSE = """
import sys, time
from lakhnes.bridge.midi_outlet import MidiOutlet
from lakhnes.bridge.ports import open_input, open_output, open_voice_outputs
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
from lakhnes.runtime import PortError, PortLostError, Voice

def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)

def lost(output):
    try:
        output.send([0xF8])
    except PortLostError as error:
        return "JACK server" in str(error)

outputs = open_voice_outputs(rtmidi_backend("jack"))
unclosed = open_output(virtual="Unclosed", backend=rtmidi_backend("jack"))
control = open_input(callback=lambda *_: None, backend=rtmidi_backend("jack"))
outlet = MidiOutlet(outputs)
outlet.note_on(Voice.P1, 60, 15, 0)
assert outlet.alive() and control.alive() and unclosed.alive()
print("ready")
sys.stdin.readline()
until(lambda: not control.alive())
until(lambda: not outlet.alive())
assert outlet.lost and lost(outputs[0]) and lost(unclosed)
for _ in range(5000):
    outlet.note_on(Voice.P1, 60, 15, 0)
for _ in range(3):
    try:
        rtmidi_backend("jack")
    except PortError as error:
        assert "start a JACK server" in str(error), error
    else:
        raise AssertionError("there is no server")
control.close()
print("lost")
sys.stdin.readline()
outlet.reopen(open_voice_outputs(rtmidi_backend("jack")))
assert outlet.alive() and not unclosed.alive()
outlet.note_on(Voice.NO, 3, 15, 0)
print("back")
sys.stdin.readline()
outlet.close()
print("closed")
"""


def say(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.jack
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_dies_is_noticed_and_found_again(server: JackServer, end: int) -> None:
    process = follow(LOSE)
    watchdog = threading.Timer(90, process.kill)
    watchdog.start()
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n", process.communicate()
        server.stop(end)
        say(process)
        assert process.stdout.readline() == "lost\n", process.communicate()
        server.start()
        say(process)
        assert process.stdout.readline() == "back\n", process.communicate()
        ours = [port for port in server.ports() if port.startswith("LakhNES")]
        assert ours == [f"{name}:{name}" for name in VOICE_OUTPUT_NAMES]
        out, err = process.communicate("\n")
        assert (out, err, process.returncode) == ("closed\n", "", 0)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


STALL = """
import sys, time
from lakhnes.bridge.ports import open_output
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
from lakhnes.runtime import PortError, PortLostError
output = open_output(backend=rtmidi_backend("jack"))
print("ready")
sys.stdin.readline()
try:
    for _ in range(5000):
        output.send([0x90, 60, 100])
except PortLostError:
    print("refused")
end = time.monotonic() + 20
while not output.stalled():
    assert time.monotonic() < end
    time.sleep(0.1)
assert output.alive()
try:
    open_output(backend=rtmidi_backend("jack"))
except PortError:
    output.close()
    print("closed")
"""


@pytest.mark.jack
def test_a_server_that_stands_still_holds_nobody(server: JackServer) -> None:
    process = follow(STALL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
        os.kill(server.pid, signal.SIGSTOP)
        out, err = process.communicate("\n", timeout=60)
        assert (out, err, process.returncode) == ("refused\nclosed\n", "", 0)
    finally:
        os.kill(server.pid, signal.SIGCONT)
        process.kill()
        process.wait()


def test_without_a_server_there_is_no_jack_and_no_chatter(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rtmidi")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"nobody{os.getpid()}")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    code = """
import rtmidi
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
from lakhnes.runtime import PortError
try:
    rtmidi_backend("jack")
except PortError as error:
    print(error)
"""
    message = run(code).stdout
    assert message == "The MIDI back end JACK does not answer here: start a JACK server, as with qjackctl.\n"


def test_a_missing_extra_is_named() -> None:
    code = """
import sys
sys.modules["rtmidi"] = None
from lakhnes.bridge.ports import list_ports
from lakhnes.runtime import MissingExtraError
try:
    list_ports()
except MissingExtraError as error:
    print(error)
"""
    assert run(code).stdout == f"A MIDI port needs an extra: {step_to_extra('live')}\n"
