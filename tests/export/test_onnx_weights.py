from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model  # noqa: E402
from lakhnes.export.exporter import reference_logits  # noqa: E402
from lakhnes.export.onnx_graph import PRECISIONS, Quantisation, quantise_blocks  # noqa: E402
from lakhnes.export.onnx_weights import read_weights  # noqa: E402
from lakhnes.runtime import Model, ModelError, Timing, tx1  # noqa: E402

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


def dequantised(weight: torch.Tensor, how: Quantisation) -> np.ndarray:
    steps, scales = quantise_blocks(weight.detach().numpy().T, how)
    return (steps.astype(np.float32) * np.repeat(scales, how.block, 0)[: len(steps)]).T


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_few_bits_come_back_as_what_they_stand_for(tmp_path: Path, precision: str) -> None:
    source, how = checkpoint(pre_lnorm=True, tie_embedding=False), PRECISIONS[precision]
    assert how is not None
    export_model(source, tmp_path, mem_len=48, precision=precision)
    model, _ = read_weights(tmp_path / "model.onnx")
    ours = dict(source.model.named_parameters())
    rounded = 0
    for name, parameter in model.named_parameters():
        read = parameter.detach().numpy()
        if name.endswith("relative.weight"):
            eight = Quantisation(np.int8, 8, read.shape[1])
            np.testing.assert_allclose(read, dequantised(ours[name], eight), atol=1e-6)
        elif name == "output.weight" or (name.startswith("layers.") and parameter.ndim == 2):
            scale = torch.ones(len(read), 1)
            if name.endswith("qkv.weight"):
                scale[:24] = 12**-0.5  # of queries, which are rounded with it
            wanted = dequantised(ours[name] * scale, how) / scale.numpy()
            np.testing.assert_allclose(read, wanted, atol=1e-5)
            rounded += 1
        else:
            np.testing.assert_allclose(read, ours[name].detach(), atol=1e-6)
    assert rounded == 9
    played = Model.load(tmp_path).prefill(TOKENS)  # its activations may be in 8 bits too
    got = reference_logits(model, TOKENS.tolist(), 48)
    assert np.abs(got - played).mean() < 0.02 * np.abs(played).mean()


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_of_few_bits_a_tied_embedding_is_the_full_one(tmp_path: Path, precision: str) -> None:
    source = checkpoint(pre_lnorm=True)
    export_model(source, tmp_path, mem_len=48, precision=precision)
    model, _ = read_weights(tmp_path / "model.onnx")
    assert model.config.tie_embedding
    torch.testing.assert_close(model.output.weight, source.model.output.weight, atol=1e-6, rtol=1e-5)


def test_it_may_go_on_with_a_longer_memory(tmp_path: Path) -> None:
    source = checkpoint(pre_lnorm=True)
    export_model(source, tmp_path, mem_len=48)
    model, _ = read_weights(tmp_path / "model.onnx")
    got, wanted = (reference_logits(m, TOKENS.tolist(), 80) for m in (model, source.model))
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").write_bytes(onnx.ModelProto().SerializeToString())
    for name in ("text.onnx", "empty.onnx"):
        with pytest.raises(ModelError, match=name):
            read_weights(tmp_path / name)


def test_a_graph_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    export_model(checkpoint(), tmp_path, mem_len=48)
    graph = onnx.load(tmp_path / "model.onnx")
    last = max(place for place, node in enumerate(graph.graph.node) if node.op_type == "MatMul")
    del graph.graph.node[last]
    onnx.save(graph, tmp_path / "part.onnx")
    with pytest.raises(ModelError, match=r"part\.onnx cannot be read"):
        read_weights(tmp_path / "part.onnx")
