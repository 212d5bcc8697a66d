"""The tempo and bars that a MIDI file states, as a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge.any_midi import tempo_map
from lakhnes.bridge.smf import MidiFile
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.time.grid import PPQ, TEMPI_BPM, BeatGrid

TRUSTED = 0.8
"""Share of onsets that must lie on equal parts of a beat, or the file's tempo says nothing."""

_STEPS = (4, 6, 8, 12, 16)  # into which a beat may be divided; the coarsest that fits counts


def grid_of_midi(midi: MidiFile) -> BeatGrid | None:
    """The grid that a file states, if its notes lie on it.

    Many files state 120 BPM because a program had to write something; their notes lie anywhere.

    Args:
        midi: of type 0 or 1, with ticks a beat.

    Returns:
        The grid, with 0 where the file begins; None where it states no tempo, or its notes do not keep it.
    """
    tempi = dict(sorted((tick, tempo) for track in midi.tracks for tick, tempo in track.tempi))
    if midi.kind == 2 or midi.division < 0 or not tempi:
        return None
    ticks = np.array(
        [note.ticks for track in midi.tracks for note in track.notes if note.velocity], np.float64
    )
    beats = ticks / midi.division
    steps = next((n for n in _STEPS if _share_on(beats, n) >= TRUSTED), None) if len(beats) else None
    if steps is None:
        return None
    times = tempo_map(midi.tracks, midi.division)
    rates = np.array(times.samples_per_tick)
    bpm = 60 * SAMPLE_RATE / (rates * midi.division)
    if bpm.min() < TEMPI_BPM[0] or bpm.max() > TEMPI_BPM[1]:
        return None
    last = max([*times.ticks, int(ticks.max())]) + midi.division
    return BeatGrid(
        np.array([*times.samples, times.samples[-1] + (last - times.ticks[-1]) * rates[-1]]),
        np.array([*times.ticks, last]) * (PPQ / midi.division),
        _beats_per_bar(midi),
        tuple((round(t * PPQ / midi.division), float(b)) for t, b in zip(times.ticks, bpm, strict=True)),
        PPQ // steps,
    )


def _share_on(beats: NDArray[np.float64], steps: int) -> float:
    """Share of places in beats that lie on so many steps a beat, or within a 48th of a beat of one."""
    places = beats * steps
    return float((np.abs(places - np.rint(places)) < steps / 48).mean())


def _beats_per_bar(midi: MidiFile) -> int:
    """Quarter notes of the first bar; of two bars where one has a part of a quarter note."""
    signatures = sorted(signature for track in midi.tracks for signature in track.signatures)
    if not signatures:
        return 4
    _, numerator, denominator = signatures[0]
    quarters = 4 * numerator / denominator
    beats = quarters if quarters == int(quarters) else 2 * quarters
    return int(beats) if beats == int(beats) and 1 <= beats <= 16 else 4
