"""Composing a span of some voices anew, while everything else stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np

from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.compose.song_time import song_time
from lakhnes.runtime.decode.composer import compose_together
from lakhnes.runtime.decode.kept import Kept
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.editing import clipped, with_new, without_span
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import beat_of, to_song

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
    """Composes a span of some voices anew, several times at once, while everything else stays.

    Notes of these voices that begin in the span go; one that rings into it stays. New notes end with it.

    Args:
        model: what composes.
        score: the song.
        span: first sample and the one after the last.
        voices: those that are composed anew.
        takes: what is asked for of each.
        grid: of the score; None for the beat that is found in it.
        width: how many takes are composed at once.
        rng: the source of chance of all; None for a new one of each request's seed.
        progress: told every few tokens how much of all takes is composed, 0 to 1. What it raises ends the
            work.

    Yields:
        A score for each take, in the order in which they are ready.

    Raises:
        OptionError: if the span is empty or lies outside the song, or there is no voice.
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
        grid or beat_of(score),
        request,
        request.rng(),
        new=silent if kept.n_notes else (),
    )
    (start, end), time, codec = span, when.time, when.codec
    stays = time.score if kept.n_notes else Score(length=time.score.length)
    first = time.to_model(start)
    last = max(first + 1, time.to_model(end))
    stays = _around(stays, first, last + codec.longest_wait, model.info.mem_len)
    before = _events_before(codec, stays, first)
    rings = {voice: _rings_until(stays.parts[voice], first) for voice in voices}

    def song(request: Request) -> Song:
        fresh = request.song(
            when,
            voices=voices,
            rng=rng,
            extra=[Kept(codec, stays, rings)],
            length_samples=last,
        )
        fresh.begin_with(before)
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
    """Where the note ends that rings over a sample; the sample itself if none does."""
    return max([sample, *(note.end for note in part.notes if note.onset < sample)])


def _events_before(codec: Codec, score: Score, end: int) -> list[Event]:
    """The events of a score up to a time, the wait to it included."""
    events, time = list[Event](), 0
    for event in codec.events_of(score):
        if time == end:
            break
        wait = min(event.value, end - time) if event.kind is Kind.WAIT else 0
        events.append(Event(Kind.WAIT, None, wait) if wait else event)
        time += wait
    return events


def _around(score: Score, first: int, end: int, n_notes: int) -> Score:
    """A score without what is too far away for a model that composes in a span to know of.

    Args:
        score: any.
        first: the span's first sample.
        end: cut there, beyond the span by the longest wait that a model can say.
        n_notes: so many notes before the span stay, which take as many tokens at least.
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
