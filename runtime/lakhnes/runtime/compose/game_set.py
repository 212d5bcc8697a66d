"""Music for a game: a piece with an intro, a loop and layers, and two short ends in its key and tempo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.bars.codec import likeliest_key
from lakhnes.runtime.compose.arrange import Composed, compose_song
from lakhnes.runtime.compose.loops import compose_loop
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.chords import parse_chords
from lakhnes.runtime.music.editing import extract, join
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.time.grid import BeatGrid

INTRO_BARS = 2
"""Bars of the intro; with fewer bars in the loop, as many as it has."""

LAYERS = {
    "layer1": (Voice.TR, Voice.NO),
    "layer2": (Voice.P2, Voice.TR, Voice.NO),
    "layer3": (Voice.P1, Voice.P2, Voice.TR, Voice.NO),
}
"""Voices of each layer, from calm to full: bass and drums, then harmony, then the lead."""

GAME_PIECES = (*reversed(LAYERS), "fanfare", "game-over")
"""Names of the pieces, in their order."""

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MAJOR, _MINOR = frozenset((0, 2, 4, 5, 7, 9, 11)), frozenset((0, 2, 3, 5, 7, 8, 10))
# Semitones above the tonic and kind of the chord of each bar, in a major and in a minor key.
_FANFARE = (((5, ""), (0, "")), ((8, ""), (0, "m")))
_GAME_OVER = (((9, "m"), (5, ""), (2, "m"), (0, "")), ((8, ""), (5, "m"), (7, "m"), (0, "m")))


@dataclass(frozen=True, slots=True)
class GamePiece:
    """A piece of a game's music."""

    name: str
    """`layer1` to `layer3`, `fanfare` or `game-over`."""
    score: Score
    intro_bars: int | None = None
    """Bars before the loop, which reaches to the end; None for a piece without a loop."""


@dataclass(frozen=True, slots=True)
class GameSet:
    """All pieces of a game's music."""

    pieces: tuple[GamePiece, ...]
    """The layers from full to calm, then the fanfare and the game-over."""
    grid: BeatGrid
    """Tempo and bars of all of them."""
    key: int
    """0 to 11 major, C first; 12 to 23 minor."""
    n_tokens: int
    """Number of composed events."""


def compose_game_set(
    model: Model,
    request: Request,
    grid: BeatGrid,
    bars: int,
    *,
    progress: Callable[[float, int], None] = lambda done, n_tokens: None,
) -> GameSet:
    """Compose the music of a game.

    The loop is composed first. The bars at its end, which lead into its beginning, are the intro, without the
    lead. The layers are the same music with fewer voices, so a game can fade between them. The fanfare and
    the game-over keep to the key that the loop is in.

    Args:
        model: the composing model; its memory is reset.
        request: the user's settings.
        grid: grid from tick 0.
        bars: length of the loop.
        progress: called with the fraction done, 0..1, and the number of composed tokens.

    Raises:
        OptionError: if the loop has fewer than two bars, or the model cannot follow chords.
    """
    loop = compose_loop(model, request, grid, bars, progress=lambda part, n: progress(0.8 * part, n))
    key = likeliest_key(_weights(loop.score))
    intro_bars = min(INTRO_BARS, bars)
    bar = grid.sample(grid.bar_ticks)
    whole = _with_intro(loop.score, grid.sample((bars - intro_bars) * grid.bar_ticks))
    pieces = [GamePiece(name, whole.only(voices), intro_bars) for name, voices in reversed(LAYERS.items())]
    n_tokens = loop.n_tokens
    for number, (name, chords) in enumerate((("fanfare", _FANFARE), ("game-over", _GAME_OVER)), 1):
        short = _short(model, _in_key(request, key, chords[key // 12], number), grid, len(chords[0]))
        n_tokens += short.n_tokens
        pieces.append(GamePiece(name, short.score.lengthened(len(chords[0]) * bar)))
        progress(0.8 + 0.1 * number, n_tokens)
    return GameSet(tuple(pieces), grid, key, n_tokens)


def _weights(score: Score) -> NDArray[np.float64]:
    """Return how long each pitch class sounds in the voices that have pitches, float64 [12]."""
    weights = np.zeros(12)
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        for note in score.parts[voice].notes:
            weights[note.pitch % 12] += note.length
    return weights


def _with_intro(loop: Score, start: int) -> Score:
    """Return a loop after the music from a sample to its end, without the lead."""
    accompaniment = [voice for voice in Voice if voice is not Voice.P1]
    return join(extract(loop, (start, loop.length), accompaniment), loop)


def _in_key(request: Request, key: int, chords: tuple[tuple[int, str], ...], number: int) -> Request:
    """Return the settings of a short piece: the same, in a key and over chords, with a seed of its own."""
    tonic, scale = key % 12, _MINOR if key >= 12 else _MAJOR
    names = " ".join(f"{_NAMES[(tonic + above) % 12]}{kind}" for above, kind in chords)
    return replace(
        request,
        seed=(*np.atleast_1d(request.seed).tolist(), number),
        scale=request.scale or frozenset((tonic + step) % 12 for step in scale),
        chords=parse_chords(names),
    )


def _short(model: Model, request: Request, grid: BeatGrid, bars: int) -> Composed:
    """Compose a short piece of some bars."""
    made = compose_song(model, request, grid, length_samples=grid.sample(bars * grid.bar_ticks))
    for _ in made:
        pass
    return Composed(made.score(), made.composer.n_tokens, grid)


__all__ = ["GAME_PIECES", "LAYERS", "GamePiece", "GameSet", "compose_game_set"]
