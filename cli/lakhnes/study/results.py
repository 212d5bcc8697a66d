"""Results of listeners: files from strangers, so every field is checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakhnes.runtime.errors import LakhnesError, StudyError
from lakhnes.runtime.reading import reading
from lakhnes.study.key import KEY_FILE, StudyKey, StudyTrial
from lakhnes.study.plan import ASPECTS, BEST

MAX_RESULT_BYTES = 1 << 18
MAX_RESULTS = 10_000

_FORMAT = "lakhnes-study-result-1"
_LISTENER = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MOST_SECONDS = 1e6
_SLACK_SECONDS = 0.1  # the page rounds


@dataclass(frozen=True, slots=True)
class StudyAnswer:
    """The answer to one trial."""

    shown: tuple[str, ...]
    """Clips in the order in which the page showed them."""
    heard: tuple[float, ...]
    """Seconds for which each was heard."""
    seconds: float
    """Time from the question to the answer."""
    choice: str | None
    """The chosen clip; None for a rating."""
    ratings: Mapping[str, int]
    """Ratings by aspect, 1 to `BEST`; empty for a choice."""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The answers of one listener."""

    study: str
    listener: str
    """A random number in hexadecimal; the name of the file on the server."""
    answers: Mapping[str, StudyAnswer]
    """By trial."""


def parse_result(content: bytes, key: StudyKey, where: str) -> StudyResult:
    """Read a result and check it against the key of its study.

    Args:
        content: the file.
        key: the study.
        where: name of the file, for messages.

    Raises:
        StudyError: if it is no result of this study.
    """
    step = "Ask the listener for the file that the page offers."
    if len(content) > MAX_RESULT_BYTES:
        raise StudyError(f"{where} is larger than a result can be. {step}")
    with reading(where, StudyError, step):
        facts = json.loads(content.decode("utf-8"))
        if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
            raise ValueError("it is no result of a listening study")
        if facts["study"] != key.study:
            raise ValueError("it belongs to another study")
        listener, given = facts["listener"], facts["answers"]
        if not isinstance(listener, str) or not _LISTENER.fullmatch(listener):
            raise ValueError("its listener is not 32 hexadecimal digits")
        trials = {trial.id: trial for trial in key.trials}
        if not isinstance(given, list) or len(given) > len(trials):
            raise ValueError("its answers are not a list with one for each question")
        answers: dict[str, StudyAnswer] = {}
        for number, answer in enumerate(given, 1):
            trial = trials.get(answer["trial"]) if isinstance(answer, dict) else None
            if trial is None or trial.id in answers:
                raise ValueError(f"answer {number} belongs to no question, or to one that has an answer")
            answers[trial.id] = _answer(answer, trial, number)
        return StudyResult(key.study, listener, answers)


def _answer(facts: dict[str, Any], trial: StudyTrial, number: int) -> StudyAnswer:
    """Read one answer.

    Raises:
        ValueError: if it is no answer to the trial.
        KeyError: if a field is missing.
    """
    shown, heard = facts["shown"], facts["heard"]
    if not isinstance(shown, list) or not all(isinstance(c, str) for c in shown):
        raise ValueError(f"answer {number} does not list its clips")
    if sorted(shown) != sorted(trial.clips):
        raise ValueError(f"answer {number} shows other clips than its question")
    if not isinstance(heard, list) or len(heard) != len(shown):
        raise ValueError(f"answer {number} does not say how long each clip was heard")
    for value in (*heard, facts["seconds"]):
        if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= _MOST_SECONDS:
            raise ValueError(f"answer {number} has an impossible time")
    choice, ratings = facts.get("choice"), facts.get("ratings", {})
    if trial.question == "rating":
        good = isinstance(ratings, dict) and set(ratings) == set(ASPECTS) and choice is None
        if not good or any(type(grade) is not int or not 1 <= grade <= BEST for grade in ratings.values()):
            raise ValueError(f"answer {number} does not rate each aspect from 1 to {BEST}")
    elif choice not in trial.clips or ratings:
        raise ValueError(f"answer {number} chooses none of its clips")
    times = tuple(float(value) for value in heard)
    return StudyAnswer(tuple(shown), times, float(facts["seconds"]), choice, ratings)


def exclusion(result: StudyResult, key: StudyKey) -> str | None:
    """Return why a listener does not count, or None: missing answers, failed checks, or clips not heard."""
    missing = len(key.trials) - len(result.answers)
    if missing:
        return f"{missing} of {len(key.trials)} questions have no answer"
    for trial in key.trials:
        answer = result.answers[trial.id]
        if trial.question == "check" and answer.choice != trial.answer:
            return "failed an attention check"
        least = min(answer.heard)
        if least < key.heard_seconds - _SLACK_SECONDS or answer.seconds < least - _SLACK_SECONDS:
            return "answered without hearing a clip for long enough"
    return None


@dataclass(frozen=True, slots=True)
class FoundResults:
    """The results in a folder."""

    results: Sequence[StudyResult]
    """Those that count, one for each listener."""
    excluded: Mapping[str, str]
    """File name and reason, for each result that does not count."""


def read_results(folder: Path, key: StudyKey) -> FoundResults:
    """Read every result in a folder; broken ones are excluded with their reason.

    Raises:
        StudyError: if the folder is missing, or holds too many files.
    """
    if not folder.is_dir():
        raise StudyError(f"{folder} is no folder. Give the folder of the results.")
    paths = sorted(path for path in folder.glob("*.json") if path.name != KEY_FILE)
    if len(paths) > MAX_RESULTS:
        raise StudyError(f"{folder} holds {len(paths)} files; {MAX_RESULTS} are the most. Divide them.")
    results: dict[str, StudyResult] = {}
    excluded: dict[str, str] = {}
    for path in paths:
        try:
            with reading(path, StudyError, "Remove the file."), path.open("rb") as file:
                content = file.read(MAX_RESULT_BYTES + 1)
            result = parse_result(content, key, path.name)
        except LakhnesError as error:
            excluded[path.name] = str(error)
            continue
        if result.listener in results:
            excluded[path.name] = "the listener has another result"
        elif reason := exclusion(result, key):
            excluded[path.name] = reason
        else:
            results[result.listener] = result
    return FoundResults(tuple(results.values()), excluded)
