"""`lakhnes evaluate --statistics`: compare composed songs with human songs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakhnes.cli.evaluation_report import print_comparison, print_found, print_statistics
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from lakhnes.export.measure import HumanSongs, SongSet
    from lakhnes.export.measure.songs import Progress
    from lakhnes.runtime import Score


@contextmanager
def counting(doing: str, *, quiet: bool) -> Iterator[Progress]:
    """Show a progress bar of the number done."""
    from lakhnes.cli.progress import rendering

    if quiet:
        yield lambda done, total: None
        return
    with rendering(doing) as report:
        yield lambda done, total: report(done / total)


def measure_songs(composed: Path, human: Path, split: str, seconds: float, *, quiet: bool) -> None:
    """Compare existing songs with human songs."""
    from lakhnes.export.measure.songs import composed_length
    from lakhnes.runtime import DataError

    started = time.perf_counter()
    found = _read_songs(composed, None, "reading the composed songs", quiet=quiet)
    if len(found.scores) < 2:
        raise DataError(f"{composed} has one song only; comparing takes two.")
    length = composed_length(found.scores, seconds)
    facts: dict[str, Any] = {
        "composed": {
            "from": str(composed),
            "songs": len(found.scores),
            "seconds": sum(score.seconds for score in found.scores),
            "compared_seconds": length,
            "skipped": list(found.skipped),
        }
    }
    if not quiet:
        print_found(facts["composed"])
    like = songs_of_people(human, split, length, quiet=quiet)
    facts["statistics"] = compare_songs(found.scores, like, quiet=quiet)
    facts["took_seconds"] = time.perf_counter() - started
    if quiet:
        say(json.dumps(facts))


def _read_songs(path: Path, split: str | None, doing: str, *, quiet: bool) -> SongSet:
    from lakhnes.export.measure import read_songs

    with counting(doing, quiet=quiet) as report:
        return read_songs(path, split, progress=report)


def songs_of_people(path: Path, split: str, seconds: float, *, quiet: bool) -> HumanSongs:
    """Return the human songs to compare composed songs of some length with."""
    from lakhnes.export.measure import human_songs

    return human_songs(_read_songs(path, split, "reading songs of people", quiet=quiet), seconds)


def compare_songs(composed: Sequence[Score], human: HumanSongs, *, quiet: bool) -> dict[str, Any]:
    """Compare songs, and print the result unless quiet."""
    from lakhnes.export.measure import compare
    from lakhnes.export.measure.songs import cut_alike
    from lakhnes.export.musical_statistics import overlaps, song_features

    with counting("measuring", quiet=quiet) as report:
        comparison = compare(composed, human, progress=report)
        alike = cut_alike(composed, human.scores)
        rows = overlaps(list(map(song_features, alike)), list(map(song_features, human.scores)))
    facts: dict[str, Any] = {
        "data_songs": len(human.scores),
        "mean_overlap": sum(row.overlap for row in rows) / len(rows),
        "mean_ceiling": sum(row.ceiling for row in rows) / len(rows),
        "features": [asdict(row) for row in rows],
        "comparison": asdict(comparison),
    }
    if not quiet:
        print_comparison(facts["comparison"])
        print_statistics(facts)
    return facts
