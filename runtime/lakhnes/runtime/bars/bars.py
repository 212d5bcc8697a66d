"""Music in bars: notes on ticks of a beat, independent of the tempo.

Time in samples says nothing about the beat. A model that counts samples or frames cannot know its place in
the bar. Here a beat has 24 ticks at every tempo, and swing is removed. Note ends within a sixteenth of the
next note become the articulation of the voice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.score import Note, Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, TICK_SAMPLES
from lakhnes.runtime.time.grid import PPQ, BeatGrid
from lakhnes.runtime.time.tempo import Beats

TICKS_PER_BEAT = 24
"""Ticks of a beat, for sixteenths, triplets and ornaments."""

REST_TICKS = 6
"""Shortest rest in ticks, a sixteenth; a shorter silence is articulation."""

METERS = range(2, 8)
"""Numbers of beats that a bar may have."""

BAR_SECONDS = (1.2, 2.7)
"""Shortest and longest bar in seconds; the tempo is doubled or halved if that brings bars into this range."""

SOUNDING = (1.0, 0.75, 0.5)
"""Fraction of the time to the next note that a note sounds, for legato, detached and short."""

HIT_FRAMES = (16, 6, 3)
"""Longest noise hit in frames, for each articulation."""

_DETACHED = 0.35  # share of a voice's notes that end early; from here on it is not legato
_SAME_ROW = 1.05 * FRAME_SAMPLES  # sound drivers write a frame late, so an onset this near to a row is on it
_BETTER = 0.05  # extra share of bars that must repeat an earlier one before bar lines move to another beat
_PAIR = TICKS_PER_BEAT // 2  # ticks of two sixteenths; swing makes the first one longer
_PICK_UP = 0.5  # silent share of the first bar, from which it is a pick-up


@dataclass(frozen=True, slots=True)
class BarNote:
    """One note of one voice."""

    onset: int
    """Ticks from the first bar line, 0 or more."""
    end: int | None
    """Tick of the rest after it; None if the note sounds up to the next one, as its articulation says."""
    pitch: int
    """MIDI pitch; for the noise 1 to 16."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A song in bars."""

    parts: tuple[tuple[BarNote, ...], ...]
    """The notes of each `Voice`, at most one on a tick."""
    n_bars: int
    beats_per_bar: int
    """Beats per bar, 2 to 7."""
    bpm: float
    """Beats a minute."""
    swing: float = 0.5
    """Fraction of a pair of sixteenths that the first one takes; 0.5 is straight."""
    articulation: tuple[int, ...] = (0, 0, 0, 0)
    """Articulation of each `Voice`: 0 legato, 1 detached, 2 short."""

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar."""
        return self.beats_per_bar * TICKS_PER_BEAT

    @property
    def length(self) -> int:
        """Ticks of the whole song."""
        return self.n_bars * self.bar_ticks

    @property
    def pick_up(self) -> bool:
        """Whether the first bar is incomplete, before the first downbeat."""
        first = min((part[0].onset for part in self.parts if part), default=0)
        return self.n_bars > 1 and first >= _PICK_UP * self.bar_ticks

    @property
    def repeating(self) -> float:
        """Fraction of the voices' bars with notes that equal an earlier bar of the same voice."""
        lines = [[(note.onset, note.pitch) for note in part] for part in self.parts]
        return _repeating(lines, self.bar_ticks, 0)

    @property
    def on_grid(self) -> float:
        """Fraction of the notes that begin on a 32nd or a triplet of one; by chance a half."""
        onsets = np.array([note.onset for part in self.parts for note in part], np.int64)
        return float(np.mean((onsets % 3 == 0) | (onsets % 4 == 0))) if len(onsets) else 0.0


def bars_of(score: Score, beats: Beats) -> Bars:
    """Return a score in bars.

    Args:
        score: in whole frames, as `clean_frames` returns it.
        beats: the beats of this score.

    Raises:
        ValueError: if a bar has a number of beats that `METERS` does not allow.
    """
    if beats.beats_per_bar not in METERS:
        raise ValueError(f"a bar of {beats.beats_per_bar} beats")
    factor = _tempo_factor(beats.beats_per_bar, beats.bpm)
    bar_ticks = beats.beats_per_bar * TICKS_PER_BEAT

    def row(sample: int) -> float:
        return _on_row(beats, sample) * factor

    def tick(sample: int) -> float:
        return _tick(beats, sample) * factor

    lines = [_line(score.parts[voice], row, tick) for voice in Voice]
    shift = _downbeat([[(onset, pitch) for onset, _, pitch in line] for line in lines], bar_ticks)
    first = min((line[0][0] for line in lines if line), default=0)
    start = (first - shift) // bar_ticks * bar_ticks + shift
    beat = 60 * SAMPLE_RATE / beats.bpm
    articulation = tuple(_articulation(score.parts[voice], voice, beat) for voice in Voice)
    return _bars(lines, start, beats.beats_per_bar, beats.bpm * factor, beats.swing, articulation)


@dataclass(frozen=True, slots=True)
class BarLines:
    """The bars of a model in a song with a grid: converts ticks of the model and samples."""

    grid: BeatGrid
    beats_per_bar: int
    """Beats per bar of the model, 2 to 7."""
    bpm: float
    """Tempo of the model, in beats a minute."""
    factor: float
    """Beats of the model for each quarter note of the grid."""
    first: float
    """Tick of the grid at the model's tick 0, a bar line at or before sample 0."""
    swing: float = 0.5
    """Swing as in `Bars`; ticks are straight, samples swing."""

    @classmethod
    def of(cls, grid: BeatGrid, swing: float | None = None) -> BarLines:
        """Return the bars of a grid, in twice or half its tempo if that makes their length typical.

        Args:
            grid: the grid of the song.
            swing: swing of the music on it; None for the grid's own.
        """
        quarters = grid.beats_per_bar
        meter = quarters if quarters in METERS else max((m for m in METERS if quarters % m == 0), default=4)
        factor = _tempo_factor(meter, grid.bpm)
        bar = meter / factor * PPQ
        origin = grid.pick_up_ticks
        first = math.floor((grid.exact_tick(0) - origin) / bar + 1e-6) * bar + origin
        return cls(grid, meter, grid.bpm * factor, factor, first, grid.swing if swing is None else swing)

    @property
    def _halves(self) -> tuple[float, float]:
        """Ticks of a pair of sixteenths before its second one: as swing has them, and straight."""
        return _PAIR * self.swing, _PAIR / 2

    def tick(self, sample: float) -> float:
        """Return the tick of a sample."""
        swung = (self.grid.exact_tick(sample) - self.first) * self.factor * TICKS_PER_BEAT / PPQ
        return _moved(swung, *self._halves)

    def sample(self, tick: float) -> int:
        """Return the sample of a tick; for a whole tick, on the grid."""
        beats = _moved(tick, *reversed(self._halves)) / TICKS_PER_BEAT / self.factor
        return self.grid.sample(round(self.first + beats * PPQ))

    def nearest(self, sample: int) -> float:
        """Return the tick of a sample, or of a row of the grid within a frame of it."""
        tick, step = self.tick(sample), self.grid.row_ticks * self.factor * TICKS_PER_BEAT / PPQ
        row = round(tick / step) * step if step else tick
        return row if abs(self.sample(row) - sample) <= _SAME_ROW else tick

    def bars(self, score: Score) -> Bars:
        """Return a score in these bars."""
        lines = [_line(score.parts[voice], self.nearest, self.tick) for voice in Voice]
        beat = 60 * SAMPLE_RATE / self.grid.bpm
        articulation = tuple(_articulation(score.parts[voice], voice, beat) for voice in Voice)
        return _bars(lines, 0, self.beats_per_bar, self.bpm, self.swing, articulation)


def _moved(tick: float, second: float, place: float) -> float:
    """Move a tick, with the second half of each pair of rows starting at another place.

    Swapping the two places converts back.

    Args:
        tick: any.
        second: ticks of a pair before its second half.
        place: their new number.
    """
    pair, inside = divmod(tick, _PAIR)
    if inside < second:
        return pair * _PAIR + inside / second * place
    return pair * _PAIR + place + (inside - second) / (_PAIR - second) * (_PAIR - place)


def _bars(
    lines: Sequence[Sequence[tuple[int, int, int]]],
    start: int,
    meter: int,
    bpm: float,
    swing: float,
    articulation: tuple[int, ...],
) -> Bars:
    """Return the bars of lines of (onset, end, pitch), starting at a tick."""
    bar_ticks = meter * TICKS_PER_BEAT
    last = max((line[-1][0] for line in lines if line), default=start)
    n_bars = (last - start) // bar_ticks + 1
    ends = [end - start for line in lines[: Voice.NO] for _, end, _ in line[-1:]]
    n_bars = max([n_bars, *(-(-(end - REST_TICKS) // bar_ticks) for end in ends)])
    parts = tuple(
        _part(line, start, n_bars * bar_ticks, voice) for voice, line in zip(Voice, lines, strict=True)
    )
    return Bars(parts, n_bars, meter, bpm, swing, articulation)


def articulated(notes: Sequence[Note], voice: Voice, articulation: int, bar: int, frame: float) -> list[Note]:
    """Return notes at their played length, from notes that sound up to the next one or a rest.

    Only a note with a next note in the same bar becomes shorter. No bar therefore depends on later bars, and
    a song that is still being composed sounds as it will when complete.

    Args:
        notes: notes of a voice, in model time.
        voice: their voice.
        articulation: as in `Bars`.
        bar: model time of a bar.
        frame: model time of a 60th of a second.
    """
    played = []
    for note, after in zip(notes, (*notes[1:], None), strict=False):
        length = float(note.length)
        if voice is Voice.NO:
            length = min(length, HIT_FRAMES[articulation] * frame)
        elif after is not None and note.end == after.onset and note.onset // bar == after.onset // bar:
            length *= SOUNDING[articulation]
            if after.pitch == note.pitch:
                length = min(length, note.length - frame)  # without a gap they would sound as one on the chip
            length = min(note.length, max(frame, length))
        played.append(replace(note, length=max(1, round(length))))
    return played


def notes_of(bars: Bars, voice: Voice, length: int) -> tuple[Note, ...]:
    """Return the notes of a voice in model time, each up to its rest or the next one."""
    line = bars.parts[voice]
    notes = []
    for note, after in zip(line, (*line[1:], None), strict=False):
        following = length if after is None else after.onset * TICK_SAMPLES
        end = following if note.end is None else min(following, note.end * TICK_SAMPLES)
        onset = note.onset * TICK_SAMPLES
        if onset < min(end, length):
            notes.append(Note(onset, min(end, length) - onset, note.pitch))
    return tuple(notes)


def _line(
    part: Part, row: Callable[[int], float], tick: Callable[[int], float]
) -> list[tuple[int, int, int]]:
    """Return (onset, end, pitch) of a voice's notes, onset and end in ticks, at most one on a tick.

    In a fast run a note may come a tick late if the one before it takes its own tick, but no later. Then it
    replaces the one before.
    """
    line: list[tuple[int, int, int]] = []
    for note in part.notes:
        onset, end = (round(row(sample)) for sample in (note.onset, note.end))
        if line and onset <= line[-1][0]:
            onset = line[-1][0] + 1
            if onset - tick(note.onset) >= 1:
                onset = line.pop()[0]
        line.append((onset, max(end, onset + 1), note.pitch))
    return line


def _tick(beats: Beats, sample: int) -> float:
    """Return the position of a sample in ticks from the tracked downbeat."""
    return (beats.place(sample) - beats.downbeat) * TICKS_PER_BEAT / beats.rows_per_beat


def _on_row(beats: Beats, sample: int) -> float:
    """Return the position of a sample in ticks from the tracked downbeat.

    A sample within a frame of a row counts as on it.
    """
    row = round(beats.place(sample))
    return _tick(beats, beats.sample(row) if abs(beats.sample(row) - sample) <= _SAME_ROW else sample)


def _tempo_factor(beats_per_bar: int, bpm: float) -> float:
    """Return the factor of the tempo that makes the length of a bar typical."""
    seconds = beats_per_bar * 60 / bpm
    shortest, longest = BAR_SECONDS
    if seconds > longest:
        return 2.0
    return 0.5 if seconds < shortest else 1.0


def _downbeat(lines: Sequence[Sequence[tuple[int, int]]], bar_ticks: int) -> int:
    """Return the ticks by which bar lines must move to repeat more bars; 0 unless the gain is clear."""
    repeating = [_repeating(lines, bar_ticks, shift) for shift in range(0, bar_ticks, TICKS_PER_BEAT)]
    best = int(np.argmax(repeating))
    return best * TICKS_PER_BEAT if repeating[best] > repeating[0] + _BETTER else 0


def _repeating(lines: Sequence[Sequence[tuple[int, int]]], bar_ticks: int, shift: int) -> float:
    """Return the fraction of bars with notes that equal an earlier bar of the same line."""
    same = total = 0
    for line in lines:
        bars: dict[int, list[tuple[int, int]]] = {}
        for onset, pitch in line:
            bar, place = divmod(onset - shift, bar_ticks)
            bars.setdefault(bar, []).append((place, pitch))
        same += len(bars) - len({tuple(bar) for bar in bars.values()})
        total += len(bars)
    return same / total if total else 0.0


def _part(line: Sequence[tuple[int, int, int]], start: int, length: int, voice: Voice) -> tuple[BarNote, ...]:
    notes = []
    for number, (onset, end, pitch) in enumerate(line):
        after = line[number + 1][0] if number + 1 < len(line) else start + length
        rest: int | None = None
        if voice is not Voice.NO and after - end >= REST_TICKS:
            rest = max(onset + 3, 3 * round((end - start) / 3) + start)  # rests begin on a 32nd
            rest = rest - start if after - rest >= REST_TICKS // 2 else None
        notes.append(BarNote(onset - start, rest, pitch))
    return tuple(notes)


def _articulation(part: Part, voice: Voice, beat_samples: float) -> int:
    """Return the articulation of a voice: 0 legato, 1 detached, 2 short."""
    steps = [(note, after.onset - note.onset, after) for note, after in pairwise(part.notes)]
    if voice is Voice.NO:
        held = [note.length / FRAME_SAMPLES for note, step, _ in steps if note.length < step]
        return _hit_length(held) if held and len(held) >= _DETACHED * len(steps) else 0
    near = [
        note.length / step
        for note, step, after in steps
        if step - note.length < beat_samples / 4 and not _repeats(note, after)
    ]
    early = [fraction for fraction in near if fraction < 0.93]
    if len(early) < _DETACHED * len(near) or not near:
        return 0
    return 1 if np.median(early) >= 0.625 else 2


def _repeats(note: Note, after: Note) -> bool:
    """Return whether a pitch repeats so soon that a gap is needed."""
    return note.pitch == after.pitch and after.onset - note.onset <= 8 * FRAME_SAMPLES


def _hit_length(frames: Sequence[float]) -> int:
    """Return the length of noise hits: 0 as long as possible, 1 medium, 2 short."""
    middle = float(np.median(frames))
    return 0 if middle >= 11 else 1 if middle >= 4.5 else 2
