"""The report of a study: what its listeners heard, as figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lakhnes.study.key import StudyKey, StudyTrial
from lakhnes.study.plan import ASPECTS, Question
from lakhnes.study.results import FoundResults, StudyAnswer
from lakhnes.study.statistics import Estimate, agreement, bradley_terry, interval, mean, wilson


@dataclass(frozen=True, slots=True)
class PairCount:
    """Two sources against each other."""

    source: str
    against: str
    wins: int
    """Times that the first was chosen."""
    trials: int
    share: Estimate | None
    """Share of wins with its Wilson interval."""


@dataclass(frozen=True, slots=True)
class SourceStrength:
    """A source's strength in log odds; the mean of all sources is 0."""

    source: str
    strength: Estimate


@dataclass(frozen=True, slots=True)
class ChoiceTable:
    """The answers to one question about pairs."""

    pairs: Sequence[PairCount]
    """In the Turing test the machine comes first: its share is 0.5 if nobody can hear a difference."""
    strengths: Sequence[SourceStrength] | None
    """By Bradley and Terry; None if no chain of pairs links all sources."""
    agreement: float | None
    """Krippendorff's alpha; None if nothing was judged twice."""


@dataclass(frozen=True, slots=True)
class AspectMean:
    """The mean rating of a source."""

    source: str
    aspect: str
    ratings: int
    mean: Estimate | None


@dataclass(frozen=True, slots=True)
class RatingTable:
    """The ratings."""

    means: Sequence[AspectMean]
    agreement: Mapping[str, float | None]
    """Krippendorff's alpha of each aspect."""


@dataclass(frozen=True, slots=True)
class StudyReport:
    """A report; tests that the plan does not have are None."""

    study: str
    title: str
    listeners: int
    """Listeners who count."""
    excluded: Mapping[str, str]
    """File name and reason of every other result."""
    turing: ChoiceTable | None
    preference: ChoiceTable | None
    rating: RatingTable | None

    def to_json(self) -> bytes:
        """Return the report as JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode() + b"\n"


def report_of(key: StudyKey, found: FoundResults) -> StudyReport:
    """Count the results of a study."""
    return StudyReport(
        study=key.study,
        title=key.title,
        listeners=len(found.results),
        excluded=found.excluded,
        turing=_choices(key, found, "turing"),
        preference=_choices(key, found, "preference"),
        rating=_ratings(key, found),
    )


def _judged(
    key: StudyKey, found: FoundResults, question: Question
) -> Iterator[tuple[StudyTrial, list[StudyAnswer]]]:
    """Yield the trials of a question with all their answers."""
    for trial in key.trials:
        if trial.question == question:
            yield trial, [result.answers[trial.id] for result in found.results]


def _choices(key: StudyKey, found: FoundResults, question: Question) -> ChoiceTable | None:
    names = list(key.sources)
    wins = np.zeros((len(names), len(names)))
    units: list[list[float]] = []
    pairs: dict[tuple[str, str], None] = {}
    for trial, answers in _judged(key, found, question):
        sources = [key.clips[clip].source for clip in trial.clips]
        pairs[_ordered(key, question, sources)] = None
        units.append([float(trial.clips.index(answer.choice or "")) for answer in answers])
        for choice in units[-1]:
            winner, loser = sources[int(choice)], sources[1 - int(choice)]
            wins[names.index(winner), names.index(loser)] += 1
    if not pairs:
        return None
    taking_part = [name for name in names if any(name in pair for pair in pairs)]
    chosen = [names.index(name) for name in taking_part]
    strengths = bradley_terry(wins[np.ix_(chosen, chosen)])
    return ChoiceTable(
        pairs=[_pair(one, other, names, wins) for one, other in pairs],
        strengths=None
        if strengths is None
        else [SourceStrength(name, one) for name, one in zip(taking_part, strengths, strict=True)],
        agreement=agreement(units),
    )


def _ordered(key: StudyKey, question: Question, sources: Sequence[str]) -> tuple[str, str]:
    """Return two sources in the order of a table: as in the plan; machines first in the Turing test."""
    names = list(key.sources)
    one, other = sorted(
        sources, key=lambda name: (question == "turing" and key.sources[name], names.index(name))
    )
    return one, other


def _pair(one: str, other: str, names: Sequence[str], wins: np.ndarray) -> PairCount:
    i, j = names.index(one), names.index(other)
    won, trials = int(wins[i, j]), int(wins[i, j] + wins[j, i])
    return PairCount(one, other, won, trials, wilson(won, trials))


def _ratings(key: StudyKey, found: FoundResults) -> RatingTable | None:
    judged = list(_judged(key, found, "rating"))
    if not judged:
        return None
    sources = [key.clips[trial.clips[0]].source for trial, _ in judged]
    means = []
    for source in [name for name in key.sources if name in sources]:
        for aspect in ASPECTS:
            grades = [
                float(answer.ratings[aspect])
                for (_, answers), own in zip(judged, sources, strict=True)
                if own == source
                for answer in answers
            ]
            means.append(AspectMean(source, aspect, len(grades), mean(grades)))
    alphas = {
        aspect: agreement([[float(a.ratings[aspect]) for a in answers] for _, answers in judged], interval)
        for aspect in ASPECTS
    }
    return RatingTable(means, alphas)
