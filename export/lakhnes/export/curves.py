"""The log of a run, a CSV file, and its picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path

from lakhnes.bridge.drawing import UNITS, Picture, Primitive, Stroke, Text, png_bytes
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import reading

LOG_FILE, PICTURE_FILE = "log.csv", "curves.png"


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of the log."""

    step: int
    tokens: int
    """Tokens so far, over all streams."""
    seconds: float
    """Seconds of training so far."""
    lr: float
    loss: float | None
    """Nats a token, the mean since the last line; None in a line of an evaluation."""
    valid: float | None
    """Nats a token of the averaged weights on a part of the valid split; None between evaluations."""
    norm: float | None
    """Gradient norm before clipping, the mean since the last line."""
    rate: float | None
    """Tokens a second since the last line."""


_NAMES = tuple(field.name for field in fields(LogRow))

_MOST = 1e15
"""Largest number in a log; infinity and NaN stand for a failed loss."""

_MAX_LINE = 1000


class Log:
    """The log of a run, written to its file line by line.

    Attributes:
        rows: all lines.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        """Open the log.

        Args:
            folder: folder of the run.
            step: step where the run continues; later lines in the file are dropped.

        Raises:
            FormatError: if the file has other columns.
            OutputError: if it cannot be written.
        """
        self._path = folder / LOG_FILE
        self.rows = [row for row in read_log(self._path) if row.step <= step] if step else []
        write_whole(self._path, _text([_NAMES, *map(_cells, self.rows)]).encode())

    def add(self, row: LogRow) -> None:
        """Append a line."""
        self.rows.append(row)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(_text([_cells(row)]))

    def draw(self) -> None:
        """Draw the curves of the losses next to the log.

        Raises:
            OutputError: if the picture cannot be written.
        """
        write_whole(self._path.with_name(PICTURE_FILE), png_bytes(curves(self.rows)))


def read_log(path: Path) -> list[LogRow]:
    """Read a log; an unfinished last line is ignored.

    Raises:
        FormatError: if it is no log.
    """
    if not path.exists():
        return []
    rows = []
    with reading(path, FormatError, "Move it away."), path.open(encoding="utf-8", newline="\n") as file:
        if tuple(file.readline(_MAX_LINE).rstrip("\n").split(",")) != _NAMES:
            raise FormatError(path, "not a log of `lakhnes train`; move it away")
        number = 1
        while (line := file.readline(_MAX_LINE)).endswith("\n"):
            number += 1
            try:
                rows.append(_row(line[:-1].split(",")))
            except ValueError as error:
                shown = printable(line[:-1], 60)
                raise FormatError(
                    path, f"'{shown}' is no line of a log; move it away", line=number
                ) from error
        if len(line) == _MAX_LINE:
            raise FormatError(path, "no line of a log, it is too long; move it away", line=number + 1)
    return rows


def _row(cells: Sequence[str]) -> LogRow:
    """Return the line of a log.

    Raises:
        ValueError: if the cells are no such line.
    """
    step, tokens = (int(cell) for cell in cells[:2])
    seconds, lr = (float(cell) for cell in cells[2:4])
    loss, valid, norm, rate = (float(cell) if cell else None for cell in cells[4:])
    for value in (step, tokens, seconds):
        if not 0 <= value <= _MOST:
            raise ValueError(value)
    for maybe in (lr, loss, valid, norm, rate):
        if maybe is not None and math.isfinite(maybe) and abs(maybe) > _MOST:
            raise ValueError(maybe)
    return LogRow(step, tokens, seconds, lr, loss, valid, norm, rate)


def _cells(row: LogRow) -> tuple[str, ...]:
    return tuple("" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for v in astuple(row))


def _text(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


_LEFT, _RIGHT, _TOP, _BOTTOM = 110, 1560, 70, 740
_TRAIN, _VALID, _GRID, _INK = "#8fb3d9", "#c0392b", "#e3e6ea", "#2c3440"


def curves(rows: Sequence[LogRow]) -> Picture:
    """Return the picture of training and valid losses over tokens."""
    train = [(row.tokens, row.loss) for row in rows if row.loss is not None and math.isfinite(row.loss)]
    valid = [(row.tokens, row.valid) for row in rows if row.valid is not None and math.isfinite(row.valid)]
    train = _thinned(train, 700)
    every = [loss for _, loss in train + valid] or [0.0]
    low, high = min(every), max(every)
    low, high = low - 0.05 * (high - low) - 0.01, high + 0.05 * (high - low) + 0.01
    last = max((tokens for tokens, _ in train + valid), default=0) or 1

    def point(tokens: float, loss: float) -> tuple[float, float]:
        part = (loss - low) / (high - low)
        return _LEFT + (_RIGHT - _LEFT) * tokens / last, _BOTTOM - (_BOTTOM - _TOP) * part

    shapes: list[Primitive] = []
    for step in range(6):
        loss, tokens = low + (high - low) * step / 5, last * step / 5
        y, x = point(0, loss)[1], point(tokens, low)[0]
        shapes.append(Stroke(_LEFT, y, _RIGHT, y, _GRID, 2, "level"))
        shapes.append(Text(_LEFT - 14, y + 8, f"{loss:.2f}", 24, _INK, "end"))
        shapes.append(Text(x, _BOTTOM + 38, f"{tokens / 1e6:.3g} M", 24, _INK, "middle"))
    for points, colour, thickness in ((train, _TRAIN, 3.0), (valid, _VALID, 5.0)):
        at = [point(*p) for p in points]
        shapes += [Stroke(*one, *two, colour, thickness, "loss") for one, two in pairwise(at)]
    ends = [f"training {train[-1][1]:.3f}" if train else "", f"valid {valid[-1][1]:.3f}" if valid else ""]
    shapes.append(Text(_LEFT, 44, "Nats a token over tokens", 28, _INK, bold=True))
    shapes.append(Text(_RIGHT - 260, 44, ends[0], 26, _TRAIN, "end", bold=True))
    shapes.append(Text(_RIGHT, 44, ends[1], 26, _VALID, "end", bold=True))
    return Picture("Losses", UNITS // 2 * 2, 800, "#ffffff", tuple(shapes))


def _thinned(points: list[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """Return means of neighbours, with a limit on the number of points."""
    size = -(-len(points) // most)
    if size <= 1:
        return points
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]
