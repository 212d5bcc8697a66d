"""The head of a song in bars: the user's settings, and the model's choice for the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from lakhnes.runtime.bars.codec import HEAD
from lakhnes.runtime.decode.processors import FORBIDDEN
from lakhnes.runtime.decode.sampling import Sampling, draw
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.vocabulary import END_TOKEN

Place = tuple[Kind, Voice | None]
"""The subject of a head's event."""

Asked = Mapping[Place, Collection[int]]
"""Values that a head's events may have; unnamed events may have any value. A key without a possible value is
left out."""

_MAY_LACK = (Kind.KEY,)


def compose_head(
    model: Model, asked: Asked, rng: np.random.Generator, sampling: Sampling | None = None
) -> tuple[Event, ...]:
    """Draw the head of a song.

    Args:
        model: a model in bars; its memory is reset.
        asked: the requested values.
        rng: the random generator.
        sampling: temperature, top-k and top-p; None for the defaults.

    Returns:
        One event for each place of `HEAD`; the key may be missing.
    """
    model.reset()
    codec = model.codec
    places = [(event.kind, event.voice) for event in codec.vocabulary.events]
    head: list[Event] = []
    place, token = 0, END_TOKEN
    while place < len(HEAD):
        logits = model.step(token)
        ends = place + (HEAD[place][0] in _MAY_LACK and not asked.get(HEAD[place]))
        wanted = HEAD[place : ends + 1]
        fits = [
            where in wanted and (where not in asked or event.value in asked[where])
            for where, event in zip(places, codec.vocabulary.events, strict=True)
        ]
        token = draw(np.where(fits, logits, FORBIDDEN), sampling or Sampling(), rng)
        head.append(codec.event(token))
        place = HEAD.index(places[token]) + 1
    return tuple(head)
