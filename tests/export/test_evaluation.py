import json
from pathlib import Path

import numpy as np
import pytest

from lakhnes.export.evaluation import (
    evaluate_exported,
    fill_streams,
    framed_song,
    parallel_streams,
    total_loss,
)
from lakhnes.runtime import Model, parse_text, tx1
from lakhnes.runtime.errors import DataError


def texts(folder: Path) -> list[list[int]]:
    songs = [path.read_text() for path in sorted(folder.glob("*.txt"))]
    return [[tx1().token(event) for event in parse_text(song)] for song in songs]


def songs(folder: Path) -> list[list[int]]:
    return [framed_song(song, tx1()) for song in texts(folder)]


@pytest.mark.train
def test_losses_are_the_originals(shared: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from lakhnes.export import load_checkpoint
    from lakhnes.export.checkpoint_evaluation import evaluate_checkpoint

    reference = json.loads((shared / "fixtures/lakhnes/eval.json").read_text())
    model = load_checkpoint(shared / "fixtures/lakhnes/tiny").model
    assert len(reference["runs"]) >= 8
    for run in reference["runs"]:
        folder = shared / "fixtures/lakhnes/eval_data" / run["split"]
        data, targets = parallel_streams(songs(folder), run["batch_size"], run["tgt_len"])
        assert data.shape == (run["batch_size"], run["total_len"])
        got = evaluate_checkpoint(model, data, targets, segment=run["tgt_len"], mem_len=run["mem_len"])
        assert got.loss == pytest.approx(run["loss"], abs=1e-5)
        assert got.perplexity == pytest.approx(run["ppl"], rel=1e-4)


@pytest.mark.train
def test_an_export_scores_as_single_steps_of_the_original(shared: Path, tiny_model: Model) -> None:
    reference = json.loads((shared / "fixtures/lakhnes/eval.json").read_text())
    runs = [run for run in reference["runs"] if (run["tgt_len"], run["mem_len"]) == (1, 64)]
    assert runs
    for run in runs:
        folder = shared / "fixtures/lakhnes/eval_data" / run["split"]
        streams = fill_streams(texts(folder), tx1(), single_steps=True)
        assert streams.data.shape == (1, run["total_len"])
        got = evaluate_exported(tiny_model, streams.data, streams.targets)
        assert got.loss == pytest.approx(run["loss"], abs=1e-4)


@pytest.mark.train
def test_each_stream_begins_anew(tiny_model: Model) -> None:
    rng = np.random.default_rng(1)
    data, targets = rng.integers(0, 631, (2, 4, 150))
    told: list[tuple[int, int]] = []
    together = evaluate_exported(
        tiny_model, data, targets, progress=lambda done, total: told.append((done, total))
    )
    alone = [evaluate_exported(tiny_model, data[i : i + 1], targets[i : i + 1]) for i in range(4)]
    assert together.tokens == 600
    assert together.loss == pytest.approx(np.mean([one.loss for one in alone]), abs=1e-5)
    assert told == [(done, 600) for done in (128, 150, 278, 300, 428, 450, 578, 600)]
    batch = tiny_model.batch(4)
    side_by_side = total_loss(batch.prefill(data, chunk=40), targets) / data.size
    assert together.loss == pytest.approx(side_by_side, abs=1e-5)


def test_the_loss_is_the_mean_surprise() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    logits = (np.log(probabilities) + np.array([[7.0], [-300.0]])).astype(np.float32)
    expected = -np.log(0.25) - np.log(0.7)
    assert total_loss(logits, np.array([1, 2])) == pytest.approx(expected, abs=1e-4)


def test_streams_are_filled_song_after_song() -> None:
    a, b, c = ([0, *range(start, start + 9), 0] for start in (10, 30, 50))
    data, targets = parallel_streams([a, [0, 1, 0], b, c], n_streams=2, segment=4)
    np.testing.assert_array_equal(data, [[0, 10, 11, 12, 13, 14, 15, 16], [0, 30, 31, 32, 33, 34, 35, 36]])
    np.testing.assert_array_equal(
        targets, [[10, 11, 12, 13, 14, 15, 16, 17], [30, 31, 32, 33, 34, 35, 36, 37]]
    )


def test_ten_streams_or_one_where_there_is_little() -> None:
    note = tx1().token(parse_text("P1_NOTEON_60")[0])
    much = fill_streams([[note] * 150] * 10 + [[note] * 3], tx1(), single_steps=False)
    assert (much.data.shape, much.segment, much.songs) == ((10, 128), 128, 10)
    little = fill_streams([[note] * 150] * 2, tx1(), single_steps=False)
    assert (little.data.shape, little.segment, little.songs) == ((1, 256), 128, 2)
    every_token = fill_streams([[note] * 150] * 2, tx1(), single_steps=True)
    assert every_token.data.shape == (1, 302)
    with pytest.raises(DataError, match="0 tokens in all"):
        fill_streams([[note] * 3], tx1(), single_steps=True)
    with pytest.raises(DataError, match="1 songs of 10 tokens or more, 101 tokens in all; give at least 128"):
        fill_streams([[note] * 100], tx1(), single_steps=False)


def test_one_wait_is_trimmed_at_each_end() -> None:
    words = ["WT_100", "WT_7", "P1_NOTEON_60", "WT_50", "P1_NOTEOFF", "WT_9"]
    tokens = [tx1().token(event) for event in parse_text("\n".join(words))]
    assert framed_song(tokens, tx1()) == [0, *tokens[1:-1], 0]
    assert framed_song([], tx1()) == [0, 0]
