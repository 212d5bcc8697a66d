"""The loop of composing: a model and the songs that it composes."""

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
    """Lets a model that has forgotten everything, and a song, read what comes before.

    Args:
        model: what composes; its memory is reset.
        song: what is to come.
        prompt: tokens without `<S>` at their start; those that the memory cannot hold are left out.
        given: whether they are of music that is given, rather than composed by the model itself.

    Returns:
        float32 [V], for the first token of the song.
    """
    tokens = [END_TOKEN, *prompt][-model.info.mem_len :]
    model.reset()
    song.read(tokens, model.prefill(tokens[:-1]), given=given)
    return model.step(tokens[-1])


class Composer:
    """Composes one song; iterate over it for the events, ask `score` for what there is.

    The model belongs to the composer until the song is over.
    """

    def __init__(self, model: Model, song: Song) -> None:
        """Begins a song.

        Args:
            model: what composes; its memory is reset.
            song: what is to come; of its prompt the model reads what its memory can hold.
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
        """Length of what is composed so far, in model time."""
        return self.song.time_samples

    def score(self) -> Score:
        """What is composed so far, in model time, with every note closed."""
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
    """Composes many songs at once: each step reads one token of each.

    A song's result depends on its own source of chance alone; in full precision it is the one that it gets
    when it is composed by itself. With 8-bit weights it is not, for activations are rounded for all streams
    together.

    Args:
        model: what composes; its own memory is used for the prompts.
        songs: taken as there is room for them.
        width: how many go on at once.
        progress: told of each song after each of its tokens.

    Yields:
        Each song when it is over.
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
