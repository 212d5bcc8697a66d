"""A reader of ONNX files without the onnx package: protobuf's wire format, and the messages of our graphs.

The reader is strict. It knows the fields that `lakhnes export` writes and a few without effect. It refuses
every other field, and repeated fields where one is expected. onnxruntime therefore reads exactly what was
checked here.

Sources: protobuf's "Encoding"; `onnx.proto` of ONNX 1.16.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_FIELDS = 1 << 20
"""Most fields of a file; a graph of 256 layers has an eighth of that."""

MOST_AXES = 8
"""Most axes of a tensor; our graphs have four at most."""


class DataType(IntEnum):
    """Types of tensor elements, with ONNX's numbers."""

    FLOAT = 1
    INT8 = 3
    INT64 = 7
    INT4 = 22


_BITS = {DataType.FLOAT: 32, DataType.INT8: 8, DataType.INT64: 64, DataType.INT4: 4}


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor stored in the file."""

    shape: tuple[int, ...]
    type: DataType
    data: memoryview
    """Its elements, little-endian."""

    def ints(self) -> NDArray[np.int64]:
        """Return the elements of a tensor of int64, in its shape."""
        return np.frombuffer(self.data, "<i8").reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the graph."""

    type: DataType
    shape: tuple[int | str, ...]
    """A name means a size that is not fixed."""


Attribute = int | float | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph."""

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The content of an ONNX file."""

    metadata: Mapping[str, str]
    opsets: Mapping[str, int]
    """Version of the operators of each domain; "" is ONNX's own."""
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    constants: Mapping[str, Constant]
    nodes: tuple[Node, ...]


def parse_onnx(data: bytes) -> OnnxFile:
    """Read the content of an ONNX file.

    Raises:
        ValueError: with the broken or unknown part.
    """
    if not data:
        raise ValueError("it is empty")
    model = _Decoder().message(memoryview(data), _Field("file", _MODEL))
    graph = model.get("graph", {})
    return OnnxFile(
        metadata=_by_name("property", model.get("metadata", []), "key", lambda each: each.get("value", "")),
        opsets=_by_name("opset", model.get("opsets", []), "domain", lambda each: each.get("version", 0)),
        inputs=_by_name("input", graph.get("inputs", []), "name", _port),
        outputs=_by_name("output", graph.get("outputs", []), "name", _port),
        constants=_by_name("constant", graph.get("constants", []), "name", _constant),
        nodes=tuple(map(_node, graph.get("nodes", []))),
    )


class _Field(NamedTuple):
    """The type of a message's field."""

    name: str
    kind: Any
    """`int`, `float`, `str`, `bytes`, or the fields of a message by number."""
    repeated: bool = False


_Schema = Mapping[int, _Field]

_DIMENSION: _Schema = {1: _Field("size", int), 2: _Field("parameter", str), 3: _Field("denotation", str)}
_SHAPE: _Schema = {1: _Field("dimensions", _DIMENSION, repeated=True)}
_TENSOR_TYPE: _Schema = {1: _Field("type", int), 2: _Field("shape", _SHAPE)}
_PORT: _Schema = {
    1: _Field("name", str),
    2: _Field("type", {1: _Field("tensor", _TENSOR_TYPE), 6: _Field("denotation", str)}),
    3: _Field("remark", str),
}
_CONSTANT: _Schema = {
    1: _Field("shape", int, repeated=True),
    2: _Field("type", int),
    8: _Field("name", str),
    9: _Field("data", bytes),
    12: _Field("remark", str),
}
_ATTRIBUTE: _Schema = {
    1: _Field("name", str),
    2: _Field("float", float),
    3: _Field("int", int),
    8: _Field("ints", int, repeated=True),
    13: _Field("remark", str),
    20: _Field("type", int),
}
_NODE: _Schema = {
    1: _Field("inputs", str, repeated=True),
    2: _Field("outputs", str, repeated=True),
    3: _Field("name", str),
    4: _Field("operator", str),
    5: _Field("attributes", _ATTRIBUTE, repeated=True),
    6: _Field("remark", str),
    7: _Field("domain", str),
}
_GRAPH: _Schema = {
    1: _Field("nodes", _NODE, repeated=True),
    2: _Field("name", str),
    5: _Field("constants", _CONSTANT, repeated=True),
    10: _Field("remark", str),
    11: _Field("inputs", _PORT, repeated=True),
    12: _Field("outputs", _PORT, repeated=True),
}
_MODEL: _Schema = {
    1: _Field("ir_version", int),
    2: _Field("producer", str),
    3: _Field("producer_version", str),
    4: _Field("domain", str),
    5: _Field("version", int),
    6: _Field("remark", str),
    7: _Field("graph", _GRAPH),
    8: _Field("opsets", {1: _Field("domain", str), 2: _Field("version", int)}, repeated=True),
    14: _Field("metadata", {1: _Field("key", str), 2: _Field("value", str)}, repeated=True),
}

_VARINT, _LENGTH, _FIXED_32 = 0, 2, 5
"""Wire types: a number, a length followed by bytes, and four bytes."""


class _Decoder:
    """A decoder for the messages of one file, with a common limit of fields."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def message(self, data: memoryview, kind: _Field) -> dict[str, Any]:
        """Return the values of a message, by the names of the fields present."""
        found: dict[str, Any] = {}
        place = 0
        while place < len(data):
            self._left -= 1
            if self._left < 0:
                raise ValueError("it has too many parts")
            key, place = _varint(data, place)
            field = kind.kind.get(key >> 3)
            if field is None:
                raise ValueError(f"field {key >> 3} of its {kind.name} is in no model that lakhnes exports")
            values, place = self._values(data, place, key & 7, field)
            if field.repeated:
                found.setdefault(field.name, []).extend(values)
            elif field.name in found:
                raise ValueError(f"it has a second {field.name} where one is expected")
            else:
                (found[field.name],) = values
        return found

    def _values(self, data: memoryview, place: int, wire: int, field: _Field) -> tuple[list[Any], int]:
        """Return the value of a field at a place of a message, and the place after it."""
        if wire == _VARINT and field.kind is int:
            value, place = _varint(data, place)
            return [_signed(value)], place
        if wire == _FIXED_32 and field.kind is float and place + 4 <= len(data):
            return [struct.unpack_from("<f", data, place)[0]], place + 4
        if wire == _LENGTH and field.kind is not float:
            size, place = _varint(data, place)
            part, place = data[place : place + size], place + size
            if place > len(data):
                raise ValueError("it is cut off")
            if field.kind is bytes:
                return [part], place
            if field.kind is str:
                return [str(part, "utf-8")], place
            if field.kind is not int:
                return [self.message(part, field)], place
            if field.repeated:
                return self._packed(part), place
        raise ValueError(f"its {field.name} has another type than expected, or is cut off")

    def _packed(self, data: memoryview) -> list[int]:
        values, place = [], 0
        self._left -= len(data)
        while place < len(data) and self._left >= 0:
            value, place = _varint(data, place)
            values.append(_signed(value))
        return values


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return a number of seven bits per byte, and the place after it."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("it is cut off, or has a number of more than ten bytes")


def _signed(value: int) -> int:
    """Return a 64-bit number with its sign."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _by_name(what: str, messages: list[dict[str, Any]], key: str, read: Any) -> dict[str, Any]:
    """Return the content of messages, by a unique name."""
    found: dict[str, Any] = {}
    for message in messages:
        name = message.get(key, "")
        if name in found:
            raise ValueError(f"it has two of one name among each {what}")
        found[name] = read(message)
    return found


def _port(message: dict[str, Any]) -> Port:
    tensor = message.get("type", {}).get("tensor", {})
    dimensions = tensor.get("shape", {}).get("dimensions", [])
    shape = tuple(each.get("size", each.get("parameter", "")) for each in dimensions)
    return Port(DataType(tensor.get("type", 0)), shape)


def _constant(message: dict[str, Any]) -> Constant:
    kind, shape = DataType(message.get("type", 0)), tuple(message.get("shape", []))
    data = message.get("data", memoryview(b""))
    if len(shape) > MOST_AXES or min(shape, default=1) < 1 or 8 * len(data) != _bits(shape, kind):
        raise ValueError("a tensor of it has another size than its shape says")
    return Constant(shape, kind, data)


def _bits(shape: tuple[int, ...], kind: DataType) -> int:
    """Return the bits of a tensor, rounded up to whole bytes."""
    return -(-prod(shape) * _BITS[kind] // 8) * 8


def _node(message: dict[str, Any]) -> Node:
    attributes = _by_name("attribute", message.get("attributes", []), "name", _attribute)
    inputs, outputs = message.get("inputs", []), message.get("outputs", [])
    return Node(
        message.get("operator", ""), message.get("domain", ""), tuple(inputs), tuple(outputs), attributes
    )


_ATTRIBUTE_TYPES = {"float": 1, "int": 2, "ints": 7}


def _attribute(message: dict[str, Any]) -> Attribute:
    given = [kind for kind in _ATTRIBUTE_TYPES if kind in message]
    if len(given) != 1 or message.get("type") != _ATTRIBUTE_TYPES[given[0]]:
        raise ValueError("an attribute of it has another type than its value")
    value = message[given[0]]
    return tuple(value) if isinstance(value, list) else value
