"""The time in which a model composes a song, and what a model in bars knows of the song beforehand."""

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
from lakhnes.runtime.time.grid import BeatGrid, grid_of_beats
from lakhnes.runtime.time.model_time import SongTime, model_time
from lakhnes.runtime.time.tempo import track_beats

_SONG = length_class(1 << 16)
"""Of all songs: what is composed is no jingle, and goes on as if there were no end, live or not."""


def song_time(
    model: Model,
    score: Score,
    grid: BeatGrid | None,
    request: Request,
    rng: np.random.Generator,
    *,
    new: Collection[Voice] = tuple(Voice),
    beats_per_bar: int | None = None,
) -> SongTime:
    """The time of a song of which a score is there, perhaps an empty one.

    A model in bars wants to know tempo, meter, key and more of a whole song before it begins. That is what is
    there and what is asked for; what neither says the model chooses, also the tempo of a song without a grid.

    Args:
        model: what composes; one in bars is reset.
        score: what is there.
        grid: of the song.
        request: what is asked for.
        rng: the source of chance; it is left as it is, and a source of its own comes from it.
        new: voices of which the score says nothing, for they are to be composed.
        beats_per_bar: of a song of which nothing is there; None leaves it to the model.
    """
    if model.codec.timing is not Timing.BARS:
        return SongTime(model_time(score, grid, model.codec.timing), model.codec, grid)
    beats = grid if grid is not None or not score.n_notes else grid_of_beats(track_beats(score))
    lines = None if beats is None else BarLines.of(beats)
    bars = None if lines is None else lines.bars(score)
    there = {} if lines is None or bars is None else _there(score, lines, bars, new)
    if beats_per_bar is not None:
        there[Kind.METER, None] = [beats_per_bar]
    head = compose_head(model, there | _asked(request, new), rng.spawn(1)[0], request.sampling)
    said = {(event.kind, event.voice): event.value for event in head}
    if lines is None or bars is None:
        grid = BeatGrid.steady(tempo_of_class(said[Kind.TEMPO, None]), said[Kind.METER, None])
        lines = BarLines.of(grid, SWINGS[said[Kind.SWING, None]])
        bars = lines.bars(score)
    codec = BarredCodec(model.codec.vocabulary, head, pick_up=bool(score.n_notes) and bars.pick_up)
    return SongTime(BarTime.of(score, lines, bars, codec.articulation), codec, grid)


def _there(score: Score, lines: BarLines, bars: Bars, new: Collection[Voice]) -> dict[Place, Collection[int]]:
    """What a score that is there says of the whole song, except for its new voices."""
    there: dict[Place, Collection[int]] = {
        (Kind.METER, None): [lines.beats_per_bar],
        (Kind.TEMPO, None): [tempo_class(lines.bpm)],
        (Kind.SWING, None): [swing_class(lines.swing)],
    }
    for event in head_of(bars) if score.n_notes else ():
        if event.kind is Kind.KEY or (event.voice is not None and event.voice not in new):
            there[event.kind, event.voice] = [event.value]
    return there


def _asked(request: Request, new: Collection[Voice]) -> dict[Place, Collection[int]]:
    """What a request says of the whole song."""
    asked: dict[Place, Collection[int]] = {(Kind.LENGTH, None): [_SONG]}
    for voice in new:
        classes = VOICE_VALUES[Kind.DENSITY]
        asked[Kind.DENSITY, voice] = classes[:1] if voice in request.muted else classes[1:]
    keys = [] if request.scale is None else keys_of(request.scale)
    if keys:
        asked[Kind.KEY, None] = keys
    return asked


def own_grid(model: Model, request: Request, beats_per_bar: int | None = None) -> BeatGrid | None:
    """The tempo and meter that a model gives the song of a request; None from one that counts no beats.

    Raises:
        OptionError: if the model knows no bars of so many beats.
    """
    if beats_per_bar is not None and beats_per_bar not in METERS:
        raise OptionError(
            f"A bar of {beats_per_bar} beats without a tempo is out of range; give {METERS[0]} to "
            f"{METERS[-1]}, or a tempo too."
        )
    return song_time(model, Score(), None, request, request.rng(), beats_per_bar=beats_per_bar).grid
