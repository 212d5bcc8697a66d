import numpy as np
import pytest

from lakhnes.export.measure.two_sample import clustered_error, single_area, two_sample_area

RNG = np.random.default_rng(0)


def names(count: int, per_group: int = 1) -> list[str]:
    return [f"g{number // per_group}" for number in range(count)]


def test_sets_that_are_alike_cannot_be_told_apart() -> None:
    areas = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        one, other = rng.normal(size=(40, 20)), rng.normal(size=(60, 20))
        area = two_sample_area(one, other, names(40), names(60))
        assert 0.03 < area.error < 0.12
        areas.append(area.value)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)


def test_sets_that_differ_can() -> None:
    one, other = RNG.normal(size=(40, 20)), RNG.normal(size=(60, 20))
    one[:, 3] += 4
    area = two_sample_area(one, other, names(40), names(60))
    assert area.value > 0.97
    assert area.error < 0.03
    again = two_sample_area(one, other, names(40), names(60))
    assert again == area  # chance is an argument
    # It learns from several features together, and from what one alone does not show.
    one = RNG.normal(size=(80, 2))
    one[:, 1] = one[:, 0] + 0.3 * RNG.normal(size=80) + 0.6
    other = RNG.normal(size=(80, 2))
    other[:, 1] = other[:, 0] + 0.3 * RNG.normal(size=80) - 0.6
    together = two_sample_area(one, other, names(80), names(80))
    alone = single_area(one[:, 1], other[:, 1], names(80), names(80))
    assert alone is not None
    assert together.value > alone.value + 0.1


def test_songs_of_one_game_do_not_betray_each_other() -> None:
    """Ten games of six songs, each with its own value in a feature in which games alone differ."""
    areas = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        games = rng.normal(size=(10, 12))
        human = np.repeat(games, 6, axis=0) + 0.05 * rng.normal(size=(60, 12))
        composed = rng.normal(size=(40, 12))
        apart = two_sample_area(composed, human, names(40), names(60, 6))
        mixed = two_sample_area(composed, human, names(40), names(60))
        assert apart.error > mixed.error
        areas.append((apart.value, mixed.value))
    grouped, ungrouped = np.mean(areas, axis=0)
    assert ungrouped > grouped + 0.1
    assert grouped < 0.62


def test_what_is_missing_says_nothing() -> None:
    one, other = RNG.normal(size=(30, 5)), RNG.normal(size=(30, 5))
    one[:, 0] += 5
    one[::2, 1] = np.nan
    other[:, 4] = np.nan
    one[:, 4] = np.nan
    assert two_sample_area(one, other, names(30), names(30)).value > 0.95


def test_a_single_feature() -> None:
    area = single_area(np.array([1.0, 2, 3]), np.array([0.0, 2, np.nan]), names(3), names(3))
    assert area is not None
    assert area.value == pytest.approx((1 + 0 + 1 + 0.5 + 1 + 1) / 6)
    assert single_area(np.array([1.0, np.nan]), np.array([0.0, 2]), names(2), names(2)) is None


def test_the_error_of_a_mean_counts_groups() -> None:
    values = RNG.normal(size=400)
    assert clustered_error(values, names(400)) == pytest.approx(values.std() / 20, rel=0.01)
    doubled = np.repeat(values, 4)
    assert clustered_error(doubled, names(1600, 4)) == pytest.approx(values.std() / 20, rel=0.01)
    assert np.isnan(clustered_error(values, ["one"] * 400))


def test_the_error_is_the_spread_of_areas() -> None:
    """Of one feature, over many samples with games of four songs."""
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        one = rng.normal(size=40) + 0.8
        other = np.repeat(rng.normal(size=15), 4) * 0.8 + 0.6 * rng.normal(size=60)
        area = single_area(one, other, names(40), names(60, 4))
        assert area is not None
        found.append((area.value, area.error))
    values, errors = np.array(found).T
    assert values.std() == pytest.approx(np.sqrt((errors**2).mean()), rel=0.25)


def test_too_few_groups_are_refused() -> None:
    songs = RNG.normal(size=(5, 3))
    with pytest.raises(ValueError, match="two groups"):
        two_sample_area(songs, songs, names(5), ["game"] * 5)
