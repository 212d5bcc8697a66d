"""MIDI on a grid, as another library reads it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.bridge.daw_midi import GAP_TICKS
from lakhnes.bridge.midi_grid import grid_of_midi
from lakhnes.bridge.smf import parse
from lakhnes.runtime import Note, Part, Score, Voice
from lakhnes.runtime.time.grid import PPQ, BeatGrid

symusic = pytest.importorskip("symusic")

ROW = PPQ // 4


def on_rows(grid: BeatGrid, rows: list[int], first: int = 0) -> Score:
    """A scale whose notes last a row each, on these rows."""
    notes = tuple(
        Note(
            grid.sample(first + row * ROW),
            grid.sample(first + (row + 1) * ROW) - grid.sample(first + row * ROW),
            60,
        )
        for row in rows
    )
    return Score((Part(notes), Part(), Part(), Part()), grid.sample(first + (rows[-1] + 1) * ROW))


@settings(max_examples=50, deadline=None)
@given(
    st.floats(40, 300),
    st.integers(2, 7),
    st.lists(st.integers(0, 400), min_size=1, max_size=30, unique=True).map(sorted),
)
def test_tempo_bars_and_notes_are_where_they_belong(bpm: float, beats: int, rows: list[int]) -> None:
    grid = BeatGrid.steady(bpm, beats)
    read = symusic.Score.from_midi(midi_bytes(on_rows(grid, rows), MidiStyle.DAW, grid))
    assert read.ticks_per_quarter == PPQ
    assert [tempo.qpm for tempo in read.tempos] == [pytest.approx(bpm, rel=1e-4)]
    assert [(s.time, s.numerator, s.denominator) for s in read.time_signatures] == [(0, beats, 4)]
    track = next(track for track in read.tracks if track.notes)
    assert [note.time for note in track.notes] == [row * ROW for row in rows]
    for note, row in zip(track.notes, rows, strict=True):
        assert note.duration == ROW - (GAP_TICKS if row + 1 in rows else 0), (
            "a gap where the pitch is struck again"
        )


def test_a_pick_up_gets_a_bar_of_its_own() -> None:
    steady = BeatGrid.steady(100)
    pick_up = BeatGrid(steady.samples + 50_000, steady.ticks, 4, ((0, 100.0),))
    first = pick_up.tick(0)
    assert first < 0
    score = Score((Part((Note(0, 9_000, 60), Note(50_000, 9_000, 62))), Part(), Part(), Part()), 100_000)
    read = symusic.Score.from_midi(midi_bytes(score, MidiStyle.DAW, pick_up))
    times = [note.time for note in next(track for track in read.tracks if track.notes).notes]
    bars = -(-50_000 // (4 * 60 * 44_100 // 100))
    assert times == [bars * 4 * PPQ + first, bars * 4 * PPQ]


def test_tempi_change_where_the_grid_says() -> None:
    ticks = np.array([0.0, 1920.0, 3840.0])
    samples = np.array([0.0, 88_200.0, 88_200.0 * 1.5])
    grid = BeatGrid(samples, ticks, 4, ((0, 120.0), (1920, 240.0)))
    score = on_rows(grid, list(range(0, 32, 4)))
    read = symusic.Score.from_midi(midi_bytes(score, MidiStyle.DAW, grid))
    assert [(t.time, round(t.qpm)) for t in read.tempos] == [(0, 120), (1920, 240)]
    assert [(m.time, m.text) for m in read.markers] == [(0, "120 BPM"), (1920, "240 BPM")]
    assert [note.time for note in next(t for t in read.tracks if t.notes).notes] == list(range(0, 3840, 480))
    assert len(read.tracks) >= len(Voice) - 3


@settings(max_examples=30, deadline=None)
@given(
    st.floats(40, 300), st.integers(2, 7), st.lists(st.integers(0, 200), min_size=1, unique=True).map(sorted)
)
def test_a_file_on_a_grid_gives_its_grid_back(bpm: float, beats: int, rows: list[int]) -> None:
    grid = BeatGrid.steady(bpm, beats)
    found = grid_of_midi(parse(midi_bytes(on_rows(grid, rows), MidiStyle.DAW, grid)))
    assert found is not None
    assert found.bpm == pytest.approx(bpm, rel=1e-5)
    assert (found.beats_per_bar, found.row_ticks) == (beats, ROW)
    assert [found.tick(grid.sample(row * ROW)) for row in rows] == [row * ROW for row in rows]


def test_a_tempo_that_the_notes_do_not_keep_is_none() -> None:
    rng = np.random.default_rng(0)
    onsets = np.cumsum(rng.integers(3_000, 9_000, 60)).tolist()
    score = Score((Part(tuple(Note(onset, 1_000, 60) for onset in onsets)), Part(), Part(), Part()), 10**6)
    assert grid_of_midi(parse(midi_bytes(score))) is None
    assert grid_of_midi(parse(midi_bytes(Score(length=44_100)))) is None
