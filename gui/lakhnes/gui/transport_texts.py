"""What the transport says, in words."""

from __future__ import annotations

from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.state import SongState
from lakhnes.studio.view import View


def place_text(state: SongState, place: float) -> str:
    """A place in ticks as bar and beat, both from 1."""
    bar, beat, _ = state.grid.position(int(place))
    return f"{bar}.{beat}"


def time_text(place: float, bpm: float) -> str:
    """A place in ticks as minutes and seconds at a tempo."""
    minutes, seconds = divmod(int(place / PPQ * 60 / bpm + 1e-6), 60)
    return f"{minutes}:{seconds:02}"


def late_text(view: View) -> str:
    """How many events were late, and how often composing was; empty where nothing was sent."""
    words = []
    if view.sent:
        words.append(f"late {view.late:,} of {view.sent:,}")
        if view.late:
            words.append(f"worst {view.worst_seconds * 1000:.0f} ms")
    if view.gaps:
        words.append(f"{view.gaps:,} gap{'s' if view.gaps > 1 else ''}")
    return ", ".join(words)


def clock_text(view: View) -> tuple[str, str]:
    """What the clock does in words, and the shape that goes with it."""
    match view.clock:
        case ClockStatus.LOST:
            return "DAW lost", "error"
        case ClockStatus.WAITING:
            return "waiting for the DAW", "wait"
        case ClockStatus.RUNNING:
            return "playing", "play"
        case _:
            return "stopped", "stop"
