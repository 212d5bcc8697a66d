"""Perplexity by LakhNES's protocol: streams of songs, and exported models; without PyTorch.

Source: LakhNES `model/eval.py`, `model/data_utils.py` (`LMMultiFileIterator`): songs in sorted order, one
leading and one trailing wait trimmed, songs under 10 tokens skipped, each song between two `<S>`. Parallel
streams are filled song after song with the memory carried over, up to the first that runs out.
PyTorch models use the same streams in `checkpoint_evaluation.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.match_cache import Reader
from lakhnes.runtime.decode.sampling import log_softmax
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.model.model_file import PREFILL_CHUNK
from lakhnes.runtime.music.events import Kind
from lakhnes.runtime.music.vocabulary import END_TOKEN, Vocabulary

N_STREAMS = 10
"""Parallel streams of the protocol."""

SEGMENT = 128
"""Tokens that a stream takes at once: LakhNES's target length."""

MEM_LEN = 896
"""Memory of a PyTorch model under the protocol; an exported model has its own."""

MIN_SONG_TOKENS = 10
"""Songs shorter than this, `<S>` included, are skipped."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Quality of a model's predictions."""

    loss: float
    """Nats a token, averaged over tokens."""
    tokens: int

    @property
    def perplexity(self) -> float:
        """exp(loss)."""
        return math.exp(self.loss)


def framed_song(tokens: Sequence[int], vocabulary: Vocabulary) -> list[int]:
    """Return a song's tokens without one wait at each end, between two `<S>`."""
    kept = list(tokens)
    if kept and vocabulary.events[kept[0]].kind is Kind.WAIT:
        kept = kept[1:]
    if kept and vocabulary.events[kept[-1]].kind is Kind.WAIT:
        kept = kept[:-1]
    return [END_TOKEN, *kept, END_TOKEN]


def parallel_streams(
    songs: Iterable[Sequence[int]], n_streams: int = N_STREAMS, segment: int = SEGMENT
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fill streams with songs as LakhNES does.

    Args:
        songs: token ids with `<S>` at both ends; short ones are skipped.
        n_streams: number of streams.
        segment: tokens that a stream takes before the next stream's turn.

    Returns:
        Tokens and the next tokens, int64 [streams, n * segment] each.
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


@dataclass(frozen=True, slots=True)
class EvaluationStreams:
    """Streams for an evaluation."""

    data: NDArray[np.int64]
    """int64 [B, n]."""
    targets: NDArray[np.int64]
    """int64 [B, n]: the token after each."""
    segment: int
    """Tokens that a PyTorch model takes at once; n is a multiple of it."""
    songs: int
    """Number of songs in the streams; the last ones may be incomplete."""


def fill_streams(
    songs: Iterable[Sequence[int]], vocabulary: Vocabulary, *, single_steps: bool
) -> EvaluationStreams:
    """Fill the protocol's ten streams, or one if the music is too short for ten.

    Args:
        songs: token ids without `<S>`, in order.
        vocabulary: vocabulary of the tokens.
        single_steps: whether one stream may end at any token, not only at a segment's end; for models that
            give the same result for any segments.

    Raises:
        DataError: if the music is too short for one segment.
    """
    framed = [
        song for song in (framed_song(song, vocabulary) for song in songs) if len(song) >= MIN_SONG_TOKENS
    ]
    segment = SEGMENT
    data, targets = parallel_streams(framed)
    if not data.size:
        segment = 1 if single_steps else SEGMENT
        data, targets = parallel_streams(framed, 1, segment)
    if not data.size:
        tokens = sum(len(song) - 1 for song in framed)
        raise DataError(
            f"There is too little to evaluate: {len(framed)} songs of {MIN_SONG_TOKENS} tokens or more, "
            f"{tokens} tokens in all; give at least {segment}."
        )
    return EvaluationStreams(data, targets, segment, len(framed))


def evaluate_exported(
    model: Model,
    data: NDArray[np.int64],
    targets: NDArray[np.int64],
    *,
    cache: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Evaluate an exported model; every token sees the model's whole memory.

    Args:
        model: the model; its own stream stays unchanged.
        data: the streams, int64 [B, n].
        targets: the next tokens, int64 [B, n].
        cache: whether a calibrated model's match cache is used.
        progress: called with the tokens done and their total.
    """
    if not data.size:
        return Evaluation(math.nan, 0)
    # Batches consist of tokens, not streams: ten parallel streams do not fit into caches, and take longer.
    twin = model.twin()
    total = 0.0
    for stream, (tokens, wanted) in enumerate(zip(data, targets, strict=True)):
        reader = Reader(twin, cache=cache)
        for start in range(0, len(tokens), PREFILL_CHUNK):
            part = tokens[start : start + PREFILL_CHUNK]
            total += total_loss(reader.read(part, given=True), wanted[start : start + PREFILL_CHUNK])
            progress(stream * len(tokens) + start + len(part), data.size)
    return Evaluation(total / data.size, data.size)


def total_loss(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Return the nats of all targets together: logits float32 [..., V], targets int64 [...]."""
    return -float(np.take_along_axis(log_softmax(logits), targets[..., None], -1).sum())
