"""Studies that tests make, and listeners with known preferences."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lakhnes.study.key import ClipOrigin, StudyKey, StudyTrial
from lakhnes.study.plan import ASPECTS, BEST, Question, StudyPlan

PLAN = """
title = "People and a tiny machine"
seed = 5
clip_seconds = 2
checks = 2
[sources.people]
files = "songs"
[sources.machine]
model = "tiny"
[[tests]]
kind = "turing"
count = 2
[[tests]]
kind = "preference"
count = 1
[[tests]]
kind = "rating"
count = 1
"""


@dataclass(frozen=True)
class Made:
    """A study that was made, with its clips."""

    folder: Path
    plan: StudyPlan
    key: StudyKey
    loudness: float
    remarks: tuple[str, ...]


def key_of(question: Question, sources: Mapping[str, bool], pairs: list[tuple[str, ...]]) -> StudyKey:
    """The key of a study of pairs, or of single clips, and one attention check; without any sound."""
    clips: dict[str, ClipOrigin] = {}
    trials = []
    for number, group in enumerate([*pairs, pairs[0][:1] * 2]):
        names = tuple(f"{number:02d}{side}" for side in "ab"[: len(group)])
        clips |= {name: ClipOrigin(source, "", 0, 0) for name, source in zip(names, group, strict=True)}
        is_check = number == len(pairs)
        trials.append(
            StudyTrial(f"t{number}", "check" if is_check else question, names, names[0] if is_check else None)
        )
    return StudyKey("0123456789abcdef", "A study", 10.0, 5.0, sources, clips, tuple(trials))


def simulated(
    key: StudyKey, number: int, strengths: Mapping[str, float], rng: np.random.Generator
) -> dict[str, object]:
    """The result of a listener who chooses by Bradley and Terry's model, and rates by the strength."""
    answers: list[dict[str, object]] = []
    for trial in key.trials:
        shown = [trial.clips[i] for i in rng.permutation(len(trial.clips))]
        answer: dict[str, object] = {
            "trial": trial.id,
            "shown": shown,
            "heard": [6.0] * len(shown),
            "seconds": 14.5,
        }
        own = [strengths[key.clips[clip].source] for clip in trial.clips]
        if trial.question == "rating":
            grades = np.clip(np.rint(own[0] + rng.normal(0, 0.7, len(ASPECTS))), 1, BEST)
            answer["ratings"] = {aspect: int(g) for aspect, g in zip(ASPECTS, grades, strict=True)}
        elif trial.question == "check":
            answer["choice"] = trial.answer
        else:
            second_wins = rng.random() < 1 / (1 + np.exp(own[0] - own[1]))
            answer["choice"] = trial.clips[int(second_wins)]
        answers.append(answer)
    return {
        "format": "lakhnes-study-result-1",
        "study": key.study,
        "listener": f"{number:032x}",
        "answers": answers,
    }
