import numpy as np
import pytest
from songs_of_ours import even, march, song

from lakhnes.export.measure.repetition import bar_rolls, matches_by_distance, repetition_figures, returns
from lakhnes.export.measure.tracked_song import TrackedSong

RNG = np.random.default_rng(3)
TUNE = RNG.integers(60, 84, 40).tolist()  # 10 s of quarter seconds
OTHER = RNG.integers(60, 84, 40).tolist()
THIRD = RNG.integers(60, 84, 40).tolist()


def melody(pitches: list[int]) -> TrackedSong:
    return TrackedSong(song(even(pitches, 15), seconds=len(pitches) / 4))


def test_a_passage_returns_after_others() -> None:
    longest, covered = returns(melody([*TUNE, *OTHER, *TUNE]))
    assert longest == pytest.approx(10, abs=0.5)
    assert covered == pytest.approx(2 / 3, abs=0.05)
    assert returns(melody([*TUNE, *OTHER, *THIRD])) == (0, 0)
    figures = repetition_figures(melody([*TUNE, *OTHER, *TUNE]))
    assert figures["passage of 8 s returns"] == 1
    part = repetition_figures(melody([*TUNE, *OTHER, *TUNE[:28]]))  # 7 s of it
    assert part["passage of 8 s returns"] == 0
    assert part["longest passage that returns"] == pytest.approx(7, abs=0.5)


def test_a_passage_that_returns_is_nearly_the_same() -> None:
    few, many = list(TUNE), list(TUNE)
    few[20] += 1
    many[5::6] = [pitch + 1 for pitch in many[5::6]]
    assert returns(melody([*TUNE, *OTHER, *few]))[0] >= 8
    assert returns(melody([*TUNE, *OTHER, *many]))[0] < 8
    higher = [pitch + 2 for pitch in TUNE]
    assert returns(melody([*TUNE, *OTHER, *higher]))[0] == 0


def test_a_passage_may_return_a_frame_late_and_must_return_as_a_whole() -> None:
    late = [(onset + number % 2, 14, pitch) for number, (onset, _, pitch) in enumerate(even(TUNE, 15, 1200))]
    first = [(onset, 14, pitch) for onset, _, pitch in even(TUNE, 15)]
    between = [(onset, 14, pitch) for onset, _, pitch in even(OTHER, 15, 600)]
    assert returns(TrackedSong(song([*first, *between, *late], seconds=31)))[0] >= 8
    # Where it returns, another voice plays as many notes more: that is other music.
    busy = even(RNG.integers(48, 60, 40).tolist(), 15, 1200)
    assert returns(TrackedSong(song([*first, *between, *late], busy, seconds=31)))[0] < 8


def test_a_loop_of_a_bar_does_not_count_before_eight_seconds() -> None:
    longest, _ = returns(melody([60, 64, 67, 72] * 8))  # 8 s in all
    assert longest == 0


def test_matches_by_distance() -> None:
    bars = np.eye(4, dtype=bool)[[0, 1, 0, 1, 0, 1]]
    matches = matches_by_distance(bars)
    assert matches[:5].tolist() == [0, 1, 0, 1, 0]
    assert np.isnan(matches[5:]).all()
    half = matches_by_distance(np.array([[1, 1, 1, 0], [1, 1, 0, 1]], bool))
    assert half[0] == pytest.approx(2 / 4)
    rests = matches_by_distance(np.array([[1, 0], [0, 0], [1, 0]], bool))
    assert np.isnan(rests[0])
    assert rests[1] == 1


def test_a_tune_matches_itself_at_its_own_distance() -> None:
    figures = repetition_figures(TrackedSong(march(60, bars_of_tune=4)))
    assert figures["match at 4 bars"] > 0.95
    assert figures["match at 4 bars"] > figures["match at 1 bars"] + 0.3
    assert figures["groove at one bar"] > 0.95
    wandering = repetition_figures(TrackedSong(march(60, wander=True)))
    assert wandering["match at 4 bars"] < figures["match at 4 bars"] - 0.2
    assert wandering["packed size of a note"] > figures["packed size of a note"]
    assert wandering["figures heard before"] < figures["figures heard before"]


def test_short_and_empty_songs() -> None:
    empty = TrackedSong(song(seconds=20))
    assert returns(empty) == (0, 0)
    assert len(bar_rolls(empty).notes) == 0
    figures = repetition_figures(empty)
    assert np.isnan(figures["match at 4 bars"])
    assert returns(melody(TUNE[:8])) == (0, 0)
