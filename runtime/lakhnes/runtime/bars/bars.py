"""Music in bars: notes on ticks of a beat, apart from the tempo at which they are played.

Time in samples says nothing about the beat, so a model that counts samples or frames cannot know where it is
in the bar. Here a beat has 24 ticks at every tempo, swing is taken out, and note ends within a sixteenth of
the next note become the articulation of the voice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.score import Part, Score, ScoreBuilder, rank
from lakhnes.runtime.music.timing import FRAME_SAMPLES
from lakhnes.runtime.time.grid import PPQ, BeatGrid
from lakhnes.runtime.time.tempo import Beats

TICKS_PER_BEAT = 24
"""Ticks of a beat, for sixteenths, triplets and ornaments."""

REST_TICKS = 6
"""A silence of at least this many ticks, a sixteenth, is a rest; a shorter one is articulation."""

METERS = range(2, 8)
"""Beats that a bar may have."""

BAR_SECONDS = (1.2, 2.7)
"""Bars are counted in twice or half the tempo where that brings them between these lengths."""

SOUNDING = (1.0, 0.75, 0.5)
"""Fraction of the time to the next note that a note sounds: legato, detached, short."""

HIT_FRAMES = (16, 6, 3)
"""Longest noise hit in frames, for each articulation."""

_DETACHED = 0.35  # of a voice's notes end early: then it is not legato
_SAME_ROW = 1.05 * FRAME_SAMPLES  # sound drivers write a frame late, so an onset this near to a row is on it
_BETTER = 0.05  # more of the bars must repeat an earlier one for bar lines to move to another beat
_PICK_UP = 0.5  # of the first bar is silent: then it is a pick-up


@dataclass(frozen=True, slots=True)
class BarNote:
    """One note of one voice."""

    onset: int
    """Ticks from the first bar line, 0 or more."""
    end: int | None
    """Tick at which a rest begins; None if the note sounds up to the next one, as its articulation says."""
    pitch: int
    """MIDI pitch; for the noise 1 to 16."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A song in bars."""

    parts: tuple[tuple[BarNote, ...], ...]
    """The notes of each `Voice`, at most one on a tick."""
    n_bars: int
    beats_per_bar: int
    """2 to 7."""
    bpm: float
    """Beats a minute."""
    swing: float = 0.5
    """Fraction of a pair of sixteenths that the first one takes; 0.5 is straight."""
    articulation: tuple[int, ...] = (0, 0, 0, 0)
    """Of each `Voice`: 0 legato, 1 detached, 2 short."""

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
        """Whether the first bar is an incomplete one before the first downbeat."""
        first = min((part[0].onset for part in self.parts if part), default=0)
        return self.n_bars > 1 and first >= _PICK_UP * self.bar_ticks

    @property
    def repeating(self) -> float:
        """Fraction of the voices' bars with notes that equal an earlier bar of the voice."""
        lines = [[(note.onset, note.pitch) for note in part] for part in self.parts]
        return _repeating(lines, self.bar_ticks, 0)

    @property
    def on_grid(self) -> float:
        """Fraction of the notes that begin on a 32nd or a triplet of one; by chance it is a half."""
        onsets = np.array([note.onset for part in self.parts for note in part], np.int64)
        return float(np.mean((onsets % 3 == 0) | (onsets % 4 == 0))) if len(onsets) else 0.0


def bars_of(score: Score, beats: Beats) -> Bars:
    """Return a score in bars.

    Args:
        score: in whole frames, as `clean_frames` gives it.
        beats: of this score.

    Raises:
        ValueError: if a bar has more or fewer beats than `METERS` allows.
    """
    if beats.beats_per_bar not in METERS:
        raise ValueError(f"a bar of {beats.beats_per_bar} beats")
    factor = _tempo_factor(beats)
    bar_ticks = beats.beats_per_bar * TICKS_PER_BEAT
    lines = [_line(score.parts[voice], beats, factor) for voice in Voice]
    shift = _downbeat([[(onset, pitch) for onset, _, pitch in line] for line in lines], bar_ticks)
    first = min((line[0][0] for line in lines if line), default=0)
    start = (first - shift) // bar_ticks * bar_ticks + shift
    last = max((line[-1][0] for line in lines if line), default=0)
    n_bars = (last - start) // bar_ticks + 1
    ends = [end - start for line in lines[: Voice.NO] for _, end, _ in line[-1:]]
    n_bars = max([n_bars, *(-(-(end - REST_TICKS) // bar_ticks) for end in ends)])
    parts = tuple(
        _part(line, start, n_bars * bar_ticks, voice) for voice, line in zip(Voice, lines, strict=True)
    )
    articulation = tuple(_articulation(score.parts[voice], voice, beats) for voice in Voice)
    return Bars(parts, n_bars, beats.beats_per_bar, beats.bpm * factor, beats.swing, articulation)


class BarWriter:
    """What sounds when bars are played on a grid, a bar at a time.

    A note that no rest ends sounds up to the next one of its voice, or less, as its articulation says, if
    that one begins in the same bar. So nothing of a bar depends on the bars after it, and a song that is
    still being composed sounds as it will when it is whole.
    """

    def __init__(
        self, grid: BeatGrid, bar_ticks: int, articulation: Sequence[int], swing: float = 0.5
    ) -> None:
        """Begins at tick 0 of a grid.

        Args:
            grid: samples of each tick; its ticks are 1/480 of a beat.
            bar_ticks: ticks of a bar, 24 a beat.
            articulation: of each `Voice`.
            swing: as in `Bars`.
        """
        self._grid = grid
        self._bar_ticks = bar_ticks
        self._articulation = articulation
        self._swing = swing
        self._bar = 0
        self._zero = self._now = self.sample(0)
        self._ringing: int | None = None  # sample at which the last hit of the noise ends
        self._sounding: set[Voice] = set()

    def sample(self, tick: float) -> int:
        """Return the sample of a tick, with swing."""
        eighth, inside = divmod(tick, TICKS_PER_BEAT / 2)
        half = TICKS_PER_BEAT / 4
        late = (
            inside * 2 * self._swing
            if inside < half
            else inside + (TICKS_PER_BEAT / 2 - inside) * (2 * self._swing - 1)
        )
        return self._grid.sample((eighth * TICKS_PER_BEAT / 2 + late) * PPQ / TICKS_PER_BEAT)

    def write(self, notes: Sequence[Sequence[BarNote]], rests: Sequence[int | None]) -> list[Event]:
        """Return the events of the next bar, up to its end.

        Args:
            notes: of each voice, those that begin in the bar; the end of one may lie in a later bar.
            rests: of each voice, the tick in the bar at which a note of an earlier bar ends, or None.
        """
        end = self.sample((self._bar + 1) * self._bar_ticks)
        moments: list[tuple[int, Event]] = []
        for voice in Voice:
            moments += self._moments(voice, notes[voice], rests[voice], end)
        moments.sort(key=lambda moment: (moment[0], rank(moment[1])))
        events = []
        for sample, event in [*moments, (end, None)]:
            if sample > self._now:
                events.append(Event(Kind.WAIT, None, sample - self._now))
                self._now = sample
            if event is not None:
                events.append(event)
        self._bar += 1
        return events

    def _moments(
        self, voice: Voice, notes: Sequence[BarNote], rest: int | None, end: int
    ) -> Iterator[tuple[int, Event]]:
        """Sample and event of what a voice does in the bar."""
        off = Event(Kind.NOTE_OFF, voice)
        first = self.sample(notes[0].onset) if notes else end
        silent = self._ringing if voice is Voice.NO else None if rest is None else self.sample(rest)
        if silent is not None and silent < first and voice in self._sounding:
            yield silent, off
            self._sounding.discard(voice)
        last = (self._bar + 1) * self._bar_ticks
        for note, after in zip(notes, (*notes[1:], None), strict=False):
            onset = self.sample(note.onset)
            following = end if after is None else self.sample(after.onset)
            yield onset, Event(Kind.NOTE_ON, voice, note.pitch)
            self._sounding.add(voice)
            stop = self._end(voice, note, after, onset)
            if voice is Voice.NO and after is None:
                self._ringing = stop
            if stop is not None and stop < following and (note.end is None or note.end < last):
                yield stop, off
                self._sounding.discard(voice)

    def _end(self, voice: Voice, note: BarNote, after: BarNote | None, onset: int) -> int | None:
        """Sample at which a note ends; None if it sounds up to the next one."""
        if voice is Voice.NO:
            return onset + HIT_FRAMES[self._articulation[voice]] * FRAME_SAMPLES
        if note.end is not None:
            return self.sample(note.end)
        if after is None:
            return None
        room = self.sample(after.onset) - onset
        sounds = room
        if self._articulation[voice]:
            sounds = round(room * SOUNDING[self._articulation[voice]] / FRAME_SAMPLES) * FRAME_SAMPLES
        if after.pitch == note.pitch:
            sounds = min(sounds, room - FRAME_SAMPLES)  # else they would sound as one on the chip
        return onset + min(room, max(FRAME_SAMPLES, sounds))


def score_of(bars: Bars, grid: BeatGrid) -> Score:
    """Return bars as they sound on a grid, from its tick 0 on."""
    writer = BarWriter(grid, bars.bar_ticks, bars.articulation, bars.swing)
    builder = ScoreBuilder()
    for notes, rests in bars_apart(bars):
        for event in writer.write(notes, rests):
            builder.add(event)
    return builder.score()


def bars_apart(bars: Bars) -> Iterator[tuple[list[list[BarNote]], list[int | None]]]:
    """Yield what `BarWriter.write` takes of each bar: the notes that begin in it, and rests."""
    places = [0] * len(Voice)
    for number in range(bars.n_bars):
        start, end = number * bars.bar_ticks, (number + 1) * bars.bar_ticks
        notes: list[list[BarNote]] = []
        rests: list[int | None] = []
        for voice in Voice:
            line, place = bars.parts[voice], places[voice]
            before = line[place - 1].end if place else None
            rests.append(before if before is not None and start <= before < end else None)
            stop = place
            while stop < len(line) and line[stop].onset < end:
                stop += 1
            notes.append(list(line[place:stop]))
            places[voice] = stop
        yield notes, rests


def _line(part: Part, beats: Beats, factor: float) -> list[tuple[int, int, int]]:
    """Onset and end in ticks, and pitch, of a voice's notes, at most one on a tick.

    A note of a fast run comes a tick late where the one before it has taken its own, but no later; then it
    replaces that one.
    """
    line: list[tuple[int, int, int]] = []
    for note in part.notes:
        onset, end = (round(_on_row(beats, sample) * factor) for sample in (note.onset, note.end))
        if line and onset <= line[-1][0]:
            onset = line[-1][0] + 1
            if onset - _tick(beats, note.onset) * factor >= 1:
                onset = line.pop()[0]
        line.append((onset, max(end, onset + 1), note.pitch))
    return line


def _tick(beats: Beats, sample: int) -> float:
    """Place of a sample in ticks from the tracked downbeat."""
    return (beats.place(sample) - beats.downbeat) * TICKS_PER_BEAT / beats.rows_per_beat


def _on_row(beats: Beats, sample: int) -> float:
    """Place of a sample in ticks from the tracked downbeat; on a row if it is within a frame of one."""
    row = round(beats.place(sample))
    return _tick(beats, beats.sample(row) if abs(beats.sample(row) - sample) <= _SAME_ROW else sample)


def _tempo_factor(beats: Beats) -> float:
    """What the tempo is multiplied by so that a bar has a usual length."""
    seconds = beats.beats_per_bar * 60 / beats.bpm
    shortest, longest = BAR_SECONDS
    if seconds > longest:
        return 2.0
    return 0.5 if seconds < shortest else 1.0


def _downbeat(lines: Sequence[Sequence[tuple[int, int]]], bar_ticks: int) -> int:
    """Ticks by which bar lines move so that more bars repeat earlier ones; 0 unless that is clear."""
    repeating = [_repeating(lines, bar_ticks, shift) for shift in range(0, bar_ticks, TICKS_PER_BEAT)]
    best = int(np.argmax(repeating))
    return best * TICKS_PER_BEAT if repeating[best] > repeating[0] + _BETTER else 0


def _repeating(lines: Sequence[Sequence[tuple[int, int]]], bar_ticks: int, shift: int) -> float:
    """Fraction of the bars with notes, of lines of (onset, pitch), that equal an earlier bar of the line."""
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


def _articulation(part: Part, voice: Voice, beats: Beats) -> int:
    """How a voice parts its notes: 0 legato, 1 detached, 2 short."""
    beat_samples = 60 * SAMPLE_RATE / beats.bpm
    steps = [(note, after.onset - note.onset, after) for note, after in pairwise(part.notes)]
    if voice is Voice.NO:
        held = [note.length / FRAME_SAMPLES for note, step, _ in steps if note.length < step]
        if len(held) < _DETACHED * len(steps):
            return 0
        middle = float(np.median(held)) if held else 0.0
        return 0 if middle >= 11 else 1 if middle >= 4.5 else 2
    near = [
        note.length / step
        for note, step, after in steps
        if step - note.length < beat_samples / 4 and (note.pitch != after.pitch or step > 8 * FRAME_SAMPLES)
    ]
    early = [fraction for fraction in near if fraction < 0.93]
    if len(early) < _DETACHED * len(near) or not near:
        return 0
    return 1 if np.median(early) >= 0.625 else 2
