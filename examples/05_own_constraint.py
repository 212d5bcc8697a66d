"""Add a rule of your own: a logits processor after which no voice plays the same pitch twice in a row.

Run `python 05_own_constraint.py [FOLDER]`; it writes no-repeats.mid.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from lakhnes.bridge import write_midi
from lakhnes.runtime import BeatGrid, DecodeState, LogitsProcessor, Model, Request, Voice, compose_song

MELODIC = (Voice.P1, Voice.P2, Voice.TR)


class NoRepeats(LogitsProcessor):
    """Forbids the last note of each voice. It keeps no memory: the state holds the song so far."""

    label = "no repeats"

    def bias(self, state: DecodeState) -> np.ndarray:
        """Return what is added to the logits, float32 [V]: -inf forbids a token."""
        bias = np.zeros(len(state.codec.vocabulary), np.float32)
        for voice in MELODIC:
            bias[state.lines[voice].last(1)] = -np.inf
        return bias


class StrictRequest(Request):
    """The user's settings and our rule; everything that composes takes its processors from the request."""

    def processors(self, *arguments, **options):
        """Return the processors of the settings, then our own."""
        return [*super().processors(*arguments, **options), NoRepeats()]


grid = BeatGrid.steady(140)
song = compose_song(Model.load(), StrictRequest(seed=5), grid, length_samples=grid.sample(4 * grid.bar_ticks))
for _ in song:
    pass
for voice in MELODIC:
    notes = song.score().parts[voice].notes
    print(voice.name, len(notes), "notes,", sum(a.pitch == b.pitch for a, b in pairwise(notes)), "repeats")
write_midi(song.score(), Path(*sys.argv[1:2]) / "no-repeats.mid", grid=grid)
