"""Where things lie in the roll, and selecting without a hand."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support import parts, scores

from lakhnes.gui.roll_geometry import (
    HEADER,
    LEAST_LANE,
    LEAST_NOTE,
    PIXELS_PER_BEAT,
    TOP,
    Axis,
    PlacedNotes,
    lanes_height,
    lanes_of,
    pitch_name,
    place_name,
)
from lakhnes.runtime import BeatGrid, Part, Score, Voice
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.selecting import Selection, Selector, cell

GRID = BeatGrid.steady(120.0)
NEARNESS = st.floats(*PIXELS_PER_BEAT)
BAR = 4 * PPQ


@given(NEARNESS, st.integers(0, 100_000), st.integers(0, 3000))
def test_a_pixel_s_tick_is_at_that_pixel(near: float, scroll: int, x: int) -> None:
    axis = Axis(near, scroll)
    assert abs(axis.x(axis.tick(x)) - x) < 1e-6
    assert axis.tick(x + 1) > axis.tick(x)


@given(NEARNESS, st.integers(0, 100_000), st.integers(HEADER, 3000), st.floats(0.05, 20))
def test_zooming_keeps_what_is_under_the_mouse(near: float, scroll: int, x: int, factor: float) -> None:
    axis = Axis(near, scroll)
    zoomed = axis.zoomed(factor, x)
    assert PIXELS_PER_BEAT[0] <= zoomed.pixels_per_beat <= PIXELS_PER_BEAT[1]
    if zoomed.scroll:
        assert abs(zoomed.x(axis.tick(x)) - x) <= 0.5 + 1e-6
    else:
        assert zoomed.x(axis.tick(x)) <= x + 0.5 + 1e-6


@given(st.integers(0, 200), st.integers(1, 300), st.integers(400, 3000))
def test_a_span_fits_as_large_as_can_be(first: int, beats: int, width: int) -> None:
    span = (first * PPQ, (first + beats) * PPQ)
    axis = Axis.fitting(span, width)
    if axis.pixels_per_beat > PIXELS_PER_BEAT[0]:
        assert HEADER <= axis.x(span[0]) < axis.x(span[1]) <= width
    if axis.pixels_per_beat < PIXELS_PER_BEAT[1]:
        assert axis.x(span[1]) - axis.x(span[0]) > 0.8 * (width - HEADER)


@settings(max_examples=40)
@given(scores(), st.integers(60, 2000), st.integers(0, 200))
def test_each_voice_has_a_lane_that_its_notes_fit(score: Score, height: int, scroll: int) -> None:
    lanes = lanes_of(tuple(PlacedNotes.of(part, GRID) for part in score.parts), height, scroll)
    assert [lane.voice for lane in lanes] == list(Voice)
    assert lanes[0].top == TOP - scroll
    assert lanes[-1].bottom <= lanes_height(height) - scroll
    assert height >= lanes_height(height) or lanes[0].height == LEAST_LANE
    for lane, after in pairwise(lanes):
        assert lane.bottom < after.top
        assert lane.height == after.height >= LEAST_LANE
    for lane, part in zip(lanes, score.parts, strict=True):
        assert lane.high - lane.low >= (15 if lane.voice is Voice.NO else 18)
        edges = [lane.edge(pitch) for pitch in range(lane.high, lane.low - 2, -1)]
        assert edges == sorted(edges)
        assert (edges[0], edges[-1]) == (lane.top, lane.bottom)
        for note in part.notes:
            top, high = lane.row(note.pitch)
            assert high >= LEAST_NOTE
            assert top <= lane.edge(note.pitch) <= lane.edge(note.pitch - 1) <= top + high


@given(parts(Voice.P1), st.floats(20, 400))
def test_notes_lie_where_the_grid_says(part: Part, bpm: float) -> None:
    grid = BeatGrid(np.array([0.0, 20_000, 50_000]), np.array([0.0, 480, 960]))
    for where in (BeatGrid.steady(bpm), grid):
        placed = PlacedNotes.of(part, where)
        np.testing.assert_allclose(placed.starts, [where.exact_tick(n.onset) for n in part.notes])
        np.testing.assert_allclose(placed.ends, [where.exact_tick(n.end) for n in part.notes])


@given(parts(Voice.P1), st.integers(0, 20_000), st.integers(1, 20_000))
def test_between_finds_what_sounds(part: Part, first: int, more: int) -> None:
    placed = PlacedNotes.of(part, GRID)
    found = set(range(len(part.notes))[placed.between(first, first + more)])
    expected = {
        i for i in range(len(part.notes)) if placed.ends[i] > first and placed.starts[i] < first + more
    }
    assert found == expected


@given(parts(Voice.TR), parts(Voice.TR), st.integers(0, 12))
def test_the_first_difference_is_the_first(one: Part, other: Part, same: int) -> None:
    head = one.notes[:same]
    end = head[-1].end if head else 0
    notes = (*head, *(note for note in other.notes if note.onset >= end))
    a, b = PlacedNotes.of(one, GRID), PlacedNotes.of(Part(notes), GRID)
    differ = [
        min(note.onset for note in pair if note is not None)
        for pair in zip((*one.notes, *[None] * 20), (*notes, *[None] * 20), strict=False)
        if pair[0] != pair[1]
    ]
    found = a.first_difference(b)
    assert found == b.first_difference(a)
    assert found == (GRID.exact_tick(differ[0]) if differ else None)


def test_names() -> None:
    assert [pitch_name(Voice.P1, pitch) for pitch in (60, 61, 69, 33)] == ["C4", "C♯4", "A4", "A1"]
    assert pitch_name(Voice.NO, 7) == "7"
    assert [place_name(GRID, tick) for tick in (0, 480, 1920, 2040, 2399)] == [
        "1.1", "1.2", "2.1", "2.1+.25", "2.1+.99",
    ]  # fmt: skip


# Selecting

STEPS = st.one_of(
    st.tuples(st.just("begin"), st.integers(0, 40), st.sampled_from([120, PPQ, BAR]), st.integers(0, 3)),
    st.tuples(st.just("reach"), st.integers(0, 40), st.sampled_from([120, PPQ, BAR]), st.integers(0, 3)),
    st.tuples(st.just("step"), st.sampled_from([-1, 1]), st.sampled_from([PPQ, BAR]), st.booleans()),
    st.tuples(st.just("voice"), st.sampled_from([-1, 1]), st.just(0), st.booleans()),
    st.tuples(st.just("limit"), st.integers(0, 10), st.just(0), st.just(0)),
    st.tuples(st.just("none"), st.just(0), st.just(0), st.just(0)),
)


def act(selector: Selector, step: tuple[str, int, int, int | bool]) -> None:
    name, number, unit, more = step
    if name == "begin":
        selector.begin(cell(number * unit, unit), Voice(more), Voice(more))
    elif name == "reach":
        selector.reach(cell(number * unit, unit), Voice(more))
    elif name == "step":
        selector.step(number, unit, extend=bool(more), start=0.0)
    elif name == "voice":
        selector.step_voice(number, extend=bool(more))
    elif name == "limit":
        selector.set_limit(number * BAR)
    elif name == "none":
        selector.put(None)


@given(st.lists(STEPS, max_size=40))
def test_whatever_is_done_the_selection_lies_in_the_song(steps: list[tuple[str, int, int, int]]) -> None:
    selector = Selector()
    selector.set_limit(8 * BAR)
    for step in steps:
        act(selector, step)
        chosen = selector.selection
        if chosen is not None:
            assert 0 <= chosen.first < chosen.last <= selector.limit
            assert chosen.voices
            assert chosen.first % 120 == chosen.last % 120 == 0


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 3), st.integers(0, 3))
def test_a_reach_goes_from_the_anchor_to_where_it_is(a: int, b: int, one: int, other: int) -> None:
    selector = Selector()
    selector.set_limit(8 * BAR)
    selector.begin(cell(a * PPQ, PPQ), Voice(one), Voice(one))
    for stop in (3, b):
        selector.reach(cell(stop * PPQ, PPQ), Voice(other))
    voices = frozenset(Voice(v) for v in range(min(one, other), max(one, other) + 1))
    assert selector.selection == Selection(min(a, b) * PPQ, (max(a, b) + 1) * PPQ, voices)


@given(st.lists(st.booleans(), max_size=12))
def test_steps_back_undo_steps_forth(bars: list[bool]) -> None:
    selector = Selector()
    selector.set_limit(100 * BAR)
    selector.put(Selection(20 * BAR, 21 * BAR, frozenset((Voice.P2,))))
    begun = selector.selection
    seen = []
    for by_bar in bars:
        seen.append(selector.selection)
        selector.step(1, BAR if by_bar else PPQ, extend=True, start=0)
    assert (selector.selection == begun) is (not bars)
    while selector.selection != begun:
        selector.step(-1, PPQ, extend=True, start=0)
    selector.step(-1, BAR, extend=True, start=0)
    assert selector.selection == Selection(19 * BAR, 21 * BAR, frozenset((Voice.P2,)))


def test_a_song_that_got_shorter_lets_go_what_is_no_more() -> None:
    selector = Selector()
    selector.set_limit(4 * BAR)
    selector.put(Selection(BAR, 4 * BAR, frozenset(Voice)))
    selector.set_limit(2 * BAR)
    assert selector.selection == Selection(BAR, 2 * BAR, frozenset(Voice))
    selector.set_limit(BAR)
    assert selector.selection is None
