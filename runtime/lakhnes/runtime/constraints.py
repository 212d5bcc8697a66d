"""Constraints: what may not come next.

Whatever must or must not be composed is a constraint; the sampler knows nothing else.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.events import Event, Kind, Voice
from lakhnes.runtime.score import N_RANKS, rank
from lakhnes.runtime.timing import Codec
from lakhnes.runtime.vocabulary import END_TOKEN

Mask = NDArray[np.bool_]


class Constraint(Protocol):
    """Something that forbids tokens, and hears what is composed."""

    def restrict(self, allowed: Mask) -> None:
        """Clears the tokens that may not come next in `allowed`, bool [V]."""

    def observe(self, event: Event) -> None:
        """Hears the next event."""


class Grammar:
    """Keeps a stream canonical, as all training data are.

    At one sample the voices speak in order, each once: so time always goes on. A voice that is silent gets no
    NOTEOFF, and waits are those of the timing.
    """

    def __init__(self, codec: Codec) -> None:
        """Begins at the start of a song.

        Args:
            codec: of the model that composes.
        """
        events = codec.vocabulary.events
        ranks = np.array([rank(event) for event in events])
        # A wait or the end (rank -1) may always come; others only after what stands before them.
        self._after = [codec.used & ((ranks < 0) | (ranks > spoken)) for spoken in range(-1, N_RANKS)]
        self._noteoffs = [codec.vocabulary.token(Event(Kind.NOTE_OFF, voice)) for voice in Voice]
        self._spoken = -1
        self._sounding = [False] * len(Voice)

    def restrict(self, allowed: Mask) -> None:
        """Clears what would come out of order, NOTEOFFs of silent voices, and waits of other timings."""
        allowed &= self._after[self._spoken + 1]
        for token, sounding in zip(self._noteoffs, self._sounding, strict=True):
            if not sounding:
                allowed[token] = False

    def observe(self, event: Event) -> None:
        """Hears the next event."""
        self._spoken = rank(event)
        if event.voice is not None and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
            self._sounding[event.voice] = event.kind is Kind.NOTE_ON


class NoEnd:
    """Forbids `<S>`: the song goes on until it has the length that was asked for."""

    def restrict(self, allowed: Mask) -> None:
        """Clears `<S>`."""
        allowed[END_TOKEN] = False

    def observe(self, event: Event) -> None:
        """Needs to hear nothing."""
