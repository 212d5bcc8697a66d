"""Regenerating a passage of some voices; everything else stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np

from lakhnes.runtime.compose.around import PROMPT_TRUST, around, close_to_music, shown_until
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.compose.song_time import song_time
from lakhnes.runtime.decode.composer import compose_together
from lakhnes.runtime.decode.match_cache import MatchCache
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.editing import clipped, with_new, without_span
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import to_song

_TOLD_TOKENS = 4


def regenerate(
    model: Model,
    score: Score,
    span: tuple[int, int],
    voices: Collection[Voice],
    takes: Iterable[Request],
    *,
    grid: BeatGrid | None = None,
    width: int = 4,
    rng: np.random.Generator | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> Iterator[Score]:
    """Compose a passage of some voices again, in several takes at once; everything else stays.

    Notes of these voices that begin in the span are replaced; a note that rings into it stays. New notes end
    with it.

    Args:
        model: the composing model.
        score: the song.
        span: first sample and the one after the last.
        voices: the voices to compose again.
        takes: the settings of each take.
        grid: grid of the score; None for its tracked beat.
        width: number of takes composed at once.
        rng: the random generator of all; None for a new one from each request's seed.
        progress: called every few tokens with the fraction done, 0 to 1. An exception from it stops the
            work.

    Yields:
        A score for each take, in the order of completion.

    Raises:
        OptionError: if the span is empty or lies outside the song, or no voice is given.
    """
    _check_span(score, span)
    if not voices:
        raise OptionError("No voice is to be composed anew; give one at least.")
    kept = without_span(score, span, voices)
    takes, songs = list(takes), list[Song]()
    silent = [voice for voice in voices if not kept.parts[voice].notes]
    about = kept if kept.n_notes else score
    request = takes[0] if takes else Request()
    when = song_time(
        model,
        about,
        grid,
        request,
        request.rng(),
        new=silent if kept.n_notes else (),
        heard=score,
    )
    (start, end), time = span, when.time
    stays = time.score if kept.n_notes else Score(length=time.score.length)
    first = time.to_model(start)
    last = max(first + 1, time.to_model(end))
    stays = _around(stays, first, shown_until(when, last), model.info.mem_len)
    rings = {voice: max(first, time.to_model(_rings_until(kept.parts[voice], start))) for voice in voices}
    stays = Score.of(
        (_ended(stays.parts[v], first, rings[v]) if v in rings else stays.parts[v] for v in Voice),
        stays.length,
    )
    when, stays_there = around(when, stays, rings, (first, last))
    before, acts = events_before(when.codec, stays, first)

    def song(request: Request) -> Song:
        fresh = close_to_music(request, when.codec).song(
            when,
            voices=voices,
            cache=MatchCache.of(model, PROMPT_TRUST),
            rng=rng,
            extra=[stays_there],
            length_samples=last,
        )
        fresh.begin_with(before, acts=acts)
        songs.append(fresh)
        return fresh

    def told(composing: Song) -> None:
        if composing.over or composing.n_tokens % _TOLD_TOKENS == 0:
            done = sum(begun.time_samples - first for begun in songs)
            progress(min(1.0, done / (len(takes) * (last - first))))

    progress(0.0)
    for composed in compose_together(model, map(song, takes), width=width, progress=told):
        whole = composed.score()
        yield with_new(kept, {v: clipped(to_song(time, v, whole, rings[v]), span) for v in voices})


def _rings_until(part: Part, sample: int) -> int:
    """Return the end of the note that rings over a sample; the sample itself if no note does."""
    return max([sample, *(note.end for note in part.notes if note.onset < sample)])


def _ended(part: Part, first: int, end: int) -> Part:
    """Return a part whose note that rings over a sample ends at another sample at the latest.

    In bars a note of the noise lasts until the next one, which may lie after the span.
    """
    notes = (
        replace(note, length=min(note.length, end - note.onset)) if note.onset < first else note
        for note in part.notes
    )
    return Part(tuple(notes), part.changes)


def events_before(codec: Codec, score: Score, end: int) -> tuple[list[Event], bool]:
    """Return the events of a score up to a time, with the wait to it, and whether any comes at that time."""
    events, time, told, acts = list[Event](), 0, 0, False
    for event in codec.events_of(score):
        if event.kind is Kind.WAIT:
            time += event.value
        elif time < end:
            if time > told:
                events.append(Event(Kind.WAIT, None, time - told))
            events.append(event)
            told = time
        else:
            acts = time == end
            break
    return [*events, Event(Kind.WAIT, None, end - told)] if end > told else events, acts


def _around(score: Score, first: int, end: int, n_notes: int) -> Score:
    """Return a score without the music that is too far from a span for the model to use.

    Args:
        score: any.
        first: first sample of the span.
        end: sample to cut at, beyond the span by the music that the model reads after it.
        n_notes: number of notes to keep before the span; each takes at least one token.
    """
    onsets = sorted(note.onset for part in score.parts for note in part.notes if note.onset < first)
    low, high = ([0] * n_notes + onsets)[-n_notes], min(score.length, end)
    return score.map_parts(lambda part: clipped(part, (low, high)), high)


def _check_span(score: Score, span: tuple[int, int]) -> None:
    start, end = span
    if not 0 <= start < end <= score.length:
        raise OptionError(
            f"The span from {start / SAMPLE_RATE:.2f} to {end / SAMPLE_RATE:.2f} s is not within the "
            f"{score.seconds:.2f} s of the song; give one that is."
        )
