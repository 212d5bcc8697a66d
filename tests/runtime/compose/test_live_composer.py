"""Live composing against composing at once: the same seed, the same music."""

from dataclasses import replace

import numpy as np
import pytest

from lakhnes.runtime import (
    EXPRESSIVE_MODEL,
    BeatGrid,
    Composer,
    Event,
    Kind,
    LiveComposer,
    Model,
    Moment,
    Monotony,
    Note,
    Part,
    Sampling,
    Score,
    Song,
    Steering,
    Voice,
)
from lakhnes.runtime.decode.constraints import Row
from lakhnes.runtime.music.score import events_of_score

BAR = 4 * 480


def composed_at_once(
    model: Model, grid: BeatGrid, seed: int, end: int, steering: Steering | None = None
) -> list[Moment]:
    settings = (steering or Steering()).settings(model.codec, seed, grid)
    song = Song(
        model.codec,
        settings.rng,
        sampling=settings.sampling,
        length_samples=grid.sample(end),
        constraints=settings.constraints,
    )
    moments = []
    for event in Composer(model, song):
        tick = grid.tick(song.time_samples)
        if event.voice is not None and tick < end:
            moments.append(Moment(tick, event))
    return moments


def fill(live: LiveComposer, place: int, end: int) -> None:
    while live.timeline.known_until(place) < end:
        live.compose(place, end - place)


@pytest.mark.parametrize(("seed", "bpm"), [(7, 120.0), (8, 97.0), (9, 180.0)])
def test_live_is_what_the_seed_says(builtin_model: Model, seed: int, bpm: float) -> None:
    grid = BeatGrid.steady(bpm)
    live = LiveComposer(builtin_model, grid, seed=seed)
    fill(live, 0, 10 * BAR)
    played = live.timeline.moments(0, 10 * BAR)
    assert len(played) > 50
    assert played == composed_at_once(builtin_model, grid, seed, 10 * BAR)


def test_live_dynamics_are_what_the_seed_says() -> None:
    model, grid = Model.load(EXPRESSIVE_MODEL), BeatGrid.steady(97)
    live = LiveComposer(model, grid, seed=5)
    fill(live, 0, 4 * BAR)
    played = live.timeline.moments(0, 4 * BAR)
    assert any(moment.event.kind is Kind.VELOCITY for moment in played)
    assert played == composed_at_once(model, grid, 5, 4 * BAR)


def test_it_stays_as_restless_from_bar_to_bar(builtin_model: Model) -> None:
    grid, steering = BeatGrid.steady(120), Steering(Sampling(surprise=2.0))
    live = LiveComposer(builtin_model, grid, steering, seed=7)
    fill(live, 0, 10 * BAR)
    played = live.timeline.moments(0, 10 * BAR)
    assert played == composed_at_once(builtin_model, grid, 7, 10 * BAR, steering)
    assert played != composed_at_once(builtin_model, grid, 7, 10 * BAR, Steering(Sampling()))


def test_it_composes_no_more_than_is_asked(builtin_model: Model) -> None:
    live = LiveComposer(builtin_model, BeatGrid.steady(120))
    while live.compose(0, 2 * BAR):
        pass
    known = live.timeline.known_until(0)
    assert 2 * BAR <= known < 4 * BAR
    assert not live.compose(0, 2 * BAR)
    assert live.compose(known - BAR, 2 * BAR)


def test_a_jump_leaves_a_gap_that_is_filled_when_somebody_comes(builtin_model: Model) -> None:
    live = LiveComposer(builtin_model, BeatGrid.steady(120), seed=3)
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


def test_another_take_keeps_what_is_before_it(builtin_model: Model) -> None:
    live = LiveComposer(builtin_model, BeatGrid.steady(120), seed=5)
    fill(live, 0, 6 * BAR)
    old = live.timeline.moments(0, 6 * BAR)
    live.new_take(3 * BAR)
    assert live.timeline.known_until(0) == 3 * BAR
    fill(live, 0, 6 * BAR)
    new = live.timeline.moments(0, 6 * BAR)
    assert [m for m in new if m.tick < 3 * BAR] == [m for m in old if m.tick < 3 * BAR]
    assert new != old
    twin = LiveComposer(builtin_model, BeatGrid.steady(120), seed=5)
    fill(twin, 0, 6 * BAR)
    twin.new_take(3 * BAR)
    fill(twin, 0, 6 * BAR)
    assert twin.timeline.moments(0, 6 * BAR) == new, "a take is a seed too"


def test_steering_holds_from_the_next_bar_on(builtin_model: Model) -> None:
    live = LiveComposer(builtin_model, BeatGrid.steady(120), seed=1)
    fill(live, 0, 2 * BAR)
    known = live.timeline.known_until(0)
    live.steering = replace(
        live.steering, muted=frozenset({Voice.TR, Voice.NO}), sampling=Sampling(1.2, None)
    )
    fill(live, 0, 8 * BAR)
    late = [m.event for m in live.timeline.moments(known + 1, 8 * BAR) if m.event.kind is Kind.NOTE_ON]
    assert late
    assert {event.voice for event in late} <= {Voice.P1, Voice.P2}


def test_what_somebody_plays_is_heard_and_nothing_is_composed_for_it(builtin_model: Model) -> None:
    def play(pitches: tuple[int, int]) -> list[Moment]:
        live = LiveComposer(builtin_model, BeatGrid.steady(120), seed=4)
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
def test_an_empty_song_with_a_seed_is_the_seeds_own(tiny_model: Model, seed: int) -> None:
    """Whatever was composed before, at whatever tempo, by whatever model."""
    grid = BeatGrid.steady(97)
    live = LiveComposer(tiny_model, BeatGrid.steady(120), seed=3)
    fill(live, 0, 2 * BAR)
    live.adopt(Score(), grid=grid, seed=seed)
    assert live.timeline.end == 0
    fill(live, 0, 4 * BAR)
    assert live.timeline.moments(0, 4 * BAR) == composed_at_once(tiny_model, grid, seed, 4 * BAR)
    other = LiveComposer(tiny_model, grid, seed=1)
    other.adopt(Score(), model=tiny_model.twin(), seed=seed)
    fill(other, 0, 4 * BAR)
    assert other.timeline.moments(0, 4 * BAR) == live.timeline.moments(0, 4 * BAR)


def song_of(bars: int, *, end: int | None = None) -> Score:
    """A melody on the beats, the last note ringing to the end."""
    beat = 22_050
    notes = tuple(Note(i * beat, beat, 60 + i % 7, 8) for i in range(4 * bars))
    return Score((Part(notes), Part(), Part(), Part()), end or 4 * bars * beat)


def test_composing_goes_on_at_the_end_of_a_song(builtin_model: Model) -> None:
    live = LiveComposer(builtin_model, BeatGrid.steady(120), seed=1)
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
    twin = LiveComposer(builtin_model, BeatGrid.steady(120), seed=1)
    twin.adopt(song_of(2))
    fill(twin, 2 * BAR, 6 * BAR)
    assert twin.timeline.score() == live.timeline.score(), "chance and song make the music"


def test_going_on_knows_how_long_voices_have_held_and_rested(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = 22_050
    lead, short = Note(0, 2 * beat, 60), beat // 10
    bass = [Note(place * short, short, 40 + place % 7) for place in range(280)]
    score = Score((Part((lead,)), Part((Note(beat, 27 * beat, 72),)), Part(tuple(bass)), Part(())), 28 * beat)
    rows = []

    class Watched(Monotony):
        def penalty(self) -> Row | None:
            row = super().penalty()
            rows.append(row)
            return row

    monkeypatch.setattr("lakhnes.runtime.compose.steering.Monotony", Watched)
    live = LiveComposer(tiny_model, BeatGrid.steady(120))
    live.adopt(score, ringing=[Voice.P2])
    assert live.compose(0, 8 * BAR)
    whole = Monotony(tiny_model.codec)
    for event in events_of_score(score, expression=False):
        if event != Event(Kind.NOTE_OFF, Voice.P2):
            whole.observe(event)
    np.testing.assert_allclose(rows[0], whole.penalty())


def test_a_limit_ends_composing(tiny_model: Model) -> None:
    live = LiveComposer(tiny_model, BeatGrid.steady(120), seed=3)
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
def test_a_jump_ahead_is_a_rest_where_the_song_has_no_holes(builtin_model: Model, seed: int) -> None:
    live = LiveComposer(builtin_model, BeatGrid.steady(120), seed=seed)
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


def test_a_new_song_may_begin_with_a_rest(tiny_model: Model) -> None:
    live = LiveComposer(tiny_model, BeatGrid.steady(120), seed=3)
    live.rests = True
    live.compose(4 * BAR, BAR)
    assert live.timeline.known_until(0) > 4 * BAR
    assert not live.timeline.moments(0, 4 * BAR)
