from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import KINDS, Simulated, moved, simulate
from support import scores, tune

from lakhnes.runtime import SAMPLE_RATE, Note, Part, Score, Voice
from lakhnes.runtime.time.tempo import SURE, BeatFollower, Beats, track_beats

FRAME = 735


def valid(beats: Beats, score: Score) -> None:
    onsets = [note.onset for part in score.parts for note in part.notes]
    assert beats.rows.dtype == np.int64
    assert np.all(np.diff(beats.rows) > 0)
    assert beats.rows[0] <= min(onsets, default=0)
    assert beats.rows[-1] >= score.length
    assert beats.rows_per_beat >= 1
    assert beats.beats_per_bar >= 2
    assert 0 <= beats.downbeat < beats.rows_per_beat * beats.beats_per_bar
    assert 0.5 <= beats.swing < 0.75
    assert 0 <= beats.confidence <= 1
    assert 20 < beats.bpm < 400
    assert beats.sections[0][0] == 0
    assert all(before < after for (before, _), (after, _) in pairwise(beats.sections))
    assert min(bpm for _, bpm in beats.sections) <= beats.bpm <= max(bpm for _, bpm in beats.sections)


def voices(**notes: list[tuple[int, int]]) -> Score:
    """A score of (onset, pitch) in each voice, every note a frame long."""
    four = [Part(tuple(Note(on, FRAME, pitch) for on, pitch in notes.get(v.name, ()))) for v in Voice]
    length = max((part.notes[-1].end for part in four if part.notes), default=0)
    return Score((four[0], four[1], four[2], four[3]), length)


def rows_right(song: Simulated, beats: Beats) -> float:
    """Share of onsets on the right row, where rows may be found half, double or four times as long."""
    found = np.array([round(beats.place(s)) for s in song.onsets[:, 0].tolist()])
    true = song.onsets[:, 1]
    shares = []
    for up, down in ((1, 1), (1, 2), (2, 1), (1, 4), (4, 1)):
        shares.append(max(Counter((true * up - found * down).tolist()).values()) / len(true))
    return max(shares)


@settings(max_examples=60, deadline=None)
@given(score=scores() | scores(unit=FRAME))
def test_every_score_has_valid_beats(score: Score) -> None:
    valid(track_beats(score), score)


@settings(max_examples=40, deadline=None)
@given(score=scores(unit=FRAME), ask=st.floats(-50, 500))
def test_place_and_sample_are_inverse_and_rise(score: Score, ask: float) -> None:
    beats = track_beats(score)
    for row in range(0, len(beats.rows), max(1, len(beats.rows) // 20)):
        assert beats.sample(row) == beats.rows[row]
        assert beats.place(int(beats.rows[row])) == row
    assert beats.place(beats.sample(ask)) == pytest.approx(ask, abs=0.51)
    assert beats.sample(ask) <= beats.sample(ask + 1)
    assert beats.place(beats.sample(ask)) < beats.place(beats.sample(ask) + 1)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 50), later=st.integers(1, 10**7))
def test_a_song_that_begins_later_has_the_same_beats_later(seed: int, later: int) -> None:
    song = simulate(KINDS["straight"], seed, bars=12)
    now, then = track_beats(song.score), track_beats(moved(song, later))
    np.testing.assert_array_equal(now.rows + later, then.rows)
    assert (now.bpm, now.downbeat, now.sections) == (then.bpm, then.downbeat, then.sections)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_simulated_songs(kind: str) -> None:
    songs = [simulate(KINDS[kind], seed) for seed in range(20)]
    songs = [song for song in songs if not song.triple or KINDS[kind].feel == "triplet"]
    shares = []
    for song in songs:
        beats = track_beats(song.score)
        valid(beats, song.score)
        if len(song.bpms) == 1:
            shares.append(rows_right(song, beats))
    assert not shares or (np.mean(shares) >= 0.94 and np.median(shares) >= 0.999)


@pytest.mark.parametrize("kind", ["straight", "alternating", "swung", "displaced", "quantised", "three-four"])
def test_tempi_of_simulated_songs(kind: str) -> None:
    right = []
    for seed in range(100, 120):
        song = simulate(KINDS[kind], seed)
        octaves = np.log2(track_beats(song.score).bpm / song.bpms[0])
        thirds = song.triple or kind == "swung"
        right.append(abs(octaves - round(octaves)) < np.log2(1.005) or (thirds and abs(octaves) < 2))
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize("kind", ["straight", "triplet", "three-four", "pick-up", "no drums"])
def test_first_bar_lines_of_simulated_songs(kind: str) -> None:
    right = []
    for seed in range(200, 220):
        song = simulate(KINDS[kind], seed)
        beats = track_beats(song.score)
        line = song.onsets[np.argmin(np.abs(song.onsets[:, 1] - song.downbeat)), 1]
        at = song.onsets[song.onsets[:, 1] == line][0, 0]
        apart = beats.place(float(at)) - beats.downbeat  # a line of theirs lies on one of ours
        per_bar = beats.rows_per_beat * beats.beats_per_bar
        whole = line == song.downbeat
        right.append(not whole or min(apart % per_bar, -apart % per_bar) < 0.5 or apart < 0)
    assert np.mean(right) >= 0.85


def test_an_even_song_is_read_as_it_was_written() -> None:
    row = 7 * FRAME
    kick = [(4 * i * row, 1 if i % 2 == 0 else 7) for i in range(64)]
    bass = [(16 * i * row, (36, 41, 43, 36)[i % 4]) for i in range(16)]
    lead = [(2 * i * row, 60 + (i * 5) % 8) for i in range(128)]
    beats = track_beats(voices(P1=lead, TR=bass, NO=kick))
    assert beats.bpm == pytest.approx(3600 / 28, rel=1e-3)
    assert beats.bpm * beats.rows_per_beat == pytest.approx(3600 / 14, rel=1e-3)  # nothing lies on odd rows
    assert (beats.beats_per_bar, beats.downbeat, beats.swing) == (4, 0, 0.5)
    assert beats.confidence > 0.9
    assert [beats.rows[int(beats.place(on))] for on, _ in lead] == [on for on, _ in lead]


def test_swing_is_measured() -> None:
    rows = np.concatenate([[0], np.cumsum(np.tile([9, 6], 100))]) * FRAME
    lead = [(int(on), 60 + i % 8) for i, on in enumerate(rows)]
    bass = [(int(rows[i]), 36 + i // 16 % 4) for i in range(0, 200, 4)]
    beats = track_beats(voices(P1=lead, TR=bass))
    assert beats.swing == pytest.approx(0.6, abs=0.01)
    assert beats.downbeat % 2 == 0
    assert beats.bpm * beats.rows_per_beat == pytest.approx(3600 / 7.5, rel=0.005)


def test_long_waits_of_the_vocabulary_do_not_push_rows_off() -> None:
    onsets = np.cumsum([0] + [18_000, 8_800] * 60)  # 24 and 12 frames as TX1 says them
    beats = track_beats(voices(TR=[(int(on), 36 + i % 5) for i, on in enumerate(onsets)]))
    rows = np.array([beats.place(float(on)) for on in onsets])
    steps = np.diff(np.round(rows))
    assert np.abs(rows - np.round(rows)).max() < 0.1
    assert np.all(steps[0::2] == 2 * steps[1::2])


def test_a_change_of_tempo_makes_a_section() -> None:
    slow = [i * 10 * FRAME for i in range(160)]
    fast = [slow[-1] + (i + 1) * 7 * FRAME for i in range(200)]
    lead = [(on, 60 + i % 8) for i, on in enumerate(slow + fast)]
    beats = track_beats(voices(P1=lead, NO=[(on, 2) for i, (on, _) in enumerate(lead) if i % 4 == 0]))
    (first, slower), (cut, faster) = beats.sections
    assert first == 0
    assert faster / slower == pytest.approx(10 / 7, rel=0.01)
    assert abs(int(beats.rows[cut]) - slow[-1]) < 20 * FRAME


def test_a_steady_song_has_one_section() -> None:
    counts = [len(track_beats(simulate(KINDS["straight"], seed).score).sections) for seed in range(300, 315)]
    assert counts.count(1) >= 14


@pytest.mark.parametrize(
    "score",
    [
        Score(),
        Score(length=10 * SAMPLE_RATE),
        voices(P1=[(500, 60)]),
        voices(NO=[(i * 12 * FRAME, 3) for i in range(6)]),
    ],
    ids=["empty", "silence", "one note", "six hits"],
)
def test_without_rhythm_the_grid_is_plain(score: Score) -> None:
    beats = track_beats(score)
    valid(beats, score)
    assert (beats.bpm, beats.confidence) == (120.0, 0.0)
    assert 44_100 / np.median(np.diff(beats.rows)) == pytest.approx(8, rel=0.01)


def test_onsets_at_random_are_not_sure() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        onsets = np.unique(rng.integers(0, 60 * SAMPLE_RATE, 300))
        onsets = onsets[np.diff(onsets, prepend=-9999) > FRAME]
        beats = track_beats(voices(P1=[(int(on), int(rng.integers(40, 80))) for on in onsets]))
        assert beats.confidence < SURE


def test_noise_alone_has_a_beat() -> None:
    hits = [(i * 6 * FRAME, 1 if i % 8 == 0 else 7 if i % 8 == 4 else 14) for i in range(256)]
    beats = track_beats(voices(NO=hits))
    assert beats.bpm in (pytest.approx(150, rel=1e-3), pytest.approx(75, rel=1e-3))
    assert beats.confidence >= SURE


def test_a_day_with_few_notes_is_no_trouble() -> None:
    score = voices(P1=[(i * 3600 * SAMPLE_RATE, 60) for i in range(20)])
    valid(track_beats(score), score)


def test_notes_a_sample_long_are_no_trouble() -> None:
    four = [Part(tuple(Note(i, 1, 2 + i % 9) for i in range(3000))) for _ in Voice]
    score = Score((four[0], four[1], four[2], four[3]), 3000)
    valid(track_beats(score), score)


def test_the_follower_agrees_with_the_whole_song() -> None:
    song = simulate(KINDS["straight"], 8)
    whole = track_beats(song.score)
    follower = BeatFollower()
    assert follower.beats().confidence == 0
    notes = sorted((n.onset, v, n.pitch) for v in Voice for n in song.score.parts[v].notes)
    for onset, voice, pitch in notes:
        follower.add(onset, voice, pitch)
    now = follower.beats()
    octaves = np.log2(now.bpm / whole.bpm)
    assert octaves == pytest.approx(round(octaves), abs=0.01)
    late = [onset for onset, _, _ in notes if onset > now.rows[0]]
    off = [abs(now.place(onset) - round(now.place(onset))) for onset in late]
    assert np.mean(np.array(off) < 0.2) > 0.95


def test_the_follower_says_where_the_next_beat_lies() -> None:
    follower = BeatFollower()
    row = 6 * FRAME
    for i in range(200):
        follower.add(i * row, Voice.NO, 1 if i % 4 == 0 else 12)
    beats = follower.beats()
    ahead = beats.place(199 * row) + 12
    assert abs(beats.sample(round(ahead)) % row - row / 2) > row / 2 - 200


def test_the_follower_refuses_what_is_late() -> None:
    follower = BeatFollower()
    follower.add(1000, Voice.P1, 60)
    with pytest.raises(ValueError, match="at sample 999 comes after one at 1000"):
        follower.add(999, Voice.P1, 60)


def test_the_follower_keeps_a_sure_estimate_through_a_rest() -> None:
    follower = BeatFollower(window_s=8)
    for i in range(120):
        follower.add(i * 6 * FRAME, Voice.NO, 1 if i % 4 == 0 else 12)
    sure = follower.beats()
    follower.add(60 * SAMPLE_RATE, Voice.NO, 1)
    assert follower.beats() is sure


def test_our_tune_has_its_tempo() -> None:
    beats = track_beats(tune())
    octaves = np.log2(beats.bpm / 120)
    assert octaves == pytest.approx(round(octaves), abs=0.01)
