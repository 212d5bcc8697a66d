"""Composing from nothing, and with music that is there: continuing, accompanying, composing a part anew.

What stays comes out as it went in, sample for sample. Where it has a beat, new notes begin on its rows; the
beat is the grid that is given, else the one that is found, if it is sure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.compose.song_time import song_time
from lakhnes.runtime.decode.composer import Composer
from lakhnes.runtime.decode.kept import Kept, Template
from lakhnes.runtime.decode.match_cache import MatchCache, Reader
from lakhnes.runtime.decode.processors import MELODIC
from lakhnes.runtime.decode.sampling import log_softmax
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import MusicError, OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.editing import clipped, with_new
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import ModelTime, beat_of, to_song

MAX_SECONDS = 180
"""What is new is cut here, if neither the user nor the model ends it."""

PERPLEXITY_TOKENS = 4096
"""Most tokens of a prompt that its perplexity is measured on; that takes some two seconds."""

PROMPT_TRUST = 2.0
"""How far the match cache is trusted in what continues a prompt, so that its motifs return as often as in
music of people; see `lakhnes evaluate --arrangements`."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A song, and what it took."""

    score: Score
    n_tokens: int
    """Events that were composed; what came back in a form does not count."""
    grid: BeatGrid | None = None
    """On which it lies; None for free time."""


class Arrangement:
    """Music in the making; iterate over it to compose, ask `score` for what there is.

    Attributes:
        composer: what composes what is new, in model time.
        time: that model time.
        grid: on which the whole lies; None where no beat is known.
    """

    def __init__(
        self,
        composer: Composer,
        finish: Callable[[Song], Score],
        time: ModelTime,
        grid: BeatGrid | None = None,
    ) -> None:
        """Takes a composer, what makes the whole of its song, and time and grid of the whole."""
        self.composer = composer
        self.time = time
        self.grid = grid
        self._finish = finish

    def __iter__(self) -> Iterator[Event]:
        return iter(self.composer)

    @property
    def progress(self) -> float:
        """How much of what is new is composed, 0..1; of a song that the model ends, of its longest."""
        return self.composer.song.progress

    def score(self) -> Score:
        """The whole: what was there, and what is new so far."""
        return self.finished(self.composer.song)

    def finished(self, song: Song) -> Score:
        """The whole with what is new as in a song: that of the composer, or a branch of it."""
        return self._finish(song)


def prompt_perplexity(model: Model, prompt: Score) -> float:
    """How well a model foresees a score, of a long one its last 4,096 tokens: exp of nats a token.

    Raises:
        MusicError: if the score has no note.

    Source: LakhNES `continuations.ipynb`.
    """
    tokens = model.codec.encode(_with_notes(prompt))[-PERPLEXITY_TOKENS:]
    logits = Reader(model).read([END_TOKEN, *tokens[:-1]])
    return float(np.exp(-log_softmax(logits)[np.arange(len(tokens)), tokens].mean()))


def compose_song(
    model: Model,
    request: Request,
    grid: BeatGrid | None = None,
    *,
    length_samples: int | None = None,
    min_samples: int = 0,
    max_samples: int | None = None,
    max_tokens: int | None = None,
    cache: bool = True,
    rng: np.random.Generator | None = None,
) -> Arrangement:
    """Composes a song from nothing.

    Args:
        model: what composes.
        request: what is asked for.
        grid: from tick 0 on; every note begins on its rows. None for free time.
        length_samples: of the song, exactly; the model cannot end it before.
        min_samples: the model cannot end the song before.
        max_samples: the song is cut here if the model has not ended it.
        max_tokens: at most so many tokens.
        cache: whether the model's match cache takes part, if it is calibrated.
        rng: the source of chance; None for a new one of the request's seed.

    Raises:
        OptionError: if something is asked for that cannot be done.
    """
    rng = request.rng() if rng is None else rng
    when = song_time(model, Score(), grid, request, rng)
    time = when.time

    def told(samples: int | None) -> int | None:
        return None if samples is None else max(1, time.to_model(samples))

    song = request.song(
        when,
        cache=MatchCache.of(model) if cache else None,
        rng=rng,
        length_samples=told(length_samples),
        min_samples=time.to_model(min_samples),
        max_samples=told(max_samples),
        max_tokens=max_tokens,
    )

    def finish(song: Song) -> Score:
        composed = song.score()
        end = length_samples if song.over and length_samples else time.to_song(composed.length)
        return Score.of((clipped(to_song(time, v, composed), (0, end)) for v in Voice), end)

    return Arrangement(Composer(model, song), finish, time, when.grid)


def continue_score(
    model: Model,
    prompt: Score,
    request: Request,
    seconds: float | None = None,
    *,
    grid: BeatGrid | None = None,
    trust: float = PROMPT_TRUST,
    rng: np.random.Generator | None = None,
) -> Arrangement:
    """Goes on where a score ends.

    Args:
        model: what composes; of the prompt it reads what its memory holds.
        prompt: what is there; it comes out as it went in.
        request: what is asked for.
        seconds: length of what is new; None lets the model end it.
        grid: of the prompt; None for the beat that is found in it.
        trust: how far the match cache is trusted, see `MatchCache`; more keeps closer to the prompt.
        rng: the source of chance; None for a new one of the request's seed.

    Raises:
        MusicError: if the prompt has no note, or a pitch outside the vocabulary.
    """
    grid = grid or beat_of(_with_notes(prompt))
    rng = request.rng() if rng is None else rng
    silent = [voice for voice in Voice if not prompt.parts[voice].notes]
    when = song_time(model, prompt, grid, request, rng, new=silent)
    time = when.time
    events = list(when.codec.events_of(time.score))
    start = time.score.length
    stop = prompt.length + max(1, round((seconds or MAX_SECONDS) * SAMPLE_RATE))
    end = max(start + 1, time.to_model(stop))
    song = request.song(
        when,
        cache=MatchCache.of(model, trust),
        rng=rng,
        length_samples=end if seconds else None,
        max_samples=end,
    )
    song.begin_with(events)

    def finish(song: Song) -> Score:
        whole = song.score()
        end = stop if song.over and seconds else max(prompt.length, time.to_song(whole.length))
        span = prompt.length, end
        new = {v: clipped(to_song(time, v, whole, start), span) for v in Voice}
        return with_new(replace(prompt, length=end), new)

    return Arrangement(Composer(model, song), finish, time, grid)


def accompany_voices(
    model: Model, score: Score, keep: Collection[Voice], request: Request, *, grid: BeatGrid | None = None
) -> Arrangement:
    """Composes new voices around kept ones, which come out as they went in.

    Args:
        model: what composes.
        score: what is there.
        keep: the voices that stay.
        request: what is asked for of the others.
        grid: of the score; None for the beat that is found in it.

    Raises:
        OptionError: if no voice is free, or no kept one has a note.
    """
    free = [voice for voice in Voice if voice not in keep]
    if not free:
        raise OptionError("All four voices are kept, so nothing is left to compose; keep fewer.")
    kept = score.only(keep)
    if not kept.n_notes:
        raise OptionError("None of the kept voices has a note; keep one that has.")
    grid = grid or beat_of(score)
    rng = request.rng()
    when = song_time(model, kept, grid, request, rng, new=free)
    time = when.time
    kept_music = Kept(when.codec, time.score, dict.fromkeys(free, 0))
    song = request.song(when, voices=free, extra=[kept_music], rng=rng)

    def finish(song: Song) -> Score:
        whole = song.score()
        span = 0, score.length
        return with_new(kept, {v: clipped(to_song(time, v, whole), span) for v in free})

    return Arrangement(Composer(model, song), finish, time, grid)


def accompany_rhythm(
    model: Model, score: Score, request: Request, *, grid: BeatGrid | None = None
) -> Arrangement:
    """Keeps a score's rhythm and its noise; the model chooses the pitches of the other voices.

    Args:
        model: what composes.
        score: what is there.
        request: what is asked for of the pitches.
        grid: of the score; None for the beat that is found in it.

    Raises:
        MusicError: if no melodic voice has a note.

    Source: LakhNES `accompany_rhythm.ipynb`.
    """
    if not any(score.parts[voice].notes for voice in MELODIC):
        raise MusicError("There is no note of P1, P2 or TR to find a pitch for; give a score that has one.")
    grid = grid or beat_of(score)
    rng = request.rng()
    silent = [voice for voice in Voice if not score.parts[voice].notes]
    when = song_time(model, score, grid, request, rng, new=silent)
    time = when.time
    template = Template(when.codec, time.score, MELODIC)
    song = request.song(when, voices=MELODIC, extra=[template], on_rows=False, rng=rng)

    def sung(part: Part, composed: Part) -> Part:
        """A part with the pitches that were composed; notes too short for the model have none and go."""
        pitches = {note.onset: note.pitch for note in composed.notes}
        told = [(note, pitches.get(time.to_model(note.onset))) for note in part.notes]
        notes = tuple(replace(note, pitch=pitch) for note, pitch in told if pitch is not None)
        return Part(notes, part.changes if notes else ())

    def finish(song: Song) -> Score:
        whole = song.score()
        return score.with_parts({v: sung(score.parts[v], whole.parts[v]) for v in MELODIC})

    return Arrangement(Composer(model, song), finish, time, grid)


def _with_notes(prompt: Score) -> Score:
    if not prompt.n_notes:
        raise MusicError("The prompt has no notes; give one that has, or compose from nothing.")
    return prompt
