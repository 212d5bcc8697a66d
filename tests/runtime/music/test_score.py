import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import scores, tune, without_expression

from lakhnes.runtime import Change, Event, Kind, Note, Part, Score, ScoreBuilder, Voice
from lakhnes.runtime.music.events import VALUES
from lakhnes.runtime.music.score import events_of_score, rank, score_from_events


@given(scores())
def test_events_with_expression_give_the_same_score(score: Score) -> None:
    assert score_from_events(events_of_score(score, expression=True)) == score


@given(scores())
def test_events_without_expression_keep_the_notes(score: Score) -> None:
    assert score_from_events(events_of_score(score, expression=False)) == without_expression(score)


@given(scores())
def test_events_are_canonical(score: Score) -> None:
    spoken = -1
    for event in events_of_score(score, expression=True):
        assert event.kind is not Kind.WAIT or event.value > 0
        assert event.kind is Kind.WAIT or rank(event) > spoken
        spoken = rank(event)


@st.composite
def any_events(draw: st.DrawFn) -> list[Event]:
    kinds = st.sampled_from([(v, k) for (v, k) in VALUES])
    events = []
    for _ in range(draw(st.integers(0, 60))):
        if draw(st.booleans()):
            events.append(Event(Kind.WAIT, None, draw(st.integers(1, 500))))
        else:
            voice, kind = draw(kinds)
            events.append(Event(kind, voice, draw(st.sampled_from(VALUES[voice, kind]))))
    return events


@given(any_events())
def test_any_events_make_a_valid_score_with_one_canonical_form(events: list[Event]) -> None:
    score = score_from_events(events)
    assert score.length == sum(event.value for event in events if event.kind is Kind.WAIT)
    again = list(events_of_score(score, expression=True))
    assert score_from_events(again) == score


@given(any_events(), st.data())
def test_asking_for_the_score_half_way_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    builder = ScoreBuilder()
    for event in events:
        builder.add(event)
        if data.draw(st.booleans()):
            builder.score()
    assert builder.score() == score_from_events(events)


def test_the_last_state_at_a_sample_wins() -> None:
    words = [
        "P1_NOTEON_60",
        "P1_VELOCITY_3",
        "P1_NOTEON_62",
        "WT_10",
        "P1_NOTEOFF",
        "P1_NOTEON_64",
        "P1_NOTEOFF",
    ]
    from lakhnes.runtime import parse_text

    score = score_from_events(parse_text("\n".join([*words, "WT_5"])))
    assert score.parts[Voice.P1].notes == (Note(0, 10, 62, 15),)
    assert score.length == 15


@pytest.mark.parametrize(
    ("part", "voice", "reason"),
    [
        (Part((Note(0, 10, 60), Note(5, 10, 62))), Voice.P1, "overlap"),
        (Part((Note(5, 10, 60), Note(0, 2, 62))), Voice.P1, "not in time"),
        (Part((Note(0, 0, 60),)), Voice.P1, "out of range"),
        (Part((Note(-1, 5, 60),)), Voice.P1, "out of range"),
        (Part((Note(0, 10, 17),)), Voice.NO, "out of range"),
        (Part((Note(0, 10, 60, 16),)), Voice.P2, "out of range"),
        (Part((Note(0, 10, 60, 9),)), Voice.TR, "no volume"),
        (Part((Note(0, 10, 60),), (Change(3, Kind.TIMBRE, 1),)), Voice.TR, "out of range"),
        (Part((Note(0, 200, 60),)), Voice.P1, "after the end"),
        (Part((Note(0, 10, 60),), (Change(150, Kind.TIMBRE, 1),)), Voice.P1, "after the end"),
        (Part((Note(3, 10, 60),), (Change(3, Kind.VELOCITY, 1),)), Voice.P1, "the note's own velocity"),
        (Part((), (Change(3, Kind.TIMBRE, 1),)), Voice.P1, "no notes"),
        (
            Part((Note(0, 10, 60),), (Change(3, Kind.TIMBRE, 1), Change(3, Kind.TIMBRE, 2))),
            Voice.P1,
            "comes twice",
        ),
    ],
)
def test_a_score_that_breaks_a_rule_is_refused(part: Part, voice: Voice, reason: str) -> None:
    parts = [Part()] * 4
    parts[voice] = part
    with pytest.raises(ValueError, match=reason):
        Score((parts[0], parts[1], parts[2], parts[3]), 100)


def test_expression_is_seen() -> None:
    assert tune().has_expression
    assert not without_expression(tune()).has_expression
    assert tune().seconds == 4.0
    assert tune().n_notes == 8 + 4 + 16 + 16
