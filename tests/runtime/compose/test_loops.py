"""Songs that lead from their end into their beginning."""

import numpy as np
import pytest

from lakhnes.runtime import BeatGrid, Model, OptionError, Request, Score, Timing, compose_loop
from lakhnes.runtime.decode.match_cache import Reader
from lakhnes.runtime.decode.sampling import log_softmax

GRID = BeatGrid.steady(140)
BAR = GRID.sample(GRID.bar_ticks)


def looped(model: Model, seed: int, takes: int) -> Score:
    return compose_loop(model, Request(seed), GRID, 4, takes=takes).score


def test_a_loop_is_as_long_as_asked_on_the_grid_and_the_same_for_a_seed(small_model: Model) -> None:
    score = looped(small_model, 1, 4)
    assert score == looped(small_model, 1, 4)
    assert score.length == GRID.sample(4 * GRID.bar_ticks)
    ticks = [GRID.tick(note.onset) for part in score.parts for note in part.notes]
    assert ticks
    assert all(tick % 120 == 0 for tick in ticks)


def test_more_takes_lead_better_into_the_first_bar_and_change_the_last_alone(small_model: Model) -> None:
    def likelihood(score: Score) -> float:
        """How likely the first bar is after the whole song, by a reading of its own."""
        codec = small_model.codec
        whole = codec.encode(score)
        waits = codec.wait_samples[whole]
        first = [t for t, at in zip(whole, np.cumsum(waits) - waits, strict=True) if at < BAR]
        reader = Reader(small_model)
        after = reader.read([0, *whole][-small_model.info.mem_len :])[-1:]
        rows = np.concatenate([after, reader.read(first[:-1])])
        return float(log_softmax(rows)[np.arange(len(first)), first].sum())

    gains = []
    for seed in range(4):
        one, many = looped(small_model, seed, 1), looped(small_model, seed, 8)
        cut = 3 * BAR
        for a, b in zip(one.parts, many.parts, strict=True):
            assert [n for n in a.notes if n.end <= cut - 10] == [n for n in b.notes if n.end <= cut - 10]
        gains.append(likelihood(many) - likelihood(one))
    if small_model.codec.timing is Timing.FRAMES:  # a reading of bars takes the song's own head
        assert np.mean(gains) > 0


def test_a_loop_of_one_bar_is_refused(small_model: Model) -> None:
    with pytest.raises(OptionError, match="two bars at least"):
        compose_loop(small_model, Request(1), GRID, 1)
