"""Dynamics for notes that are there."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import tune

from lakhnes.runtime import (
    Model,
    ModelError,
    MusicError,
    Note,
    Part,
    Request,
    Score,
    Voice,
    parse_chords,
    parse_scale,
)
from lakhnes.runtime.compose.dynamics import compose_dynamics
from lakhnes.runtime.music.events import VOCABULARY_PITCHES


def performed(model: Model, score: Score, seed: int = 1) -> Score:
    arrangement = compose_dynamics(model, score, Request(seed))
    for _ in arrangement:
        pass
    return arrangement.score()


def rough() -> Score:
    """The tune off the frames, with a note too short for any of them."""
    rng = np.random.default_rng(3)
    parts = []
    for part in tune().parts:
        notes = [
            replace(n, onset=n.onset + int(rng.integers(300)), length=n.length - 400) for n in part.notes
        ]
        parts.append(Part(tuple(notes)))
    brief = Note(parts[0].notes[-1].end + 50, 20, 60)
    return Score((Part((*parts[0].notes, brief)), parts[1], parts[2], parts[3]), tune().length + 44_100)


def low() -> Score:
    """The tune with pitches that no model knows."""
    p1, p2, tr, no = tune().parts
    p1 = Part(tuple(replace(note, pitch=note.pitch - 36) for note in p1.notes))
    assert min(note.pitch for note in p1.notes) < VOCABULARY_PITCHES[Voice.P1][0]
    return Score((p1, p2, tr, no), tune().length)


@pytest.mark.parametrize("score", [tune(), rough(), low()])
def test_every_note_stays_as_it_was(small_dynamic_model: Model, score: Score) -> None:
    made = performed(small_dynamic_model, score)
    for voice in Voice:
        old, new = (
            [(note.onset, note.length, note.pitch) for note in one.parts[voice].notes]
            for one in (score, made)
        )
        assert new == old
    assert made.length == score.length
    assert len({note.velocity for note in made.parts[Voice.P1].notes}) > 3
    assert any(made.parts[voice].changes for voice in (Voice.P1, Voice.P2, Voice.NO))
    assert made != performed(small_dynamic_model, score, seed=2)
    assert made == performed(small_dynamic_model, score)


@pytest.mark.parametrize(
    "asked",
    [
        {"chords": parse_chords("Am F")},
        {"scale": parse_scale("Am"), "muted": frozenset(Voice), "density": 5},
        {"ranges": {Voice.P1: (60, 61)}, "max_note_seconds": 0.05, "repetition": 5},
    ],
)
def test_settings_of_notes_do_nothing_to_notes_that_stay(
    small_dynamic_model: Model, asked: dict[str, Any]
) -> None:
    arrangement = compose_dynamics(small_dynamic_model, tune(), Request(1, **asked))
    assert list(arrangement)
    assert arrangement.score() == performed(small_dynamic_model, tune())


def test_a_rest_before_the_first_note_is_a_rest(small_dynamic_model: Model) -> None:
    late = Score((Part((Note(10 * 44_100, 44_100, 60),)), Part(), Part(), Part()), 12 * 44_100)
    arrangement = compose_dynamics(small_dynamic_model, late, Request(1))
    assert len(list(arrangement)) < 400
    assert [n.onset for n in arrangement.score().parts[Voice.P1].notes] == [10 * 44_100]


def test_what_was_there_before_says_nothing(small_dynamic_model: Model) -> None:
    flat = [Part(tuple(replace(n, velocity=15) for n in part.notes)) for part in tune().parts]
    plain = Score((flat[0], flat[1], flat[2], flat[3]), tune().length)
    assert performed(small_dynamic_model, plain) == performed(small_dynamic_model, tune())


def test_a_model_of_notes_says_which_one_it_takes(small_model: Model, small_dynamic_model: Model) -> None:
    with pytest.raises(ModelError, match=r"composes notes alone; .* --model expressive"):
        performed(small_model, tune())
    with pytest.raises(MusicError, match="no note"):
        performed(small_dynamic_model, Score(length=44_100))
