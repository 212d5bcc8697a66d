"""Model files from any source, read and checked before onnxruntime loads them."""

from __future__ import annotations

from pathlib import Path

from lakhnes.runtime.bars.codec import make_codec
from lakhnes.runtime.errors import ModelError, OptionError
from lakhnes.runtime.model.graph_check import Sizes, check_graph
from lakhnes.runtime.model.model_info import METADATA_KEY, ModelInfo
from lakhnes.runtime.model.onnx_file import parse_onnx
from lakhnes.runtime.reading import reading

PREFILL_CHUNK = 128
"""Tokens of a prompt that go through the graph at once; 64 to 256 measured equally fast."""

FIRST_SLOTS = 64
"""Slots of a new memory; they double when full, so few tokens do not pay for many."""

NEXT_STEP = "Export it again with `lakhnes export`, or choose another model."
"""Advice for a user whose model is refused."""

_MOST_BYTES = (1 << 31) - 1
"""Size limit of an ONNX file, in bytes."""


def read_model(path: Path) -> tuple[bytes, ModelInfo]:
    """Read a model's ONNX file.

    Returns:
        The checked content, and the metadata in it.

    Raises:
        ModelError: if the file cannot be opened, or this runtime cannot use it.
    """
    with reading(path, ModelError, NEXT_STEP):
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is larger than any model")
        data = path.read_bytes()
    return data, check_model(data, path)


def check_model(data: bytes, source: Path | str) -> ModelInfo:
    """Check the content of a model's ONNX file: onnxruntime may read it, and it follows the contract.

    Args:
        data: the content.
        source: its name in errors.

    Returns:
        The metadata in it.

    Raises:
        ModelError: if this runtime cannot use it.
    """
    with reading(source, ModelError, NEXT_STEP):
        file = parse_onnx(data)
        if METADATA_KEY not in file.metadata:
            raise ModelError(f"{source} has no lakhnes metadata. Make it with `lakhnes export`.")
        info = ModelInfo.from_json(file.metadata[METADATA_KEY], source)
        try:
            make_codec(info.vocabulary, info.timing)
        except OptionError as error:
            raise ValueError(str(error)) from error
        first, chunk = min(FIRST_SLOTS, info.mem_len), min(PREFILL_CHUNK, info.mem_len)
        check_graph(file, info, (Sizes(1, 1, first), Sizes(2, chunk, info.mem_len)))
    return info
