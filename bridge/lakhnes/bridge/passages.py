"""What a voice plays where its own line rests: passages of other lines, as an orchestra takes turns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lakhnes.bridge.lines import Line, LineNote
from lakhnes.bridge.monophony import WINDOW, outline, spaced
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.music.timing import FRAME_SAMPLES

REST = 2 * SAMPLE_RATE
"""Samples of silence from which on another line may take over."""

_FEWEST = 2
"""Notes of a passage; fewer are no music."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A line with passages of others in its rests."""

    notes: list[LineNote]
    """By onset; none overlaps the next."""
    onsets: frozenset[int]
    """Where notes of other lines begin; their velocities say all of their loudness."""
    lines: tuple[Line, ...]
    """Whose they are."""
    counts: tuple[int, ...]
    """How many are of each."""


def filled(
    notes: Sequence[LineNote],
    others: Iterable[Line],
    played: Container[tuple[int, int]],
    *,
    highest: bool,
    window: int = WINDOW,
) -> Filled:
    """Fills the rests of a line.

    Args:
        notes: of the line.
        others: lines that may take over, the one to hear first at first.
        played: onset and pitch of what other voices play already.
        highest: whether the top of a passage is heard, or the bottom.
        window: samples within which notes are struck together.
    """
    line = list(notes)
    onsets: set[int] = set()
    used: list[Line] = []
    counts: list[int] = []
    rests = _rests(line)
    for other in others if rests else ():
        passages: list[LineNote] = []
        for start, end in rests:
            first, last = bisect_left(other.notes, (start,)), bisect_left(other.notes, (end - window,))
            inside = [note for note in other.notes[first:last] if (note.onset, note.pitch) not in played]
            if inside:
                passages += _passage(other, inside, end, highest=highest, window=window)
        if len(passages) >= _FEWEST:
            line = sorted([*line, *passages])
            rests = _rests(line)
            onsets |= {note.onset for note in passages}
            used.append(other)
            counts.append(len(passages))
    return Filled(line, frozenset(onsets), tuple(used), tuple(counts))


def _passage(
    line: Line, inside: Sequence[LineNote], end: float, *, highest: bool, window: int
) -> Iterator[LineNote]:
    """What is heard of the notes of a line in a rest that ends at a sample."""
    for note in spaced(outline(inside, highest=highest, window=window)):
        if note.onset + max(window, FRAME_SAMPLES) <= end:
            velocity = max(1, min(127, round(note.velocity * line.level(note.onset))))
            stop = int(min(note.ring, end))
            yield LineNote(note.onset, stop, note.pitch, velocity, stop)


def _rests(line: Sequence[LineNote]) -> list[tuple[int, float]]:
    """First sample of each rest that lasts, and the one after it."""
    rests: list[tuple[int, float]] = []
    start = 0
    for note in line:
        if note.onset - start >= REST:
            rests.append((start, note.onset))
        start = note.ring
    return [*rests, (start, float("inf"))]
