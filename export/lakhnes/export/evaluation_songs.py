"""Songs for an evaluation: from prepared data, or from folders of MIDI, TX1 and TX2 files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge import read_midi
from lakhnes.export.prepared import INFO_FILE, PreparedData, Songs, open_prepared
from lakhnes.runtime.errors import DataError, LakhnesError
from lakhnes.runtime.music.events import Kind
from lakhnes.runtime.music.texts import decode_text, parse_text, read_text_bytes, score_from_text
from lakhnes.runtime.music.timing import Codec, Timing

_MIDI = (".mid", ".midi")
_TEXT = (".tx1", ".tx2", ".txt")

SPLITS = ("valid", "test")
"""Splits for evaluations."""


@dataclass(frozen=True, slots=True)
class SplitSongs:
    """The songs of one split, in LakhNES's order of evaluation."""

    names: tuple[str, ...]
    """File names, sorted."""
    tokens: tuple[NDArray[np.uint16], ...]
    """Tokens of each song, without `<S>`, as `Codec.encode` returns them."""
    skipped: tuple[str, ...] = ()
    """Reasons why files of the folder are missing, a sentence each."""


def open_data(folder: Path) -> PreparedData | None:
    """Open a folder if it is prepared data; return None for a folder of files.

    Raises:
        DataError: if it is missing, or is prepared data that cannot be read.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder} is no folder; give prepared data, or a folder with valid/ or test/ of MIDI files."
        )
    return open_prepared(folder) if (folder / INFO_FILE).is_file() else None


def read_split(
    folder: Path,
    split: str,
    codec: Codec,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SplitSongs:
    """Read a split in a model's tokens.

    Prepared data must have the model's own vocabulary and timing. Files are converted: a text in timing
    `samples` event by event, as in LakhNES, everything else through its score.

    Args:
        folder: prepared data, or a folder that contains a folder of the split's name.
        split: `train`, `valid` or `test`.
        codec: codec of the model.
        progress: called with the files read and their total.

    Raises:
        DataError: if there are no songs, if files are broken, or if prepared data have another vocabulary or
            timing.
    """
    prepared = open_data(folder)
    if prepared is None:
        return _read_files(folder, split, codec, progress)
    for what, theirs, ours in (
        ("vocabulary", prepared.vocabulary.name, codec.vocabulary.name),
        ("timing", prepared.timing.value, codec.timing.value),
    ):
        if theirs != ours:
            raise DataError(
                f"{folder} was prepared in {what} {theirs}, but the model's is {ours}; prepare the data "
                "in it, or give the folder of MIDI files."
            )
    if prepared.vocabulary != codec.vocabulary:
        raise DataError(f"{folder} was prepared in another vocabulary than the model's; prepare it again.")
    songs = prepared.songs(split)
    if not len(songs):
        raise DataError(f"{folder} has no songs in its split {split!r}; give another one.")
    return _sorted(songs)


def _sorted(songs: Songs) -> SplitSongs:
    order = songs.order_by_name().tolist()
    return SplitSongs(tuple(songs.names[i] for i in order), tuple(songs[i] for i in order))


def _read_files(folder: Path, split: str, codec: Codec, progress: Callable[[int, int], None]) -> SplitSongs:
    inside = folder / split
    if not inside.is_dir():
        raise DataError(
            f"{folder} has no split {split!r}: neither {INFO_FILE} of prepared data nor a folder {inside}."
        )
    files = [path for path in _files(inside) if path.suffix.lower() in (*_MIDI, *_TEXT)]
    if not files:
        raise DataError(f"{inside} has no MIDI, TX1 or TX2 files in it; give another folder.")
    names, songs, skipped = [], [], []
    for number, path in enumerate(files, start=1):
        try:
            song = np.array(_tokens_of_file(path, codec), np.uint16)
        except LakhnesError as error:
            skipped.append(str(error))
        else:
            names.append(path.relative_to(inside).as_posix())
            songs.append(song)
        progress(number, len(files))
    if not songs:
        raise DataError(f"None of the {len(files)} files in {inside} can be read. {skipped[0]}")
    return SplitSongs(tuple(names), tuple(songs), tuple(skipped))


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files of a folder and its sub-folders, sorted by path as text."""
    return iter(sorted((path for path in folder.rglob("*") if path.is_file()), key=str))


def _tokens_of_file(path: Path, codec: Codec) -> list[int]:
    if path.suffix.lower() in _MIDI:
        return codec.encode(read_midi(path))
    data = read_text_bytes(path)
    score = score_from_text(data, path)  # also refuses files that are no text
    if codec.timing is Timing.SAMPLES:
        events = parse_text(decode_text(data), path)
        expression = any(event.kind in (Kind.VELOCITY, Kind.TIMBRE) for event in events)
        if expression == codec.vocabulary.has_expression:
            return codec.tokens(events)
    return codec.encode(score)
