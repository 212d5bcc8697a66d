"""Checks a model's graph before onnxruntime sees it, so that a broken or hostile file is refused.

onnxruntime trusts its graphs: an input that is left out can end the process, a loop need never end, and a few
sizes can ask for more memory than there is. So the graph is walked here first, with the sizes of each tensor
in place of its elements: every operator is one of `OPERATORS`, gets what it takes, and what comes out at the
end are the tensors of the contract in `lakhnes.runtime.model.model`.
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
"""Operations of a graph; one of 256 layers has half as many."""

MOST_BYTES = 1 << 30
"""That a graph may need at once beside its weights."""

MOST_WORK = 1 << 37
"""Multiplications of one run, with what is computed when the graph is loaded."""

_ELEMENT_WORK = 16
"""Multiplications that an element counts as which is made in another way."""


class Sizes(NamedTuple):
    """How much a graph reads at once."""

    streams: int
    tokens: int
    """Of each stream."""
    slots: int
    """Of the memory."""


def check_graph(file: OnnxFile, info: ModelInfo, sizes: Iterable[Sizes]) -> None:
    """Refuse a graph that does not keep the contract, or could do harm.

    Args:
        file: the graph.
        info: its description.
        sizes: what it must be able to read.

    Raises:
        ValueError: with what is wrong.
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
    """Refuse other operators than those that are known here, too many of them, and names that come twice."""
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
    """Return the inputs and outputs of a graph of that description."""
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
    """Whether ports are those of a contract; a size with a name is free."""
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
    """Follow all nodes in their order; return all tensors by name."""
    tensors = inputs | {name: _tensor(constant) for name, constant in file.constants.items()}
    last = {name: place for place, node in enumerate(file.nodes) for name in node.inputs}
    # Weights are there as they are in the file, widened to floats, and laid out anew for a product.
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
    """Multiplications of a node, or what takes as long."""
    depth = tensors[node.inputs[0]].shape[-1:] if node.operator.endswith("MatMul") else ()
    return sum(prod(tensor.shape) for tensor in made.values()) * (depth[0] if depth else _ELEMENT_WORK)


def _tensor(constant: Constant) -> TensorFacts:
    decides = constant.type is DataType.INT64 and len(constant.shape) == 1 and constant.shape[0] <= MOST_INTS
    return TensorFacts(constant.type, constant.shape, constant.ints() if decides else None, fixed=True)


def _made(node: Node, tensors: dict[str, TensorFacts]) -> dict[str, TensorFacts]:
    """Return what a node makes, by name."""
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
