"""One line of notes out of many that sound together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from lakhnes.bridge.lines import LineNote, fast_note
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.music.timing import FRAME_SAMPLES

NEAR = SAMPLE_RATE // 100
"""Samples that a note may move, so that none is shorter than a frame: 10 ms."""

WINDOW = SAMPLE_RATE * 3 // 100
"""Samples within which notes are struck together, at about 120 beats a minute."""

_WINDOWS = (SAMPLE_RATE * 15 // 1000, SAMPLE_RATE * 4 // 100)  # narrowest and widest

_LEGATO = 0.25
"""Share of a note for which the next one may sound already in a line that is played legato."""

_BRIEF = SAMPLE_RATE // 10
"""Samples of the longest legato, and of the longest grace note."""

_GRACE = 0.25
"""Share of its main note that a grace note may last."""


def window_of_beat(beat_samples: float) -> int:
    """Samples within which notes are struck together: a sixteenth of a beat, 15 to 40 ms."""
    low, high = _WINDOWS
    return round(min(max(beat_samples / 16, low), high))


def outline(notes: Sequence[LineNote], *, highest: bool, window: int = WINDOW) -> list[LineNote]:
    """The line that an ear follows in notes that may overlap: the top, or the bottom.

    Of notes that are struck together the outermost stays, except a grace note. A note that is struck while an
    outer one is held goes, except where it takes over: it goes on where the outer one ends. Notes keep their
    ends; they may overlap.

    Args:
        notes: by onset, then pitch.
        highest: whether the highest note is the outermost, or the lowest.
        window: samples within which notes are struck together.
    """
    line: list[LineNote] = []
    for place, note in enumerate(notes):
        onset, _, pitch, _, _ = note
        if not line or onset >= line[-1].end:
            line.append(note)
            continue
        if _is_grace(note, line[-1], window):
            continue
        while line and (
            ((line[-1].pitch < pitch) == highest and _is_chord(line[-1], note, window))
            or _is_grace(line[-1], note, window)
        ):
            line.pop()  # the one before that may hold against this note as well
        if (
            not line
            or (line[-1].pitch < pitch) == highest
            or _takes_over(line[-1], notes, place, highest=highest, window=window)
        ):
            line.append(note)
    return line


def _is_chord(before: LineNote, note: LineNote, window: int) -> bool:
    """Whether two notes are struck together and sound together, rather than one after the other."""
    if note.onset - before.onset > window:
        return False
    both = min(before.end, note.end) - note.onset
    return 2 * both > min(before.end - before.onset, note.end - note.onset)


def _is_grace(note: LineNote, main: LineNote, window: int) -> bool:
    """Whether a note is struck a step beside another one, with it, and let go at once."""
    length = note.end - note.onset
    return (
        length <= _BRIEF
        and 0 < abs(note.pitch - main.pitch) <= 2
        and abs(note.onset - main.onset) <= window
        and length <= _GRACE * (main.end - main.onset)
    )


def _takes_over(
    before: LineNote, notes: Sequence[LineNote], place: int, *, highest: bool, window: int
) -> bool:
    """Whether an inner note goes on where an outer one ends, and is heard then.

    It does where the outer one is over or about to end, as in legato; and where both sound together for less
    than half of the outer one, and the note is the outermost afterwards for longer.
    """
    note = notes[place]
    if note.onset >= before.end:
        return True
    if note.end <= before.end or _is_chord(before, note, window):
        return False
    both, length = before.end - note.onset, before.end - before.onset
    if both <= max(window, min(_LEGATO * length, _BRIEF)):
        return True
    return 2 * both < length and both < _covered(notes, place, highest=highest) - before.end


def _covered(notes: Sequence[LineNote], place: int, *, highest: bool) -> int:
    """Where a later note is struck that is outside of the one at a place; its end if there is none."""
    _, end, pitch, _, _ = notes[place]
    for later in islice(notes, place + 1, None):
        if later.onset >= end:
            break
        if (later.pitch > pitch) == highest and later.pitch != pitch:
            return later.onset
    return end


def share_alone(notes: Sequence[LineNote], window: int = WINDOW) -> float:
    """Share of notes that stay where one line is made of them."""
    return len(outline(notes, highest=True, window=window)) / len(notes)


def spaced(notes: Iterable[LineNote]) -> list[LineNote]:
    """Notes of a line so that each lasts a frame at least and ends where the next begins.

    A note that comes sooner than a frame after the one before is a little late, or the longer of both stays.

    Args:
        notes: by onset.
    """
    line: list[LineNote] = []
    for note in notes:
        onset, _, pitch, velocity, ring = note
        if line and onset - line[-1].onset < FRAME_SAMPLES:
            before = line[-1]
            onset = before.onset + FRAME_SAMPLES
            if onset - note.onset > NEAR:
                if ring - note.onset <= before.ring - before.onset:
                    continue
                line.pop()
                onset = max(note.onset, line[-1].onset + FRAME_SAMPLES) if line else note.onset
        if line and line[-1].ring > onset:
            start, _, its_pitch, its_velocity, _ = line[-1]
            line[-1] = fast_note((start, onset, its_pitch, its_velocity, onset))
        end = max(ring, onset + FRAME_SAMPLES)
        line.append(fast_note((onset, end, pitch, velocity, end)))
    return line


__all__ = ["NEAR", "WINDOW", "outline", "share_alone", "spaced", "window_of_beat"]
