import random

import numpy as np
import pytest

from lakhnes.runtime import Note
from lakhnes.studio import note_columns
from lakhnes.studio.note_columns import NoteColumns, columns_of


def line(rng: random.Random, n: int) -> tuple[Note, ...]:
    return tuple(Note(100 * i, rng.randint(1, 100), rng.randint(30, 90)) for i in range(n))


def same(one: NoteColumns, other: NoteColumns) -> bool:
    pairs = ((one.onsets, other.onsets), (one.ends, other.ends), (one.pitches, other.pitches))
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("seed", range(20))
def test_arrays_built_from_another_form_are_those_of_the_notes(seed: int) -> None:
    rng = random.Random(seed)
    notes = line(rng, rng.randint(0, 50))
    columns_of(notes)
    for _ in range(40):
        first = rng.randint(0, len(notes))
        last = rng.randint(first, len(notes))
        samples = rng.choice((0, 0, 5000))
        rest = tuple(note.moved(samples) for note in notes[last:]) if samples else notes[last:]
        edited = (*notes[:first], *line(rng, rng.randint(0, 3)), *rest)
        assert same(columns_of(edited, notes), NoteColumns.of(edited))
        notes = edited


def test_arrays_are_built_once_and_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    lines = [line(rng, 5) for _ in range(40)]
    first = columns_of(lines[0])
    assert columns_of(lines[0]) is first
    for notes in lines:
        columns_of(notes)
    assert columns_of(lines[0]) is not first
    assert len(note_columns._kept) <= note_columns._KEPT
