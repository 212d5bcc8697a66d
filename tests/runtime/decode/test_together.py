"""Many songs at once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lakhnes.runtime import SAMPLE_RATE, Composer, Model, Song, compose_together


def song(model: Model, seed: int, seconds: float, prompt: Sequence[int] = ()) -> Song:
    made = Song(model.codec, np.random.default_rng(seed), length_samples=round(seconds * SAMPLE_RATE))
    made.prompt = prompt
    return made


@pytest.fixture(scope="module")
def full_precision(tmp_path_factory: pytest.TempPathFactory) -> Model:
    torch = pytest.importorskip("torch")
    from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model
    from lakhnes.runtime import Timing, tx1

    torch.manual_seed(3)
    config = TransformerXLConfig(631, n_layer=2, n_head=2, d_model=32, d_head=16, d_inner=48, d_embed=32)
    model = TransformerXL(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    folder: Path = tmp_path_factory.mktemp("full")
    checkpoint = Checkpoint(model.eval(), tx1(), "model.pt", "0" * 64)
    export_model(checkpoint, folder, mem_len=48, timing=Timing.FRAMES)
    return Model.load(folder)


@pytest.mark.train
@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("prompt", [[], [400, 5, 500, 20]])
def test_each_song_is_the_one_that_it_is_alone(full_precision: Model, width: int, prompt: list[int]) -> None:
    lengths = [3.0, 8.0, 0.5, 5.0, 1.0, 6.0, 2.0]
    alone = []
    for seed, seconds in enumerate(lengths):
        composer = Composer(full_precision, song(full_precision, seed, seconds, prompt))
        list(composer)
        alone.append(composer.score())
    songs = [song(full_precision, seed, seconds, prompt) for seed, seconds in enumerate(lengths)]
    done = list(compose_together(full_precision, songs, width=width))
    assert sorted(map(id, done)) == sorted(map(id, songs))
    assert [one.score() for one in songs] == alone


def test_streams_of_a_batch_equal_single_ones(small_model: Model) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 631, (3, 30))
    batch = small_model.batch(3)
    together = np.stack([batch.step(column) for column in tokens.T], 1)
    for row, logits in zip(tokens, together, strict=True):
        small_model.reset()
        alone = np.stack([small_model.step(int(token)) for token in row])
        np.testing.assert_allclose(logits, alone, atol=0.5)  # 8-bit activations, see Model.prefill


@pytest.mark.train
def test_a_stream_begins_anew_while_others_go_on(full_precision: Model) -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, 631, (2, 100))
    full_precision.reset()
    full_precision.prefill(tokens[0, :20])
    beginning = full_precision.snapshot()
    expected = np.stack([full_precision.step(int(token)) for token in tokens[0, 20:60]])
    batch = full_precision.batch(2)
    for column in tokens.T[:70]:
        batch.step(column)
    batch.begin(0, beginning)
    got = np.stack([batch.step([a, b])[0] for a, b in zip(tokens[0, 20:60], tokens[1, 20:60], strict=True)])
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_no_songs_are_no_work(small_model: Model) -> None:
    assert list(compose_together(small_model, [])) == []
