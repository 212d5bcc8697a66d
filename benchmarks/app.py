"""How the desktop app feels: how soon it is there, how smoothly it moves, whether it ever stands still.

    python benchmarks/app.py [--only PART,PART] [--quick] [--json]

- start: from the start of the process to the window on the screen, and to a model that composes
- frames: 60 pictures a second of the whole roll with 3,000 notes in view, while it plays: share of a core
- blocked: longest time that the interface stood still while a model of paper size (random weights) composes,
  a song is exported as WAV, and the JACK server dies under MIDI port and sound
- editing: the same while a bar, or all, of 5,000 notes is edited, and a bar of a song of two hours
- takes: four bars composed anew four times, from the order to the last take
- memory: resident memory after ten minutes of play, with port and sound

Run it under a display (`xvfb-run`); without one Qt's offscreen platform stands in.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from live import has_jack, machine, show
from live_rigs import Figure

if TYPE_CHECKING:
    from lakhnes.gui.questions import Question

PARTS = ("start", "frames", "blocked", "editing", "takes", "memory")
ROOT = Path(__file__).parents[1]
NOTES = 3000
LOOK_SECONDS = 0.02
"""How often the watchdog looks whether the interface answers."""

_START = """
import os, sys, time
ticks = open(f"/proc/{os.getpid()}/stat").read().rsplit(")", 1)[1].split()[19]
born = float(ticks) / os.sysconf("SC_CLK_TCK")
since = lambda: time.clock_gettime(time.CLOCK_BOOTTIME) - born
from lakhnes.gui import main_window
seen = {}
def look(window):
    if "shown" not in seen and window.windowHandle() is not None and window.windowHandle().isExposed():
        seen["shown"] = since()
    if "ready" not in seen and window.studio.session.state.score.n_notes:
        seen["ready"] = since()
    if len(seen) == 2:
        print(seen["shown"], seen["ready"], flush=True)
        window.close()
refresh = main_window.MainWindow.refresh
def watched(window):
    refresh(window)
    look(window)
main_window.MainWindow.refresh = watched
from lakhnes.gui import run
sys.exit(run())
"""

_PLAY = """
import json, sys, time
from pathlib import Path
from lakhnes.gui import main_window
seconds, began = float(sys.argv[1]), []
refresh = main_window.MainWindow.refresh
def watched(window):
    refresh(window)
    view = window.studio.view()
    if view.ready and not began:
        began.append(time.monotonic())
        window.studio.playback.play()
    if began and time.monotonic() > began[0] + seconds:
        lines = Path("/proc/self/status").read_text().splitlines()
        rows = [line.split() for line in lines if line.startswith("Rss")]
        resident = {row[0][:-1]: int(row[1]) / 1024 for row in rows}
        place = [*view.ports, view.sound]
        print(json.dumps({**resident, "late": view.late, "sent": view.sent, "to": place}), flush=True)
        window.close()
main_window.MainWindow.refresh = watched
from lakhnes.gui import run
sys.exit(run())
"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="shorter, to see whether it works")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if "DISPLAY" not in os.environ:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users have the modules compiled
    figures: list[Figure] = []
    if not asked.json:
        print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("CONFIG", "STATE", "DATA"):  # the user's own settings stay out of it
            os.environ[f"XDG_{name}_HOME"] = folder
        for part in asked.only.split(","):
            bench = Bench(Path(folder), quick=asked.quick)
            found = getattr(bench, part)()
            figures += found
            if not asked.json:
                show(found)
    if asked.json:
        print(json.dumps({"machine": machine(), "figures": [asdict(figure) for figure in figures]}, indent=1))


class Bench:
    """The parts, by their names."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        """Takes a folder for what is written."""
        self._folder, self._quick = folder, quick

    def start(self) -> list[Figure]:
        """Starts the app several times, the first of them to fill the caches."""
        shown, ready = [], []
        for _ in range(2 if self._quick else 6):
            done = subprocess.run(
                [sys.executable, "-c", _START], capture_output=True, text=True, check=True, timeout=60
            )
            a, b = map(float, done.stdout.split()[-2:])
            shown.append(a)
            ready.append(b)
        return [
            Figure("start", "shown, median", sorted(shown[1:])[len(shown) // 2 - 1], "s", 0.8),
            Figure("start", "composing, median", sorted(ready[1:])[len(ready) // 2 - 1], "s", 1.5),
        ]

    def frames(self) -> list[Figure]:
        """Plays a song of 3,000 notes that is all in view."""
        from lakhnes.studio.state import SongState

        song = SongState(score=busy_song(), endless=False)
        with App(replace(song, kept=song.end)) as app:
            app.until(lambda: app.window.studio.view().ready)
            app.window.roll.zoom_to_fit()
            app.window.studio.playback.play()
            app.paint_all = True
            app.run(1.0)
            before, began, painted = os.times(), time.perf_counter(), app.painted
            app.run(5.0 if self._quick else 20.0)
            wall = time.perf_counter() - began
            after = os.times()
            used = (after.user + after.system - before.user - before.system) / wall
            return [
                Figure(
                    "frames", "pictures of the whole roll a second", (app.painted - painted) / wall, "1/s"
                ),
                Figure("frames", "share of a core, all threads", used * 100, "%", 25),
            ]

    def blocked(self) -> list[Figure]:
        """Looks how long the interface stands still while much goes on."""
        from jack import jack_server
        from live_models import random_model

        from lakhnes.studio.filing import ExportRequest
        from lakhnes.studio.state import SongState

        model = random_model("paper", self._folder / "paper")
        state = SongState(model=str(self._folder / "paper"))
        with ExitStack() as stack:
            server = stack.enter_context(jack_server()) if has_jack() else None
            app = stack.enter_context(App(state, load=lambda name: model.twin(), live=server is not None))
            app.until(lambda: app.window.studio.view().ready)
            if server is not None:
                app.until(lambda: bool(app.window.studio.view().ports and app.window.studio.view().sound))
            studio = app.window.studio
            studio.playback.play()
            studio.more(16)
            figures = {"composing with paper size": app.longest_block(5.0 if self._quick else 20.0)}
            studio.session.change("Song", score=busy_song())
            figures["showing another song of 3,000 notes"] = app.longest_block(2.0)
            app.window.filing.export(ExportRequest(self._folder / "a.wav"))
            figures["exporting a WAV of four minutes"] = app.longest_block(3.0 if self._quick else 10.0)
            if server is not None:
                server.kill()
                figures["losing MIDI port and sound"] = app.longest_block(5.0)
        return block_figures("blocked", figures)

    def editing(self) -> list[Figure]:
        """Edits songs of 5,000 notes and of two hours while they play."""
        from lakhnes.runtime import Voice
        from lakhnes.runtime.time.grid import PPQ
        from lakhnes.studio.state import SongState

        figures: dict[str, Block] = {}
        bar = 4 * PPQ
        for what, score in (("5,000 notes", busy_song(5000)), ("two hours", busy_song(86_400))):
            with App(SongState(score=score, kept=1 << 30, endless=False)) as app:
                window = app.window
                app.until(lambda window=window: window.studio.view().ready)
                window.studio.playback.play()
                app.run(2.0)
                spans = {"a bar": (bar, 2 * bar)}
                if what == "5,000 notes":
                    spans["all"] = (0, window.studio.session.state.end)
                for part, (first, last) in spans.items():
                    for command in ("softer", "undo", "duplicate-bars", "undo", "delete-bars", "undo"):
                        window.editor.select_span(first, last, set(Voice))
                        action = window.commands[command].trigger
                        name = f"{part} of {what}, {command}"
                        block = app.longest_block(2.0, action)
                        figures[name] = figures.get(name, Block()).or_longer(block)
        return block_figures("editing", figures)

    def takes(self) -> list[Figure]:
        """Composes four bars of a melody anew."""
        from lakhnes.runtime import Voice
        from lakhnes.runtime.time.grid import PPQ
        from lakhnes.studio.state import SongState

        times = []
        with App(SongState(seed=7)) as app:
            studio, takes = app.window.studio, app.window.takes
            app.until(lambda: studio.view().ready)
            studio.more(12)
            app.until(lambda: studio.session.state.end >= 12 * 4 * PPQ)
            for _ in range(2 if self._quick else 6):
                began = time.perf_counter()
                takes.regenerate((4 * 4 * PPQ, 8 * 4 * PPQ), frozenset(Voice))
                app.until(lambda: takes.ready == 4)
                times.append(time.perf_counter() - began)
                takes.done()
        return [Figure("takes", "four bars, four takes, median", sorted(times)[len(times) // 2], "s", 1.5)]

    def memory(self) -> list[Figure]:
        """Plays for ten minutes."""
        from jack import jack_server

        with jack_server() if has_jack() else nullcontext():
            seconds = "20" if self._quick else "600"
            command = [sys.executable, "-c", _PLAY, seconds]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=700)
        found = json.loads(done.stdout.splitlines()[-1])
        place = " and ".join(filter(None, found["to"])) or "nowhere"
        return [
            Figure("memory", f"resident, playing to {place}", found["RssAnon"] + found["RssFile"], "MB", 350),
            Figure("memory", "and shared with the JACK server", found["RssShmem"], "MB"),
            Figure("memory", "events sent late", float(found["late"]), f"of {found['sent']}"),
        ]


def _stop_exports(question: "Question") -> str:
    """Answer instead of a user: an export that is not done when its part ends would wait for one for ever."""
    from lakhnes.gui.questions import QUIT_NOW

    return QUIT_NOW if QUIT_NOW in question.answers else question.answers[0]


@dataclass(frozen=True, slots=True)
class Block:
    """The longest time in which the interface stood still."""

    seconds: float = 0.0
    """Longest time on the clock; other programs that want the processor add to it."""
    processor_seconds: float = 0.0
    """Longest time that the window's thread itself computed without a break."""

    def or_longer(self, other: "Block") -> "Block":
        """Return the longer of both times."""
        return Block(max(self.seconds, other.seconds), max(self.processor_seconds, other.processor_seconds))


def block_figures(part: str, blocks: dict[str, Block]) -> list[Figure]:
    """Return two figures of each block, in milliseconds."""
    return [
        figure
        for name, block in blocks.items()
        for figure in (
            Figure(part, f"{name}, longest", block.seconds * 1e3, "ms", 50),
            Figure(part, f"{name}, of the processor", block.processor_seconds * 1e3, "ms", 50),
        )
    ]


class App:
    """The app's window in this process, without the user's settings."""

    def __init__(  # type: ignore[no-untyped-def]
        self, state=None, load=None, *, live: bool = False
    ) -> None:
        """Takes the song to begin with, how models are loaded, and whether there are ports and sound."""
        from PySide6.QtWidgets import QApplication

        from lakhnes.gui.main_window import MainWindow
        from lakhnes.gui.theme import dress
        from lakhnes.runtime import Model
        from lakhnes.studio.preferences import PreferenceStore
        from lakhnes.studio.studio import Studio

        application = QApplication.instance() or QApplication([])
        assert isinstance(application, QApplication)
        self.application = application
        store = PreferenceStore(Path(os.environ["XDG_CONFIG_HOME"]) / "app.json")
        store.change(ports=() if live else None, sound=live)
        studio = Studio(state, load=load or Model.load)
        self.window = MainWindow(studio, store, theme=dress(application, True), ask=_stop_exports)
        self.painted = 0
        self.paint_all = False

    def __enter__(self) -> "App":
        from PySide6.QtCore import QEvent, QObject

        from lakhnes.bridge import keep_time
        from lakhnes.gui.collector import Collector

        app = self

        class Counter(QObject):
            def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
                app.painted += event.type() is QEvent.Type.Paint
                return False

        self._counter = Counter()
        self.window.roll.viewport().installEventFilter(self._counter)
        self.window.resize(1400, 900)
        self.window.show()
        keep_time()
        self._collector = Collector()
        self.window.begin()
        self.window._timer.timeout.connect(self._paint)
        return self

    def _paint(self) -> None:
        """Has the whole roll painted, which is more than playing needs."""
        if self.paint_all:
            self.window.roll.viewport().update()

    def __exit__(self, *_: object) -> None:
        self.window.close()
        if not self.window.ended:
            # A thread that is still inside the model when Python ends aborts the process.
            self.window.studio.close()
        self._collector.stop()

    def run(self, seconds: float) -> None:
        """Lets the app live for some seconds."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def until(self, over: Callable[[], bool], seconds: float = 60.0) -> None:
        """Lets the app live until something is so."""
        end = time.perf_counter() + seconds
        while not over():
            if time.perf_counter() > end:
                raise TimeoutError("what the benchmark waits for does not come")
            self.run(0.02)

    def longest_block(self, seconds: float, what: Callable[[], object] = lambda: None) -> "Block":
        """Return the longest time between two looks of a timer, less the time between its looks.

        Args:
            seconds: how long it looks.
            what: is done in the window's thread meanwhile.
        """
        from PySide6.QtCore import Qt, QTimer

        longest, last = Block(), (time.perf_counter(), time.thread_time())

        def look() -> None:
            nonlocal longest, last
            now = (time.perf_counter(), time.thread_time())
            longest = longest.or_longer(Block(now[0] - last[0] - LOOK_SECONDS, now[1] - last[1]))
            last = now

        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(look)
        timer.start(round(LOOK_SECONDS * 1000))
        QTimer.singleShot(100, what)
        self.run(seconds)
        timer.stop()
        return longest


def busy_song(n_notes=NOTES):  # type: ignore[no-untyped-def]
    """A quarter of some notes in each voice; 3,000 in four minutes."""
    from lakhnes.runtime import SAMPLE_RATE, Note, Part, Score

    rng = random.Random(1)
    row = SAMPLE_RATE * 60 // 120 // 4
    parts = []
    for low, high in ((55, 90), (50, 85), (33, 60), (1, 16)):
        notes = [
            Note(row * 2 * i, row * rng.choice((1, 1, 2)), rng.randint(low, high))
            for i in range(n_notes // 4)
        ]
        parts.append(Part(tuple(notes)))
    return Score.of(parts, row * 2 * (n_notes // 4))


if __name__ == "__main__":
    main()
