"""The plan of a study: a TOML file that its maker writes."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from lakhnes.apu.instruments import instrument_set
from lakhnes.runtime.errors import LakhnesError, StudyError
from lakhnes.runtime.reading import reading

Question = Literal["turing", "preference", "rating"]
"""Which of two clips a person wrote; which of two is preferred; how good one is."""

ASPECTS = ("melody", "harmony", "rhythm", "structure")
"""Aspects of a rating, each from 1 (bad) to `BEST`."""

BEST = 5

MAX_TRIALS = 200
_MAX_PLAN_BYTES = 1 << 20
_MAX_NAME, _MAX_TEXT = 60, 4000


@dataclass(frozen=True, slots=True)
class StudySource:
    """Where clips come from: a model or files."""

    name: str
    model: str | None
    """Name or folder of a model, or a training checkpoint."""
    files: Path | None
    """A music file, or a folder of them."""
    human: bool
    """Whether people wrote the music."""


@dataclass(frozen=True, slots=True)
class StudyTest:
    """One question, asked of several clips."""

    question: Question
    groups: tuple[tuple[str, ...], ...]
    """Names of sources that are heard together: pairs, or one source for a rating."""
    count: int
    """Trials of each group."""


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A plan."""

    title: str
    introduction: str
    """Text for the listener; empty for none."""
    seed: int
    clip_seconds: float
    loudness_lufs: float
    """Loudness of every clip, if no clip would exceed full scale."""
    instrument: str
    """Instruments that play every clip."""
    send_to: str
    """Address to which the page posts its results; empty for a download only."""
    checks: int
    """Attention checks among the trials."""
    sources: Mapping[str, StudySource]
    tests: tuple[StudyTest, ...]


def read_plan(path: Path) -> StudyPlan:
    """Read a plan. Its paths are relative to its folder.

    Raises:
        StudyError: if it cannot be read, or asks for something impossible.
    """
    with reading(path, StudyError, "Give a plan in TOML; docs/study.md shows one."):
        with path.open("rb") as file:
            data = file.read(_MAX_PLAN_BYTES + 1)
        if len(data) > _MAX_PLAN_BYTES:
            raise StudyError(f"{path} is larger than a plan can be. Give a plan in TOML.")
        table = tomllib.loads(data.decode("utf-8"))
    return _plan(_Table(table, f"{path}"), path.parent)


class _Table:
    """A table of the plan; every value is asked for once, and `close` refuses the others."""

    def __init__(self, values: dict[str, Any], where: str) -> None:
        self.where = where
        self._values = dict(values)
        self._known: list[str] = []

    def refuse(self, reason: str) -> StudyError:
        return StudyError(f"{self.where}: {reason}")

    def get(self, name: str, kind: type | tuple[type, ...], default: Any, wanted: str) -> Any:
        self._known.append(name)
        value = self._values.pop(name, default)
        if value is not default and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            raise self.refuse(f"{name} = {value!r} cannot be used; give {wanted}.")
        return value

    def text(self, name: str, default: str | None, most: int = _MAX_TEXT) -> Any:
        value = self.get(name, str, default, "a text in quotes")
        if value is not None and len(value) > most:
            raise self.refuse(f"{name} has {len(value)} characters; give {most} at most.")
        return value

    def number(self, name: str, default: float, low: float, high: float, *, whole: bool = False) -> Any:
        wanted = f"{'a whole number' if whole else 'a number'} from {low:g} to {high:g}"
        value = self.get(name, int if whole else (int, float), default, wanted)
        if not (math.isfinite(value) and low <= value <= high):
            raise self.refuse(f"{name} = {value} is out of range; give {wanted}.")
        return value

    def close(self) -> None:
        for name in self._values:
            near = get_close_matches(name, self._known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it can have {', '.join(self._known)}."
            raise self.refuse(f"{name!r} means nothing here; {hint}")


def _plan(table: _Table, folder: Path) -> StudyPlan:
    sources = _sources(table, folder)
    tests = tuple(_tests(table, sources))
    plan = StudyPlan(
        title=table.text("title", "A listening study", 200),
        introduction=table.text("introduction", ""),
        seed=table.number("seed", 0, 0, 2**32 - 1, whole=True),
        clip_seconds=table.number("clip_seconds", 10, 2, 60),
        loudness_lufs=table.number("loudness_lufs", -20, -40, -10),
        instrument=table.text("instrument", "lead", _MAX_NAME),
        send_to=table.text("send_to", "", 500),
        checks=table.number("checks", 2, 0, 20, whole=True),
        sources=sources,
        tests=tests,
    )
    table.close()
    try:
        instrument_set(plan.instrument)
    except LakhnesError as error:
        raise table.refuse(str(error)) from None
    if plan.send_to and not _is_address(plan.send_to):
        raise table.refuse(f"send_to = {plan.send_to!r} is no address; give one like 'https://host/results'.")
    trials = sum(len(test.groups) * test.count for test in tests) + plan.checks
    if trials > MAX_TRIALS:
        raise table.refuse(f"it asks for {trials} trials; {MAX_TRIALS} are the most. Lower a count.")
    return plan


def _is_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        return False


def _sources(table: _Table, folder: Path) -> dict[str, StudySource]:
    found: dict[str, StudySource] = {}
    given = table.get("sources", dict, {}, "tables such as [sources.people]")
    for name, values in given.items():
        if not isinstance(values, dict) or not 0 < len(name) <= _MAX_NAME or not name.isprintable():
            raise table.refuse(f"the source {name[:_MAX_NAME]!r} needs a table such as [sources.people].")
        own = _Table(values, f"{table.where}, source {name}")
        model, files = own.text("model", None), own.text("files", None)
        human = own.get("human", bool, files is not None, "true or false")
        own.close()
        if (model is None) == (files is None):
            raise own.refuse("give one of model = '...' and files = '...'.")
        if model is not None and human:
            raise own.refuse("a model is not human; leave out human = true.")
        beside = folder / model if model is not None else folder
        model = str(beside) if model is not None and beside.exists() else model
        found[name] = StudySource(name, model, None if files is None else folder / files, human)
    if not found:
        raise table.refuse("it names no sources; add one, such as [sources.people] with files = 'songs'.")
    return found


def _tests(table: _Table, sources: Mapping[str, StudySource]) -> Iterator[StudyTest]:
    given = table.get("tests", list, [], "tables that begin with [[tests]]")
    if not given:
        raise table.refuse("it has no tests; add [[tests]] with kind = 'turing', 'preference' or 'rating'.")
    for number, values in enumerate(given, 1):
        if not isinstance(values, dict):
            raise table.refuse(f"test {number} is no table; begin it with [[tests]].")
        own = _Table(values, f"{table.where}, test {number}")
        question = own.text("kind", "")
        if question not in get_args(Question):
            raise own.refuse(f"kind = {question!r} is unknown; give {', '.join(get_args(Question))}.")
        groups = tuple(_groups(own, question, sources))
        count = own.number("count", 5, 1, MAX_TRIALS, whole=True)
        own.close()
        yield StudyTest(question, groups, count)


def _groups(own: _Table, question: Question, sources: Mapping[str, StudySource]) -> Iterator[tuple[str, ...]]:
    """Yield the names of the sources that are heard together."""
    if question == "rating":
        usual: list[Any] = list(sources)
        given = [[name] for name in own.get("sources", list, usual, "a list of sources")]
    else:
        usual = [
            list(pair)
            for pair in combinations(sources, 2)
            if question == "preference" or sources[pair[0]].human != sources[pair[1]].human
        ]
        given = own.get("pairs", list, usual, "a list of pairs, such as [['people', 'machine']]")
    size = 1 if question == "rating" else 2
    for group in given:
        if not isinstance(group, list) or len(group) != size or not all(isinstance(n, str) for n in group):
            raise own.refuse(f"{group!r} is not {'a source' if size == 1 else 'a pair of sources'}.")
        for name in group:
            if name not in sources:
                raise own.refuse(f"there is no source {name!r}; the plan has {', '.join(sources)}.")
        if size == 2 and group[0] == group[1]:
            raise own.refuse(f"{group[0]!r} is compared with itself; give two sources.")
        if question == "turing" and sources[group[0]].human == sources[group[1]].human:
            raise own.refuse(f"of {group[0]!r} and {group[1]!r}, one has to be human, the other not.")
        yield tuple(group)
    if not given:
        raise own.refuse("it compares nothing; name two sources, one of them human for kind = 'turing'.")
