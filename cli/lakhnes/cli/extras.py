"""What subcommands need that not everybody has installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def training_side(need: str) -> Iterator[None]:
    """Imports of the training side, where PyTorch or onnx may be missing.

    Args:
        need: what asks for it.

    Raises:
        MissingExtraError: if one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "onnx"):
            raise
        from lakhnes.runtime import MissingExtraError

        raise MissingExtraError("train", need) from None
