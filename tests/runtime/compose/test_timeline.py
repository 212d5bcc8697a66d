import random

import pytest
from bar_songs import CODEC
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
from lakhnes.runtime.bars.codec import BarredCodec
from lakhnes.runtime.music.editing import extract, spliced, with_span
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


CODECS = [
    Codec(tx1(), Timing.FRAMES),
    Codec(tx2(), Timing.SAMPLES),
    BarredCodec(CODEC.vocabulary, [Event(Kind.METER, None, 4), Event(Kind.ARTICULATION, Voice.P1, 1)]),
]


def any_score(rng: random.Random) -> Score:
    """A score of any density, some of whose notes are shorter than a tick."""
    unit, parts = rng.choice((1, 7, 200, 5000)), []
    for voice in Voice:
        notes, time = [], 0
        for _ in range(rng.choice((0, 1, 5, 12))):
            time += unit * rng.choice((0, 0, 1, 3, 9))
            pitch = rng.randint(1, 16) if voice is Voice.NO else rng.choice((5, 30, 45, 60, 100))
            velocity = 15 if voice is Voice.TR else rng.randint(1, 15)
            notes.append(Note(time, unit * rng.randint(1, 6) + rng.randint(0, 3), pitch, velocity))
            time = notes[-1].end
        changes, onsets = [], {note.onset for note in notes}
        for sample in sorted(rng.sample(range(time), min(time, 0 if voice is Voice.TR else 4))):
            if rng.random() < 0.5:
                changes.append(Change(sample, Kind.TIMBRE, rng.randint(0, 1)))
            elif sample not in onsets:
                changes.append(Change(sample, Kind.VELOCITY, rng.randint(1, 15)))
        parts.append(Part(tuple(notes), tuple(changes)))
    ends = [part.notes[-1].end for part in parts if part.notes]
    return Score.of(parts, max(ends, default=0) + rng.choice((0, 1, 5 * unit)))


def edited(score: Score, rng: random.Random) -> Score:
    """A score with a span of some voices from another one."""
    first = rng.randint(0, score.length)
    last = min(score.length, first + rng.randint(0, max(1, score.length // rng.choice((1, 6)))))
    return with_span(score, any_score(rng), (first, last), {v for v in Voice if rng.random() < 0.4})


def in_other_bars(score: Score, grid: BeatGrid, rng: random.Random) -> Score:
    """A score with a span taken out and another one put in; mostly whole bars."""
    bar = grid.bar_ticks if rng.random() < 0.8 else rng.choice((1, 120, 480))
    first = rng.randint(0, max(1, grid.tick(score.length) // bar)) * bar
    out, into = (rng.choice((0, 0, 1, 2, 3)) * bar for _ in range(2))
    first, last, end = map(grid.sample, (first, first + out, first + into))
    middle = any_score(rng) if rng.random() < 0.5 else Score()
    middle = extract(middle.lengthened(end - first), (0, end - first)) if end > first else Score()
    return spliced(score, (first, last), middle)


def song_of_bars(rng: random.Random, grid: BeatGrid) -> Score:
    """A song of several bars, most of whose notes lie on rows."""
    parts, end = [], 0
    for voice in Voice:
        notes, tick = [], 0
        for _ in range(rng.choice((0, 3, 30, 60))):
            tick += rng.choice((0, 0, 120, 240, 960))
            after = tick + rng.choice((40, 120, 240, 480, 1920, 5000))
            start, stop = (grid.sample(at + (rng.random() < 0.1)) for at in (tick, after))
            pitch = rng.randint(1, 16) if voice is Voice.NO else rng.randint(40, 80)
            notes.append(Note(start, stop - start, pitch, 15 if voice is Voice.TR else rng.randint(1, 15)))
            tick = after + 1 if rng.random() < 0.1 else after + 120
        changes = [Change(n.onset, Kind.TIMBRE, 1) for n in notes if voice is Voice.P2 and rng.random() < 0.2]
        parts.append(Part(tuple(notes), tuple(changes)))
        end = max([end, *(note.end for note in notes[-1:])])
    return Score.of(parts, end + rng.choice((0, 1, 9000)))


def told(made: Timeline) -> list[object]:
    """What the model reads of each span, and when what it plays is said."""
    return [
        (
            span.start,
            span.end,
            span.prompt,
            span.tokens,
            [tick for tick, token in zip(span.ticks, span.tokens, strict=True) if made.codec.plays[token]],
        )
        for span in made.spans
    ]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.timing.value)
@pytest.mark.parametrize("seed", range(30))
def test_another_form_of_a_song_is_loaded_as_if_it_were_new(codec: Codec, seed: int) -> None:
    rng, grid = random.Random(seed), BeatGrid.steady(117)
    ringing = {voice for voice in Voice if rng.random() < 0.2}
    score, going = any_score(rng), Timeline(codec, grid)
    for _ in range(5):
        fresh = Timeline(codec, grid)
        for made in (going, fresh):
            made.load(score, ringing=ringing)
        assert going.moments(0, 1 << 40) == fresh.moments(0, 1 << 40)
        assert going.score() == fresh.score()
        assert going.sounding(going.end + 1) == fresh.sounding(fresh.end + 1)
        assert told(going) == told(fresh)
        score = edited(score, rng)


@pytest.mark.parametrize("bpm", [120, 117, 150])
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.timing.value)
@pytest.mark.parametrize("seed", range(30))
def test_a_song_with_bars_put_in_or_taken_out_is_loaded_as_if_it_were_new(
    codec: Codec, seed: int, bpm: int
) -> None:
    rng, grid = random.Random(seed), BeatGrid.steady(bpm)
    score, going = song_of_bars(rng, grid), Timeline(codec, grid)
    for _ in range(6):
        fresh = Timeline(codec, grid)
        for made in (going, fresh):
            made.load(score)
        assert going.moments(0, 1 << 40) == fresh.moments(0, 1 << 40)
        assert going.score() == fresh.score()
        assert told(going) == told(fresh)
        score = in_other_bars(score, grid, rng) if rng.random() < 0.8 else edited(score, rng)


@pytest.mark.parametrize("bars", [1, -1, 8, -7])
def test_bars_put_in_at_the_start_leave_the_rest_as_it_was_said(
    bars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the bars is said, however long the song is."""
    grid, codec = BeatGrid.steady(120), CODECS[2]
    row = grid.sample(120)
    notes = tuple(Note(row * 4 * i, row * 2, 60 + i % 12) for i in range(4 * 200))
    song = Score.of((Part(notes), Part(), Part(), Part()), row * 16 * 200)
    first, made = grid.sample(9 * 1920), Timeline(codec, grid)
    made.load(song)
    n_said: list[int] = []
    rewrite = Timeline._rewrite

    def counted(self, span, index, first, moments, *rest):  # type: ignore[no-untyped-def]
        moments = list(moments)
        n_said.append(len(moments))
        return rewrite(self, span, index, first, moments, *rest)

    monkeypatch.setattr(Timeline, "_rewrite", counted)
    empty = Score(length=grid.sample(max(0, bars) * 1920))
    there = spliced(song, (first, first + grid.sample(max(0, -bars) * 1920)), empty)
    made.load(there)
    assert sum(n_said) < 40
    fresh = Timeline(codec, grid)
    fresh.load(there)
    assert told(made) == told(fresh)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.timing.value)
@pytest.mark.parametrize("seed", range(30))
def test_another_form_of_what_was_composed_is_loaded(codec: Codec, seed: int) -> None:
    """Whatever was said since the song was loaded, and read or not."""
    rng, grid = random.Random(seed), BeatGrid.steady(117)
    going, fresh = Timeline(codec, grid), Timeline(codec, grid)
    going.load(any_score(rng))
    span = going.last(going.end) or going.begin(0, codec.beginning_at(0))
    for _ in range(rng.randint(0, 3)):
        going.insert(span, [Moment(span.end, Event(ON, Voice.TR, 40))])
        going.fill(span, span.end + 480 * rng.randint(1, 9))
    score = edited(going.score()[1], rng)
    if rng.random() < 0.5:
        going.take_changes()
    for made in (going, fresh):
        made.load(score)
    assert going.moments(0, 1 << 40) == fresh.moments(0, 1 << 40)
    assert going.score() == fresh.score()


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


@pytest.mark.parametrize(
    "said",
    [
        [(0, [2, 0], Voice.P1), (5, [], Voice.P1), (0, [0, 0], Voice.P1)],
        [
            *((0, [0, 0], Voice.P2), (5, [], Voice.P1), (0, [0], Voice.P1)),
            *((0, [2, 0], Voice.P2), (5, [2], Voice.P1)),
        ],
    ],
    ids=["of the first note", "after other notes"],
)
def test_a_note_that_a_gap_ends_at_once_is_none(said: list[tuple[int, list[int], Voice]]) -> None:
    """The last note before a gap begins where its span ends; the changes before it are there all the same."""
    document = Document()
    for place, numbers, voice in said:
        document.compose(place, numbers, voice)
        document.what_was_read_is_what_is_there()
    assert any(part.changes for part in document.document.parts)


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
