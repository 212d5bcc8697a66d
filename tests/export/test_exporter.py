import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model, load_checkpoint  # noqa: E402
from lakhnes.export.exporter import reference_logits  # noqa: E402
from lakhnes.export.onnx_graph import BLOCK, quantise_blocks  # noqa: E402
from lakhnes.runtime import CheckpointError, Model, OptionError, Timing, tx1, tx2  # noqa: E402

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


def test_eight_bits_stay_close_and_are_smaller(tmp_path: Path) -> None:
    source = checkpoint(d_model=256, d_embed=256, d_inner=256, d_head=64, n_layer=1)
    for parameter in source.model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.05)
    full = export_model(source, tmp_path / "full", mem_len=32)
    small = export_model(source, tmp_path / "small", mem_len=32, precision="int8")
    assert (full.precision, small.precision) == ("fp32", "int8")
    assert small.parity["mean_kl"] < 1e-3
    sizes = [(tmp_path / name / "model.onnx").stat().st_size for name in ("full", "small")]
    assert sizes[1] < 0.6 * sizes[0]  # the embedding stays in full precision


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
    with pytest.raises(OptionError, match="Precision 'int4'"):
        export_model(checkpoint(), tmp_path, precision="int4")
    with pytest.raises(OptionError, match="memory of 0"):
        export_model(checkpoint(), tmp_path, mem_len=0)
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot be a model folder"):
        export_model(checkpoint(), tmp_path / "file", mem_len=8)


def test_broken_weights_are_noticed_and_nothing_is_written(tmp_path: Path) -> None:
    source = checkpoint()
    with torch.no_grad():
        source.model.content_bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="weights are broken"):
        export_model(source, tmp_path / "out", mem_len=8)
    assert not (tmp_path / "out").exists()


def test_blocks_keep_weights_within_half_a_step() -> None:
    weight = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    weight[:, 2] = 0
    steps, scales = quantise_blocks(weight)
    assert (steps.shape, scales.shape) == ((300, 5), (3, 5))
    scale = np.repeat(scales, BLOCK, 0)[:300]
    assert (np.abs(steps * scale - weight) <= scale / 2 + 1e-7).all()
