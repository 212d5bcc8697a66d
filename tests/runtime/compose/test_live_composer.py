"""Live composing against composing at once: the same seed, the same music."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny import tiny_model_of

from lakhnes.runtime import (
    BeatGrid,
    DecodeState,
    Event,
    Kind,
    LiveComposer,
    Model,
    Moment,
    Note,
    Part,
    Request,
    Sampling,
    Score,
    Timeline,
    Timing,
    Voice,
    compose_song,
)
from lakhnes.runtime.compose import live_composer
from lakhnes.runtime.decode.composer import read_prompt
from lakhnes.runtime.decode.repetition import RepetitionPenalty

BAR = 4 * 480


def composed_at_once(
    model: Model,
    grid: BeatGrid,
    seed: int,
    end: int,
    request: Request | None = None,
    changes: Iterable[tuple[int, Request]] = (),
) -> list[Moment]:
    """What a seed composes up to a tick, with other requests from some ticks on."""
    request = replace(request or Request(), seed=seed)
    arrangement = compose_song(model, request, grid, length_samples=grid.sample(end))
    song, time = arrangement.composer.song, arrangement.time
    codec, timeline = song.codec, Timeline(song.codec, grid)
    ticks, span = timeline.model_grid, timeline.begin(0, ())
    waiting = deque(changes)
    logits = read_prompt(model, song, song.prompt)
    while not song.over:
        while waiting and ticks.tick(song.time_samples) >= waiting[0][0]:
            request = waiting.popleft()[1]
            song.ask(request.sampling, request.processors(codec, time.rows, pace=time.pace))
        token, events = song.take(logits)
        for event in events:
            if event.kind is Kind.WAIT:
                timeline.say(span, token, ticks.tick(song.time_samples))
            elif event.kind is not Kind.END:
                timeline.say(span, codec.token(event), span.end)
        logits = model.step(token)
    timeline.articulate(span, 0)
    return timeline.moments(0, end)


def fill(live: LiveComposer, place: int, end: int) -> None:
    while live.timeline.known_until(place) < end:
        live.compose(place, end - place)


@pytest.mark.parametrize(("seed", "bpm"), [(7, 120.0), (8, 97.0), (9, 180.0)])
def test_live_is_what_the_seed_says(small_model: Model, seed: int, bpm: float) -> None:
    grid = BeatGrid.steady(bpm)
    live = LiveComposer(small_model, grid, seed=seed)
    fill(live, 0, 10 * BAR)
    played = live.timeline.moments(0, 10 * BAR)
    assert len(played) > 50
    assert played == composed_at_once(small_model, grid, seed, 10 * BAR)


def test_live_dynamics_are_what_the_seed_says(small_dynamic_model: Model) -> None:
    model, grid = small_dynamic_model, BeatGrid.steady(97)
    live = LiveComposer(model, grid, seed=5)
    fill(live, 0, 4 * BAR)
    played = live.timeline.moments(0, 4 * BAR)
    assert any(moment.event.kind is Kind.VELOCITY for moment in played)
    assert played == composed_at_once(model, grid, 5, 4 * BAR)


def test_the_target_surprise_is_followed_from_bar_to_bar(small_model: Model) -> None:
    grid, request = BeatGrid.steady(120), Request(sampling=Sampling(surprise=5.0))
    live = LiveComposer(small_model, grid, request, seed=7)
    fill(live, 0, 10 * BAR)
    played = live.timeline.moments(0, 10 * BAR)
    assert played == composed_at_once(small_model, grid, 7, 10 * BAR, request)
    assert played != composed_at_once(small_model, grid, 7, 10 * BAR, Request(sampling=Sampling()))


def test_it_composes_no_more_than_is_asked(small_model: Model) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120))
    while live.compose(0, 2 * BAR):
        pass
    known = live.timeline.known_until(0)
    assert 2 * BAR <= known < 4 * BAR
    assert not live.compose(0, 2 * BAR)
    assert live.compose(known - BAR, 2 * BAR)


def test_a_jump_leaves_a_gap_that_is_filled_when_somebody_comes(small_model: Model) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=3)
    fill(live, 0, 2 * BAR)
    first = live.timeline.moments(0, 2 * BAR)
    live.compose(20 * BAR, BAR)
    assert live.timeline.known_until(20 * BAR) >= 21 * BAR
    there = live.timeline.moments(20 * BAR, 21 * BAR)
    assert live.timeline.known_until(0) < 20 * BAR
    fill(live, 0, 21 * BAR)
    assert live.timeline.moments(0, 2 * BAR) == first, "what was played plays the same"
    again = live.timeline.moments(20 * BAR, 21 * BAR)
    assert [m for m in again if m in there] == there
    assert {m.event.kind for m in again if m not in there} <= {Kind.NOTE_OFF}, "only ends of notes are new"
    assert not hanging(live, 20 * BAR)


def hanging(live: LiveComposer, tick: int) -> set[Voice]:
    """The voices that sound when everything up to and at a tick is played, but begin nothing there."""
    sounding = set()
    begun = set()
    for at, event in live.timeline.moments(0, tick + 1):
        if event.kind is Kind.NOTE_ON:
            sounding.add(event.voice)
            if at == tick:
                begun.add(event.voice)
        elif event.kind is Kind.NOTE_OFF:
            sounding.discard(event.voice)
    return {voice for voice in sounding - begun if voice is not None}


def test_another_take_keeps_what_is_before_it(small_model: Model) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=5)
    fill(live, 0, 6 * BAR)
    old = live.timeline.moments(0, 6 * BAR)
    live.new_take(3 * BAR)
    assert live.timeline.known_until(0) == 3 * BAR
    fill(live, 0, 6 * BAR)
    new = live.timeline.moments(0, 6 * BAR)
    assert [m for m in new if m.tick < 3 * BAR] == [m for m in old if m.tick < 3 * BAR]
    assert new != old
    twin = LiveComposer(small_model, BeatGrid.steady(120), seed=5)
    fill(twin, 0, 6 * BAR)
    twin.new_take(3 * BAR)
    fill(twin, 0, 6 * BAR)
    assert twin.timeline.moments(0, 6 * BAR) == new, "a take is a seed too"


def test_a_request_holds_from_the_next_bar_on(small_model: Model) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=1)
    fill(live, 0, 2 * BAR)
    known = live.timeline.known_until(0)
    live.request = replace(live.request, muted=frozenset({Voice.TR, Voice.NO}), sampling=Sampling(1.2, None))
    fill(live, 0, 8 * BAR)
    late = [m.event for m in live.timeline.moments(known + 1, 8 * BAR) if m.event.kind is Kind.NOTE_ON]
    assert late
    assert {event.voice for event in late} <= {Voice.P1, Voice.P2}


def test_what_somebody_plays_is_heard_and_nothing_is_composed_for_it(small_model: Model) -> None:
    def play(pitches: tuple[int, int]) -> list[Moment]:
        live = LiveComposer(small_model, BeatGrid.steady(120), seed=4)
        fill(live, 0, BAR)
        live.forget(BAR)
        live.played = frozenset({Voice.P1})
        for beat in range(4, 24):
            tick = 480 * beat
            live.compose(tick, 480)
            pitch = pitches[beat % 2]
            live.hear(
                [
                    Moment(tick, Event(Kind.NOTE_ON, Voice.P1, pitch)),
                    Moment(tick + 240, Event(Kind.NOTE_OFF, Voice.P1)),
                ]
            )
        moments = live.timeline.moments(BAR, 24 * 480)
        mine = [m for m in moments if m.event.voice is Voice.P1 and m.event.kind is Kind.NOTE_ON]
        assert [m.event.value for m in mine] == [pitches[beat % 2] for beat in range(4, 24)]
        assert [m.tick for m in mine] == [480 * beat for beat in range(4, 24)]
        return [m for m in moments if m.event.voice is not Voice.P1]

    assert play((60, 67)) != play((61, 70)), "the others follow"


@pytest.mark.parametrize("seed", [7, 8])
def test_an_empty_song_with_a_seed_is_the_seeds_own(small_model: Model, seed: int) -> None:
    """Whatever was composed before, at whatever tempo, by whatever model."""
    grid = BeatGrid.steady(97)
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=3)
    fill(live, 0, 2 * BAR)
    live.adopt(Score(), grid=grid, seed=seed)
    assert live.timeline.end == 0
    fill(live, 0, 4 * BAR)
    assert live.timeline.moments(0, 4 * BAR) == composed_at_once(small_model, grid, seed, 4 * BAR)
    other = LiveComposer(small_model, grid, seed=1)
    other.adopt(Score(), model=small_model.twin(), seed=seed)
    fill(other, 0, 4 * BAR)
    assert other.timeline.moments(0, 4 * BAR) == live.timeline.moments(0, 4 * BAR)


def song_of(bars: int, *, end: int | None = None) -> Score:
    """A melody on the beats, the last note ringing to the end."""
    beat = 22_050
    notes = tuple(Note(i * beat, beat, 60 + i % 7, 8) for i in range(4 * bars))
    return Score((Part(notes), Part(), Part(), Part()), end or 4 * bars * beat)


def test_composing_goes_on_at_the_end_of_a_song(small_model: Model) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=1)
    live.adopt(song_of(2))
    before = live.timeline.moments(0, 2 * BAR)
    assert live.timeline.end == 2 * BAR
    assert not live.compose(0, 2 * BAR)
    fill(live, 2 * BAR, 6 * BAR)
    assert live.timeline.moments(0, 2 * BAR) == before
    start, score = live.timeline.take_changes() or (0, Score())
    assert start == 2 * BAR - 480, "with the note that may ring on"
    assert score.parts[0].notes[0] == Note(0, 22_050, 60, 8), "over where the song ended"
    assert score.n_notes > 10
    assert live.timeline.grid.sample(live.timeline.end) == score.length + 7 * 22_050
    twin = LiveComposer(small_model, BeatGrid.steady(120), seed=1)
    twin.adopt(song_of(2))
    fill(twin, 2 * BAR, 6 * BAR)
    assert twin.timeline.score() == live.timeline.score(), "chance and song make the music"


def test_going_on_knows_how_long_voices_have_held_and_rested(
    small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = 22_050
    lead, short = Note(0, 2 * beat, 60), beat // 10
    bass = [Note(place * short, short, 40 + place % 7) for place in range(280)]
    score = Score((Part((lead,)), Part((Note(beat, 27 * beat, 72),)), Part(tuple(bass)), Part(())), 28 * beat)
    states: list[DecodeState] = []

    class Watched(RepetitionPenalty):
        def bias(self, state: DecodeState) -> np.ndarray | None:
            states.append(state.copy())
            return super().bias(state)

    monkeypatch.setattr("lakhnes.runtime.compose.request.RepetitionPenalty", Watched)
    live = LiveComposer(small_model, BeatGrid.steady(120))
    live.adopt(score, ringing=[Voice.P2])
    assert live.compose(0, 8 * BAR)
    told = live.timeline.model_sample(480)  # in frames a row of 7.5 is told to the model as 8
    since = {Voice.P1: 2, Voice.P2: 1, Voice.TR: 28, Voice.NO: 0}
    for voice, beats in since.items():
        assert states[0].sounds(voice) is (voice is Voice.P2)
        assert states[0].time - states[0].since[voice] == (28 - beats) * told


def test_a_limit_ends_composing(small_model: Model) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=3)
    live.adopt(song_of(2))
    live.limit = 2 * BAR
    for place in (0, 2 * BAR - 1, 2 * BAR, 9 * BAR):
        assert not live.compose(place, 4 * BAR)
    live.limit = 3 * BAR + 5
    while live.compose(0, 20 * BAR):
        pass
    assert 3 * BAR + 5 <= live.timeline.end < 5 * BAR
    live.limit = None
    assert live.compose(0, 20 * BAR)


@pytest.mark.parametrize("seed", [2, 3])  # after the second one's two bars a note is about to begin
def test_a_jump_ahead_is_a_rest_where_the_song_has_no_holes(small_model: Model, seed: int) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=seed)
    live.rests = True
    fill(live, 0, 2 * BAR)
    end = live.timeline.end
    first = live.timeline.moments(0, end)
    assert live.compose(20 * BAR, BAR)
    assert live.timeline.known_until(0) >= 21 * BAR
    assert live.timeline.moments(0, end) == first
    assert {m.event.kind for m in live.timeline.moments(end, 20 * BAR)} <= {Kind.NOTE_OFF}
    assert live.timeline.sounding(20 * BAR) == {}
    assert live.timeline.moments(20 * BAR, live.timeline.end)
    known = live.timeline.end
    assert not live.compose(end, 10 * BAR), "a rest is composed"
    live.compose(known + 8 * BAR, BAR)
    assert live.timeline.known_until(0) == live.timeline.end > known + 8 * BAR
    start, score = live.timeline.score()
    assert (start, score.length) == (0, live.timeline.grid.sample(live.timeline.end))


def test_a_new_song_may_begin_with_a_rest(small_model: Model) -> None:
    live = LiveComposer(small_model, BeatGrid.steady(120), seed=3)
    live.rests = True
    live.compose(4 * BAR, BAR)
    assert live.timeline.known_until(0) > 4 * BAR
    assert not live.timeline.moments(0, 4 * BAR)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("go on"), st.integers(1, 3)),
        st.tuples(st.just("jump"), st.integers(8, 40)),
        st.tuples(st.just("ask"), st.integers(0, 3)),
    ),
    min_size=3,
    max_size=14,
)

REQUESTS = (
    Request(),
    Request(muted=frozenset({Voice.TR, Voice.NO})),
    Request(density=1.0, sampling=Sampling(1.3, 40)),
    Request(sampling=Sampling(surprise=4.0), repetition_penalty=0.0),
)


@settings(max_examples=25)
@example((False, Timing.BARS), 43, 120.0, [("go on", 1)] * 3)
@example((False, Timing.FRAMES), 0, 97.0, [("ask", 3), ("go on", 1), ("ask", 0), ("ask", 3)])
@given(
    st.sampled_from(
        [(False, Timing.FRAMES), (True, Timing.FRAMES), (False, Timing.SAMPLES), (False, Timing.BARS)]
    ),
    st.integers(0, 2**32 - 1),
    st.sampled_from([97.0, 120.0, 181.0]),
    STEPS,
)
def test_live_is_what_is_composed_at_once_wherever_somebody_has_been(
    kind: tuple[bool, Timing], seed: int, bpm: float, steps: list[tuple[str, int]]
) -> None:
    """With jumps to where nothing is composed, and other requests at bar lines."""
    model = tiny_model_of(expression=kind[0], timing=kind[1])
    walked, at_once = walk(model, BeatGrid.steady(bpm), seed, [*steps, ("go on", 1)])
    assert walked == at_once


def walk(
    model: Model, grid: BeatGrid, seed: int, steps: Iterable[tuple[str, int]]
) -> tuple[list[Moment], list[Moment]]:
    """What is composed live, one step after another, and what is composed at once under the same requests."""
    live = LiveComposer(model.twin(), grid, seed=seed)
    changes = []
    for action, number in steps:
        known = live.timeline.known_until(0)
        if action == "go on":
            fill(live, 0, known + number * BAR)
        elif action == "jump":
            live.compose(1000 * BAR + number * 5 * BAR, BAR)
        else:
            live.request = REQUESTS[number]
            changes.append((known, live.request))
    end = live.timeline.known_until(0)
    walked = live.timeline.moments(0, end)
    return walked, composed_at_once(model.twin(), grid, seed, end, changes=changes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", ["nes-bars", "nes-frames", "expressive", "lakhnes"])
def test_live_is_what_the_shipped_models_compose_at_once(name: str, seed: int) -> None:
    """For 64 bars, with seeks, mutes and other requests on the way."""
    rng = np.random.default_rng(seed)
    steps: list[tuple[str, int]] = []
    bars = 0
    while bars < 64:
        number = int(rng.integers(1, 9))
        bars += number
        other = ("jump", "ask")[rng.integers(2)]
        steps += [
            ("go on", number),
            (other, int(rng.integers(8, 41) if other == "jump" else rng.integers(4))),
        ]
    steps.append(("go on", 1))
    walked, at_once = walk(Model.load(name), BeatGrid.steady(97 + 12 * seed), seed, steps)
    first = next((pair for pair in zip(walked, at_once, strict=False) if pair[0] != pair[1]), None)
    assert first is None
    assert len(walked) == len(at_once) > 1000


def test_many_jumps_leave_no_trace(small_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than memories are kept: then the model reads its tokens again, one by one."""
    monkeypatch.setattr(live_composer, "SNAPSHOTS", 1)
    grid = BeatGrid.steady(120)
    live = LiveComposer(small_model, grid, seed=6)
    for bar in range(1, 6):
        fill(live, 0, bar * BAR)
        for jump in range(3):
            live.compose((100 + 20 * bar + 5 * jump) * BAR, BAR)
    assert live.timeline.moments(0, 5 * BAR) == composed_at_once(small_model, grid, 6, 5 * BAR)
