"""Making a study: its clips, its page and its key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lakhnes.runtime import SAMPLE_RATE, Model
from lakhnes.runtime.errors import OutputError
from lakhnes.runtime.files import Content, write_all
from lakhnes.study.clips import Passage, common_gains, flac_bytes, measured, passages, sound_of
from lakhnes.study.key import KEY_FILE, ClipOrigin, StudyKey, StudyTrial
from lakhnes.study.plan import ASPECTS, BEST, StudyPlan

PAGE_FOLDER, DATA_FILE = "page", "data.js"
"""The part of a study that is published, and the file in it that lists the trials."""

_PAGE_FILES = ("index.html", "study.js", "study.css")
_DATA_HEAD, _DATA_TAIL = "const STUDY = ", ";\n"
_MOST_HEARD_SECONDS = 5.0  # of each clip, before a listener can answer


@dataclass(frozen=True, slots=True)
class MadeStudy:
    """A study that was written."""

    key: StudyKey
    loudness_lufs: float
    """Loudness of every clip."""
    remarks: tuple[str, ...]


def make_study(
    plan: StudyPlan,
    folder: Path,
    *,
    load_model: Callable[[str], Model] = Model.load,
    progress: Callable[[float], None] = lambda part: None,
) -> MadeStudy:
    """Make a study: `page/`, which may be published, and `key.json`, which stays with the maker.

    The same plan and the same sources give the same files.

    Args:
        plan: the plan.
        folder: a new or an empty folder.
        load_model: loads a model by its name or folder.
        progress: takes the fraction done, 0..1.

    Raises:
        StudyError: if a source has too little music.
        OutputError: if the folder is not empty, or cannot be written.
    """
    _check_empty(folder)
    rng = np.random.default_rng([plan.seed, len(plan.sources)])
    clips: dict[str, Passage] = {}
    remarks: dict[str, None] = {}
    n_clips = sum(len(g) * test.count for test in plan.tests for g in test.groups) + 2 * plan.checks
    streams = {
        name: passages(
            source,
            plan.clip_seconds,
            np.random.default_rng([plan.seed, number]),
            load_model,
            lambda said: remarks.update({said: None}),
        )
        for number, (name, source) in enumerate(plan.sources.items())
    }

    def clip(source: str, *, has_tone: bool = False) -> str:
        name = rng.bytes(6).hex()
        clips[name] = replace(next(streams[source]), has_tone=has_tone)
        progress(0.5 * len(clips) / n_clips)
        return name

    blocks = _blocks(plan, clip, rng)
    levels = []
    for passage in clips.values():
        levels.append(measured(sound_of(passage, plan.instrument)))
        progress(0.5 + 0.5 * len(levels) / n_clips)
    loudness, gains = common_gains(levels, plan.loudness_lufs)
    if loudness < plan.loudness_lufs:
        remarks[f"The clips have {loudness:.1f} LUFS, as the loudest peak allows no more."] = None
    key = _key(plan, blocks, clips, gains)
    write_study(folder, key, _page_data(plan, key, blocks), _sounds(plan, clips, gains))
    return MadeStudy(key, loudness, tuple(remarks))


def _blocks(
    plan: StudyPlan, clip: Callable[..., str], rng: np.random.Generator
) -> list[tuple[str, list[StudyTrial]]]:
    """Return the trials of each test of the plan, in random order, with its share of the checks."""
    blocks: list[tuple[str, list[StudyTrial]]] = []
    checked = next((s.name for s in plan.sources.values() if s.human), next(iter(plan.sources)))
    for number, test in enumerate(plan.tests):
        trials: list[StudyTrial] = []
        for group in [group for group in test.groups for _ in range(test.count)]:
            names = [clip(source) for source in group]
            rng.shuffle(names)
            trials.append(StudyTrial("", test.question, tuple(names)))
        for _ in range(number, plan.checks, len(plan.tests)):
            names = [clip(checked, has_tone=True), clip(checked)]
            answer = names[0]
            rng.shuffle(names)
            trials.append(StudyTrial("", "check", tuple(names), answer))
        trials = [replace(trials[i], id=rng.bytes(4).hex()) for i in rng.permutation(len(trials))]
        blocks.append((test.question, trials))
    return blocks


def _key(
    plan: StudyPlan,
    blocks: Sequence[tuple[str, list[StudyTrial]]],
    clips: dict[str, Passage],
    gains: Sequence[float],
) -> StudyKey:
    origins = {
        name: ClipOrigin(p.source, p.song, round(p.start / SAMPLE_RATE, 3), round(gain, 2))
        for (name, p), gain in zip(clips.items(), gains, strict=True)
    }
    key = StudyKey(
        study="",
        title=plan.title,
        clip_seconds=plan.clip_seconds,
        heard_seconds=min(_MOST_HEARD_SECONDS, plan.clip_seconds / 2),
        sources={name: source.human for name, source in plan.sources.items()},
        clips=origins,
        trials=tuple(trial for _, trials in blocks for trial in trials),
    )
    return replace(key, study=hashlib.sha256(key.to_json()).hexdigest()[:16])


def _page_data(
    plan: StudyPlan, key: StudyKey, blocks: Sequence[tuple[str, list[StudyTrial]]]
) -> dict[str, Any]:
    """Return what the page knows: no sources, no songs, no right answers."""
    return {
        "study": key.study,
        "title": plan.title,
        "introduction": plan.introduction,
        "send_to": plan.send_to,
        "heard_seconds": key.heard_seconds,
        "aspects": ASPECTS,
        "best": BEST,
        "blocks": [
            {
                "question": question,
                "trials": [{"id": t.id, "question": t.question, "clips": t.clips} for t in trials],
            }
            for question, trials in blocks
        ],
    }


def _sounds(
    plan: StudyPlan, clips: dict[str, Passage], gains: Sequence[float]
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the name of each clip, and what makes its file: sound in memory is one clip at a time."""
    for (name, passage), gain in zip(clips.items(), gains, strict=True):
        yield name, lambda p=passage, g=gain: flac_bytes(sound_of(p, plan.instrument), g)  # type: ignore[misc]


def write_study(
    folder: Path,
    key: StudyKey,
    page_data: dict[str, Any],
    sounds: Iterator[tuple[str, Callable[[], bytes]]],
) -> None:
    """Write the files of a study, all of them or none.

    Raises:
        OutputError: if the folder is not empty, or cannot be written.
    """
    _check_empty(folder)
    page = folder / PAGE_FOLDER
    contents: dict[Path, Content] = {folder / KEY_FILE: key.to_json(), page / DATA_FILE: data_js(page_data)}
    for name in _PAGE_FILES:
        contents[page / name] = files("lakhnes.study").joinpath("page", name).read_bytes()
    for name, make in sounds:
        contents[page / "clips" / f"{name}.flac"] = _writer(make)
    made: list[Path] = []
    try:
        for path in (folder, page, page / "clips"):
            if not path.exists():
                path.mkdir(parents=path is folder)
                made.append(path)
        write_all(contents)
    except BaseException:
        for path in reversed(made):
            path.rmdir()
        raise


def _writer(make: Callable[[], bytes]) -> Content:
    def write(file: BinaryIO) -> None:
        file.write(make())

    return write


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists and is not empty. Give the name of a new folder.")


def data_js(page_data: dict[str, Any]) -> bytes:
    """Return the file that lists the trials: a script, because a page on a disk can load no JSON."""
    return f"{_DATA_HEAD}{json.dumps(page_data, indent=1)}{_DATA_TAIL}".encode()


def read_data_js(content: bytes) -> dict[str, Any]:
    """Return the trials of a page.

    Raises:
        ValueError: if the file is something else.
    """
    text = content.decode()
    if not text.startswith(_DATA_HEAD):
        raise ValueError("it does not list the trials of a study")
    data = json.loads(text.removeprefix(_DATA_HEAD).removesuffix(_DATA_TAIL))
    if not isinstance(data, dict):
        raise ValueError("it does not list the trials of a study")
    return data
