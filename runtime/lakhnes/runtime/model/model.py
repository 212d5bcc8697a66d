"""The model: an ONNX Transformer-XL that is loaded, and the stream that it reads.

`ring.py` has the contract of the graph, and the memories.
"""

from __future__ import annotations

import time
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
from lakhnes.runtime.reading import reading

__all__ = ["Batch", "Logits", "Model", "Snapshot"]

SLOW_STEP = 1e-9
"""Seconds a weight: a step of 8-bit weights that takes longer has no operator of its own on this machine."""


class Model:
    """A Transformer-XL that reads one stream of tokens and gives logits for the next one.

    Attributes:
        info: its description.
        codec: scores to its tokens and back.
    """

    def __init__(self, session: ort.InferenceSession, info: ModelInfo) -> None:
        """Use `Model.load`."""
        self.info = info
        self.codec = make_codec(info.vocabulary, info.timing)
        self._session = session
        self._stream = self.batch(1)

    @classmethod
    def load(cls, name_or_dir: str | Path | None = None, *, threads: int = 1) -> Model:
        """Loads a model.

        Args:
            name_or_dir: a model's name, its folder, or its ONNX file; None for the default.
            threads: threads of one step. One leaves a machine free for other work; two take a fifth off a
                step's time, and keep two cores busy. The result is the same.

        Raises:
            ModelError: if it is not there, or not a model that this runtime can use.
        """
        path = find_model(name_or_dir)
        data, info = read_model(path)
        return cls._open(data, replace(info, name=name_of(path) or info.name), path, threads)

    @classmethod
    def from_bytes(cls, data: bytes, *, threads: int = 1) -> Model:
        """Loads a model from the content of its ONNX file.

        Raises:
            ModelError: if it is not a model that this runtime can use.
        """
        source = "The model"
        return cls._open(data, check_model(data, source), source, threads)

    @classmethod
    def _open(cls, data: bytes, info: ModelInfo, source: Path | str, threads: int) -> Model:
        with reading(source, ModelError, NEXT_STEP):
            model = cls(open_session(data, threads), info)
            step = model._probe(source)
            if info.precision != "fp32" and step > SLOW_STEP * info.n_parameters:
                widened = cls(open_session(data, threads, widen=True), info)
                if widened._probe(source) < step:
                    return widened
        return model

    def _probe(self, source: Path | str) -> float:
        """Tries the graph, so that what does not work is refused when it is loaded.

        Returns:
            Seconds of a step.

        Raises:
            ModelError: if the graph fails, or gives no numbers.
        """
        batch = self.batch(1)
        if not np.isfinite(batch.try_out()).all():
            raise ModelError(f"{source} gives no numbers, so its weights are broken. {NEXT_STEP}")
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            batch.step([0])
            seconds.append(time.perf_counter() - started)
        return min(seconds)

    def twin(self) -> Model:
        """Another model with these weights and a memory of its own; both may run at once, in two threads."""
        return Model(self._session, self.info)

    def batch(self, size: int) -> Batch:
        """New streams that step together; they share this model's weights, not its memory."""
        return Batch(self._session, self.info, size)

    def reset(self) -> None:
        """Forgets everything."""
        self._stream.reset()

    def step(self, token: int) -> Logits:
        """Reads one token.

        Args:
            token: its id.

        Returns:
            float32 [V], for the token after it.
        """
        logits: Logits = self._stream.step([token])[0]
        return logits

    def prefill(self, tokens: Sequence[int] | NDArray[np.int64], *, chunk: int = PREFILL_CHUNK) -> Logits:
        """Reads many tokens, with the result of so many steps.

        In full precision it is the same to the last places. With 8-bit weights, activations are rounded to 8
        bits as well, and what differs in the last place of a sum may fall to either side: logits of chunks
        and of steps then differ by some hundredths.

        Args:
            tokens: their ids [n].
            chunk: how many go through the graph at once.

        Returns:
            float32 [n, V]: row i for the token after token i.
        """
        ids = np.asarray(tokens, np.int64).reshape(1, -1)
        logits: Logits = self._stream.prefill(ids, chunk=chunk)[0]
        return logits

    def snapshot(self) -> Snapshot:
        """A copy of the memory, for `restore`."""
        return self._stream.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Goes back to a snapshot of this model.

        Raises:
            OptionError: if it is of another model.
        """
        self._stream.spread(snapshot)
