"""The loop of composing: a model and its songs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.model.model import Logits, Model, Snapshot
from lakhnes.runtime.music.events import Event
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.vocabulary import END_TOKEN


def read_prompt(model: Model, song: Song, prompt: Sequence[int], *, given: bool = True) -> Logits:
    """Let a model and a song read a prompt, after clearing the model's memory.

    Args:
        model: the composing model; its memory is reset.
        song: the new song.
        prompt: tokens without `<S>` at their start; those beyond the model's memory are left out.
        given: whether they are existing music, rather than composed by the model itself.

    Returns:
        float32 [V]: logits for the first token of the song.
    """
    tokens = [END_TOKEN, *prompt][-model.info.mem_len :]
    model.reset()
    song.read(tokens, model.prefill(tokens[:-1]), given=given)
    return model.step(tokens[-1])


class Composer:
    """Composer of one song. Iterate over it for the events; `score` returns the music so far.

    The composer owns the model until the song is over.
    """

    def __init__(self, model: Model, song: Song) -> None:
        """Begin a song.

        Args:
            model: the composing model; its memory is reset.
            song: the new song; the model reads as much of its prompt as its memory holds.
        """
        self.song = song
        self._model = model
        self._events = self._compose()

    @property
    def n_tokens(self) -> int:
        """Tokens composed so far."""
        return self.song.n_tokens

    @property
    def time_samples(self) -> int:
        """Length of the music so far, in model time."""
        return self.song.time_samples

    def score(self) -> Score:
        """Return the music so far, in model time, with every note closed."""
        return self.song.score()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def _compose(self) -> Iterator[Event]:
        logits = read_prompt(self._model, self.song, self.song.prompt)
        while True:
            token, events = self.song.take(logits)
            yield from events
            if self.song.over:
                return
            logits = self._model.step(token)


def compose_together(
    model: Model,
    songs: Iterable[Song],
    *,
    width: int = 8,
    progress: Callable[[Song], None] = lambda song: None,
) -> Iterator[Song]:
    """Compose many songs at once: each step reads one token of each.

    A song depends on its own random generator only. In full precision it equals the same song composed alone.
    With 8-bit weights it does not, because activations are rounded for all streams together.

    Args:
        model: the composing model; its own memory is used for the prompts.
        songs: the songs; each starts when a stream is free.
        width: number of songs composed at once.
        progress: called with each song after each of its tokens.

    Yields:
        Each song, when it is over.
    """
    waiting = iter(songs)
    rows: list[Song | None] = list(islice(waiting, width))
    batch = model.batch(max(1, len(rows)))
    tokens = np.zeros(len(rows), np.int64)
    heard: tuple[list[int], Logits, Snapshot] | None = None

    def begin(row: int, song: Song) -> None:
        nonlocal heard
        first = [END_TOKEN, *song.prompt][-model.info.mem_len :]
        if heard is None or heard[0] != first:
            model.reset()
            heard = first, model.prefill(first[:-1]), model.snapshot()
        _, known, beginning = heard
        batch.begin(row, beginning)
        song.read(first, known)
        tokens[row] = first[-1]

    for row, song in enumerate(rows):
        if song is not None:
            begin(row, song)
    while any(rows):
        logits = batch.step(tokens)
        for row, song in enumerate(rows):
            if song is None:
                continue
            tokens[row], _ = song.take(logits[row])
            progress(song)
            if song.over:
                yield song
                rows[row] = following = next(waiting, None)
                if following is not None:
                    begin(row, following)
