"""Models from the weights in a file; stated sizes count only if the weights have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import nn

from lakhnes.export.safe_pickle import StoredTensor
from lakhnes.export.transformer_xl import TransformerXL, TransformerXLConfig
from lakhnes.runtime.errors import CheckpointError
from lakhnes.runtime.printable import printable

_SPARE_BYTES = 64 << 20
"""Bytes that a small file may need beyond twice its size, because half precision becomes full."""

_MAX_SIZE = 1 << 20
_MAX_LAYERS = 256


def config_of(plain: Mapping[str, Any]) -> TransformerXLConfig:
    """Return the sizes that a file states, each with the right type and in a plausible range.

    Args:
        plain: values by the names of `TransformerXLConfig`; others are ignored.

    Raises:
        CheckpointError: if a size is missing, has another type or is out of its range.
    """
    known = {field.name: str(field.type) for field in fields(TransformerXLConfig)}
    return TransformerXLConfig(
        **{name: _checked(name, plain[name], known[name]) for name in known if name in plain}
    )


def _checked(name: str, value: Any, kind: str) -> Any:
    if kind == "bool":
        fits = type(value) is bool
    elif kind == "float":
        fits = type(value) in (int, float) and 0 <= value < 1
    elif name == "clamp_len":
        fits = type(value) is int and -1 <= value < _MAX_SIZE
    else:
        fits = type(value) is int and 0 < value <= (_MAX_LAYERS if name == "n_layer" else _MAX_SIZE)
    if not fits:
        raise CheckpointError(f"its {name} is {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Return a value from a file for a message: short texts and numbers; for other values the type."""
    if isinstance(value, str):
        return f"'{printable(value, 40)}'"
    if value is None or (isinstance(value, int | float) and abs(value) < 1 << 64):
        return str(value)
    return f"a {type(value).__name__}"


def model_of_weights(
    config: TransformerXLConfig, weights: Mapping[str, StoredTensor], file_bytes: int
) -> TransformerXL:
    """Read the weights of a model.

    The model is first laid out without memory, and allocates it only for weights with its shapes.

    Args:
        config: sizes from the file.
        weights: weights by the names of the model's parameters.
        file_bytes: size of the user's file.

    Raises:
        CheckpointError: if the weights do not fit the sizes, or need much more memory than the file.
    """
    with torch.device("meta"):
        model = TransformerXL(config)
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if wanted != {name: weight.size for name, weight in weights.items()}:
        raise CheckpointError("its weights do not fit its sizes")
    check_memory(weights.values(), file_bytes, torch.float32)
    read = {
        name: nn.Parameter(weights[name].read(torch.float32))
        for name in wanted
        if name != "output.weight" or not config.tie_embedding
    }
    if config.tie_embedding:
        read["output.weight"] = read["embedding.weight"]
    model.load_state_dict(read, assign=True)
    return model.eval()


def check_memory(tensors: Iterable[StoredTensor], file_bytes: int, dtype: torch.dtype | None = None) -> None:
    """Refuse tensors that would need much more memory than their file.

    Args:
        tensors: all tensors to read.
        file_bytes: size of the user's file.
        dtype: type to read them as; None for the file's own.

    Raises:
        CheckpointError: if their numbers are views of the same bytes, or well-packed zeros.
    """
    needed = sum(
        {tensor.place: tensor.numel * (dtype or tensor.dtype).itemsize for tensor in tensors}.values()
    )
    if needed > 2 * file_bytes + _SPARE_BYTES:
        raise CheckpointError(f"its tensors would take {needed >> 20:,} MiB, far more than the file")
