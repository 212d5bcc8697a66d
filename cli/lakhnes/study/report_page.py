"""A report as text, and as a page with plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from lakhnes.bridge.drawing import UNITS, Box, Picture, Primitive, Stroke, Text, svg_bytes
from lakhnes.study.plan import ASPECTS, BEST
from lakhnes.study.report import ChoiceTable, RatingTable, StudyReport
from lakhnes.study.statistics import Estimate

_Row = tuple[str, Estimate | None]

_LEFT, _RIGHT, _ROW, _TOP = 560, 1540, 56, 30
_INK, _LINE, _GRID, _MARK = "#1c232b", "#2f6f9f", "#d5dae0", "#a3261b"

_STYLE = """
body { margin: 2rem auto; max-width: 52rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  color: #1c232b; background: #fff; }
table { border-collapse: collapse; margin: 0.75rem 0; }
th, td { padding: 0.25rem 0.9rem 0.25rem 0; text-align: left; border-bottom: 1px solid #d5dae0; }
td.figure { text-align: right; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; }
""".strip()


def _figures(estimate: Estimate | None, digits: int = 2) -> str:
    if estimate is None:
        return "too few answers"
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def _alpha(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


class _Section:
    """A part of the report: a table, a sentence below it, and its plots."""

    def __init__(self, title: str, about: str) -> None:
        self.title, self.about = title, about
        self.head: tuple[str, ...] = ()
        self.rows: list[tuple[str, ...]] = []
        self.notes: list[str] = []
        self.plots: list[Picture] = []


def _sections(report: StudyReport) -> Iterator[_Section]:
    if report.turing is not None:
        section = _Section(
            "Which was written by a person?",
            "Share of trials in which the source was taken for the person; 0.5 if nobody hears a difference.",
        )
        yield _choices(section, report.turing, with_strengths=False)
    if report.preference is not None:
        section = _Section("Which is preferred?", "Share of trials in which the first source was preferred.")
        yield _choices(section, report.preference, with_strengths=True)
    if report.rating is not None:
        yield _ratings(report.rating)


def _choices(section: _Section, table: ChoiceTable, *, with_strengths: bool) -> _Section:
    section.head = ("source", "against", "wins", "trials", "share [95 %]")
    section.rows = [(p.source, p.against, str(p.wins), str(p.trials), _figures(p.share)) for p in table.pairs]
    shares = [(f"{pair.source} against {pair.against}", pair.share) for pair in table.pairs]
    section.plots.append(_plot(f"{section.title} Share of wins", shares, (0, 1), 0.5))
    section.notes.append(f"Agreement of the listeners (Krippendorff's alpha): {_alpha(table.agreement)}.")
    if with_strengths and table.strengths is None:
        section.notes.append("No strengths: some sources are linked to the others by no chain of pairs.")
    elif with_strengths and table.strengths:
        told = [f"{one.source} {_figures(one.strength)}" for one in table.strengths]
        section.notes.append(f"Strengths by Bradley and Terry, in log odds: {'; '.join(told)}.")
        ends = [end for one in table.strengths for end in (one.strength.low, one.strength.high)]
        rows: list[_Row] = [(one.source, one.strength) for one in table.strengths]
        section.plots.append(_plot("Strength (log odds)", rows, (min(-1, *ends), max(1, *ends)), 0))
    return section


def _ratings(table: RatingTable) -> _Section:
    section = _Section("Ratings", f"Mean of each aspect, 1 (bad) to {BEST} (very good).")
    section.head = ("source", "aspect", "ratings", "mean [95 %]")
    section.rows = [(one.source, one.aspect, str(one.ratings), _figures(one.mean)) for one in table.means]
    told = ", ".join(f"{aspect} {_alpha(table.agreement[aspect])}" for aspect in ASPECTS)
    section.notes.append(f"Agreement of the listeners (Krippendorff's alpha): {told}.")
    rows: list[_Row] = [(f"{one.aspect}, {one.source}", one.mean) for one in table.means]
    order = {aspect: number for number, aspect in enumerate(ASPECTS)}
    rows.sort(key=lambda row: order[row[0].partition(",")[0]])
    section.plots.append(_plot("Mean ratings", rows, (1, BEST), (1 + BEST) / 2))
    return section


def _plot(title: str, rows: Sequence[_Row], limits: tuple[float, float], middle: float) -> Picture:
    """Return the picture of some figures with their intervals, one in a row."""
    low, high = limits
    bottom = _TOP + _ROW * len(rows)

    def x(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (min(max(value, low), high) - low) / (high - low)

    shapes: list[Primitive] = []
    for step in range(5):
        value = low + (high - low) * step / 4
        shapes.append(Stroke(x(value), _TOP, x(value), bottom, _GRID, 2, "level"))
        shapes.append(Text(x(value), bottom + 36, f"{value:.2f}", 26, _INK, "middle"))
    shapes.append(Stroke(x(middle), _TOP, x(middle), bottom, _MARK, 3, "middle"))
    for number, (label, estimate) in enumerate(rows):
        y = _TOP + _ROW * (number + 0.5)
        shown = label if len(label) <= 36 else f"{label[:35]}…"
        shapes.append(Text(_LEFT - 24, y + 9, shown, 28, _INK, "end"))
        if estimate is not None:
            shapes.append(Stroke(x(estimate.low), y, x(estimate.high), y, _LINE, 5, "interval"))
            shapes.append(Box(x(estimate.value) - 9, y - 9, 18, 18, _LINE, "estimate"))
    return Picture(title, UNITS // 2, (bottom + 60) // 2, "#ffffff", tuple(shapes))


def _excluded(report: StudyReport) -> str:
    return f"{report.listeners} listeners count; {len(report.excluded)} results do not."


def report_text(report: StudyReport) -> str:
    """Return a report as text, line by line."""
    lines = [report.title, _excluded(report)]
    for section in _sections(report):
        widths = [max(map(len, column)) for column in zip(section.head, *section.rows, strict=True)]
        lines += ["", section.title, section.about]
        for row in (section.head, *section.rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append(f"  {'  '.join(cells)}".rstrip())
        lines += section.notes
    if report.excluded:
        lines += ["", "Results that do not count:"]
        lines += [f"  {name}: {reason}" for name, reason in report.excluded.items()]
    return "\n".join([*lines, ""])


def report_html(report: StudyReport) -> bytes:
    """Return a report as a page that loads nothing."""
    title = escape(report.title)
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1><p>{_excluded(report)}</p>",
    ]
    for section in _sections(report):
        parts.append(f"<h2>{escape(section.title)}</h2><p>{escape(section.about)}</p>")
        parts.append(_table(section.head, section.rows))
        parts += [f"<p>{escape(note)}</p>" for note in section.notes]
        parts += [svg_bytes(plot).decode() for plot in section.plots]
    if report.excluded:
        parts.append("<h2>Results that do not count</h2>")
        parts.append(_table(("file", "reason"), list(report.excluded.items())))
    return "\n".join([*parts, "</main></body></html>\n"]).encode()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    return f'<td class="figure">{text}</td>' if text.isdecimal() else f"<td>{escape(text)}</td>"
