"""Where live music goes: what a MIDI port, a synthesiser and a recorder have in common."""

from __future__ import annotations

from typing import Protocol

from lakhnes.runtime.music.events import Kind, Voice


class Outlet(Protocol):
    """Takes music as it is played.

    Only the player's thread calls it, and it never waits. Times are seconds of `time.perf_counter`: when
    something is due, which may be a moment ago or to come. A voice has one note at a time; a new one ends it.
    """

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Begins a note.

        Args:
            voice: any.
            pitch: MIDI pitch; for the noise 1 (lowest) to 16.
            velocity: the chip's volume, 1..15.
            at: when.
        """

    def note_off(self, voice: Voice, at: float) -> None:
        """Ends a voice's note; nothing if it has none."""

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Changes a voice's volume (VELOCITY, 1..15) or TIMBRE, within a note or between notes."""

    def silence(self, at: float) -> None:
        """Ends every note at once, and whatever else might sound."""

    def close(self) -> None:
        """Ends every note and lets go of what it holds; may be called twice."""
