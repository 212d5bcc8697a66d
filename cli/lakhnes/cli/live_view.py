"""What `lakhnes play` shows on the terminal, and the keys that it takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lakhnes.bridge import gm
from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.bridge.performance import Status
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.printable import printable

KEYS = "space play/stop   1-4, m mute   + - tempo   t new take   s save   p panic   q quit"

_STATES = {
    ClockStatus.RUNNING: ("playing", "green"),
    ClockStatus.STOPPED: ("stopped", "yellow"),
    ClockStatus.WAITING: ("waiting for MIDI clock", "yellow"),
    ClockStatus.LOST: ("MIDI clock lost", "red"),
}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_AHEAD_CELLS = 16


def note_name(voice: Voice, pitch: int) -> str:
    """A pitch as musicians write it, middle C as C4; the noise by its number."""
    return f"noise {pitch}" if voice is Voice.NO else f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def view(status: Status, heading: str, message: str) -> RenderableType:
    """A performance as it is now.

    Args:
        status: the performance.
        heading: where it plays to.
        message: what was done last.
    """
    text, colour = _STATES[status.clock.status]
    if status.waiting:
        text, colour = "waiting for the composer", "red"
    top = Text.assemble(
        (f"{text:<24}", f"bold {colour}"),
        f"bar {status.bar:>4}.{status.beat}   {status.clock.bpm:6.1f} BPM   take {status.take + 1}",
    )
    voices = Table.grid(padding=(0, 2))
    for number, voice in enumerate(Voice, 1):
        pitch = status.sounding.get(voice)
        heard = "muted" if voice in status.muted else "yours" if voice in status.taken else ""
        sounds = note_name(voice, pitch) if pitch is not None else "-"
        style = "dim" if voice in status.muted else "bold cyan" if pitch is not None else ""
        voices.add_row(str(number), gm.TRACK_NAMES[voice], Text(f"{sounds:<9}", style), heard)
    filled = min(_AHEAD_CELLS, max(0, round(status.ahead_beats)))
    ahead = f"ahead    {'█' * filled}{'·' * (_AHEAD_CELLS - filled)} {status.ahead_beats:4.1f} beats"
    sampling = status.request.sampling
    counts = (
        f"events   {status.sent} sent, {status.late} late (worst {status.worst_seconds * 1000:.1f} ms), "
        f"{status.gaps} gaps"
    )
    asked = (
        f"steering temperature {sampling.temperature:g}, top-k {sampling.top_k or 'all'}, "
        f"density {status.request.density:g}"
    )
    problems = [Text(printable(problem), "red") for problem in status.problems]
    lines: list[RenderableType] = [
        Text(printable(heading), "bold"),
        top,
        voices,
        Text(ahead),
        Text(counts),
        Text(asked),
    ]
    return Group(*lines, *problems, Text(printable(message), "green"), Text(KEYS, "dim"))


@contextmanager
def screen(console: Console) -> Iterator[Live]:
    """A view that is drawn over itself; it stays when it ends."""
    with Live(console=console, auto_refresh=False, transient=False) as live:
        yield live


class TerminalKeys:
    """The keys that were pressed on a terminal, without waiting for them."""

    def __enter__(self) -> TerminalKeys:
        self._saved = None
        if sys.stdin is not None and sys.stdin.isatty() and sys.platform != "win32":
            import termios
            import tty

            self._saved = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, *_: object) -> None:
        if self._saved is not None:
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)

    def pressed(self) -> str:
        """The keys since the last call, in order."""
        if sys.stdin is None or not sys.stdin.isatty():
            return ""
        if sys.platform == "win32":
            import msvcrt

            keys = ""
            while msvcrt.kbhit():
                keys += msvcrt.getwch()
            return keys
        import os
        import select

        ready = select.select([sys.stdin], [], [], 0)[0]
        return os.read(sys.stdin.fileno(), 64).decode(errors="ignore") if ready else ""
