"""Songs that the rows of a tracker can say, for tests."""

from itertools import zip_longest

from hypothesis import strategies as st

from lakhnes.runtime import Change, Kind, Note, Part, Score, Voice

ROW, FRAME = 4410, 735
"""Samples of a row at 150 BPM, and of its six frames."""

PITCHES = {Voice.P1: (24, 108), Voice.P2: (24, 108), Voice.TR: (21, 107), Voice.NO: (1, 16)}


@st.composite
def tracked(draw: st.DrawFn) -> Score:
    """Scores that rows can say: a note or an end in a row, each on some frame."""
    parts = []
    n_rows = draw(st.integers(1, 90))
    for voice in Voice:
        rows = sorted(draw(st.sets(st.integers(0, n_rows - 1), max_size=20)))
        notes, changes = [], []
        for row, after in zip(rows, [*rows[1:], n_rows], strict=False):
            onset = row * ROW + FRAME * draw(st.integers(0, 5))
            last = after * ROW if after == n_rows or after - row > 1 else onset + FRAME
            end = min(last, onset + FRAME * draw(st.integers(1, 30)))
            if end // ROW == after:
                end = after * ROW
            velocity = 15 if voice is Voice.TR else draw(st.integers(1, 15))
            notes.append(Note(onset, max(FRAME, end - onset), draw(st.integers(*PITCHES[voice])), velocity))
        if notes and voice is not Voice.TR and draw(st.booleans()):
            changes.append(Change(notes[0].onset, Kind.TIMBRE, 1))
        nexts = [note.onset for note in notes[1:]] + [n_rows * ROW]
        fitting = [note for note, after in zip(notes, nexts, strict=False) if note.end <= after]
        parts.append(Part(tuple(fitting), tuple(changes) if fitting == notes else ()))
    return Score.of(parts, n_rows * ROW)


def said_ends(notes: tuple[Note, ...], *, at_rows: bool = False) -> list[int]:
    """Where notes end in rows: a rest has no room in the row in which the next note begins.

    The note then lasts to the next one, or to the start of that row.
    """
    ends = []
    for note, after in zip_longest(notes, notes[1:]):
        joined = after is not None and note.end // ROW == after.onset // ROW
        until = 0 if after is None else after.onset // ROW * ROW if at_rows else after.onset
        ends.append(until if joined else note.end)
    return ends


def onsets_of(score: Score) -> list[list[tuple[int, int, int]]]:
    return [[(note.onset, note.pitch, note.velocity) for note in part.notes] for part in score.parts]
