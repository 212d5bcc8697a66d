"""The picture of a song: what is drawn lies where the notes are, and both back ends draw the same."""

import io
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from support import scores, tune

from lakhnes.bridge.drawing import UNITS, Box, Picture, Text, png_bytes, svg_bytes
from lakhnes.bridge.picture import LEFT, MAX_HEIGHT, RIGHT, PictureSettings, picture
from lakhnes.runtime import SAMPLE_RATE, Change, Kind, Note, OptionError, Part, Score, Voice
from lakhnes.runtime.time.grid import PPQ, BeatGrid, TimeSignature


class Rectangle(NamedTuple):
    role: str
    x: float
    y: float
    width: float
    height: float
    fill: str


class Drawn:
    """What a reader of the SVG sees: rectangles, upright lines and texts."""

    def __init__(self, made: Picture) -> None:
        root = ET.fromstring(svg_bytes(made))
        space = "{http://www.w3.org/2000/svg}"
        size = ("x", "y", "width", "height")
        self.rectangles = [
            Rectangle(r.attrib["class"], *(float(r.attrib[name]) for name in size), r.attrib["fill"])
            for r in root.iter(f"{space}rect")
            if r.attrib["class"] != "background"
        ]
        self.lines = [
            (line.attrib["class"], *(float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2")))
            for line in root.iter(f"{space}line")
        ]
        self.texts = [
            (float(t.attrib["x"]), float(t.attrib["y"]), t.text or "") for t in root.iter(f"{space}text")
        ]
        self.box = tuple(map(float, root.attrib["viewBox"].split()))
        lanes = [r for r in self.rectangles if r.role == "lane"]
        self.rows = [lanes[i : i + 4] for i in range(0, len(lanes), 4)]

    def notes(self, voice: Voice, row: int) -> list[Rectangle]:
        """The rectangles of a voice's notes in a row, without its key at the left."""
        lane = self.rows[row][voice]
        return [
            r
            for r in self.rectangles
            if r.role == voice.name and r.x >= LEFT and lane.y - 2 < r.y < lane.y + lane.height
        ]

    def spans(self, start: float, end: float) -> tuple[list[tuple[float, float]], float]:
        """First and last sample of each row, and units a sample."""
        scale = sum(row[0].width for row in self.rows) / (end - start)
        edges = start + np.cumsum([0.0, *(row[0].width for row in self.rows)]) / scale
        return list(pairwise(edges)), scale

    def label(self, voice: Voice, row: int, pattern: str) -> tuple[int, float] | None:
        """Number in a label at the left of a lane, and its middle."""
        lane = self.rows[row][voice]
        for x, y, text in self.texts:
            found = re.fullmatch(pattern, text)
            if found and x < LEFT and lane.y - 8 < y - 5.5 < lane.y + lane.height + 8:
                return int(found[1]), y - 5.5
        return None


def step_of(lane: Rectangle, pitches: list[int]) -> float:
    """Units a semitone, as the lane's rule has it: at least two more at either side."""
    spare = max(2, (15 - (max(pitches) - min(pitches))) // 2)
    return lane.height / (max(pitches) - min(pitches) + 2 * spare + 1)


@settings(max_examples=60, deadline=None)
@given(scores(unit=1) | scores(unit=150), st.none() | st.floats(60, 240))
def test_every_note_is_where_it_sounds(score: Score, bpm: float | None) -> None:
    grid = None if bpm is None else BeatGrid.steady(bpm)
    drawn = Drawn(picture(score, grid))
    spans, scale = drawn.spans(0, max(score.length, 1))
    near = 0.01 * (len(spans) + 2)
    for voice in Voice:
        notes = score.parts[voice].notes
        for row, (start, end) in enumerate(spans):
            here = [n for n in notes if n.onset < end - near / scale and n.end > start + near / scale]
            expected = [
                (
                    LEFT + (max(n.onset, start) - start) * scale,
                    max(1.5, (min(n.end, end) - max(n.onset, start)) * scale),
                )
                for n in here
            ]
            found = [r for r in drawn.notes(voice, row) if r.x - LEFT < (end - start) * scale - near]
            found = [r for r in found if r.width > 1.6 or any(abs(r.x - x) < near for x, _ in expected)]
            assert [r.x for r in found] == pytest.approx([x for x, _ in expected], abs=near)
            assert [r.width for r in found] == pytest.approx([w for _, w in expected], abs=near)
            if notes:
                heights_match(drawn, voice, row, here, found, [n.pitch for n in notes])


def heights_match(
    drawn: Drawn, voice: Voice, row: int, notes: list[Note], found: list[Rectangle], pitches: list[int]
) -> None:
    """Notes lie as far above the labels as their pitch is."""
    lane = drawn.rows[row][voice]
    if voice is Voice.NO:
        label = drawn.label(voice, row, r"(1)")
        assert label is not None
        step, known, middle = lane.height / 16, 1, label[1]
    else:
        label = drawn.label(voice, row, r"C(-?\d)")
        if label is None:  # at the very top of MIDI there may be no C in the lane
            assert min(pitches) > 115
            return
        step = step_of(lane, pitches)
        known, middle = 12 * (label[0] + 1), label[1] - step / 2
    for note, rectangle in zip(notes, found, strict=True):
        centre = rectangle.y + rectangle.height / 2
        assert centre == pytest.approx(middle - (note.pitch - known) * step, abs=0.05)
        assert lane.y < centre < lane.y + lane.height


@settings(max_examples=40, deadline=None)
@given(st.floats(40, 300), st.integers(1, 7), st.floats(0.2, 120))
def test_bar_lines_and_beats_are_where_the_grid_has_them(bpm: float, meter: int, seconds: float) -> None:
    grid = BeatGrid.steady(bpm, meter)
    length = round(seconds * SAMPLE_RATE)
    drawn = Drawn(picture(Score(length=length), grid))
    spans, scale = drawn.spans(0, length)
    found: dict[str, Counter[int]] = {"bar": Counter(), "beat": Counter()}
    for role, x, y, x2, _ in drawn.lines:
        assert x == x2 or role not in found
        if role in found:
            row = max(i for i, lanes in enumerate(drawn.rows) if lanes[0].y - 40 < y)
            tick = grid.exact_tick(spans[row][0] + (x - LEFT) / scale)
            assert abs(tick / PPQ - round(tick / PPQ)) < 0.02
            found[role][round(tick / PPQ)] += 1
    last = math.floor(grid.exact_tick(length) / PPQ)
    assert {n for n in range(last) if n % meter == 0} <= set(found["bar"])
    assert all(n % meter == 0 for n in found["bar"])
    assert all(n % meter for n in found["beat"])
    if bpm * max(end - start for start, end in spans) / SAMPLE_RATE / 60 < 150:
        assert {n for n in range(last) if n % meter} <= set(found["beat"])
    assert all(abs(grid.exact_tick(start) / grid.bar_ticks % 1 - 0.5) > 0.49 for start, _ in spans)


def test_bars_have_their_numbers_and_rows_their_time() -> None:
    grid = BeatGrid.steady(120)
    made = picture(Score(length=32 * 4 * 22_050), grid, PictureSettings("Song & <Dance>"))
    drawn = Drawn(made)
    texts = [text for _, _, text in drawn.texts]
    assert [text for text in texts if text.isdecimal()] == [str(bar) for bar in range(1, 33)]
    assert [text for text in texts if re.fullmatch(r"\d:\d\d\.\d", text)] == [
        "0:00.0",
        "0:16.0",
        "0:32.0",
        "0:48.0",
    ]
    assert texts[0] == "Song & <Dance>"
    assert "32 bars at 120 BPM" in texts[1]
    assert {round(row[0].width) for row in drawn.rows} == {RIGHT - LEFT}


def test_without_a_grid_the_ruler_counts_seconds() -> None:
    drawn = Drawn(picture(Score(length=90 * SAMPLE_RATE)))
    clocks = [text for _, _, text in drawn.texts if re.fullmatch(r"\d:\d\d", text)]
    assert clocks[0] == "0:00"
    assert "1:28" in clocks
    times = [60 * int(text[0]) + int(text[2:]) for text in clocks]
    assert times == sorted(times)
    assert not any(role in ("bar", "beat") for role, *_ in drawn.lines)


def test_tempi_that_change_move_the_bar_lines() -> None:
    grid = BeatGrid(
        np.array([0.0, 88_200.0, 132_300.0]),
        np.array([0.0, 1920.0, 3840.0]),
        (TimeSignature(0),),
        ((0, 120.0), (1920, 240.0)),
    )
    drawn = Drawn(picture(Score(length=132_300), grid))
    bars = [x for role, x, *_ in drawn.lines if role == "bar"]
    wide = RIGHT - LEFT
    assert bars == pytest.approx([LEFT, LEFT + wide * 2 / 3, RIGHT], abs=0.05)
    assert "BPM" not in drawn.texts[1][2]


def test_a_pick_up_comes_before_bar_one() -> None:
    grid = BeatGrid(np.array([22_050.0, 44_100.0]), np.array([0.0, 480.0]))
    drawn = Drawn(picture(Score(length=5 * 22_050), grid))
    assert [x for role, x, *_ in drawn.lines if role == "bar"] == pytest.approx(
        [LEFT + (RIGHT - LEFT) / 5, RIGHT]
    )
    assert next(x for x, _, text in drawn.texts if text == "1") > LEFT + (RIGHT - LEFT) / 5


def brightness(colour: str) -> int:
    return sum(bytes.fromhex(colour[1:]))


@pytest.mark.parametrize("dark", [False, True])
def test_louder_notes_stand_out_more_and_follow_their_volume(dark: bool) -> None:
    notes = tuple(Note(i * 20_000, 20_000, 60, volume) for i, volume in enumerate((1, 5, 10, 15)))
    changes = (Change(65_000, Kind.VELOCITY, 4), Change(70_000, Kind.VELOCITY, 2))
    score = Score((Part(notes, changes), Part(), Part(), Part()), 80_000)
    drawn = Drawn(picture(score, settings=PictureSettings(dark=dark)))
    lane = brightness(drawn.rows[0][0].fill)
    away = [abs(brightness(r.fill) - lane) for r in drawn.notes(Voice.P1, 0)]
    assert away == sorted(set(away))
    levels = [r for r in drawn.rectangles if r.role == "level"]
    at = [LEFT + (RIGHT - LEFT) * sample / 80_000 for sample in (65_000, 70_000, 80_000)]
    assert [r.x for r in levels] == pytest.approx(at[:2], abs=0.01)
    assert [r.x + r.width for r in levels] == pytest.approx(at[1:], abs=0.02)
    faded = [abs(brightness(r.fill) - lane) for r in levels]
    assert away[3] > faded[0] > faded[1] > away[0]


def pixels(made: Picture) -> NDArray[np.float64]:
    with Image.open(io.BytesIO(png_bytes(made))) as image:
        assert image.size == (made.width, made.height)
        return np.asarray(image.convert("RGB"), np.float64)


def test_voices_differ_in_grey_too() -> None:
    made = picture(tune(), settings=PictureSettings(width=2 * UNITS))
    grey = pixels(made).mean(axis=2)
    kinds = []
    for voice in Voice:
        key = next(s for s in made.shapes if isinstance(s, Box) and s.role == voice.name and s.x < LEFT)
        x, y, right, bottom = (
            round(2 * v) for v in (key.x + 5, key.y + 1, key.x + key.width - 5, key.y + key.height - 1)
        )
        inside = grey[y:bottom, x:right]
        kinds.append((bool(np.ptp(inside.mean(axis=0)) > 25), bool(np.ptp(inside.mean(axis=1)) > 25)))
        if voice is Voice.P2:
            assert inside.std() > 25
    assert kinds[Voice.P1] == (False, False)
    assert kinds[Voice.TR] == (False, True)
    assert kinds[Voice.NO] == (True, False)
    p1 = next(s for s in made.shapes if isinstance(s, Box) and s.role == "P1")
    assert (
        grey[round(2 * p1.y) + 3 : round(2 * p1.y) + 15, round(2 * p1.x) + 10 : round(2 * p1.x) + 90].std()
        < 1
    )


@pytest.mark.parametrize("width", [400, 1000, 1600, 4000])
def test_a_png_has_the_asked_width_and_shows_the_boxes(width: int) -> None:
    made = picture(tune(), settings=PictureSettings(width=width))
    image = pixels(made)
    assert image.shape[1] == width
    scale = width / UNITS
    shown = 0
    for box in made.shapes:
        if isinstance(box, Box) and box.role in ("P1", "level") and box.x > LEFT:
            x, y = (box.x + 0.4 * box.width) * scale, (box.y + box.height / 2) * scale
            later = [s for s in made.shapes if isinstance(s, Box) and s.role == "level" and s is not box]
            if any(s.x * scale - 1 < x < (s.x + s.width) * scale + 1 for s in later if s.y == box.y):
                continue
            assert image[int(y), int(x)] == pytest.approx(tuple(bytes.fromhex(box.fill[1:])), abs=2)
            shown += 1
    assert shown >= 8


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="rsvg-convert is not there")
@pytest.mark.parametrize("dark", [False, True])
def test_both_back_ends_draw_the_same(dark: bool) -> None:
    made = picture(tune(), BeatGrid.steady(120), PictureSettings("Tune", 1200, dark=dark))
    run = subprocess.run(["rsvg-convert"], input=svg_bytes(made), capture_output=True, check=True)
    with Image.open(io.BytesIO(run.stdout)) as image:
        other = np.asarray(image.convert("RGB"), np.float64)
    own = pixels(made)
    assert own.shape == other.shape
    scale = made.width / UNITS
    roll = (slice(round(145 * scale), None), slice(round((LEFT + 1) * scale), None))
    apart = np.abs(own - other)[roll].mean()
    assert apart < 1.2
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        assert np.abs(np.roll(own, step, axis=(0, 1)) - other)[roll].mean() > 1.5 * apart


def test_texts_stay_in_the_picture_and_apart() -> None:
    wide = tuple(Note(i * 9000, 8000, pitch) for i, pitch in enumerate(range(1, 128, 9)))
    noise = tuple(Note(i * 9000, 8000, i + 1) for i in range(15))
    score = Score((Part(wide), Part(wide), Part(wide), Part(noise)), 135_000)
    made = picture(score, settings=PictureSettings("W" * 400))
    texts = [s for s in made.shapes if isinstance(s, Text)]
    for text in texts:
        width = 0.62 * text.size * len(text.content)
        left = text.x - {"start": 0, "middle": width / 2, "end": width}[text.anchor]
        assert left >= 0
        assert left + width <= UNITS
        assert text.size < text.y < made.height
    ends = sorted(t.y for t in texts if t.anchor == "end")
    assert len(ends) > 30
    assert all(after - before > 11 for before, after in pairwise(ends))


def test_songs_without_notes_or_with_one_have_a_picture() -> None:
    empty = Drawn(picture(Score()))
    assert [text for _, _, text in empty.texts].count("silent") == 4
    blink = Drawn(picture(Score((Part((Note(0, 1, 1),)), Part(), Part(), Part()), 1)))
    (note,) = blink.notes(Voice.P1, 0)
    assert (note.x, note.width) == (LEFT, 1.5)
    assert "1 note" in blink.texts[1][2]
    pixels(picture(Score()))


def test_a_part_of_a_song() -> None:
    score = tune()
    drawn = Drawn(picture(score, settings=PictureSettings(start_seconds=1.25, end_seconds=3.25)))
    found = drawn.notes(Voice.P1, 0)
    shown = [n for n in score.parts[0].notes if n.end > 1.25 * SAMPLE_RATE and n.onset < 3.25 * SAMPLE_RATE]
    assert len(found) == len(shown) == 5
    assert found[0].x == LEFT
    assert found[1].x == pytest.approx(LEFT + (RIGHT - LEFT) * (1.5 - 1.25) / 2, abs=0.01)
    assert "0:01.2 to 0:03.2 of 0:04.0" in drawn.texts[1][2]
    edges = [r.x for r in drawn.rectangles if r.role == "edge" and r.y == found[0].y]
    assert LEFT not in edges, "a note that goes on has no onset here"


@pytest.mark.parametrize(
    ("score", "wanted", "message"),
    [
        (tune(), PictureSettings(width=399), "399 pixels wide is not made; give 400 to 4000"),
        (tune(), PictureSettings(width=4001), "give 400 to 4000"),
        (tune(), PictureSettings(start_seconds=-1), "No music lies from -1 s to the end"),
        (tune(), PictureSettings(start_seconds=math.nan), "No music lies from nan s"),
        (tune(), PictureSettings(start_seconds=2, end_seconds=2), "from 2 s to 2 s; give a start"),
        (tune(), PictureSettings(end_seconds=0.0), "from 0 s to 0 s"),
        (tune(), PictureSettings(start_seconds=4), "The song ends at 4.0 s; give a start before that"),
        (
            Score(length=24 * 3600 * SAMPLE_RATE),
            PictureSettings(),
            f"and {MAX_HEIGHT} is the most; show a part",
        ),
    ],
)
def test_what_cannot_be_drawn(score: Score, wanted: PictureSettings, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        picture(score, settings=wanted)


def test_a_title_may_be_anything() -> None:
    made = picture(tune(), settings=PictureSettings("a\x00\ud800\n]]><&\"' 日本 " + "x" * 99))
    title = Drawn(made).texts[0][2]
    assert title.startswith("a\ufffd\ufffd\ufffd]]><&\"' 日本 x")
    assert title.endswith("…")
    pixels(made)
