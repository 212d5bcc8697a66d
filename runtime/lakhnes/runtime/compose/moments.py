"""Conversion between scores and moments, which lie on ticks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from operator import itemgetter

from lakhnes.runtime.compose.span import Moment
from lakhnes.runtime.music.events import END, Event, Kind, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY, Part, Score, ScoreBuilder, rank
from lakhnes.runtime.time.grid import BeatGrid


def order_of(moment: Moment) -> tuple[int, int]:
    """Return the sort key of a moment."""
    return moment.tick, rank(moment.event)


def moments_of(parts: Sequence[Part], grid: BeatGrid, end: int, *, expression: bool) -> list[Moment]:
    """Return what happens in the parts of a score, on ticks up to an end, in order.

    Full volume is stated only with `expression`, and only if it is not a note's own.
    """
    happens: dict[tuple[int, int], Event] = {}
    tick_at = cache(grid.tick)  # notes often begin where others end
    for voice, part in zip(Voice, parts, strict=True):
        starts = [tick_at(note.onset) for note in part.notes]
        turns: dict[int, Event] = {}
        said = [(change.sample, change.kind, change.value) for change in part.changes]
        full = set[int]()  # ticks of notes that need no volume of their own
        for note, onset, after in zip(part.notes, starts, (*starts, end)[1:], strict=True):
            if onset < after:  # if not, another note takes its place
                turns[onset] = Event(Kind.NOTE_ON, voice, note.pitch)
                turns.setdefault(max(tick_at(note.end), onset + 1), Event(Kind.NOTE_OFF, voice))
                said.append((note.onset, Kind.VELOCITY, note.velocity))
                if voice is Voice.TR or not expression:
                    full.add(onset)
        for sample, kind, value in sorted(said, key=itemgetter(0)):
            tick = tick_at(sample)
            if value != FULL_VELOCITY or kind is not Kind.VELOCITY or tick not in full:
                happens[tick, rank(Event(kind, voice))] = Event(kind, voice, value)
        happens.update({(tick, rank(event)): event for tick, event in turns.items()})
    return [
        Moment(tick, event) for (tick, _), event in sorted(happens.items(), key=itemgetter(0)) if tick <= end
    ]


def score_of_moments(start: int, end: int, moments: Iterable[Moment], grid: BeatGrid) -> tuple[int, Score]:
    """Return the score of the moments between two ticks, and its first tick."""
    builder = ScoreBuilder()
    origin, now = grid.sample(start), start
    for tick, event in (*moments, Moment(end, END)):
        if tick > now:
            builder.add(Event(Kind.WAIT, None, grid.sample(tick) - origin - builder.time))
            now = tick
        builder.add(event)
    return start, builder.score()


def ends_before_gaps(moments: Iterable[Moment], least: int) -> set[Moment]:
    """Return the ends of notes before gaps shorter than some ticks, and of the noise before any gap."""
    found = set[Moment]()
    ended = dict[Voice | None, Moment]()
    for moment in moments:
        voice, kind = moment.event.voice, moment.event.kind
        if kind is Kind.NOTE_OFF:
            ended[voice] = moment
            if voice is Voice.NO:
                found.add(moment)
        elif kind is Kind.NOTE_ON and voice in ended and moment.tick - ended[voice].tick < least:
            found.add(ended.pop(voice))
    return found
