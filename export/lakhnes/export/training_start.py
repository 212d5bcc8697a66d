"""The start of a training run: initial weights, and streams for its evaluations."""

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
    """Return a model to train.

    Args:
        config: its sizes, unless `init` determines them, and its dropout.
        vocabulary: of the data.
        init: initial weights; None for random weights. If its vocabulary differs, events in both
            vocabularies keep their learned weights.
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
    """Return the weights that depend on the vocabulary, converted to another vocabulary.

    Args:
        known: weights by name, for the vocabulary `before`.
        new: weights by name, for the vocabulary `after`; events only in it keep these weights.
        before: vocabulary of the rows of `known`.
        after: vocabulary of the rows of `new`.
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
    """Return streams of a part of the valid splits, by the protocol; the random choice is always the same.

    Raises:
        DataError: if the songs are too few.
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
