"""A Transformer-XL as an ONNX graph with explicit memory tensors.

The graph fulfils the contract in `lakhnes.runtime.model`. What PyTorch computes for every token anew is
constant here: the keys of relative distances, R = r_net(sinusoid) [H, D, M+1] for each layer, from which the
scores of a query's distances are looked up, so that no relative shift is needed and the memory may be a ring.
The embedding's scale and projections, and 1/sqrt(D), are folded into weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lakhnes.export.transformer_xl import Layer, TransformerXL, sinusoids

Array = NDArray[Any]

OPSET = 17
IR_VERSION = 8
BLOCK = 128
"""Weights of one scale in 8-bit precision."""

_CONTRIB = "com.microsoft"
"""Domain of onnxruntime's own operators."""

_ACCURACY_INT8 = 4
"""`accuracy_level` of MatMulNBits: activations as 8 bits a row block, which modern CPUs multiply natively."""


class Builder:
    """Collects nodes and constants; every method returns the name of what it made."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def node(self, op: str, *inputs: str, domain: str = "", output: str = "", **attributes: Any) -> str:
        """Adds a node with one output."""
        return self.nodes_of(op, inputs, [output], domain=domain, **attributes)[0]

    def nodes_of(
        self, op: str, inputs: tuple[str, ...], outputs: list[str], *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Adds a node; outputs without a name get one."""
        self._count += 1
        names = [name or f"{op.lower()}_{self._count}_{i}" for i, name in enumerate(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names

    def constant(self, value: Array, name: str = "") -> str:
        """Adds a constant."""
        self._count += 1
        name = name or f"constant_{self._count}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def ints(self, *values: int) -> str:
        """Adds a vector of int64."""
        return self.constant(np.array(values, np.int64))

    def linear(self, x: str, weight: Array, bias: Array | None = None, *, name: str) -> str:
        """X [.., K] times weight float32 [N, K], transposed, plus bias [N]; in this graph's precision."""
        biases = [] if bias is None else [self.constant(bias, f"{name}.bias")]
        if self.precision == "fp32":
            y = self.node("MatMul", x, self.constant(weight.T, f"{name}.weight"))
            return self.node("Add", y, *biases) if biases else y
        packed, scales = quantise_blocks(weight)
        n, k = weight.shape
        weights = [self.constant(packed, f"{name}.weight"), self.constant(scales, f"{name}.scale")]
        no_zero_points = ["", ""] if biases else []
        return self.node(
            "MatMulNBits",
            x,
            *weights,
            *no_zero_points,
            *biases,
            domain=_CONTRIB,
            N=n,
            K=k,
            bits=8,
            block_size=BLOCK,
            accuracy_level=_ACCURACY_INT8,
        )

    def norm(self, x: str, norm: torch.nn.LayerNorm) -> str:
        """LayerNorm over the last axis."""
        gain, bias = self.constant(_array(norm.weight)), self.constant(_array(norm.bias))
        return self.node("LayerNormalization", x, gain, bias, axis=-1, epsilon=norm.eps)

    def add_norm(self, x: str, change: str, norm: torch.nn.LayerNorm) -> tuple[str, str]:
        """LayerNorm of x + change, and the sum itself."""
        inputs = (x, change, self.constant(_array(norm.weight)), self.constant(_array(norm.bias)))
        names = self.nodes_of(
            "SkipLayerNormalization", inputs, ["", "", "", ""], domain=_CONTRIB, epsilon=norm.eps
        )
        return names[0], names[3]


def quantise_blocks(weight: Array) -> tuple[Array, Array]:
    """Rows of weights as 8-bit blocks, symmetric around 128.

    Args:
        weight: float32 [N, K].

    Returns:
        uint8 [N, blocks, 128] and float32 [N * blocks] scales, as MatMulNBits takes them: the weight is
        (byte - 128) * scale.
    """
    n, k = weight.shape
    blocks = -(-k // BLOCK)
    padded = np.zeros((n, blocks * BLOCK), np.float32)
    padded[:, :k] = weight
    padded = padded.reshape(n, blocks, BLOCK)
    scales = np.abs(padded).max(-1) / 127
    steps = np.divide(padded, scales[..., None], out=np.zeros_like(padded), where=scales[..., None] > 0)
    return (np.rint(steps) + 128).astype(np.uint8), scales.reshape(-1).astype(np.float32)


def build_graph(
    model: TransformerXL, mem_len: int, precision: str, metadata: dict[str, str]
) -> onnx.ModelProto:
    """Builds the graph.

    Args:
        model: with its trained weights.
        mem_len: slots of the memory, M.
        precision: `fp32`, or `int8` for 8-bit weights (MatMulNBits, blocks of 128) and half-precision R.
        metadata: properties of the file.
    """
    c = model.config
    b = Builder(precision)
    x = b.node("Gather", b.constant(_embedding(model), "embedding"), "token", axis=0)  # [B, T, d_model]
    batch, rest = b.node("Shape", "token", start=0, end=1), b.node("Shape", "distance")
    everywhere = b.node("Concat", batch, b.ints(c.n_head), rest, axis=0)
    distance = b.node("Expand", "distance", everywhere)  # [B, H, T, M+T]
    new_keys, new_values = [], []

    def attend(inner: str, index: int, layer: Layer) -> str:
        change, key, value = _attention(b, model, layer, index, inner, mem_len, distance)
        new_keys.append(key)
        new_values.append(value)
        return change

    # Blocks in order, each with its norm; where norms come first, a block's sum meets the next block's norm.
    blocks: list[tuple[Callable[[str], str], torch.nn.LayerNorm]] = []
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, Layer)
        blocks.append((partial(attend, index=index, layer=layer), layer.attention.norm))
        blocks.append((partial(_feed_forward, b, layer, index), layer.feed_forward.norm))
    inner = b.norm(x, blocks[0][1]) if c.pre_lnorm else x
    for place, (block, norm) in enumerate(blocks):
        change = block(inner)
        if not c.pre_lnorm:
            x = inner = b.add_norm(inner, change, norm)[0]
        elif place + 1 < len(blocks):
            inner, x = b.add_norm(x, change, blocks[place + 1][1])
        else:
            x = b.node("Add", x, change)
    weight, bias = _output(model)
    logits = b.linear(x, weight, bias, name="output")
    b.node("Identity", logits, output="logits")
    for name, rows in (("k_new", new_keys), ("v_new", new_values)):
        first = b.ints(0)
        stacked = [b.node("Unsqueeze", row, first) for row in rows]
        b.node("Concat", *stacked, axis=0, output=name)  # [L, B, H, T, D]

    memory: list[str | int | None] = ["B", c.n_head, mem_len, c.d_head]
    inputs = [
        helper.make_tensor_value_info("token", TensorProto.INT64, ["B", "T"]),
        helper.make_tensor_value_info("distance", TensorProto.INT64, ["T", "M+T"]),
        helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["B", 1, "T", "M+T"]),
        *(
            helper.make_tensor_value_info(f"{kind}{layer}", TensorProto.FLOAT, memory)
            for layer in range(c.n_layer)
            for kind in "kv"
        ),
    ]
    new: list[str | int | None] = [c.n_layer, "B", c.n_head, "T", c.d_head]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", "T", c.n_token]),
        helper.make_tensor_value_info("k_new", TensorProto.FLOAT, new),
        helper.make_tensor_value_info("v_new", TensorProto.FLOAT, new),
    ]
    graph = helper.make_graph(b.nodes, "transformer_xl", inputs, outputs, b.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_CONTRIB, 1)]
    proto = helper.make_model(graph, opset_imports=opsets, producer_name="lakhnes", ir_version=IR_VERSION)
    helper.set_model_props(proto, metadata)
    return proto


def _attention(
    b: Builder, model: TransformerXL, layer: Layer, index: int, x: str, mem_len: int, distance: str
) -> tuple[str, str, str]:
    """One attention block; returns its output and the new rows of keys and values [B, H, T, D]."""
    c = model.config
    attention, name = layer.attention, f"layers.{index}.attention"
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

    keys = [f"k{index}", key]
    turned = [b.node("Transpose", k, perm=[0, 1, 3, 2]) for k in keys]
    scores = b.node("Concat", *(b.node("MatMul", content, k) for k in turned), axis=-1)  # [B, H, T, M+T]
    by_distance = b.node("MatMul", position, _relative_keys(b, model, layer, mem_len))  # [B, H, T, M+1]
    scores = b.node("Add", scores, b.node("GatherElements", by_distance, distance, axis=3))
    probabilities = b.node("Softmax", b.node("Add", scores, "mask"), axis=-1)
    n_new = b.node("Shape", "token", start=1, end=2)
    sizes = b.node("Concat", b.ints(mem_len), n_new, axis=0)
    old, new = b.nodes_of("Split", (probabilities, sizes), ["", ""], axis=-1)
    sums = b.node("Add", b.node("MatMul", old, f"v{index}"), b.node("MatMul", new, value))
    joined = b.node("Reshape", b.node("Transpose", sums, perm=[0, 2, 1, 3]), b.ints(0, 0, width))
    return b.linear(joined, _array(attention.out.weight), name=f"{name}.out"), key, value


def _relative_keys(b: Builder, model: TransformerXL, layer: Layer, mem_len: int) -> str:
    """R, float32 [H, D, M+1]: the key of each distance 0..M."""
    c = model.config
    with torch.no_grad():
        rows = layer.attention.relative(sinusoids(torch.arange(mem_len + 1), c))  # [M+1, H·D]
    keys = _array(rows.view(mem_len + 1, c.n_head, c.d_head).permute(1, 2, 0))
    if b.precision == "fp32":
        return b.constant(keys)
    return b.node("Cast", b.constant(keys.astype(np.float16)), to=TensorProto.FLOAT)  # folded when loaded


def _feed_forward(b: Builder, layer: Layer, index: int, x: str) -> str:
    block, name = layer.feed_forward, f"layers.{index}.feed_forward"
    wide = b.linear(x, _array(block.wide.weight), _array(block.wide.bias), name=f"{name}.wide")
    inner = b.node("Relu", wide)
    return b.linear(inner, _array(block.narrow.weight), _array(block.narrow.bias), name=f"{name}.narrow")


def _embedding(model: TransformerXL) -> Array:
    """float32 [V, d_model], projected and scaled."""
    table = _array(model.embedding.weight)
    if model.embedding_projection is not None:
        table = table @ _array(model.embedding_projection).T
    return np.asarray(table * np.float32(model.config.d_model**0.5), np.float32)


def _output(model: TransformerXL) -> tuple[Array, Array]:
    """Weight float32 [V, d_model] with the projection, and bias [V]."""
    weight = _array(model.output.weight)
    if model.output_projection is not None:
        weight = weight @ _array(model.output_projection).T
    return weight, _array(model.output.bias)


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().float().numpy()
