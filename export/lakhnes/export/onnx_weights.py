"""Weights read back from an exported model, so that training can go on from what was shipped.

What `onnx_graph` folded is unfolded: scales of queries and embedding, biases, and the keys of distances, of
which the layer that made them is the least-squares solution. 8-bit weights come back as what they stand for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from lakhnes.export.transformer_xl import TransformerXL, TransformerXLConfig, sinusoids
from lakhnes.runtime.errors import CheckpointError
from lakhnes.runtime.model_info import METADATA_KEY, ModelInfo

Array = NDArray[Any]

_CUTOFF = {"float32": 1e-7, "float16": 1e-4}
"""Singular values of the sinusoids below this part of the largest are noise in keys of that precision."""


def read_weights(path: Path) -> tuple[TransformerXL, ModelInfo]:
    """The PyTorch model of an exported one.

    A tied embedding is the one in full precision, also where the output layer has 8 bits.

    Args:
        path: the ONNX file.

    Raises:
        CheckpointError: if it is not a model that `lakhnes export` makes.
    """
    try:
        proto = onnx.load(path)
        info = ModelInfo.from_json({p.key: p.value for p in proto.metadata_props}[METADATA_KEY])
        graph = _Graph(proto.graph)
        weights, variant = _weights(graph, info)
        model = TransformerXL(variant)
        model.load_state_dict(
            {name: torch.from_numpy(np.array(w, np.float32)) for name, w in weights.items()}
        )
    except (KeyError, IndexError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"[:80]
        raise CheckpointError(
            f"{path} is no model whose weights can be read back ({reason}); "
            "give one that `lakhnes export` made."
        ) from None
    except Exception as error:  # protobuf's own
        raise CheckpointError(
            f"{path} is no ONNX file ({type(error).__name__}); give a model's folder."
        ) from None
    return model.eval(), info


class _Graph:
    """Constants and nodes by what they make."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self._constants = {constant.name: constant for constant in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}

    def array(self, name: str) -> Array | None:
        """A constant, also one that a node casts or dequantises; None for what is none."""
        if name in self._constants:
            return np.asarray(numpy_helper.to_array(self._constants[name]))
        maker = self._makers.get(name)
        if maker is None or maker.op_type not in ("Cast", "DequantizeLinear"):
            return None
        values = self.array(maker.input[0])
        if values is None or maker.op_type == "Cast":
            return values
        scale = self.array(maker.input[1])
        assert scale is not None
        block = next(a.i for a in maker.attribute if a.name == "block_size")
        return np.asarray(values.astype(np.float32) * np.repeat(scale, block, 0)[: len(values)])

    def made_by(self, name: str) -> str:
        """Kind of node that makes a value."""
        return str(self._makers[name].op_type)

    def of(self, *kinds: str) -> list[onnx.NodeProto]:
        """Nodes of some kinds, in order."""
        return [node for node in self.nodes if node.op_type in kinds]


def _weights(graph: _Graph, info: ModelInfo) -> tuple[dict[str, Array], TransformerXLConfig]:
    heads, width = info.n_head, info.n_head * info.d_head
    products = [(node, graph.array(node.input[1])) for node in graph.of("MatMul")]
    linear = iter([(node, weight.T) for node, weight in products if weight is not None])
    biases = iter([b for n in graph.of("Add") if (b := graph.array(n.input[1])) is not None])
    norms = iter(graph.of("LayerNormalization"))
    keys = iter([r for n in graph.of("FusedMatMul") if (r := graph.array(n.input[1])) is not None])
    pre_lnorm = graph.made_by(products[0][0].input[0]) == "LayerNormalization"
    weights: dict[str, Array] = {}
    clamps = []
    for index in range(info.n_layer):
        attention, feed = f"layers.{index}.attention", f"layers.{index}.feed_forward"
        qkv = next(linear)[1].copy()
        qkv[:width] *= info.d_head**0.5
        weights[f"{attention}.qkv.weight"] = qkv
        content = next(biases)[:width].reshape(heads, info.d_head)
        between = next(biases).reshape(heads, info.d_head)
        weights["content_bias"] = content * info.d_head**0.5
        weights["position_bias"] = (content + between) * info.d_head**0.5
        relative, clamp = _relative(next(keys), info)
        weights[f"{attention}.relative.weight"] = relative
        clamps.append(clamp)
        weights[f"{attention}.out.weight"] = next(linear)[1]
        weights[f"{feed}.wide.weight"], weights[f"{feed}.wide.bias"] = next(linear)[1], next(biases)
        weights[f"{feed}.narrow.weight"], weights[f"{feed}.narrow.bias"] = next(linear)[1], next(biases)
        for block in (attention, feed):
            norm = next(norms)
            for kind, name in zip(("weight", "bias"), norm.input[1:3], strict=True):
                weights[f"{block}.norm.{kind}"] = _known(graph.array(name))
    output = next(linear)[1]
    embedding = _known(graph.array("embedding")) / np.float32(info.d_model**0.5)
    step = np.abs(output).max() / 127 if info.precision == "int8" else 1e-6
    tied = bool(np.abs(output - embedding).max() <= step)
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
        clamp_len=clamps[0],
        tie_embedding=tied,
    )
    return weights, config


def _relative(keys: Array, info: ModelInfo) -> tuple[Array, int]:
    """The weight that makes the keys of distances, and the model's clamp_len.

    Args:
        keys: float [H, M+1, D], of the distances 0..M.
        info: of the model.

    Returns:
        Weight float64 [H·D, d_model]. For distances beyond M it is the smallest that there is, a guess.
    """
    rows = keys.transpose(1, 0, 2).reshape(keys.shape[1], -1).astype(np.float64)  # [M+1, H·D]
    other = np.flatnonzero((rows != rows[-1]).any(1))
    clamp = int(other[-1]) + 1 if len(other) else 0
    clamp = clamp if 0 < clamp < len(rows) - 1 else -1
    config = TransformerXLConfig(1, 1, 1, info.d_model, 1, 1, 1, clamp_len=clamp)
    waves = sinusoids(torch.arange(len(rows)), config).double().numpy()  # [M+1, d_model]
    weight, *_ = np.linalg.lstsq(waves, rows, rcond=_CUTOFF[str(keys.dtype)])
    return weight.T, clamp


def _known(array: Array | None) -> Array:
    if array is None:
        raise ValueError("a constant is missing")
    return array
