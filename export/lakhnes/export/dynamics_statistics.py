"""Statistics of volume and timbre, for `musical_statistics`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.events import VALUES, Kind, Voice
from lakhnes.runtime.music.score import Part, Score

Counts = NDArray[np.float64]

MOST_STEPS = 15
"""Most changes of a note's volume; more count as this."""

DYNAMIC_FEATURES = {"volumes": 15, "timbres": 6, "volume changes a note": MOST_STEPS + 1}
"""Features of songs with dynamics, with their numbers of bins:

- volumes 1..15, by the time in which P1, P2 and NO sound with them;
- timbres, in the same way: the pulses' duties 0..3, then the modes 0 and 1 of the noise;
- volume changes per note: the number of changes of a note of P1, P2 or NO after its start.
"""

_LOUD = tuple(voice for voice in Voice if (voice, Kind.VELOCITY) in VALUES)


def dynamics(score: Score) -> dict[str, Counts]:
    """Return the counts of each feature of a score, float64 [bins]."""
    volumes, timbres = np.zeros(16), np.zeros(6)
    steps = np.zeros(MOST_STEPS + 1)
    for voice in _LOUD:
        part = score.parts[voice]
        first = 4 if voice is Voice.NO else 0
        for note_volumes, note_timbres in _notes(part):
            for value, samples in note_volumes:
                volumes[value] += samples
            for value, samples in note_timbres:
                timbres[first + value] += samples
            steps[min(len(note_volumes) - 1, MOST_STEPS)] += 1
    return {"volumes": volumes[1:], "timbres": timbres, "volume changes a note": steps}


_Stretches = list[tuple[int, int]]  # values, with the samples of each


def _notes(part: Part) -> Iterator[tuple[_Stretches, _Stretches]]:
    """Yield the volumes and the timbres of each note."""
    volumes = [(change.sample, change.value) for change in part.changes if change.kind is Kind.VELOCITY]
    timbres = [(change.sample, change.value) for change in part.changes if change.kind is Kind.TIMBRE]
    for note in part.notes:
        before = bisect_left(timbres, (note.onset + 1,))
        timbre = timbres[before - 1][1] if before else 0
        yield (
            _stretches(volumes, note.onset, note.end, note.velocity),
            _stretches(timbres, note.onset, note.end, timbre),
        )


def _stretches(changes: list[tuple[int, int]], start: int, end: int, value: int) -> _Stretches:
    """Return the values from a start to an end, with their durations."""
    inside = changes[bisect_left(changes, (start + 1,)) : bisect_left(changes, (end,))]
    moments = [(start, value), *inside, (end, 0)]
    return [(its, after - at) for (at, its), (after, _) in pairwise(moments)]
