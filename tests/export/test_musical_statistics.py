import numpy as np
import pytest
from hypothesis import given, settings
from support import scores, tune, without_expression

from lakhnes.export.dynamics_statistics import DYNAMIC_FEATURES
from lakhnes.export.musical_statistics import (
    FEATURES,
    cut,
    overlaps,
    scale_consistency,
    self_similarity,
    song_features,
)
from lakhnes.runtime import Change, Kind, Note, Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12)


def line(pitches: list[int], frames: int = 10) -> Part:
    """Notes one after the other, half as long as their distance."""
    step = frames * FRAME_SAMPLES
    return Part(tuple(Note(i * step, step // 2, pitch) for i, pitch in enumerate(pitches)))


def solo(pitches: list[int], frames: int = 10) -> Score:
    return Score((line(pitches, frames), Part(), Part(), Part()), len(pitches) * frames * FRAME_SAMPLES)


def test_the_features_of_a_scale() -> None:
    features = song_features(solo([60 + step for step in MAJOR]))
    histograms = features.histograms
    assert set(histograms) - {"self-similarity"} == set(FEATURES) - {"self-similarity", *DYNAMIC_FEATURES}
    np.testing.assert_allclose(histograms["pitch classes"][[0, 2, 4, 5, 7, 9, 11]] * 8, [2, 1, 1, 1, 1, 1, 1])
    intervals = {place - 24: share for place, share in enumerate(histograms["intervals"]) if share}
    assert intervals == {2: pytest.approx(5 / 7), 1: pytest.approx(2 / 7)}
    assert histograms["note lengths"].tolist() == [0, 0, 0, 1, *[0] * 12]  # 5 frames: bin 4..5
    assert histograms["inter-onset intervals"].tolist() == [0, 0, 0, 0, 0, 1, *[0] * 10]  # 10 frames: 8..11
    np.testing.assert_allclose(histograms["polyphony"], [0.5, 0.5, 0, 0, 0], atol=0.01)
    assert histograms["empty voices"].tolist() == [0, 0, 0, 1, 0]
    assert features.numbers["empty voices"] == 3
    assert features.numbers["polyphony"] == pytest.approx(0.5, abs=0.01)
    assert features.numbers["notes a second"] == pytest.approx(6, abs=0.1)
    assert features.numbers["scale consistency"] == 1
    assert features.numbers["self-similarity"] == 0


def test_polyphony_counts_voices_and_drums_have_no_pitch() -> None:
    score = Score((line([60, 60]), line([60, 60], 20), Part(), line([5, 6])), 40 * FRAME_SAMPLES)
    features = song_features(score)
    assert features.histograms["pitch classes"].tolist() == [1, *[0] * 11]
    # P1 and NO sound in frames 0..5 and 10..15, P2 in 0..10 and 20..30.
    np.testing.assert_allclose(features.histograms["polyphony"] * 40, [15, 15, 5, 5, 0], atol=0.1)
    assert features.numbers["empty voices"] == 1


def test_dynamics_are_measured_where_there_are_any() -> None:
    frame = FRAME_SAMPLES
    fading = Part(
        (Note(0, 8 * frame, 60, 12), Note(10 * frame, 2 * frame, 62, 3)),
        (
            Change(0, Kind.TIMBRE, 2),
            Change(2 * frame, Kind.VELOCITY, 8),
            Change(6 * frame, Kind.VELOCITY, 4),
            Change(9 * frame, Kind.TIMBRE, 1),
        ),
    )
    drum = Part((Note(0, 4 * frame, 5, 12),), (Change(frame, Kind.TIMBRE, 1),))
    features = song_features(Score((fading, Part(), line([40, 41]), drum), 20 * frame)).histograms
    volumes = {place + 1: share for place, share in enumerate(features["volumes"].tolist()) if share}
    assert volumes == pytest.approx({12: 6 / 14, 8: 4 / 14, 4: 2 / 14, 3: 2 / 14})
    np.testing.assert_allclose(features["timbres"] * 14, [0, 2, 8, 0, 1, 3], atol=1e-9)
    np.testing.assert_allclose(features["volume changes a note"][:3] * 3, [2, 0, 1])
    assert "volumes" not in song_features(solo([60, 62])).histograms


def test_scale_consistency_takes_the_best_scale() -> None:
    def of(pitch_classes: tuple[int, ...]) -> float:
        return scale_consistency(np.bincount(pitch_classes, minlength=12).astype(np.float64))

    assert of(tuple((step + 3) % 12 for step in MAJOR)) == 1
    assert of((9, 11, 0, 2, 4, 5, 7)) == 1  # natural minor
    assert of((9, 11, 0, 2, 4, 5, 8)) == 1  # harmonic minor
    assert of(tuple(range(12))) == pytest.approx(7 / 12)


def phrase(pitches: list[int], times: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(pitches), np.cumsum([0, *times])[: len(pitches)]


def test_self_similarity_finds_phrases_again() -> None:
    tune_, times = [60, 62, 64, 65, 67, 69, 71, 72], [6, 6, 12, 6, 6, 12, 6, 6]
    assert self_similarity([phrase(tune_, times)]) == 0
    twice = self_similarity([phrase(tune_ * 2, times * 2)])
    assert twice == pytest.approx(1 / 9)  # of nine phrases the last is the first again
    assert self_similarity([phrase(tune_ * 4, times * 4)]) == pytest.approx(17 / 25)
    late = [*times, *(time + 1 for time in times)]
    assert self_similarity([phrase(tune_ * 2, late)]) == pytest.approx(1 / 9)
    slower = [*times, *(time + 2 for time in times)]
    assert self_similarity([phrase(tune_ * 2, slower)]) == 0
    assert self_similarity([phrase(tune_, times), phrase(tune_, times)]) == 0  # voices of their own
    assert self_similarity([phrase([60] * 7, [6] * 7)]) is None


def test_overlaps_of_the_same_and_of_others() -> None:
    rng = np.random.default_rng(0)

    def songs(low: int, frames: int) -> list[Score]:
        return [solo((low + rng.integers(0, 12, 60)).tolist(), frames) for _ in range(20)]

    data = [song_features(song) for song in songs(60, 10)]
    same = {row.name: row for row in overlaps([song_features(s) for s in songs(60, 10)], data)}
    assert list(same) == [name for name in FEATURES if name not in DYNAMIC_FEATURES]
    for row in same.values():
        assert 0 <= row.ceiling <= 1
        assert row.overlap == pytest.approx(row.ceiling, abs=0.2)
    other = {row.name: row for row in overlaps([song_features(s) for s in songs(60, 40)], data)}
    assert other["inter-onset intervals"].overlap == 0
    assert other["notes a second"].overlap == 0
    assert other["notes a second"].data_mean == pytest.approx(6, abs=0.1)
    assert other["notes a second"].model_mean == pytest.approx(1.5, abs=0.1)
    assert other["pitch classes"].overlap > 0.8
    identical = overlaps(data, data)
    assert all(row.overlap == pytest.approx(1) for row in identical)


def test_dynamics_are_compared_where_composed_songs_have_any() -> None:
    dynamic, plain = song_features(tune()), song_features(without_expression(tune()))
    names = [row.name for row in overlaps([plain], [dynamic, dynamic])]
    assert names == [name for name in FEATURES if name not in DYNAMIC_FEATURES]
    assert {row.name for row in overlaps([dynamic], [dynamic, dynamic])} == set(FEATURES)


def test_songs_without_notes_have_no_melody_to_compare() -> None:
    empty = song_features(Score(length=FRAME_SAMPLES * 60))
    assert set(empty.histograms) == {"polyphony", "empty voices", "notes a second"}
    assert empty.numbers["empty voices"] == 4
    rows = {row.name: row for row in overlaps([empty, empty], [song_features(tune())] * 4)}
    assert rows["intervals"].overlap == 0
    assert rows["scale consistency"].model_mean is None


@settings(deadline=None, max_examples=60)
@given(scores())
def test_histograms_sum_to_one(score: Score) -> None:
    for name, histogram in song_features(score).histograms.items():
        assert histogram.shape == (FEATURES[name],)
        assert histogram.min() >= 0
        assert histogram.sum() == pytest.approx(1)


def test_a_song_is_cut() -> None:
    short = cut(tune(), 44_100)
    assert short.length == 44_100
    assert max(note.end for part in short.parts for note in part.notes) <= 44_100
    assert cut(tune(), 1 << 40) == tune()
