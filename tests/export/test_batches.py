import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import small_data

torch = pytest.importorskip("torch")

from lakhnes.export.augment import Changes  # noqa: E402
from lakhnes.export.batches import Prefetched, SongOrder, StreamPosition, TrainingStreams  # noqa: E402
from lakhnes.export.evaluation import framed_song  # noqa: E402
from lakhnes.export.prepared import PreparedData, write_prepared  # noqa: E402
from lakhnes.runtime import Codec, Timing, tx1  # noqa: E402
from lakhnes.runtime.errors import DataError  # noqa: E402

pytestmark = pytest.mark.train

NOTHING = Changes(transpose=0, stretch=0, swap=0, subset=0, loop=0)
MUCH = Changes(loop=0.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return small_data(tmp_path_factory.mktemp("data"))


def streams(data: PreparedData, changes: Changes = NOTHING, **options: Any) -> TrainingStreams:
    settings = {"streams": 3, "segment": 32, "seed": 5} | options
    return TrainingStreams([data.songs("train")], data.codec, lambda tokens: changes, **settings)


def test_a_stream_is_songs_one_after_the_other(data: PreparedData) -> None:
    made = streams(data, streams=1)
    batches = [made.next() for _ in range(120)]
    tokens = np.concatenate([batch.tokens[0] for batch in batches]).tolist()
    targets = np.concatenate([batch.targets[0] for batch in batches]).tolist()
    assert targets[:-1] == tokens[1:]
    ends = [place for place, token in enumerate(tokens) if token == 0]
    assert ends[0] == 0
    songs = data.songs("train")
    framed = {tuple(framed_song(songs[i].tolist(), data.vocabulary)) for i in range(len(songs))}
    heard = [tuple(tokens[a : b + 1]) for a, b in pairwise(ends)]
    assert len(heard) >= len(songs)
    assert set(heard[: len(songs)]) == framed  # each once before one comes again


def test_batches_say_where_songs_begin(data: PreparedData) -> None:
    made = streams(data, streams=2, segment=48)
    begun, served = [-1, -1], 0
    for _ in range(60):
        batch = made.next()
        for stream, tokens in enumerate(batch.tokens):
            for place, token in enumerate(tokens):
                begun[stream] = served + place if token == 0 else begun[stream]
                assert batch.starts[stream, place] + served == begun[stream]
        served += 48


def test_a_batch_names_its_songs(data: PreparedData) -> None:
    made = streams(data, streams=1, segment=1000)
    songs = data.songs("train")
    first, second = made.next(), made.next()
    assert len(first.songs) > 1
    assert second.songs[0] == first.songs[-1]
    framed = framed_song(songs[songs.names.index(first.songs[0])].tolist(), data.vocabulary)
    assert first.tokens[0, : len(framed)].tolist() == framed


@pytest.mark.parametrize("changes", [NOTHING, MUCH])
def test_streams_go_on_from_a_position(data: PreparedData, changes: Changes) -> None:
    made = streams(data, changes)
    for _ in range(7):
        position = made.next().after
    again = streams(data, changes, start=StreamPosition.from_dict(position.to_dict()))
    for _ in range(20):
        one, two = made.next(), again.next()
        np.testing.assert_array_equal(one.tokens, two.tokens)
        np.testing.assert_array_equal(one.targets, two.targets)
        assert one.songs == two.songs
        assert one.after.served == two.after.served


def test_the_seed_is_all_that_chance_is(data: PreparedData) -> None:
    one, two, other = streams(data, MUCH), streams(data, MUCH), streams(data, MUCH, seed=6)
    first = one.next().tokens
    np.testing.assert_array_equal(first, two.next().tokens)
    assert not np.array_equal(first, other.next().tokens)


def test_augmentations_follow_the_tokens_served(data: PreparedData) -> None:
    asked = []

    def changes(tokens: int) -> Changes:
        asked.append(tokens)
        return NOTHING

    made = TrainingStreams([data.songs("train")], data.codec, changes, streams=2, segment=8, seed=0)
    for _ in range(3):
        made.next()
    assert asked == [0, 16, 32]


def test_folders_come_by_their_weights_and_each_song_in_turn() -> None:
    order = SongOrder([5, 100], [3.0, 1.0], seed=0)
    drawn = [order.song(number) for number in range(400)]
    assert Counter(folder for folder, _ in drawn) == {0: 300, 1: 100}
    assert set(Counter(place for folder, place in drawn if folder == 0).values()) == {60}
    assert len({place for folder, place in drawn if folder == 1}) == 100
    by_size = SongOrder([30, 10], [], seed=0)
    assert Counter(by_size.song(number)[0] for number in range(40)) == {0: 30, 1: 10}


def test_a_thread_makes_the_same_batches_and_ends(data: PreparedData) -> None:
    direct = streams(data, MUCH)
    before = threading.active_count()
    with Prefetched(streams(data, MUCH)) as ahead:
        for _ in range(30):
            np.testing.assert_array_equal(ahead.next().tokens, direct.next().tokens)
    assert threading.active_count() == before


def test_a_thread_hands_its_errors_on(tmp_path: Path) -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    short = write_prepared(tmp_path, codec, {"train": {"a": [371, 5], "b": []}})
    with (
        Prefetched(streams(short)) as ahead,
        pytest.raises(DataError, match="no song of 10 tokens"),
    ):
        ahead.next()


def test_no_songs_are_refused(tmp_path: Path) -> None:
    empty = write_prepared(tmp_path, Codec(tx1(), Timing.FRAMES), {"train": {}})
    with pytest.raises(DataError, match="has no songs"):
        streams(empty)
