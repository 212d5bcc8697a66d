"""The tempo and bars that a MIDI file states, as a grid."""

from __future__ import annotations

import numpy as np

from lakhnes.bridge.any_midi import tempo_map
from lakhnes.bridge.smf import MidiFile
from lakhnes.runtime.events import SAMPLE_RATE
from lakhnes.runtime.grid import PPQ, TEMPI_BPM, BeatGrid

TRUSTED = 0.8
"""Share of onsets that must lie on sixteenths or on triplets of eighths, or the file's tempo says nothing."""


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
    near = [np.abs(beats * steps - np.rint(beats * steps)) < steps / 48 for steps in (4, 6)]
    if not len(beats) or max(on.mean() for on in near) < TRUSTED:
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
        PPQ // (4 if near[0].mean() >= near[1].mean() else 6),
    )


def _beats_per_bar(midi: MidiFile) -> int:
    """Quarter notes of the first bar; of two bars where one has a part of a quarter note."""
    signatures = sorted(signature for track in midi.tracks for signature in track.signatures)
    if not signatures:
        return 4
    _, numerator, denominator = signatures[0]
    quarters = 4 * numerator / denominator
    beats = quarters if quarters == int(quarters) else 2 * quarters
    return int(beats) if beats == int(beats) and 1 <= beats <= 16 else 4
