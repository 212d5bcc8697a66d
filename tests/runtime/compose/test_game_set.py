"""A game's music: layers that line up, a loop after an intro, and short pieces in the same key."""

import pytest

from lakhnes.runtime import (
    GAME_PIECES,
    BeatGrid,
    GameSet,
    Model,
    Note,
    OptionError,
    Part,
    Request,
    Score,
    Voice,
    compose_game_set,
)
from lakhnes.runtime.bars.codec import likeliest_key
from lakhnes.runtime.compose.game_set import _weights, _with_intro

GRID = BeatGrid.steady(140)
BAR = GRID.bar_ticks
MAJOR, MINOR = {0, 2, 4, 5, 7, 9, 11}, {0, 2, 3, 5, 7, 8, 10}


@pytest.fixture(scope="module")
def made(small_model: Model) -> GameSet:
    return compose_game_set(small_model, Request(3), GRID, 4)


def test_a_set_has_all_pieces_of_whole_bars(made: GameSet) -> None:
    assert tuple(piece.name for piece in made.pieces) == GAME_PIECES
    bars = {piece.name: piece.score.length for piece in made.pieces}
    assert bars == {
        **dict.fromkeys(("layer1", "layer2", "layer3"), GRID.sample(6 * BAR)),
        "fanfare": GRID.sample(2 * BAR),
        "game-over": GRID.sample(4 * BAR),
    }
    assert [piece.intro_bars for piece in made.pieces] == [2, 2, 2, None, None]


def test_layers_are_the_same_music_with_fewer_voices(made: GameSet) -> None:
    full, harmony, calm = (piece.score for piece in made.pieces[:3])
    assert harmony.parts == (Part(), *full.parts[1:])
    assert calm.parts == (Part(), Part(), *full.parts[2:])
    assert full.parts[Voice.P1].notes


def test_the_intro_is_the_end_of_the_loop_without_its_lead(made: GameSet) -> None:
    full = made.pieces[0].score
    start, shift = GRID.sample(4 * BAR), GRID.sample(4 * BAR)
    assert all(note.onset >= GRID.sample(2 * BAR) for note in full.parts[Voice.P1].notes)
    for voice in (Voice.P2, Voice.TR, Voice.NO):
        notes = full.parts[voice].notes
        intro = [(n.onset, n.pitch) for n in notes if n.onset < GRID.sample(2 * BAR)]
        end = [(n.onset - shift, n.pitch) for n in notes if n.onset >= start]
        begun_before = [n for n in intro if n[0] == 0]  # a note that was cut at the first bar
        assert [n for n in intro if n not in begun_before] == [n for n in end if n[0] > 0]


def test_the_short_pieces_keep_to_the_key_of_the_loop(made: GameSet) -> None:
    tonic, scale = made.key % 12, MINOR if made.key >= 12 else MAJOR
    for piece in made.pieces[3:]:
        pitches = {n.pitch % 12 for voice in (Voice.P1, Voice.P2) for n in piece.score.parts[voice].notes}
        assert pitches <= {(tonic + step) % 12 for step in scale}


def test_a_seed_gives_the_same_set(made: GameSet, small_model: Model) -> None:
    assert compose_game_set(small_model, Request(3), GRID, 4) == made
    assert compose_game_set(small_model, Request(4), GRID, 4).pieces != made.pieces


def test_one_bar_is_no_loop(small_model: Model) -> None:
    with pytest.raises(OptionError, match="two bars at least"):
        compose_game_set(small_model, Request(1), GRID, 1)


def test_a_note_into_the_intro_is_cut_there() -> None:
    line = Part((Note(0, 1000, 60), Note(1000, 2000, 62)))
    whole = _with_intro(Score.of((line, line, Part(), Part()), 3000), 2000)
    assert whole.parts[Voice.P1].notes == (Note(1000, 1000, 60), Note(2000, 2000, 62))
    assert whole.parts[Voice.P2].notes == (Note(0, 1000, 62), Note(1000, 1000, 60), Note(2000, 2000, 62))


@pytest.mark.parametrize(
    ("scale", "key"), [([0, 4, 7, 0, 2, 5, 11], 0), ([9, 0, 4, 9, 11, 2, 8], 21), ([2, 6, 9, 2, 1], 2)]
)
def test_the_key_is_found_by_the_durations_of_pitches(scale: list[int], key: int) -> None:
    line = Part(tuple(Note(1000 * i, 1000, 60 + pitch) for i, pitch in enumerate(scale)))
    assert likeliest_key(_weights(Score.of((line, Part(), Part(), Part()), 9000))) == key


def test_silence_counts_as_c_major() -> None:
    assert likeliest_key(_weights(Score())) == 0
