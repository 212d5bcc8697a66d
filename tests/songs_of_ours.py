"""Songs of known properties, in frames."""

import numpy as np

from lakhnes.runtime import Note, Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES


def part(notes: list[tuple[int, int, int]]) -> Part:
    """Notes of (onset in frames, length in frames, pitch)."""
    return Part(
        tuple(Note(onset * FRAME_SAMPLES, length * FRAME_SAMPLES, pitch) for onset, length, pitch in notes)
    )


def song(
    p1: list[tuple[int, int, int]] = [],  # noqa: B006  # only read
    p2: list[tuple[int, int, int]] = [],  # noqa: B006
    tr: list[tuple[int, int, int]] = [],  # noqa: B006
    no: list[tuple[int, int, int]] = [],  # noqa: B006
    *,
    seconds: float,
) -> Score:
    return Score((part(p1), part(p2), part(tr), part(no)), round(seconds * 60) * FRAME_SAMPLES)


def even(pitches: list[int], step: int, start: int = 0) -> list[tuple[int, int, int]]:
    """Legato notes of one length."""
    return [(start + number * step, step, pitch) for number, pitch in enumerate(pitches)]


def march(seconds: float, seed: int = 0, *, wander: bool = False, bars_of_tune: int = 2) -> Score:
    """Four voices at 112.5 beats a minute, 4/4: a tune that comes again every few bars, or wanders."""
    rng = np.random.default_rng(seed)
    beat = 32  # frames
    beats = int(seconds * 60 / beat)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    figure = rng.choice(scale, bars_of_tune * 8)
    lead = [int(rng.choice(scale) if wander else figure[k % len(figure)]) for k in range(2 * beats)]
    roots = [36, 41, 43, 36]
    bass = [roots[(k // 4) % 4] for k in range(beats)]
    drums = [(k * beat // 2, 4, 12 if k % 4 == 2 else 3) for k in range(2 * beats)]
    chords = [roots[(k // 4) % 4] + 28 for k in range(beats)]
    return song(even(lead, beat // 2), even(chords, beat), even(bass, beat), drums, seconds=seconds)
