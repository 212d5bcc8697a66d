"""Model files from anywhere: read and checked before onnxruntime sees them."""

from __future__ import annotations

from pathlib import Path

from lakhnes.runtime.bars.codec import make_codec
from lakhnes.runtime.errors import ModelError, OptionError
from lakhnes.runtime.model.graph_check import Sizes, check_graph
from lakhnes.runtime.model.model_info import METADATA_KEY, ModelInfo
from lakhnes.runtime.model.onnx_file import parse_onnx
from lakhnes.runtime.reading import reading

PREFILL_CHUNK = 128
"""Tokens of a prompt that go through the graph at once; the measured optimum is flat from 64 to 256."""

FIRST_SLOTS = 64
"""Slots of a memory that begins; they double as they fill up, so that few tokens do not pay for many."""

NEXT_STEP = "Export it again with `lakhnes export`, or choose another model."
"""For whoever has a model that is refused."""

_MOST_BYTES = (1 << 31) - 1
"""Largest ONNX file that there can be."""


def read_model(path: Path) -> tuple[bytes, ModelInfo]:
    """Read a model's ONNX file.

    Returns:
        The content, checked, and the description in it.

    Raises:
        ModelError: if it cannot be opened, or is no model that this runtime can use.
    """
    with reading(path, ModelError, NEXT_STEP):
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is larger than any model")
        data = path.read_bytes()
    return data, check_model(data, path)


def check_model(data: bytes, source: Path | str) -> ModelInfo:
    """Check the content of a model's ONNX file: that onnxruntime may read it, and that it keeps the contract.

    Args:
        data: the content.
        source: its name in errors.

    Returns:
        The description in it.

    Raises:
        ModelError: if it is no model that this runtime can use.
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
