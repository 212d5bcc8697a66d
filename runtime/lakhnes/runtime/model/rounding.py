"""A test for onnxruntime's operators for 4-bit and 8-bit weights on this machine.

Such an operator also rounds its inputs to 8 bits, which makes it fast. Without one, onnxruntime converts the
weights to floats at every step, which is very slow. A product of one column shows which case applies. It does
not measure time, because a song must not depend on the load of the machine.
Source: the fields of ONNX messages in onnx.proto.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from lakhnes.runtime.model.onnx_runtime import open_session

BITS = {"int8": 8, "int4": 4}
"""Bits of a weight, for each rounded precision."""

_ROWS = 32
_SMALL = 0.001  # next to a 1, this is less than half a step of 8 bits
_FLOAT, _TYPES = 1, {8: 3, 4: 22}  # types of tensors


@cache
def has_operator(bits: int) -> bool:
    """Return whether products with weights of 4 or 8 bits have their own operator here."""
    session = open_session(product(bits))
    x = np.zeros((1, _ROWS), np.float32)
    x[0, :2] = 1, _SMALL
    (y,) = session.run(None, {"x": x})
    return bool(abs(y.item() - _SMALL) > _SMALL / 2)


def product(bits: int) -> bytes:
    """Return an ONNX file, y = x W, like an export: for x [1, 32] it returns the second value."""
    steps = bytearray(_ROWS * bits // 8)
    steps[bits // 8] |= 1 << (8 - bits)  # the second weight
    nodes = (
        _node("DequantizeLinear", ("W", "scale"), "floats", axis=0, block_size=_ROWS),
        _node("MatMul", ("x", "floats"), "y"),
    )
    weights = (
        _tensor("W", _TYPES[bits], (_ROWS, 1), bytes(steps)),
        _tensor("scale", _FLOAT, (1, 1), np.float32(1).tobytes()),
    )
    graph = b"".join(_message(1, node) for node in nodes) + _message(2, b"product")
    graph += b"".join(_message(5, weight) for weight in weights)
    graph += _message(11, _value("x", (1, _ROWS))) + _message(12, _value("y", (1, 1)))
    return _number(1, 10) + _message(7, graph) + _message(8, _number(2, 21))


def _number(field: int, value: int) -> bytes:
    """Return a field with a number below 128, which is all that this file needs."""
    return bytes((field << 3, value))


def _message(field: int, content: bytes) -> bytes:
    """Return a field with a message, a text or bytes."""
    size = len(content)
    return (
        bytes((field << 3 | 2,))
        + (bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7)))
        + content
    )


def _node(operator: str, inputs: tuple[str, ...], output: str, **attributes: int) -> bytes:
    names = b"".join(_message(1, name.encode()) for name in inputs)
    settings = (
        _message(1, name.encode()) + _number(3, value) + b"\xa0\x01\x02" for name, value in attributes.items()
    )
    return (
        names
        + _message(2, output.encode())
        + _message(4, operator.encode())
        + b"".join(_message(5, s) for s in settings)
    )


def _tensor(name: str, kind: int, shape: tuple[int, ...], content: bytes) -> bytes:
    sizes = b"".join(_number(1, size) for size in shape)
    return sizes + _number(2, kind) + _message(8, name.encode()) + _message(9, content)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = _message(2, b"".join(_message(1, _number(1, size)) for size in shape))
    return _message(1, name.encode()) + _message(2, _message(1, _number(1, _FLOAT) + sizes))
