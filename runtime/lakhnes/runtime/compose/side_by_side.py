"""Many songs at once, each exactly as if it were composed alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lakhnes.runtime.compose.arrange import Arrangement
from lakhnes.runtime.model.model import Model

Asked = TypeVar("Asked")


def side_by_side(
    model: Model,
    asked: Sequence[Asked],
    begin: Callable[[Model, Asked], Arrangement],
    *,
    progress: Callable[[Sequence[Arrangement]], None] = lambda begun: None,
    width: int | None = None,
) -> list[Arrangement]:
    """Composes songs in threads, each with a memory of its own.

    A batch that steps many songs together is faster on one core, but with 8-bit weights it rounds the
    activations of all its songs together: a song would depend on its neighbours. Here a song is that of its
    seed.

    Args:
        model: what composes.
        asked: what is asked for, of each song.
        begin: begins a song with a model of its own.
        progress: told after tokens of all the songs that have begun.
        width: how many are composed at the same time; None for one on each core.

    Returns:
        The finished songs, in order.

    Raises:
        LakhnesError: the first that a song raises; the others end.
    """
    begun: list[Arrangement] = []
    ended = False

    def compose(one: Asked) -> Arrangement:
        arrangement = begin(model.twin(), one)
        begun.append(arrangement)
        for _ in arrangement:
            if ended:
                break
            progress(begun)
        return arrangement

    if len(asked) == 1:
        return [compose(asked[0])]
    with ThreadPoolExecutor(width or os.cpu_count() or 1) as pool:
        try:
            return list(pool.map(compose, asked))
        finally:
            ended = True
