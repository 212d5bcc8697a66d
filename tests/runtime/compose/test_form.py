"""Songs in sections, with the built-in model."""

from itertools import pairwise

import pytest

from lakhnes.runtime import BeatGrid, Model, OptionError, Request, Score, Voice
from lakhnes.runtime.compose.form import VARIED, compose_form, parse_form
from lakhnes.runtime.music.editing import extract

GRID = BeatGrid.steady(150, 3)
BARS = 2


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("AABA", ("A", "A", "B", "A")),
        (" aa'ba''", ("A", "A'", "B", "A''")),
        ("AA\u2019A\u2019", ("A", "A'", "A'")),
        ("x", ("X",)),
    ],
)
def test_forms_are_letters(text: str, form: tuple[str, ...]) -> None:
    assert parse_form(text) == form


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no form"),
        ("A B", "is no form"),
        ("'A", "is no form"),
        ("AB1", "is no form"),
        ("AC'A", "C' .* varies C, which has not come yet"),
        ("A" * 65, "64 at most"),
    ],
)
def test_what_is_no_form_is_refused(text: str, reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        parse_form(text)


def sections(score: Score, count: int) -> list[Score]:
    starts = [GRID.sample(place * BARS * GRID.bar_ticks) for place in range(count + 1)]
    assert score.length == starts[-1]
    return [extract(score, span) for span in pairwise(starts)]


def rows(score: Score) -> list[list[tuple[int, int]]]:
    """Rows and pitches of each voice; a section that comes back may begin half a sample later."""
    row = GRID.sample(1000 * GRID.row_ticks) / 1000
    return [[(round(note.onset / row), note.pitch) for note in part.notes] for part in score.parts]


def test_a_variation_needs_a_pulse(small_model: Model) -> None:
    form = parse_form("AA'")
    with pytest.raises(OptionError, match="A' gives its section new pulses, and P1 and P2 are muted; leave"):
        compose_form(small_model, form, GRID, BARS, Request(1, muted=frozenset(VARIED)))
    song = compose_form(small_model, form, GRID, BARS, Request(1, muted=frozenset({Voice.P1})))
    first, second = (rows(section) for section in sections(song.score, 2))
    assert not first[Voice.P1]
    assert not second[Voice.P1]
    assert first[Voice.P2] != second[Voice.P2]


def test_sections_come_back_and_are_varied(small_model: Model) -> None:
    told: list[tuple[float, int]] = []

    def tell(done: float, n_tokens: int) -> None:
        told.append((done, n_tokens))

    form = parse_form("ABAA'A'")
    made = compose_form(small_model, form, GRID, BARS, Request(7), progress=tell)
    first, second, again, varied, varied_again = (rows(one) for one in sections(made.score, 5))
    assert any(first)
    assert any(second)
    assert second != first
    assert again == first
    assert varied_again == varied
    assert {voice for voice in Voice if varied[voice] != first[voice]}
    assert all(varied[voice] == first[voice] for voice in Voice if voice not in VARIED)
    row = GRID.sample(1000 * GRID.row_ticks) / 1000
    onsets = [note.onset for part in made.score.parts for note in part.notes]
    assert all(abs(onset - row * round(onset / row)) <= 1 for onset in onsets)
    assert told == sorted(told)
    assert told[-1] == (1.0, made.n_tokens)
    assert 0 < made.n_tokens < len(small_model.codec.encode(made.score))
    assert made == compose_form(small_model, form, GRID, BARS, Request(7))
    assert made != compose_form(small_model, form, GRID, BARS, Request(4))


def test_a_song_of_silent_voices_is_refused(small_model: Model) -> None:
    with pytest.raises(OptionError, match="nothing would sound"):
        compose_form(small_model, ("A", "A", "B"), GRID, 1, Request(muted=frozenset(Voice)))
