"""Composing from nothing and with existing music: continuing, accompanying, and new passages.

Kept music stays the same, sample for sample. If it has a beat, new notes begin on its rows. The beat is the
given grid, or the tracked one if it is sure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lakhnes.runtime.compose.around import PROMPT_TRUST, around, close_to_music
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.compose.song_time import song_time
from lakhnes.runtime.decode.composer import Composer
from lakhnes.runtime.decode.kept import Template
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
from lakhnes.runtime.time.model_time import ModelTime, to_song

MAX_SECONDS = 180
"""Longest new music, if neither the user nor the model ends it, in seconds."""

PERPLEXITY_TOKENS = 4096
"""Most tokens of a prompt for its perplexity; they take about two seconds."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed song with its figures."""

    score: Score
    n_tokens: int
    """Number of composed events; repeated sections of a form do not count."""
    grid: BeatGrid | None = None
    """Grid of the song; None for free time."""


class Arrangement:
    """Music while it is composed. Iterate over it to compose; `score` returns the whole.

    Attributes:
        composer: composer of the new music, in model time.
        time: that model time.
        grid: grid of the whole; None if no beat is known.
    """

    def __init__(
        self,
        composer: Composer,
        finish: Callable[[Song], Score],
        time: ModelTime,
        grid: BeatGrid | None = None,
    ) -> None:
        """Take a composer, a function that completes its song, and the time and the grid of the whole."""
        self.composer = composer
        self.time = time
        self.grid = grid
        self._finish = finish

    def __iter__(self) -> Iterator[Event]:
        return iter(self.composer)

    @property
    def progress(self) -> float:
        """Fraction of the new music composed, 0..1; of the longest length if the model ends the song."""
        return self.composer.song.progress

    def score(self) -> Score:
        """Return the whole: existing music and the new music so far."""
        return self.finished(self.composer.song)

    def finished(self, song: Song) -> Score:
        """Return the whole with the new music of a song: the composer's own, or a branch of it."""
        return self._finish(song)


def prompt_perplexity(model: Model, prompt: Score) -> float:
    """Return the perplexity of a score for a model: exp of nats a token, over its last 4,096 tokens at most.

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
    """Compose a song from nothing.

    Args:
        model: the composing model.
        request: the user's settings.
        grid: grid from tick 0; every note begins on its rows. None for free time.
        length_samples: exact length of the song; the model cannot end it earlier.
        min_samples: the model cannot end the song earlier.
        max_samples: the song is cut here if the model has not ended it.
        max_tokens: most tokens.
        cache: whether the model's match cache is used, if it is calibrated.
        rng: the random generator; None for a new one from the request's seed.

    Raises:
        OptionError: if a setting is impossible.
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
    own: bool = False,
    rng: np.random.Generator | None = None,
) -> Arrangement:
    """Continue a score at its end.

    Args:
        model: the composing model; it reads as much of the prompt as its memory holds.
        prompt: existing music; it stays unchanged.
        request: the user's settings.
        seconds: length of the new music; None lets the model end it.
        grid: grid of the prompt; None for its tracked beat.
        own: whether the prompt is the model's own music; if not, the new music stays closer to it.
        rng: the random generator; None for a new one from the request's seed.

    Raises:
        MusicError: if the prompt has no note, or a pitch outside the vocabulary.
    """
    rng = request.rng() if rng is None else rng
    request = request if own else close_to_music(request, model.codec)
    silent = [voice for voice in Voice if not prompt.parts[voice].notes]
    when = song_time(model, _with_notes(prompt), grid, request, rng, new=silent)
    time = when.time
    events = list(when.codec.events_of(time.score))
    start = time.score.length
    stop = prompt.length + max(1, round((seconds or MAX_SECONDS) * SAMPLE_RATE))
    end = max(start + 1, time.to_model(stop))
    song = request.song(
        when,
        cache=MatchCache.of(model, None if own else PROMPT_TRUST),
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

    return Arrangement(Composer(model, song), finish, time, when.grid)


def accompany_voices(
    model: Model, score: Score, keep: Collection[Voice], request: Request, *, grid: BeatGrid | None = None
) -> Arrangement:
    """Compose new voices around kept ones, which stay unchanged.

    Args:
        model: the composing model.
        score: existing music.
        keep: the kept voices.
        request: settings for the generated voices.
        grid: grid of the score; None for its tracked beat.

    Raises:
        OptionError: if no voice is to be generated, or no kept voice has a note.
    """
    free = [voice for voice in Voice if voice not in keep]
    if not free:
        raise OptionError("All four voices are kept, so nothing is left to compose; keep fewer.")
    kept = score.only(keep)
    if not kept.n_notes:
        raise OptionError("None of the kept voices has a note; keep one that has.")
    rng, request = request.rng(), close_to_music(request, model.codec)
    when = song_time(model, kept, grid, request, rng, new=free, heard=score)
    when, kept_music = around(when, when.time.score, dict.fromkeys(free, 0))
    time = when.time
    song = request.song(when, voices=free, extra=[kept_music], opens=False, rng=rng)

    def finish(song: Song) -> Score:
        whole = song.score()
        span = 0, score.length
        return with_new(kept, {v: clipped(to_song(time, v, whole), span) for v in free})

    return Arrangement(Composer(model, song), finish, time, when.grid)


def accompany_rhythm(
    model: Model, score: Score, request: Request, *, grid: BeatGrid | None = None
) -> Arrangement:
    """Keep a score's rhythm and its noise; the model chooses the pitches of the other voices.

    Args:
        model: the composing model.
        score: existing music.
        request: settings for the pitches.
        grid: grid of the score; None for its tracked beat.

    Raises:
        MusicError: if no melodic voice has a note.

    Source: LakhNES `accompany_rhythm.ipynb`.
    """
    if not any(score.parts[voice].notes for voice in MELODIC):
        raise MusicError("There is no note of P1, P2 or TR to find a pitch for; give a score that has one.")
    rng = request.rng()
    silent = [voice for voice in Voice if not score.parts[voice].notes]
    when = song_time(model, score, grid, request, rng, new=silent)
    time = when.time
    # A bar with the rhythm of another has its relation too.
    when = replace(when, codec=when.codec.knowing(time.score, time.score.length, tuple(Voice)))
    template = Template(when.codec, time.score, MELODIC)
    song = request.song(when, voices=MELODIC, extra=[template], on_rows=False, rng=rng)

    def sung(part: Part, composed: Part) -> Part:
        """Return a part with the composed pitches.

        Notes too short for the model have no new pitch and are left out.
        """
        pitches = {note.onset: note.pitch for note in composed.notes}
        told = [(note, pitches.get(time.to_model(note.onset))) for note in part.notes]
        notes = tuple(replace(note, pitch=pitch) for note, pitch in told if pitch is not None)
        return Part(notes, part.changes if notes else ())

    def finish(song: Song) -> Score:
        whole = song.score()
        return score.with_parts({v: sung(score.parts[v], whole.parts[v]) for v in MELODIC})

    return Arrangement(Composer(model, song), finish, time, when.grid)


def _with_notes(prompt: Score) -> Score:
    if not prompt.n_notes:
        raise MusicError("The prompt has no notes; give one that has, or compose from nothing.")
    return prompt
