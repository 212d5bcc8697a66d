import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model, load_checkpoint  # noqa: E402
from lakhnes.export.exporter import reference_logits  # noqa: E402
from lakhnes.export.onnx_graph import PRECISIONS, Quantisation, quantise_blocks  # noqa: E402
from lakhnes.runtime import CheckpointError, Model, OptionError, OutputError, Timing, tx1, tx2  # noqa: E402

pytestmark = pytest.mark.train


def checkpoint(**variant: object) -> Checkpoint:
    torch.manual_seed(2)
    sizes = {
        "n_token": 631,
        "n_layer": 2,
        "n_head": 2,
        "d_model": 32,
        "d_head": 12,
        "d_inner": 48,
        "d_embed": 32,
    }
    model = TransformerXL(TransformerXLConfig(**{**sizes, **variant}))  # type: ignore[arg-type]
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.15)
    return Checkpoint(model.eval(), tx1() if model.config.n_token == 631 else tx2(), "model.pt", "0" * 64)


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"pre_lnorm": True},
        {"d_embed": 20},
        {"d_embed": 20, "tie_embedding": False, "pre_lnorm": True},
        {"clamp_len": 9},
        {"n_token": len(tx2())},
    ],
)
def test_every_variant_gives_pytorchs_logits(tmp_path: Path, variant: dict[str, object]) -> None:
    source = checkpoint(**variant)
    info = export_model(source, tmp_path, mem_len=24)
    assert info.parity["max_difference"] < 1e-4
    assert info.parity["tokens"] > 1.5 * 24
    exported = Model.load(tmp_path)
    tokens = np.random.default_rng(0).integers(0, source.model.config.n_token, 90).tolist()
    steps = np.stack([exported.step(token) for token in tokens])
    np.testing.assert_allclose(steps, reference_logits(source.model, tokens, 24), atol=1e-4)


def test_same_length_means_one_slot_less(tmp_path: Path) -> None:
    """A query that sees mem_len keys with its own sees mem_len - 1 others."""
    source = checkpoint(same_length=True)
    assert export_model(source, tmp_path, mem_len=16).mem_len == 15
    exported, tokens, memory = Model.load(tmp_path), list(range(60)), None
    with torch.no_grad():
        for token in tokens:
            logits, memory = source.model(torch.tensor([[token]]), memory, mem_len=16)
            np.testing.assert_allclose(exported.step(token), logits[0, 0], atol=1e-4)


def test_fewer_bits_stay_close_and_are_smaller(tmp_path: Path) -> None:
    source = checkpoint(d_model=256, d_embed=256, d_inner=256, d_head=64, n_layer=1)
    for parameter in source.model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.05)
    infos = {name: export_model(source, tmp_path / name, mem_len=32, precision=name) for name in PRECISIONS}
    assert [info.precision for info in infos.values()] == ["fp32", "int8", "int4"]
    assert infos["int8"].parity["mean_kl"] < 1e-3
    assert infos["int8"].parity["mean_kl"] < infos["int4"].parity["mean_kl"] < 5e-2
    sizes = [(tmp_path / name / "model.onnx").stat().st_size for name in PRECISIONS]
    assert sizes[2] < sizes[1] < sizes[0]


def test_metadata_tell_where_the_model_comes_from(tmp_path: Path) -> None:
    export_model(checkpoint(), tmp_path / "mine", mem_len=8, timing=Timing.FRAMES, provenance="By hand.")
    info = Model.load(tmp_path / "mine").info
    assert (info.name, info.timing, info.provenance, info.source) == (
        "mine",
        Timing.FRAMES,
        "By hand.",
        "model.pt",
    )
    assert info.source_sha256 == "0" * 64
    assert info.n_parameters == sum(p.numel() for p in checkpoint().model.parameters())
    assert json.loads(info.to_json())["format_version"] == 1


def test_the_supplied_checkpoint_end_to_end(shared: Path, tmp_path: Path) -> None:
    reference = np.load(shared / "checkpoints/nes_6x384/logits.npz")
    source = load_checkpoint(shared / "checkpoints/nes_6x384")
    digest = (shared / "checkpoints/nes_6x384/SHA256").read_text().split()[0]
    info = export_model(source, tmp_path, timing=Timing.FRAMES)
    assert info.source_sha256 == digest
    exported = Model.load(tmp_path)
    np.testing.assert_allclose(exported.prefill(reference["tokens"]), reference["step"], atol=1e-4)


def test_options_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="Precision 'int2'"):
        export_model(checkpoint(), tmp_path, precision="int2")
    with pytest.raises(OptionError, match="memory of 0"):
        export_model(checkpoint(), tmp_path, mem_len=0)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("file", "loop"):
        with pytest.raises(OutputError, match="cannot be a model folder"):
            export_model(checkpoint(), tmp_path / name, mem_len=8)


def test_broken_weights_are_noticed_and_nothing_is_written(tmp_path: Path) -> None:
    source = checkpoint()
    with torch.no_grad():
        source.model.content_bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="weights are broken"):
        export_model(source, tmp_path / "out", mem_len=8)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("how", [steps for steps in PRECISIONS.values() if steps])
def test_blocks_are_the_nearest_integers(how: Quantisation) -> None:
    weight = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    weight[:, 2] = 0
    steps, scales = quantise_blocks(weight, how)
    n_blocks = -(-300 // how.block)
    assert (steps.shape, scales.shape, steps.dtype) == ((300, 5), (n_blocks, 5), how.dtype)
    scale = np.repeat(scales, how.block, 0)[:300]
    value, limit = steps.astype(np.float32), 1 << (how.bits - 1)
    nearest = np.clip(np.rint(weight / scale), -limit, limit - 1)
    np.testing.assert_array_equal(value, nearest)
    largest = np.abs(weight).max()
    error = np.abs(value * scale - weight)
    within = (-limit < value) & (value < limit - 1)
    assert (error <= np.abs(scale) / 2 + 1e-7)[within].all()
    assert error.max() < 0.35 * largest  # where the largest of a block is cut off
    assert np.sqrt((error**2).mean()) < 0.6 * largest / limit / np.sqrt(3)  # of half a step either way


@pytest.mark.parametrize("how", [steps for steps in PRECISIONS.values() if steps])
def test_what_was_rounded_stays_as_it_is(how: Quantisation) -> None:
    weight = np.random.default_rng(2).normal(size=(256, 7)).astype(np.float32)
    steps, scales = quantise_blocks(weight, how)
    rounded = steps.astype(np.float32) * np.repeat(scales, how.block, 0)
    steps, scales = quantise_blocks(rounded, how)
    again = steps.astype(np.float32) * np.repeat(scales, how.block, 0)
    np.testing.assert_allclose(again, rounded, atol=1e-6)
