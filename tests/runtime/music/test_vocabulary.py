from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime import Event, Kind, MusicError, Vocabulary, Voice, tx1, tx2
from lakhnes.runtime.music.vocabulary import END_TOKEN

OFFS = "P1_NOTEOFF\nP2_NOTEOFF\nTR_NOTEOFF\nNO_NOTEOFF\n"


def test_tx1_has_the_631_tokens_of_the_paper() -> None:
    vocabulary = tx1()
    assert len(vocabulary) == 631
    assert len(vocabulary.waits) == 370
    assert str(vocabulary.events[END_TOKEN]) == "<S>"
    assert [str(event) for event in vocabulary.events[1:3]] == ["WT_1", "WT_2"]
    assert [str(event) for event in vocabulary.events[370:373]] == ["WT_100000", "P1_NOTEOFF", "P1_NOTEON_33"]
    assert str(vocabulary.events[-1]) == "NO_NOTEON_16"


def test_tx1_equals_the_originals_file(shared: Path) -> None:
    assert tx1().to_text().split() == (shared / "fixtures/lakhnes/tiny/vocab.txt").read_text().split()


def test_tx2_adds_velocity_and_timbre_after_each_voices_notes() -> None:
    words = [str(event) for event in tx2().events]
    assert len(words) == 631 + 2 * (15 + 4) + 15 + 2
    place = words.index("P1_NOTEON_108")
    assert words[place + 1 : place + 3] == ["P1_VELOCITY_1", "P1_VELOCITY_2"]
    assert words[place + 15 : place + 21] == [
        "P1_VELOCITY_15",
        "P1_TIMBRE_0",
        "P1_TIMBRE_1",
        "P1_TIMBRE_2",
        "P1_TIMBRE_3",
        "P2_NOTEOFF",
    ]
    assert not any(word.startswith(("TR_VELOCITY", "TR_TIMBRE")) for word in words)


@given(st.integers(1, 200_000))
def test_a_wait_becomes_the_nearest_one_and_the_lower_on_a_tie(samples: int) -> None:
    vocabulary = tx1()
    got = vocabulary.events[vocabulary.token(Event(Kind.WAIT, None, samples))].value
    assert got == min(vocabulary.waits, key=lambda wait: (abs(wait - samples), wait))


@pytest.mark.parametrize(
    ("samples", "wait"), [(735, 730), (17640, 18000), (105, 100), (1050, 1000), (10500, 10000)]
)
def test_known_waits(samples: int, wait: int) -> None:
    assert tx1().nearest_wait(samples) == wait


def test_a_pitch_outside_the_vocabulary_says_the_ranges() -> None:
    with pytest.raises(MusicError, match=r"no P1_NOTEON_30: .*P1 33\.\.108"):
        tx1().token(Event(Kind.NOTE_ON, Voice.P1, 30))


def test_names_and_texts_round_trip() -> None:
    for vocabulary, name in ((tx1(), "tx1"), (tx2(), "tx2")):
        assert vocabulary.name == name
        assert Vocabulary.from_text(vocabulary.to_text()) == vocabulary
    own = Vocabulary.from_text("WT_735\nP1_NOTEON_60\n" + OFFS)
    assert own.name == "custom"
    assert not own.has_expression


def test_a_broken_vocabulary_says_where() -> None:
    with pytest.raises(ValueError, match="line 2"):
        Vocabulary.from_text("WT_1\nNONSENSE\n")
    with pytest.raises(ValueError, match="line 7"):
        Vocabulary.from_text("\n\n\nWT_1\n\n\nFOO")
    with pytest.raises(ValueError, match="no TR_NOTEOFF"):
        Vocabulary.from_text("WT_1\nP1_NOTEOFF\nP2_NOTEOFF\nNO_NOTEOFF")
    with pytest.raises(ValueError, match="twice"):
        Vocabulary.from_text("WT_1\nWT_1\n")
