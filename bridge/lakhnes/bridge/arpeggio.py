"""Chords as one voice plays them in games: note after note, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

from lakhnes.bridge.lines import LineNote
from lakhnes.bridge.monophony import WINDOW
from lakhnes.runtime.music.timing import FRAME_SAMPLES

FEWEST = 3
"""Notes that must be held for an arpeggio."""


def arpeggiated(notes: Sequence[LineNote], window: int = WINDOW) -> list[LineNote]:
    """One voice of a chord part: three notes and more as an arpeggio, one note a frame; else the highest.

    Args:
        notes: by onset; may overlap.
        window: samples within which notes are struck, and let go, together.
    """
    line: list[LineNote] = []
    moments = _moments(notes, window)
    held: list[LineNote] = []
    coming = 0
    for moment, following in zip(moments, [*moments[1:], None], strict=True):
        while coming < len(notes) and notes[coming].onset <= moment + window:
            held.append(notes[coming])
            coming += 1
        held = [note for note in held if note.ring > moment + window // 2]
        if following is None or not held:
            continue
        end = min(following, max(note.ring for note in held))
        by_pitch = {note.pitch: note for note in sorted(held)}
        chord = [by_pitch[pitch] for pitch in sorted(by_pitch)]
        if len(chord) < FEWEST:
            _sing(line, chord[-1], moment, end)
            continue
        for step, onset in enumerate(range(moment, end - FRAME_SAMPLES + 1, FRAME_SAMPLES)):
            note = chord[step % len(chord)]
            line.append(note._replace(onset=onset, end=onset + FRAME_SAMPLES, ring=onset + FRAME_SAMPLES))
    return line


def _moments(notes: Sequence[LineNote], window: int) -> list[int]:
    """Where notes begin or end, those within a window once."""
    moments: list[int] = []
    for moment in sorted({note.onset for note in notes} | {note.ring for note in notes}):
        if not moments or moment - moments[-1] > window:
            moments.append(moment)
    return moments


def _sing(line: list[LineNote], note: LineNote, onset: int, end: int) -> None:
    """Adds a note, or lets it go on where it sounds already."""
    if line and line[-1].pitch == note.pitch and line[-1].ring == onset and note.onset < onset:
        line[-1] = line[-1]._replace(end=end, ring=end)
    else:
        start = max(onset, note.onset)
        if start < end:
            line.append(note._replace(onset=start, end=end, ring=end))
