"""Existing music that a model in bars reads at a bar line, before it composes the bar.

Given voices are shown at the start of each bar, and play in their own time as well. The bars after a gap are
shown before the gap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from lakhnes.runtime.bars.codec import BarredCodec
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import Score

SHOWN_BARS = 2
"""Number of bars after a gap that are shown."""

FARTHEST = 8
"""Distance in bars before the end of a gap from which they are shown; models learn no longer gaps."""

AfterBars = Mapping[int, tuple[int, ...]]
"""Tokens that follow BAR, by the number of the bar from the song's first bar line."""


def given_voices(
    codec: BarredCodec, score: Score, voices: Collection[Voice], bars: range
) -> dict[int, tuple[int, ...]]:
    """Show the music of some voices in some bars.

    Args:
        codec: the codec of the song.
        score: in model time.
        voices: the given voices; not all of them.
        bars: numbers of bars.
    """
    bits = sum(1 << voice for voice in voices)
    lines = _lines(codec, score.only(voices))
    begin, back = codec.token(Event(Kind.GIVEN, None, bits)), codec.token(Event(Kind.BACK))
    return {bar: (begin, *lines.get(bar, ()), back) for bar in bars}


def far_side(codec: BarredCodec, score: Score, bars: range) -> dict[int, tuple[int, ...]]:
    """Show the bars that follow a gap, if any.

    Args:
        codec: the codec of the song.
        score: in model time.
        bars: the bars of the gap.
    """
    lines = _lines(codec, score)
    shown = [bar for bar in range(bars.stop, bars.stop + SHOWN_BARS) if bar in lines]
    if not shown:
        return {}
    first = max(bars.start, bars.stop - FARTHEST)
    content = [
        token
        for bar in range(bars.stop, shown[-1] + 1)
        for token in (codec.bar_token(bar), *lines.get(bar, ()))
    ]
    ahead = codec.token(Event(Kind.AHEAD, None, bars.stop - first))
    return {first: (ahead, *content, codec.token(Event(Kind.BACK)))}


def _lines(codec: BarredCodec, score: Score) -> dict[int, list[int]]:
    """Return the tokens of each bar of a score that has any, without BAR."""
    lines: dict[int, list[int]] = {}
    told = None
    for time, event in _timed(codec, score):
        bar, place = time // codec.longest_wait, codec.place_at(time)
        line = lines.setdefault(bar, [])
        if place and told != time:
            line.append(codec.arriving_at(time)[-1])
        told = time
        line.append(codec.token(event))
    return lines


def _timed(codec: BarredCodec, score: Score) -> Iterator[tuple[int, Event]]:
    time = 0
    for event in codec.events_of(score):
        if event.kind is Kind.WAIT:
            time += event.value
        else:
            yield time, event
