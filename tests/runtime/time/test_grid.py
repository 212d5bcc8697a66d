import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime import OptionError
from lakhnes.runtime.time.grid import PPQ, BeatGrid, Position


@st.composite
def grids(draw: st.DrawFn) -> BeatGrid:
    """Grids of rows that are long or short."""
    n = draw(st.integers(2, 12))
    rows = draw(st.lists(st.floats(1_000, 20_000), min_size=n, max_size=n))
    ticks = draw(st.lists(st.sampled_from([60, 80, 120, 160]), min_size=n, max_size=n))
    return BeatGrid(
        np.cumsum(rows) - 30_000, np.cumsum(ticks) - 500.0, draw(st.integers(1, 7)), ((0, 100.0),)
    )


@given(grids() | st.builds(BeatGrid.steady, st.floats(20, 400)), st.integers(-5_000, 50_000))
def test_a_tick_is_found_again_at_its_sample(grid: BeatGrid, tick: int) -> None:
    assert grid.tick(grid.sample(tick)) == tick
    assert grid.sample(tick) < grid.sample(tick + 1)


@given(grids(), st.integers(-5_000, 50_000))
def test_a_place_in_bars_is_a_tick(grid: BeatGrid, tick: int) -> None:
    place = grid.position(tick)
    assert 1 <= place.beat <= grid.beats_per_bar
    assert 0 <= place.tick < PPQ
    assert grid.tick_of(place) == tick


def test_bars_and_beats_count_as_a_daw_does() -> None:
    grid = BeatGrid.steady(120, 3)
    assert grid.position(grid.tick(0)) == Position(1, 1, 0)
    assert grid.position(grid.tick(22_050 * 4)) == Position(2, 2, 0)
    assert grid.position(-1) == Position(0, 3, 479)
    assert grid.sample(PPQ) == 22_050


def test_grids_that_are_none_are_refused() -> None:
    for bpm in (0, 19, 401, float("nan")):
        with pytest.raises(OptionError, match="BPM is out of range; give 20 to 400"):
            BeatGrid.steady(bpm)
    with pytest.raises(OptionError, match="bar of 0 beats"):
        BeatGrid.steady(120, 0)
    for samples, ticks in (([0.0], [0.0]), ([0.0, 0.0], [0.0, 1.0]), ([0.0, 1.0], [1.0, 0.0])):
        with pytest.raises(OptionError, match="two points"):
            BeatGrid(np.array(samples), np.array(ticks))
