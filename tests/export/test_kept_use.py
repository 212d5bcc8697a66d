"""What given voices tell a model of the others, of models of which it is known."""

import numpy as np
import pytest
from bar_songs import CODEC
from tiny import tiny_model_of

from lakhnes.export.kept_use import measure_kept_use
from lakhnes.runtime import DataError, Timing, Voice
from lakhnes.runtime.bars.bars import BarNote, Bars
from lakhnes.runtime.bars.codec import events_of_bars

pytestmark = pytest.mark.train


def song(seed: int, n_bars: int = 8) -> np.ndarray:
    """A song in C major: a lead over bass and drums."""
    rng = np.random.default_rng(seed)
    scale = (60, 62, 64, 65, 67, 69, 71, 72, 60, 64, 67)
    lead = tuple(BarNote(tick, None, int(rng.choice(scale))) for tick in range(0, n_bars * 96, 12))
    second = tuple(BarNote(tick, None, int(rng.choice(scale)) - 12) for tick in range(0, n_bars * 96, 24))
    bass = tuple(BarNote(tick, None, 36 + 7 * (tick // 96 % 2)) for tick in range(0, n_bars * 96, 48))
    drums = tuple(BarNote(tick, None, 12) for tick in range(0, n_bars * 96, 24))
    return np.array(
        CODEC.tokens(events_of_bars(Bars((lead, second, bass, drums), n_bars, 4, 120.0))), np.uint16
    )


def test_a_song_beside_its_own_voices_gains_nothing() -> None:
    model = tiny_model_of(timing=Timing.BARS)
    same = [song(1), song(1)]
    use = measure_kept_use(model, same, [Voice.P1], 2)
    assert (use.keep, use.songs) == ("P1", 2)
    assert use.gain == pytest.approx(0, abs=1e-6)
    assert use.own > 0
    different = measure_kept_use(model, [song(1), song(2), song(3)], [Voice.TR, Voice.NO], 3)
    assert different.error == pytest.approx(0, abs=1e-6)  # bass and drums are the same in all three


def test_short_songs_are_not_enough() -> None:
    model = tiny_model_of(timing=Timing.BARS)
    with pytest.raises(DataError, match="No two songs"):
        measure_kept_use(model, [song(1, 4), song(2, 4)], [Voice.P1], 2)
