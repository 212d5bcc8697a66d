"""Composing with music that is there, with the built-in model."""

from dataclasses import replace

import numpy as np
import pytest
from support import tune, without_expression
from tiny import tiny_model_of

from lakhnes.runtime import (
    SAMPLE_RATE,
    BeatGrid,
    Model,
    MusicError,
    Note,
    OptionError,
    Part,
    Request,
    Score,
    Timing,
    Voice,
    accompany_rhythm,
    accompany_voices,
    clean_frames,
    compose_song,
    continue_score,
    parse_scale,
    regenerate,
)
from lakhnes.runtime.compose.arrange import prompt_perplexity
from lakhnes.runtime.decode.processors import MELODIC
from lakhnes.runtime.music.editing import extract, fit_to_vocabulary, last_seconds
from lakhnes.runtime.music.timing import FRAME_SAMPLES, TICK_SAMPLES
from lakhnes.runtime.time import model_time
from lakhnes.runtime.time.tempo import Beats, track_beats


def seeded(seed: int) -> Request:
    return Request(seed)


def rough() -> Score:
    """The tune as a driver might play it: a few samples off the frames, with flicker."""
    rng = np.random.default_rng(3)
    parts = []
    for part in without_expression(tune()).parts:
        notes = []
        for note in part.notes:
            late = 137 + int(rng.integers(0, 9))
            notes.append(replace(note, onset=note.onset + late, length=max(1, note.length - 200)))
        parts.append(Part(tuple(notes)))
    return Score.of(parts, tune().length)


@pytest.mark.parametrize("score", [tune(), rough()])
def test_a_continuation_holds_its_prompt_as_it_was(small_model: Model, score: Score) -> None:
    arrangement = continue_score(small_model, score, seeded(1), 5.0)
    for _ in arrangement:
        pass
    whole = arrangement.score()
    assert whole.length == score.length + 5 * SAMPLE_RATE
    for voice in Voice:
        n = len(score.parts[voice].notes)
        assert whole.parts[voice].notes[:n] == score.parts[voice].notes
        assert all(note.onset >= score.length for note in whole.parts[voice].notes[n:])
    assert whole.n_notes > score.n_notes


def test_a_continuation_is_in_time_with_its_prompt(small_model: Model) -> None:
    score = rough()
    arrangement = continue_score(small_model, score, seeded(4), 6.0)
    list(arrangement)
    whole = arrangement.score()
    onsets = [n.onset for part in whole.parts for n in part.notes if n.onset > score.length]
    assert onsets
    row = 22_050 / 4
    assert all(
        abs((onset - 141) % row - (row if (onset - 141) % row > row / 2 else 0)) < 400 for onset in onsets
    )


def test_a_continuation_stopped_half_way_is_a_valid_score(small_model: Model) -> None:
    arrangement = continue_score(small_model, tune(), seeded(1), 30.0)
    assert arrangement.score() == tune()
    for _, _ in zip(range(60), arrangement, strict=False):
        pass
    assert arrangement.score().length > tune().length


@pytest.mark.parametrize("score", [tune(), rough()])
@pytest.mark.parametrize("keep", [[Voice.P1], [Voice.TR, Voice.NO], [Voice.P1, Voice.P2, Voice.TR]])
def test_kept_voices_come_out_sample_for_sample(small_model: Model, score: Score, keep: list[Voice]) -> None:
    arrangement = accompany_voices(small_model, score, keep, seeded(2))
    list(arrangement)
    whole = arrangement.score()
    assert whole.length == score.length
    for voice in keep:
        assert whole.parts[voice] == score.parts[voice]
    assert any(whole.parts[voice] != score.parts[voice] for voice in Voice if voice not in keep)


@pytest.mark.parametrize("score", [tune(), rough()])
def test_the_rhythm_accompaniment_keeps_times_and_noise(small_model: Model, score: Score) -> None:
    arrangement = accompany_rhythm(small_model, score, seeded(3))
    list(arrangement)
    whole = arrangement.score()
    assert whole.parts[Voice.NO] == score.parts[Voice.NO]
    assert whole.length == score.length
    clean = clean_frames(score)
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        assert len(whole.parts[voice].notes) == len(clean.parts[voice].notes)
        for new, old in zip(whole.parts[voice].notes, clean.parts[voice].notes, strict=True):
            assert abs(new.onset - old.onset) <= FRAME_SAMPLES
    pitches = [[n.pitch for n in s.parts[Voice.P1].notes] for s in (whole, score)]
    assert pitches[0] != pitches[1]


@pytest.mark.parametrize("score", [tune(), rough()])
@pytest.mark.parametrize("voices", [[Voice.P1], [Voice.P2, Voice.TR], list(Voice)])
def test_only_the_span_of_the_voices_changes(small_model: Model, score: Score, voices: list[Voice]) -> None:
    start, end = SAMPLE_RATE, 3 * SAMPLE_RATE
    takes = list(regenerate(small_model, score, (start, end), voices, map(seeded, range(12)), width=4))
    assert len(takes) == 12
    assert len({str(take) for take in takes}) > 1
    for take in takes:
        assert take.length == score.length
        for voice in Voice:
            old, new = score.parts[voice], take.parts[voice]
            if voice not in voices:
                assert new == old
                continue
            outside = [n for n in old.notes if not start <= n.onset < end]
            assert [n for n in new.notes if not start <= n.onset < end] == outside
            assert all(n.end <= end for n in new.notes if start <= n.onset < end)


def test_all_voices_are_free_from_the_start_of_a_span(small_model: Model) -> None:
    """In bars a noise hit lasts until the next one, and must not ring through the span for that."""
    beat = SAMPLE_RATE // 2
    hits = Part(tuple(Note(place * beat, beat // 8, 3) for place in range(8)))
    score = tune().with_parts({Voice.NO: hits})
    span = 2 * beat, 5 * beat
    begun = dict.fromkeys(Voice, span[1])
    for take in regenerate(small_model, score, span, list(Voice), map(seeded, range(12)), width=4):
        for voice in Voice:
            onsets = [n.onset for n in take.parts[voice].notes if span[0] <= n.onset < span[1]]
            begun[voice] = min([begun[voice], *onsets])
    assert all(onset <= 3 * beat for onset in begun.values()), begun


def test_what_is_composed_anew_begins_on_the_rows_of_the_music(small_model: Model) -> None:
    grid = BeatGrid.steady(120)
    row = grid.sample(1000 * grid.row_ticks) / 1000
    old = {(voice, note) for voice in Voice for note in tune().parts[voice].notes}
    made = []
    for seed in range(3):
        span, voices = (0, tune().length), [Voice.P1, Voice.P2]
        (take,) = regenerate(small_model, tune(), span, voices, [seeded(seed)], grid=grid)
        made += [n.onset for voice in Voice for n in take.parts[voice].notes if (voice, n) not in old]
    assert len(made) > 10
    assert all(abs(onset - row * round(onset / row)) <= 1 for onset in made)


def test_what_users_ask_for_holds_in_all_of_them(small_model: Model) -> None:
    silent = Request(5, muted=frozenset({Voice.P2, Voice.NO}))
    whole = continue_score(small_model, tune(), silent, 4.0)
    list(whole)
    assert len(whole.score().parts[Voice.P2].notes) == len(tune().parts[Voice.P2].notes)
    around = accompany_voices(small_model, tune(), [Voice.P1], silent)
    list(around)
    assert not around.score().parts[Voice.P2].notes


@pytest.mark.parametrize("key", ["c# major", "f# major", "b major", "e major", "ab minor", "0"])
def test_a_key_binds_new_voices_and_leaves_kept_ones(small_model: Model, key: str) -> None:
    request = Request(
        3,
        scale=parse_scale(key),
        muted=frozenset({Voice.P1}),
        ranges={Voice.P1: (100, 108)},
        density=1.0,
        max_note_seconds=0.2,
    )
    arrangement = accompany_voices(small_model, tune(), [Voice.P1], request)
    list(arrangement)
    whole = arrangement.score()
    assert whole.parts[Voice.P1] == tune().parts[Voice.P1]
    new = [note.pitch % 12 for voice in (Voice.P2, Voice.TR) for note in whole.parts[voice].notes]
    assert new
    assert set(new) <= request.scale
    (take,) = regenerate(small_model, tune(), (SAMPLE_RATE, 3 * SAMPLE_RATE), [Voice.P2], [request])
    assert take.parts[Voice.P1] == tune().parts[Voice.P1]


def graced(bars: int = 2, *, late: int = 0) -> Score:
    """Sixteenths with a grace note before every beat, off the rows."""
    row = 22_050 // 4
    notes = []
    for place in range(16 * bars):
        onset = place * row + late
        if place % 4 == 3:
            notes += [Note(onset, row - 1800, 60 + place % 5), Note(onset + row - 1800, 1800, 71)]
        else:
            notes.append(Note(onset, row, 60 + place % 5))
    return Score((Part(tuple(notes)), Part(), Part(), Part()), 16 * bars * row + late)


@pytest.mark.parametrize("keep", [[Voice.P1], [Voice.P1, Voice.NO]])
@pytest.mark.parametrize("late", [0, 137])
@pytest.mark.parametrize("bpm", [120.0, 119.3])
def test_ornaments_are_kept_off_the_rows(
    small_model: Model, keep: list[Voice], late: int, bpm: float
) -> None:
    for seed in range(3):
        arrangement = accompany_voices(
            small_model, graced(late=late), keep, seeded(seed), grid=BeatGrid.steady(bpm)
        )
        list(arrangement)
        assert arrangement.score().parts[Voice.P1] == graced(late=late).parts[Voice.P1]


def beating(row: int, bars: int = 8, first: int = 0) -> Score:
    """A beat that a tracker finds, without a grid: bass, hats and a melody, not on anybody's frames."""
    hats = [Note(first + i * 2 * row, 1500, 12 if i % 2 else 4) for i in range(8 * bars)]
    bass = [Note(first + i * 4 * row, 3 * row, 36 + (i // 4) % 3) for i in range(4 * bars)]
    lead = [
        Note(first + i * 2 * row, 2 * row - 700, 60 + (i * 5) % 12)
        for i in range(8 * bars)
        if i % 8 not in (3, 5)
    ]
    return Score((Part(tuple(lead)), Part(), Part(tuple(bass)), Part(tuple(hats))), first + 16 * bars * row)


@pytest.mark.parametrize("row", [5512, 6103])
def test_new_notes_lie_on_the_rows_of_a_beat_that_nobody_states(small_model: Model, row: int) -> None:
    score = beating(row)
    around = accompany_voices(small_model, score, [Voice.TR, Voice.NO], seeded(1))
    list(around)
    ahead = continue_score(small_model, score, seeded(1), 6.0)
    list(ahead)
    assert around.grid is not None
    _, new = around.score(), ahead.score()
    onsets = [n.onset for v in (Voice.P1, Voice.P2) for n in around.score().parts[v].notes]
    onsets += [n.onset for p in extract(new, (score.length, new.length)).parts for n in p.notes if n.onset]
    onsets = [onset % row for onset in onsets if onset < score.length]
    assert len(onsets) > 20
    assert np.mean([min(place, row - place) < 900 for place in onsets]) > 0.9


def test_what_cannot_be_done_says_why(small_model: Model) -> None:
    empty = Score(length=SAMPLE_RATE)
    only_noise = Score((Part(), Part(), Part(), tune().parts[3]), tune().length)
    for attempt, reason in (
        (lambda: continue_score(small_model, empty, seeded(1)), "no notes"),
        (lambda: prompt_perplexity(small_model, empty), "no notes"),
        (lambda: accompany_voices(small_model, tune(), list(Voice), seeded(1)), "All four voices are kept"),
        (lambda: accompany_voices(small_model, only_noise, [Voice.P1], seeded(1)), "has a note"),
        (lambda: accompany_rhythm(small_model, only_noise, seeded(1)), "no note of P1, P2 or TR"),
        (lambda: list(regenerate(small_model, tune(), (0, 9**9), [Voice.P1], [seeded(1)])), "not within"),
        (lambda: list(regenerate(small_model, tune(), (5, 5), [Voice.P1], [seeded(1)])), "not within"),
        (lambda: list(regenerate(small_model, tune(), (0, 500), [], [seeded(1)])), "No voice"),
    ):
        with pytest.raises((MusicError, OptionError), match=reason):
            attempt()  # type: ignore[no-untyped-call]


def test_an_easy_prompt_is_foreseen_better(small_model: Model) -> None:
    notes = tuple(Note(i * 4410, 4410, 60 + (i % 2) * 7) for i in range(200))
    repeated = Score((Part(notes), Part(), Part(), Part()), 200 * 4410)
    rng = np.random.default_rng(1)
    erratic = Score(
        (Part(tuple(replace(n, pitch=int(rng.integers(33, 109))) for n in notes)), Part(), Part(), Part()),
        repeated.length,
    )
    assert prompt_perplexity(small_model, repeated) < prompt_perplexity(small_model, erratic)


def test_notes_outside_the_vocabulary_are_shifted_by_octaves() -> None:
    score = Score((Part((Note(0, 5, 20), Note(5, 5, 120), Note(10, 5, 60))), Part(), Part(), Part()), 15)
    fitted, moved = fit_to_vocabulary(score)
    assert [note.pitch for note in fitted.parts[0].notes] == [44, 108, 60]
    assert moved == 2


def test_the_last_seconds_of_a_score() -> None:
    end = last_seconds(tune(), 1.25)
    assert end.length == round(1.25 * SAMPLE_RATE)
    assert [note.pitch for note in end.parts[Voice.P1].notes] == [72, 71, 69, 64][1:]
    assert last_seconds(tune(), 1000) == tune()


def test_composing_anew_tells_how_far_it_is_and_can_be_ended(small_model: Model) -> None:
    span, told = (SAMPLE_RATE, 2 * SAMPLE_RATE), list[float]()
    takes = regenerate(
        small_model, tune(), span, [Voice.P1, Voice.TR], map(seeded, range(4)), width=2, progress=told.append
    )
    assert len(list(takes)) == 4
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1
    assert len(told) > 5

    class EnoughError(Exception):
        pass

    def enough(done: float) -> None:
        if done > 0.3:
            raise EnoughError

    ended = regenerate(small_model, tune(), span, [Voice.P1], map(seeded, range(9)), width=1, progress=enough)
    with pytest.raises(EnoughError):
        list(ended)


@pytest.mark.parametrize("score", [tune(), rough(), graced()])
def test_the_beat_of_a_song_is_tracked_once(
    small_model: Model, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = []

    def track(heard: Score) -> Beats:
        tracked.append(heard)
        return track_beats(heard)

    monkeypatch.setattr(model_time, "track_beats", track)
    list(regenerate(small_model, score, (0, SAMPLE_RATE // 2), [Voice.P2], [seeded(1)]))
    assert tracked == [score]
    accompany_voices(small_model, score, [Voice.P1], seeded(1))
    continue_score(small_model, score, seeded(1), 1.0)
    assert tracked == [score] * 3


def test_what_the_model_has_forgotten_does_not_matter(small_model: Model) -> None:
    """Two songs differ where the memory does not reach, and in what comes long after the span."""
    step, n = 10 * FRAME_SAMPLES, 3 * small_model.info.mem_len
    span, far = (n * step, (n + 8) * step), (n + 40) * step

    def take(pitch: int) -> tuple[Note, ...]:
        melody = tuple(Note(i * step, step // 2, 60 + i % 7) for i in range(n + 80))
        bass = (Note(0, step, pitch), Note(far, step, pitch))
        score = Score((Part(melody), Part(), Part(bass), Part()), (n + 80) * step)
        (made,) = regenerate(small_model, score, span, [Voice.P2], [seeded(1)])
        assert made.parts[Voice.TR].notes == bass
        return made.parts[Voice.P2].notes

    assert take(40) == take(50)


@pytest.mark.parametrize("bpm", [40, 60, 240])
def test_the_longest_note_is_a_tick_at_least_at_any_tempo(bpm: int) -> None:
    model = tiny_model_of(timing=Timing.BARS, cached=False)
    grid = BeatGrid.steady(bpm)
    asked = Request(3, max_note_seconds=0.02)
    arrangement = compose_song(model, asked, grid, length_samples=grid.sample(2 * grid.bar_ticks))
    assert list(arrangement)
    limit = max(round(0.02 * SAMPLE_RATE), arrangement.time.to_song(TICK_SAMPLES))
    lengths = [note.length for v in MELODIC for note in arrangement.score().parts[v].notes]
    assert lengths
    assert max(lengths) <= limit + 1
