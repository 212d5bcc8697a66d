"""The time in which a model composes a song, and the head for a model in bars."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from lakhnes.runtime.bars.bar_time import BarTime
from lakhnes.runtime.bars.bars import METERS, BarLines, Bars
from lakhnes.runtime.bars.codec import (
    SWINGS,
    BarredCodec,
    head_of,
    length_class,
    swing_class,
    tempo_class,
    tempo_of_class,
)
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.head import Place, compose_head
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.events import VOICE_VALUES, Kind, Voice
from lakhnes.runtime.music.scales import keys_of
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import Timing
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import SongTime, likely_beat, model_time

_SONG = length_class(1 << 16)
"""LENGTH of all songs: composed music is no jingle, and continues as if it had no end, live or not."""

_MAY_REST = (Voice.TR, Voice.NO)
"""Voices that a song may lack: a tenth of the console's songs has no bass, and a quarter no drums."""


def song_time(
    model: Model,
    score: Score,
    grid: BeatGrid | None,
    request: Request,
    rng: np.random.Generator,
    *,
    new: Collection[Voice] = tuple(Voice),
    beats_per_bar: int | None = None,
    heard: Score | None = None,
) -> SongTime:
    """Return the time of a song with an existing score, which may be empty.

    A song without a grid has that of its tracked beat, if that is sure. If it is not, the song stays in free
    time, and a model in bars counts the likeliest beat.

    A model in bars needs tempo, meter, key and more of the whole song before it starts. They come from the
    existing music and the request. The model chooses the rest, also the tempo of a song without a grid.

    Args:
        model: the composing model; one in bars is reset.
        score: existing music.
        grid: grid of the song; None for its tracked beat.
        request: the user's settings.
        rng: the random generator; it is not changed, and a separate one is derived from it.
        new: voices to be composed, about which the score says nothing.
        beats_per_bar: for a song without existing music; None leaves it to the model.
        heard: all of the music that has the beat, if it is more than `score`.
    """
    beats, sure = (grid, True) if grid is not None else likely_beat(score if heard is None else heard)
    grid = beats if sure else None
    if model.codec.timing is not Timing.BARS:
        return SongTime(model_time(score, grid, model.codec.timing), model.codec, grid)
    lines = None if beats is None else BarLines.of(beats)
    bars = None if lines is None else lines.bars(score)
    there = {} if lines is None or bars is None else _there(score, lines, bars, new)
    if beats_per_bar is not None:
        there[Kind.METER, None] = [beats_per_bar]
    head = compose_head(
        model,
        _of_chords(request) | there | _asked(request, new, score.n_notes > 0),
        rng.spawn(1)[0],
        request.sampling,
    )
    said = {(event.kind, event.voice): event.value for event in head}
    if lines is None or bars is None:
        grid = BeatGrid.steady(tempo_of_class(said[Kind.TEMPO, None]), said[Kind.METER, None])
        lines = BarLines.of(grid, SWINGS[said[Kind.SWING, None]])
        bars = lines.bars(score)
    codec = BarredCodec(model.codec.vocabulary, head, pick_up=bool(score.n_notes) and bars.pick_up)
    time = BarTime.of(score, lines, bars, codec.articulation)
    return SongTime(time, codec.knowing(time.score, time.score.length), grid)


def _there(score: Score, lines: BarLines, bars: Bars, new: Collection[Voice]) -> dict[Place, Collection[int]]:
    """Return the head's values from an existing score, except those of new voices."""
    there: dict[Place, Collection[int]] = {
        (Kind.METER, None): [lines.beats_per_bar],
        (Kind.TEMPO, None): [tempo_class(lines.bpm)],
        (Kind.SWING, None): [swing_class(lines.swing)],
    }
    if score.n_notes:
        there[
            Kind.KEY, None
        ] = []  # if it is not clear, the model must not choose one without reading anything
    for event in head_of(bars) if score.n_notes else ():
        if event.kind is Kind.KEY or (event.voice is not None and event.voice not in new):
            there[event.kind, event.voice] = [event.value]
    return there


def _of_chords(request: Request) -> dict[Place, Collection[int]]:
    """Return the keys that contain all notes of the requested chords, if there are any."""
    notes = frozenset(note for chord in request.chords for note in chord.notes)
    keys = keys_of(notes, more=True) if notes else []
    return {(Kind.KEY, None): keys} if keys else {}


def _asked(request: Request, new: Collection[Voice], joins: bool) -> dict[Place, Collection[int]]:
    """Return the head's values from a request.

    Args:
        request: the user's settings.
        new: the composed voices.
        joins: whether they join existing music; then all of them play.
    """
    asked: dict[Place, Collection[int]] = {(Kind.LENGTH, None): [_SONG]}
    may_rest = () if joins or request.muted else _MAY_REST
    for voice in new:
        classes = VOICE_VALUES[Kind.DENSITY]
        playing = classes if voice in may_rest else classes[1:]
        asked[Kind.DENSITY, voice] = classes[:1] if voice in request.muted else playing
    keys = [] if request.scale is None else keys_of(request.scale)
    if keys:
        asked[Kind.KEY, None] = keys
    return asked


def own_grid(model: Model, request: Request, beats_per_bar: int | None = None) -> BeatGrid | None:
    """Return the tempo and meter that a model chooses for the song of a request.

    Return None for a model that counts no beats.

    Raises:
        OptionError: if the model has no bars with this number of beats.
    """
    if beats_per_bar is not None and beats_per_bar not in METERS:
        raise OptionError(
            f"A bar of {beats_per_bar} beats without a tempo is out of range; give {METERS[0]} to "
            f"{METERS[-1]}, or a tempo too."
        )
    return song_time(model, Score(), None, request, request.rng(), beats_per_bar=beats_per_bar).grid
