"""A song as a picture: a piano roll of four lanes.

`picture` lays everything out once, as boxes, lines and texts, which `drawing` draws.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from lakhnes.bridge.drawing import UNITS, Box, Picture, Primitive, Stroke, Text, shortened
from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE, Kind, Voice
from lakhnes.runtime.music.score import Note, Part, Score
from lakhnes.runtime.time.grid import PPQ, BeatGrid

if TYPE_CHECKING:
    pass

WIDTHS = (400, 4000)
"""Narrowest and widest picture in pixels."""

MAX_HEIGHT = 20_000
"""Highest picture in pixels."""

LEFT, RIGHT = 172, UNITS - 32
"""Where time begins and ends in a row, in units."""

_MARGIN, _HEAD, _RULER, _LANE_GAP, _ROW_GAP = 32, 108, 32, 12, 36
_LANE, _SILENT_LANE = 144.0, 46.0
_PITCH_STEP = (2.0, 9.0)  # least and most units a semitone
_NOISE_STEP = 6.0
_LEAST_NOTE = (1.5, 9.0)  # width and height in units
_ROW_SECONDS = 20.0
_LEAST_SCALE = 0.5  # seconds a row, for songs of a blink
_SECOND_STEPS = ((0.1, 0.05), (0.2, 0.1), (0.5, 0.25), (1.0, 0.5), (2.0, 1.0), (5.0, 1.0))


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """How a song is shown."""

    title: str = ""
    width: int = UNITS
    """Pixels, 400 to 4000."""
    start_seconds: float = 0.0
    """What is shown begins here."""
    end_seconds: float | None = None
    """What is shown ends here; None, or later than the song, for its end."""
    dark: bool = False
    """Light on dark."""


@dataclass(frozen=True, slots=True)
class _Colours:
    background: str
    lane: str
    ink: str
    muted: str
    strong_line: str
    faint_line: str
    voices: tuple[str, str, str, str]


_LIGHT = _Colours(
    "#ffffff", "#f5f6f8", "#1c2128", "#5b6572", "#a9b1bc", "#e0e4e9",
    ("#0b6bb5", "#cf5200", "#00875f", "#7a4fa3"),
)  # fmt: skip
_DARK = _Colours(
    "#12151a", "#1b2027", "#eef1f5", "#9aa5b3", "#56616f", "#2b323c",
    ("#58b4f5", "#ff9a4d", "#3fd6a0", "#c49bf0"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _PictureLane:
    """One voice's place in every row."""

    voice: Voice
    top: float
    """Units below the top of the row."""
    height: float
    low: int
    """Lowest pitch that has a place."""
    high: int
    step: float
    """Units a pitch; 0 in the lane of a voice that is silent throughout."""


@dataclass(frozen=True, slots=True)
class _System:
    """A stretch of time and its place."""

    start: float
    """Samples."""
    end: float
    top: float
    """Units."""
    units_per_sample: float

    def x(self, sample: float) -> float:
        return LEFT + (sample - self.start) * self.units_per_sample


def picture(
    score: Score, grid: BeatGrid | None = None, settings: PictureSettings = PictureSettings()
) -> Picture:
    """Lays out a song.

    Each voice has a lane, the same in every row; a long song takes rows of equal length. A note's shade
    follows its volume. Colour and pattern tell the voices apart.

    Args:
        score: any score.
        grid: its bars and beats; without one the ruler counts seconds.
        settings: title, size, part of the song and colours.

    Raises:
        OptionError: for a width out of range, a part that is not in the song, or a picture that is too high.
    """
    if not WIDTHS[0] <= settings.width <= WIDTHS[1]:
        raise OptionError(
            f"A picture {settings.width} pixels wide is not made; give {WIDTHS[0]} to {WIDTHS[1]}."
        )
    start, end = _view(score, settings)
    lanes = _lanes(score)
    rows = _rows(start, end, grid, lanes)
    lanes_end = lanes[-1].top + lanes[-1].height
    height = math.ceil((rows[-1].top + lanes_end + _MARGIN) * settings.width / UNITS)
    if height > MAX_HEIGHT:
        raise OptionError(
            f"{_clock((end - start) / SAMPLE_RATE)} of music would be a picture {height} pixels high, and "
            f"{MAX_HEIGHT} is the most; show a part of it (from, to) or make it narrower (width)."
        )
    theme = _DARK if settings.dark else _LIGHT
    shapes: list[Primitive] = list(_heading(score, grid, settings.title, (start, end), theme))
    for row in rows:
        shapes += _back(row, lanes, theme)
        shapes += _seconds(row, lanes_end, theme) if grid is None else _bars(row, lanes_end, grid, theme)
        shapes += _labels(lanes, row.top, theme)
        for lane in lanes:
            shapes += _notes(score.parts[lane.voice], lane, row, theme)
    return Picture(settings.title, settings.width, height, theme.background, tuple(shapes))


def _view(score: Score, settings: PictureSettings) -> tuple[float, float]:
    """The first and the last sample that are shown."""
    start = settings.start_seconds * SAMPLE_RATE
    end = math.inf if settings.end_seconds is None else settings.end_seconds * SAMPLE_RATE
    if not 0 <= start <= end - 1:  # a sample at least
        until = "the end" if settings.end_seconds is None else f"{settings.end_seconds:g} s"
        raise OptionError(
            f"No music lies from {settings.start_seconds:g} s to {until}; "
            "give a start of 0 or more, and an end after it."
        )
    if start > 0 and start >= score.length:
        raise OptionError(f"The song ends at {score.seconds:.1f} s; give a start before that.")
    return start, min(end, max(score.length, 1))


def _lanes(score: Score) -> list[_PictureLane]:
    lanes: list[_PictureLane] = []
    top = float(_RULER)
    for voice in Voice:
        pitches = [note.pitch for note in score.parts[voice].notes]
        low, high, step, height = 1, 16, _NOISE_STEP, 16 * _NOISE_STEP
        if not pitches:
            step, height = 0.0, _SILENT_LANE
        elif voice is not Voice.NO:
            spare = max(2, (15 - (max(pitches) - min(pitches))) // 2)
            low, high = min(pitches) - spare, max(pitches) + spare
            least, most = _PITCH_STEP
            step = min(most, max(least, _LANE / (high - low + 1)))
            height = step * (high - low + 1)
        lanes.append(_PictureLane(voice, top, height, low, high, step))
        top += height + _LANE_GAP
    return lanes


def _rows(start: float, end: float, grid: BeatGrid | None, lanes: list[_PictureLane]) -> list[_System]:
    most = _ROW_SECONDS * SAMPLE_RATE
    edges = [start]
    if end - start > 1.1 * most:
        if grid is None:
            seconds = math.ceil((end - start) / SAMPLE_RATE / math.ceil((end - start) / most))
            edges += [
                start + i * seconds * SAMPLE_RATE for i in range(1, math.ceil((end - start) / most) + 1)
            ]
        else:
            edges += _bar_edges(start, end, grid, most)
        short = 0.05 * most  # no row of its own for a rest like this
        edges = [edge for edge in edges if edge < end - short]
    edges.append(end)
    longest = max(after - before for before, after in pairwise(edges))
    scale = (RIGHT - LEFT) / max(longest, _LEAST_SCALE * SAMPLE_RATE)
    pitch = lanes[-1].top + lanes[-1].height + _ROW_GAP
    return [_System(a, b, _HEAD + i * pitch, scale) for i, (a, b) in enumerate(pairwise(edges))]


def _bar_edges(start: float, end: float, grid: BeatGrid, most: float) -> list[float]:
    """Samples of the bar lines on which rows end, each 1, 2, 4 and so on bars after the one before."""
    first, last = (grid.exact_tick(sample) for sample in (start, end))
    lines = list(grid.bar_lines(first - 0.01 * grid.bar_ticks, last))
    bars = 2 ** max(0, math.floor(math.log2(most * len(lines) / (end - start)))) if lines else 1
    return [float(grid.sample(line)) for line in lines[bars::bars] if grid.sample(line) < end]


def _heading(
    score: Score, grid: BeatGrid | None, title: str, view: tuple[float, float], theme: _Colours
) -> Iterator[Primitive]:
    facts = [_clock(score.seconds)]
    if view[0] > 0 or view[1] < score.length:
        facts = [f"{_clock(view[0] / SAMPLE_RATE)} to {_clock(view[1] / SAMPLE_RATE)} of {facts[0]}"]
    if grid is not None:
        bars = max(
            1, sum(1 for _ in grid.bar_lines(0, grid.exact_tick(score.length) - 0.05 * grid.bar_ticks))
        )
        tempo = f" at {grid.bpm:.4g} BPM" if len(grid.tempi) == 1 else ""
        facts.append(f"{bars} bar{'s' * (bars > 1)}{tempo}")
    facts.append(f"{score.n_notes} note{'s' * (score.n_notes != 1)}")
    yield Text(_MARGIN, 54, shortened(title, 80), 30, theme.ink, bold=True)
    yield Text(_MARGIN, 84, "   ·   ".join(facts), 19, theme.muted)


def _clock(seconds: float, decimals: int = 1) -> str:
    minutes, rest = divmod(round(seconds, decimals), 60)
    return f"{minutes:.0f}:{rest:0{3 + decimals if decimals else 2}.{decimals}f}"


def _back(row: _System, lanes: list[_PictureLane], theme: _Colours) -> Iterator[Primitive]:
    """The lanes of a row and the lines of its pitches."""
    width = row.x(row.end) - LEFT
    for lane in lanes:
        yield Box(LEFT, row.top + lane.top, width, lane.height, theme.lane, "lane")
        for pitch in _lined(lane):
            y = _pitch_line(row.top, lane, pitch)
            colour = theme.faint_line if lane.voice is Voice.NO else theme.strong_line
            yield Stroke(LEFT, y, LEFT + width, y, colour, 1, "octave")


def _lined(lane: _PictureLane) -> range:
    """Pitches that have a line at their lower side: each C, each noise; none at the foot of the lane."""
    if not lane.step:
        return range(0)
    if lane.voice is Voice.NO:
        return range(2, 17)
    return range(12 * max(0, lane.low // 12 + 1), lane.high + 1, 12)


def _pitch_line(top: float, lane: _PictureLane, pitch: int) -> float:
    """The lower side of a pitch."""
    return top + lane.top + (lane.high + 1 - pitch) * lane.step


def _labels(lanes: list[_PictureLane], top: float, theme: _Colours) -> Iterator[Primitive]:
    """The names at the left of a row."""
    for lane in lanes:
        y = top + lane.top
        yield Text(_MARGIN, y + 20, TRACK_NAMES[lane.voice], 20, theme.ink, bold=True)
        yield from _bar_of_note((_MARGIN, y + 28, 56, 9), lane.voice, [(_MARGIN, 15)], True, theme)
        if not lane.step:
            yield Text(LEFT + 14, y + lane.height / 2 + 6, "silent", 17, theme.muted)
        names = {p: f"C{p // 12 - 1}" for p in _lined(lane)}
        shift = 5.5
        if lane.voice is Voice.NO and lane.step:
            names, shift = {p: str(p) for p in (1, 6, 11, 16)}, 5.5 - lane.step / 2
        for pitch, name in names.items():
            yield Text(LEFT - 10, _pitch_line(top, lane, pitch) + shift, name, 15, theme.muted, "end")


def _bars(row: _System, height: float, grid: BeatGrid, theme: _Colours) -> Iterator[Primitive]:
    """The ruler of a row in bars and beats."""
    first, last = (grid.exact_tick(sample) for sample in (row.start, row.end))
    pixels = (row.x(row.end) - LEFT) / max(last - first, 1)
    every = next(n for n in (2**i for i in range(64)) if n * pixels * grid.bar_ticks >= 48)
    low, high = first - 0.01 * PPQ, last + 0.01 * PPQ
    lines = list(grid.bar_lines(low - grid.bar_ticks, high))
    for line, following in zip(lines, [*lines[1:], math.inf], strict=True):
        bar, *_ = grid.position(line)
        signature = max((s for s in grid.signatures if s.tick <= line), default=grid.signatures[0])
        beats = range(line + signature.beat_ticks, line + signature.bar_ticks, signature.beat_ticks)
        if pixels * signature.beat_ticks >= 7:
            for beat in beats:
                if low <= beat <= high and beat < following:
                    x = min(max(row.x(grid.sample(beat)), LEFT), row.x(row.end))
                    yield _upright(x, row.top + _RULER, row.top + height, theme.faint_line, "beat")
        x = min(max(row.x(grid.sample(line)), LEFT), row.x(row.end))
        if line < low:
            continue
        if (bar - 1) % every == 0 and x < row.x(row.end) - 20:
            yield _upright(x, row.top + 8, row.top + height, theme.strong_line, "bar")
            if bar > 0:
                yield Text(x + 6, row.top + 24, str(bar), 17, theme.muted)
        else:
            yield _upright(x, row.top + _RULER, row.top + height, theme.strong_line, "bar")
    yield Text(_MARGIN, row.top + 19, _clock(row.start / SAMPLE_RATE), 15, theme.muted)


def _seconds(row: _System, height: float, theme: _Colours) -> Iterator[Primitive]:
    """The ruler of a row in seconds."""
    steps = [s for s in _SECOND_STEPS if s[0] * SAMPLE_RATE * row.units_per_sample >= 76]
    step, part = steps[0] if steps else _SECOND_STEPS[-1]
    many = round(step / part)
    first, last = (sample / SAMPLE_RATE / part for sample in (row.start, row.end))
    for number in range(math.ceil(first - 0.001), math.floor(last + 0.001) + 1):
        x = row.x(number * part * SAMPLE_RATE)
        if number % many:
            yield _upright(x, row.top + _RULER, row.top + height, theme.faint_line, "part")
            continue
        yield _upright(x, row.top + _RULER - 5, row.top + height, theme.strong_line, "second")
        yield Text(
            x, row.top + 20, _clock(number * part, 0 if step >= 1 else 1), 16, theme.muted, anchor="middle"
        )


def _upright(x: float, top: float, bottom: float, colour: str, role: str) -> Stroke:
    return Stroke(x, top, x, bottom, colour, 1, role)


def _notes(part: Part, lane: _PictureLane, row: _System, theme: _Colours) -> Iterator[Primitive]:
    """A voice's notes in a row, and what of them reaches into it."""
    volumes = [change for change in part.changes if change.kind is Kind.VELOCITY]
    moments = [change.sample for change in volumes]
    first = bisect_right(part.notes, row.start, key=lambda note: note.end)
    last = bisect_left(part.notes, row.end, key=lambda note: note.onset)
    for note in part.notes[first:last]:
        inside = volumes[bisect_left(moments, note.onset) : bisect_left(moments, note.end)]
        start, end = max(note.onset, row.start), min(note.end, row.end)
        levels = [(note.onset, note.velocity), *((change.sample, change.value) for change in inside)]
        here = [(row.x(max(sample, start)), volume) for sample, volume in levels if sample < end]
        width = max(row.x(end) - row.x(start), _LEAST_NOTE[0])
        height = max(lane.step, _LEAST_NOTE[1])
        y = row.top + _middle(note, lane) - height / 2
        yield from _bar_of_note(
            (row.x(start), y, width, height), lane.voice, here, start == note.onset, theme
        )


def _middle(note: Note, lane: _PictureLane) -> float:
    return lane.top + (lane.high - note.pitch + 0.5) * lane.step


def _bar_of_note(
    place: tuple[float, float, float, float],
    voice: Voice,
    levels: list[tuple[float, int]],
    begins: bool,
    theme: _Colours,
) -> Iterator[Primitive]:
    """One note: its shades, its voice's pattern, and a dark edge where it begins.

    Args:
        place: left, top, width and height in units.
        voice: whose colour and pattern it gets.
        levels: where each volume begins, in units; those at or before the left count from there.
        begins: whether its onset is here, and not in the row before.
        theme: the colours.
    """
    x, y, width, height = place
    shades = [_mixed(theme.lane, theme.voices[voice], 0.3 + 0.7 * volume / 15) for volume in range(16)]
    first = [volume for at, volume in levels if at <= x][-1]
    yield Box(x, y, width, height, shades[first], voice.name)
    later = [(at, volume) for at, volume in levels if at > x]
    for (at, volume), (until, _) in pairwise([*later, (x + width, 0)]):
        yield Box(at, y, until - at, height, shades[volume], "level")
    if width >= 9:
        yield from _pattern(place, voice, theme)
    if begins:
        yield Box(x, y, min(2.5, width / 3), height, _mixed(shades[first], theme.ink, 0.4), "edge")


def _pattern(place: tuple[float, float, float, float], voice: Voice, theme: _Colours) -> Iterator[Primitive]:
    """Pulse 1 is plain, pulse 2 hatched, the triangle hollow, the noise striped."""
    x, y, width, height = place
    if voice is Voice.P2:
        for i in range(math.ceil((x + y) / 6), math.ceil((x + y + width + height) / 6)):
            left, right = max(x, 6 * i - y - height), min(x + width, 6 * i - y)
            yield Stroke(left, 6 * i - left, right, 6 * i - right, theme.lane, 1.3, "hatch")
    elif voice is Voice.TR:
        yield Box(x, y + height * 0.3, width - 2, height * 0.4, theme.lane, "core")
    elif voice is Voice.NO:
        for i in range(1, math.ceil(width / 4)):
            yield Stroke(x + 4 * i, y, x + 4 * i, y + height, theme.lane, 1.2, "hatch")


@lru_cache(1024)
def _mixed(one: str, other: str, share: float) -> str:
    """A colour between two: the first at 0, the other at 1."""
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * share) for a, b in pairs).hex()
