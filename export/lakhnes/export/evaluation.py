"""Perplexity by LakhNES's protocol, for PyTorch checkpoints and exported models.

Source: LakhNES `model/eval.py`, `model/data_utils.py` (`LMMultiFileIterator`): songs in sorted order, one
leading and one trailing wait trimmed, songs under 10 tokens skipped, each song between two `<S>`; parallel
streams that are filled song after song with the memory carried over, up to the first that runs out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from lakhnes.export.transformer_xl import TransformerXL
from lakhnes.runtime.events import Kind
from lakhnes.runtime.model import Model
from lakhnes.runtime.vocabulary import END_TOKEN, Vocabulary

MIN_SONG_TOKENS = 10
"""Songs shorter than this, `<S>` included, are skipped."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a model predicts songs."""

    loss: float
    """Nats a token, averaged over tokens."""
    tokens: int

    @property
    def perplexity(self) -> float:
        """exp(loss)."""
        return math.exp(self.loss)


def framed_song(tokens: Sequence[int], vocabulary: Vocabulary) -> list[int]:
    """A song's tokens without one wait at each end, between two `<S>`."""
    kept = list(tokens)
    if kept and vocabulary.events[kept[0]].kind is Kind.WAIT:
        kept = kept[1:]
    if kept and vocabulary.events[kept[-1]].kind is Kind.WAIT:
        kept = kept[:-1]
    return [END_TOKEN, *kept, END_TOKEN]


def parallel_streams(
    songs: Iterable[Sequence[int]], n_streams: int = 10, segment: int = 128
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fills streams with songs as LakhNES does.

    Args:
        songs: token ids with `<S>` at both ends; short ones are skipped.
        n_streams: how many streams.
        segment: tokens that a stream takes before the next stream's turn.

    Returns:
        Tokens and their successors, int64 [streams, n * segment] each.
    """
    waiting = iter(song for song in songs if len(song) >= MIN_SONG_TOKENS)
    left: list[Sequence[int]] = [()] * n_streams
    data: list[list[int]] = [[] for _ in range(n_streams)]
    targets: list[list[int]] = [[] for _ in range(n_streams)]
    whole = 0
    while True:
        for stream in range(n_streams):
            while len(data[stream]) < whole + segment:
                if len(left[stream]) <= 1:
                    song = next(waiting, None)
                    if song is None:
                        shape = (n_streams, whole)
                        cut = [[row[:whole] for row in rows] for rows in (data, targets)]
                        return np.array(cut[0], np.int64).reshape(shape), np.array(cut[1], np.int64).reshape(
                            shape
                        )
                    left[stream] = song
                n = min(len(left[stream]) - 1, whole + segment - len(data[stream]))
                data[stream] += left[stream][:n]
                targets[stream] += left[stream][1 : n + 1]
                left[stream] = left[stream][n:]
        whole += segment


@torch.no_grad()
def evaluate_checkpoint(
    model: TransformerXL,
    data: NDArray[np.int64],
    targets: NDArray[np.int64],
    *,
    segment: int = 128,
    mem_len: int = 896,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Evaluates a PyTorch model on streams int64 [B, n * segment]."""
    model.eval()
    memory: torch.Tensor | None = None
    losses = []
    for start in range(0, data.shape[1], segment):
        logits, memory = model(torch.from_numpy(data[:, start : start + segment]), memory, mem_len=mem_len)
        wanted = torch.from_numpy(targets[:, start : start + segment])
        losses.append(F.cross_entropy(logits.flatten(0, 1), wanted.flatten()).item())
        progress(start + segment, data.shape[1])
    return Evaluation(float(np.mean(losses)), data.size)


def evaluate_exported(
    model: Model,
    data: NDArray[np.int64],
    targets: NDArray[np.int64],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Evaluates an exported model on streams int64 [B, n]; every token sees the model's whole memory."""
    total = 0.0
    for stream, (tokens, wanted) in enumerate(zip(data, targets, strict=True)):
        model.reset()
        for start in range(0, len(tokens), 4096):
            logits = model.prefill(tokens[start : start + 4096])
            rows = torch.from_numpy(logits)
            total += F.cross_entropy(
                rows, torch.from_numpy(wanted[start : start + 4096]), reduction="sum"
            ).item()
            progress(stream * len(tokens) + start + len(rows), data.size)
    return Evaluation(total / data.size, data.size)
