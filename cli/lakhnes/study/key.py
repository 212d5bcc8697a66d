"""The key of a study: what every clip is. Listeners never get it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lakhnes.runtime.errors import StudyError
from lakhnes.runtime.reading import read_at_most, reading
from lakhnes.study.plan import Question

KEY_FILE = "key.json"

_FORMAT = "lakhnes-study-key-1"
_MAX_KEY_BYTES = 1 << 22

TrialQuestion = Question | Literal["check"]
"""A question of the plan, or an attention check: in which clip does a tone replace the music?"""


@dataclass(frozen=True, slots=True)
class ClipOrigin:
    """The origin of a clip."""

    source: str
    """Name in the plan."""
    song: str
    """Name of the file in its folder, or the seed of the model."""
    start_seconds: float
    """Start of the clip in its song."""
    gain_db: float
    """Gain that brought the clip to the common loudness."""


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """One question about one or two clips."""

    id: str
    question: TrialQuestion
    clips: tuple[str, ...]
    """Names of the clips; the page chooses which one is heard first."""
    answer: str | None = None
    """Clip that is the right answer of a check."""


@dataclass(frozen=True, slots=True)
class StudyKey:
    """A study as its maker knows it."""

    study: str
    """Identity of the study; results name it."""
    title: str
    clip_seconds: float
    heard_seconds: float
    """Least time for which a listener hears each clip."""
    sources: Mapping[str, bool]
    """Names of the sources; true for human music."""
    clips: Mapping[str, ClipOrigin]
    trials: tuple[StudyTrial, ...]

    def to_json(self) -> bytes:
        """Return the content of a key file."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, ensure_ascii=False).encode() + b"\n"


def read_key(path: Path) -> StudyKey:
    """Read a key.

    Raises:
        StudyError: if it is no key, or contradicts itself.
    """
    step = "Give the key.json that `lakhnes study make` wrote, with --key."
    with reading(path, StudyError, step):
        facts: dict[str, Any] = json.loads(read_at_most(path, _MAX_KEY_BYTES))
        if not isinstance(facts, dict) or facts.pop("format", None) != _FORMAT:
            raise StudyError(f"{path} is no key of a listening study. {step}")
        facts["clips"] = {name: ClipOrigin(**origin) for name, origin in facts["clips"].items()}
        facts["trials"] = tuple(
            StudyTrial(**{**trial, "clips": tuple(trial["clips"])}) for trial in facts["trials"]
        )
        key = StudyKey(**facts)
        for trial in key.trials:
            for clip in trial.clips:
                if key.clips[clip].source not in key.sources:
                    raise StudyError(f"{path}: clip {clip} has no source. {step}")
        return key
