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

_HAND = SAMPLE_RATE * 5 // 100
"""Samples that a hand takes at most to strike a chord, at any tempo: 50 ms."""

_TOGETHER, _HELD = 0.5, 0.75
"""Shares of the shorter note for which notes of a chord sound together: in the window, and outside of it."""

_STRUM = 0.25
"""The same of three notes and more that stand alone."""

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
    outer one is held goes, except where it takes over: it goes on where the outer one ends, or is the same
    one struck again. Notes keep their ends; they may overlap.

    Args:
        notes: by onset, then pitch.
        highest: whether the highest note is the outermost, or the lowest.
        window: samples within which notes are struck together.
    """
    line: list[LineNote] = []
    for place, note in enumerate(notes):
        onset, _, pitch, _, _ = note
        if not line or onset >= line[-1][1]:
            line.append(note)
            continue
        if -2 <= pitch - line[-1][2] <= 2 and _is_grace(note, line[-1], window):
            continue
        while line:
            before = line[-1]
            outside = (before[2] < pitch) == highest
            if (outside and _is_chord(before, notes, place, window)) or (
                -2 <= pitch - before[2] <= 2 and _is_grace(before, note, window)
            ):
                line.pop()  # the one before that may hold against this note as well
                continue
            if (
                outside
                or (before[2] == pitch and onset - before[0] > window)  # struck again
                or _takes_over(before, notes, place, highest=highest, window=window)
            ):
                line.append(note)
            break
        else:
            line.append(note)
    return line


def _is_chord(before: LineNote, notes: Sequence[LineNote], place: int, window: int) -> bool:
    """Whether two notes are struck together and sound together, rather than one after the other.

    At fast tempi a hand takes longer for a chord than the window; then its notes are held for longer, or
    stand alone.
    """
    note = notes[place]
    apart = note[0] - before[0]
    if apart > window and apart > _HAND:
        return False
    both = min(before[1], note[1]) - note[0]
    shorter = min(before[1] - before[0], note[1] - note[0])
    if both > (_TOGETHER if apart <= window else _HELD) * shorter:
        return True
    return apart > window and both > _STRUM * shorter and _is_strum(notes, place)


def _is_strum(notes: Sequence[LineNote], place: int) -> bool:
    """Whether a note is one of three and more struck within 50 ms, with as long a gap around them."""
    first = last = place
    while first and notes[first][0] - notes[first - 1][0] <= _HAND:
        first -= 1
        if notes[place][0] - notes[first][0] > _HAND:
            return False
    while last + 1 < len(notes) and notes[last + 1][0] - notes[last][0] <= _HAND:
        last += 1
        if notes[last][0] - notes[first][0] > _HAND:
            return False
    return last - first >= 2


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
    if note[0] >= before[1]:
        return True
    if note[1] <= before[1] or _is_chord(before, notes, place, window):
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
        if line:
            start, _, its_pitch, its_velocity, its_ring = line[-1]
            if onset - start < FRAME_SAMPLES:
                onset = start + FRAME_SAMPLES
                if onset - note.onset > NEAR:
                    if ring - note.onset <= its_ring - start:
                        continue
                    line.pop()
                    onset = max(note.onset, line[-1].onset + FRAME_SAMPLES) if line else note.onset
            if line and line[-1].ring > onset:
                start, _, its_pitch, its_velocity, _ = line[-1]
                line[-1] = fast_note((start, onset, its_pitch, its_velocity, onset))
        end = ring if ring - onset > FRAME_SAMPLES else onset + FRAME_SAMPLES
        line.append(fast_note((onset, end, pitch, velocity, end)))
    return line


__all__ = ["NEAR", "WINDOW", "outline", "share_alone", "spaced", "window_of_beat"]
