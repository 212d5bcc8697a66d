"""Weights read back from an exported model, so that training can continue from it.

It reverses the folding of `onnx_graph`: scales of queries and embedding, and biases. Weights of few bits
become the numbers that they stand for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from lakhnes.export.onnx_graph import DISTANCES, PRECISIONS
from lakhnes.export.transformer_xl import TransformerXL, TransformerXLConfig
from lakhnes.runtime.errors import CheckpointError
from lakhnes.runtime.model.model_file import read_model
from lakhnes.runtime.model.model_info import ModelInfo
from lakhnes.runtime.reading import reading

Array = NDArray[Any]


def read_weights(path: Path) -> tuple[TransformerXL, ModelInfo]:
    """Return the PyTorch model of an exported one, and its metadata.

    A tied embedding comes from the full-precision copy, even if the output layer has few bits.

    Args:
        path: the ONNX file.

    Raises:
        ModelError: if it is no model.
        CheckpointError: if `lakhnes export` did not make it.
    """
    data, info = read_model(path)
    with reading(path, CheckpointError, "Give a model that `lakhnes export` of this version made."):
        weights, variant = _weights(_Graph(onnx.load_model_from_string(data).graph), info)
        with torch.device("meta"):  # allocate no memory before the weights turn out to have these sizes
            model = TransformerXL(variant)
        tensors = {name: torch.from_numpy(np.array(w, np.float32)) for name, w in weights.items()}
        model.load_state_dict(tensors, assign=True)
        if variant.tie_embedding:  # the assignment has separated them
            model.output.weight = model.embedding.weight
    return model.eval(), info


class _Graph:
    """Constants and nodes by their outputs."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self._constants = {constant.name: constant for constant in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}
        self._arrays: dict[str, Array | None] = {}

    def array(self, name: str) -> Array | None:
        """Return a constant, also one that a node casts, scales or dequantises; None for other values."""
        if name not in self._arrays:
            self._arrays[name] = self._array(name)
        return self._arrays[name]

    def _array(self, name: str) -> Array | None:
        if name in self._constants:
            return np.asarray(numpy_helper.to_array(self._constants[name]))
        maker = self._makers.get(name)
        if maker is None or maker.op_type not in ("Cast", "Mul", "DequantizeLinear"):
            return None
        values, *scales = (self.array(given) for given in maker.input)
        if values is None or not scales:
            return values
        scale = _known(scales[0])
        if maker.op_type == "DequantizeLinear":
            block = next(a.i for a in maker.attribute if a.name == "block_size")
            scale = np.repeat(scale, block, 0)[: len(values)]
        return np.asarray(values.astype(np.float32) * scale)

    def made_by(self, name: str) -> str:
        """Return the kind of node that makes a value."""
        return str(self._makers[name].op_type)

    def of(self, *kinds: str) -> list[onnx.NodeProto]:
        """Return the nodes of some kinds, in order."""
        return [node for node in self.nodes if node.op_type in kinds]


def _weights(graph: _Graph, info: ModelInfo) -> tuple[dict[str, Array], TransformerXLConfig]:
    heads, width = info.n_head, info.n_head * info.d_head
    products = [(node, graph.array(node.input[1])) for node in graph.of("MatMul")]
    linear = iter([(node, weight.T) for node, weight in products if weight is not None])
    biases = iter([b for n in graph.of("Add") if (b := graph.array(n.input[1])) is not None])
    norms = iter(graph.of("LayerNormalization"))
    pre_lnorm = graph.made_by(products[1][0].input[0]) == "LayerNormalization"
    weights: dict[str, Array] = {}
    for index in range(info.n_layer):
        attention, feed = f"layers.{index}.attention", f"layers.{index}.feed_forward"
        weights[f"{attention}.relative.weight"] = next(linear)[1]
        qkv = next(linear)[1].copy()
        qkv[:width] *= info.d_head**0.5
        weights[f"{attention}.qkv.weight"] = qkv
        content = next(biases)[:width].reshape(heads, info.d_head)
        between = next(biases).reshape(heads, info.d_head)
        weights["content_bias"] = content * info.d_head**0.5
        weights["position_bias"] = (content + between) * info.d_head**0.5
        weights[f"{attention}.out.weight"] = next(linear)[1]
        weights[f"{feed}.wide.weight"], weights[f"{feed}.wide.bias"] = next(linear)[1], next(biases)
        weights[f"{feed}.narrow.weight"], weights[f"{feed}.narrow.bias"] = next(linear)[1], next(biases)
        for block in (attention, feed):
            norm = next(norms)
            for kind, name in zip(("weight", "bias"), norm.input[1:3], strict=True):
                weights[f"{block}.norm.{kind}"] = _known(graph.array(name))
    output = next(linear)[1]
    embedding = _known(graph.array("embedding")) / np.float32(info.d_model**0.5)
    steps = PRECISIONS[info.precision]
    apart = np.abs(output).max() / (1 << (steps.bits - 1)) if steps else 1e-6
    tied = bool(np.abs(output - embedding).max() <= apart)
    farthest = int(_known(graph.array(DISTANCES)).max())
    weights |= {
        "embedding.weight": embedding,
        "output.weight": embedding if tied else output,
        "output.bias": next(biases),
    }
    config = TransformerXLConfig(
        n_token=len(info.vocabulary),
        n_layer=info.n_layer,
        n_head=info.n_head,
        d_model=info.d_model,
        d_head=info.d_head,
        d_inner=info.d_inner,
        d_embed=info.d_model,
        pre_lnorm=pre_lnorm,
        clamp_len=farthest if farthest < info.mem_len else -1,
        tie_embedding=tied,
    )
    return weights, config


def _known(array: Array | None) -> Array:
    if array is None:
        raise ValueError("a constant is missing")
    return array
