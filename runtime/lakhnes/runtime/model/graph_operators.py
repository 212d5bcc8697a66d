"""The operators that a model's graph may use, with their inputs and the shapes of their outputs.

They are the operators of our exports, each with the features that our exports use. None of them runs another
graph, reads another file or repeats itself. To add an operator, write a function here and a line in
`OPERATORS`.
Source: the operator schemas of ONNX, opset 21, and of onnxruntime's own domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.model.onnx_file import MOST_AXES, DataType, Node

MOST_INTS = 64
"""Most whole numbers of a tensor whose values are followed; the shapes in a graph have fewer."""

_BLOCKS = (16, 32, 64, 128, 256)
"""Weights that share one scale."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """Facts about a tensor before the graph runs."""

    type: DataType
    shape: Shape
    ints: NDArray[np.int64] | None = None
    """Its elements, if they are few whole numbers that shapes are made from."""
    end: int | None = None
    """Its whole numbers lie from 0 to one below this; None if unknown."""
    fixed: bool = False
    """Whether it depends on no input; it is then computed when the graph is loaded, and stays."""

    @property
    def bytes(self) -> int:
        """Memory of the tensor; small integers count as the floats that they become."""
        return prod(self.shape) * (8 if self.type is DataType.INT64 else 4)


class Call:
    """A node with the known facts about its inputs.

    Attributes:
        inputs: its inputs, in order.
    """

    def __init__(self, node: Node, inputs: Sequence[TensorFacts]) -> None:
        self.inputs = inputs
        self._operator = node.operator
        self._attributes = node.attributes

    def need(self, condition: bool, otherwise: str = "gets tensors that do not fit") -> None:
        """Refuse the node unless a condition holds.

        Raises:
            ValueError: with the operator's fault, if the condition fails.
        """
        if not condition:
            raise ValueError(f"{self._operator} {otherwise}")

    def number(self, name: str, default: int) -> int:
        """Return a whole number from the attributes."""
        value = self._attributes.get(name, default)
        self.need(isinstance(value, int), f"has an odd {name}")
        return int(value)  # type: ignore[arg-type]

    def numbers(self, name: str) -> Shape:
        """Return a row of whole numbers from the attributes."""
        value = self._attributes.get(name, ())
        return value if isinstance(value, tuple) else ()

    def axis(self, default: int) -> int:
        """Return the axis of the first input that the operator works along, from 0."""
        axis, count = self.number("axis", default), len(self.inputs[0].shape)
        self.need(-count <= axis < count, f"has no axis {axis}")
        return axis % count

    def floats(self, count: int | None = None) -> None:
        """Refuse the node unless its first inputs, or all of them, are floats."""
        self.need(all(tensor.type is DataType.FLOAT for tensor in self.inputs[:count]))

    def known(self, place: int) -> list[int]:
        """Return the elements of an input that a shape is made from."""
        ints = self.inputs[place].ints
        self.need(ints is not None, "gets a shape that is not known")
        return [] if ints is None else ints.tolist()

    def indices(self, count: int) -> None:
        """Refuse the node unless its second input contains valid indices."""
        places = self.inputs[1]
        self.need(places.type is DataType.INT64)
        self.need(places.end is not None and places.end <= count, "looks up more than its table has")

    def broadcast(self, *shapes: Shape) -> Shape:
        """Return the shape of tensors broadcast over each other."""
        self.need(max(map(len, shapes)) <= MOST_AXES)
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            raise ValueError(f"{self._operator} gets tensors that do not fit") from None


def _floats(shape: Sequence[int]) -> list[TensorFacts]:
    return [TensorFacts(DataType.FLOAT, tuple(shape))]


def _whole(call: Call, values: NDArray[np.int64]) -> list[TensorFacts]:
    call.need(0 < len(values) <= MOST_INTS)
    return [TensorFacts(DataType.INT64, values.shape, values)]


def _alike(call: Call) -> list[TensorFacts]:
    """Return the output of an operator that changes each element."""
    call.floats()
    return _floats(call.inputs[0].shape)


def _softmax(call: Call) -> list[TensorFacts]:
    call.axis(-1)
    return _alike(call)


def _spread(call: Call) -> list[TensorFacts]:
    """Return the output of an operator that combines elements at the same place."""
    call.floats()
    return _floats(call.broadcast(*(tensor.shape for tensor in call.inputs)))


def _cast(call: Call) -> list[TensorFacts]:
    call.need(call.inputs[0].type is DataType.INT8 and call.number("to", 0) == DataType.FLOAT)
    return _floats(call.inputs[0].shape)


def _matmul(call: Call) -> list[TensorFacts]:
    x, y = (tensor.shape for tensor in call.inputs)
    turned = call.number("transB", 0)
    call.floats()
    call.need(len(x) >= 2 and len(y) >= 2 and turned in (0, 1))
    depth, width = (y[-1], y[-2]) if turned else (y[-2], y[-1])
    call.need(x[-1] == depth)
    return _floats((*call.broadcast(x[:-2], y[:-2]), x[-2], width))


def _layer_normalization(call: Call) -> list[TensorFacts]:
    x, gain, bias = (tensor.shape for tensor in call.inputs)
    call.floats()
    call.need(call.axis(-1) == len(x) - 1 and gain == bias == x[-1:])
    return _floats(x)


def _dequantize(call: Call) -> list[TensorFacts]:
    steps, scales = call.inputs
    block = call.number("block_size", 0)
    call.need(steps.type in (DataType.INT8, DataType.INT4) and scales.type is DataType.FLOAT)
    call.need(steps.fixed and scales.fixed, "gets weights that are not fixed")
    call.need(len(steps.shape) == 2 and call.number("axis", 1) == 0 and block in _BLOCKS)
    call.need(scales.shape == (-(-steps.shape[0] // block), steps.shape[1]))
    return _floats(steps.shape)


def _gather(call: Call) -> list[TensorFacts]:
    table, places = (tensor.shape for tensor in call.inputs)
    axis = call.axis(0)
    call.floats(1)
    call.indices(table[axis])
    return _floats((*table[:axis], *places, *table[axis + 1 :]))


def _gather_elements(call: Call) -> list[TensorFacts]:
    table, places = (tensor.shape for tensor in call.inputs)
    axis = call.axis(0)
    call.floats(1)
    call.indices(table[axis])
    call.need(_without(table, axis) == _without(places, axis) and len(table) == len(places))
    return _floats(places)


def _shape(call: Call) -> list[TensorFacts]:
    sizes = call.inputs[0].shape
    return _whole(call, np.array(sizes[call.number("start", 0) : call.number("end", len(sizes))], np.int64))


def _concat(call: Call) -> list[TensorFacts]:
    axis, first = call.axis(0), call.inputs[0].shape
    call.need(all(len(tensor.shape) == len(first) for tensor in call.inputs))
    call.need(all(_without(tensor.shape, axis) == _without(first, axis) for tensor in call.inputs))
    known = [tensor.ints for tensor in call.inputs if tensor.ints is not None]
    if len(known) == len(call.inputs):
        return _whole(call, np.concatenate(known))
    call.floats()
    total = sum(tensor.shape[axis] for tensor in call.inputs)
    return _floats((*first[:axis], total, *first[axis + 1 :]))


def _expand(call: Call) -> list[TensorFacts]:
    x, shape = call.inputs[0], tuple(call.known(1))
    call.need(min(shape) >= 1)
    return [TensorFacts(x.type, call.broadcast(x.shape, shape), end=x.end)]


def _reshape(call: Call) -> list[TensorFacts]:
    x, sizes = call.inputs[0], call.known(1)
    call.need(len(sizes) <= MOST_AXES)
    call.need(all(size > 0 or (size == 0 and axis < len(x.shape)) for axis, size in enumerate(sizes)))
    shape = tuple(size or x.shape[axis] for axis, size in enumerate(sizes))  # 0 keeps the size
    call.need(prod(shape) == prod(x.shape))
    return [TensorFacts(x.type, shape, end=x.end)]


def _transpose(call: Call) -> list[TensorFacts]:
    x, order = call.inputs[0], call.numbers("perm")
    call.need(sorted(order) == list(range(len(x.shape))))
    return [TensorFacts(x.type, tuple(x.shape[axis] for axis in order), end=x.end)]


def _split(call: Call) -> list[TensorFacts]:
    x, parts, axis = call.inputs[0], call.known(1), call.axis(0)
    call.need(min(parts) >= 1 and sum(parts) == x.shape[axis])
    return [TensorFacts(x.type, (*x.shape[:axis], part, *x.shape[axis + 1 :]), end=x.end) for part in parts]


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


class Operator(NamedTuple):
    """The rules of an operator: its inputs, and the function that makes its outputs."""

    infer: Callable[[Call], list[TensorFacts]]
    least_inputs: int
    most_inputs: int
    attributes: Mapping[str, type]


MANY = 1 << 10
"""Most inputs of a variadic operator; the last one of a graph of 256 layers takes half as many."""

_AXIS = {"axis": int}

OPERATORS: Mapping[tuple[str, str], Operator] = {
    ("", "Add"): Operator(_spread, 2, 2, {}),
    ("", "Cast"): Operator(_cast, 1, 1, {"to": int}),
    ("", "Concat"): Operator(_concat, 1, MANY, _AXIS),
    ("", "Cos"): Operator(_alike, 1, 1, {}),
    ("", "DequantizeLinear"): Operator(_dequantize, 2, 2, {"axis": int, "block_size": int}),
    ("", "Expand"): Operator(_expand, 2, 2, {}),
    ("", "Gather"): Operator(_gather, 2, 2, _AXIS),
    ("", "GatherElements"): Operator(_gather_elements, 2, 2, _AXIS),
    ("", "Identity"): Operator(_alike, 1, 1, {}),
    ("", "LayerNormalization"): Operator(_layer_normalization, 3, 3, {"axis": int, "epsilon": float}),
    ("", "MatMul"): Operator(_matmul, 2, 2, {}),
    ("", "Mul"): Operator(_spread, 2, 2, {}),
    ("", "Relu"): Operator(_alike, 1, 1, {}),
    ("", "Reshape"): Operator(_reshape, 2, 2, {}),
    ("", "Shape"): Operator(_shape, 1, 1, {"start": int, "end": int}),
    ("", "Sin"): Operator(_alike, 1, 1, {}),
    ("", "Softmax"): Operator(_softmax, 1, 1, _AXIS),
    ("", "Split"): Operator(_split, 2, 2, _AXIS),
    ("", "Sum"): Operator(_spread, 1, MANY, {}),
    ("", "Transpose"): Operator(_transpose, 1, 1, {"perm": tuple}),
    ("com.microsoft", "FusedMatMul"): Operator(_matmul, 2, 2, {"transB": int}),
}
"""The operators, by domain and name."""
