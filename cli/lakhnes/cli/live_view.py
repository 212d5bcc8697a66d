"""What `lakhnes play` shows on the terminal, and the keys that it takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lakhnes.bridge import gm
from lakhnes.bridge.beat_clock import ClockState, ClockStatus
from lakhnes.bridge.performance import Status
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.printable import printable

_STATES = {
    ClockStatus.RUNNING: ("playing", "green"),
    ClockStatus.STOPPED: ("stopped", "yellow"),
    ClockStatus.HEARD: ("MIDI clock heard", "yellow"),
    ClockStatus.WAITING: ("waiting for MIDI clock", "yellow"),
    ClockStatus.LOST: ("MIDI clock lost", "red"),
}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_AHEAD_CELLS = 16


def note_name(voice: Voice, pitch: int) -> str:
    """A pitch as musicians write it, middle C as C4; the noise by its number."""
    return f"noise {pitch}" if voice is Voice.NO else f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def keys(clock: ClockState, *, space: str) -> str:
    """The keys that do something now.

    Args:
        clock: what is followed.
        space: what the space key does; empty for nothing.
    """
    ours = [f"space {space}"] if space else []
    ours += [] if clock.foreign else ["+ - tempo"]
    return "   ".join([*ours, "1-4, m mute", "t new take", "l learn", "s save", "p panic", "q quit"])


def view(
    status: Status,
    heading: str,
    messages: Sequence[str] = (),
    keys: str = "",
    *,
    size: tuple[int, int] = (120, 40),
) -> RenderableType:
    """A performance as it is now, as much of it as there is room for.

    Args:
        status: the performance.
        heading: where it plays to.
        messages: what is to be known, and what was done last.
        keys: the keys that do something.
        size: columns and lines of the terminal.
    """
    columns, lines = size
    text, colour = _STATES[status.clock.status]
    if status.waiting:
        text, colour = "waiting for the composer", "red"
    place = f"bar {status.bar:>4}.{status.beat}   {status.clock.bpm:6.1f} BPM   take {status.take + 1}"
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
    said = [(problem, "red") for problem in status.problems] + [(message, "green") for message in messages]
    sentences = [Text(line, style) for told, style in said for line in wrap(printable(told), columns)]
    head = Text.assemble((f"{text:<24}" if columns > 70 else f"{text} ", f"bold {colour}"), place)
    rows = [  # in the order in which they are read; what has the highest number is left out first
        (4, Text(printable(heading), "bold")),
        (0, head),
        *((2, row) for row in _voices(status)),
        (5, Text(ahead)),
        (6, Text(counts)),
        (6, Text(asked)),
        *((1, line) for line in sentences),
        (3, Text(keys, "dim")),
    ]
    by_number = sorted(range(len(rows)), key=lambda place: rows[place][0])
    shown = [rows[place][1] for place in sorted(by_number[: max(1, lines - 1)])]
    for line in shown:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*shown)


def _voices(status: Status) -> Iterator[Text]:
    for number, voice in enumerate(Voice, 1):
        pitch = status.sounding.get(voice)
        heard = "muted" if voice in status.muted else "yours" if voice in status.taken else ""
        sounds = note_name(voice, pitch) if pitch is not None else "-"
        style = "dim" if voice in status.muted else "bold cyan" if pitch is not None else ""
        yield Text.assemble(f"{number}  {gm.TRACK_NAMES[voice]:<8}  ", (f"{sounds:<9}", style), f"  {heard}")


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
