import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support import scores

from lakhnes.runtime import (
    BeatGrid,
    Change,
    Codec,
    Event,
    Kind,
    Moment,
    Note,
    Part,
    Score,
    Timeline,
    Timing,
    Voice,
    tx1,
    tx2,
)
from lakhnes.runtime.music.timing import EVENT_TIMINGS

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


@pytest.mark.parametrize("timing", EVENT_TIMINGS)
def test_forgetting_cuts_within_a_wait(timing: Timing) -> None:
    made = timeline(timing)
    filled(0, 1920, made)
    filled(3840, 5760, made)
    made.forget(700)
    assert made.known_until(0) == 700
    assert len(made.spans) == 1
    assert [moment.tick for moment in made.moments(0, 700)] == [0, 480]
    (turn,) = made.spans[0].last_turns(made.codec, len(made.spans[0].tokens))
    assert made.codec.event(made.spans[0].tokens[turn]) == Event(Kind.NOTE_ON, Voice.TR, 41)
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
    wanted = sorted(made.model_grid.sample(moment.tick) for moment in after if moment.event.kind is ON)
    assert all(any(abs(onset - want) <= 400 for want in wanted) for onset in onsets)
    assert span.end == 64 * 120


def test_a_span_remembers_what_was_heard_before_it() -> None:
    made = timeline()
    span = made.begin(0, [5, 6, 7])
    made.say(span, 9, 100)
    assert span.read(2) == [7, 9]
    assert span.read(10) == [5, 6, 7, 9]
    assert span.read(1) == [9]


def on_ticks(score: Score, grid: BeatGrid) -> Score:
    """A score whose times are ticks, in samples."""
    four = [
        Part(
            tuple(
                Note(grid.sample(n.onset), grid.sample(n.end) - grid.sample(n.onset), n.pitch, n.velocity)
                for n in part.notes
            ),
            tuple(Change(grid.sample(c.sample), c.kind, c.value) for c in part.changes),
        )
        for part in score.parts
    ]
    return Score((four[0], four[1], four[2], four[3]), grid.sample(score.length))


@given(
    scores(),
    st.sampled_from([tx1(), tx2()]),
    st.sampled_from(EVENT_TIMINGS),
    st.sampled_from([61.7, 120, 400]),
)
def test_a_score_that_is_loaded_is_there_as_it_was(score, vocabulary, timing, bpm) -> None:
    grid = BeatGrid.steady(bpm)
    score = on_ticks(score, grid)
    made = Timeline(Codec(vocabulary, timing), BeatGrid.steady(90))
    filled(0, 960, made)
    made.load(score, grid=grid)
    assert made.edition == 1
    assert made.take_changes() is None
    assert made.score() == (0, score)
    assert made.grid.sample(made.end) == score.length
    assert made.known_until(0) == made.end
    onsets = {(m.tick, m.event.voice, m.event.value) for m in made.moments(0, 1 << 40) if m.event.kind is ON}
    assert onsets == {(grid.tick(n.onset), v, n.pitch) for v in Voice for n in score.parts[v].notes}
    ticks = sorted({moment.tick for moment in made.moments(0, made.end)})
    tick, woken = made.next_tick(0), []
    while tick is not None:
        woken.append(tick)
        tick = made.next_tick(tick + 1)
    assert [tick for tick in woken if tick < made.end] == ticks, (
        "whoever sleeps until the next tick misses nothing"
    )


def test_the_model_hears_what_it_knows_of_a_loaded_score() -> None:
    made = timeline()
    lead = Part((Note(0, 22_050, 20, 9), Note(22_050, 22_050, 60)), (Change(11_025, Kind.TIMBRE, 2),))
    made.load(Score((lead, Part(), Part(), Part()), 88_200))
    told = [(tick, event) for tick, event in made.moments(0, 1920)]
    assert told == [
        (0, Event(ON, Voice.P1, 20)),
        (0, Event(Kind.VELOCITY, Voice.P1, 9)),
        (240, Event(Kind.TIMBRE, Voice.P1, 2)),
        (480, Event(ON, Voice.P1, 60)),
        (960, Event(OFF, Voice.P1)),
    ]
    heard = made.codec.decode(made.spans[0].tokens)
    assert [note.pitch for note in heard.parts[0].notes] == [44, 60]
    assert made.sounding(480) == {Voice.P1: 20}
    assert made.sounding(481) == {Voice.P1: 60}
    assert made.sounding(1920) == {}
    made.forget(240)
    assert [event.kind for _, event in made.moments(0, 1920)] == [ON, Kind.VELOCITY]
    assert made.sounding(240) == {Voice.P1: 20}


def test_times_between_ticks_and_notes_of_no_length_lose_no_order() -> None:
    made = timeline()
    notes = (Note(0, 3, 60), Note(3, 30, 61), Note(33, 5, 62), Note(44_080, 20, 63))
    made.load(Score((Part(notes), Part(), Part(), Part()), 44_100))
    told = [(tick, event.kind, event.value) for tick, event in made.moments(0, 1000)]
    assert told == [(0, ON, 61), (1, ON, 62), (2, OFF, 0)]
    assert made.end == 960


def test_what_rings_over_the_first_change_comes_whole() -> None:
    made = timeline()
    span = made.begin(0, [])

    def say(tick: int, *events: Event) -> None:
        if tick > span.end:
            made.say(span, made.codec.wait_token(made.grid.sample(tick) - made.grid.sample(span.end)), tick)
        for event in events:
            made.say(span, made.codec.token(event), tick)

    say(0, Event(ON, Voice.P1, 60))
    say(960, Event(ON, Voice.P1, 62), Event(ON, Voice.TR, 40))
    say(1920)
    assert made.take_changes() == (0, made.score()[1])
    assert made.take_changes() is None
    say(1920, Event(OFF, Voice.TR))
    say(2400, Event(OFF, Voice.P1))
    start, score = made.take_changes()
    assert start == 960
    assert score.parts[0].notes == (Note(0, 66_150, 62),)
    assert score.parts[2].notes == (Note(0, 44_100, 40),)
    assert score.length == 66_150
    made.forget(0)
    assert made.take_changes() == (0, Score())


class Document(RuleBasedStateMachine):
    """A document that follows a timeline by its changes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.made = Timeline(Codec(tx2(), Timing.FRAMES), BeatGrid.steady(133))
        self.document = Score()

    @rule(score=scores())
    def load(self, score):
        self.made.load(score)
        self.document = self.made.score()[1]

    @rule(
        place=st.integers(0, 8),
        said=st.lists(st.integers(0, 2000), max_size=8),
        voice=st.sampled_from(list(Voice)),
    )
    def compose(self, place, said, voice):
        """Says what the numbers mean, at the end of what is there or after a gap."""
        made = self.made
        tick = made.end + 480 * max(0, place - 4)
        span = made.last(tick) or made.begin(tick, [])
        for number in said:
            kind = (ON, OFF, Kind.TIMBRE, Kind.VELOCITY)[number % 4]
            made.say(span, made.codec.wait_token(735), span.end + 1 + number)
            if voice is not Voice.TR or kind in (ON, OFF):
                value = {ON: 7 if voice is Voice.NO else 60 + number % 9, OFF: 0, Kind.TIMBRE: number % 2}
                made.say(
                    span, made.codec.token(Event(kind, voice, value.get(kind, 1 + number % 15))), span.end
                )

    @rule(tick=st.integers(0, 20_000))
    def forget(self, tick):
        self.made.forget(tick)

    @rule(tick=st.integers(0, 20_000), on=st.booleans())
    def insert(self, tick, on):
        span = self.made.at(tick)
        if span is not None:
            self.made.insert(span, [Moment(tick, Event(ON, Voice.P1, 50) if on else Event(OFF, Voice.P1))])

    @rule()
    def read(self):
        changes = self.made.take_changes()
        if changes is None:
            return
        start, score = changes
        at = self.made.grid.sample(start)
        four = []
        for old, new in zip(self.document.parts, score.parts, strict=True):
            kept = [note for note in old.notes if note.onset < at]
            notes = (*kept, *(Note(n.onset + at, n.length, n.pitch, n.velocity) for n in new.notes))
            changes = [change for change in old.changes if change.sample < at]
            changes += [Change(c.sample + at, c.kind, c.value) for c in new.changes]
            four.append(Part(notes, tuple(changes) if notes else ()))
        self.document = Score((four[0], four[1], four[2], four[3]), at + score.length)

    @invariant()
    def what_was_read_is_what_is_there(self):
        self.read()
        whole = self.made.score()
        assert whole == (0, self.document) or not self.made.spans


def test_a_change_comes_with_the_first_note_that_lasts() -> None:
    """The first note begins where its span ends, and a gap follows: it is none."""
    document = Document()
    for place, said in ((0, [2, 0]), (5, []), (0, [0, 0])):
        document.compose(place, said, Voice.P1)
        document.what_was_read_is_what_is_there()
    assert document.document.parts[0].changes


TestDocument = Document.TestCase
TestDocument.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


def test_a_note_that_rings_over_the_end_goes_on_when_it_is_loaded() -> None:
    made = timeline()
    beat = made.grid.sample(480)
    score = Score((Part((Note(0, beat, 60),)), Part(), Part(), Part()), beat)
    made.load(score)
    assert made.sounding(481) == {}
    made.load(score, ringing={Voice.P1})
    assert made.end == 480
    assert [moment.event.kind for moment in made.moments(0, 960)] == [ON]
    made.load(score, ringing={Voice.P2})
    assert [moment.event.kind for moment in made.moments(0, 960)] == [ON, OFF]
