"""Small made-up training data and settings that several tests share."""

from pathlib import Path
from typing import Any

import numpy as np

from lakhnes.export.prepared import PreparedData, write_prepared
from lakhnes.export.train_config import TrainConfig, make_config
from lakhnes.runtime import Codec, Note, Part, Score, Timing, tx1
from lakhnes.runtime.music.timing import FRAME_SAMPLES


def song(codec: Codec, seed: int, n_notes: int = 60) -> list[int]:
    """A tune that comes again and again, over a bass."""
    rng = np.random.default_rng(seed)
    tune = rng.integers(60, 72, 8)
    beat = 6 * FRAME_SAMPLES
    lead = [Note(i * beat, beat - FRAME_SAMPLES, int(tune[i % 8])) for i in range(n_notes)]
    bass = [Note(i * 2 * beat, 2 * beat, int(tune[i % 8]) - 24) for i in range(n_notes // 2)]
    return codec.encode(Score((Part(tuple(lead)), Part(), Part(tuple(bass)), Part()), n_notes * beat))


def small_data(
    folder: Path, *, n_train: int = 12, n_valid: int = 24, codec: Codec | None = None
) -> PreparedData:
    """Prepared songs in two splits."""
    codec = codec or Codec(tx1(), Timing.FRAMES)
    train = {f"t{i:02d}.mid": song(codec, i) for i in range(n_train)}
    valid = {f"v{i:02d}.mid": song(codec, 1000 + i) for i in range(n_valid)}
    return write_prepared(folder, codec, {"train": train, "valid": valid})


def small_config(**changes: Any) -> TrainConfig:
    """A run of seconds."""
    small = {
        "n_layer": 2,
        "n_head": 2,
        "d_model": 16,
        "d_inner": 32,
        "streams": 4,
        "segment": 16,
        "mem_len": 16,
        "steps": 12,
        "warmup": 2,
        "lr": 3e-3,
        "ema": 0.5,
        "bf16": False,
        "threads": 1,
        "valid_every": 6,
        "valid_tokens": 1280,
        "log_every": 3,
    }
    return make_config(preset="tiny", changes=small | changes)
