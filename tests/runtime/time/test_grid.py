from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime import OptionError
from lakhnes.runtime.time.grid import PPQ, BeatGrid, Position, TimeSignature


@st.composite
def grids(draw: st.DrawFn) -> BeatGrid:
    """Grids of rows that are long or short."""
    n = draw(st.integers(2, 12))
    rows = draw(st.lists(st.floats(1_000, 20_000), min_size=n, max_size=n))
    ticks = draw(st.lists(st.sampled_from([60, 80, 120, 160]), min_size=n, max_size=n))
    meters = st.tuples(st.integers(1, 15), st.sampled_from([2, 4, 8, 16]))
    first, *others = draw(st.lists(meters, min_size=1, max_size=4))
    places = sorted(draw(st.sets(st.integers(1, 40_000), min_size=len(others), max_size=len(others))))
    signatures = [TimeSignature(0, *first)]
    signatures += [TimeSignature(place, *meter) for place, meter in zip(places, others, strict=True)]
    return BeatGrid(np.cumsum(rows) - 30_000, np.cumsum(ticks) - 500.0, tuple(signatures), ((0, 100.0),))


@given(grids() | st.builds(BeatGrid.steady, st.floats(20, 400)), st.integers(-5_000, 50_000))
def test_a_tick_is_found_again_at_its_sample(grid: BeatGrid, tick: int) -> None:
    assert grid.tick(grid.sample(tick)) == tick
    assert grid.sample(tick) < grid.sample(tick + 1)


@given(grids(), st.integers(-5_000, 50_000))
def test_a_place_in_bars_is_a_tick(grid: BeatGrid, tick: int) -> None:
    place = grid.position(tick)
    assert 1 <= place.beat <= max(signature.numerator for signature in grid.signatures)
    assert 0 <= place.tick < max(signature.beat_ticks for signature in grid.signatures)
    assert grid.tick_of(place) == tick


@given(grids(), st.integers(-5_000, 50_000), st.integers(0, 20_000))
def test_bar_lines_are_the_ticks_at_which_bars_begin(grid: BeatGrid, start: int, length: int) -> None:
    lines = list(grid.bar_lines(start, start + length))
    assert lines == sorted(set(lines))
    assert all((grid.position(line).beat, grid.position(line).tick) == (1, 0) for line in lines)
    bars = {
        grid.position(tick).bar for tick in (start + length, *(line - 1 for line in lines if line > start))
    }
    assert {grid.position(line).bar for line in lines} <= bars
    assert len(lines) == grid.position(start + length).bar - grid.position(start - 1).bar


def test_meters_change_at_their_bars() -> None:
    meters = (TimeSignature(0, 1), TimeSignature(480, 7, 8), TimeSignature(480 + 2 * 1680, 3, 4))
    grid = replace(BeatGrid.steady(120), signatures=meters)
    assert list(grid.bar_lines(0, 6000)) == [0, 480, 2160, 3840, 5280]
    assert grid.position(480 + 1680 + 250) == Position(3, 2, 10)
    assert grid.position(3840 + 480) == Position(4, 2, 0)
    assert (grid.bar_ticks, grid.beats_per_bar) == (480, 7)
    for wrong in ((), (TimeSignature(1),), (TimeSignature(0), TimeSignature(0))):
        with pytest.raises(OptionError, match="needs a meter"):
            replace(grid, signatures=wrong)


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
