"""Boxes, lines and texts, drawn as SVG or PNG."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape, quoteattr, unescape

from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.reading import reading

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

UNITS = 1600
"""Width of every picture in its own units; the width in pixels only scales it."""

_PNG = b"\x89PNG"
_COMMENT_BYTES = 1 << 16  # from the start of a file, where its comment stands
_STRIP = 512  # pixels of a PNG that are drawn at a time, at twice the size


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    """Left side, in units."""
    y: float
    """Upper side, in units."""
    width: float
    height: float
    fill: str
    """Colour, #rrggbb."""
    role: str
    """What it shows: a voice's name for a note, `level`, `edge`, `core`, `lane`."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    """#rrggbb."""
    thickness: float
    """Units."""
    role: str
    """What it shows: `bar`, `beat`, `second`, `part`, `octave`, `hatch`."""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text."""

    x: float
    """Of its start, middle or end, in units."""
    y: float
    """Of its baseline, in units."""
    content: str
    size: float
    """Units."""
    colour: str
    """#rrggbb."""
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


Primitive = Box | Stroke | Text


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn, from the back to the front."""

    title: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    background: str
    """Colour, #rrggbb."""
    shapes: tuple[Primitive, ...]
    """In units: 1600 to the width."""
    comment: str = ""
    """Text that the file holds and nobody sees, such as `Provenance.to_text`; empty for none."""


def svg_bytes(made: Picture) -> bytes:
    """A picture as the content of an SVG file."""
    height = made.height * UNITS / made.width
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{made.width}" height="{made.height}" '
        f'viewBox="0 0 {UNITS} {height:.2f}" font-family="Helvetica, Arial, sans-serif">',
        f"<title>{escape(shortened(made.title, 200))}</title>",
        f'<rect class="background" width="100%" height="100%" fill="{made.background}"/>',
    )
    comment = [f"<metadata>{escape(made.comment)}</metadata>"] if made.comment else []
    return "\n".join((*head, *comment, *map(_svg, made.shapes), "</svg>\n")).encode()


def _svg(shape: Primitive) -> str:
    if isinstance(shape, Box):
        return (
            f'<rect class="{shape.role}" x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}" '
            f'height="{shape.height:.2f}" fill="{shape.fill}"/>'
        )
    if isinstance(shape, Stroke):
        return (
            f'<line class="{shape.role}" x1="{shape.x1:.2f}" y1="{shape.y1:.2f}" x2="{shape.x2:.2f}" '
            f'y2="{shape.y2:.2f}" stroke="{shape.colour}" stroke-width="{shape.thickness}"/>'
        )
    weight = ' font-weight="bold"' if shape.bold else ""
    return (
        f'<text x="{shape.x:.2f}" y="{shape.y:.2f}" font-size="{shape.size}" fill="{shape.colour}" '
        f"text-anchor={quoteattr(shape.anchor)}{weight}>{escape(shape.content)}</text>"
    )


def png_bytes(made: Picture) -> bytes:
    """A picture as the content of a PNG file."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    image = Image.new("RGB", (made.width, made.height), made.background)
    scale = 2 * made.width / UNITS
    for top in range(0, made.height, _STRIP):
        rows = min(_STRIP, made.height - top)
        strip = Image.new("RGB", (2 * made.width, 2 * rows), made.background)
        pen = ImageDraw.Draw(strip)
        for shape in made.shapes:
            upper, lower = _extent(shape)
            if lower * scale >= 2 * top and upper * scale <= 2 * (top + rows):
                _paint(pen, shape, scale, -2 * top)
        image.paste(strip.reduce(2), (0, top))
    about = PngInfo()
    if made.comment:
        about.add_text("Comment", made.comment)
    file = BytesIO()
    image.save(file, "PNG", pnginfo=about)
    return file.getvalue()


def read_comment(path: Path) -> str:
    """Return the comment of a PNG or SVG file of ours; empty for none.

    Raises:
        FormatError: if it is no picture of this kind.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_COMMENT_BYTES)
    with reading(path, FormatError, "Draw it again"):
        if not data.startswith(_PNG):
            if b"<svg" not in data:
                raise ValueError("neither a PNG nor an SVG picture")
            found = re.search("<metadata>(.*?)</metadata>", data.decode("utf-8", "replace"), re.DOTALL)
            return unescape(found[1]) if found else ""
        from PIL import Image

        with Image.open(path, formats=("PNG",)) as image:
            return str(image.info.get("Comment", ""))


def _extent(shape: Primitive) -> tuple[float, float]:
    """How far up and down a shape goes, at most."""
    if isinstance(shape, Box):
        return shape.y, shape.y + shape.height
    if isinstance(shape, Stroke):
        return min(shape.y1, shape.y2) - shape.thickness, max(shape.y1, shape.y2) + shape.thickness
    return shape.y - 1.5 * shape.size, shape.y + shape.size


@lru_cache(16)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _paint(pen: ImageDraw.ImageDraw, shape: Primitive, scale: float, shift: float) -> None:
    """Draws a shape, enlarged and then moved down."""
    if isinstance(shape, Box):
        upper = shape.y * scale + shift
        _fill(pen, shape.x * scale, upper, shape.width * scale, shape.height * scale, shape.fill)
    elif isinstance(shape, Stroke) and (shape.x1 == shape.x2 or shape.y1 == shape.y2):
        across, half = shape.thickness * scale, shape.thickness * scale / 2
        wide, high = (shape.x2 - shape.x1) * scale, (shape.y2 - shape.y1) * scale
        x, y = shape.x1 * scale, shape.y1 * scale + shift
        if wide:
            _fill(pen, x, y - half, wide, across, shape.colour)
        else:
            _fill(pen, x - half, y, across, high, shape.colour)
    elif isinstance(shape, Stroke):
        ends = (shape.x1 * scale, shape.y1 * scale + shift, shape.x2 * scale, shape.y2 * scale + shift)
        pen.line(ends, shape.colour, max(1, round(shape.thickness * scale)))
    else:
        pen.text(
            (shape.x * scale, shape.y * scale + shift),
            shape.content,
            shape.colour,
            _font(shape.size * scale),
            {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor],
            stroke_width=shape.size * scale * 0.024 if shape.bold else 0,
        )


def _fill(pen: ImageDraw.ImageDraw, x: float, y: float, width: float, height: float, colour: str) -> None:
    """Fills a rectangle, at least a pixel of it."""
    left, top = round(x), round(y)
    right, bottom = max(left, round(x + width) - 1), max(top, round(y + height) - 1)
    pen.rectangle((left, top, right, bottom), colour)


def shortened(text: str, room: int) -> str:
    """A text that takes the room of so many Latin letters, without what cannot be printed."""
    kept, taken = "", 0
    for letter in text:
        taken += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if taken > room:
            return kept + "…"
        kept += letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
    return kept
