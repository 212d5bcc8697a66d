"""Reading `torch.save` files without running anything that they name.

A pickle is a program: it may import any module and call any function. Here a file may name tensors, plain
containers and the modules of the LakhNES code; modules become inert records of their attributes, tensors
numpy arrays. Whatever else a file names, it is refused before anything of it has run.

Source: `torch/serialization.py` for the two containers: the zip of torch 1.6 and later, and the sequence of
pickles before it.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import CheckpointError

Array = NDArray[Any]

MAX_PICKLE_BYTES = 64 << 20
"""A program of a whole model is some 100 KB; a larger one is no model."""

_MAX_MEMO = 1 << 20

_STORAGE_DTYPES = {
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

_CONTAINERS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
}

_MODULE_SOURCES = ("mem_transformer", "proj_adaptive_softmax")
"""Modules of the LakhNES code whose classes a model is made of, under whatever package."""

_REFUSED_OPCODES = {"INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
"""Ways to make objects that `torch.save` does not use."""


class Record:
    """An inert stand-in for an object of a class that a file names: its attributes, nothing else."""

    def __init__(self, *args: object) -> None:
        """Takes and forgets whatever the class would have been called with."""

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple):
            state = {key: value for part in state if isinstance(part, dict) for key, value in part.items()}
        if not isinstance(state, dict):
            raise CheckpointError("a module's state is not a dictionary")
        self.state: dict[str, Any] = state


class _Storage:
    """The raw numbers of one or more tensors; read when the first tensor wants them."""

    def __init__(self, dtype: str, numel: int) -> None:
        self.dtype = dtype
        self.numel = numel
        self.values: Array | None = None


class _Tensor:
    """A view into a storage, made into an array when all storages are read."""

    def __init__(
        self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        if not isinstance(storage, _Storage):
            raise CheckpointError("a tensor without a storage")
        numbers = (offset, *size, *stride)
        if len(size) != len(stride) or not all(isinstance(n, int) and 0 <= n < 1 << 40 for n in numbers):
            raise CheckpointError("a tensor with a broken shape")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        numel: int = math.prod(size, start=1)
        if numel > storage.numel or (numel and last >= storage.numel):
            raise CheckpointError("a tensor that reaches beyond its storage")
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self) -> Array:
        values = self.storage.values
        if values is None:
            raise CheckpointError("the numbers of a tensor are missing")
        strides = [step * values.itemsize for step in self.stride]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.size, strides, writeable=False)
        return np.array(view)


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows a short list of names and never imports."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        container = _CONTAINERS.get((module, name))
        if container is not None:
            return container
        if module == "torch._utils" and name in _REBUILDERS:
            return _fresh(_REBUILDERS[name])
        if module in ("torch", "torch.storage") and name in _STORAGE_DTYPES:
            return type(name, (), {})
        if module.startswith("torch.nn.modules.") or module.rpartition(".")[2] in _MODULE_SOURCES:
            return type(name, (Record,), {"__module__": module})
        if (module, name) == ("torch.nn.backends.thnn", "_get_thnn_function_backend"):
            return type(name, (Record,), {})
        raise CheckpointError(f"it asks for {module}.{name}, which no LakhNES model needs")

    def persistent_load(self, pid: Any, /) -> Any:
        match pid:
            case ("storage", type() as kind, str() as key, str(), int() as numel, *rest):
                if rest not in ([], [None]):
                    raise CheckpointError("storages that are views of others are not supported")
                dtype = _STORAGE_DTYPES.get(kind.__name__)
                if dtype is None or not 0 <= numel < 1 << 40:
                    raise CheckpointError("a storage of an unknown kind")
                return self.storages.setdefault(key, _Storage(dtype, numel))
            case ("module", type() as kind, *_):
                return kind
        raise CheckpointError("an unknown kind of reference")


def _rebuild_tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> _Tensor:
    return _Tensor(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: object, *_: object) -> object:
    return data


_REBUILDERS: dict[str, Callable[..., object]] = {
    "_rebuild_tensor": _rebuild_tensor,
    "_rebuild_tensor_v2": _rebuild_tensor,
    "_rebuild_parameter": _rebuild_parameter,
}


def _fresh(function: Callable[..., object]) -> Callable[..., object]:
    """A callable of this load only, so that a file cannot alter one that outlives it."""
    return lambda *args: function(*args)


def _unpickle(data: bytes, start: int = 0) -> tuple[Any, dict[str, _Storage], int]:
    """Unpickles one program after looking it through; returns value, storages and where it ends."""
    end = start
    try:
        for opcode, argument, _ in pickletools.genops(
            memoryview(data)[start : start + MAX_PICKLE_BYTES].tobytes()
        ):
            if opcode.name in _REFUSED_OPCODES:
                raise CheckpointError(f"it uses the pickle instruction {opcode.name}")
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > _MAX_MEMO:
                raise CheckpointError("its pickle is too large")
        file = io.BytesIO(data)
        file.seek(start)
        unpickler = _Unpickler(file)
        value = unpickler.load()
        end = file.tell()
    except CheckpointError:
        raise
    except Exception as error:  # whatever a broken program makes the unpickler stumble over
        raise CheckpointError(f"its pickle is broken ({type(error).__name__}: {error})") from None
    return value, unpickler.storages, end


def load_torch_file(path: Path, source: Path | None = None) -> Any:
    """Loads what `torch.save` wrote, in either container.

    Args:
        path: the file.
        source: its name in errors, where it was unpacked from another.

    Returns:
        Plain containers, numpy arrays for tensors and parameters, `Record`s for modules.

    Raises:
        CheckpointError: if the file is broken, or names anything but tensors, containers and the modules of
            a LakhNES model. Nothing that it names has run.
        OSError: if it cannot be opened.
    """
    try:
        value = _load_zip(path) if zipfile.is_zipfile(path) else _load_legacy(path.read_bytes())
        return _resolve(value, {})
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        ValueError,
        LookupError,
        EOFError,
    ) as error:
        reason = f"its zip container is broken ({error})"
    except CheckpointError as error:
        reason = str(error)
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
        value, storages, _ = _unpickle(archive.read(entries["data.pkl"]))
        for key, storage in storages.items():
            if f"data/{key}" not in entries:
                raise CheckpointError(f"storage {key} is missing")
            storage.values = _numbers(storage, archive.read(entries[f"data/{key}"]))
    return value


_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def _load_legacy(data: bytes) -> Any:
    """Magic, version, machine, model and storage keys, a pickle each; then the numbers."""
    magic, _, place = _unpickle(data)
    if magic != _LEGACY_MAGIC:
        raise CheckpointError("it is no torch.save file")
    _, _, place = _unpickle(data, place)
    machine, _, place = _unpickle(data, place)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise CheckpointError("it was saved on a big-endian machine")
    value, storages, place = _unpickle(data, place)
    keys, _, place = _unpickle(data, place)
    if not isinstance(keys, list) or set(keys) != set(storages):
        raise CheckpointError("its list of storages is broken")
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(data[place : place + 8], "little")
        size = storage.numel * _item_size(storage)
        if count != storage.numel:
            raise CheckpointError(f"storage {key} is broken")
        storage.values = _numbers(storage, data[place + 8 : place + 8 + size])
        place += 8 + size
    return value


def _item_size(storage: _Storage) -> int:
    return 2 if storage.dtype == "bfloat16" else np.dtype(storage.dtype).itemsize


def _numbers(storage: _Storage, raw: bytes) -> Array:
    if len(raw) < storage.numel * _item_size(storage):
        raise CheckpointError("it is cut off in the middle")
    if storage.dtype == "bfloat16":
        return (np.frombuffer(raw, "<u2", storage.numel).astype("<u4") << 16).view("<f4")
    return np.frombuffer(raw, storage.dtype, storage.numel)


def _resolve(value: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """Replaces tensors by their arrays in every container, each once however often it is referred to.

    Args:
        value: what was loaded.
        done: what has been seen, by identity; it keeps the objects alive, so that identities stay theirs.
    """
    if id(value) in done:
        return done[id(value)][1]
    if isinstance(value, Record | dict | list):
        done[id(value)] = (value, value)
    result = value
    match value:
        case _Tensor():
            result = value.array()
        case Record():
            value.state = _resolve(getattr(value, "state", {}), done)
        case dict():
            for key in value:
                value[key] = _resolve(value[key], done)
        case list():
            value[:] = [_resolve(item, done) for item in value]
        case tuple():
            result = tuple(_resolve(item, done) for item in value)
    done[id(value)] = (value, result)
    return result
