"""All figures of a song, and the features of the classifier.

A figure is a number that describes one aspect of a song. The figures that judge a model form two halves. The
`OPEN` half may be used to choose between models, to rank songs and to train a critic. The `HELD` half never
may, so that its verdict stays honest. A figure never changes its half.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from lakhnes.export.measure.harmony import harmony_figures
from lakhnes.export.measure.notes import note_figures
from lakhnes.export.measure.repetition import repetition_figures
from lakhnes.export.measure.rhythm import rhythm_figures
from lakhnes.export.measure.tracked_song import Floats, TrackedSong
from lakhnes.runtime import Score

OPEN: tuple[str, ...] = (
    "tempo stability",
    "onsets on rows",
    "row length",
    "entropy of steps",
    "commonest step",
    "bars begun",
    "voices beginning together",
    "notes of two frames",
    "bass with the drums",
    "period of the drums",
    "drum hits a second",
    "entropy of drums' steps",
    "notes a second, P1",
    "notes a second, TR",
    "density spread",
    "density at the start",
    "time over 60 notes a second",
    "time sounding, P1",
    "time sounding, P2",
    "time sounding, TR",
    "time sounding, NO",
    "longest rest of a voice",
    "rests a minute",
    "time in notes over 2 s",
    "length of notes",
    "entropy of lengths",
    "legato",
    "filled time of bass notes",
    "steps of a second",
    "leaps",
    "turns of a line",
    "width of intervals, P1",
    "pitch of P1",
    "range of the bass",
    "notes in figures of six and more",
    "pitch-class entropy",
    "pitch-class entropy of a bar",
    "pitch-class entropy of four bars",
    "key clarity",
    "phrases in the song's key",
    "bass on the root",
    "dissonance P1-TR",
    "dissonance P2-TR",
    "longest passage that returns",
    "match at 1 bars",
    "match at 2 bars",
    "match at 4 bars",
    "match at 8 bars",
    "match at 9 to 16 bars",
    "groove at one bar",
)
"""Features for choosing and training, including the reported figures of structure."""

HELD: tuple[str, ...] = (
    "beat confidence",
    "tempo",
    "tempo changes",
    "onsets on beats",
    "entropy of steps after a step",
    "three voices beginning together",
    "notes of four frames",
    "pulses in one rhythm",
    "length of the drums' period",
    "kinds of drum",
    "entropy of drums",
    "time without drums",
    "notes a second, P2",
    "density spread of phrases",
    "densest second",
    "density at the end",
    "silence",
    "four voices at once",
    "longest rest of all voices",
    "length of rests",
    "last voice enters",
    "longest note",
    "spread of lengths",
    "length of bass notes",
    "legato bass",
    "filled time of pulse notes",
    "spread of articulation",
    "repeated pitches",
    "octaves",
    "width of intervals, TR",
    "entropy of intervals",
    "entropy of intervals after an interval",
    "pitch of the bass",
    "pitches of P1",
    "distance of the pulses",
    "P2 above P1",
    "notes in figures of three",
    "drumming",
    "key clarity of 8 s",
    "notes in triads",
    "chords that stay",
    "dissonance P1-P2",
    "unison P1-TR",
    "thirds P2-TR",
    "time that returns",
    "groove at two bars",
    "bars that equal another",
    "phrases that return",
    "likeness of sections",
    "packed size of a note",
)
"""Features for judging only."""


def figures_of(score: Score) -> dict[str, float]:
    """Return all figures of a song by name; NaN if a song is too short for one.

    Args:
        score: in any timing.
    """
    music = TrackedSong(score)
    return {
        **rhythm_figures(music),
        **note_figures(music),
        **harmony_figures(music),
        **repetition_figures(music),
    }


def table_of(songs: Sequence[dict[str, float]], names: Iterable[str]) -> Floats:
    """Return figures of songs as a table, float64 [songs, names]."""
    names = tuple(names)
    return np.array([[song[name] for name in names] for song in songs], np.float64).reshape(-1, len(names))
