"""A song's time as a model counts it, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import scores

from lakhnes.runtime import BeatGrid, KeySignature, Note, Part, Score, TimeSignature, Timing, Voice
from lakhnes.runtime.music.timing import EVENT_TIMINGS, FRAME_SAMPLES
from lakhnes.runtime.time.model_time import beat_of, model_grid, model_rows, row_time, to_song, whole_frames


@pytest.mark.parametrize(
    ("bpm", "frames"), [(120, 8), (150, 6), (100, 9), (225, 4), (112.5, 8), (400, 2), (20, 45)]
)
def test_a_row_has_the_nearest_whole_number_of_frames(bpm: float, frames: int) -> None:
    assert whole_frames(BeatGrid.steady(bpm)) == frames


@given(st.floats(20, 400), st.integers(0, 4000))
def test_rows_are_whole_frames_and_come_back_to_the_sample(bpm: float, row: int) -> None:
    grid = BeatGrid.steady(bpm)
    time = row_time(Score(), grid, Timing.FRAMES)
    sample = grid.sample(row * grid.row_ticks)
    assert time.to_model(sample) == row * whole_frames(grid) * FRAME_SAMPLES
    assert time.to_song(time.to_model(sample)) == sample


def test_no_rhythm_is_told_in_turn_long_and_short() -> None:
    """At 120 BPM a sixteenth lasts 7.5 frames."""
    grid = BeatGrid.steady(120)
    notes = tuple(Note(grid.sample(i * 120), 3000, 60) for i in range(64))
    time = row_time(Score((Part(notes), Part(), Part(), Part()), grid.sample(64 * 120)), grid, Timing.FRAMES)
    assert set(np.diff([note.onset for note in time.score.parts[0].notes])) == {8 * FRAME_SAMPLES}


def uneven() -> BeatGrid:
    """A pick-up, a tempo change, and swing."""
    rows = np.arange(-3, 60)
    ticks = rows * 120.0 + np.where(rows % 2, 20.0, 0.0)
    samples = 9_000 + np.where(rows < 30, rows * 5512.5, 30 * 5512.5 + (rows - 30) * 4900.0)
    return BeatGrid(samples, ticks)


def test_tempo_changes_and_swing_are_taken_out_and_put_back() -> None:
    grid = uneven()
    onsets = [grid.sample(row * 120) for row in range(56)]
    notes = tuple(Note(onset, 2000, 60 + i % 5) for i, onset in enumerate(onsets))
    time = row_time(Score((Part(notes), Part(), Part(), Part()), onsets[-1] + 9000), grid, Timing.FRAMES)
    told = time.score.parts[0].notes
    assert {note.onset % round(time.rows.step) for note in told} == {0}
    back = to_song(time, Voice.P1, time.score)
    assert [note.onset for note in back.notes] == onsets


@given(scores(vocabulary=True), st.sampled_from(EVENT_TIMINGS), st.floats(60, 240))
def test_any_score_has_a_model_time(score: Score, timing: Timing, bpm: float) -> None:
    time = row_time(score, BeatGrid.steady(bpm), timing)
    for voice in Voice:
        part = to_song(time, voice, time.score)
        assert len(part.notes) <= len(score.parts[voice].notes)
    if timing is Timing.FRAMES:
        assert all(note.onset % FRAME_SAMPLES == 0 for part in time.score.parts for note in part.notes)


@given(st.floats(20, 400), st.sampled_from(EVENT_TIMINGS), st.integers(0, 100_000))
def test_the_models_grid_has_the_same_ticks(bpm: float, timing: Timing, row: int) -> None:
    grid = BeatGrid.steady(bpm)
    ticks = model_grid(grid, timing)
    assert ticks.sample(row * 120) == pytest.approx(row * model_rows(grid, timing).step, abs=1)
    assert ticks.tick(ticks.sample(row * 120)) == row * 120


def test_a_grid_since_a_sample_begins_with_its_bar() -> None:
    grid = BeatGrid.steady(120)
    later = grid.since(grid.sample(5 * 1920 + 480))
    assert later.tick(0) == 480
    assert later.sample(480 + 960) == grid.sample(960)
    assert later.lead_ticks == 0
    assert later.tempi == ((0, 120.0),)


def test_a_grid_since_a_sample_has_the_meters_tempi_and_keys_from_there() -> None:
    """A pick-up of a quarter note, three bars of 4/4, and waltz bars in another key and tempo."""
    ticks = np.array([0.0, 480 + 3 * 1920, 480 + 3 * 1920 + 6 * 1440])
    change = int(ticks[1])
    grid = BeatGrid(
        np.array([0.0, 13 * 22_050, 13 * 22_050 + 18 * 11_025]),
        ticks,
        (TimeSignature(0, 1), TimeSignature(480), TimeSignature(change, 3)),
        ((0, 120.0), (change, 240.0)),
        keys=(KeySignature(480, 1, False), KeySignature(change, -3, True)),
    )
    second = grid.since(grid.sample(480 + 1920 + 100))
    assert second.tick(0) == 100
    assert second.signatures == (TimeSignature(0), TimeSignature(2 * 1920, 3))
    assert second.tempi == ((0, 120.0), (2 * 1920, 240.0))
    assert second.keys == (KeySignature(0, 1, False), KeySignature(2 * 1920, -3, True))
    waltz = grid.since(grid.sample(change + 1440))
    assert waltz.tick(0) == 0
    assert waltz.signatures == (TimeSignature(0, 3),)
    assert waltz.tempi == ((0, 240.0),)
    assert waltz.keys == (KeySignature(0, -3, True),)
    assert grid.since(0).signatures == grid.signatures
    assert grid.since(0).keys == grid.keys


@given(st.integers(0, 8 * 1920), st.integers(0, 20))
def test_a_grid_since_a_sample_is_the_same_time(start: int, bars: int) -> None:
    grid = uneven()
    line, since = grid.bars_later(start, 0), grid.since(grid.sample(start))
    for tick in (line, start, line + bars * 480, line + bars * 1920):
        assert since.sample(tick - line) == pytest.approx(grid.sample(tick) - grid.sample(start), abs=1)
    assert since.tick(0) == start - line


def test_silence_has_no_beat() -> None:
    assert beat_of(Score(length=44_100)) is None


@given(st.lists(st.floats(4000, 8000), min_size=1, max_size=80), st.floats(1, 500))
def test_a_tempo_map_of_few_tempi_follows_its_grid(rows: list[float], tolerance: float) -> None:
    samples = np.concatenate([[0.0], np.cumsum(rows)])
    grid = BeatGrid(samples, 120.0 * np.arange(len(samples)))
    few = grid.in_few_tempi(tolerance)
    assert abs(np.array([few.sample(tick) for tick in grid.ticks]) - samples).max() <= tolerance + 1
    assert len(few.tempi) == len(few.ticks) - 1 <= len(rows)


def test_rows_of_seven_and_eight_frames_in_turn_have_one_tempo() -> None:
    samples = np.cumsum([0.0, *[7 * 735.0, 8 * 735.0] * 40])
    few = BeatGrid(samples, 120.0 * np.arange(len(samples))).in_few_tempi()
    assert [round(bpm, 1) for _, bpm in few.tempi] == [120.0]


def every(step: int, count: int) -> Score:
    """Notes at every so many samples."""
    return Score(
        (Part(tuple(Note(i * step, 700, 60) for i in range(count))), Part(), Part(), Part()), step * count
    )


@pytest.mark.parametrize(
    ("frames", "step"),
    [(12, 12), (6, 6), (4, 4), (3, 3), (2, 4), (24, 12)],
)
def test_rows_are_as_fine_as_the_music_but_no_finer_than_three_frames(frames: int, step: int) -> None:
    grid = BeatGrid.steady(75)  # 12 frames a row
    time = row_time(every(frames * FRAME_SAMPLES, 240), grid, Timing.FRAMES)
    assert time.rows.step == step * FRAME_SAMPLES
    assert time.to_model(grid.sample(120)) == 12 * FRAME_SAMPLES
