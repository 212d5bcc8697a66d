"""Calibration: what is fitted, that the runtime does the same with it, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_training import song
from support import lakhnes_here

torch = pytest.importorskip("torch")

from lakhnes.export import export_model, open_checkpoint  # noqa: E402
from lakhnes.export.calibration import Fit, Heard, blocks_of, calibrate, write_calibrated  # noqa: E402
from lakhnes.export.evaluation import fill_streams  # noqa: E402
from lakhnes.export.prepared import write_prepared  # noqa: E402
from lakhnes.runtime import Codec, DataError, Model, Timing, tx1  # noqa: E402
from lakhnes.runtime.decode.match_cache import MatchCache, Reader, Views  # noqa: E402
from lakhnes.runtime.model.cache_weights import CacheWeights  # noqa: E402

pytestmark = pytest.mark.train

CODEC = Codec(tx1(), Timing.FRAMES)
SONGS = [song(CODEC, seed, n_notes=200) for seed in range(12)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network that knows nothing."""
    from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig

    torch.manual_seed(0)
    sizes = {"n_layer": 1, "n_head": 2, "d_model": 16, "d_head": 8, "d_inner": 16, "d_embed": 16}
    network = TransformerXL(TransformerXLConfig(n_token=631, **sizes)).eval()
    folder = tmp_path_factory.mktemp("bare")
    export_model(Checkpoint(network, tx1(), "x", "0" * 64), folder, mem_len=8, timing=Timing.FRAMES)
    return folder


@pytest.fixture(scope="module")
def fitted(bare: Path) -> CacheWeights:
    streams = fill_streams(SONGS, tx1(), single_steps=True)
    result = calibrate(Model.load(bare), streams, 4000)
    assert (result.fitted, result.tested) == (3000, 1000)
    assert result.loss < 0.8 * result.network_loss  # the tunes come again and again
    return result.recall


def test_the_runtime_does_what_was_fitted(bare: Path, fitted: CacheWeights) -> None:
    streams = fill_streams(SONGS[:2], tx1(), single_steps=True)
    tokens, targets = streams.data[0, :700], streams.targets[0, :700]
    logits = Model.load(bare).prefill(tokens)
    views = Views(CODEC)
    memory = MatchCache(fitted, views)
    losses = []
    for token, target, row in zip(tokens, targets, logits, strict=True):
        memory.read(token, given=True)
        losses.append(-memory.mix(row)[target])
    fit = Fit(fitted)
    with torch.no_grad():
        fit.scores.copy_(torch.from_numpy(fitted.scores))
        fit.recency.fill_(fitted.recency)
        fit.hidden.weight.copy_(torch.from_numpy(fitted.hidden[:, :-1]))
        fit.hidden.bias.copy_(torch.from_numpy(fitted.hidden[:, -1]))
        fit.gate.weight.copy_(torch.from_numpy(fitted.gate[None, :-1]))
        fit.gate.bias.fill_(fitted.gate[-1])
        (block,) = blocks_of(Heard(tokens, targets, logits), fitted, views)
        np.testing.assert_allclose(fit(block).numpy(), losses, atol=2e-3)


def test_a_calibrated_model_mixes_and_its_network_stays(
    bare: Path, fitted: CacheWeights, tmp_path: Path
) -> None:
    write_calibrated(bare / "model.onnx", tmp_path / "model.onnx", fitted)
    calibrated = Model.load(tmp_path)
    logits = Model.load(bare).prefill(SONGS[0])
    np.testing.assert_array_equal(calibrated.prefill(SONGS[0]), logits)
    np.testing.assert_array_equal(Reader(calibrated, cache=False).read(SONGS[0]), logits)
    memory = MatchCache(CacheWeights.from_dict(fitted.to_dict()), Views(CODEC))
    mixed = []
    for token, row in zip(SONGS[0], logits, strict=True):
        memory.read(token)
        mixed.append(memory.mix(row))
    np.testing.assert_allclose(Reader(calibrated).read(SONGS[0]), mixed, atol=1e-4)


def test_exporting_it_again_keeps_what_it_remembers_with(
    bare: Path, fitted: CacheWeights, tmp_path: Path
) -> None:
    write_calibrated(bare / "model.onnx", tmp_path / "a" / "model.onnx", fitted)
    info = export_model(open_checkpoint(tmp_path / "a"), tmp_path / "b", mem_len=8)
    assert info.parity["max_difference"] < 1e-4
    recall = Model.load(tmp_path / "b").info.recall
    assert recall is not None
    assert recall.to_dict() == CacheWeights.from_dict(fitted.to_dict()).to_dict()


def test_the_command(bare: Path, tmp_path: Path) -> None:
    data, made = tmp_path / "data", tmp_path / "made"
    write_prepared(data, CODEC, {"valid": {f"{i}.mid": tokens for i, tokens in enumerate(SONGS)}})
    done = lakhnes_here(
        "calibrate", bare, "--data", data, "-o", made, "--tokens", 3000, "--json", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["file"] == str(made / "model.onnx")
    assert (facts["fitted"], facts["tested"]) == (2250, 750)
    assert facts["loss"] < facts["network_loss"]
    whole, network = (
        json.loads(lakhnes_here("evaluate", made, "--data", data, "--json", *options, cwd=tmp_path).stdout)
        for options in ((), ("--no-match-cache",))
    )
    assert whole["loss"] < network["loss"]
    assert whole["how"] == f"{network['how']}, match cache"
    told = lakhnes_here("calibrate", made, "--data", data, "--tokens", 3000, cwd=tmp_path).stdout
    assert f"wrote   {made / 'model.onnx'}" in told


def test_a_model_that_it_makes_no_better_stays_as_it_is(bare: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0).integers(1, 631, 108)
    write_prepared(tmp_path / "data", CODEC, {"valid": {"a": SONGS[0][:8] * 37 + random.tolist()}})
    done = lakhnes_here("calibrate", bare, "--data", tmp_path / "data", "-o", tmp_path / "made", cwd=tmp_path)
    assert done.returncode == 0
    assert "as it is" in done.stdout
    assert not (tmp_path / "made").exists()


def test_too_few_songs_are_refused(bare: Path) -> None:
    streams = fill_streams([SONGS[0][:40]], tx1(), single_steps=True)
    with pytest.raises(DataError, match=r"too little .* 41 events of 1 songs; give 100"):
        calibrate(Model.load(bare), streams, 4000)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nes-frames", "--data", "nowhere"), "give a folder for the new one with -o"),
        (("nobody", "--data", "nowhere"), "no model 'nobody'"),
        (("nes-frames", "--data", "nowhere", "-o", "x"), "nowhere is no folder"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    done = lakhnes_here("calibrate", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2 if "give a folder" in reason else 1, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
