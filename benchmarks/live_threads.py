"""Parts of `live.py` in real time and with threads, as in `lakhnes play`: lateness, the start, a soak."""

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np
from live_rigs import BPM, CHANNELS, Figure, Stamped, Stamps, note, resident_megabytes, spread, staged
from rich.console import Console

from lakhnes.bridge.beat_clock import CLOCK, START, STOP, InternalClock
from lakhnes.bridge.control_input import ControlInput
from lakhnes.bridge.interpreter import keep_time
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.midi_outlet import Sender
from lakhnes.bridge.performance import Performance
from lakhnes.cli.live_view import screen, view
from lakhnes.runtime import Model, Request, Sampling

FRAME_SECONDS = 0.05
"""Between two pictures of `lakhnes play`."""
BUSY_BARS = 16
"""So much is composed, then a new take is asked for: the composer never rests."""


@contextmanager
def painting(performance: Performance, pause: float) -> Iterator[threading.Thread]:
    """A thread that draws the view of `lakhnes play` again and again."""
    over = threading.Event()

    def paint() -> None:
        with open(os.devnull, "w") as nowhere:
            console = Console(file=nowhere, force_terminal=True, width=100, height=40)
            with screen(console) as live:
                while not over.is_set():
                    live.update(view(performance.status(), "LakhNES"), refresh=True)
                    if pause:
                        time.sleep(pause)

    thread = threading.Thread(target=paint, name="painter", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        thread.join()


class Collections:
    """How long garbage collections take."""

    def __init__(self) -> None:
        """Looks from now on."""
        self.worst = 0.0
        self._began = 0.0
        gc.callbacks.append(self._look)

    def _look(self, phase: str, _: object) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.worst = max(self.worst, time.perf_counter() - self._began)

    def close(self) -> None:
        """Looks no more."""
        gc.callbacks.remove(self._look)


def _cpu(thread: threading.Thread) -> float:
    """Seconds that a thread has computed."""
    if thread.ident is None or not hasattr(time, "pthread_getcpuclockid"):
        return float("nan")
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def _thread(name: str) -> threading.Thread:
    return next(thread for thread in threading.enumerate() if thread.name == name)


def _armed(performance: Performance) -> None:
    """Waits until music is there; then everything is as in `lakhnes play` when it starts."""
    while not performance.armed():
        time.sleep(0.002)
    keep_time()


def lateness(
    model: Model, seconds: float, how: str, *, pause: float, sender: Sender | None = None
) -> list[Figure]:
    """How late messages are sent while a big model composes all the time and a view is painted.

    Args:
        model: what composes.
        seconds: how long.
        how: said in the names of the figures.
        pause: seconds between two pictures; 0 for a painter that never rests.
        sender: a real port; None to send nowhere.
    """
    note(f"lateness, {how}: {seconds:.0f} s")
    clock, stamps, collections = InternalClock(BPM), Stamps(sender), Collections()
    steering = Request(Sampling(0.95, None), density=3.0)
    performance = staged(model, clock, Stamped(stamps), steering=steering, ahead_bars=BUSY_BARS)
    with performance, painting(performance, pause) as painter:
        _armed(performance)
        started = time.perf_counter()
        clock.start(started)
        performance.wake()
        names = ("composer", "player")
        before = [_cpu(_thread(f"lakhnes {name}")) for name in names] + [_cpu(painter)]
        while time.perf_counter() < started + seconds:
            if performance.status().ahead_beats > 4 * (BUSY_BARS - 2):
                performance.new_take()
            time.sleep(0.1)
        after = [_cpu(_thread(f"lakhnes {name}")) for name in names] + [_cpu(painter)]
        took = time.perf_counter() - started
        status = performance.status()
    collections.close()
    late = stamps.lateness(started)
    uncounted = max(0, stamps.late_moments(late) - status.late)
    shares = [
        Figure("lateness", f"{how}: {name} thread", 100 * (b - a) / took, "% of a core")
        for name, a, b in zip((*names, "painter"), before, after, strict=True)
    ]
    return [
        *spread("lateness", f"{how}:", late, {"p99": 2.0, "max": 8.0}),
        Figure("lateness", f"{how}: messages a second", len(late) / took, ""),
        Figure("lateness", f"{how}: late and not counted", uncounted, "", 0),
        Figure("lateness", f"{how}: gaps", status.gaps, "", 0),
        Figure("lateness", f"{how}: longest garbage collection", collections.worst * 1e3, "ms"),
        *shares,
    ]


def clock_start(model: Model, rounds: int) -> list[Figure]:
    """Time from the first clock after Start to the first note, without ports."""
    note(f"start by MIDI clock, without ports: {rounds} times")
    clock, stamps = MidiClock(BPM), Stamps()
    performance = staged(model, clock, Stamped(stamps))
    router = ControlInput(performance, clock, CHANNELS)
    took: list[float] = []
    with performance:
        _armed(performance)
        for _ in range(rounds):
            stamps.first_note = None
            router.receive(bytes([START]), time.perf_counter())
            began = time.perf_counter()
            router.receive(bytes([CLOCK]), began)
            clocks(lambda: router.receive(bytes([CLOCK]), time.perf_counter()), began, 12)
            router.receive(bytes([STOP]), time.perf_counter())
            assert stamps.first_note is not None, "no note came within half a beat"
            took.append(stamps.first_note - began)
            time.sleep(0.1)
    return spread("clock-start", "without ports", took, {"max": 20.0})


def clocks(tick: Callable[[], None], began: float, count: int) -> None:
    """Ticks at 120 BPM, after a first tick at a time."""
    for number in range(1, count + 1):
        time.sleep(max(0.0, began + number * 60 / BPM / 24 - time.perf_counter()))
        tick()


def soak(model: Model, seconds: float) -> list[Figure]:
    """Plays for minutes with threads and the view: memory, gaps, and late events that nobody counted."""
    note(f"soak with threads: {seconds:.0f} s")
    clock, stamps = InternalClock(BPM), Stamps()
    performance = staged(model, clock, Stamped(stamps))
    megabytes = []
    gc.collect()
    with performance, painting(performance, FRAME_SECONDS):
        _armed(performance)
        started = time.perf_counter()
        clock.start(started)
        performance.wake()
        while time.perf_counter() < started + seconds:
            time.sleep(seconds / 100)
            megabytes.append(resident_megabytes())
        status = performance.status()
    late = stamps.lateness(started)
    count = len(megabytes)
    first, last = median(megabytes[count // 5 : 3 * count // 10]), median(megabytes[9 * count // 10 :])
    how = f"{seconds / 60:g} minutes with threads:"
    return [
        Figure("soak", f"{how} memory at 20 %", first, "MB"),
        Figure("soak", f"{how} growth from there", 100 * max(0.0, last / first - 1), "%", 5),
        *spread("soak", f"{how} lateness", late, {"p99": 2.0, "max": 8.0}),
        Figure("soak", f"{how} late, by the player's count", status.late, ""),
        Figure("soak", f"{how} late and not counted", max(0, stamps.late_moments(late) - status.late), "", 0),
        Figure("soak", f"{how} gaps", status.gaps, "", 0),
        Figure("soak", f"{how} unbalanced notes", stamps.unbalanced, "", 0),
    ]


def cpu(model: Model, seconds: float) -> list[Figure]:
    """Share of a core that a performance without ports needs, view and all."""
    note(f"CPU, without ports: {seconds:.0f} s")
    clock = InternalClock(BPM)
    performance = staged(model, clock, Stamped(Stamps()))
    with performance, painting(performance, FRAME_SECONDS):
        _armed(performance)
        clock.start(time.perf_counter())
        performance.wake()
        time.sleep(2)
        before, began = time.process_time(), time.perf_counter()
        time.sleep(seconds)
        share = (time.process_time() - before) / (time.perf_counter() - began)
    return [Figure("cpu", "without ports", 100 * float(np.round(share, 4)), "% of a core")]
