"""Songs whose end leads into their beginning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lakhnes.runtime.decode.sampling import log_softmax
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.model.model import Logits, Model
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.vocabulary import END_TOKEN

TAKES = 8
"""Endings that are tried."""


def compose_loop(
    model: Model,
    song: Song,
    *,
    length_samples: int,
    bar_samples: int,
    rng: np.random.Generator,
    takes: int = TAKES,
    progress: Callable[[Song], None] = lambda song: None,
) -> Song:
    """Composes a song to be played over and over.

    Its last bar is composed several times; the one stays after which the model finds the first bar likeliest.

    Args:
        model: what composes; its memory is reset.
        song: that nothing is composed of yet, of a fixed length.
        length_samples: that length.
        bar_samples: length of a bar.
        rng: the source of chance of the endings.
        takes: how many endings are tried.
        progress: takes the song after each event.

    Returns:
        The song with its best ending.

    Raises:
        OptionError: if the song has less than two bars.
    """
    if length_samples < 2 * bar_samples:
        raise OptionError("A loop needs two bars at least; ask for more.")
    model.reset()
    logits = model.step(END_TOKEN)
    while song.time_samples < length_samples - bar_samples:
        token, _ = song.take(logits)
        logits = model.step(token)
        progress(song)
    before = model.snapshot()
    best, best_likelihood = song, -np.inf
    for _ in range(takes):
        take = song.branch(np.random.default_rng(rng.integers(1 << 63)))
        model.restore(before)
        _finish(model, take, logits)
        progress(take)
        likelihood = _likelihood_again(model, take.score(), bar_samples)
        if likelihood > best_likelihood:
            best, best_likelihood = take, likelihood
    return best


def _finish(model: Model, song: Song, logits: Logits) -> None:
    """Composes a song to its end."""
    while not song.over:
        token, _ = song.take(logits)
        logits = model.step(token)


def _likelihood_again(model: Model, score: Score, bar_samples: int) -> float:
    """How likely the first bar of a score is after all of it, as it is heard: nats, 0 at most."""
    tokens = model.codec.encode(score)
    waits = model.codec.wait_samples[tokens]
    first_bar = [
        token for token, at in zip(tokens, np.cumsum(waits) - waits, strict=True) if at < bar_samples
    ]
    model.reset()
    after = model.prefill([END_TOKEN, *tokens][-model.info.mem_len :])[-1:]
    rows = np.concatenate([after, model.prefill(first_bar[:-1])])
    return float(log_softmax(rows)[np.arange(len(first_bar)), first_bar].sum())
