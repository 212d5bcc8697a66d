"""Music read from a tracker's text, and the score of its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from lakhnes.apu.register_log import Tags
from lakhnes.runtime.music.events import Event, Kind
from lakhnes.runtime.music.score import Score, ScoreBuilder
from lakhnes.runtime.time.grid import BeatGrid


@dataclass(frozen=True, slots=True)
class TrackerMusic:
    """Music of a text, with its beats and texts."""

    score: Score
    grid: BeatGrid | None
    """Its beats, if it has one tempo."""
    tags: Tags
    remarks: tuple[str, ...]
    """Sentences for the user about what is left out."""


class TimedEvent(NamedTuple):
    """An event at a sample."""

    sample: int
    order: int
    """Order among the events of a sample: ends before beginnings, beginnings before changes."""
    event: Event


def score_of_events(events: Iterable[TimedEvent], length: int) -> Score:
    """Return the score of some events, in any order.

    Args:
        events: those at or after the end are left out.
        length: of the song, in samples; below 1 counts as 1.
    """
    builder, time = ScoreBuilder(), 0
    for sample, _, event in sorted(events, key=lambda one: one[:2]):
        if sample >= length:
            break
        if sample > time:
            builder.add(Event(Kind.WAIT, None, sample - time))
            time = sample
        builder.add(event)
    builder.add(Event(Kind.WAIT, None, max(1, length - time)))
    return builder.score()


__all__ = ["TimedEvent", "TrackerMusic", "score_of_events"]
