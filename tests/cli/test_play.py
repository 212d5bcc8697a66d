"""`lakhnes play` as a user runs it: a process on a JACK server, heard and driven by JACK's tools."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from jack import JackServer, jack_server
from rig import CHANNELS, PATIENCE_SECONDS, Due, Message, Monitor, Rig, Seed, heard_of, stop, unbalanced

from lakhnes.bridge import read_midi
from lakhnes.runtime.time.grid import PPQ

pytestmark = pytest.mark.jack

CLOCK_TICKS = PPQ // 24
SLACK = 0.5
"""Seconds in which something must happen: a guard only. `benchmarks/live.py` measures how late it is."""

CLOCK, START, CONTINUE, STOP, SONG_POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2


@pytest.fixture(scope="module")
def server() -> Iterator[JackServer]:
    for tool in ("jack_midi_dump", "jack_midi_clock", "jack_transport", "stdbuf"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if Path("/dev/snd/seq").exists():
        pytest.skip("the ALSA sequencer is here and would answer before JACK")
    with jack_server() as running:
        yield running


@pytest.fixture
def rig(server: JackServer, tmp_path: Path, small: Path) -> Iterator[Rig]:
    rig = Rig(server, tmp_path, small)
    with rig.stack:
        yield rig


def is_quiet(messages: Sequence[Message]) -> bool:
    """Whether every note has ended, and the last thing said is all-notes-off on each channel."""
    last = [message for message in messages if message.data[0] < 0xF0][-12:]
    silenced = {message.data[0] & 0xF for message in last if message.data[1] == 123}
    return silenced == set(CHANNELS.values()) and not any(message.is_note for message in last)


def after_all(monitor: Monitor) -> list[Message]:
    """What was heard, once it has ended as it should."""
    messages = monitor.wait_for(is_quiet)
    assert unbalanced(messages) == {}
    return messages


def test_a_port_receives_what_the_seed_composes(rig: Rig) -> None:
    monitor = rig.monitor()
    play = rig.play("--port", "mon", "--seconds", 5)
    assert play.finish() == 0, play.stderr
    seed = rig.seed(8)
    messages = after_all(monitor)
    notes = [message for message in messages if message.is_note]
    heard = heard_of(seed.due(), notes)
    assert seed.seconds_of(heard[-1].tick) > 4.5
    assert {one.note[0] & 0xF for one in heard} == {0, 1, 2, 9}
    assert play.events("ready")[0]["ports"] == ["mon:input"]
    end = play.events("end")[0]
    assert (end["gaps"], end["take"], end["problems"]) == (0, 1, [])


def test_new_ports_say_what_they_are_and_two_at_once_have_their_own(rig: Rig) -> None:
    before = set(rig.server.ports())
    one = rig.play("--seconds", 600)
    one.wait_for("ready")
    assert set(rig.server.ports()) - before == {"LakhNES:LakhNES", "LakhNES Control:LakhNES Control"}
    four = rig.play("--seconds", 600, "--ports", 4)
    four.wait_for("ready")
    names = [name.partition(":")[2] for name in set(rig.server.ports()) - before]
    assert sorted(names) == sorted(
        [
            "LakhNES",
            "LakhNES Control",
            *(f"LakhNES {part}" for part in ("Pulse 1", "Pulse 2", "Triangle", "Noise")),
            "LakhNES 2 Control",
        ]
    )
    monitor = rig.monitor()
    for part in ("Pulse 1", "Pulse 2", "Triangle", "Noise"):
        rig.server.connect(f"LakhNES {part}:LakhNES {part}", monitor.port)
    rig.server.connect("LakhNES:LakhNES", monitor.port)
    monitor.wait_for(lambda heard: {m.data[0] & 0xF for m in heard if m.is_on} >= {0, 1, 2, 9})
    assert one.end(signal.SIGINT) == 130
    assert four.end(signal.SIGTERM) == 143
    assert set(rig.server.ports()) == before | {monitor.port}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_note_and_keeps_the_record(rig: Rig, number: int, code: int) -> None:
    monitor = rig.monitor()
    play = rig.play("--port", "mon", "--record", "live.mid", "--bpm", 200)
    monitor.wait_for(lambda heard: sum(message.is_on for message in heard) > 15 and bool(unbalanced(heard)))
    assert play.end(number) == code
    assert play.stderr == ""
    messages = after_all(monitor)
    ons = [message.note for message in messages if message.is_on]
    due = [one for one in rig.seed(8, 200).due() if one.note[0] & 0xF0 == 0x90][: len(ons)]
    assert [one.note for one in due] == ons
    recorded = read_midi(rig.folder / "live.mid")
    assert recorded.n_notes == len(ons)
    onsets = sorted(note.onset / 44_100 for part in recorded.parts for note in part.notes)
    assert onsets == pytest.approx([one.tick / PPQ * 60 / 200 for one in due], abs=0.01)


def test_clock_goes_out_and_floods_that_come_in_do_no_harm(rig: Rig) -> None:
    monitor = rig.monitor()
    play = rig.play("--port", "mon", "--clock-out", "--seconds", 3)
    play.wait_for("ready")
    keyboard = rig.control("LakhNES Control:LakhNES Control")
    for _ in range(40):
        keyboard.send_message([0xF0, *[0x55] * 600, 0xF7])
        for junk in ([0xFE], [0xF8], [0xF4], [0x40, 0x40], [0x90, 0x40], [0xB0, 0x49], [0xF2, 0x01]):
            keyboard.send_message(junk)
        time.sleep(0.02)
    assert play.finish() == 0, play.stderr
    assert play.stderr == ""
    messages = after_all(monitor)
    heard = heard_of(rig.seed(6).due(), [message for message in messages if message.is_note])
    assert heard[-1].tick > 2000
    said = [message for message in messages if message.data[0] >= 0xF0]
    system = said[[message.data[0] for message in said].index(START) :]
    assert {message.data[0] for message in said[: -len(system)]} <= {CLOCK}, "the tempo, while we stand"
    assert [message.data[0] for message in system[:2]] == [START, CLOCK]
    assert [message.data[0] for message in system[-2:]] == [CLOCK, STOP]
    clocks = [message.seconds for message in system if message.data[0] == CLOCK]
    assert len(system) == len(clocks) + 2
    assert len(clocks) == pytest.approx(48 * 3, abs=8)


class Roll(NamedTuple):
    """The transport's run from a Start or Continue on."""

    start: int
    """Tick of its first clock."""
    clocks: list[float]
    """Seconds of each."""
    notes: list[Message]
    stop: float | None
    """Seconds of the Stop after it."""


def rolls_of(messages: Sequence[Message]) -> list[Roll]:
    """The runs in what a monitor heard of a clock and of us; notes after a Stop belong to the run before."""
    rolls: list[Roll] = []
    place = 0
    for message in messages:
        match message.data[0]:
            case 0xFA:
                rolls.append(Roll(0, [], [], None))
            case 0xFB:
                rolls.append(Roll(place, [], [], None))
            case 0xF2:
                place = (message.data[1] | message.data[2] << 7) * PPQ // 4
            case 0xFC if rolls and rolls[-1].stop is None:
                rolls[-1] = rolls[-1]._replace(stop=message.seconds)
            case 0xF8 if rolls and rolls[-1].stop is None:
                rolls[-1].clocks.append(message.seconds)
            case _ if message.is_note:
                rolls[-1].notes.append(message)
    return rolls


def assert_follows(roll: Roll, seed: Seed) -> list[Due]:
    """A run has played what the seed has at its place, each note as its clock came, and then ended all."""
    heard = heard_of(seed.due(roll.start), roll.notes)
    for one, message in zip(heard, roll.notes, strict=False):
        clock, rest = divmod(one.tick - roll.start, CLOCK_TICKS)
        assert clock <= len(roll.clocks)  # where the clock falls silent, one more is expected
        if clock + 1 < len(roll.clocks):
            at = roll.clocks[clock] + rest / CLOCK_TICKS * (roll.clocks[clock + 1] - roll.clocks[clock])
            assert abs(message.seconds - at) < SLACK, (one, message)
    if roll.stop is not None:
        assert roll.notes[-1].seconds < roll.stop + SLACK
    return heard


def test_follows_the_transport_of_jack(rig: Rig) -> None:
    monitor = rig.monitor()
    transport = rig.start("jack_transport", stdin=subprocess.PIPE)
    clock = rig.start("jack_midi_clock", "-d", "0.4")
    play = rig.play("--port", "mon", "--sync", "midi", "--seconds", 600)
    rig.server.connect("jack_midi_clock:mclk_out", "LakhNES Control:LakhNES Control")
    rig.server.connect("jack_midi_clock:mclk_out", monitor.port)
    play.wait_for("ready")

    def tell(command: str) -> None:
        assert transport.stdin is not None
        transport.stdin.write(f"{command}\n")
        transport.stdin.flush()

    def heard(status: int, count: int = 1) -> Callable[[list[Message]], bool]:
        return lambda messages: sum(message.data[0] == status for message in messages) >= count

    for command in ("master", "tempo 90", "locate 0", "play"):
        tell(command)
    monitor.wait_for(heard(CLOCK, 36))
    play.wait_for("status", lambda status: abs(status["bpm"] - 90) < 3)
    tell("tempo 150")
    monitor.wait_for(heard(CLOCK, 36 * 2 + 60))
    play.wait_for("status", lambda status: abs(status["bpm"] - 150) < 4)
    tell("stop")
    monitor.wait_for(heard(STOP))
    time.sleep(0.3)
    tell("play")
    monitor.wait_for(heard(CONTINUE))
    time.sleep(1.25)  # between two rows
    tell("stop")
    monitor.wait_for(heard(STOP, 2))
    tell("locate 0")
    monitor.wait_for(lambda messages: bytes([SONG_POSITION, 0, 0]) in [message.data for message in messages])
    tell("play")
    monitor.wait_for(heard(START, 2))
    time.sleep(1.25)
    clock.kill()  # the clock falls silent without a Stop
    play.wait_for("status", lambda status: status["state"] == "lost")
    messages = after_all(monitor)
    assert play.end(signal.SIGTERM) == 143

    first, second, third = rolls_of(messages)
    seed = rig.seed(16)
    assert len(assert_follows(first, seed)) > 20
    assert second.start > 0
    assert len(assert_follows(second, seed)) > 3
    again = assert_follows(third, seed)
    assert len(again) > 8
    assert third.notes[-1].seconds < third.clocks[-1] + 0.25 + SLACK
    assert again == seed.due()[: len(again)]


@pytest.mark.slow  # in real time: on a busy machine a DAW hears another beginning
def test_follows_jack_without_midi(rig: Rig) -> None:
    monitor = rig.monitor()
    transport = rig.start("jack_transport", stdin=subprocess.PIPE)
    play = rig.play("--port", "mon", "--sync", "jack", "--seconds", 600)
    assert play.wait_for("ready")["sync"] == "jack"

    def tell(*commands: str) -> None:
        assert transport.stdin is not None
        transport.stdin.write("".join(f"{command}\n" for command in commands))
        transport.stdin.flush()

    def ons(messages: list[Message]) -> list[tuple[int, int]]:
        return [message.note for message in messages if message.is_on]

    tell("master", "tempo 150", "locate 0", "play")
    first = len(ons(monitor.wait_for(lambda heard: len(ons(heard)) > 10)))
    assert play.wait_for("status", lambda status: status["state"] == "running")["bpm"] == 150.0
    tell("stop")
    play.wait_for("status", lambda status: status["state"] == "stopped" and status["sent"] > 0)
    tell("locate 0", "play")
    messages = monitor.wait_for(lambda heard: len(ons(heard)) > 2 * first + 20)
    assert play.end(signal.SIGTERM) == 143
    due = [one.note for one in rig.seed(16).due() if one.note[0] & 0xF0 == 0x90]
    heard = ons(messages)
    again = range(first, len(heard))  # from the start; a busy machine may hear the first notes too late
    assert any(heard[n : n + 12] == due[k : k + 12] for n in again for k in range(8)), heard


def test_a_clock_that_loops_back_and_then_hurries(rig: Rig) -> None:
    monitor = rig.monitor()
    play = rig.play("--port", "mon", "--sync", "midi", "--seconds", 600)
    sequencer = rig.control("LakhNES Control:LakhNES Control")
    play.wait_for("ready")

    def tick(count: int, bpm: float) -> None:
        """Sends clocks, each at its time; returns soon after the last one."""
        start = time.perf_counter()
        for number in range(count):
            time.sleep(max(0.0, start + number * 60 / bpm / 24 - time.perf_counter()))
            sequencer.send_message([CLOCK])
        time.sleep(60 / bpm / 24 / 4)

    sequencer.send_message([START])
    tick(48, 120)
    sequencer.send_message([SONG_POSITION, 0, 0])  # a loop's end: no Stop, and the clock goes on
    tick(48, 120)
    tick(16 * 24, 400)
    sequencer.send_message([STOP])
    play.wait_for("status", lambda status: status["state"] == "stopped")
    assert play.end(signal.SIGINT) == 130
    messages = after_all(monitor)

    ons = [message.note for message in messages if message.is_on]
    due = [one for one in rig.seed(12).due() if one.note[0] & 0xF0 == 0x90]
    before = [one.note for one in due if one.tick < 48 * CLOCK_TICKS]
    assert ons[: len(before)] == before
    again = ons[len(before) :]
    assert again == [one.note for one in due[: len(again)]]
    assert 16 * PPQ < due[len(again)].tick <= 19 * PPQ


def test_controllers_and_notes_that_come_in(rig: Rig) -> None:
    monitor = rig.monitor()
    play = rig.play("--port", "mon", "--bpm", 160, "--seconds", 600)
    keyboard = rig.control("LakhNES Control:LakhNES Control")
    rig.server.connect("keyboard:keys", monitor.port)  # so that it shows when each was sent
    play.wait_for("ready")

    def send(*data: int, wait: float) -> float:
        """Sends something and waits; when the monitor heard it."""
        keyboard.send_message(list(data))
        messages = monitor.wait_for(lambda heard: any(message.data == bytes(data) for message in heard))
        time.sleep(wait)
        return next(message.seconds for message in messages if message.data == bytes(data))

    time.sleep(0.6)
    mute = send(0xBF, 73, 127, wait=0.8)
    heard = send(0xBF, 73, 0, wait=0.8)
    panic = send(0xBF, 123, 0, wait=0.6)
    take = send(0xBF, 77, 127, wait=2.7)
    press = send(0x90, 60, 100, wait=0.8)
    release = send(0x80, 60, 10, wait=0.7)
    status = play.wait_for("status", lambda status: status["take"] == 2)
    assert status["problems"] == []
    assert play.end(signal.SIGINT) == 130
    played = (bytes([0x90, 60, 100]), bytes([0x80, 60, 10]))
    messages = [message for message in after_all(monitor) if message.data not in played]

    ours = [message for message in messages if message.data[0] != 0xBF]
    ons = [message for message in ours if message.is_on]
    lead = [message.seconds for message in ons if message.data[0] == 0x90]
    assert any(at < mute for at in lead)
    assert not any(mute + SLACK < at < heard for at in lead)
    assert any(heard < at < take for at in lead)

    due = [one.note for one in rig.seed(16, 160).due() if one.note[0] & 0xF0 == 0x90]
    same = [m.note for m in ons if m.seconds < take and m.data[0] != 0x90]
    others = [note for note in due if note[0] != 0x90]
    assert len(same) > 8
    assert others[: len(same)] == same
    later = [m.note for m in ons if m.seconds < press and m.data[0] != 0x90]
    assert others[: len(later)] != later

    quiet = [m for m in ours if panic < m.seconds < panic + SLACK and m.data[0] & 0xF0 == 0xB0]
    assert {m.data[0] & 0xF for m in quiet if m.data[1] == 123} == set(CHANNELS.values())

    theirs = [m for m in ours if m.is_note and m.data[0] & 0xF == 0 and m.seconds >= press]
    theirs = theirs[[m.note for m in theirs].index((0x90, 60)) :]
    assert [m.note for m in theirs] == [(0x90, 60), (0x80, 60)]
    assert theirs[0].seconds < press + SLACK
    assert release <= theirs[1].seconds < release + SLACK
    assert any(m.seconds > release for m in ons)


def test_a_server_that_dies_is_told_and_one_that_comes_back_is_used(tmp_path: Path, small: Path) -> None:
    with jack_server() as server, ExitStack() as stack:
        rig = Rig(server, tmp_path, small)
        stack.enter_context(rig.stack)
        long = rig.play("--seconds", 600)
        long.wait_for("ready")
        short = rig.play("--seconds", 3)
        short.wait_for("ready")
        server.kill()
        long.wait_for("status", lambda status: any("port is gone" in text for text in status["problems"]))
        assert short.finish() == 1
        assert "Traceback" not in short.stderr
        assert len(short.stderr.splitlines()) == 1
        assert short.stderr.startswith("lakhnes: ")
        assert "port" in short.stderr
        server.start()
        monitor = rig.monitor()
        (name,) = long.wait_for("ready")["ports"]
        server.wait_for(f"{name}:{name}")
        server.wait_for("LakhNES Control:LakhNES Control")

        def heard(messages: list[Message]) -> bool:
            # Again and again, for a JACK server that has just begun may lose connections on a busy machine.
            server.tool("jack_connect", f"{name}:{name}", monitor.port)
            return sum(message.is_on for message in messages) > 10

        monitor.wait_for(heard)
        assert long.end(signal.SIGTERM) == 143
        assert long.stderr == ""
        # Notes that had begun before the monitor listened are only ended.
        assert not any(count > 0 for count in unbalanced(monitor.messages()).values())


def fails(folder: Path, *arguments: str, code: int = 1, **environment: str) -> str:
    """Runs what cannot be done; the one line that it says."""
    command = [sys.executable, "-m", "lakhnes.cli", "play", "--seconds", "2", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("lakhnes: ")
    return done.stderr


def test_what_cannot_be_done_is_one_sentence(rig: Rig) -> None:
    rig.monitor("somewhere")
    folder = rig.folder
    there = fails(folder, "--port", "nowhere")
    assert "'nowhere'" in there
    assert "'somewhere:input'" in there
    assert "1,2,3" in fails(folder, "--channels", "1,2,3", code=2)
    assert "9999" in fails(folder, "--bpm", "9999", code=2)
    assert "'nokeys'" in fails(folder, "--input", "nokeys")
    answer = fails(folder, JACK_DEFAULT_SERVER=f"{rig.server.name}none")
    assert "No MIDI back end answers" in answer
    assert "JACK" in answer


def test_keys_on_a_terminal(rig: Rig, server: JackServer) -> None:
    ours, theirs = pty.openpty()
    rig.stack.callback(os.close, ours)
    rig.stack.callback(os.close, theirs)
    before = termios.tcgetattr(theirs)
    play = subprocess.Popen(
        [sys.executable, "-m", "lakhnes.cli", "play", "--model", rig.model, "--seed", "7", "--bpm", "240"],
        cwd=rig.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    )
    rig.stack.callback(stop, play, signal.SIGKILL)
    shown = ""

    def see(pattern: str) -> None:
        """Reads the screen until something is on it that was not before."""
        nonlocal shown
        end = time.monotonic() + PATIENCE_SECONDS
        while not (match := re.search(pattern, shown)):
            assert time.monotonic() < end, (pattern, shown[-2000:])
            if select.select([ours], [], [], 0.1)[0]:
                shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(ours, 65536).decode())
        shown = shown[match.end() :]

    see(r"seed 7\W+to LakhNES")
    see(r"playing +bar +2\.")
    os.write(ours, b"1")
    see(r"Pulse 1.*muted")
    os.write(ours, b"t")
    see(r"take 2")
    os.write(ours, b" ")
    see(r"stopped")
    os.write(ours, b"s")
    see(r"Saved lakhnes-7-1.mid and lakhnes-7-1.wav")
    os.write(ours, b"q")
    end = time.monotonic() + PATIENCE_SECONDS
    while play.poll() is None:
        assert time.monotonic() < end
        if select.select([ours], [], [], 0.05)[0]:
            os.read(ours, 65536)
    assert play.returncode == 0
    assert termios.tcgetattr(theirs) == before
    assert read_midi(rig.folder / "lakhnes-7-1.mid").n_notes > 8
    assert (rig.folder / "lakhnes-7-1.wav").stat().st_size > 44_100
