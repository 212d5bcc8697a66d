"""A Transformer-XL as an ONNX graph with explicit memory tensors.

The graph fulfils the contract in `lakhnes.runtime.model.model`. PyTorch computes the keys of relative
distances for every token, R = r_net(sinusoid) [H, M+1, D] for each layer. Here onnxruntime computes them
once, when it loads the graph, and the scores of a query's distances are looked up. No relative shift is
needed, and the memory may be a ring. The embedding's scale and projections, and 1/sqrt(D), are folded into
weights.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lakhnes.export.transformer_xl import Layer, TransformerXL, TransformerXLConfig, frequencies

Array = NDArray[Any]

OPSET = 21
IR_VERSION = 10


class Quantisation(NamedTuple):
    """Rounding of weights."""

    dtype: Any
    """Type of the integers."""
    bits: int
    block: int
    """Weights that share one scale."""


PRECISIONS: dict[str, Quantisation | None] = {
    "fp32": None,
    "int8": Quantisation(np.int8, 8, 128),
    "int4": Quantisation(helper.tensor_dtype_to_np_dtype(TensorProto.INT4), 4, 32),
}
"""Storage types of weights; full precision does not round."""

DISTANCES = "distances"
"""Name of the constant with the distances of R."""

_SHRUNK = np.linspace(0.7, 1, 13, dtype=np.float32)
"""Factors tried for the scale that reaches the largest weight of a block; the best one is used."""

_CONTRIB = "com.microsoft"
"""Domain of onnxruntime's own operators."""


class Builder:
    """Collects nodes and constants; every method returns the name of its output."""

    def __init__(self, precision: str) -> None:
        self.steps = PRECISIONS[precision]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def node(self, op: str, *inputs: str, domain: str = "", output: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        return self.nodes_of(op, inputs, [output], domain=domain, **attributes)[0]

    def nodes_of(
        self, op: str, inputs: tuple[str, ...], outputs: list[str], *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node; outputs without a name get one."""
        self._count += 1
        names = [name or f"{op.lower()}_{self._count}_{i}" for i, name in enumerate(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names

    def constant(self, value: Array, name: str = "") -> str:
        """Add a constant."""
        self._count += 1
        name = name or f"constant_{self._count}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def ints(self, *values: int) -> str:
        """Add a vector of int64."""
        return self.constant(np.array(values, np.int64))

    def linear(self, x: str, weight: Array, bias: Array | None = None, *, name: str) -> str:
        """Return x [.., K] times weight float32 [N, K], transposed, plus bias [N].

        In this graph's precision.
        """
        if self.steps is None:
            turned = self.constant(weight.T, f"{name}.weight")
        else:
            steps, scales = quantise_blocks(weight.T, self.steps)
            weights = [self.constant(steps, f"{name}.weight"), self.constant(scales, f"{name}.scale")]
            # onnxruntime makes one operator on small weights from the product and the sum.
            turned = self.node("DequantizeLinear", *weights, axis=0, block_size=self.steps.block)
        y = self.node("MatMul", x, turned)
        return y if bias is None else self.node("Add", y, self.constant(bias, f"{name}.bias"))

    def norm(self, x: str, norm: torch.nn.LayerNorm) -> str:
        """Apply LayerNorm over the last axis."""
        gain, bias = self.constant(_array(norm.weight)), self.constant(_array(norm.bias))
        return self.node("LayerNormalization", x, gain, bias, axis=-1, epsilon=norm.eps)

    def turned_matmul(self, x: str, y: str) -> str:
        """Return x [.., N, K] times y [.., M, K], transposed.

        A vector times rows reads twice as fast as a vector times columns.
        """
        return self.node("FusedMatMul", x, y, domain=_CONTRIB, transB=1)


def quantise_blocks(weight: Array, how: Quantisation) -> tuple[Array, Array]:
    """Return columns of weights as blocks of small integers with the least sum of squared errors.

    The largest weight of a block, of either sign, becomes the lowest integer or nearly so.

    Args:
        weight: float32 [K, N].
        how: types and block size.

    Returns:
        Integers [K, N] and the scale of each block of rows, float32 [blocks, N], which may be negative. Their
        product approximates the weight.
    """
    low, n_rows = -(1 << (how.bits - 1)), len(weight)
    n_blocks = -(-n_rows // how.block)
    padded = np.zeros((n_blocks * how.block, weight.shape[1]), np.float32)
    padded[:n_rows] = weight
    blocks = padded.reshape(n_blocks, how.block, -1)
    most, least = blocks.max(1), blocks.min(1)
    widest = np.where(most > -least, most, least) / np.float32(low)  # [blocks, N]
    widest[widest == 0] = 1
    best = np.full(widest.shape, np.inf, np.float32)
    scales = widest.copy()
    for part in _SHRUNK:
        tried = widest * part
        error = ((_rounded(blocks, tried, low) * tried[:, None] - blocks) ** 2).sum(1)
        better = error < best
        best[better], scales[better] = error[better], tried[better]
    steps = _rounded(blocks, scales, low).reshape(len(padded), -1)[:n_rows]
    return steps.astype(np.int8).astype(how.dtype), scales


def _rounded(blocks: Array, scales: Array, low: int) -> Array:
    """Return the nearest integers of blocks, float32 [blocks, rows, N], for scales [blocks, N]."""
    return np.clip(np.rint(blocks / scales[:, None]), low, -low - 1)


def build_graph(
    model: TransformerXL, mem_len: int, precision: str, metadata: dict[str, str]
) -> onnx.ModelProto:
    """Build the graph.

    Args:
        model: the trained model.
        mem_len: slots of the memory, M.
        precision: one of `PRECISIONS`.
        metadata: metadata properties of the file.
    """
    c = model.config
    b = Builder(precision)
    x = b.node("Gather", b.constant(_embedding(model), "embedding"), "token", axis=0)  # [B, T, d_model]
    batch, rest = b.node("Shape", "token", start=0, end=1), b.node("Shape", "distance")
    everywhere = b.node("Concat", batch, b.ints(c.n_head), rest, axis=0)
    distance = b.node("Expand", "distance", everywhere)  # [B, H, T, S+T]
    slots = b.node("Shape", "k0", start=2, end=3)
    sizes = b.node("Concat", slots, b.node("Shape", "token", start=1, end=2), axis=0)  # S, T
    waves = _waves(b, c, mem_len)
    new: list[str] = []

    def before(x: str, norm: torch.nn.LayerNorm) -> str:
        return b.norm(x, norm) if c.pre_lnorm else x

    def after(x: str, change: str, norm: torch.nn.LayerNorm) -> str:
        # Not Add: onnxruntime joins Add and LayerNormalization into an operator that is several times slower.
        x = b.node("Sum", x, change)
        return x if c.pre_lnorm else b.norm(x, norm)

    for index, layer in enumerate(model.layers):
        assert isinstance(layer, Layer)
        relative = _relative_keys(b, layer, index, c, waves)
        norm = layer.attention.norm
        change, *rows = _attention(b, model, index, before(x, norm), relative, distance, sizes)
        x = after(x, change, norm)
        new += rows
        norm = layer.feed_forward.norm
        x = after(x, _feed_forward(b, layer, index, before(x, norm)), norm)
    weight, bias = _output(model)
    logits = b.linear(x, weight, bias, name="output")
    b.node("Identity", logits, output="logits")
    b.node("Concat", *new, axis=1, output="new")  # [B, L·2·H, T, D]

    memory: list[str | int | None] = ["B", c.n_head, "S", c.d_head]
    inputs = [
        helper.make_tensor_value_info("token", TensorProto.INT64, ["B", "T"]),
        helper.make_tensor_value_info("distance", TensorProto.INT64, ["T", "S+T"]),
        helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["B", 1, "T", "S+T"]),
        *(
            helper.make_tensor_value_info(f"{kind}{layer}", TensorProto.FLOAT, memory)
            for layer in range(c.n_layer)
            for kind in "kv"
        ),
    ]
    new_rows: list[str | int | None] = ["B", c.n_layer * 2 * c.n_head, "T", c.d_head]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", "T", c.n_token]),
        helper.make_tensor_value_info("new", TensorProto.FLOAT, new_rows),
    ]
    graph = helper.make_graph(b.nodes, "transformer_xl", inputs, outputs, b.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_CONTRIB, 1)]
    proto = helper.make_model(graph, opset_imports=opsets, producer_name="lakhnes", ir_version=IR_VERSION)
    helper.set_model_props(proto, metadata)
    return proto


def _attention(
    b: Builder, model: TransformerXL, index: int, x: str, relative: str, distance: str, sizes: str
) -> tuple[str, str, str]:
    """Add one attention block; return its output and the new rows of keys and values [B, H, T, D].

    Args:
        b: the builder.
        model: the trained model.
        index: index of the layer; its memory is `k{index}` and `v{index}`.
        x: float32 [B, T, d_model].
        relative: float32 [H, M+1, D]: the key of each distance.
        distance: int64 [B, H, T, S+T].
        sizes: int64 [2]: S and T.
    """
    c = model.config
    layer, name = model.layers[index], f"layers.{index}.attention"
    assert isinstance(layer, Layer)
    attention = layer.attention
    scale = c.d_head**-0.5
    width = c.n_head * c.d_head
    qkv_weight = _array(attention.qkv.weight).copy()
    qkv_weight[:width] *= scale
    content_bias, position_bias = _array(model.content_bias) * scale, _array(model.position_bias) * scale
    qkv_bias = np.concatenate([content_bias.reshape(-1), np.zeros(2 * width, np.float32)])
    qkv = b.linear(x, qkv_weight, qkv_bias, name=f"{name}.qkv")  # [B, T, 3·H·D], queries with content bias
    heads = b.node("Reshape", qkv, b.ints(0, 0, 3 * c.n_head, c.d_head))
    heads = b.node("Transpose", heads, perm=[0, 2, 1, 3])  # [B, 3·H, T, D]
    thirds = b.ints(c.n_head, c.n_head, c.n_head)
    content, key, value = b.nodes_of("Split", (heads, thirds), ["", "", ""], axis=1)
    position = b.node("Add", content, b.constant((position_bias - content_bias)[:, None]))

    by_content = [b.turned_matmul(content, k) for k in (f"k{index}", key)]
    by_distance = b.turned_matmul(position, relative)  # [B, H, T, M+1]
    scores = b.node(
        "Sum",
        b.node("Concat", *by_content, axis=-1),  # [B, H, T, S+T]
        b.node("GatherElements", by_distance, distance, axis=3),
        "mask",
    )
    probabilities = b.node("Softmax", scores, axis=-1)
    old, new = b.nodes_of("Split", (probabilities, sizes), ["", ""], axis=-1)
    sums = b.node("Add", b.node("MatMul", old, f"v{index}"), b.node("MatMul", new, value))
    joined = b.node("Reshape", b.node("Transpose", sums, perm=[0, 2, 1, 3]), b.ints(0, 0, width))
    return b.linear(joined, _array(attention.out.weight), name=f"{name}.out"), key, value


def _waves(b: Builder, c: TransformerXLConfig, mem_len: int) -> str:
    """Return the sinusoids of the distances 0..M, float32 [M+1, d_model]."""
    distances = np.arange(mem_len + 1, dtype=np.float32)
    if c.clamp_len > 0:
        distances = np.minimum(distances, np.float32(c.clamp_len))
    columns = b.constant(frequencies(c).numpy()[None])  # [1, d_model/2]
    angles = b.node("Mul", b.constant(distances[:, None], DISTANCES), columns)
    return b.node("Concat", b.node("Sin", angles), b.node("Cos", angles), axis=1)


def _relative_keys(b: Builder, layer: Layer, index: int, c: TransformerXLConfig, waves: str) -> str:
    """Return R, float32 [H, M+1, D]: the key of each distance 0..M. It depends on no input."""
    name, weight = f"layers.{index}.attention.relative", _array(layer.attention.relative.weight).T
    if b.steps is None:
        turned = b.constant(weight, f"{name}.weight")
    else:  # not DequantizeLinear, which onnxruntime would compute at every step
        steps, scales = quantise_blocks(weight, Quantisation(np.int8, 8, len(weight)))
        wide = b.node("Cast", b.constant(steps, f"{name}.weight"), to=TensorProto.FLOAT)
        turned = b.node("Mul", wide, b.constant(scales, f"{name}.scale"))
    rows = b.node("Reshape", b.node("MatMul", waves, turned), b.ints(0, c.n_head, c.d_head))
    return b.node("Transpose", rows, perm=[1, 0, 2])


def _feed_forward(b: Builder, layer: Layer, index: int, x: str) -> str:
    block, name = layer.feed_forward, f"layers.{index}.feed_forward"
    wide = b.linear(x, _array(block.wide.weight), _array(block.wide.bias), name=f"{name}.wide")
    inner = b.node("Relu", wide)
    return b.linear(inner, _array(block.narrow.weight), _array(block.narrow.bias), name=f"{name}.narrow")


def _embedding(model: TransformerXL) -> Array:
    """Return the embedding float32 [V, d_model], projected and scaled."""
    table = _array(model.embedding.weight)
    if model.embedding_projection is not None:
        table = table @ _array(model.embedding_projection).T
    return np.asarray(table * np.float32(model.config.d_model**0.5), np.float32)


def _output(model: TransformerXL) -> tuple[Array, Array]:
    """Return the output weight float32 [V, d_model], projected, and the bias [V]."""
    weight = _array(model.output.weight)
    if model.output_projection is not None:
        weight = weight @ _array(model.output_projection).T
    return weight, _array(model.output.bias)


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().float().numpy()
