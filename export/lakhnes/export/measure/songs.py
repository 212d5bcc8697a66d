"""Sources of measured songs, and the choice of human songs for a comparison."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from lakhnes.bridge.any_midi import score_from_midi
from lakhnes.bridge.nes_midi import score_from_nes_midi
from lakhnes.bridge.smf import parse
from lakhnes.export.musical_statistics import cut
from lakhnes.export.prepared import INFO_FILE, SPLITS, open_prepared
from lakhnes.export.sources import TEXT_ENDINGS, Item, Sources
from lakhnes.runtime import SAMPLE_RATE, DataError, Score
from lakhnes.runtime.music.texts import score_from_text

SHORTEST_SECONDS = 40.0
"""Shortest song with a form to compare, in seconds; shorter if the composed songs are shorter."""

MOST_SONGS = 60
"""Most human songs in a comparison."""

Progress = Callable[[int, int], None]
"""Called with the part done and the total."""


@dataclass(frozen=True, slots=True)
class SongSet:
    """Songs from a source."""

    names: tuple[str, ...]
    """Paths inside the source."""
    scores: tuple[Score, ...]
    skipped: tuple[str, ...] = ()
    """Reasons why files are missing, a sentence each."""


@dataclass(frozen=True, slots=True)
class HumanSongs:
    """Human songs, cut to the length of composed ones."""

    scores: tuple[Score, ...]
    groups: tuple[str, ...]
    """Game of each song."""

    @property
    def games(self) -> int:
        """Number of games."""
        return len(set(self.groups))


def read_songs(
    path: Path, split: str | None = None, *, progress: Progress = lambda done, total: None
) -> SongSet:
    """Read the songs of prepared data, a folder, an archive or a file.

    Args:
        path: prepared data, or a folder, zip, tar or file of MIDI, TX1 or TX2.
        split: split of prepared data. For other sources, the files in a folder of that name, if any, or all
            files; None for all files.
        progress: called with the part done and the total.

    Raises:
        DataError: if no song is found, or prepared data are broken.
    """
    if path.is_dir() and (path / INFO_FILE).is_file():
        data = open_prepared(path)
        songs = data.songs(split or "train")
        if not len(songs):
            raise DataError(f"{path} has no songs in its split {split!r}; give another one.")
        return SongSet(tuple(songs.names), tuple(data.codec.decode(song.tolist()) for song in songs))
    sources = Sources([path])
    found: list[Item] = []
    others: list[Item] = []
    for item in sources:
        inside = split is None or split in PurePosixPath(item.name).parts[:-1]
        (found if inside else others).append(item)
        if found:
            others.clear()
        progress(sources.done_bytes, max(1, 2 * sources.total_bytes))
    names, scores, skipped = [], [], []
    items = found or others
    for number, item in enumerate(items, start=1):
        score = _score_of(item)
        if isinstance(score, Score):
            names.append(item.name)
            scores.append(score)
        else:
            skipped.append(f"{item.name}: {score}.")
        progress(len(items) + number, 2 * len(items))
    if not scores:
        why = f" {skipped[0]}" if skipped else ""
        raise DataError(f"{path} has no MIDI, TX1 or TX2 files that can be read; give another one.{why}")
    return SongSet(tuple(names), tuple(scores), tuple(skipped))


def _score_of(item: Item) -> Score | str:
    """Return the music of a file, or the reason for its absence, without a full stop."""
    if item.problem:
        return item.problem
    try:
        if item.name.lower().endswith(TEXT_ENDINGS):
            return score_from_text(item.data, item.name)
        midi = parse(item.data)
        score = score_from_nes_midi(midi)
        return score_from_midi(midi)[0] if score is None else score
    except Exception as error:  # one odd file must not stop the rest, whatever a parser raises
        return " ".join(str(error).removeprefix(f"{item.name}: ").split()).rstrip(".") or type(error).__name__


def composed_length(scores: Sequence[Score], seconds: float) -> float:
    """Return the length in seconds for comparing composed songs: their median, at most a limit."""
    return min(seconds, float(np.median([score.seconds for score in scores])))


def shortest_seconds(seconds: float) -> float:
    """Return the shortest length that counts, for composed songs of some length."""
    return min(SHORTEST_SECONDS, seconds)


def human_songs(found: SongSet, seconds: float, *, most: int = MOST_SONGS, seed: int = 0) -> HumanSongs:
    """Choose the human songs for a comparison with composed ones.

    Long enough songs are cut to the length of the composed ones. One song is drawn from each game, then a
    second one from each game that has one, and so on, so that no game dominates.

    Args:
        found: songs to choose from.
        seconds: length of the composed songs.
        most: most songs.
        seed: seed of the draw.

    Raises:
        DataError: if fewer than two are long enough.
    """
    least = shortest_seconds(seconds)
    long = [place for place, score in enumerate(found.scores) if score.seconds >= least]
    if len(long) < 2:
        raise DataError(
            f"Only {len(long)} of the {len(found.scores)} songs to compare with last {least:g} s or more; "
            "comparing takes two."
        )
    groups = games_of([found.names[place] for place in long])
    rng = np.random.default_rng(seed)
    waiting: dict[str, list[int]] = defaultdict(list)
    for number in rng.permutation(len(long)).tolist():
        waiting[groups[number]].append(number)
    turns = sorted(
        (turn, group, number) for group, numbers in waiting.items() for turn, number in enumerate(numbers)
    )
    chosen = sorted(number for _, _, number in turns[:most])
    length = round(seconds * SAMPLE_RATE)
    return HumanSongs(
        tuple(cut(found.scores[long[number]], length) for number in chosen),
        tuple(groups[number] for number in chosen),
    )


def games_of(names: Sequence[str]) -> list[str]:
    """Return the group of each song: its folder, or its name up to the first `_` or ` - `.

    Folders of splits do not count. If this puts all songs into one group, each song becomes its own.
    """
    groups = []
    for name in names:
        path = PurePosixPath(name)
        folder = path.parent.name
        plain = folder in ("", *SPLITS)
        groups.append(re.split(r"_| - ", path.name, maxsplit=1)[0] if plain else path.parent.as_posix())
    return groups if len(set(groups)) > 1 else list(names)


def cut_alike(composed: Sequence[Score], human: Sequence[Score]) -> list[Score]:
    """Cut composed songs to the same spread of lengths as the human songs.

    Slow events, such as a return or a long rest, are rarer in short songs, so lengths must not differ.
    Composed songs that are too short stay unchanged.
    """
    order = np.argsort([score.length for score in composed], kind="stable")
    ranks = (np.arange(len(composed)) + 0.5) / len(composed)
    lengths = np.quantile([score.length for score in human], ranks)
    cuts = dict(zip(order.tolist(), lengths.tolist(), strict=True))
    return [cut(score, round(cuts[place])) for place, score in enumerate(composed)]
