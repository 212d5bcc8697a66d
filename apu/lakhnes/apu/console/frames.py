"""A song as the console plays it: the writes to the sound chip in each video frame.

A program on the console runs once a frame. Notes move to frames before instruments run. If a song is given as
register writes, the writes of one run of the game's program stay in one frame.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest

import numpy as np

from lakhnes.apu.instruments import FRAME_SAMPLES
from lakhnes.apu.register_log import NO_TAGS, NTSC_CLOCK_HZ, PAL_CLOCK_HZ, RegisterLog, Tags
from lakhnes.apu.tables import is_pal
from lakhnes.runtime.music.events import SAMPLE_RATE, Kind
from lakhnes.runtime.music.score import Change, Note, Part, Score
from lakhnes.runtime.time.grid import BeatGrid

NTSC_FRAME_HZ, PAL_FRAME_HZ = NTSC_CLOCK_HZ / 29_780.5, PAL_CLOCK_HZ / 33_247.5
"""Frames per second of NTSC consoles (America, Japan), 60.0988, and of PAL ones (Europe), 50.0070."""

FASTER = "A console has 60.0988 frames a second, and the song's are 60: there it is 0.16 % faster."

MAX_WRITES = 64
"""Most writes in a frame: the console has no time for more."""

SAMPLE_BYTES = 12 * 1024
"""Room for the DMC's samples of a song: $C000 to $EFFF."""

_SAMPLES_AT = 0xC000
_SAMPLE_STEP = 64  # bytes; where a sample may begin

_PLAIN = frozenset((0x00, 0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10))
"""Registers in which a write of the same value has no effect."""

_SWEEPS, _SWEEP_ON = (0x01, 0x05), 0x80

_DAC, _ADDRESS, _SIZE, _STATUS, _DMC_ON = 0x11, 0x12, 0x13, 0x15, 0x10

Frame = tuple[tuple[int, int], ...]
"""Writes of (register, value), in order."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A song as the writes of each frame."""

    frames: tuple[Frame, ...]
    """At least one. Writes without an effect may be left out."""
    loop: int | None = None
    """First frame of the loop, or None. The loop writes every register that it needs."""
    samples: bytes = b""
    """The DMC's samples, from $C000 on; `SAMPLE_BYTES` at most."""
    pal: bool = False
    """True for a song for PAL consoles."""
    tags: Tags = NO_TAGS
    remarks: tuple[str, ...] = ()
    """Sentences for the user about differences from the song."""

    @property
    def frame_hz(self) -> float:
        """Return the frames per second."""
        return PAL_FRAME_HZ if self.pal else NTSC_FRAME_HZ

    @property
    def seconds(self) -> float:
        """Return the length of one pass on the console."""
        return len(self.frames) / self.frame_hz


def score_on_frames(score: Score, grid: BeatGrid | None = None) -> tuple[Score, tuple[str, ...]]:
    """Move the notes and changes of a score onto the console's frames.

    A score on 60 frames per second keeps its frames. Any other score keeps its tempo, and every moment moves
    to the nearest frame. If bars are known, moments count from their bar line, so equal bars stay equal.

    Args:
        score: any.
        grid: its bars, where they are known.

    Returns:
        A score in which a frame of the console is `FRAME_SAMPLES` samples, and remarks on it.
    """
    place = frame_place(score, grid)
    length = max(1, place(score.length))
    parts, left_out = [], 0
    for part in score.parts:
        notes = part.notes
        moved = _part_on_frames(part, place)
        left_out += len(notes) - len(moved.notes)
        parts.append(moved)
    remarks = [FASTER] if place is _sixtieths and score.n_notes else []
    if left_out:
        remarks.append(f"{left_out} notes that are shorter than a frame of the console are left out.")
    ends = [note.end for part in parts for note in part.notes]
    return Score.of(parts, max([length * FRAME_SAMPLES, *ends])), tuple(remarks)


def frame_place(score: Score, grid: BeatGrid | None = None) -> Callable[[int], int]:
    """Return the function that gives the frame of a sample, as `score_on_frames` places moments."""
    on_frames = all(note.onset % FRAME_SAMPLES == 0 for part in score.parts for note in part.notes)
    return _sixtieths if on_frames else _nearest(score, grid)


def _sixtieths(sample: int) -> int:
    return round(sample / FRAME_SAMPLES)


def _nearest(score: Score, grid: BeatGrid | None) -> Callable[[int], int]:
    """Return the function that gives the nearest frame of a sample."""
    per_sample = NTSC_FRAME_HZ / SAMPLE_RATE
    if grid is None:
        return lambda sample: round(sample * per_sample)
    ticks = grid.bar_lines(grid.tick(0) - grid.bar_ticks, grid.tick(score.length))
    bars = [0, *(sample for sample in map(grid.sample, ticks) if sample > 0)]
    starts = [round(bar * per_sample) for bar in bars]

    def place(sample: int) -> int:
        bar = bisect_right(bars, sample) - 1
        frame = starts[bar] + round((sample - bars[bar]) * per_sample)
        return frame if bar + 1 == len(bars) else min(frame, starts[bar + 1])

    return place


def _part_on_frames(part: Part, place: Callable[[int], int]) -> Part:
    """Return a part on frames; if two notes begin in one frame, the later one stays."""
    onsets = [place(note.onset) for note in part.notes]
    volumes = {place(c.sample): c for c in part.changes if c.kind is Kind.VELOCITY}
    notes: list[Note] = []
    for note, onset, after in zip_longest(part.notes, onsets, onsets[1:]):
        if onset == after:
            continue
        end = max(onset + 1, place(note.end))
        if after is not None:
            end = min(end, after)
        change = volumes.get(onset)
        velocity = change.value if change is not None and change.sample > note.onset else note.velocity
        notes.append(Note(onset * FRAME_SAMPLES, (end - onset) * FRAME_SAMPLES, note.pitch, velocity))
    starts = {note.onset for note in notes}
    last = {(place(c.sample) * FRAME_SAMPLES, c.kind): c.value for c in part.changes}
    changes = [
        Change(sample, kind, value)
        for (sample, kind), value in last.items()
        if not (kind is Kind.VELOCITY and sample in starts)
    ]
    return Part(tuple(notes), tuple(sorted(changes, key=lambda change: change.order)) if notes else ())


def frames_of(log: RegisterLog, *, on_frames: bool = False) -> Frames:
    """Move the writes of a log onto frames.

    Args:
        log: any song; one pass of it, with its loop.
        on_frames: whether the log is of a score that was put on frames; else they are found.

    Returns:
        Its frames. Writes that do not fit into frames are left out; remarks count them.
    """
    pal = is_pal(log.clock_hz)
    period, cut = (FRAME_SAMPLES, -FRAME_SAMPLES / 2) if on_frames else _run_of_the_program(log, pal)
    first = int(-cut // period)
    numbers = np.floor((log.samples - cut) / period).astype(np.int64) - first
    loop = None
    if log.loop is None:
        n_frames = max(1, round(log.length / period), int(numbers.max(initial=0)) + 1)
    else:
        loop = int((log.loop - cut) // period) - first
        n_frames = loop + max(1, round((log.length - log.loop) / period))
        numbers = np.minimum(numbers[log.samples < log.length], n_frames - 1)
    maker = _FrameMaker(log)
    frames: list[Frame] = []
    edges = np.searchsorted(numbers, np.arange(n_frames + 1))
    for number, (start, end) in enumerate(pairwise(edges.tolist())):
        if number == loop:
            maker.forget()
        frames.append(maker.frame(start, end))
    remarks = [*maker.remarks(), *log.left_out("music for the console")]
    if not (pal or on_frames) and period == FRAME_SAMPLES:
        remarks.insert(0, FASTER)
    return Frames(tuple(frames), loop, bytes(maker.samples), pal, log.tags, tuple(remarks))


def _run_of_the_program(log: RegisterLog, pal: bool) -> tuple[float, float]:
    """Return how often a game's program made the writes, and when in its period it was idle.

    Its period is that of the console's frames or the nearest whole number of samples; the right one leaves
    the longest stretch of the period without a write.

    Returns:
        Samples of the period, and samples from a multiple of it to the middle of that stretch.
    """
    nearest = (50, PAL_FRAME_HZ) if pal else (60, NTSC_FRAME_HZ)
    best = (-1.0, 0.0, 0.0)
    for hz in nearest:
        period = SAMPLE_RATE / hz
        phases = np.unique(np.append(log.samples, 0) % period)
        gaps = np.diff(np.append(phases, phases[0] + period))
        widest = int(np.argmax(gaps))
        best = max(best, (round(float(gaps[widest]), 3), period, float(phases[widest] + gaps[widest] / 2)))
    return best[1], best[2] - best[1]


class _FrameMaker:
    """Makes frames of writes.

    Attributes:
        samples: the DMC's samples.
    """

    def __init__(self, log: RegisterLog) -> None:
        self.samples = bytearray()
        self._writes = list(zip(log.registers.tolist(), log.values.tolist(), strict=True))
        self._times = log.samples
        self._memory = bytearray(0x1_0000)
        self._blocks = [*log.memory]
        self._places: dict[bytes, int] = {}  # step at which each sample lies
        self._held: dict[int, int] = {}
        self._dmc = {_ADDRESS: 0, _SIZE: 0}  # what the log says; the console has its own
        self._crowded = self._levels = self._dropped = 0

    def forget(self) -> None:
        """Assume nothing about the contents of the registers."""
        self._held = {}

    def frame(self, start: int, end: int) -> Frame:
        """Return the writes from one index up to another as a frame."""
        made: list[tuple[int, int]] = []
        levels = [i for i in range(start, end) if self._writes[i][0] == _DAC]
        for i in range(start, end):
            register, value = self._writes[i]
            if register == _DAC and i != levels[-1]:
                self._levels += 1
                continue
            made += self._needed(register, value, i)
        self._crowded += max(0, len(made) - MAX_WRITES)
        return tuple(made[:MAX_WRITES])

    def remarks(self) -> Iterator[str]:
        """Yield what is missing."""
        if self._levels:
            yield f"{self._levels} levels that a program sent to the DMC one by one are left out."
        if self._dropped:
            room = f"{SAMPLE_BYTES} bytes of samples"
            yield f"The DMC has over {room}; of its sounds {self._dropped} are silent."
        if self._crowded:
            yield f"{self._crowded} writes are left out: a frame of the console has no time for them."

    def _needed(self, register: int, value: int, index: int) -> Iterator[tuple[int, int]]:
        """Yield the writes that one write of the log becomes."""
        if register in self._dmc:
            self._dmc[register] = value
            return
        starts = register == _STATUS and value & _DMC_ON
        if starts:
            place = self._place(int(self._times[index]))
            if place is None:
                self._dropped += 1
                value &= ~_DMC_ON
            else:
                for dmc, now in ((_ADDRESS, place), (_SIZE, self._dmc[_SIZE])):
                    if self._held.get(dmc) != now:
                        self._held[dmc] = now
                        yield dmc, now
        idle = register in _PLAIN or (register == _STATUS and not starts)
        if idle and self._held.get(register) == value:
            return
        self._held[register] = value
        for sweep in _SWEEPS:
            if self._held.get(sweep, _SWEEP_ON) & _SWEEP_ON:
                self._held.pop(sweep + 1, None)  # the sweep unit changes the timer
        yield register, value

    def _place(self, sample: int) -> int | None:
        """Return where the DMC's sample lies, in steps of 64 bytes, or None if no room is left."""
        while self._blocks and self._blocks[0].sample <= sample:
            block = self._blocks.pop(0)
            data = block.data[: 0x1_0000 - block.address]
            self._memory[block.address : block.address + len(data)] = data
        start, size = _SAMPLES_AT + _SAMPLE_STEP * self._dmc[_ADDRESS], 16 * self._dmc[_SIZE] + 1
        content = bytes((self._memory + self._memory[0x8000:])[start : start + size])
        if content not in self._places:
            at = -(-len(self.samples) // _SAMPLE_STEP)
            if at * _SAMPLE_STEP + size > SAMPLE_BYTES:
                return None
            self.samples += bytes(at * _SAMPLE_STEP - len(self.samples)) + content
            self._places[content] = at
        return self._places[content]


__all__ = [
    "MAX_WRITES",
    "NTSC_FRAME_HZ",
    "PAL_FRAME_HZ",
    "SAMPLE_BYTES",
    "Frames",
    "frames_of",
    "score_on_frames",
]
