"""Composing with music that is there, with the built-in model."""

from dataclasses import replace

import numpy as np
import pytest
from support import tune, without_expression

from lakhnes.runtime import (
    SAMPLE_RATE,
    BeatGrid,
    Model,
    MusicError,
    Muted,
    Note,
    OptionError,
    Part,
    Score,
    Voice,
    clean_frames,
)
from lakhnes.runtime.compose.arrange import (
    Settings,
    accompany_rhythm,
    accompany_voices,
    continue_score,
    fit_to_vocabulary,
    last_seconds,
    prompt_perplexity,
    regenerate,
)
from lakhnes.runtime.music.timing import FRAME_SAMPLES


def seeded(seed: int, *constraints: Muted) -> Settings:
    return Settings(np.random.default_rng(seed), constraints=constraints)


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
    return Score((parts[0], parts[1], parts[2], parts[3]), tune().length)


@pytest.mark.parametrize("score", [tune(), rough()])
def test_a_continuation_holds_its_prompt_as_it_was(builtin_model: Model, score: Score) -> None:
    arrangement = continue_score(builtin_model, score, seeded(1), 5.0)
    for _ in arrangement:
        pass
    whole = arrangement.score()
    assert whole.length == score.length + 5 * SAMPLE_RATE
    for voice in Voice:
        n = len(score.parts[voice].notes)
        assert whole.parts[voice].notes[:n] == score.parts[voice].notes
        assert all(note.onset >= score.length for note in whole.parts[voice].notes[n:])
    assert whole.n_notes > score.n_notes


def test_a_continuation_is_in_time_with_its_prompt(builtin_model: Model) -> None:
    score = rough()
    arrangement = continue_score(builtin_model, score, seeded(4), 6.0)
    list(arrangement)
    old = {note.onset % FRAME_SAMPLES for part in score.parts for note in part.notes}
    whole = arrangement.score()
    onsets = {n.onset % FRAME_SAMPLES for p in whole.parts for n in p.notes if n.onset > score.length}
    assert onsets
    assert all(min(old) <= onset <= max(old) for onset in onsets)


def test_a_continuation_stopped_half_way_is_a_valid_score(builtin_model: Model) -> None:
    arrangement = continue_score(builtin_model, tune(), seeded(1), 30.0)
    assert arrangement.score() == tune()
    for _, _ in zip(range(60), arrangement, strict=False):
        pass
    assert arrangement.score().length > tune().length


@pytest.mark.parametrize("score", [tune(), rough()])
@pytest.mark.parametrize("keep", [[Voice.P1], [Voice.TR, Voice.NO], [Voice.P1, Voice.P2, Voice.TR]])
def test_kept_voices_come_out_sample_for_sample(
    builtin_model: Model, score: Score, keep: list[Voice]
) -> None:
    arrangement = accompany_voices(builtin_model, score, keep, seeded(2))
    list(arrangement)
    whole = arrangement.score()
    assert whole.length == score.length
    for voice in keep:
        assert whole.parts[voice] == score.parts[voice]
    assert any(whole.parts[voice] != score.parts[voice] for voice in Voice if voice not in keep)


@pytest.mark.parametrize("score", [tune(), rough()])
def test_the_rhythm_accompaniment_keeps_times_and_noise(builtin_model: Model, score: Score) -> None:
    arrangement = accompany_rhythm(builtin_model, score, seeded(3))
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
def test_only_the_span_of_the_voices_changes(builtin_model: Model, score: Score, voices: list[Voice]) -> None:
    start, end = SAMPLE_RATE, 3 * SAMPLE_RATE
    takes = list(regenerate(builtin_model, score, (start, end), voices, map(seeded, range(4)), width=4))
    assert len(takes) == 4
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


def test_what_is_composed_anew_begins_on_the_rows_of_the_music(builtin_model: Model) -> None:
    grid = BeatGrid.steady(120)
    row = grid.sample(1000 * grid.row_ticks) / 1000
    old = {(voice, note) for voice in Voice for note in tune().parts[voice].notes}
    made = []
    for seed in range(3):
        settings = replace(seeded(seed), grid=grid)
        (take,) = regenerate(builtin_model, tune(), (0, tune().length), [Voice.P1, Voice.P2], [settings])
        made += [n.onset for voice in Voice for n in take.parts[voice].notes if (voice, n) not in old]
    assert len(made) > 20
    assert all(abs(onset - row * round(onset / row)) <= 1 for onset in made)


def test_users_constraints_hold_in_all_of_them(builtin_model: Model) -> None:
    def silent() -> Settings:
        return seeded(5, Muted(builtin_model.info.vocabulary, [Voice.P2, Voice.NO]))

    whole = continue_score(builtin_model, tune(), silent(), 4.0)
    list(whole)
    assert len(whole.score().parts[Voice.P2].notes) == len(tune().parts[Voice.P2].notes)
    around = accompany_voices(builtin_model, tune(), [Voice.P1], silent())
    list(around)
    assert not around.score().parts[Voice.P2].notes


def test_what_cannot_be_done_says_why(builtin_model: Model) -> None:
    empty = Score(length=SAMPLE_RATE)
    only_noise = Score((Part(), Part(), Part(), tune().parts[3]), tune().length)
    for attempt, reason in (
        (lambda: continue_score(builtin_model, empty, seeded(1)), "no notes"),
        (lambda: prompt_perplexity(builtin_model, empty), "no notes"),
        (lambda: accompany_voices(builtin_model, tune(), list(Voice), seeded(1)), "All four voices are kept"),
        (lambda: accompany_voices(builtin_model, only_noise, [Voice.P1], seeded(1)), "has a note"),
        (lambda: accompany_rhythm(builtin_model, only_noise, seeded(1)), "no note of P1, P2 or TR"),
        (lambda: list(regenerate(builtin_model, tune(), (0, 9**9), [Voice.P1], [seeded(1)])), "not within"),
        (lambda: list(regenerate(builtin_model, tune(), (5, 5), [Voice.P1], [seeded(1)])), "not within"),
        (lambda: list(regenerate(builtin_model, tune(), (0, 500), [], [seeded(1)])), "No voice"),
    ):
        with pytest.raises((MusicError, OptionError), match=reason):
            attempt()  # type: ignore[no-untyped-call]


def test_an_easy_prompt_is_foreseen_better(builtin_model: Model) -> None:
    notes = tuple(Note(i * 4410, 4410, 60 + (i % 2) * 7) for i in range(200))
    repeated = Score((Part(notes), Part(), Part(), Part()), 200 * 4410)
    rng = np.random.default_rng(1)
    erratic = Score(
        (Part(tuple(replace(n, pitch=int(rng.integers(33, 109))) for n in notes)), Part(), Part(), Part()),
        repeated.length,
    )
    assert prompt_perplexity(builtin_model, repeated) < 0.3 * prompt_perplexity(builtin_model, erratic)


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


def test_composing_anew_tells_how_far_it_is_and_can_be_ended(tiny_model: Model) -> None:
    span, told = (SAMPLE_RATE, 2 * SAMPLE_RATE), list[float]()
    takes = regenerate(
        tiny_model, tune(), span, [Voice.P1, Voice.TR], map(seeded, range(4)), width=2, progress=told.append
    )
    assert len(list(takes)) == 4
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1
    assert len(told) > 10

    class EnoughError(Exception):
        pass

    def enough(done: float) -> None:
        if done > 0.3:
            raise EnoughError

    ended = regenerate(tiny_model, tune(), span, [Voice.P1], map(seeded, range(9)), width=1, progress=enough)
    with pytest.raises(EnoughError):
        list(ended)


def test_what_the_model_has_forgotten_does_not_matter(tiny_model: Model) -> None:
    """Two songs differ where the memory does not reach, and in what comes long after the span."""
    step, n = 10 * FRAME_SAMPLES, 3 * tiny_model.info.mem_len
    span, far = (n * step, (n + 8) * step), (n + 40) * step

    def take(pitch: int) -> tuple[Note, ...]:
        melody = tuple(Note(i * step, step // 2, 60 + i % 7) for i in range(n + 80))
        bass = (Note(0, step, pitch), Note(far, step, pitch))
        score = Score((Part(melody), Part(), Part(bass), Part()), (n + 80) * step)
        (made,) = regenerate(tiny_model, score, span, [Voice.P2], [seeded(1)])
        assert made.parts[Voice.TR].notes == bass
        return made.parts[Voice.P2].notes

    assert take(40) == take(50)
