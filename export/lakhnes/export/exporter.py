"""Export: a checkpoint to a model folder for the runtime, checked against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lakhnes.export.lakhnes_checkpoint import Checkpoint
from lakhnes.export.onnx_graph import PRECISIONS, build_graph
from lakhnes.export.transformer_xl import TransformerXL
from lakhnes.runtime.bars.codec import make_codec
from lakhnes.runtime.decode.sampling import log_softmax
from lakhnes.runtime.errors import CheckpointError, ModelError, OptionError, OutputError
from lakhnes.runtime.files import real_name, write_whole
from lakhnes.runtime.model.model import Logits, Model
from lakhnes.runtime.model.model_info import METADATA_KEY, MODEL_FILE, ModelInfo
from lakhnes.runtime.music.timing import Timing

FP32_TOLERANCE = 1e-4
"""Largest difference of logits between a full-precision export and PyTorch."""

_CHUNK = 128


def export_model(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    precision: str = "fp32",
    mem_len: int = 512,
    timing: Timing | None = None,
    name: str | None = None,
    provenance: str = "",
    progress: Callable[[str], None] = lambda stage: None,
) -> ModelInfo:
    """Export a checkpoint.

    Args:
        checkpoint: what to export.
        folder: the model folder to create; it replaces an existing model.
        precision: `fp32`, or `int8` or `int4` for 8-bit or 4-bit weights.
        mem_len: slots of the memory. A checkpoint trained with `same_length` gets one less, which is the
            same: there a query counts itself among its keys.
        timing: timing of the checkpoint's training data; None for its own statement, or samples.
        name: the model's name; None for the folder's name.
        provenance: description of the training, in a sentence; the checkpoint's own if empty.
        progress: called with the name of each stage.

    Returns:
        The model's metadata, with the measured differences from PyTorch over one and a half memories of
        tokens.

    Raises:
        OptionError: if a setting is out of its range.
        CheckpointError: if the exported model differs from the checkpoint.
        OutputError: if it cannot be written.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"Precision {precision!r} is not known; give one of {', '.join(PRECISIONS)}.")
    if not 1 <= mem_len <= 65_536:
        raise OptionError(f"A memory of {mem_len} is out of range; give 1 to 65536, such as 512.")
    model, c = checkpoint.model.eval(), checkpoint.model.config
    timing = timing or checkpoint.timing or Timing.SAMPLES
    make_codec(checkpoint.vocabulary, timing)  # refuses a vocabulary that does not fit the timing
    info = ModelInfo(
        name=name or real_name(folder),
        n_layer=c.n_layer,
        n_head=c.n_head,
        d_head=c.d_head,
        d_model=c.d_model,
        d_inner=c.d_inner,
        mem_len=max(1, mem_len - c.same_length),
        precision=precision,
        timing=timing,
        vocabulary=checkpoint.vocabulary,
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        source=checkpoint.source,
        source_sha256=checkpoint.source_sha256,
        provenance=provenance or checkpoint.provenance,
    )
    progress("building the graph")
    data = _serialise(model, info)
    progress("comparing it with PyTorch")
    try:
        exported = Model.from_bytes(data)
    except ModelError as error:
        raise CheckpointError(f"{info.source} cannot be exported. {error}") from None
    info = replace(info, parity=measure_parity(model, exported), recall=checkpoint.recall)
    _judge(info)
    progress("writing it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be a model folder: {error.strerror}. Give another one.") from None
    write_whole(folder / MODEL_FILE, _serialise(model, info))
    return info


def _serialise(model: TransformerXL, info: ModelInfo) -> bytes:
    data: bytes = build_graph(
        model, info.mem_len, info.precision, {METADATA_KEY: info.to_json()}
    ).SerializeToString()
    return data


@torch.no_grad()
def reference_logits(model: TransformerXL, tokens: list[int], mem_len: int) -> Logits:
    """Return PyTorch's logits for a stream, each token with the `mem_len` before it: float32 [n, V]."""
    rows, memory = [], None
    for start in range(0, len(tokens), _CHUNK):
        segment = torch.tensor([tokens[start : start + _CHUNK]])
        logits, memory = model(segment, memory, mem_len=mem_len, window=mem_len)
        rows.append(logits[0].numpy())
    return np.concatenate(rows)


def measure_parity(model: TransformerXL, exported: Model, n_tokens: int | None = None) -> dict[str, float]:
    """Compare an exported model with PyTorch on a stream that the model itself finds likely.

    Args:
        model: the original.
        exported: the export.
        n_tokens: how many tokens; one and a half memories and some if None.

    Returns:
        `tokens`; `max_difference` of logits; `mean_kl`, nats from PyTorch's next-token distribution to the
        exported one's; `same_argmax`, share of tokens where both find the same one likeliest.
    """
    mem_len = exported.info.mem_len
    n = n_tokens or mem_len + mem_len // 2 + 64
    rng = np.random.default_rng(0)
    exported.reset()
    tokens, rows = [0], [exported.step(0)]
    while len(tokens) < n:
        gumbel = rng.gumbel(size=len(rows[-1]))
        tokens.append(int(np.argmax(rows[-1] + gumbel)))
        rows.append(exported.step(tokens[-1]))
    ours = np.stack(rows).astype(np.float64)
    theirs = reference_logits(model, tokens, mem_len).astype(np.float64)
    log_p, log_q = log_softmax(theirs), log_softmax(ours)
    return {
        "tokens": n,
        "max_difference": float(np.abs(ours - theirs).max()),
        "mean_kl": float((np.exp(log_p) * (log_p - log_q)).sum(-1).mean()),
        "same_argmax": float((ours.argmax(-1) == theirs.argmax(-1)).mean()),
    }


def _judge(info: ModelInfo) -> None:
    difference = info.parity["max_difference"]
    if not np.isfinite(difference) or (info.precision == "fp32" and difference > FP32_TOLERANCE):
        raise CheckpointError(
            f"The exported model differs from {info.source} by {difference:.2g}: its weights may be broken."
        )
