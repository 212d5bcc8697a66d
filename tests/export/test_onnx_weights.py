from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model  # noqa: E402
from lakhnes.export.exporter import reference_logits  # noqa: E402
from lakhnes.export.onnx_graph import BLOCK, quantise_blocks  # noqa: E402
from lakhnes.export.onnx_weights import read_weights  # noqa: E402
from lakhnes.runtime import CheckpointError, Model, Timing, tx1  # noqa: E402

pytestmark = pytest.mark.train

TOKENS = np.random.default_rng(0).integers(0, 631, 90)


def checkpoint(**variant: object) -> Checkpoint:
    torch.manual_seed(2)
    sizes = {"n_token": 631, "n_layer": 2, "n_head": 2, "d_model": 32, "d_head": 12, "d_inner": 48}
    config = {**sizes, "d_embed": 32, **variant}
    model = TransformerXL(TransformerXLConfig(**config))  # type: ignore[arg-type]
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.15)
    return Checkpoint(model.eval(), tx1(), "model.pt", "0" * 64)


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"pre_lnorm": True},
        {"d_embed": 20},
        {"tie_embedding": False, "pre_lnorm": True},
        {"clamp_len": 9},
        {"dropout": 0.3, "n_layer": 1, "n_head": 4},
    ],
)
def test_full_precision_comes_back_with_the_same_logits(tmp_path: Path, variant: dict[str, object]) -> None:
    source = checkpoint(**variant)
    export_model(source, tmp_path, mem_len=48, timing=Timing.FRAMES)
    model, info = read_weights(tmp_path / "model.onnx")
    assert info.timing is Timing.FRAMES
    wanted = reference_logits(source.model, TOKENS.tolist(), 48)
    np.testing.assert_allclose(reference_logits(model, TOKENS.tolist(), 48), wanted, atol=1e-4)
    np.testing.assert_allclose(Model.load(tmp_path).prefill(TOKENS), wanted, atol=1e-4)
    c, read = source.model.config, model.config
    assert (read.pre_lnorm, read.clamp_len) == (c.pre_lnorm, c.clamp_len)
    assert read.tie_embedding is (c.tie_embedding and c.d_embed == c.d_model)


def dequantised(weight: torch.Tensor) -> np.ndarray:
    steps, scales = quantise_blocks(weight.detach().numpy().T)
    return (steps * np.repeat(scales, BLOCK, 0)[: len(steps)]).T


def test_eight_bits_come_back_as_what_they_stand_for(tmp_path: Path) -> None:
    source = checkpoint(pre_lnorm=True, tie_embedding=False)
    export_model(source, tmp_path, mem_len=48, precision="int8")
    model, _ = read_weights(tmp_path / "model.onnx")
    ours = dict(source.model.named_parameters())
    exact = 0
    for name, parameter in model.named_parameters():
        read = parameter.detach().numpy()
        if name.endswith(("out.weight", "wide.weight", "narrow.weight")) or name == "output.weight":
            np.testing.assert_allclose(read, dequantised(ours[name]), atol=1e-6)
            exact += 1
        elif name.endswith("relative.weight"):
            continue
        else:
            largest = ours[name].abs().max().item()
            np.testing.assert_allclose(read, ours[name].detach(), atol=largest / 127 + 1e-6)
    assert exact == 7
    wanted = Model.load(tmp_path).prefill(TOKENS)  # its activations are in 8 bits too
    got = reference_logits(model, TOKENS.tolist(), 48)
    assert np.abs(got - wanted).mean() < 0.02 * np.abs(wanted).mean()


def test_of_eight_bits_a_tied_embedding_is_the_full_one(tmp_path: Path) -> None:
    source = checkpoint(pre_lnorm=True)
    export_model(source, tmp_path, mem_len=48, precision="int8")
    model, _ = read_weights(tmp_path / "model.onnx")
    assert model.config.tie_embedding
    torch.testing.assert_close(model.output.weight, source.model.output.weight, atol=1e-6, rtol=1e-5)


def test_beyond_the_memory_distances_are_a_tame_guess(tmp_path: Path) -> None:
    """A model whose keys of distances are known up to 48 goes on to be used with a memory of 80."""
    source = checkpoint(pre_lnorm=True)
    export_model(source, tmp_path, mem_len=48)
    model, _ = read_weights(tmp_path / "model.onnx")
    got, wanted = (reference_logits(m, TOKENS.tolist(), 80) for m in (model, source.model))
    assert np.isfinite(got).all()
    assert np.abs(got).max() < 2 * np.abs(wanted).max()


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").write_bytes(onnx.ModelProto().SerializeToString())
    for name in ("text.onnx", "empty.onnx"):
        with pytest.raises(CheckpointError, match=name):
            read_weights(tmp_path / name)
