"""Parts of `live.py` that run the command `lakhnes play` itself, on JACK servers of their own."""

import os
import pty
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from jack import JackServer, jack_server
from live_rigs import Figure, note, spread
from live_threads import clocks

from lakhnes.bridge.beat_clock import CLOCK, START, STOP
from lakhnes.bridge.ports import open_input, open_output

EAR, BATON = "Bench Ear", "Bench Baton"
"""Our ports: one that hears the music, one that sends clock."""
SEEDS = (1, 2, 4, 5, 6)
"""Of songs that begin with a note at once."""
_PATIENCE_SECONDS = 20.0


class Ear:
    """A port that hears the music, and tells when a note has come."""

    def __init__(self) -> None:
        """Opens it."""
        self.first_note: float | None = None
        self._heard = threading.Event()
        self._port = open_input(virtual=EAR, callback=self._hear)

    def _hear(self, data: bytes, now: float) -> None:
        if data[0] & 0xF0 == 0x90 and self.first_note is None:
            self.first_note = now
            self._heard.set()

    def listen(self) -> None:
        """The next note is the first."""
        self._heard.clear()
        self.first_note = None

    def wait(self, seconds: float = _PATIENCE_SECONDS) -> float:
        """When the first note came; waits for it."""
        if not self._heard.wait(seconds) or self.first_note is None:
            raise RuntimeError("`lakhnes play` sent no note")
        return self.first_note

    def close(self) -> None:
        """Closes it."""
        self._port.close()


class Terminal:
    """`lakhnes play` on a terminal of its own, view and keys and all."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        """Starts it."""
        self.began = time.perf_counter()
        self._master, slave = pty.openpty()
        program = Path(sys.executable).with_name("lakhnes")
        command = [str(program)] if program.exists() else [sys.executable, "-m", "lakhnes.cli"]
        self.process = subprocess.Popen(
            [*command, "play", *options], stdin=slave, stdout=slave, stderr=slave, env=environment
        )
        os.close(slave)
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while self.process.poll() is None:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.text = (self.text + os.read(self._master, 65536).decode(errors="replace"))[-20_000:]
                except OSError:  # the other side is closed
                    return

    def cpu_seconds(self) -> float:
        """What the process has computed so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Presses q; waits for its end."""
        if self.process.poll() is None:
            os.write(self._master, b"q")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        os.close(self._master)


@contextmanager
def _stage(period: int) -> Iterator[tuple[JackServer, Ear, dict[str, str]]]:
    """A server, our ear on it, and the environment of an installed program: its byte code is kept."""
    with tempfile.TemporaryDirectory() as cache, jack_server(period) as server:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "TERM": "xterm-256color"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        ear = Ear()
        try:
            yield server, ear, environment
        finally:
            ear.close()


def start(periods: Sequence[int], rounds: int) -> list[Figure]:
    """Time from `lakhnes play` to the first note at another program."""
    figures = []
    for period in periods:
        how = f"to the first note, JACK periods of {period}"
        note(f"{how}: {rounds} times and one to warm up")
        took = []
        with _stage(period) as (_, ear, environment):
            for number in range(rounds + 1):
                ear.listen()
                seed = str(SEEDS[number % len(SEEDS)])
                playing = Terminal(environment, "--port", EAR, "--seed", seed)
                try:
                    took.append(ear.wait() - playing.began)
                finally:
                    playing.end()
        figures += [
            Figure("start", f"{how}: median", median(took[1:]), "s", 1.0),
            Figure("start", f"{how}: slowest", max(took[1:]), "s"),
            Figure("start", f"{how}: first time, without byte code", took[0], "s"),
        ]
    return figures


def clock_start(periods: Sequence[int], rounds: int) -> list[Figure]:
    """Time from the first clock after Start to the first note at another program."""
    figures = []
    for period in periods:
        note(f"start by MIDI clock, JACK periods of {period}: {rounds} times")
        with _stage(period) as (_, ear, environment), open_output(virtual=BATON) as baton:
            options = ("--port", EAR, "--input", BATON, "--sync", "midi", "--seed", str(SEEDS[0]))
            playing = Terminal(environment, *options)
            try:
                _wait_for_text(playing, "waiting for MIDI clock")
                took = []
                for _ in range(rounds):
                    ear.listen()
                    baton.send([START])
                    began = time.perf_counter()
                    baton.send([CLOCK])
                    clocks(lambda out=baton: out.send([CLOCK]), began, 12)  # type: ignore[misc]
                    baton.send([STOP])
                    took.append(ear.wait(2) - began)
                    time.sleep(0.2)
            finally:
                playing.end()
        periods_ms = period / 48
        goals = {"max": 20.0} if period <= 128 else {}
        figures += spread("clock-start", f"JACK periods of {period} ({periods_ms:.1f} ms)", took, goals)
    return figures


def cpu(seconds: float, period: int = 1024) -> list[Figure]:
    """Share of a core of `lakhnes play`, with its view on a terminal; with and without sound."""
    figures = []
    with _stage(period) as (_, ear, environment):
        for options in ((), ("--synth",)):
            note(f"CPU of `lakhnes play {' '.join(options)}`: {seconds:.0f} s")
            ear.listen()
            playing = Terminal(environment, "--port", EAR, "--seed", "1", *options)
            try:
                ear.wait()
                time.sleep(3)
                before, began = playing.cpu_seconds(), time.perf_counter()
                time.sleep(seconds)
                share = (playing.cpu_seconds() - before) / (time.perf_counter() - began)
                heard = "(sound)" in playing.text
            finally:
                playing.end()
            how = "without sound" if not options else "--synth" if heard else "--synth, but no sound output"
            figures.append(Figure("cpu", f"lakhnes play, {how}", 100 * share, "% of a core"))
    return figures


def _wait_for_text(playing: Terminal, text: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while text not in playing.text:
        if time.monotonic() > end or playing.process.poll() is not None:
            raise RuntimeError(f"`lakhnes play` did not say {text!r}: {playing.text[-500:]}")
        time.sleep(0.05)
    time.sleep(0.5)
