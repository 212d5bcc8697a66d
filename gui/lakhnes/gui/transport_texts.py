"""The texts of the transport bar."""

from __future__ import annotations

from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.state import SongState
from lakhnes.studio.view import View

_HEARD_SHARE = 0.05
"""Share of late events from which it matters."""

_FEW = 20
"""Number of late events that never matters."""


def place_text(state: SongState, place: float) -> str:
    """Return a place in ticks as bar and beat, both from 1."""
    bar, beat, _ = state.grid.position(int(place))
    return f"{bar}.{beat}"


def time_text(place: float, bpm: float) -> str:
    """Return a place in ticks as minutes and seconds at a tempo."""
    minutes, seconds = divmod(int(place / PPQ * 60 / bpm + 1e-6), 60)
    return f"{minutes}:{seconds:02}"


def late_text(view: View) -> str:
    """Return how many events and bars were late; empty if nothing was sent."""
    words = []
    if view.sent:
        words.append(f"late {view.late:,} of {view.sent:,}")
        if view.late:
            words.append(f"worst {view.worst_seconds * 1000:.0f} ms")
    if view.gaps:
        words.append(f"{view.gaps:,} gap{'s' if view.gaps > 1 else ''}")
    return ", ".join(words)


def matters(view: View) -> bool:
    """Return whether bad timing is audible: gaps, or many late events."""
    return view.gaps > 0 or view.late > max(_FEW, view.sent * _HEARD_SHARE)


def clock_text(view: View) -> tuple[str, str]:
    """Return the state of the clock in words, and its icon."""
    match view.clock:
        case ClockStatus.LOST:
            return "DAW clock lost", "error"
        case ClockStatus.WAITING:
            return "waiting for the DAW", "wait"
        case ClockStatus.HEARD:
            return "DAW clock received", "heard"
        case ClockStatus.RUNNING:
            return "playing", "play"
        case _:
            return "stopped", "stop"
