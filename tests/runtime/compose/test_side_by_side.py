"""Songs side by side: each is the one of its seed."""

from collections.abc import Sequence

import pytest

from lakhnes.runtime import SAMPLE_RATE, Model, OptionError, Request, Voice, compose_song, side_by_side
from lakhnes.runtime.compose.arrange import Arrangement


def begin(model: Model, request: Request) -> Arrangement:
    return compose_song(model, request, length_samples=3 * SAMPLE_RATE)


@pytest.mark.parametrize("width", [1, 2, 4, None])
def test_each_song_is_the_one_that_it_is_alone(small_model: Model, width: int | None) -> None:
    requests = [Request(seed) for seed in range(5)]
    told: list[int] = []

    def tell(begun: Sequence[Arrangement]) -> None:
        told.append(len(begun))

    done = side_by_side(small_model, requests, begin, progress=tell, width=width)
    for request, arrangement in zip(requests, done, strict=True):
        alone = begin(small_model.twin(), request)
        list(alone)
        assert arrangement.score() == alone.score()
    assert max(told) == 5


def test_what_one_song_refuses_is_raised(small_model: Model) -> None:
    silent = Request(1, muted=frozenset(Voice))
    with pytest.raises(OptionError, match="nothing would sound"):
        side_by_side(small_model, [Request(1), silent, Request(2)], begin)
    assert side_by_side(small_model, [], begin) == []
