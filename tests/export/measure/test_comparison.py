import pytest
from songs_of_ours import march

from lakhnes.export.measure import compare
from lakhnes.export.measure.songs import HumanSongs


def human(count: int = 8) -> HumanSongs:
    songs = tuple(march(30, seed, bars_of_tune=2 + 2 * (seed % 2)) for seed in range(count))
    return HumanSongs(songs, tuple(f"game {number // 2}" for number in range(count)))


def test_songs_that_wander_are_told_from_songs_that_return() -> None:
    told: list[tuple[int, int]] = []
    wandering = [march(30, seed, wander=True) for seed in range(100, 108)]
    found = compare(wandering, human(), progress=lambda done, total: told.append((done, total)))
    assert (found.composed_songs, found.human_songs, found.games) == (8, 8, 4)
    assert told[-1] == (16, 16)
    assert min(found.every.value, found.open.value, found.held.value) > 0.9
    rows = {row.name: row for row in found.structure}
    assert rows["passage of 8 s returns"].composed.mean == 0
    assert rows["passage of 8 s returns"].human.mean == 1
    composed, people = rows["match at 4 bars"].composed, rows["match at 4 bars"].human
    assert composed.mean is not None
    assert people.mean is not None
    assert composed.mean < people.mean
    assert people.error is not None
    assert found.similarity_difference is not None
    assert found.similarity_difference > 0.05
    strongest = found.told_apart[0]
    assert abs(strongest.area.value - 0.5) == pytest.approx(0.5, abs=0.02)
    strengths = [abs(row.area.value - 0.5) for row in found.told_apart]
    assert strengths == sorted(strengths, reverse=True)


def test_songs_of_the_same_kind_are_not() -> None:
    more = [march(30, seed, bars_of_tune=2 + 2 * (seed % 2)) for seed in range(100, 108)]
    found = compare(more, human())
    assert 0.25 < found.every.value < 0.75
    assert found.among_humans is not None
    assert 0.2 < found.among_humans.value < 0.8
    assert found.similarity_difference is not None
    assert found.similarity_difference < 0.05


def test_two_songs_each_can_be_compared() -> None:
    found = compare([march(20, 1), march(20, 2)], HumanSongs((march(20, 3), march(20, 4)), ("a", "a")))
    assert found.games == 1
    assert 0 <= found.every.value <= 1
    assert found.among_humans is None
