import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import KINDS, simulate
from support import scores

from lakhnes.runtime import Kind, Note, OptionError, Part, Score
from lakhnes.runtime.time.grid import PPQ, grid_of_beats
from lakhnes.runtime.time.quantise import NEAR_SECONDS, quantised, retimed
from lakhnes.runtime.time.tempo import track_beats


@settings(max_examples=40, deadline=None)
@given(scores(), st.floats(0, 1))
def test_no_note_is_lost_or_goes_far(score: Score, strength: float) -> None:
    moved = quantised(score, track_beats(score), strength)
    for before, after in zip(score.parts, moved.parts, strict=True):
        assert [(n.pitch, n.velocity) for n in before.notes] == [(n.pitch, n.velocity) for n in after.notes]
        for note, other in zip(before.notes, after.notes, strict=True):
            assert abs(note.onset - other.onset) <= NEAR_SECONDS * 44_100 + len(before.notes)
    if strength == 0:
        assert [p.notes for p in moved.parts] == [p.notes for p in score.parts]


@settings(max_examples=60)
@given(scores(), st.integers(0, 10_000), st.floats(0.2, 1))
def test_no_note_becomes_shorter_than_a_frame_or_than_half(score: Score, seed: int, strength: float) -> None:
    """Whatever the rows are: those of another song."""
    beats = track_beats(simulate(KINDS["straight"], seed % 50).score)
    for before, after in zip(score.parts, quantised(score, beats, strength).parts, strict=True):
        for note, other in zip(before.notes, after.notes, strict=True):
            assert other.length >= min(note.length, max(735, note.length / 2))
            assert abs(other.onset - note.onset) <= NEAR_SECONDS * 44_100 + 1
            assert abs(other.end - note.end) <= max(2 * NEAR_SECONDS * 44_100, note.length) + 1


def test_hits_of_one_frame_stay_hits_of_one_frame() -> None:
    hats = tuple(Note(700 + i * 5145, 735, 12) for i in range(160))
    bass = tuple(Note(700 + i * 4 * 5145, 9000, 40) for i in range(40))
    song = Score((Part(), Part(), Part(bass), Part(hats)), 160 * 5145 + 9000)
    moved = quantised(song, track_beats(song)).parts[3].notes
    assert {note.length for note in moved} == {735}
    assert len({note.onset for note in moved}) == 160


def test_onsets_near_rows_come_to_lie_on_them() -> None:
    song = simulate(KINDS["displaced"], 3)
    beats = track_beats(song.score)
    onsets = [n.onset for part in quantised(song.score, beats).parts for n in part.notes]
    share = np.isin(onsets, beats.rows).mean()
    assert share > 0.85
    assert share > np.isin([n.onset for part in song.score.parts for n in part.notes], beats.rows).mean()


def test_strengths_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="strength of 2"):
        quantised(Score(), track_beats(Score()), 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_grid_of_beats_has_its_bars_rows_and_swing(seed: int) -> None:
    kinds = list(KINDS.values())
    beats = track_beats(simulate(kinds[seed % len(kinds)], seed).score)
    grid = grid_of_beats(beats)
    bar = beats.rows_per_beat * beats.beats_per_bar
    for row in range(beats.downbeat, len(beats.rows) - 1, bar):
        place = grid.position(grid.tick(float(beats.rows[row])))
        assert (place.beat, place.tick) == (1, 0)
    if beats.rows_per_beat % 2 == 0:
        pair = [grid.tick(float(beats.rows[beats.downbeat + k])) for k in range(3)]
        long = PPQ * 2 / beats.rows_per_beat * beats.swing
        assert pair[1] - pair[0] == pytest.approx(long, abs=1)
    assert grid.tempi[0][1] == beats.sections[0][1]


def test_changes_stay_with_their_notes() -> None:
    song = simulate(KINDS["straight"], 1).score
    moved = quantised(song, track_beats(song))
    for part in moved.parts:
        onsets = {note.onset for note in part.notes}
        assert not any(c.kind is Kind.VELOCITY and c.sample in onsets for c in part.changes)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(60, 200), st.sampled_from([0.5, 1.0, 2.0]))
def test_at_another_tempo_everything_stays_on_its_beat(seed: int, bpm: float, beats: float) -> None:
    kinds = list(KINDS.values())
    song = simulate(kinds[seed % len(kinds)], seed).score
    grid = grid_of_beats(track_beats(song)).scaled(beats)
    moved, steady = retimed(song, grid, bpm)
    lead = grid.lead_ticks
    assert steady.bpm == bpm
    for before, after in zip(song.parts, moved.parts, strict=True):
        for note, other in zip(before.notes, after.notes, strict=True):
            wanted = max(0.0, grid.exact_tick(note.onset) + lead)
            assert abs(steady.exact_tick(other.onset) - wanted) < 1
