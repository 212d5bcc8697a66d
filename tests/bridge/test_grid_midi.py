"""MIDI on a grid, as another library reads it."""

import io

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.bridge.any_midi import score_from_midi
from lakhnes.bridge.daw_midi import GAP_TICKS
from lakhnes.bridge.midi_grid import grid_of_midi
from lakhnes.bridge.monophony import NEAR
from lakhnes.bridge.smf import parse
from lakhnes.runtime import Note, Part, Score, Voice
from lakhnes.runtime.time.grid import PPQ, BeatGrid, TimeSignature

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
    pick_up = BeatGrid(steady.samples + 50_000, steady.ticks, (TimeSignature(0),), ((0, 100.0),))
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
    grid = BeatGrid(samples, ticks, (TimeSignature(0),), ((0, 120.0), (1920, 240.0)))
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


@st.composite
def conductors(draw: st.DrawFn) -> tuple[int, list[tuple[int, mido.MetaMessage]]]:
    """A division, and tempi, meters and keys on whole beats, each with its beat."""
    beats = st.lists(st.integers(0, 200), unique=True, max_size=5).map(sorted)
    stated = [
        (beat, mido.MetaMessage("set_tempo", tempo=draw(st.integers(40_000, 16_000_000))))
        for beat in draw(beats)
    ]
    for beat in draw(beats):
        meter = {
            "numerator": draw(st.integers(1, 17)),
            "denominator": draw(st.sampled_from([1, 2, 4, 8, 16])),
        }
        stated.append((beat, mido.MetaMessage("time_signature", **meter)))
    keys = st.sampled_from(["C", "Ab", "F#", "Cb", "C#", "Am", "Abm", "A#m", "Ebm"])
    stated += [(beat, mido.MetaMessage("key_signature", key=draw(keys))) for beat in draw(beats)]
    return draw(st.sampled_from([24, 96, 120, 480, 960, 1024, 15_360])), stated


def with_conductor(division: int, stated: list[tuple[int, mido.MetaMessage]], onsets: list[int]) -> bytes:
    midi = mido.MidiFile(ticks_per_beat=division)
    conductor, track = mido.MidiTrack(), mido.MidiTrack()
    now = 0
    for beat, message in sorted(stated, key=lambda item: item[0]):
        conductor.append(message.copy(time=beat * division - now))
        now = beat * division
    now = 0
    for onset in onsets:
        track.append(mido.Message("note_on", note=60, velocity=90, time=onset - now))
        track.append(mido.Message("note_off", note=60, time=division // 8))
        now = onset + division // 8
    midi.tracks += [conductor, track]
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def facts(data: bytes) -> tuple[list[tuple[float, ...]], ...]:
    """Tempi, meters and keys with their beats, as another library reads them; what only repeats left out."""
    read = symusic.Score.from_midi(data)
    per_beat = read.ticks_per_quarter
    rows = (
        [(t.time / per_beat, t.mspq) for t in read.tempos],
        [(s.time / per_beat, s.numerator, s.denominator) for s in read.time_signatures],
        [(k.time / per_beat, k.key, k.tonality) for k in read.key_signatures],
    )
    return tuple([r for i, r in enumerate(row) if i == 0 or r[1:] != row[i - 1][1:]] for row in rows)


@settings(max_examples=60, deadline=None)
@given(conductors(), st.lists(st.integers(0, 3000), min_size=1, max_size=20, unique=True).map(sorted))
def test_what_a_file_states_comes_back(
    conductor: tuple[int, list[tuple[int, mido.MetaMessage]]], eighths: list[int]
) -> None:
    division, stated = conductor
    data = with_conductor(division, stated, [eighth * (division // 8) for eighth in eighths])
    midi = parse(data)
    grid = grid_of_midi(midi)
    assert grid is not None
    score, _ = score_from_midi(midi)
    tempi, meters, keys = facts(midi_bytes(score, grid=grid))
    first, same, its_keys = facts(data)
    if not first or first[0][0] > 0:
        first.insert(0, (0, 500_000))
    if not same or same[0][0] > 0:
        same.insert(0, (0, 4, 4))
    assert [row for i, row in enumerate(first) if i == 0 or row[1:] != first[i - 1][1:]] == tempi
    assert [row for i, row in enumerate(same) if i == 0 or row[1:] != same[i - 1][1:]] == meters
    assert its_keys == keys
    onsets = [round(eighth * PPQ / 8) for eighth in eighths]
    played = [note.onset for note in score.parts[Voice.P1].notes]
    if len(played) == len(onsets):  # else some come too soon after others
        shifts = [sample - grid.sample(tick) for sample, tick in zip(played, onsets, strict=True)]
        assert all(-1 <= shift <= NEAR + 1 for shift in shifts)


def test_of_keys_that_tracks_state_at_one_place_most_count() -> None:
    midi = mido.MidiFile(ticks_per_beat=480)
    for keys in (["D"], ["D"], ["C", "Am"]):
        midi.tracks.append(mido.MidiTrack([mido.MetaMessage("key_signature", key=key) for key in keys]))
        midi.tracks[-1] += [mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)]
    buffer = io.BytesIO()
    midi.save(file=buffer)
    grid = grid_of_midi(parse(buffer.getvalue()))
    assert grid is not None
    assert [(key.sharps, key.minor) for key in grid.keys] == [(2, False)]


def test_a_stated_tempo_is_kept_whatever_the_notes_do() -> None:
    rng = np.random.default_rng(1)
    onsets = np.cumsum(rng.integers(100, 400, 60)).tolist()
    meters = [(0, mido.MetaMessage("time_signature", numerator=6, denominator=8))]
    tempi = [
        (0, mido.MetaMessage("set_tempo", tempo=571_429)),
        (8, mido.MetaMessage("set_tempo", tempo=4_000_000)),
    ]
    for stated, bpm in ((tempi, [105, 15]), (meters, [120]), (tempi + meters, [105, 15])):
        grid = grid_of_midi(parse(with_conductor(480, stated, onsets)))
        assert grid is not None
        assert [round(tempo) for _, tempo in grid.tempi] == bpm
        assert grid.row_ticks == 0, "they lie on no rows"
    assert grid_of_midi(parse(with_conductor(480, [], onsets))) is None
    assert grid_of_midi(parse(with_conductor(480, [], list(range(0, 9600, 480))))) is not None


def test_a_pick_up_bar_stays_one() -> None:
    meters = [(0, 1), (1, 4)]
    stated = [(beat, mido.MetaMessage("time_signature", numerator=n, denominator=4)) for beat, n in meters]
    grid = grid_of_midi(parse(with_conductor(480, stated, list(range(0, 9600, 480)))))
    assert grid is not None
    assert (grid.beats_per_bar, grid.lead_ticks) == (4, 0)
    assert [grid.position(tick).bar for tick in (0, 480, 2399, 2400)] == [1, 2, 2, 3]
