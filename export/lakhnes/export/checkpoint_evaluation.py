"""Perplexity of PyTorch models by LakhNES's protocol; see `evaluation.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from lakhnes.export.batches import song_starts
from lakhnes.export.evaluation import MEM_LEN, SEGMENT, Evaluation
from lakhnes.export.exporter import export_model
from lakhnes.export.lakhnes_checkpoint import Checkpoint
from lakhnes.export.transformer_xl import TransformerXL
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.timing import Timing


@torch.no_grad()
def evaluate_checkpoint(
    model: TransformerXL,
    data: NDArray[np.int64],
    targets: NDArray[np.int64],
    *,
    segment: int = SEGMENT,
    mem_len: int = MEM_LEN,
    own_memory: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Evaluate a PyTorch model on its current device.

    Args:
        model: the model; it stays in evaluation mode.
        data: the streams, int64 [B, n * segment].
        targets: the next tokens, int64 [B, n * segment].
        segment: tokens of each stream that go through the model at once.
        mem_len: rows of memory between segments.
        own_memory: whether the memory is cleared at each song; the protocol keeps it.
        progress: called with the tokens done and their total.
    """
    model.eval()
    device = model.embedding.weight.device
    memory: torch.Tensor | None = None
    losses = []
    begun = song_starts(data, np.zeros(len(data), np.int64))
    for start in range(0, data.shape[1], segment):
        tokens = torch.from_numpy(data[:, start : start + segment]).to(device)
        wanted = torch.from_numpy(targets[:, start : start + segment]).to(device)
        starts = torch.from_numpy(begun[:, start : start + segment] - start).to(device)
        seen = starts if own_memory else None
        logits, memory = model(tokens, memory, mem_len=mem_len, starts=seen)
        losses.append(F.cross_entropy(logits.flatten(0, 1).float(), wanted.flatten()).item())
        progress(min(start + segment, data.shape[1]) * len(data), data.size)
    return Evaluation(float(np.mean(losses)) if losses else float("nan"), data.size)


def composing_model(checkpoint: Checkpoint, timing: Timing, *, threads: int = 1) -> Model:
    """Return the runtime's model of a checkpoint, in full precision, for composing.

    Raises:
        CheckpointError: if it cannot be exported.
    """
    with tempfile.TemporaryDirectory() as folder:
        export_model(checkpoint, Path(folder), timing=timing, name=checkpoint.source)
        return Model.load(folder, threads=threads)
