"""Loops: songs whose end leads into their beginning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lakhnes.runtime.compose.arrange import Composed, compose_song
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.composer import read_prompt
from lakhnes.runtime.decode.match_cache import Reader
from lakhnes.runtime.decode.sampling import log_softmax
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.model.model import Logits, Model
from lakhnes.runtime.music.editing import clipped
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.time.grid import BeatGrid

TAKES = 8
"""Number of endings to try."""


def compose_loop(
    model: Model,
    request: Request,
    grid: BeatGrid,
    bars: int,
    *,
    takes: int = TAKES,
    progress: Callable[[float, int], None] = lambda done, n_tokens: None,
) -> Composed:
    """Compose a song for endless playing.

    Its last bar is composed several times. The best is the one after which the model finds the first bar
    likeliest.

    Args:
        model: the composing model; its memory is reset.
        request: the user's settings.
        grid: grid from tick 0.
        bars: length of the song.
        takes: number of endings to try.
        progress: called with the fraction done, 0..1, and the number of composed tokens.

    Returns:
        The song with its best ending.

    Raises:
        OptionError: if the song has fewer than two bars.
    """
    if bars < 2:
        raise OptionError("A loop needs two bars at least; ask for more.")
    whole = compose_song(model, request, grid, length_samples=grid.sample(bars * grid.bar_ticks))
    song = whole.composer.song
    codec = song.codec
    bar = whole.time.to_model(grid.sample(grid.bar_ticks))
    rng = np.random.default_rng([*np.atleast_1d(request.seed), 1])
    logits = read_prompt(model, song, song.prompt)
    while song.time_samples < (bars - 1) * bar:
        token, _ = song.take(logits)
        logits = model.step(token)
        progress(song.progress, song.n_tokens)
    before = model.snapshot()
    best, best_likelihood = song, -np.inf
    for _ in range(takes):
        take = song.branch(np.random.default_rng(rng.integers(1 << 63)))
        model.restore(before)
        _finish(model, take, logits)
        likelihood = _likelihood_again(model, codec, take.score(), bar)
        if likelihood > best_likelihood:
            best, best_likelihood = take, likelihood
    progress(1.0, best.n_tokens)
    return Composed(whole.finished(best), best.n_tokens, grid)


def _finish(model: Model, song: Song, logits: Logits) -> None:
    """Compose a song to its end."""
    while not song.over:
        token, _ = song.take(logits)
        logits = model.step(token)


def _likelihood_again(model: Model, codec: Codec, score: Score, bar_samples: int) -> float:
    """Return the likelihood of a score's first bar after the whole score, in nats, 0 at most.

    The score is in model time.
    """
    tokens = codec.tokens(codec.events_of(score))
    bar = score.map_parts(lambda part: clipped(part, (0, bar_samples)), bar_samples)
    first_bar = codec.tokens(codec.events_of(bar), score.length)
    reader = Reader(model)
    after = reader.read([END_TOKEN, *codec.beginning_at(0), *tokens][-model.info.mem_len :])[-1:]
    rows = np.concatenate([after, reader.read(first_bar[:-1])])
    return float(log_softmax(rows)[np.arange(len(first_bar)), first_bar].sum())
