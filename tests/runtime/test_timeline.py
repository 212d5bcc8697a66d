import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime import BeatGrid, Codec, Event, Kind, Moment, Timeline, Timing, Voice, tx1

ON, OFF = Kind.NOTE_ON, Kind.NOTE_OFF


def timeline(timing: Timing = Timing.FRAMES) -> Timeline:
    return Timeline(Codec(tx1(), timing), BeatGrid.steady(120))


def filled(start: int, end: int, made: Timeline, voice: Voice = Voice.TR) -> None:
    span = made.begin(start, [])
    span.end = end
    beats = range(start, end, 480)
    made.insert(span, [Moment(tick, Event(ON, voice, 40 + tick // 480 % 20)) for tick in beats])


def test_what_is_known() -> None:
    made = timeline()
    assert made.known_until(0) == 0
    assert made.next_tick(0) is None
    filled(0, 1920, made)
    filled(3840, 5760, made)
    filled(1920, 2400, made)
    assert made.known_until(0) == made.known_until(2000) == 2400
    assert made.known_until(2400) == 2400
    assert made.known_until(4000) == 5760
    assert [moment.tick for moment in made.moments(480, 1920)] == [480, 960, 1440]
    assert made.next_tick(481) == 960
    assert made.next_tick(2000) == 3840
    assert made.limit(made.spans[1]) == 3840
    assert made.limit(made.spans[2]) is None
    assert made.at(1920) is made.spans[1]
    assert made.at(2400) is None
    assert made.last(100) is made.last(2400) is made.spans[1]
    assert made.last(3000) is None


@pytest.mark.parametrize("timing", list(Timing))
def test_forgetting_cuts_within_a_wait(timing: Timing) -> None:
    made = timeline(timing)
    filled(0, 1920, made)
    filled(3840, 5760, made)
    made.forget(700)
    assert made.known_until(0) == 700
    assert len(made.spans) == 1
    assert [moment.tick for moment in made.moments(0, 700)] == [0, 480]
    assert made.spans[0].sounding(made.codec, len(made.spans[0].tokens)) == {Voice.TR: 41}
    made.forget(0)
    assert made.known_until(0) == 0
    assert not made.spans


@given(
    st.lists(
        st.tuples(st.integers(0, 63), st.sampled_from(list(Voice)), st.booleans()), max_size=30, unique=True
    ),
    st.integers(0, 63),
)
def test_inserting_keeps_what_is_there_and_the_tokens_say_the_same(
    said: list[tuple[int, Voice, bool]], at: int
) -> None:
    """Rows of a sixteenth; tokens are in 60 Hz frames, which are finer."""
    made = timeline()
    span = made.begin(0, [])
    span.end = 64 * 120
    first = {(row, voice): on for row, voice, on in said if voice is not Voice.P1}
    moments = [
        Moment(120 * row, Event(ON if on else OFF, v, 50 if on and v is not Voice.NO else 5 * on))
        for (row, v), on in first.items()
    ]
    if moments:
        made.insert(span, moments)
    before = made.moments(0, 64 * 120)
    assert len(before) == len(moments)
    made.insert(span, [Moment(120 * at, Event(ON, Voice.P1, 72))])
    after = made.moments(0, 64 * 120)
    assert [moment for moment in after if moment.event.voice is not Voice.P1] == before
    assert Moment(120 * at, Event(ON, Voice.P1, 72)) in after
    decoded = made.codec.decode(span.tokens)
    onsets = sorted(note.onset for part in decoded.parts for note in part.notes)
    wanted = sorted(made.grid.sample(moment.tick) for moment in after if moment.event.kind is ON)
    assert all(any(abs(onset - want) <= 400 for want in wanted) for onset in onsets)
    assert span.end == 64 * 120


def test_a_span_remembers_what_was_heard_before_it() -> None:
    made = timeline()
    span = made.begin(0, [5, 6, 7])
    made.say(span, 9, 100)
    assert span.heard(2) == [7, 9]
    assert span.heard(10) == [5, 6, 7, 9]
    assert span.heard(1) == [9]
