"""The loop of `lakhnes play`: shows the performance, takes keys, tells what happens."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

from rich.console import Console

from lakhnes.bridge.beat_clock import ClockStatus, InternalClock
from lakhnes.bridge.controls import Control
from lakhnes.bridge.midi_clock import Joining, MidiClock
from lakhnes.bridge.performance import Status
from lakhnes.cli.live_view import TerminalKeys, keys, screen, view
from lakhnes.cli.printing import say
from lakhnes.runtime.errors import LakhnesError
from lakhnes.runtime.music.events import Voice
from lakhnes.studio.stage import Stage

_LOOK_SECONDS = 0.05
"""How often keys and signals are looked at."""
_TELL_SECONDS = 1.0
"""How often a status line is printed as JSON."""
_JOINING = {
    Joining.BAR: "A MIDI clock runs that has not sent Start. lakhnes joins it at the next bar.",
    Joining.ASK: "A MIDI clock runs that has not sent Start. Press space to join it.",
    Joining.START: "A MIDI clock runs. Press play in the DAW, or press space to join it.",
}
_QUIT = ("q", "\x03", "\x04")


class Show:
    """What a user sees of a stage, and does to it."""

    def __init__(self, stage: Stage, *, as_json: bool, controllers: Path | None = None) -> None:
        """Take an open stage.

        Args:
            stage: what plays.
            as_json: whether lines of JSON are all that is shown.
            controllers: the file that learned controllers go to; None for none.
        """
        self._stage = stage
        self._as_json = as_json
        self._controllers = controllers
        self._learning: Control | None = None  # what is being learned
        self._message = ""
        self._saved = 0
        self._saving: list[Thread] = []

    def run(self, *, paused: bool, seconds: float | None, over: Callable[[], bool]) -> None:
        """Plays until somebody wants it to end.

        Args:
            paused: whether it waits for the space key.
            seconds: the longest time; None for ever.
            over: asked often whether it is to end.
        """
        performance = self._stage.performance
        while not (performance.armed() or performance.error or performance.status().problems or over()):
            time.sleep(0.002)
        gc.collect()  # now rather than while it plays
        started = time.perf_counter()
        if not paused and isinstance(self._stage.clock, InternalClock):
            self._stage.clock.start(started)
            performance.wake()
        self._tell("ready", **self._facts())
        try:
            self._loop(started, seconds, over)
        finally:
            for thread in self._saving:
                thread.join()
        self._tell("end", **_figures(performance.status()))

    def recorded(self, files: list[Path], notes: int) -> None:
        """Tells what was written."""
        self._tell("recorded", files=[str(file) for file in files], notes=notes)
        if not self._as_json:
            say(f"wrote   {', '.join(map(str, files))}", error=True)

    def _loop(self, started: float, seconds: float | None, over: Callable[[], bool]) -> None:
        console = Console(stderr=True)
        told = started
        with TerminalKeys() as terminal, ExitStack() as stack:
            seen = not self._as_json and console.is_terminal
            live = stack.enter_context(screen(console)) if seen else None
            if live is None and not self._as_json:
                for line in (self._heading(), *self._stage.remarks):
                    say(line, error=True)
            while not over() and (seconds is None or time.perf_counter() < started + seconds):
                if self._stage.performance.error is not None:
                    raise self._stage.performance.error
                if not all(self._press(key) for key in terminal.pressed()):
                    return
                self._notice_learned()
                status = self._stage.performance.status()
                if live is not None:
                    messages = [*self._stage.remarks, *self._said(status)]
                    pressed = keys(status.clock, space=self._space())
                    shown = view(status, self._heading(), messages, pressed, size=console.size)
                    live.update(shown, refresh=True)
                if time.perf_counter() > told + _TELL_SECONDS:
                    told += _TELL_SECONDS
                    self._tell("status", **_figures(status))
                time.sleep(_LOOK_SECONDS)

    def _press(self, key: str) -> bool:
        """Does what a key asks for; whether to go on."""
        performance = self._stage.performance
        muted = performance.player.muted
        if key == " ":
            if not self._stage.toggle():
                self._message = "The DAW starts and stops the music."
        elif key in "+-":
            now = performance.clock.state(time.perf_counter()).bpm
            self._stage.set_bpm(now + (1 if key == "+" else -1))
        elif key in "1234":
            performance.player.mute(Voice(int(key) - 1), Voice(int(key) - 1) not in muted)
        elif key == "m":
            for voice in Voice:
                performance.player.mute(voice, len(muted) < len(Voice))
        elif key == "t":
            performance.new_take()
            self._message = "A new take comes with the next bar."
        elif key == "p":
            performance.player.panic()
        elif key == "l":
            self._learn()
        elif key == "s":
            thread = Thread(target=self._save, args=(self._free_stem(),))
            self._saving.append(thread)
            thread.start()
        return key not in _QUIT

    def _learn(self) -> None:
        """Ask for a controller for the first control, or for the next one; after the last, for none."""
        controls = [*Control.learnable(), None]
        wanted = controls[0 if self._learning is None else controls.index(self._learning) + 1]
        self._learning = self._stage.performance.learning = wanted
        self._message = (
            f"Move the controller for {wanted}. Press l for the next control."
            if wanted
            else "Nothing is learned."
        )

    def _notice_learned(self) -> None:
        """Tell that a controller was learned, and keep it in the file."""
        performance, control = self._stage.performance, self._learning
        if control is None or performance.learning is not None:
            return
        self._learning = None
        controller = next(cc for cc, what in performance.controls.controllers if what is control)
        self._message = f"Controller {controller} steers {control} now."
        self._tell("learned", control=str(control), controller=controller)
        if self._controllers is not None:
            try:
                performance.controls.write(self._controllers)
            except LakhnesError as error:
                self._message = str(error)

    def _space(self) -> str:
        """What the space key does now; empty for nothing."""
        clock = self._stage.clock
        if isinstance(clock, MidiClock):
            return "join/leave" if clock.joinable else ""
        return "play/stop"

    def _said(self, status: Status) -> list[str]:
        """What is to be known just now."""
        clock = [_JOINING[self._stage.joining]] if status.clock.status is ClockStatus.HEARD else []
        return [*clock, *([self._message] if self._message else [])]

    def _free_stem(self) -> str:
        """A name for files of this song that none has yet, nor one that is being saved."""
        while True:
            self._saved += 1
            stem = f"lakhnes-{self._stage.seed}-{self._saved}"
            if not any(Path(f"{stem}{ending}").exists() for ending in (".mid", ".wav")):
                return stem

    def _save(self, stem: str) -> None:
        self._message = f"Saving {stem}.mid and {stem}.wav."
        try:
            self._stage.save([Path(f"{stem}.mid"), Path(f"{stem}.wav")])
        except (LakhnesError, OSError) as error:
            self._message = str(error)
        else:
            self._message = f"Saved {stem}.mid and {stem}.wav."

    def _heading(self) -> str:
        places = [*self._stage.outputs, *([f"{self._stage.sound} (sound)"] if self._stage.sound else [])]
        return f"LakhNES   seed {self._stage.seed}   to {', '.join(places)}"

    def _facts(self) -> dict[str, Any]:
        stage = self._stage
        return {
            "seed": stage.seed,
            "ports": stage.outputs,
            "sound": stage.sound,
            "sync": str(stage.sync),
            "remarks": stage.remarks,
        }

    def _tell(self, event: str, **facts: Any) -> None:
        if self._as_json:
            say(json.dumps({"event": event, "time": round(time.time(), 3), **facts}))


def _figures(status: Status) -> dict[str, Any]:
    return {
        "state": str(status.clock.status),
        "bar": status.bar,
        "beat": status.beat,
        "bpm": round(status.clock.bpm, 2),
        "ahead_beats": round(status.ahead_beats, 2),
        "muted": [voice.name for voice in sorted(status.muted)],
        "taken": [voice.name for voice in sorted(status.taken)],
        "sent": status.sent,
        "late": status.late,
        "worst_ms": round(status.worst_seconds * 1000, 2),
        "gaps": status.gaps,
        "take": status.take + 1,
        "problems": list(status.problems),
    }
