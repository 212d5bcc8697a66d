"""The beginning of a MIDI track, heard on the built-in sound before anything is imported."""

from __future__ import annotations

import math
from collections.abc import Callable

from lakhnes.bridge.lines import Line
from lakhnes.bridge.outlet import Outlet
from lakhnes.bridge.voices import arrange
from lakhnes.runtime import SAMPLE_RATE, Part, Score, Voice
from lakhnes.runtime.music.editing import extract

SECONDS = 8
"""How long a track is heard from its first note on: four bars at a usual tempo."""

_SOON = 0.05  # seconds from telling the first note to its time


def beginning(line: Line, seconds: float = SECONDS) -> Score:
    """Return the first seconds of a track as the four voices would play it alone, from its first note."""
    parts = arrange([line]).parts
    whole = Score.of(
        (parts.get(voice, Part()) for voice in Voice), max(p.notes[-1].end for p in parts.values() if p.notes)
    )
    first = min(part.notes[0].onset for part in parts.values() if part.notes)
    return extract(whole, (first, min(whole.length, first + round(seconds * SAMPLE_RATE))))


class Audition:
    """Plays the beginning of one track at a time.

    All of it is told to the sound at once, each note with its time, so that it needs no thread.

    Attributes:
        line: the track that is heard, or is about to be; None for none.
    """

    def __init__(self, outlet: Callable[[], Outlet | None], now: Callable[[], float]) -> None:
        """Is silent.

        Args:
            outlet: finds the sound; None while there is none.
            now: the time, on the clock of the sound.
        """
        self.line: Line | None = None
        self._outlet, self._now = outlet, now
        self._due = self._end = math.inf

    @property
    def possible(self) -> bool:
        """Whether there is a sound to hear it on."""
        return self._outlet() is not None

    def play(self, line: Line, after: float = 0.0) -> None:
        """Plays a track instead of the one before.

        Args:
            line: the track.
            after: seconds until it begins.
        """
        self.stop()
        if self.possible:
            self.line, self._due, self._end = line, self._now() + after, math.inf
            self.poll()

    def stop(self) -> None:
        """Falls silent; nothing if it is."""
        outlet = self._outlet()
        if self.line is not None and self._end < math.inf and outlet is not None:
            outlet.silence(self._now())
        self.line, self._due, self._end = None, math.inf, math.inf

    def poll(self) -> None:
        """Begins what is due, and notices its end."""
        now = self._now()
        outlet = self._outlet()
        if outlet is None or now >= self._end:
            self.line, self._due, self._end = None, math.inf, math.inf
        elif self.line is not None and now >= self._due:
            score = beginning(self.line)
            self._tell(outlet, score, now + _SOON)
            self._due, self._end = math.inf, now + _SOON + score.length / SAMPLE_RATE

    def _tell(self, outlet: Outlet, score: Score, start: float) -> None:
        for voice, part in zip(Voice, score.parts, strict=True):
            for note in part.notes:
                outlet.note_on(voice, note.pitch, note.velocity, start + note.onset / SAMPLE_RATE)
                outlet.note_off(voice, start + note.end / SAMPLE_RATE)
            for change in part.changes:
                outlet.change(voice, change.kind, change.value, start + change.sample / SAMPLE_RATE)
