"""Reading `torch.save` files without running anything that they name.

A pickle is a program for a small stack machine, and Python's machine lets it import any module and call any
function. This one knows the instructions that `torch.save` writes, makes nothing but numbers, strings, plain
containers, tensors and inert records of modules, and never imports. A file that wants more is refused.

Source: `torch/serialization.py` for the two containers: the zip of torch 1.6 and later, and the sequence of
pickles before it. `pickletools` for the instructions.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import CheckpointError

Array = NDArray[Any]

MAX_INSTRUCTIONS = 2_000_000
"""The program of a whole model has some 10,000."""

MAX_PICKLE_BYTES = 64 << 20
"""The program of a whole model is some 100 KB."""

_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}

_MODULE_SOURCES = ("mem_transformer", "proj_adaptive_softmax")
"""Modules of the LakhNES code whose classes a model is made of, under whatever package."""

_HELPERS = {
    ("collections", "OrderedDict"),
    ("builtins", "set"),
    ("__builtin__", "set"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch.nn.backends.thnn", "_get_thnn_function_backend"),
}
"""Other names that whole models hold; what they do is told in `_call`."""


@dataclass(slots=True, eq=False)
class Record:
    """An inert stand-in for an object: the name of its class, its attributes, nothing else."""

    kind: str
    """Name of the class, without its module."""
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Name:
    """What a file names: module and name."""

    module: str
    name: str


@dataclass(slots=True, eq=False)
class _Storage:
    """The raw numbers of one or more tensors; they are read after the program has run."""

    dtype: str
    numel: int
    values: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A view into a storage."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def array(self) -> Array:
        """The numbers.

        Raises:
            CheckpointError: if the view reaches beyond its storage, or the storage is missing.
        """
        values = self.storage.values
        if values is None:
            raise CheckpointError("the numbers of a tensor are missing")
        numel = math.prod(self.size, start=1)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if numel > len(values) or (numel and last >= len(values)):
            raise CheckpointError("a tensor reaches beyond its storage")
        strides = [step * values.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.size, strides, writeable=False)


class _Machine:
    """Runs one pickle program."""

    def __init__(self) -> None:
        self.storages: dict[str, _Storage] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        """Runs the program at the file's position, and leaves the file after it."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if opcode.name == "STOP":
                return self._stack.pop()
            instruction = _INSTRUCTIONS.get(opcode.name)
            if instruction is None or count > MAX_INSTRUCTIONS:
                raise CheckpointError(f"it uses the pickle instruction {opcode.name}, as torch.save does not")
            instruction(self, argument)
        raise CheckpointError("it is cut off in the middle")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self, n: int) -> list[Any]:
        if n > len(self._stack) - (self._marks[-1] if self._marks else 0):
            raise CheckpointError("its pickle is broken")
        taken = self._stack[len(self._stack) - n :]
        del self._stack[len(self._stack) - n :]
        return taken

    def _pop_mark(self) -> list[Any]:
        taken = self._stack[self._marks[-1] :]
        del self._stack[self._marks.pop() :]
        return taken

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        known = (
            (module, name) in _HELPERS
            or (module in ("torch", "torch.storage") and name in _DTYPES)
            or module.startswith("torch.nn.modules.")
            or module.rpartition(".")[2] in _MODULE_SOURCES
        )
        if not known:
            raise CheckpointError(f"it asks for {module[:60]}.{name[:60]}, which no LakhNES model needs")
        self._push(_Name(module, name))

    def _persistent(self, _: object) -> None:
        match self._pop(1)[0]:
            case ("storage", _Name(name=kind), str() as key, str(), int() as numel, *view):
                if kind not in _DTYPES or numel < 0 or view not in ([], [None]):
                    raise CheckpointError("it has a storage of an unknown kind")
                self._push(self.storages.setdefault(key, _Storage(_DTYPES[kind], numel)))
            case ("module", _Name() as name, *_):
                self._push(name)
            case _:
                raise CheckpointError("it has a reference of an unknown kind")

    def _call(self, _: object) -> None:
        function, arguments = self._pop(2)
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise CheckpointError("it calls what cannot be called")
        match function.name, arguments:
            case "OrderedDict", _:
                self._push({})
            case "_rebuild_parameter", (Tensor() as tensor, *_):
                self._push(tensor)
            case (
                "_rebuild_tensor" | "_rebuild_tensor_v2",
                (_Storage() as storage, int() as offset, tuple() as size, tuple() as stride, *_),
            ):
                numbers = (offset, *size, *stride)
                if len(size) != len(stride) or not all(type(n) is int and 0 <= n < 1 << 40 for n in numbers):
                    raise CheckpointError("it has a tensor of a broken shape")
                self._push(Tensor(storage, offset, size, stride))
            case (("set" | "_get_thnn_function_backend"), _):
                self._push(Record(function.name))
            case _:
                raise CheckpointError(f"it calls {function.module[:60]}.{function.name[:60]}")

    def _new(self, _: object) -> None:
        kind, _arguments = self._pop(2)
        if not isinstance(kind, _Name):
            raise CheckpointError("it makes an object of what is no class")
        self._push(Record(kind.name))

    def _build(self, _: object) -> None:
        target, state = self._pop(2)
        if not isinstance(target, Record) or not isinstance(state, dict):
            raise CheckpointError("it sets the state of what has none")
        target.state = state
        self._push(target)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise CheckpointError("its pickle is broken")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int):
                raise CheckpointError("it has a dictionary with keys of an unknown kind")
            target[key] = value

    def _append(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise CheckpointError("its pickle is broken")
        self._stack[-1].extend(items)

    def _put(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _get(self, place: int) -> None:
        self._push(self._memo[place])


def _constant(_: _Machine, __: object) -> None:
    """Says nothing: PROTO."""


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _constant,
    "MARK": lambda m, _: m._marks.append(len(m._stack)),
    "NONE": lambda m, _: m._push(None),
    "NEWTRUE": lambda m, _: m._push(True),
    "NEWFALSE": lambda m, _: m._push(False),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"), _Machine._push),
    "EMPTY_TUPLE": lambda m, _: m._push(()),
    "TUPLE1": lambda m, _: m._push(tuple(m._pop(1))),
    "TUPLE2": lambda m, _: m._push(tuple(m._pop(2))),
    "TUPLE3": lambda m, _: m._push(tuple(m._pop(3))),
    "TUPLE": lambda m, _: m._push(tuple(m._pop_mark())),
    "EMPTY_LIST": lambda m, _: m._push([]),
    "APPEND": lambda m, _: m._append(m._pop(1)),
    "APPENDS": lambda m, _: m._append(m._pop_mark()),
    "EMPTY_DICT": lambda m, _: m._push({}),
    "SETITEM": lambda m, _: m._set_items(m._pop(2)),
    "SETITEMS": lambda m, _: m._set_items(m._pop_mark()),
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "GLOBAL": _Machine._global,
    "BINPERSID": _Machine._persistent,
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._new,
    "BUILD": _Machine._build,
}
"""What `torch.save` writes, by pickletools' names."""


def _run(file: BinaryIO) -> tuple[Any, dict[str, _Storage]]:
    """Runs one program; returns its value and the storages that it names."""
    machine = _Machine()
    try:
        return machine.run(file), machine.storages
    except (ValueError, LookupError, UnicodeError, OverflowError, TypeError) as error:
        raise CheckpointError(f"its pickle is broken ({type(error).__name__})") from None


def load_torch_file(path: Path, source: Path | None = None) -> Any:
    """Loads what `torch.save` wrote, in either container.

    Args:
        path: the file.
        source: its name in errors, where it was unpacked from another.

    Returns:
        Numbers, strings, plain containers, `Tensor`s for tensors and parameters, `Record`s for modules. All
        of it is what the file says, and nothing of it has been checked.

    Raises:
        CheckpointError: if the file is broken, or names anything but tensors, containers and the modules of
            a LakhNES model. Nothing that it names has run.
        OSError: if it cannot be opened.
    """
    try:
        if zipfile.is_zipfile(path):
            return _load_zip(path)
        with path.open("rb") as file:
            return _load_legacy(file, path.stat().st_size)
    except CheckpointError as error:
        reason = str(error)
    except (
        zipfile.BadZipFile,
        RuntimeError,
        ValueError,
        LookupError,
        EOFError,
    ) as error:
        reason = f"its zip container is broken ({error})"
    raise CheckpointError(
        f"{source or path} is refused: {reason}. Only checkpoints of the LakhNES code can be imported."
    )


def _load_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
        total = sum(entry.file_size for entry in archive.infolist())
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        if not stored or total > path.stat().st_size:
            raise CheckpointError("its zip container is compressed, as torch never leaves it")
        if "data.pkl" not in entries or entries["data.pkl"].file_size > MAX_PICKLE_BYTES:
            raise CheckpointError("its zip container holds no model")
        if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
            raise CheckpointError("it was saved on a big-endian machine")
        value, storages = _run(io.BytesIO(archive.read(entries["data.pkl"])))
        for key, storage in storages.items():
            if f"data/{key}" not in entries:
                raise CheckpointError("the numbers of a tensor are missing")
            storage.values = _numbers(storage, archive.read(entries[f"data/{key}"]))
    return value


_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def _load_legacy(file: BinaryIO, size: int) -> Any:
    """Magic, version, machine, model and storage keys, a pickle each; then the numbers."""
    if _run(file)[0] != _LEGACY_MAGIC:
        raise CheckpointError("it is no torch.save file")
    _run(file)
    machine = _run(file)[0]
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise CheckpointError("it was saved on a big-endian machine")
    value, storages = _run(file)
    keys = _run(file)[0]
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in storages for key in keys):
        raise CheckpointError("its list of storages is broken")
    for key in keys:
        storage = storages[key]
        n_bytes = storage.numel * _item_size(storage)
        if int.from_bytes(file.read(8), "little") != storage.numel or n_bytes > size:
            raise CheckpointError("it is cut off in the middle")
        storage.values = _numbers(storage, file.read(n_bytes))
    return value


def _item_size(storage: _Storage) -> int:
    return 2 if storage.dtype == "bfloat16" else np.dtype(storage.dtype).itemsize


def _numbers(storage: _Storage, raw: bytes) -> Array:
    if len(raw) < storage.numel * _item_size(storage):
        raise CheckpointError("it is cut off in the middle")
    if storage.dtype == "bfloat16":
        return (np.frombuffer(raw, "<u2", storage.numel).astype("<u4") << 16).view("<f4")
    return np.frombuffer(raw, storage.dtype, storage.numel)
