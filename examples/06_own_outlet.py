"""Send live music to an output of your own: this one prints each note when it is due.

Run `python 06_own_outlet.py [FOLDER]`; it plays two seconds and writes played.txt.
"""

import sys
import time
from pathlib import Path

from lakhnes.bridge import InternalClock, Performance
from lakhnes.runtime import BeatGrid, Kind, LiveComposer, Model, Voice


class Printer:
    """An `Outlet`: only the player's thread calls it, and no method may wait."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Begin a note; `at` is its time on the scale of `time.perf_counter`."""
        self.lines.append(f"{at - began:6.3f} s  {voice.name}  pitch {pitch}, volume {velocity}")
        print(self.lines[-1])

    def note_off(self, voice: Voice, at: float) -> None:
        """End a voice's note."""

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Change a voice's volume or timbre."""

    def silence(self, at: float) -> None:
        """End every note."""

    def close(self) -> None:
        """End every note and release what is held."""


printer, clock = Printer(), InternalClock(150)
with Performance(LiveComposer(Model.load(), BeatGrid.steady(150), seed=7), clock, [printer]) as performance:
    while not performance.armed():  # until the first bar is composed
        time.sleep(0.01)
    began = time.perf_counter()
    clock.start(began)
    time.sleep(2)
(Path(*sys.argv[1:2]) / "played.txt").write_text("\n".join(printer.lines))
