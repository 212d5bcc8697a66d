"""Reading `torch.save` files without running anything that they name.

A pickle is a program for a small stack machine, and Python's machine lets it import any module and call any
function. This machine knows the instructions that `torch.save` writes. It makes only numbers, strings, plain
containers, tensors and inert records of modules, and never imports. It refuses a file that needs more, and a
file whose values would be endless when written out. The numbers of a tensor stay in the file until they are
read.

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

import torch

from lakhnes.export.archives import open_zip
from lakhnes.runtime.errors import CheckpointError
from lakhnes.runtime.reading import reading, reason_of

MAX_INSTRUCTIONS = 500_000
"""Most instructions; a whole model has some 10,000, a run with its optimiser some 50,000."""

MAX_PICKLE_BYTES = 8 << 20
"""Most bytes of a program; that of a whole model has some 100 KB."""

_MAX_VALUES = 500_000
_MAX_DEPTH = 48
"""Most values of a program when written out, and their deepest nesting; a model of LakhNES has some 10,000
and is 30 deep."""

_MAX_RANK = 8

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

_PIECE = 1 << 20
"""Numbers of a tensor that are read at once."""

_MODULE_SOURCES = ("mem_transformer", "proj_adaptive_softmax")
"""Modules of the LakhNES code with the classes of a model, in any package."""

_HELPERS = {
    ("collections", "OrderedDict"),
    ("builtins", "set"),
    ("__builtin__", "set"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch.nn.backends.thnn", "_get_thnn_function_backend"),
}
"""Other names in whole models; `_call` explains them."""


@dataclass(slots=True, eq=False)
class Record:
    """An inert stand-in for an object: the name of its class and its attributes."""

    kind: str
    """Name of the class, without its module."""
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Name:
    """A module and a name in a file."""

    module: str
    name: str


@dataclass(slots=True, eq=False)
class _Storage:
    """The raw numbers of one or more tensors."""

    dtype: torch.dtype
    numel: int
    path: Path | None = None
    """Its file; None while the program runs."""
    start: int = 0
    """Position of its first byte in the file."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor whose numbers are contiguous in a file."""

    storage: _Storage
    offset: int
    """Index of its first number in the storage."""
    size: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        """Type of its numbers."""
        return self.storage.dtype

    @property
    def numel(self) -> int:
        """Count of its numbers; the file has as many."""
        return math.prod(self.size)

    @property
    def place(self) -> tuple[int, int, int]:
        """Key that two tensors over the same numbers share."""
        return id(self.storage), self.offset, self.numel

    def read(self, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Read the numbers, piece by piece.

        Args:
            dtype: type of the result; None for the file's own.

        Raises:
            CheckpointError: if the file has become shorter.
            OSError: if it can no longer be opened.
        """
        numbers = torch.empty(self.numel, dtype=dtype or self.dtype)
        item = self.dtype.itemsize
        with _path(self.storage).open("rb") as file:
            file.seek(self.storage.start + self.offset * item)
            for begin in range(0, self.numel, _PIECE):
                count = min(_PIECE, self.numel - begin)
                raw = bytearray(file.read(count * item))
                if len(raw) < count * item:
                    raise CheckpointError("it is cut off in the middle")
                numbers[begin : begin + count] = torch.frombuffer(raw, dtype=self.dtype)
        return numbers.view(self.size)


def _path(storage: _Storage) -> Path:
    if storage.path is None:
        raise CheckpointError("the numbers of a tensor are missing")
    return storage.path


class _PickleMachine:
    """A machine that runs one pickle program."""

    def __init__(self) -> None:
        self.storages: dict[str, _Storage] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        """Run the program at the file's position, and leave the file after it."""
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
            case "_rebuild_parameter", (StoredTensor() as tensor, *_):
                self._push(tensor)
            case (
                "_rebuild_tensor" | "_rebuild_tensor_v2",
                (_Storage() as storage, int() as offset, tuple() as size, tuple() as stride, *_),
            ):
                self._push(_tensor(storage, offset, size, stride))
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
        if not isinstance(target, Record | dict) or not isinstance(state, dict):
            raise CheckpointError("it sets the state of what has none")
        if isinstance(target, Record):
            target.state = state  # that of a dictionary, versions of its modules, has no meaning for us
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


def _tensor(storage: _Storage, offset: int, size: tuple[Any, ...], stride: tuple[Any, ...]) -> StoredTensor:
    """Return a tensor, if its numbers are contiguous inside its storage."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and 0 <= n < 1 << 40 for n in numbers):
        raise CheckpointError("it has a tensor of a broken shape")
    if len(size) > _MAX_RANK:
        raise CheckpointError(f"it has a tensor of {len(size)} dimensions")
    step = 1
    for length, found in zip(reversed(size), reversed(stride), strict=True):
        if length > 1 and found != step:
            raise CheckpointError("it has a tensor whose numbers do not lie one after the other")
        step *= length
    if offset + step > storage.numel:
        raise CheckpointError("a tensor reaches beyond its storage")
    return StoredTensor(storage, offset, size)


def _constant(_: _PickleMachine, __: object) -> None:
    """Do nothing: PROTO."""


_INSTRUCTIONS: dict[str, Callable[[_PickleMachine, Any], None]] = {
    "PROTO": _constant,
    "MARK": lambda m, _: m._marks.append(len(m._stack)),
    "NONE": lambda m, _: m._push(None),
    "NEWTRUE": lambda m, _: m._push(True),
    "NEWFALSE": lambda m, _: m._push(False),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"), _PickleMachine._push
    ),
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
    "BINPUT": _PickleMachine._put,
    "LONG_BINPUT": _PickleMachine._put,
    "BINGET": _PickleMachine._get,
    "LONG_BINGET": _PickleMachine._get,
    "GLOBAL": _PickleMachine._global,
    "BINPERSID": _PickleMachine._persistent,
    "REDUCE": _PickleMachine._call,
    "NEWOBJ": _PickleMachine._new,
    "BUILD": _PickleMachine._build,
}
"""The instructions that `torch.save` writes, by pickletools' names."""


def _run(file: BinaryIO) -> tuple[Any, dict[str, _Storage]]:
    """Run one program; return its value and its storages."""
    machine = _PickleMachine()
    try:
        value = machine.run(file)
    except CheckpointError:
        raise
    except Exception as error:  # pickletools and the stack raise many kinds for a broken program
        raise CheckpointError(f"its pickle is broken ({type(error).__name__})") from error
    _check_end(value)
    return value, machine.storages


def _check_end(value: Any) -> None:
    """Refuse a value that is endless when written out: it contains itself, or a part very often."""
    count, waiting = 0, [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if isinstance(part, Record):
            part = part.state
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ()
        if depth > _MAX_DEPTH or count + len(waiting) + len(inner) > _MAX_VALUES:
            raise CheckpointError("its values are inside each other without end")
        waiting += [(one, depth + 1) for one in inner]


def load_torch_file(path: Path, source: Path | None = None) -> Any:
    """Load a file of `torch.save`, in either container.

    Args:
        path: the file. It must exist while the numbers of tensors are read.
        source: its name in errors, if it was unpacked from another file.

    Returns:
        Numbers, strings, plain containers, `StoredTensor`s for tensors and parameters, `Record`s for modules.
        Only two things are checked: the value is finite, and the file contains the numbers.

    Raises:
        CheckpointError: if the file is broken, or names anything but tensors, containers and the modules of
            a LakhNES model. Nothing in it has run.
    """
    source = source or path
    step = "Give a checkpoint of `lakhnes train` or of the LakhNES code, whole."
    with reading(source, CheckpointError, step):
        is_zip = zipfile.is_zipfile(path)
        try:
            return _load_zip(path) if is_zip else _load_legacy(path)
        except CheckpointError as error:
            reason = str(error)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            reason = f"its zip container is broken ({reason_of(error)})"
    raise CheckpointError(
        f"{source} is refused: {reason}. Only checkpoints of lakhnes and of the LakhNES code can be read."
    )


def _load_zip(path: Path) -> Any:
    with open_zip(path) as archive:
        entries = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
        total = sum(entry.file_size for entry in archive.infolist())
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        if any(entry.flag_bits & 1 for entry in archive.infolist()):
            raise CheckpointError("its zip container is encrypted")
        if not stored or total > path.stat().st_size:
            raise CheckpointError("its zip container is compressed, as torch never leaves it")
        if "data.pkl" not in entries or entries["data.pkl"].file_size > MAX_PICKLE_BYTES:
            raise CheckpointError("its zip container holds no model")
        if "byteorder" in entries and _begin(archive, entries["byteorder"]) != b"little":
            raise CheckpointError("it was saved on a big-endian machine")
        value, storages = _run(io.BytesIO(archive.read(entries["data.pkl"])))
        for key, storage in storages.items():
            if f"data/{key}" not in entries:
                raise CheckpointError("the numbers of a tensor are missing")
            entry = entries[f"data/{key}"]
            if entry.file_size < storage.numel * storage.dtype.itemsize:
                raise CheckpointError("it is cut off in the middle")
            with archive.open(entry) as numbers:
                storage.path, storage.start = path, _data_start(path, entry)
                while numbers.read(_PIECE):  # for its checksum
                    pass
    return value


def _begin(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        return file.read(16)


def _data_start(path: Path, entry: zipfile.ZipInfo) -> int:
    """Return the position of an uncompressed member's bytes, from the header before them."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(30)
    name, extra = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
    return entry.header_offset + len(header) + name + extra


_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def _load_legacy(path: Path) -> Any:
    """Load magic, version, machine, model and storage keys, a pickle each; then the numbers."""
    size = path.stat().st_size
    with path.open("rb") as whole:
        file = io.BytesIO(whole.read(MAX_PICKLE_BYTES))
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
    place = file.tell()
    with path.open("rb") as whole:
        for key in keys:
            storage = storages[key]
            whole.seek(place)
            count = int.from_bytes(whole.read(8), "little")
            storage.path, storage.start = path, place + 8
            place += 8 + storage.numel * storage.dtype.itemsize
            if count != storage.numel or place > size:
                raise CheckpointError("it is cut off in the middle")
    return value
