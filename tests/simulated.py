"""Songs of our own with a known beat, as an NES sound driver would play them, to judge a beat tracker by.

A song is written in rows: bass, broken or held chords, a melody of repeated motifs, drums, fills, rests. The
rows are then played in frames of 735 samples, as even, alternating or swung as the kind says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime import Codec, Note, Part, Score, Timing, Voice, tx1

FRAME = 735
SWINGS = ((7, 5), (8, 6), (9, 7), (10, 8), (6, 5), (9, 6), (14, 10), (13, 9), (8, 4))
"""Frames of the two rows of a pair; 8-4 is a triplet."""
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 8, 11), (0, 2, 4, 5, 7, 9, 10))


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of song is simulated."""

    feel: str = "straight"
    """straight, alternating, swung or triplet (three or six rows a beat)."""
    beats_per_bar: int = 4
    pickup: bool = False
    quantised: bool = False
    """Whether waits went through the TX1 vocabulary."""
    displaced: float = 0.0
    """Share of onsets that come a frame early or late."""
    drums: bool = True
    change: bool = False
    """Whether the tempo changes in the middle."""


KINDS = {
    "straight": Kind(),
    "alternating": Kind("alternating"),
    "swung": Kind("swung"),
    "triplet": Kind("triplet"),
    "three-four": Kind(beats_per_bar=3),
    "pick-up": Kind(pickup=True),
    "quantised": Kind(quantised=True),
    "displaced": Kind(displaced=0.1),
    "no drums": Kind(drums=False),
    "change": Kind(change=True),
    "all at once": Kind("alternating", pickup=True, quantised=True, displaced=0.1),
}


@dataclass(frozen=True, slots=True)
class Simulated:
    """A song and the truth about it."""

    score: Score
    onsets: NDArray[np.int64]
    """int64 [n, 2]: sample and row of every onset, in time."""
    bpms: tuple[float, ...]
    """One, or with a change one before and one after it."""
    change: int
    """Sample at which the tempo changes; the end of the song where it does not."""
    rows_per_beat: int
    beats_per_bar: int
    downbeat: int
    """Row of the first bar line."""
    triple: bool
    """Whether a beat may also be read in threes: factors of 3 and 3/2 in the tempo are no mistakes then."""


def simulate(kind: Kind, seed: int, bars: int = 0) -> Simulated:
    """A song of a kind; the same seed gives the same song.

    Args:
        kind: what is asked.
        seed: of all choices.
        bars: length; 0 for 20 to 40.
    """
    rng = np.random.default_rng(seed)
    per_beat, pattern = _pattern(rng, kind.feel)
    bars = bars or int(rng.integers(5, 11)) * 4
    writer = _Writer(rng, per_beat, kind.feel == "triplet", kind)
    pickup = int(rng.integers(1, kind.beats_per_bar)) * per_beat if kind.pickup else 0
    notes = writer.song(bars, pickup)
    n_rows = pickup + bars * writer.bar
    frames = np.array(list(islice(cycle(pattern), n_rows)))
    if pickup % len(pattern):
        frames = np.roll(frames, pickup % len(pattern))
    bpm = 3600 / (np.mean(pattern) * per_beat)
    bpms, cut = (float(bpm),), n_rows
    if kind.change:
        cut = pickup + bars // 2 * writer.bar
        other = _other_row(rng, float(np.mean(pattern)), per_beat)
        frames[cut:] = other
        bpms = (float(bpm), 3600 / (other * per_beat))
    starts = np.concatenate([[0], np.cumsum(frames)]) * FRAME + int(rng.integers(0, 3 * FRAME))
    triple = kind.feel == "triplet" or tuple(pattern) == (8, 4)
    song = _played(rng, notes, starts, kind)
    return Simulated(*song, bpms, int(starts[cut]), per_beat, kind.beats_per_bar, pickup, triple)


def _pattern(rng: np.random.Generator, feel: str) -> tuple[int, tuple[int, ...]]:
    """Rows a beat and the frames of rows, repeated, at 60 to 200 beats a minute."""
    while True:
        per_beat = int(rng.choice((3, 6)) if feel == "triplet" else rng.choice((2, 4, 4, 4, 8)))
        row = 3600 / (rng.uniform(60, 200) * per_beat)
        short = max(2, int(row))
        pattern: tuple[int, ...] = (round(row),)
        if feel == "alternating":
            shapes = ((1, 0), (1, 0, 0), (1, 1, 0), (1, 0, 0, 0), (1, 1, 1, 0), (1, 0, 1, 0, 0))
            pattern = tuple(short + more for more in shapes[rng.integers(len(shapes))])
        elif feel == "swung":
            pattern = SWINGS[rng.integers(len(SWINGS))]
        mean = float(np.mean(pattern))
        if 2 <= mean <= 16 and 60 <= 3600 / (mean * per_beat) <= 200:
            return per_beat, pattern


def _other_row(rng: np.random.Generator, row: float, per_beat: int) -> int:
    rows = np.arange(2, 17)
    tempi, ratios = 3600 / (rows * per_beat), np.maximum(rows / row, row / rows)
    return int(rng.choice(rows[(tempi >= 60) & (tempi <= 200) & (ratios >= 1.08) & (ratios <= 1.9)]))


def _played(
    rng: np.random.Generator,
    notes: dict[Voice, list[tuple[int, float, int]]],
    starts: NDArray[np.int64],
    kind: Kind,
) -> tuple[Score, NDArray[np.int64]]:
    """Rows in samples: voices a few samples apart, onsets displaced, waits quantised, as the kind says."""
    parts, rows = [], []
    for voice in Voice:
        late, part, own = int(rng.integers(0, 60)), [], []
        ends = [row for row, _, _ in notes[voice][1:]] + [len(starts) - 1]
        for (row, length, pitch), following in zip(notes[voice], ends, strict=False):
            onset = int(starts[row]) + late + int(rng.integers(0, 12))
            if rng.random() < kind.displaced:
                other = onset + FRAME * int(rng.choice((-1, 1)))
                onset = other if other > (part[-1][0] + FRAME // 2 if part else 0) else onset
            last = min(row + length, following, len(starts) - 1)
            whole = min(int(last), len(starts) - 2)
            end = int(starts[whole] + (last - whole) * (starts[whole + 1] - starts[whole])) + late
            part.append((onset, end - end % FRAME + onset % FRAME, pitch))
            own.append(row)
        closed = [
            Note(on, max(1, min(end, after) - on), pitch)
            for (on, end, pitch), after in zip(part, [o for o, _, _ in part[1:]] + [1 << 40], strict=False)
        ]
        parts.append(Part(tuple(closed)))
        rows.append(own)
    length = max(int(starts[-1]), *(part.notes[-1].end for part in parts if part.notes))
    score = Score((parts[0], parts[1], parts[2], parts[3]), length)
    if kind.quantised:
        codec = Codec(tx1(), Timing.SAMPLES)
        score = codec.decode(codec.encode(score))
    pairs = [
        (note.onset, row)
        for part, own in zip(score.parts, rows, strict=True)
        for note, row in zip(part.notes, own, strict=True)
    ]
    return score, np.array(sorted(pairs), np.int64)


class _Writer:
    """Writes the rows of one song: blocks of four bars, of which some come again."""

    def __init__(self, rng: np.random.Generator, per_beat: int, triplet: bool, kind: Kind) -> None:
        self.rng, self.per_beat, self.beats, self.drums = rng, per_beat, kind.beats_per_bar, kind.drums
        self.bar = per_beat * self.beats
        self.scale = SCALES[rng.integers(len(SCALES))]
        self.key = int(rng.integers(40, 52))
        self.half = per_beat // (3 if triplet else 2)
        self.off = 2 * self.half if triplet and rng.random() < 0.7 else self.half  # where the off-beat lies
        self.unit = 1 if triplet or per_beat <= 4 else int(rng.choice((1, 2)))

    def song(self, bars: int, pickup: int) -> dict[Voice, list[tuple[int, float, int]]]:
        """Notes of the voices as (row, length in rows, pitch), monophonic and in time."""
        rng = self.rng
        blocks: dict[str, dict[Voice, list[tuple[int, float, int]]]] = {name: self._block() for name in "ABC"}
        form = str(rng.choice(("AABA", "ABAB", "AABB", "ABAC", "AABC")))
        silent_intro = rng.random() < 0.25
        notes: dict[Voice, list[tuple[int, float, int]]] = {voice: [] for voice in Voice}
        for block in range(bars // 4):
            at = pickup + block * 4 * self.bar
            rests = {voice for voice in Voice if rng.random() < 0.07}
            if block == 0 and silent_intro:
                rests = set(rng.choice(list(Voice), 2, replace=False))
            for voice, part in blocks[form[block % 4]].items():
                if voice not in rests or len(rests) > 2:
                    notes[voice] += [
                        (at + row, length, pitch) for row, length, pitch in self._varied(voice, part)
                    ]
        if pickup:
            step = max(1, self.half)
            run = range(0, pickup, step)
            lead = [(r, step * 0.8, self._pitch(24, i)) for i, r in enumerate(run)]
            notes[Voice.P1] = lead + notes[Voice.P1]
            if self.drums and rng.random() < 0.3:
                notes[Voice.NO] = [(r, 0.5, 7) for r in run] + notes[Voice.NO]
        return notes

    def _pitch(self, octave: int, degree: int) -> int:
        return self.key + octave + self.scale[degree % 7] + 12 * (degree // 7)

    def _varied(self, voice: Voice, part: list[tuple[int, float, int]]) -> Iterator[tuple[int, float, int]]:
        for row, length, pitch in part:
            if voice is Voice.P1 and self.rng.random() < 0.04:
                continue
            yield row, length, pitch

    def _block(self) -> dict[Voice, list[tuple[int, float, int]]]:
        rng = self.rng
        chords = [int(rng.choice((0, 3, 4, 5, 0, 1, 2))) for _ in range(4)]
        split = [
            int(rng.choice((3, 4))) if rng.random() < 0.25 and self.beats % 2 == 0 else c for c in chords
        ]
        self.chord = [
            split[b] if row >= self.bar // 2 else chords[b] for b in range(4) for row in range(self.bar)
        ]
        return {
            Voice.P1: self._melody(),
            Voice.P2: self._chords(),
            Voice.TR: self._bass(),
            Voice.NO: self._drums() if self.drums else [],
        }

    def _bass(self) -> list[tuple[int, float, int]]:
        rng, beat, half = self.rng, self.per_beat, self.half
        style = rng.choice(
            ("beats", "eighths", "octaves", "fifths", "held", "syncopated", "walking", "gallop")
        )
        notes = []
        for bar in range(4):
            rows: list[tuple[int, int]] = []  # row in the bar, scale steps above the root
            if style == "beats":
                rows = [(b * beat, 0) for b in range(self.beats)]
            elif style in ("eighths", "octaves"):
                rows = [
                    (r, 7 * (style == "octaves") * (i % 2)) for i, r in enumerate(range(0, self.bar, half))
                ]
            elif style == "fifths":
                rows = [(b * beat, 4 * (b % 2 if self.beats % 2 == 0 else b > 0)) for b in range(self.beats)]
            elif style == "held":
                rows = [(0, 0)] + ([(self.bar // 2, 0)] if rng.random() < 0.3 and self.beats == 4 else [])
            elif style == "syncopated":
                rows = [(0, 0), (beat + self.off, 0), (2 * beat, 4), ((self.beats - 1) * beat + self.off, 0)]
                rows = sorted(dict(rows).items())
            elif style == "walking":
                rows = [(b * beat, int(rng.choice((0, 2, 4, 1))) if b else 0) for b in range(self.beats)]
            else:
                third = max(1, half // 2)
                rows = [
                    (b * beat + s, 0)
                    for b in range(self.beats)
                    for s in (0, half, min(half + third, beat - 1))
                ]
                rows = sorted(dict(rows).items())
            gate = 0.9 if style == "held" else 0.7
            ends = [row for row, _ in rows[1:]] + [self.bar]
            for (row, step), end in zip(rows, ends, strict=True):
                at = bar * self.bar + row
                notes.append((at, (end - row) * gate, self._pitch(-12, self.chord[at] + step)))
        return notes

    def _chords(self) -> list[tuple[int, float, int]]:
        rng, beat, half = self.rng, self.per_beat, self.half
        style = rng.choice(("broken", "broken", "off-beats", "held", "stabs", "harmony"))
        notes = []
        rows = 4 * self.bar
        if style == "broken":
            order = [(0, 2, 4), (0, 2, 4, 2), (4, 2, 0), (0, 4, 2, 4), (0, 2, 4, 7)][rng.integers(5)]
            step = int(rng.choice((self.unit, half)))
            notes = [
                (r, step * 0.9, self._pitch(12, self.chord[r] + order[r // step % len(order)]))
                for r in range(0, rows, step)
            ]
        elif style == "off-beats":
            notes = [(r + self.off, 0.8, self._pitch(12, self.chord[r] + 2)) for r in range(0, rows, beat)]
        elif style == "stabs":
            hits = sorted(rng.choice(self.bar // self.unit, 3, replace=False) * self.unit)
            notes = [
                (b * self.bar + int(h), 0.7, self._pitch(12, self.chord[b * self.bar + int(h)] + 2))
                for b in range(4)
                for h in hits
            ]
        elif style == "harmony":
            notes = [
                (r, beat * 0.8, self._pitch(12, self.chord[r] + 2 * (r // beat % 2)))
                for r in range(0, rows, beat)
            ]
        else:
            notes = [
                (b * self.bar, self.bar * 0.95, self._pitch(12, self.chord[b * self.bar] + 2))
                for b in range(4)
            ]
        return notes

    def _melody(self) -> list[tuple[int, float, int]]:
        rng, half = self.rng, self.half
        lengths = [self.unit, half, half, self.per_beat, 2 * self.per_beat, self.per_beat + half]
        motifs = []
        for _ in range(2):
            row, motif = 0, []
            while row < self.bar:
                length = int(rng.choice(lengths))
                motif.append((row, length, rng.random() < 0.15))
                row += length
            motifs.append(motif)
        degree, notes = int(rng.integers(0, 7)), []
        for bar in range(4):
            for row, length, rest in motifs[bar % 2]:
                at = bar * self.bar + row
                degree = int(np.clip(degree + rng.integers(-2, 3), -3, 11))
                if row % self.per_beat == 0 and rng.random() < 0.6:
                    degree = self.chord[at] + int(rng.choice((0, 2, 4)))
                if not rest:
                    notes.append((at, length * float(rng.choice((0.6, 0.9, 1.0))), self._pitch(24, degree)))
        return notes

    def _drums(self) -> list[tuple[int, float, int]]:
        rng, beat, half, beats = self.rng, self.per_beat, self.half, self.beats
        style = rng.choice(("rock", "rock", "floor", "half-time", "march", "break", "hats", "snare"))
        kick, snare, hat = int(rng.integers(1, 5)), int(rng.integers(5, 10)), int(rng.integers(11, 17))
        hits: dict[int, int] = {}
        step = half if rng.random() < 0.7 else self.unit
        if style != "snare":
            hits = dict.fromkeys(range(0, self.bar, step), hat)
            if self.off != half:
                hits = {b * beat + offset: hat for b in range(beats) for offset in (0, self.off)}
        if style in ("rock", "break"):
            hits |= {
                b * beat: kick if (b % 2 == 0 if beats % 2 == 0 else b == 0) else snare for b in range(beats)
            }
        if style == "break":
            hits |= {int(rng.integers(1, self.bar // self.unit)) * self.unit: kick for _ in range(2)}
        elif style == "floor":
            hits |= {b * beat: kick for b in range(beats)}
        elif style == "half-time":
            hits |= {0: kick, (2 if beats > 3 else 1) * beat: snare}
        elif style == "march":
            hits |= {b * beat: snare for b in range(beats)}
            hits |= {0: kick}
        elif style == "snare":
            hits = {b * beat: snare for b in range(beats) if b % 2 == 1 or (beats == 3 and b > 0)}
        fill = rng.random() < 0.5
        notes = []
        for bar in range(4):
            own = dict(hits)
            if bar == 3 and fill:
                own |= dict.fromkeys(range(self.bar - beat, self.bar, self.unit), snare)
            notes += [(bar * self.bar + r, 0.6, pitch) for r, pitch in sorted(own.items())]
        return notes


def moved(song: Simulated, samples: int) -> Score:
    """The score of a song some samples later."""
    four = [
        Part(tuple(replace(note, onset=note.onset + samples) for note in part.notes))
        for part in song.score.parts
    ]
    return Score((four[0], four[1], four[2], four[3]), song.score.length + samples)
