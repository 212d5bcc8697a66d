"""What a training run starts from: its weights, and what it is evaluated on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lakhnes.export.evaluation import N_STREAMS, SEGMENT, framed_song, parallel_streams
from lakhnes.export.lakhnes_checkpoint import Checkpoint
from lakhnes.export.prepared import PreparedData
from lakhnes.export.train_config import TrainConfig
from lakhnes.export.transformer_xl import TransformerXL
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.music.vocabulary import Vocabulary


def new_model(config: TrainConfig, vocabulary: Vocabulary, init: Checkpoint | None) -> TransformerXL:
    """A model to train.

    Args:
        config: its sizes, where `init` does not fix them, and its dropout.
        vocabulary: of the data.
        init: weights to start from; None for weights by chance. Where its vocabulary is another one, events
            that both have keep what was learned of them.
    """
    if init is None:
        return TransformerXL(config.model(len(vocabulary)))
    chances = {name: getattr(config, name) for name in ("dropout", "attention_dropout", "layer_drop")}
    model = TransformerXL(replace(init.model.config, n_token=len(vocabulary), **chances))
    weights = dict(init.model.state_dict())
    if init.vocabulary != vocabulary:
        weights |= _rows_of_events(weights, model.state_dict(), init.vocabulary, vocabulary)
    model.load_state_dict(weights)
    return model


def _rows_of_events(
    known: Mapping[str, Tensor], new: Mapping[str, Tensor], before: Vocabulary, after: Vocabulary
) -> dict[str, Tensor]:
    """The weights that depend on the vocabulary, for another one.

    Args:
        known: weights by name, of the vocabulary `before`.
        new: weights by name, of the vocabulary `after`; what only it has stays as here.
        before: which event is which row of `known`.
        after: the same of `new`.
    """
    rows = {event: row for row, event in enumerate(before.events)}
    pairs = [(row, rows[event]) for row, event in enumerate(after.events) if event in rows]
    to, of = (list(side) for side in zip(*pairs, strict=True))
    result = {}
    for name in ("embedding.weight", "output.weight", "output.bias"):
        result[name] = new[name].clone()
        result[name][to] = known[name][of]
    return result


def valid_streams(data: Sequence[PreparedData], n_tokens: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Streams of a part of the valid splits, by the protocol; songs by chance, always the same ones.

    Raises:
        DataError: if there are too few.
    """
    songs = []
    for one in data:
        if "valid" in one.splits:
            valid = one.songs("valid")
            songs += [framed_song(valid[i].tolist(), one.vocabulary) for i in range(len(valid))]
    order = np.random.default_rng(0).permutation(len(songs))
    tokens, targets = parallel_streams(songs[i] for i in order)
    length = -(-n_tokens // (N_STREAMS * SEGMENT)) * SEGMENT
    if not tokens[:, :length].size:
        raise DataError(
            f"The valid split of {data[0].folder} is too small to evaluate: it fills no {N_STREAMS} streams "
            f"of {SEGMENT} tokens. Prepare it with more valid songs."
        )
    return tokens[:, :length], targets[:, :length]
