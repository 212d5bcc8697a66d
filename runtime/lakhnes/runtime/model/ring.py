"""The memories of a network: a ring of keys and values that streams share.

The graph is stateless. It takes the keys and values of earlier tokens as tensors and returns those of the new
tokens. The runtime writes them into its ring in place. The contract of the graph:

| input | type and shape | meaning |
|---|---|---|
| `token` | int64 [B, T] | |
| `distance` | int64 [T, S+T] | distance of each key behind each query, 0..`mem_len` |
| `mask` | float32 [B, 1, T, S+T] | 0, or -1e30 for a key that the query must not see |
| `k{l}`, `v{l}` | float32 [B, H, S, D] for each layer | the memory, S slots in any order |

| output | type and shape |
|---|---|
| `logits` | float32 [B, T, V] |
| `new` | float32 [B, L·2·H, T, D]: keys and values of each layer, to write into the ring |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.errors import ModelError, OptionError
from lakhnes.runtime.model.model_file import FIRST_SLOTS, PREFILL_CHUNK
from lakhnes.runtime.model.model_info import ModelInfo
from lakhnes.runtime.model.onnx_runtime import ort

MASKED = np.float32(-1e30)
"""Value that the mask adds to a score to exclude it."""

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of one stream's memory."""

    memory: NDArray[np.float32]
    """float32 [L, 2, H, S, D]: the keys, then the values, of each layer, in S slots."""
    mask: NDArray[np.float32]
    """float32 [S]: 0 for slots in use, else `MASKED`."""
    place: int
    """Slot of the next token."""
    used: int
    """Number of used slots before it."""


class Batch:
    """Streams of tokens that one graph reads together, each with its own memory.

    They share the S slots of a ring and the position in it. A mask for each stream marks its own slots. A
    stream may therefore start again at any time while the others continue.
    """

    def __init__(self, session: ort.InferenceSession, info: ModelInfo, size: int) -> None:
        """Create a batch; use `Model.batch` instead."""
        self._session = session
        self._n_token = len(info.vocabulary)
        self._mem_len = info.mem_len
        self._memory = np.zeros((info.n_layer, 2, size, info.n_head, 0, info.d_head), np.float32)
        self._mask = np.zeros((size, 0), np.float32)
        self._place = self._used = 0
        self.reset()

    @property
    def _slots(self) -> int:
        return self._memory.shape[4]

    def reset(self, stream: int | None = None) -> None:
        """Clear the memory of a stream, or of all streams and the ring."""
        if stream is None:
            self._mask[:] = MASKED
            self._resize(min(FIRST_SLOTS, self._mem_len))
            self._used = 0
        else:
            self._mask[stream] = MASKED

    def _resize(self, slots: int) -> None:
        """Change the number of slots; the newest rows stay, and the newest is the last."""
        kept = min(slots, self._slots)
        order = (self._place - kept + np.arange(kept)) % self._slots if kept else np.arange(0)
        memory = np.zeros((*self._memory.shape[:4], slots, self._memory.shape[5]), np.float32)
        memory[..., slots - kept :, :] = self._memory[..., order, :]
        mask = np.full((len(self._mask), slots), MASKED)
        mask[:, slots - kept :] = self._mask[:, order]
        self._memory, self._mask, self._place = memory, mask, 0
        self._feeds: dict[str, NDArray[np.generic]] = {
            f"{kind}{layer}": memory[layer, place]
            for layer in range(len(memory))
            for place, kind in enumerate("kv")
        }
        # The distances of a step's slots from place p are a window of S..1, S..1, from S-p.
        self._descending = np.tile(np.arange(slots, 0, -1, dtype=np.int64), 2)
        self._distance = np.zeros((1, slots + 1), np.int64)

    def step(self, tokens: Sequence[int] | NDArray[np.int64]) -> Logits:
        """Read one token of each stream.

        Args:
            tokens: their ids [B].

        Returns:
            float32 [B, V]: logits for the next tokens.
        """
        slots, size = self._slots, len(self._mask)
        self._distance[0, :slots] = self._descending[slots - self._place : 2 * slots - self._place]
        mask = np.zeros((size, 1, 1, slots + 1), np.float32)
        mask[:, 0, 0, :slots] = self._mask
        ids = np.asarray(tokens, np.int64).reshape(-1, 1)
        self._check(ids)
        return self._run(ids, self._distance, mask)[:, 0]

    def prefill(self, tokens: NDArray[np.int64], *, chunk: int = PREFILL_CHUNK) -> Logits:
        """Read many tokens of each stream, with the same result as single steps.

        Args:
            tokens: their ids [B, n].
            chunk: number of tokens that go through the graph at once.

        Returns:
            float32 [B, n, V]: row i has the logits after token i.
        """
        chunk = max(1, min(chunk, self._mem_len))
        self._check(tokens)
        rows = [np.zeros((len(tokens), 0, self._n_token), np.float32)]
        for start in range(0, tokens.shape[1], chunk):
            part = tokens[:, start : start + chunk]
            n, slots = part.shape[1], self._slots
            query = np.arange(n)[:, None]
            memory = (self._place - 1 - np.arange(slots)) % slots + 1 + query  # [T, S] distances of the slots
            distance = np.concatenate([memory, query - np.arange(n)], 1)  # [T, S+T]
            near = np.where((distance >= 0) & (distance <= self._mem_len), np.float32(0), MASKED)
            unused = np.pad(self._mask, ((0, 0), (0, n)))[:, None, None]  # [B, 1, 1, S+T]
            rows.append(self._run(part, np.clip(distance, 0, self._mem_len), np.minimum(near, unused)))
        return np.concatenate(rows, 1)

    def snapshot(self, stream: int = 0) -> Snapshot:
        """Return a copy of one stream's memory."""
        return Snapshot(
            self._memory[:, :, stream].copy(),
            self._mask[stream].copy(),
            self._place,
            self._used,
        )

    def spread(self, snapshot: Snapshot) -> None:
        """Continue every stream from one snapshot.

        Raises:
            OptionError: if the snapshot is from another model.
        """
        self._belongs(snapshot)
        self._resize(len(snapshot.mask))
        self._place, self._used = snapshot.place, snapshot.used
        for stream in range(len(self._mask)):
            self.begin(stream, snapshot)

    def begin(self, stream: int, snapshot: Snapshot) -> None:
        """Continue one stream from a snapshot, without changing the others.

        Raises:
            OptionError: if the snapshot is from another model.
        """
        self._belongs(snapshot)
        count = len(snapshot.mask)
        if count > self._slots:
            self._resize(count)
        self._used = max(self._used, snapshot.used)
        slots = (self._place - count + np.arange(count)) % self._slots
        self._memory[:, :, stream, :, slots] = np.moveaxis(np.roll(snapshot.memory, -snapshot.place, 3), 3, 0)
        self._mask[stream] = MASKED
        self._mask[stream, slots] = np.roll(snapshot.mask, -snapshot.place)

    def _belongs(self, snapshot: Snapshot) -> None:
        layers, two, heads, slots, width = snapshot.memory.shape
        rows = (*self._memory.shape[:2], *self._memory.shape[3:4], *self._memory.shape[5:])
        if (layers, two, heads, width) != rows or slots > self._mem_len:
            raise OptionError("The snapshot is of another model; take a new one.")

    def try_out(self) -> Logits:
        """Return logits [4, V] from a chunk, a step and a token at the largest distance."""
        n = len(self._mask)
        chunk = self.prefill(np.zeros((n, 2), np.int64))[0]
        step = self.step([0] * n)
        everything = np.zeros((n, 1, 1, self._slots + 1), np.float32)
        far = self._run(np.zeros((n, 1), np.int64), np.full((1, self._slots + 1), self._mem_len), everything)
        self.reset()
        return np.concatenate([chunk, step[:1], far[0]])

    def _check(self, tokens: NDArray[np.int64]) -> None:
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self._n_token:
            raise OptionError(f"Tokens of this model go from 0 to {self._n_token - 1}.")

    def _run(
        self, tokens: NDArray[np.int64], distance: NDArray[np.int64], mask: NDArray[np.float32]
    ) -> Logits:
        """Run the graph on tokens [B, T] and write the new rows into the ring; return logits [B, T, V]."""
        self._feeds.update(token=tokens, distance=distance, mask=mask)
        logits, new = self._session.run(("logits", "new"), self._feeds)
        size, n = tokens.shape
        layers, two, _, heads, _, width = self._memory.shape
        if logits.shape != (size, n, self._n_token) or new.shape != (size, layers * two * heads, n, width):
            raise ModelError(f"The model gives tensors of other sizes ({logits.shape}); export it again.")
        self._make_room(n)
        slots: NDArray[np.int64] | slice = (self._place + np.arange(n)) % self._slots
        if self._place + n <= self._slots:
            slots = slice(self._place, self._place + n)
        rows = new.reshape(size, layers, two, heads, n, width)
        self._memory[..., slots, :] = rows.transpose(1, 2, 0, 3, 4, 5)
        self._mask[:, slots] = 0
        self._place = (self._place + n) % self._slots
        return np.asarray(logits, np.float32)

    def _make_room(self, n: int) -> None:
        """Add slots if n rows would overwrite rows that a full memory still needs."""
        needed = min(self._used + n, self._mem_len)
        slots = self._slots
        while slots < needed:
            slots *= 2
        if slots > self._slots:
            self._resize(min(slots, self._mem_len))
        self._used = needed
