"""Cutting a score and joining the pieces again."""

from hypothesis import given
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.runtime import Change, Kind, Note, Part, Score, Voice
from lakhnes.runtime.music.editing import cut, extract, join, last_seconds


def sounding(score: Score) -> Score:
    """A score without the changes before its parts' first notes, which no sound has."""
    return score.map_parts(
        lambda part: Part(
            part.notes,
            tuple(c for c in part.changes if part.notes and c.sample >= part.notes[0].onset),
        )
    )


def loud(score: Score) -> list[list[object]]:
    """The notes of each part, and the changes of volume inside them."""
    found: list[list[object]] = []
    for part in score.parts:
        volumes = [change for change in part.changes if change.kind is Kind.VELOCITY]
        inside = [c for c in volumes if any(n.onset < c.sample < n.end for n in part.notes)]
        found.append([*part.notes, *inside])
    return found


@given(scores(unit=5), st.integers(0, 100_000))
def test_a_score_that_is_cut_and_joined_is_the_same_score(score: Score, place: int) -> None:
    score = sounding(score)
    sample = place % (score.length + 1)
    head, tail, seam = cut(score, sample)
    assert (head.length, tail.length) == (sample, score.length - sample)
    assert join(head, tail, seam) == score


@given(scores(unit=5), st.integers(0, 100_000), st.integers(0, 100_000))
def test_pieces_of_pieces_join_as_well(score: Score, place: int, other: int) -> None:
    score = sounding(score)
    first, second = sorted((place % (score.length + 1), other % (score.length + 1)))
    head, rest, seam = cut(score, first)
    middle, tail, later = cut(rest, second - first)
    assert loud(join(head, join(middle, tail, later), seam)) == loud(score)


def test_without_a_seam_both_notes_stay() -> None:
    one = Score((Part((Note(0, 100, 60),)), Part(), Part(), Part()), 100)
    assert join(one, one).parts[Voice.P1].notes == (Note(0, 100, 60), Note(100, 100, 60))


def test_a_note_over_the_cut_keeps_its_change_of_volume_there() -> None:
    part = Part((Note(0, 100, 60, 9),), (Change(50, Kind.VELOCITY, 4),))
    score = Score((part, Part(), Part(), Part()), 100)
    head, tail, seam = cut(score, 50)
    assert tail.parts[Voice.P1] == Part((Note(0, 50, 60, 4),))
    assert join(head, tail, seam) == score


def test_the_last_seconds_have_the_volume_that_they_have_there() -> None:
    song = tune()
    assert last_seconds(song, 1.0) == extract(song, (song.length - 44_100, song.length))
    assert last_seconds(song, 1000) == extract(song, (0, song.length))
