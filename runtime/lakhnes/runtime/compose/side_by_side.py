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
    """Compose songs in threads, each with its own memory.

    A batch that steps many songs together is faster on one core. With 8-bit weights, however, it rounds the
    activations of all songs together, so a song would depend on the others. Here each song depends on its
    seed only.

    Args:
        model: the composing model.
        asked: the settings of each song.
        begin: starts a song with its own model.
        progress: called after tokens with all songs that have started.
        width: number of songs composed at the same time; None for one per core.

    Returns:
        The finished songs, in order.

    Raises:
        LakhnesError: the first error of a song; the other songs end.
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
