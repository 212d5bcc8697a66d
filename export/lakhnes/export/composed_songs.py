"""Songs that a model composes for its evaluation, each as long as a song of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lakhnes.export.musical_statistics import cut
from lakhnes.runtime.compose.arrange import Arrangement, compose_song
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.composer import compose_together
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.time.grid import BeatGrid

SHORTEST_SECONDS = 5.0
"""Shortest song of the data in seconds; shorter ones are left out."""

_WIDTH = 10
"""Number of songs composed at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of the songs."""

    songs: int = 50
    seconds: float = 60.0
    """Longest song in seconds; longer ones of the data are cut to it."""
    seed: int = 0
    """Seed of the first song; the next songs have the next seeds."""
    sampling: Sampling = USUAL_SAMPLING
    grid: BeatGrid | None = None
    """Grid whose rows all notes begin on; None for free time."""


def reference_songs(songs: Sequence[Score], seconds: float) -> list[Score]:
    """Return the songs of the data for the comparison: long enough, and cut to a length.

    Raises:
        DataError: if fewer than two are suitable.
    """
    long = [cut(song, round(seconds * SAMPLE_RATE)) for song in songs if song.seconds >= SHORTEST_SECONDS]
    if len(long) < 2:
        raise DataError(
            f"Only {len(long)} of the {len(songs)} songs last {SHORTEST_SECONDS:g} s or more; "
            "comparing takes two."
        )
    return long


def lengths_like(references: Sequence[Score], count: int) -> list[int]:
    """Return lengths in samples with the same spread as those of the references."""
    lengths = np.quantile([song.length for song in references], (np.arange(count) + 0.5) / count)
    return [round(length) for length in lengths.tolist()]


def compose_songs(
    model: Model,
    lengths: Sequence[int],
    plan: Plan,
    *,
    cache: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Score]:
    """Compose songs of given lengths, as `lakhnes generate` does.

    Args:
        model: the composing model.
        lengths: length of each in samples.
        plan: seed, sampling and grid.
        cache: whether a calibrated model's match cache is used.
        progress: called with the samples composed and their total.

    Returns:
        The songs: song i has seed `plan.seed + i` and length i.
    """

    def begin(place: int, length: int) -> Arrangement:
        request = Request(plan.seed + place, plan.sampling)
        return compose_song(model, request, plan.grid, cache=cache, length_samples=length)

    begun = [begin(place, length) for place, length in enumerate(lengths)]
    songs = [arrangement.composer.song for arrangement in begun]

    def tell(_: Song) -> None:
        progress(round(sum(lengths[i] * song.progress for i, song in enumerate(songs))), sum(lengths))

    width = min(_WIDTH, len(songs))
    for _ in compose_together(model, reversed(songs), width=width, progress=tell):  # the longest first
        pass
    return [arrangement.score() for arrangement in begun]
