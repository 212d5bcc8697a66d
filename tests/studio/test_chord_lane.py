"""Chords over the bars of a song."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime import OptionError, parse_chords
from lakhnes.runtime.music.chords import NO_CHORD
from lakhnes.studio.chord_lane import chord_at, chords_of, with_chords
from lakhnes.studio.session import Session
from lakhnes.studio.state import SongState

NAMES = ("C", "Am7", "F/G", "N.C.", "F#m7b5")


def names(text: str, bars: int) -> str:
    return " ".join(chord_at(text, bar).name for bar in range(bars))


def test_chords_are_written_bar_by_bar_and_come_again() -> None:
    text = ""
    for bar, name in enumerate(("Am", "F", "C", "G")):
        text = with_chords(text, bar, name)
    assert text == "Am F C G"
    assert names(text, 6) == "Am F C G Am F"
    assert with_chords(text, 5, "Dm7 E7") == "Am F C G Am Dm7 E7 G"
    assert with_chords(text, 2, "") == "Am F N.C. G"
    assert with_chords("", 2, "f#m") == "N.C. N.C. F#m N.C."
    assert with_chords("Am", 0, " ") == ""


@given(
    st.lists(st.sampled_from(NAMES), max_size=6),
    st.integers(0, 20),
    st.lists(st.sampled_from(NAMES), max_size=5),
)
def test_only_the_bars_that_are_written_change(there: list[str], bar: int, typed: list[str]) -> None:
    before = " ".join(there)
    after = with_chords(before, bar, " ".join(typed))
    new = parse_chords(" ".join(typed)) if typed else (NO_CHORD,)
    length = len(chords_of(after))
    assert [chord_at(after, bar + place) for place in range(len(new))] == list(new)
    assert not length or not there or length % len(there) == 0
    for place in set(range(length)) - set(range(bar, bar + len(new))):
        assert chord_at(after, place) == chord_at(before, place)


def test_what_is_no_chord_is_refused_and_changes_nothing() -> None:
    with pytest.raises(OptionError, match="'X7' is no chord"):
        with_chords("Am F", 1, "C X7")
    assert chords_of("Am X") == ()


def test_the_request_has_the_chords_and_undoing_takes_them_back() -> None:
    session = Session(SongState())
    session.change("Chords", chords="Am F/G")
    assert session.state.request.chords == parse_chords("Am F/G")
    session.undo()
    assert session.state.request.chords == ()
