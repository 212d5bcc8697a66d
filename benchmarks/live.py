"""How live music keeps time: what is late, what starts when, what it costs, and that no note hangs.

    python benchmarks/live.py [--only PART,PART] [--quick] [--minutes 3] [--json]

- lateness: messages of notes, against the true times of their rows, for two minutes while a model of paper
  size (12 layers of 512, random weights, 8 bit) composes without a rest, with the view of `lakhnes play`
  painted by another thread: 20 times a second, without a pause, and once more through a JACK port
- start: from the command `lakhnes play` to the first note at another program
- clock-start: from the first MIDI clock after Start to the first note, armed
- frames: where notes lie on JACK, from the frame that their time has; by ports in C, and by rtmidi
- trouble: a JACK server that stands still or is started anew, and a DAW that quits and returns
- tempo: errors of notes after a MIDI clock with 1 ms of jitter (normal) steps from 90 to 150 BPM; fake time
- cpu: share of a core of `lakhnes play` and its view
- actions: 10,000 random starts, stops, seeks, mutes, panics, takes, notes of somebody, tempi; fake time
- soak: 30 minutes of music in fake time, and some real minutes with threads

Without JACK the parts that need it are left out. PyTorch makes the models with random weights.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import live_fake
import live_threads
from live_models import random_model
from live_rigs import Figure, note

from lakhnes.runtime import Model

PARTS = ("tempo", "actions", "start", "clock-start", "frames", "trouble", "cpu", "lateness", "soak")
PERIODS = (128, 1024)


def machine() -> str:
    """What it was measured on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    load = f", load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}{load}"


def has_jack() -> bool:
    """Whether JACK servers can be started and talked to."""
    return all(shutil.which(tool) for tool in ("jackd", "jack_lsp")) and find_spec("rtmidi") is not None


class Bench:
    """The parts, by their names."""

    def __init__(self, *, quick: bool, minutes: float, folder: Path) -> None:
        """Takes how long to measure, and where models with random weights are made."""
        self._quick, self._minutes, self._folder = quick, minutes, folder
        self._jack = has_jack()

    def run(self, part: str) -> Iterator[list[Figure]]:
        """Measures a part, piece by piece."""
        yield from getattr(self, "_" + part.replace("-", "_"))()

    def _tempo(self) -> Iterator[list[Figure]]:
        yield live_fake.tempo(20 if self._quick else 200)

    def _actions(self) -> Iterator[list[Figure]]:
        model = random_model("tiny", self._folder / "tiny")
        yield live_fake.actions(model, 1000 if self._quick else 10_000)

    def _start(self) -> Iterator[list[Figure]]:
        if self._needs_jack("start"):
            import live_process

            yield live_process.start(PERIODS, 3 if self._quick else 5)

    def _clock_start(self) -> Iterator[list[Figure]]:
        yield live_threads.clock_start(Model.load(), 10 if self._quick else 100)
        if self._needs_jack("clock-start through ports"):
            import live_process

            yield live_process.clock_start(PERIODS, 5 if self._quick else 25)

    def _frames(self) -> Iterator[list[Figure]]:
        if self._needs_jack("frames"):
            import live_frames

            for period in PERIODS:
                yield live_frames.frames(Model.load(), period, 10 if self._quick else 60)

    def _trouble(self) -> Iterator[list[Figure]]:
        if self._needs_jack("trouble"):
            import live_trouble

            folder = self._folder / "small"
            random_model("tiny", folder)
            yield live_trouble.trouble(folder, 3 if self._quick else 20)

    def _cpu(self) -> Iterator[list[Figure]]:
        seconds = 5 if self._quick else 20
        yield live_threads.cpu(Model.load(), seconds)
        if self._needs_jack("cpu of the command"):
            import live_process

            yield live_process.cpu(seconds)

    def _lateness(self) -> Iterator[list[Figure]]:
        model = random_model("paper", self._folder / "paper")
        seconds = 10.0 if self._quick else 120.0
        yield live_threads.lateness(model, seconds, "20 pictures a second", pause=live_threads.FRAME_SECONDS)
        yield live_threads.lateness(model, seconds, "painting without a pause", pause=0.0)
        if self._needs_jack("lateness through a port"):
            from jack import jack_server

            from lakhnes.bridge.ports import open_output

            with jack_server() as _, open_output(virtual="Bench") as port:
                how = "20 pictures a second, JACK port"
                pause = live_threads.FRAME_SECONDS
                yield live_threads.lateness(model, seconds, how, pause=pause, sender=port)

    def _soak(self) -> Iterator[list[Figure]]:
        yield live_fake.soak(Model.load(), 3 if self._quick else 30)
        yield live_threads.soak(Model.load(), 20 if self._quick else 60 * self._minutes)

    def _needs_jack(self, what: str) -> bool:
        if not self._jack:
            note(f"left out: {what}; it needs jackd and python-rtmidi")
        return self._jack


def show(figures: list[Figure]) -> None:
    """Prints figures beside their goals."""
    for figure in figures:
        value = f"{figure.value:.0f}" if figure.value == round(figure.value) else f"{figure.value:.3g}"
        line = f"{figure.part:12s} {figure.name:62s} {value:>8s} {figure.unit:13s}"
        if figure.goal is not None and figure.ratio is not None:
            met = "met" if figure.ratio <= 1 and (figure.goal or not figure.value) else "MISSED"
            line += f" goal {figure.goal:6g}  {figure.ratio:6.2f} of it  {met}"
        print(line.rstrip(), flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help=f"parts to run, of {','.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time or less")
    parser.add_argument("--minutes", type=float, default=3.0, help="of the soak in real time")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    parts = asked.only.split(",") if asked.only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    where, all_figures = machine(), []
    if not asked.json:
        print(where, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(quick=asked.quick, minutes=asked.minutes, folder=Path(folder))
        for part in parts:
            for figures in bench.run(part):
                all_figures += figures
                if not asked.json:
                    show(figures)
    if asked.json:
        told = [{**asdict(figure), "ratio": figure.ratio} for figure in all_figures]
        print(json.dumps({"machine": where, "figures": told}, indent=1))


if __name__ == "__main__":
    main()
