"""Checkpoints of our own training runs, and opening a model of any kind."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from lakhnes.export.archives import is_tar
from lakhnes.export.lakhnes_checkpoint import Checkpoint, lakhnes_checkpoint, load_checkpoint
from lakhnes.export.safe_pickle import StoredTensor, load_torch_file
from lakhnes.export.weights import check_memory, config_of, model_of_weights, shown
from lakhnes.runtime.errors import CheckpointError, ModelError
from lakhnes.runtime.files import write_all, write_whole
from lakhnes.runtime.model.catalog import list_models, named_model
from lakhnes.runtime.model.model_info import MODEL_FILE
from lakhnes.runtime.music.timing import Timing, has_timing
from lakhnes.runtime.music.vocabulary import NAMED
from lakhnes.runtime.printable import printable
from lakhnes.runtime.provenance import file_sha256
from lakhnes.runtime.reading import reading

FORMAT = "lakhnes-train 1"
"""Mark of our checkpoints, with the version."""

_STEP = "Take another checkpoint of the run, or train again."

PART_BYTES = 15 << 20
"""Largest part that `write_parts` writes, in bytes."""

_MAX_PROVENANCE = 2000
"""Longest description in a checkpoint, in characters."""

LAST, BEST = "last.pt", "best.pt"
"""Files of a run: the last state, and the state with the lowest valid loss."""


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a whole checkpoint: plain data and tensors.

    Raises:
        OutputError: if it cannot be written; an existing checkpoint stays.
    """
    write_whole(path, partial(_save, {"format": FORMAT, **state}))


def write_parts(checkpoint: Path, folder: Path) -> list[Path]:
    """Write the weights of a checkpoint in half precision, in small parts.

    The parts joined in order (`cat NAME.part* > NAME`) form a checkpoint to export, evaluate or start from,
    but not to resume.

    Args:
        checkpoint: a checkpoint of `lakhnes train`.
        folder: folder for the parts; it is created.

    Raises:
        CheckpointError: if the checkpoint is missing or broken.
        OutputError: if they cannot be written.
    """
    state = _state(load_torch_file(_there(checkpoint)), checkpoint)
    with reading(checkpoint, CheckpointError, _STEP):
        public = _weights(state)
        check_memory(public.values(), checkpoint.stat().st_size)
        weights = {name: weight.read().half() for name, weight in public.items()}
    dropped = ("model", "ema", "optimizer", "ranks", "data", "songs")
    kept = {key: value for key, value in state.items() if key not in dropped}
    light = {**kept, "model": weights, "ema": None}
    file = io.BytesIO()
    torch.save(light, file)
    whole = file.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        folder / f"{checkpoint.name}.part{number:03d}": whole[start : start + PART_BYTES]
        for number, start in enumerate(range(0, len(whole), PART_BYTES))
    }
    write_all(parts)
    return list(parts)


def _save(state: Mapping[str, Any], file: BinaryIO) -> None:
    """`torch.save`, but a file that fails says why; PyTorch's own error does not."""
    failed: list[OSError] = []

    class Guarded(io.RawIOBase):
        def write(self, data: Any) -> int:
            try:
                return file.write(data)
            except OSError as error:
                failed.append(error)
                raise

    try:
        torch.save(dict(state), cast(BinaryIO, Guarded()))
    except (RuntimeError, OSError):
        if failed:
            raise failed[0] from None
        raise


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file of `write_checkpoint`, without running anything in it.

    Raises:
        CheckpointError: if it is missing, broken, or no checkpoint of ours.
    """
    state = _state(load_torch_file(_there(path)), path)
    with reading(path, CheckpointError, _STEP):
        try:
            check_memory(_tensors(state), path.stat().st_size)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is refused: {error}.") from error
        read: dict[str, Any] = _read(state)
    return read


def _there(path: Path) -> Path:
    if not path.is_file():
        raise CheckpointError(f"{path} is not there; give a checkpoint of `lakhnes train`.")
    return path


def _state(value: Any, path: Path) -> dict[str, Any]:
    """Return the result of `load_torch_file`, if it is from `lakhnes train` and has this version."""
    found = value.get("format") if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise CheckpointError(f"{path} is no checkpoint of `lakhnes train`; give one, such as RUN/{LAST}.")
    if found != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {shown(found)}, not '{FORMAT}'; use the lakhnes that made it."
        )
    return cast(dict[str, Any], value)


def _tensors(value: Any) -> Iterator[StoredTensor]:
    """Yield all tensors in a value."""
    if isinstance(value, StoredTensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def _read(value: Any) -> Any:
    """Return a value with the numbers of its tensors."""
    if isinstance(value, StoredTensor):
        return value.read()
    if isinstance(value, dict):
        return {key: _read(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_read(part) for part in value)
    return value


def _weights(state: Mapping[str, Any]) -> dict[str, StoredTensor]:
    """Return the weights for composing: the averaged ones, if any."""
    weights = state["model"] if state["ema"] is None else state["ema"]
    if not isinstance(weights, dict) or not all(
        isinstance(weight, StoredTensor) for weight in weights.values()
    ):
        raise CheckpointError("its weights are missing")
    return weights


def open_checkpoint(path_or_name: str | Path) -> Checkpoint:
    """Open a model of any kind for PyTorch.

    Args:
        path_or_name: a checkpoint of `lakhnes train` or its run's folder, a LakhNES checkpoint (folder, file
            or archive), an exported model (folder or ONNX file), or the name of one.

    Raises:
        CheckpointError: if it is none of these, or broken.
        ModelError: if no model has that name.
    """
    path = Path(path_or_name)
    named = named_model(str(path_or_name))
    if named is not None:
        return _exported(named)
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / name).is_file():
                return _of_state(_state(load_torch_file(path / name), path / name), path / name)
        if (path / MODEL_FILE).is_file():
            return _exported(path / MODEL_FILE)
    if path.suffix == ".onnx":
        return _exported(path)
    if not path.exists() and path.suffix == "" and len(path.parts) == 1:
        names = ", ".join(list_models())
        raise ModelError(f"{path} is not there: give a checkpoint, a model's folder, or one of {names}.")
    if not path.is_file() or _is_archive(path):
        return load_checkpoint(path)
    value = load_torch_file(path)
    if isinstance(value, dict) and "format" in value:
        return _of_state(_state(value, path), path)
    return lakhnes_checkpoint(value, path, path)


def _is_archive(path: Path) -> bool:
    """Return whether a file is a tar, compressed or not."""
    with reading(path, CheckpointError, "Get it again."):
        return is_tar(path)


def _of_state(state: Mapping[str, Any], path: Path) -> Checkpoint:
    with reading(path, CheckpointError, _STEP):
        try:
            return _checkpoint(state, path)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is broken: {error}. {_STEP}") from error


def _checkpoint(state: Mapping[str, Any], path: Path) -> Checkpoint:
    """Return the model, with its averaged weights if it has any."""
    events, timing, provenance = (state.get(name) for name in ("events", "timing", "provenance"))
    if not isinstance(events, str) or events not in NAMED:
        raise CheckpointError(f"its events are {shown(events)}")
    if not isinstance(timing, str) or timing not in list(Timing):
        raise CheckpointError(f"its timing is {shown(timing)}")
    if not isinstance(provenance, str):
        raise CheckpointError(f"its provenance is {shown(provenance)}")
    if not has_timing(NAMED[events](), Timing(timing)):
        raise CheckpointError(f"events {events} have no timing {timing}")
    config = config_of(state["model_config"])
    vocabulary = NAMED[events]()
    if config.n_token != len(vocabulary):
        raise CheckpointError(f"it has {config.n_token} tokens, but its events {len(vocabulary)}")
    model = model_of_weights(config, _weights(state), path.stat().st_size)
    provenance = printable(provenance, _MAX_PROVENANCE)
    return Checkpoint(model, vocabulary, path.name, file_sha256(path), Timing(timing), provenance)


def _exported(path: Path) -> Checkpoint:
    from lakhnes.export.onnx_weights import read_weights

    if not path.is_file():
        raise CheckpointError(f"{path} is not there; give a model's folder or its {MODEL_FILE}.")
    model, info = read_weights(path)
    return Checkpoint(
        model, info.vocabulary, info.name, file_sha256(path), info.timing, info.provenance, info.recall
    )
