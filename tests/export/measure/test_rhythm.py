import numpy as np
import pytest
from songs_of_ours import even, march, song

from lakhnes.export.measure.rhythm import counts_in, drums_period, rhythm_figures, tempo_stability
from lakhnes.export.measure.tracked_song import TrackedSong


def test_a_march_keeps_its_tempo_and_another_one_does_not() -> None:
    assert tempo_stability(TrackedSong(march(40))) == 1
    rng = np.random.default_rng(0)
    onsets = np.cumsum(rng.integers(5, 31, 130)).tolist()
    drift = [(onset, 4, 60 + number % 5) for number, onset in enumerate(onsets)]
    assert tempo_stability(TrackedSong(song(drift, seconds=40))) < 0.6


def test_a_tempo_that_changes_halfway_is_that_of_half_of_the_windows() -> None:
    slow, fast = even([60, 64] * 40, 15), even([60, 64] * 50, 12, start=1200)
    assert tempo_stability(TrackedSong(song([*slow, *fast], seconds=40))) == pytest.approx(0.5, abs=0.2)


def test_drums_that_repeat_have_a_period() -> None:
    pattern = [(0, 3), (15, 12), (30, 3), (38, 3), (45, 12)]  # a second long, no shorter period
    hits = [(60 * bar + at, 3, pitch) for bar in range(30) for at, pitch in pattern]
    share, seconds = drums_period(TrackedSong(song([(0, 30, 60)], no=hits, seconds=30)))
    assert share == pytest.approx(1)
    assert seconds == pytest.approx(1, abs=0.02)
    late = [(onset + number % 2, 3, pitch) for number, (onset, _, pitch) in enumerate(hits)]
    assert drums_period(TrackedSong(song([(0, 30, 60)], no=late, seconds=30)))[0] == pytest.approx(1)
    rng = np.random.default_rng(1)
    onsets = np.cumsum(rng.integers(6, 30, 90)).tolist()
    chaos = [(onset, 3, int(rng.integers(1, 17))) for onset in onsets]
    assert drums_period(TrackedSong(song([(0, 30, 60)], no=chaos, seconds=30)))[0] < 0.4
    assert np.isnan(drums_period(TrackedSong(song([(0, 30, 60)], seconds=30)))).all()


def test_floods_are_found_in_five_seconds() -> None:
    trill = [(frame, 1, 60 + frame % 2) for frame in range(600)]  # 60 notes a second in one voice
    one = rhythm_figures(TrackedSong(song(trill, seconds=20)))
    assert one["over 60 notes a second"] == 0  # exactly 60 is not over
    two = rhythm_figures(TrackedSong(song(trill, [(f, 1, 70 + f % 2) for f in range(320)], seconds=20)))
    assert two["over 60 notes a second"] == 1
    assert two["time over 60 notes a second"] == pytest.approx(2 / 4)
    assert two["notes a second, P1"] == pytest.approx(30, abs=0.2)
    assert two["notes of two frames"] == 1


def test_densities_are_of_whole_windows() -> None:
    music = TrackedSong(song(even([60, 62] * 10, 30), seconds=10.5))
    assert counts_in(music, 60).tolist() == [2] * 10
    figures = rhythm_figures(music)
    assert figures["density spread"] == 0
    assert figures["densest second"] == 1
    assert figures["commonest step"] == pytest.approx(1)


def test_an_empty_song_has_no_rhythm() -> None:
    figures = rhythm_figures(TrackedSong(song(seconds=10)))
    assert np.isnan(figures["period of the drums"])
    assert figures["drum hits a second"] == 0
