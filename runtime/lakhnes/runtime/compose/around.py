"""How a model reads kept music while it composes around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lakhnes.runtime.bars.codec import BarredCodec
from lakhnes.runtime.bars.shown import SHOWN_BARS, far_side, given_voices
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.kept import Kept
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import Codec, Timing
from lakhnes.runtime.time.model_time import SongTime

CLOSENESS = 0.85
"""Factor of the temperature around existing music. With it a model in bars takes up the motifs of a prompt
and fits kept voices as human music does; see `lakhnes evaluate --arrangements`."""

PROMPT_TRUST = 2.0
"""Trust in the match cache for music that continues a prompt or fills a span. With it, motifs return as often
as in human music; see `lakhnes evaluate --arrangements`."""


def close_to_music(request: Request, codec: Codec) -> Request:
    """Return a request for music that is to fit existing music."""
    if codec.timing is not Timing.BARS:
        return request
    sampling = request.sampling
    return replace(request, sampling=replace(sampling, temperature=CLOSENESS * sampling.temperature))


def around(
    when: SongTime, kept: Score, free: Mapping[Voice, int], span: tuple[int, int] | None = None
) -> tuple[SongTime, Kept]:
    """Return kept music in two forms: as a model reads it, and as it limits the generated music.

    A model meets kept music moment by moment. One that has learned it also reads the kept voices of each bar
    at the start of the bar, the relations of existing bars, and the bars after a span before the span.

    Args:
        when: the time of the song.
        kept: the kept music, in model time.
        free: for each generated voice the model time from which it may act.
        span: first and last model time to compose; None for the whole score.

    Returns:
        The time of the song with the music to read, and the processor.
    """
    codec = when.codec
    if not isinstance(codec, BarredCodec) or not codec.vocabulary.shows:
        return when, Kept(codec, kept, free)
    first, last = span or (0, kept.length)
    bar = codec.longest_wait
    bars = range(first // bar, -(-last // bar))
    shown = far_side(codec, kept, bars) if last < kept.length else {}
    stay = [voice for voice in Voice if voice not in free and kept.parts[voice].notes]
    if stay:
        given = given_voices(codec, kept, stay, bars)
        shown = {n: (*shown.get(n, ()), *given[n]) for n in bars}
    told = replace(when, codec=codec.telling(shown).knowing(kept, first, stay))
    return told, Kept(told.codec, kept, free)


def shown_until(when: SongTime, last: int) -> int:
    """Return the model time up to which the model reads music after a span."""
    bar = when.codec.longest_wait
    return (-(-last // bar) + SHOWN_BARS) * bar if when.codec.vocabulary.shows else last + bar
