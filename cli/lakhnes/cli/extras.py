"""Optional parts that subcommands need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def training_side(need: str) -> Iterator[None]:
    """Run imports of the training side, which need PyTorch or onnx.

    Args:
        need: the part that needs them.

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
