"""The model: an ONNX Transformer-XL with its ring of memories.

The graph is stateless: it takes the keys and values of the tokens before as tensors and returns those of the
new tokens; the runtime writes them into its ring in place. The contract of the graph:

| input | type and shape | meaning |
|---|---|---|
| `token` | int64 [B, T] | |
| `distance` | int64 [T, M+T] | how far each key lies behind each query, 0..M |
| `mask` | float32 [B, 1, T, M+T] | 0, or -1e30 where a query must not look |
| `k{l}`, `v{l}` | float32 [B, H, M, D] for each layer | the memory, in ring order |

| output | type and shape |
|---|---|
| `logits` | float32 [B, T, V] |
| `k_new`, `v_new` | float32 [L, B, H, T, D], the rows to write into the ring |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lakhnes.runtime.catalog import find_model
from lakhnes.runtime.errors import ModelError, OptionError
from lakhnes.runtime.model_info import METADATA_KEY, ModelInfo

MASKED = np.float32(-1e30)
"""What the mask adds to a score that must not count."""

PREFILL_CHUNK = 128
"""Tokens of a prompt that go through the graph at once; the measured optimum is flat from 64 to 256."""

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a model's memory."""

    keys: NDArray[np.float32]
    """float32 [L, B, H, M, D]"""
    values: NDArray[np.float32]
    """float32 [L, B, H, M, D]"""
    place: int
    """Slot that the next token goes to."""
    filled: int
    """Number of slots in use."""


class Model:
    """A Transformer-XL that reads tokens and gives logits for the next one.

    Attributes:
        info: its description.
    """

    def __init__(self, session: ort.InferenceSession, info: ModelInfo) -> None:
        """Use `Model.load`."""
        self.info = info
        self._session = session
        shape = (info.n_layer, 1, info.n_head, info.mem_len, info.d_head)
        self._keys = np.zeros(shape, np.float32)
        self._values = np.zeros(shape, np.float32)
        self._feeds: dict[str, NDArray[np.generic]] = {}
        for layer in range(info.n_layer):
            self._feeds[f"k{layer}"] = self._keys[layer]
            self._feeds[f"v{layer}"] = self._values[layer]
        # Distances of a step's slots from place p are a window of this: M..1, M..1 from M-p on.
        self._descending = np.tile(np.arange(info.mem_len, 0, -1, dtype=np.int64), 2)
        self._step_distance = np.zeros((1, info.mem_len + 1), np.int64)
        self._step_mask = np.zeros((1, 1, 1, info.mem_len + 1), np.float32)
        self.reset()

    @classmethod
    def load(cls, name_or_dir: str | Path | None = None, *, threads: int = 1) -> Model:
        """Loads a model.

        Args:
            name_or_dir: a model's name, its folder, or its ONNX file; None for the default.
            threads: threads of one step; more than one seldom helps.

        Raises:
            ModelError: if it is not there, or not a model that this runtime can use.
        """
        path = find_model(name_or_dir)
        return cls._open(path, path, threads)

    @classmethod
    def from_bytes(cls, data: bytes, *, threads: int = 1) -> Model:
        """Loads a model from the content of its ONNX file.

        Raises:
            ModelError: if it is not a model that this runtime can use.
        """
        return cls._open(data, "The model", threads)

    @classmethod
    def _open(cls, graph: Path | bytes, source: Path | str, threads: int) -> Model:
        session = open_session(graph, source, threads)
        info = read_info(session, source)
        _check_contract(session, info, source)
        return cls(session, info)

    def reset(self) -> None:
        """Forgets everything."""
        self._place = 0
        self._filled = 0
        self._step_mask[..., : self.info.mem_len] = MASKED

    def step(self, token: int) -> Logits:
        """Reads one token.

        Args:
            token: its id.

        Returns:
            float32 [V], for the token after it.
        """
        m = self.info.mem_len
        self._step_distance[0, :m] = self._descending[m - self._place : 2 * m - self._place]
        logits = self._run(np.array([[token]], np.int64), self._step_distance, self._step_mask)
        if self._filled < m:
            self._step_mask[..., self._filled] = 0
        self._remember(1)
        row: Logits = logits[0]
        return row

    def prefill(self, tokens: Sequence[int] | NDArray[np.int64], *, chunk: int = PREFILL_CHUNK) -> Logits:
        """Reads many tokens, with the same result as so many steps.

        Args:
            tokens: their ids [n].
            chunk: how many go through the graph at once.

        Returns:
            float32 [n, V]: row i for the token after token i.
        """
        m = self.info.mem_len
        chunk = max(1, min(chunk, m))
        ids = np.asarray(tokens, np.int64).reshape(1, -1)
        rows = [np.zeros((0, len(self.info.vocabulary)), np.float32)]
        for start in range(0, ids.shape[1], chunk):
            part = ids[:, start : start + chunk]
            n = part.shape[1]
            query = np.arange(n)[:, None]
            memory = (self._place - 1 - np.arange(m)) % m + 1 + query  # [T, M] distances of the slots
            distance = np.concatenate([memory, query - np.arange(n)], 1)  # [T, M+T]
            seen = (distance >= 0) & (distance <= m)
            seen[:, :m] &= np.arange(m) < self._filled
            mask = np.where(seen, np.float32(0), MASKED)
            rows.append(self._run(part, np.clip(distance, 0, m), mask[None, None]))
            self._step_mask[..., self._filled : min(m, self._filled + n)] = 0
            self._remember(n)
        return np.concatenate(rows)

    def snapshot(self) -> Snapshot:
        """A copy of the memory, for `restore`."""
        return Snapshot(self._keys.copy(), self._values.copy(), self._place, self._filled)

    def restore(self, snapshot: Snapshot) -> None:
        """Goes back to a snapshot of this model.

        Raises:
            OptionError: if it is of another model.
        """
        if snapshot.keys.shape != self._keys.shape:
            raise OptionError("The snapshot is of another model; take a new one.")
        np.copyto(self._keys, snapshot.keys)
        np.copyto(self._values, snapshot.values)
        self._place, self._filled = snapshot.place, snapshot.filled
        self._step_mask[..., : self._filled] = 0
        self._step_mask[..., self._filled : self.info.mem_len] = MASKED

    def _run(
        self, tokens: NDArray[np.int64], distance: NDArray[np.int64], mask: NDArray[np.float32]
    ) -> Logits:
        """Runs the graph and writes the new rows into the ring; returns logits [T, V]."""
        n_token = len(self.info.vocabulary)
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < n_token:
            raise OptionError(f"Tokens of this model go from 0 to {n_token - 1}.")
        self._feeds.update(token=tokens, distance=distance, mask=mask)
        logits, keys, values = self._session.run(("logits", "k_new", "v_new"), self._feeds)
        n = tokens.shape[1]
        slots: NDArray[np.int64] | slice = (self._place + np.arange(n)) % self.info.mem_len
        if self._place + n <= self.info.mem_len:
            slots = slice(self._place, self._place + n)
        self._keys[:, :, :, slots] = keys
        self._values[:, :, :, slots] = values
        return np.asarray(logits[0], np.float32)

    def _remember(self, n: int) -> None:
        self._place = (self._place + n) % self.info.mem_len
        self._filled = min(self._filled + n, self.info.mem_len)


def open_session(graph: Path | bytes, source: Path | str, threads: int = 1) -> ort.InferenceSession:
    """Opens an ONNX file or its content on the CPU.

    Args:
        graph: the file or the content.
        source: its name in errors.
        threads: threads of one step.

    Raises:
        ModelError: if it cannot be read.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share no root
        raise ModelError(
            f"{source} is no ONNX model that can be loaded ({type(error).__name__}); export it again."
        ) from None


def read_info(session: ort.InferenceSession, source: Path | str) -> ModelInfo:
    """The description inside an open ONNX file.

    Raises:
        ModelError: if there is none, or one that this runtime cannot use.
    """
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(f"{source} has no lakhnes metadata; make it with `lakhnes export`.")
    try:
        return ModelInfo.from_json(text)
    except ValueError as error:
        raise ModelError(f"{source} cannot be used: {error}.") from None


def _check_contract(session: ort.InferenceSession, info: ModelInfo, source: Path | str) -> None:
    memory = {f"{kind}{layer}": ("tensor(float)", 4) for kind in "kv" for layer in range(info.n_layer)}
    inputs = {
        "token": ("tensor(int64)", 2),
        "distance": ("tensor(int64)", 2),
        "mask": ("tensor(float)", 4),
        **memory,
    }
    outputs = {"logits": ("tensor(float)", 3), "k_new": ("tensor(float)", 5), "v_new": ("tensor(float)", 5)}
    found_inputs = {i.name: (i.type, len(i.shape)) for i in session.get_inputs()}
    found_outputs = {o.name: (o.type, len(o.shape)) for o in session.get_outputs()}
    sizes = {
        i.name: tuple(i.shape[1:]) == (info.n_head, info.mem_len, info.d_head)
        for i in session.get_inputs()
        if i.name in memory
    }
    vocabulary = next((o.shape[-1] for o in session.get_outputs() if o.name == "logits"), None)
    if (
        found_inputs != inputs
        or found_outputs != outputs
        or not all(sizes.values())
        or vocabulary != len(info.vocabulary)
    ):
        raise ModelError(f"{source} has other tensors than its metadata say; export it again.")
