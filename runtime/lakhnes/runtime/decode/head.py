"""The head of a song in bars: what is asked of it, and for the rest what the model likes."""

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
"""What an event of a head is about."""

Asked = Mapping[Place, Collection[int]]
"""Values that the events of a head may have; those that are not named may have any."""

_MAY_LACK = (Kind.KEY,)


def compose_head(
    model: Model, asked: Asked, rng: np.random.Generator, sampling: Sampling | None = None
) -> tuple[Event, ...]:
    """Draws the head of a song.

    Args:
        model: that composes in bars; its memory is reset.
        asked: what is asked of the song.
        rng: the source of chance.
        sampling: temperature and cuts; None for the defaults.

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
        ends = place + (HEAD[place][0] in _MAY_LACK and HEAD[place] not in asked)
        wanted = HEAD[place : ends + 1]
        fits = [
            where in wanted and (where not in asked or event.value in asked[where])
            for where, event in zip(places, codec.vocabulary.events, strict=True)
        ]
        token = draw(np.where(fits, logits, FORBIDDEN), sampling or Sampling(), rng)
        head.append(codec.event(token))
        place = HEAD.index(places[token]) + 1
    return tuple(head)
