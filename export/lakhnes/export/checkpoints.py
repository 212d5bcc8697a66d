"""Checkpoints of our own training runs, and opening a model wherever it lies."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from lakhnes.export.lakhnes_checkpoint import Checkpoint, load_checkpoint
from lakhnes.export.transformer_xl import TransformerXL, TransformerXLConfig
from lakhnes.runtime.errors import CheckpointError, ModelError
from lakhnes.runtime.files import write_all, write_whole
from lakhnes.runtime.model.catalog import find_model, list_models
from lakhnes.runtime.model.model_info import MODEL_FILE
from lakhnes.runtime.music.timing import Timing
from lakhnes.runtime.music.vocabulary import NAMED

FORMAT = "lakhnes-train 1"
"""Says that a file is a checkpoint of ours, and its version."""

_BROKEN = (
    RuntimeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)
"""What PyTorch raises for files that are not its own, or not whole."""

PART_BYTES = 15 << 20
"""Largest part that `write_parts` writes."""

LAST, BEST = "last.pt", "best.pt"
"""Files of a run: where it is, and where its valid loss was least."""


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a checkpoint whole: plain data and tensors.

    Raises:
        OutputError: if it cannot be written; one that is there stays.
    """
    write_whole(path, partial(_save, {"format": FORMAT, **state}))


def write_parts(checkpoint: Path, folder: Path) -> list[Path]:
    """Writes the weights of a checkpoint in half precision, in parts that small channels carry.

    The parts joined in order (`cat NAME.part* > NAME`) are a checkpoint to export, to evaluate or to start
    from, but not to resume.

    Args:
        checkpoint: of `lakhnes train`.
        folder: for the parts; it is made.

    Raises:
        CheckpointError: if the checkpoint is not there or broken.
        OutputError: if they cannot be written.
    """
    state = read_checkpoint(checkpoint)
    weights = {name: weight.half() for name, weight in (state["ema"] or state["model"]).items()}
    dropped = ("optimizer", "ranks", "data", "songs")
    light = {key: value for key, value in state.items() if key not in dropped} | {
        "model": weights,
        "ema": None,
    }
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
    """Reads what `write_checkpoint` wrote; nothing in the file is run.

    Raises:
        CheckpointError: if it is not there, broken, or no checkpoint of ours.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is not there; give a checkpoint of `lakhnes train`.") from None
    except _BROKEN as error:
        reason = str(error).split("\n")[0][:80]
        raise CheckpointError(f"{path} is no checkpoint of `lakhnes train`, or broken ({reason}).") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else None
        raise CheckpointError(
            f"{path} has checkpoint format {found!r:.40}, not {FORMAT!r}; use the lakhnes that made it."
        )
    return state


def model_of(state: Mapping[str, Any], path: Path) -> TransformerXL:
    """The model of a checkpoint, with its averaged weights if it has any.

    Raises:
        CheckpointError: if weights and sizes do not fit.
    """
    known = {field.name for field in fields(TransformerXLConfig)}
    try:
        config = TransformerXLConfig(**{k: v for k, v in state["model_config"].items() if k in known})
        model = TransformerXL(config)
        model.load_state_dict(state["ema"] or state["model"])
    except (KeyError, RuntimeError, TypeError, AttributeError, ValueError) as error:
        reason = str(error).split("\n")[0][:80]
        raise CheckpointError(f"{path} is broken: its weights do not fit its sizes ({reason}).") from None
    return model.eval()


def open_checkpoint(path_or_name: str | Path) -> Checkpoint:
    """Opens a model for PyTorch, whatever it lies in.

    Args:
        path_or_name: a checkpoint of `lakhnes train` or its run's folder, a LakhNES checkpoint (folder, file
            or archive), an exported model (folder or ONNX file), or the name of one.

    Raises:
        CheckpointError: if it is none of these, or broken.
        ModelError: if there is no model of that name.
    """
    path = Path(path_or_name)
    if str(path_or_name) in list_models():
        return _exported(find_model(path_or_name))
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / name).is_file():
                return _ours(path / name)
        if (path / MODEL_FILE).is_file():
            return _exported(path / MODEL_FILE)
    if path.suffix == ".onnx":
        return _exported(path)
    if not path.exists() and path.suffix == "" and len(path.parts) == 1:
        names = ", ".join(list_models())
        raise ModelError(f"{path} is not there: give a checkpoint, a model's folder, or one of {names}.")
    return _ours(path) if path.is_file() and _says_format(path) else load_checkpoint(path)


def _says_format(path: Path) -> bool:
    """Whether a file is a checkpoint of `lakhnes train`, of any version; told without reading its weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            return FORMAT.split()[0].encode() in archive.read(name)
    except (OSError, zipfile.BadZipFile, StopIteration):
        return False


def _ours(path: Path) -> Checkpoint:
    state = read_checkpoint(path)
    try:
        vocabulary, timing = NAMED[state["events"]](), Timing(state["timing"])
        provenance = str(state["provenance"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is broken: it lacks or has a wrong {error}.") from None
    model = model_of(state, path)
    if model.config.n_token != len(vocabulary):
        raise CheckpointError(f"{path} has {model.config.n_token} tokens, but its events {len(vocabulary)}.")
    return Checkpoint(model, vocabulary, path.name, _digest(path), timing, provenance)


def _exported(path: Path) -> Checkpoint:
    from lakhnes.export.onnx_weights import read_weights

    if not path.is_file():
        raise CheckpointError(f"{path} is not there; give a model's folder or its {MODEL_FILE}.")
    model, info = read_weights(path)
    return Checkpoint(
        model, info.vocabulary, info.name, _digest(path), info.timing, info.provenance, info.recall
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
