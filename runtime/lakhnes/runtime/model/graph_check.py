"""Check of a model's graph before onnxruntime loads it. It refuses broken and hostile files.

onnxruntime trusts its graphs. A missing input can end the process, a loop may never end, and a few sizes can
request more memory than the machine has. This module first walks the graph with the sizes of each tensor.
Every operator must be in `OPERATORS` and get the inputs that it takes, and the outputs must be the tensors of
the contract in `lakhnes.runtime.model.model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import NamedTuple

from lakhnes.runtime.model.graph_operators import MOST_INTS, OPERATORS, Call, TensorFacts
from lakhnes.runtime.model.model_info import ModelInfo
from lakhnes.runtime.model.onnx_file import Constant, DataType, Node, OnnxFile, Port

OPSETS = {"": 21, "com.microsoft": 1}
"""Version of the operators of each domain."""

MOST_NODES = 1 << 14
"""Most operations of a graph; one of 256 layers has half as many."""

MOST_BYTES = 1 << 30
"""Most bytes that a graph may need at once besides its weights."""

MOST_WORK = 1 << 37
"""Most multiplications of one run, including those when the graph is loaded."""

_ELEMENT_WORK = 16
"""Multiplications that one element counts for if an operator makes it by other means."""


class Sizes(NamedTuple):
    """Sizes of one reading of a graph."""

    streams: int
    tokens: int
    """Tokens of each stream."""
    slots: int
    """Slots of the memory."""


def check_graph(file: OnnxFile, info: ModelInfo, sizes: Iterable[Sizes]) -> None:
    """Refuse a graph that breaks the contract or could do harm.

    Args:
        file: the graph.
        info: its metadata.
        sizes: the sizes that it must be able to read.

    Raises:
        ValueError: with the reason.
    """
    _check_parts(file)
    for each in sizes:
        inputs, outputs = _contract(info, each)
        if not (_keeps(file.inputs, inputs) and _keeps(file.outputs, outputs)):
            raise ValueError("it has other tensors than its metadata say")
        made = _walk(file, inputs)
        for name, expected in outputs.items():
            if name not in made or (made[name].type, made[name].shape) != (expected.type, expected.shape):
                raise ValueError("it gives other tensors than its metadata say")


def _check_parts(file: OnnxFile) -> None:
    """Refuse unknown operators, too many operators, and duplicate names."""
    for domain, number in file.opsets.items():
        if OPSETS.get(domain) != number:
            raise ValueError(f"it uses version {number} of the operators of {domain or 'ONNX'!r:.40}")
    if len(file.nodes) > MOST_NODES:
        raise ValueError("it has too many operations")
    unique = {*file.inputs, *file.constants, *(name for node in file.nodes for name in node.outputs)}
    named = len(file.inputs) + len(file.constants) + sum(len(node.outputs) for node in file.nodes)
    if "" in unique or len(unique) < named:
        raise ValueError("it has tensors without a name of their own")


def _contract(info: ModelInfo, sizes: Sizes) -> tuple[dict[str, TensorFacts], dict[str, TensorFacts]]:
    """Return the inputs and outputs of a graph with this metadata."""
    (streams, tokens, slots), keys = sizes, sizes.slots + sizes.tokens
    memory = TensorFacts(DataType.FLOAT, (streams, info.n_head, slots, info.d_head))
    rows = info.n_layer * 2 * info.n_head
    inputs = {
        "token": TensorFacts(DataType.INT64, (streams, tokens), end=len(info.vocabulary)),
        "distance": TensorFacts(DataType.INT64, (tokens, keys), end=info.mem_len + 1),
        "mask": TensorFacts(DataType.FLOAT, (streams, 1, tokens, keys)),
        **{f"{kind}{layer}": memory for kind in "kv" for layer in range(info.n_layer)},
    }
    outputs = {
        "logits": TensorFacts(DataType.FLOAT, (streams, tokens, len(info.vocabulary))),
        "new": TensorFacts(DataType.FLOAT, (streams, rows, tokens, info.d_head)),
    }
    return inputs, outputs


def _keeps(ports: Mapping[str, Port], contract: Mapping[str, TensorFacts]) -> bool:
    """Return whether ports follow a contract; a named size is free."""
    return ports.keys() == contract.keys() and all(
        port.type is contract[name].type
        and len(port.shape) == len(contract[name].shape)
        and all(
            isinstance(size, str) or size == expected
            for size, expected in zip(port.shape, contract[name].shape, strict=True)
        )
        for name, port in ports.items()
    )


def _walk(file: OnnxFile, inputs: dict[str, TensorFacts]) -> dict[str, TensorFacts]:
    """Follow all nodes in order; return all tensors by name."""
    tensors = inputs | {name: _tensor(constant) for name, constant in file.constants.items()}
    last = {name: place for place, node in enumerate(file.nodes) for name in node.inputs}
    # Weights count as in the file, again as floats, and again in their layout for a product.
    room = MOST_BYTES + 8 * sum(prod(constant.shape) for constant in file.constants.values())
    taken = sum(tensor.bytes for tensor in inputs.values())
    work = 0
    for place, node in enumerate(file.nodes):
        made = _made(node, tensors)
        tensors |= made
        taken += sum(tensor.bytes for tensor in made.values())
        work += _work(node, tensors, made)
        if taken > room or work > MOST_WORK:
            raise ValueError("it needs too much memory or time")
        done = {name for name in node.inputs if last[name] == place and not tensors[name].fixed}
        taken -= sum(tensors[name].bytes for name in done)
    return tensors


def _work(node: Node, tensors: Mapping[str, TensorFacts], made: Mapping[str, TensorFacts]) -> int:
    """Return the multiplications of a node, or the equivalent of its time."""
    depth = tensors[node.inputs[0]].shape[-1:] if node.operator.endswith("MatMul") else ()
    return sum(prod(tensor.shape) for tensor in made.values()) * (depth[0] if depth else _ELEMENT_WORK)


def _tensor(constant: Constant) -> TensorFacts:
    decides = constant.type is DataType.INT64 and len(constant.shape) == 1 and constant.shape[0] <= MOST_INTS
    return TensorFacts(constant.type, constant.shape, constant.ints() if decides else None, fixed=True)


def _made(node: Node, tensors: dict[str, TensorFacts]) -> dict[str, TensorFacts]:
    """Return the outputs of a node, by name."""
    operator = OPERATORS.get((node.domain, node.operator))
    if operator is None:
        raise ValueError(f"it uses an operator that no export has, {node.operator!r:.40}")
    if not all(name in tensors for name in node.inputs):
        raise ValueError(f"an input of {node.operator} is missing")
    if not operator.least_inputs <= len(node.inputs) <= operator.most_inputs:
        raise ValueError(f"{node.operator} has {len(node.inputs)} inputs")
    for name, value in node.attributes.items():
        if operator.attributes.get(name) is not type(value):
            raise ValueError(f"{node.operator} has an odd attribute {name!r:.40}")
    given = [tensors[name] for name in node.inputs]
    made = operator.infer(Call(node, given))
    if len(made) != len(node.outputs):
        raise ValueError(f"{node.operator} has {len(node.outputs)} outputs")
    fixed = all(tensor.fixed for tensor in given)
    return {name: replace(tensor, fixed=fixed) for name, tensor in zip(node.outputs, made, strict=True)}
