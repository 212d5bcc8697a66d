import numpy as np
import pytest

from lakhnes.runtime import Grid, Model, OptionError, Song
from lakhnes.runtime.compose.loops import compose_loop
from lakhnes.runtime.time.grid import BeatGrid

GRID = BeatGrid.steady(140)
BAR = GRID.sample(GRID.bar_ticks)


def song_of(model: Model, seed: int, bars: int = 4) -> Song:
    row = GRID.sample(120_000) / 1000
    return Song(
        model.codec,
        np.random.default_rng(seed),
        length_samples=GRID.sample(bars * GRID.bar_ticks),
        constraints=[Grid(model.codec, row)],
    )


def looped(model: Model, seed: int, takes: int) -> Song:
    return compose_loop(
        model,
        song_of(model, seed),
        length_samples=GRID.sample(4 * GRID.bar_ticks),
        bar_samples=BAR,
        rng=np.random.default_rng(seed),
        takes=takes,
    )


def test_a_loop_is_as_long_as_asked_on_the_grid_and_the_same_for_a_seed(builtin_model: Model) -> None:
    score = looped(builtin_model, 1, 4).score()
    assert score == looped(builtin_model, 1, 4).score()
    assert score.length == GRID.sample(4 * GRID.bar_ticks)
    ticks = [GRID.tick(note.onset) for part in score.parts for note in part.notes]
    assert ticks
    assert all(tick % 120 == 0 for tick in ticks)


def test_more_takes_lead_better_into_the_first_bar_and_change_the_last_alone(builtin_model: Model) -> None:
    def likelihood(song: Song) -> float:
        """How likely the first bar is after the whole song, by a reading of its own."""
        model, codec = builtin_model, builtin_model.codec
        score = song.score()
        whole = codec.encode(score)
        first = [t for t, at in zip(whole, times(codec, whole), strict=True) if at < BAR]
        model.reset()
        model.prefill([0])
        after = model.prefill(whole)[-1:]
        rows = np.concatenate([after, model.prefill(first[:-1])])
        rows = rows - rows.max(-1, keepdims=True)
        rows = rows - np.log(np.exp(rows).sum(-1, keepdims=True))
        return float(rows[np.arange(len(first)), first].sum())

    def times(codec: object, tokens: list[int]) -> list[int]:
        waits = builtin_model.codec.wait_samples[tokens]
        return (np.cumsum(waits) - waits).tolist()

    gains = []
    for seed in range(4):
        one, many = looped(builtin_model, seed, 1), looped(builtin_model, seed, 8)
        cut = 3 * BAR
        for a, b in zip(one.score().parts, many.score().parts, strict=True):
            assert [n for n in a.notes if n.end <= cut - 10] == [n for n in b.notes if n.end <= cut - 10]
        gains.append(likelihood(many) - likelihood(one))
    assert np.mean(gains) > 0


def test_a_loop_of_one_bar_is_refused(builtin_model: Model) -> None:
    with pytest.raises(OptionError, match="two bars at least"):
        compose_loop(
            builtin_model,
            song_of(builtin_model, 1, 1),
            length_samples=BAR,
            bar_samples=BAR,
            rng=np.random.default_rng(0),
        )
