"""How much given voices help a model in bars: in nats, without composing.

The free voices of a song are predicted twice: with the song's own given voices, and with those of another
song in the same key and meter and near its tempo. The difference is the information that the model takes from
the voices it plays with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.export.augment import MAX_TRANSPOSE, Tokens
from lakhnes.export.augment_bars import BarAugmenter, BarSong, Shown
from lakhnes.runtime.decode.match_cache import Reader
from lakhnes.runtime.decode.sampling import log_softmax
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.vocabulary import END_TOKEN

LEAST_BARS = 8
"""Fewest bars of a song; of longer songs the first `MOST_BARS` count."""

MOST_BARS = 24

_TEMPI = 3  # classes of tempo that two songs may differ by


@dataclass(frozen=True, slots=True)
class KeptUse:
    """The help that given voices give a model."""

    keep: str
    """The given voices, such as `P1`."""
    songs: int
    own: float
    """Nats a note of the free voices, with the song's own given voices."""
    other: float
    """Nats a note, with the given voices of another song."""
    gain: float
    """Mean of the songs' differences, nats a note."""
    error: float
    """Standard error of `gain`."""


def measure_kept_use(
    model: Model,
    songs: Sequence[Tokens],
    keep: Sequence[Voice],
    count: int,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> KeptUse:
    """Measure how much some given voices help a model to predict the others.

    Args:
        model: a model in bars whose vocabulary has GIVEN.
        songs: songs as `BarCodec.encode` returns them, in order.
        keep: the given voices.
        count: most songs to use.
        progress: called with the songs done and their total.

    Raises:
        DataError: if no two songs fit together.
    """
    augmenter = BarAugmenter(model.codec)
    fit = [song for song in map(augmenter.apart, songs) if _fits(augmenter, song)]
    pairs = []
    for place, song in enumerate(fit):
        other = next((o for o in (*fit[place + 1 :], *fit[:place]) if _near(song, o)), None)
        if other is not None:
            pairs.append((song, other))
    if not pairs:
        raise DataError("No two songs are in one key and meter and near in tempo; give more songs.")
    places = np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int))
    bits = sum(1 << voice for voice in keep)
    nats = []
    for done, place in enumerate(places):
        song, other = pairs[int(place)]
        n_bars = min(song.n_bars, other.n_bars, MOST_BARS)
        song, other = augmenter.first_bars(song, n_bars), augmenter.first_bars(other, n_bars)
        key = (song.head[Kind.KEY] - other.head[Kind.KEY] + MAX_TRANSPOSE) % 12 - MAX_TRANSPOSE
        other = augmenter.transposed(other, key)
        mixed = augmenter.joined(song, other, bits)
        nats.append([_nats(model, augmenter, one, song, bits) for one in (song, mixed)])
        progress(done + 1, len(places))
    own, others = np.array(nats).T
    gains = others - own
    return KeptUse(
        ",".join(voice.name for voice in keep),
        len(gains),
        float(own.mean()),
        float(others.mean()),
        float(gains.mean()),
        float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else float("nan"),
    )


def _fits(augmenter: BarAugmenter, song: BarSong) -> bool:
    playing = augmenter.voices(song)
    return song.n_bars >= LEAST_BARS and Kind.KEY in song.head and len(playing) == len(Voice)


def _near(song: BarSong, other: BarSong) -> bool:
    mode, theirs = (one.head[Kind.KEY] // 12 for one in (song, other))
    tempo, their_tempo = (one.head[Kind.TEMPO] for one in (song, other))
    return (
        mode == theirs
        and song.head[Kind.METER] == other.head[Kind.METER]
        and abs(tempo - their_tempo) <= _TEMPI
    )


def _nats(model: Model, augmenter: BarAugmenter, mixed: BarSong, song: BarSong, bits: int) -> float:
    """Return the nats a note of the notes and rests of the voices that are not given."""
    shown = replace(Shown.nothing(mixed.n_bars), given=np.full(mixed.n_bars, bits))
    tokens = augmenter.together(replace(mixed, head=song.head), shown).tolist()
    events = list(model.codec.events(tokens))
    free = _free(events, bits)
    logits = Reader(model, cache=False).read([END_TOKEN, *tokens[:-1]])
    lost = -log_softmax(logits)[np.arange(len(tokens)), tokens]
    notes = np.array([event.kind is Kind.NOTE_ON for event in events]) & free
    return float(lost[free].sum() / max(1, int(notes.sum())))


def _free(events: Sequence[Event], bits: int) -> NDArray[np.bool_]:
    """Return bool [n]: the notes and rests of the voices that are not given."""
    kinds = (Kind.NOTE_ON, Kind.NOTE_OFF)
    return np.array(
        [e.voice is not None and e.kind in kinds and not bits >> e.voice & 1 for e in events], np.bool_
    )
