"""Prepared data: a folder of songs as token ids, which training and evaluation read.

    info.json         contents and settings; written last, so that only a complete folder has it
    train-00000.npz   a shard: tokens uint16 [n], offsets int64 [songs + 1], names [songs]
    valid-00000.npz
    skipped.tsv       files without a song, with reasons

A song is stored as in `Codec.encode`: without `<S>`, with the waits at its ends.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from lakhnes.export.arrays import read_arrays
from lakhnes.runtime.bars.codec import make_codec
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.music.events import SAMPLE_RATE
from lakhnes.runtime.music.timing import Codec, Timing, has_timing
from lakhnes.runtime.music.vocabulary import END_TOKEN, NAMED, Vocabulary
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import read_at_most, reading

FORMAT = 1
"""Version of the folder's layout."""

INFO_FILE = "info.json"
SKIPPED_FILE = "skipped.tsv"

SPLITS = ("train", "valid", "test")
"""The splits of the songs."""

SHARD_TOKENS = 1_000_000
"""Number of tokens from which a shard is full."""

_AGAIN = "prepare it again with `lakhnes prepare`"
_STEP = "Prepare it again with `lakhnes prepare`."

_MAX_INFO_BYTES = 4 << 20


class Songs(Sequence[NDArray[np.uint16]]):
    """The songs of a split, one after the other.

    Attributes:
        tokens: uint16 [n], tokens of all songs.
        offsets: int64 [songs + 1]: song i is tokens[offsets[i] : offsets[i + 1]].
        names: file of each song, followed by `#k` for its arrangement k.
    """

    def __init__(self, tokens: NDArray[np.uint16], offsets: NDArray[np.int64], names: Sequence[str]) -> None:
        self.tokens = tokens
        self.offsets = offsets
        self.names = tuple(names)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint16]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.uint16]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint16] | list[NDArray[np.uint16]]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self.tokens[self.offsets[place] : self.offsets[place + 1]]

    def order_by_name(self) -> NDArray[np.int64]:
        """Return int64 [songs]: the songs' indices by name, which is LakhNES's order of evaluation."""
        return np.argsort(np.array(self.names, np.str_), kind="stable").astype(np.int64)


@dataclass(slots=True)
class SplitInfo:
    """Contents of a split."""

    songs: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Seconds of music."""
    notes: dict[str, int] = field(default_factory=dict)
    """Number of notes of each voice."""
    shards: list[str] = field(default_factory=list)
    """Names of its files, in order."""


@dataclass(frozen=True, slots=True)
class PreparedData:
    """A folder of prepared songs."""

    folder: Path
    codec: Codec
    """Converter between tokens and events."""
    splits: dict[str, SplitInfo]
    options: dict[str, Any]
    """Settings of the preparation."""
    created_by: str
    """Program and version that created it."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Vocabulary of the tokens."""
        return self.codec.vocabulary

    @property
    def timing(self) -> Timing:
        """Unit of time of the tokens."""
        return self.codec.timing

    def songs(self, split: str) -> Songs:
        """Read the songs of a split.

        Raises:
            DataError: if the split does not exist, or a shard is missing, broken or from other data.
        """
        if split not in self.splits:
            raise DataError(f"{self.folder} has no split {split!r}; it has {', '.join(self.splits)}.")
        shards = [self._shard(name) for name in self.splits[split].shards]
        tokens = np.concatenate([np.zeros(0, np.uint16), *(shard.tokens for shard in shards)])
        lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(shard.offsets) for shard in shards)])
        songs = Songs(tokens, np.cumsum(lengths), [name for shard in shards for name in shard.names])
        if (len(songs), len(tokens)) != (self.splits[split].songs, self.splits[split].tokens):
            raise DataError(f"The shards of {self.folder} are not those of its {INFO_FILE}; {_AGAIN}.")
        return songs

    def _shard(self, name: str) -> Songs:
        songs = read_shard(self.folder / name)
        if len(songs.tokens) and int(songs.tokens.max()) >= len(self.vocabulary):
            raise DataError(
                f"{self.folder / name} has token {songs.tokens.max()}, which is not in the vocabulary "
                f"{self.vocabulary.name} (0 to {len(self.vocabulary) - 1}); {_AGAIN}."
            )
        if (songs.tokens == END_TOKEN).any():
            raise DataError(f"{self.folder / name} has <S> inside a song; {_AGAIN}.")
        return songs


def open_prepared(folder: Path) -> PreparedData:
    """Open prepared data; songs are read on demand.

    Raises:
        DataError: if it is missing, not prepared data, or has another version.
    """
    folder = Path(folder)
    path = folder / INFO_FILE
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of prepared data; make one with `lakhnes prepare`.")
    if not path.is_file():
        raise DataError(
            f"{folder} has no {INFO_FILE}: it is no prepared data, or its preparation was interrupted. "
            "Run `lakhnes prepare` (again) to make it."
        )
    with reading(path, DataError, _STEP):
        info = json.loads(read_at_most(path, _MAX_INFO_BYTES))
        if info["format"] != FORMAT:
            raise DataError(f"{path} is of format {str(info['format'])[:20]}, not {FORMAT}; {_AGAIN}.")
        events, timing, made_by = (_text(info[name]) for name in ("events", "timing", "created_by"))
        if not has_timing(NAMED[events](), Timing(timing)):
            raise ValueError(f"events {events} have no timing {timing}")
        codec = make_codec(NAMED[events](), Timing(timing))
        splits = {_text(name): _split(plain) for name, plain in info["splits"].items()}
        return PreparedData(folder, codec, splits, dict(info["options"]), made_by)


def _split(plain: Mapping[str, Any]) -> SplitInfo:
    """Return a split from `info.json`, after checking the type of each value."""
    split = SplitInfo(**plain)
    counts = [split.songs, split.tokens, *split.notes.values()]
    names = [_text(name) for name in (*split.notes, *split.shards)]
    if not all(type(count) is int and 0 <= count < 1 << 60 for count in counts):
        raise ValueError("a number of songs, tokens or notes is none")
    if type(split.seconds) not in (int, float) or not 0 <= split.seconds < math.inf:
        raise ValueError("a number of seconds is none")
    if not isinstance(split.shards, list) or any(Path(name).name != name for name in names):
        raise ValueError("a shard is no file of this folder")
    return split


def _text(value: object) -> str:
    """Return a short, printable text."""
    if not isinstance(value, str) or not printable(value) == value or len(value) > 200:
        raise ValueError("a name is no text")
    return value


def read_shard(path: Path) -> Songs:
    """Read a shard.

    Raises:
        DataError: if it is missing or broken.
    """
    if not path.exists():
        raise DataError(f"{path} is not there; {_AGAIN}.")
    with reading(path, DataError, _STEP):
        arrays = read_arrays(path, {"tokens": "<u2", "offsets": "<i8", "names": "U"})
        tokens, offsets, names = (arrays[name] for name in ("tokens", "offsets", "names"))
    fits = (
        len(offsets) == len(names) + 1
        and offsets[0] == 0
        and offsets[-1] == len(tokens)
        and bool((offsets[1:] >= offsets[:-1]).all())
    )
    if not fits:
        raise DataError(f"{path} is broken (its arrays do not fit together); {_AGAIN}.")
    return Songs(tokens, offsets, [printable(name) for name in names.tolist()])


class ShardWriter:
    """Writer of the songs of one split into whole shards."""

    def __init__(self, folder: Path, split: str, shard_tokens: int = SHARD_TOKENS) -> None:
        """Start a split.

        Args:
            folder: existing folder.
            split: its name.
            shard_tokens: number of tokens from which a shard is written.
        """
        self.info = SplitInfo()
        self._folder = folder
        self._split = split
        self._shard_tokens = shard_tokens
        self._songs: list[NDArray[np.uint16]] = []
        self._names: list[str] = []
        self._held = 0

    def add(
        self, name: str, tokens: Sequence[int] | NDArray[Any], seconds: float, notes: Mapping[str, int] = {}
    ) -> None:
        """Take the next song.

        Args:
            name: name of its file.
            tokens: without `<S>`.
            seconds: length of the song.
            notes: number of notes of each voice.

        Raises:
            OutputError: if a full shard cannot be written.
        """
        song = np.asarray(tokens, np.uint16)
        if self._songs and self._held + len(song) > self._shard_tokens:
            self._flush()
        self._songs.append(song)
        self._names.append(name)
        self._held += len(song)
        self.info.songs += 1
        self.info.tokens += len(song)
        self.info.seconds += seconds
        for voice, count in notes.items():
            self.info.notes[voice] = self.info.notes.get(voice, 0) + count

    def close(self) -> SplitInfo:
        """Write the rest; return the contents of the split.

        Raises:
            OutputError: if the shard cannot be written.
        """
        if self._songs:
            self._flush()
        self.info.seconds = round(self.info.seconds, 3)
        return self.info

    def _flush(self) -> None:
        name = f"{self._split}-{len(self.info.shards):05d}.npz"
        arrays: dict[str, NDArray[Any]] = {
            "tokens": np.concatenate(self._songs),
            "offsets": np.cumsum([0, *map(len, self._songs)], dtype=np.int64),
            "names": np.array(self._names, np.str_),
        }
        write_whole(self._folder / name, partial(_save, arrays=arrays))
        self.info.shards.append(name)
        self._songs, self._names, self._held = [], [], 0


def write_info(
    folder: Path,
    codec: Codec,
    splits: Mapping[str, SplitInfo],
    options: Mapping[str, Any],
    created_by: str,
    files: Mapping[str, int] | None = None,
) -> None:
    """Write `info.json`, which completes the prepared data; every shard must exist.

    Args:
        folder: folder of the shards.
        codec: codec of the tokens.
        splits: contents of each.
        options: settings of the preparation.
        created_by: program and version.
        files: numbers of files read, skipped and so on.

    Raises:
        OutputError: if it cannot be written.
    """
    info = {
        "format": FORMAT,
        "events": codec.vocabulary.name,
        "timing": codec.timing.value,
        "splits": {name: asdict(split) for name, split in splits.items()},
        "options": dict(options),
        "files": dict(files or {}),
        "created_by": created_by,
    }
    write_whole(folder / INFO_FILE, (json.dumps(info, indent=1) + "\n").encode())


def write_prepared(
    folder: Path,
    codec: Codec,
    splits: Mapping[str, Mapping[str, Sequence[int] | NDArray[Any]]],
    *,
    options: Mapping[str, Any] | None = None,
    shard_tokens: int = SHARD_TOKENS,
    created_by: str = "lakhnes",
) -> PreparedData:
    """Write songs from memory as prepared data.

    Args:
        folder: created if missing.
        codec: codec of the tokens.
        splits: for each split the songs by name, without `<S>`.
        options: settings of the songs.
        shard_tokens: tokens of a shard.
        created_by: program and version.

    Raises:
        OutputError: if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = {}
    for split, songs in splits.items():
        writer = ShardWriter(folder, split, shard_tokens)
        for name, tokens in songs.items():
            writer.add(
                name, tokens, float(codec.wait_samples[np.asarray(tokens, np.int64)].sum()) / SAMPLE_RATE
            )
        done[split] = writer.close()
    write_info(folder, codec, done, options or {}, created_by)
    return open_prepared(folder)


def _save(file: BinaryIO, arrays: Mapping[str, Any]) -> None:
    np.savez_compressed(file, **arrays)
