"""What tests of `lakhnes play` are made of: the process, what hears it on JACK, and what it should play."""

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jack import JackServer

from lakhnes.bridge import gm
from lakhnes.runtime import Event, Kind, Model, Request, Timeline, Voice, compose_song
from lakhnes.runtime.time.grid import PPQ, BeatGrid

RATE = 48_000
SEED = 4
PATIENCE_SECONDS = 60.0
"""What does not come in this time does not come: a busy machine may take long over all that is waited for."""
CHANNELS = {voice: gm.CHANNELS[voice] for voice in Voice}
"""Counted from 0."""


class Message(NamedTuple):
    """What the monitor has heard."""

    frame: int
    data: bytes

    @property
    def seconds(self) -> float:
        return self.frame / RATE

    @property
    def is_on(self) -> bool:
        return self.data[0] & 0xF0 == 0x90

    @property
    def is_note(self) -> bool:
        return self.data[0] & 0xF0 in (0x80, 0x90)

    @property
    def note(self) -> tuple[int, int]:
        """Status and key, for comparisons."""
        return self.data[0], self.data[1]


class Due(NamedTuple):
    """A note message that the seed makes, and its place."""

    tick: int
    note: tuple[int, int]


class Monitor:
    """`jack_midi_dump`: everything that comes to its port, with its frame."""

    def __init__(self, server: JackServer, folder: Path, name: str) -> None:
        self.port = f"{name}:input"
        self._path = folder / f"{name}.txt"
        with self._path.open("w") as out:
            self._process = subprocess.Popen(["stdbuf", "-oL", "jack_midi_dump", "-a", name], stdout=out)
        server.wait_for(self.port)

    def messages(self) -> list[Message]:
        """What was heard so far, whole lines only."""
        found = re.finditer(r"^ *(\d+):((?: [0-9a-f]{2}\b)+).*\n", self._path.read_text(), re.MULTILINE)
        return [Message(int(match[1]), bytes.fromhex(match[2])) for match in found]

    def notes(self) -> list[Message]:
        return [message for message in self.messages() if message.is_note]

    def wait_for(self, what: Callable[[list[Message]], bool]) -> list[Message]:
        """Waits until what was heard is as it should be."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not what(messages := self.messages()):
            assert time.monotonic() < end, f"not heard; the last were {messages[-5:]}"
            time.sleep(0.03)
        return messages

    def close(self) -> None:
        stop(self._process, signal.SIGINT)


class Play:
    """A running `lakhnes play`."""

    def __init__(self, folder: Path, *arguments: object, seed: int, model: Path) -> None:
        self.folder = folder
        self._stem = folder / f"play{len(list(folder.glob('play*')))}"
        command = [sys.executable, "-m", "lakhnes.cli", "play", "--json"]
        command += ["--model", model, "--seed", seed, *arguments]
        with self._stem.with_suffix(".out").open("w") as out, self._stem.with_suffix(".err").open("w") as err:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    @property
    def stderr(self) -> str:
        return self._stem.with_suffix(".err").read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it told of a kind so far."""
        lines = self._stem.with_suffix(".out").read_text().splitlines(keepends=True)
        told: list[dict[str, Any]] = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in told if event["event"] == name]

    def wait_for(
        self, name: str, what: Callable[[dict[str, Any]], bool] = lambda event: True
    ) -> dict[str, Any]:
        """Waits until it tells something."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            for event in self.events(name):
                if what(event):
                    return event
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < end, f"no such {name} among {self.events(name)}"
            time.sleep(0.02)

    def finish(self) -> int:
        """Waits for its end; the exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def end(self, number: int) -> int:
        """Ends it by a signal; the exit code."""
        self.process.send_signal(number)
        return self.finish()

    def close(self) -> None:
        stop(self.process, signal.SIGKILL)


class Rig:
    """Starts things on one server and ends them with the test; what `lakhnes play` plays is the model's."""

    def __init__(self, server: JackServer, folder: Path, model: Path | None = None) -> None:
        self.server = server
        self.folder = folder
        self.model = model
        self.stack = ExitStack()

    def monitor(self, name: str = "mon") -> Monitor:
        monitor = Monitor(self.server, self.folder, name)
        self.stack.callback(monitor.close)
        return monitor

    def play(self, *arguments: object, seed: int = SEED) -> Play:
        assert self.model is not None, "the rig has no model to play"
        play = Play(self.folder, *arguments, seed=seed, model=self.model)
        self.stack.callback(play.close)
        return play

    def seed(self, seconds: float, bpm: float = 120, seed: int = SEED) -> "Seed":
        """What should be heard."""
        return Seed(Model.load(self.model), seconds, bpm, seed)

    def start(self, *command: str, **options: Any) -> "subprocess.Popen[str]":
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True, **options)
        self.stack.callback(stop, process, signal.SIGINT)
        return process

    def control(self, port: str) -> Any:
        """A rtmidi output that is connected to an existing port, as a keyboard would be."""
        rtmidi = pytest.importorskip("rtmidi")
        out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
        self.stack.callback(out.delete)
        self.server.wait_for(port)
        out.open_virtual_port("keys")
        self.server.connect("keyboard:keys", port)
        return out


def stop(process: "subprocess.Popen[Any]", number: int) -> None:
    """Ends a process, whatever it does."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


class Seed:
    """What a seed composes, as `lakhnes generate --bpm` does it."""

    def __init__(self, model: Model, seconds: float, bpm: float, seed: int) -> None:
        grid = BeatGrid.steady(bpm)
        arrangement = compose_song(model, Request(seed), grid, length_samples=round(seconds * 44_100))
        ticks = Timeline(arrangement.composer.song.codec, grid).model_grid
        self.bpm = bpm
        self.events: list[tuple[int, Event]] = []
        samples = 0
        for event in arrangement:
            if event.kind is Kind.WAIT:
                samples += event.value
            elif event.kind is not Kind.END:
                self.events.append((ticks.tick(samples), event))

    def due(self, start: int = 0) -> list[Due]:
        """The note messages from a tick on, where nothing sounds before."""
        sounding: dict[Voice, int] = {}
        due: list[Due] = []
        for tick, event in self.events:
            voice = event.voice
            if tick < start or voice is None:
                continue
            if voice in sounding:
                due.append(Due(tick, (0x80 | CHANNELS[voice], sounding.pop(voice))))
            if event.kind is Kind.NOTE_ON:
                key = gm.DRUM_OF_NOISE[event.value] if voice is Voice.NO else event.value
                sounding[voice] = key
                due.append(Due(tick, (0x90 | CHANNELS[voice], key)))
        return due

    def seconds_of(self, tick: int) -> float:
        return tick / PPQ * 60 / self.bpm


def heard_of(due: Sequence[Due], notes: Sequence[Message]) -> list[Due]:
    """What was heard of what was due: its beginning, in order, and then the ends of what sounded."""
    sent = [message.note for message in notes]
    sounding: dict[int, int] = {}
    for count in range(len(due) + 1):
        closing = [(0x80 | channel, sounding[channel]) for channel in sorted(sounding)]
        if [one.note for one in due[:count]] + closing == sent:
            return list(due[:count])
        if count < len(due):
            status, key = due[count].note
            if status & 0xF0 == 0x90:
                sounding[status & 0xF] = key
            else:
                del sounding[status & 0xF]
    together = zip(due, sent, strict=False)
    first = next((i for i, (one, other) in enumerate(together) if one.note != other), len(sent))
    raise AssertionError(f"from {first} on: due {due[first : first + 6]}, heard {sent[first : first + 6]}")


def unbalanced(messages: Sequence[Message]) -> dict[tuple[int, int], int]:
    """Channels and keys with more note-ons than note-offs, or fewer."""
    balance: Counter[tuple[int, int]] = Counter()
    for message in messages:
        if message.is_note:
            balance[message.data[0] & 0xF, message.data[1]] += 1 if message.is_on else -1
    return {what: count for what, count in balance.items() if count}
