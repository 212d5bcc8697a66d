"""The model: a loaded ONNX Transformer-XL and its stream of tokens.

`ring.py` contains the contract of the graph and the memories.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.bars.codec import make_codec
from lakhnes.runtime.errors import ModelError
from lakhnes.runtime.model.catalog import find_model, name_of
from lakhnes.runtime.model.model_file import NEXT_STEP, PREFILL_CHUNK, check_model, read_model
from lakhnes.runtime.model.model_info import ModelInfo
from lakhnes.runtime.model.onnx_runtime import open_session, ort
from lakhnes.runtime.model.ring import Batch, Logits, Snapshot
from lakhnes.runtime.model.rounding import BITS, has_operator
from lakhnes.runtime.reading import reading

__all__ = ["Batch", "Logits", "Model", "Snapshot"]


class Model:
    """A Transformer-XL that reads one stream of tokens and returns logits for the next token.

    Attributes:
        info: its metadata.
        sha256: SHA-256 of its file; empty for a model without a file.
        codec: converter between scores and its tokens.
    """

    def __init__(self, session: ort.InferenceSession, info: ModelInfo, sha256: str = "") -> None:
        """Create a model; use `Model.load` instead."""
        self.info = info
        self.sha256 = sha256
        self.codec = make_codec(info.vocabulary, info.timing)
        self._session = session
        self._stream = self.batch(1)

    @classmethod
    def load(cls, name_or_dir: str | Path | None = None, *, threads: int = 1) -> Model:
        """Load a model.

        Args:
            name_or_dir: a model's name, its folder, or its ONNX file; None for the default.
            threads: threads of one step. One leaves the machine free for other work. Two take a fifth off the
                time of a step, and keep two cores busy. The result is the same.

        Raises:
            ModelError: if it does not exist, or this runtime cannot use it.
        """
        path = find_model(name_or_dir)
        data, info = read_model(path)
        return cls._open(data, replace(info, name=name_of(path) or info.name), path, threads)

    @classmethod
    def from_bytes(cls, data: bytes, *, threads: int = 1) -> Model:
        """Load a model from the content of its ONNX file.

        Raises:
            ModelError: if this runtime cannot use it.
        """
        source = "The model"
        return cls._open(data, check_model(data, source), source, threads)

    @classmethod
    def _open(cls, data: bytes, info: ModelInfo, source: Path | str, threads: int) -> Model:
        """Open a checked graph and try it, so that a faulty one is refused here."""
        widen = info.precision in BITS and not has_operator(BITS[info.precision])
        with reading(source, ModelError, NEXT_STEP):
            session = open_session(data, threads, widen=widen)
            model = cls(session, info, hashlib.sha256(data).hexdigest())
            if not np.isfinite(model.batch(1).try_out()).all():
                raise ModelError(f"{source} gives no numbers, so its weights are broken. {NEXT_STEP}")
        return model

    def twin(self) -> Model:
        """Return another model with the same weights and its own memory.

        Both may run at once, in two threads.
        """
        return Model(self._session, self.info, self.sha256)

    def batch(self, size: int) -> Batch:
        """Return new streams that step together; they share this model's weights, not its memory."""
        return Batch(self._session, self.info, size)

    def reset(self) -> None:
        """Clear the memory."""
        self._stream.reset()

    def step(self, token: int) -> Logits:
        """Read one token.

        Args:
            token: its id.

        Returns:
            float32 [V]: logits for the next token.
        """
        logits: Logits = self._stream.step([token])[0]
        return logits

    def prefill(self, tokens: Sequence[int] | NDArray[np.int64], *, chunk: int = PREFILL_CHUNK) -> Logits:
        """Read many tokens, with the same result as single steps.

        In full precision the results agree to the last places. With 8-bit weights, activations are also
        rounded to 8 bits, so tiny differences may round to either side. Logits of chunks and of steps then
        differ by some hundredths.

        Args:
            tokens: their ids [n].
            chunk: number of tokens that go through the graph at once.

        Returns:
            float32 [n, V]: row i has the logits after token i.
        """
        ids = np.asarray(tokens, np.int64).reshape(1, -1)
        logits: Logits = self._stream.prefill(ids, chunk=chunk)[0]
        return logits

    def snapshot(self) -> Snapshot:
        """Return a copy of the memory, for `restore`."""
        return self._stream.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Restore a snapshot of this model.

        Raises:
            OptionError: if the snapshot is from another model.
        """
        self._stream.spread(snapshot)
