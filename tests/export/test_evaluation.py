import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lakhnes.export import load_checkpoint  # noqa: E402
from lakhnes.export.evaluation import (  # noqa: E402
    evaluate_checkpoint,
    evaluate_exported,
    framed_song,
    parallel_streams,
)
from lakhnes.runtime import Model, parse_text, tx1  # noqa: E402

pytestmark = pytest.mark.train


def songs(folder: Path) -> list[list[int]]:
    texts = [path.read_text() for path in sorted(folder.glob("*.txt"))]
    return [framed_song([tx1().token(event) for event in parse_text(text)], tx1()) for text in texts]


def test_losses_are_the_originals(shared: Path) -> None:
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


def test_an_export_scores_as_single_steps_of_the_original(shared: Path, tiny_model: Model) -> None:
    reference = json.loads((shared / "fixtures/lakhnes/eval.json").read_text())
    for run in reference["runs"]:
        if (run["tgt_len"], run["mem_len"]) == (1, 64):
            folder = shared / "fixtures/lakhnes/eval_data" / run["split"]
            got = evaluate_exported(tiny_model, *parallel_streams(songs(folder), 1, 1))
            assert got.loss == pytest.approx(run["loss"], abs=1e-4)


def test_streams_are_filled_song_after_song() -> None:
    a, b, c = ([0, *range(start, start + 9), 0] for start in (10, 30, 50))
    data, targets = parallel_streams([a, [0, 1, 0], b, c], n_streams=2, segment=4)
    np.testing.assert_array_equal(data, [[0, 10, 11, 12, 13, 14, 15, 16], [0, 30, 31, 32, 33, 34, 35, 36]])
    np.testing.assert_array_equal(
        targets, [[10, 11, 12, 13, 14, 15, 16, 17], [30, 31, 32, 33, 34, 35, 36, 37]]
    )


def test_one_wait_is_trimmed_at_each_end() -> None:
    words = ["WT_100", "WT_7", "P1_NOTEON_60", "WT_50", "P1_NOTEOFF", "WT_9"]
    tokens = [tx1().token(event) for event in parse_text("\n".join(words))]
    assert framed_song(tokens, tx1()) == [0, *tokens[1:-1], 0]
    assert framed_song([], tx1()) == [0, 0]
