import numpy as np
from hypothesis import given, settings
from songs_of_ours import march, song
from support import scores

from lakhnes.export.measure.comparison import STRUCTURE
from lakhnes.export.measure.figures import HELD, OPEN, figures_of, table_of
from lakhnes.export.measure.repetition import DISTANCES
from lakhnes.export.measure.tracked_song import TrackedSong
from lakhnes.runtime import Score, track_beats


def test_the_halves_are_apart_and_every_feature_is_a_figure() -> None:
    figures = figures_of(march(20))
    assert len(set(OPEN)) == len(OPEN)
    assert len(set(HELD)) == len(HELD)
    assert not set(OPEN) & set(HELD)
    assert len(OPEN) == len(HELD)
    assert {*OPEN, *HELD, *STRUCTURE} <= set(figures)
    assert all(np.isfinite(value) for value in figures.values() if not np.isnan(value))


def test_what_is_shown_of_structure_is_no_secret() -> None:
    # Whoever reads the table chooses by it, so nothing of it may be kept for judging.
    shown = {*STRUCTURE, *(f"match at {distance} bars" for distance in DISTANCES)}
    assert not shown & set(HELD)


@settings(deadline=None, max_examples=40)
@given(scores())
def test_any_song_has_figures(score: Score) -> None:
    figures = figures_of(score)
    assert not any(np.isinf(value) for value in figures.values())
    for name in ("legato", "silence", "onsets on rows", "match at 1 bars", "time that returns"):
        assert np.isnan(figures[name]) or 0 <= figures[name] <= 1


def test_empty_songs_have_the_same_figures_as_others() -> None:
    assert list(figures_of(Score())) == list(figures_of(march(20)))
    assert list(figures_of(song(seconds=60))) == list(figures_of(march(20)))


def test_places_are_those_of_the_tracker() -> None:
    music = TrackedSong(march(20))
    samples = np.array([-5000, 0, 735, 40_000, music.score.length, music.score.length + 90_000])
    beats = track_beats(music.score)
    np.testing.assert_allclose(music.places(samples), [beats.place(sample) for sample in samples.tolist()])


def test_a_table_has_a_row_for_each_song() -> None:
    assert table_of([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": np.nan}], ("b", "a"))[0].tolist() == [2, 1]
    assert table_of([], ("b", "a")).shape == (0, 2)
