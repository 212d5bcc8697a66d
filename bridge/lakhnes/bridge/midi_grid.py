"""The tempi, meters and keys that a MIDI file states, as a grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from operator import itemgetter
from statistics import mode

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge.daw_midi import FREE_TIME
from lakhnes.bridge.smf import MidiFile
from lakhnes.bridge.tempo_map import tempo_map
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.time.grid import PPQ, BeatGrid, KeySignature, TimeSignature

TRUSTED = 0.8
"""Share of onsets that must lie on equal parts of a beat for notes to have rows."""

_STEPS = (4, 6, 8, 12, 16)  # into which a beat may be divided; the coarsest that fits counts


def grid_of_midi(midi: MidiFile) -> BeatGrid | None:
    """The grid that a file states.

    What it states counts, whatever its notes do: tempi, and meters with a tempo of 120 where it states none.
    It has rows only if the notes lie on them.

    Args:
        midi: of type 0 or 1.

    Returns:
        The grid, with 0 where the file begins; None where it counts in seconds, or where its notes keep to no
        beat and it states neither tempo nor meter, or says itself that its beats mean nothing.
    """
    if midi.division < 0:
        return None
    ticks = np.array(
        [ticks for track in midi.tracks for ticks, _, _, velocity in track.notes if velocity], np.float64
    )
    beats = ticks / midi.division
    steps = next((n for n in _STEPS if _share_on(beats, n) >= TRUSTED), None) if len(beats) else None
    stated = any(track.tempi or track.signatures for track in midi.tracks)
    if steps is None and (not stated or any(FREE_TIME in track.texts for track in midi.tracks)):
        return None
    times = tempo_map(midi.tracks, midi.division)
    rates = np.array(times.samples_per_tick)
    bpm = 60 * SAMPLE_RATE / (rates * midi.division)
    last = times.ticks[-1] + midi.division
    scale = PPQ / midi.division
    keys = _changes((stated for track in midi.tracks for stated in track.keys), scale)
    return BeatGrid(
        np.array([*times.samples, times.samples[-1] + midi.division * rates[-1]]),
        np.array([*times.ticks, last]) * scale,
        _meters(midi, scale),
        tuple((round(t * scale), float(b)) for t, b in zip(times.ticks, bpm, strict=True)),
        0 if steps is None else PPQ // steps,
        tuple(KeySignature(tick, key[0], bool(key[1])) for tick, key in keys),
    )


def _share_on(beats: NDArray[np.float64], steps: int) -> float:
    """Share of places in beats that lie on so many steps a beat, or within a 48th of a beat of one."""
    places = beats * steps
    return float((np.abs(places - np.rint(places)) < steps / 48).mean())


def _meters(midi: MidiFile, scale: float) -> tuple[TimeSignature, ...]:
    """The meters, the first at 0: 4/4 where nothing else is stated."""
    meters = [TimeSignature(0)]
    stated = sorted((place for track in midi.tracks for place in track.signatures), key=itemgetter(0))
    for ticks, numerator, denominator in stated:
        meter, before = TimeSignature(round(ticks * scale), numerator, denominator), meters[-1]
        if meter.tick <= before.tick:
            meters[-1] = meter._replace(tick=before.tick)
        elif (
            meter[1:] != before[1:] or (meter.tick - before.tick) % before.bar_ticks
        ):  # else it says nothing new
            meters.append(meter)
    return tuple(meters)


def _changes(
    stated: Iterable[tuple[int, *tuple[int, ...]]], scale: float
) -> list[tuple[int, tuple[int, ...]]]:
    """What tracks state, by ticks of the grid: at one tick what most of them do, nothing twice in a row."""
    placed: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for tick, *rest in stated:
        placed[round(tick * scale)].append(tuple(rest))
    changes: list[tuple[int, tuple[int, ...]]] = []
    for tick in sorted(placed):
        value = mode(reversed(placed[tick]))  # of as many the last
        if not changes or changes[-1][1] != value:
            changes.append((tick, value))
    return changes
