"""What a preparation keeps of each block of files until it is complete."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lakhnes.export.songs import FileSongs, Song
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.files import write_whole


def write_block(path: Path, digest: bytes, files: Sequence[FileSongs]) -> None:
    """Keeps what a block of files gave.

    Args:
        path: of the block's file.
        digest: hash of the files and of how they were read.
        files: what each gave.

    Raises:
        OutputError: if it cannot be written.
    """
    songs = [(place, song) for place, file in enumerate(files) for song in file.songs]
    tokens = [song.tokens for _, song in songs]
    arrays: dict[str, Any] = {
        "digest": np.frombuffer(digest, np.uint8),
        "names": np.array([file.name for file in files], np.str_),
        "contents": np.array([file.content.hex() for file in files], np.str_),
        "problems": np.array([file.problem for file in files], np.str_),
        "file_of_song": np.array([place for place, _ in songs], np.int64),
        "song_names": np.array([song.name for _, song in songs], np.str_),
        "song_contents": np.array([song.content.hex() for _, song in songs], np.str_),
        "seconds": np.array([song.seconds for _, song in songs], np.float64),
        "notes": np.array([song.notes for _, song in songs], np.int64).reshape(-1, 4),
        "tokens": np.concatenate([np.zeros(0, np.uint16), *tokens]),
        "offsets": np.cumsum([0, *map(len, tokens)], dtype=np.int64),
    }
    write_whole(path, partial(_save, arrays=arrays))


def _save(file: BinaryIO, arrays: dict[str, Any]) -> None:
    np.savez(file, **arrays)


def is_kept(path: Path, digest: bytes) -> bool:
    """Whether the file is there and of a block with this hash."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return bool(arrays["digest"].tobytes() == digest)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False


def read_block(path: Path) -> list[FileSongs]:
    """What a block of files gave.

    Raises:
        DataError: if its file is broken.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        songs: dict[int, tuple[Song, ...]] = {}
        places = enumerate(kept["file_of_song"].tolist())
        for place, group in groupby(places, lambda pair: pair[1]):
            songs[place] = tuple(_song(kept, number) for number, _ in group)
        files = zip(kept["names"].tolist(), kept["contents"].tolist(), kept["problems"].tolist(), strict=True)
        return [
            FileSongs(name, bytes.fromhex(content), songs.get(place, ()), problem)
            for place, (name, content, problem) in enumerate(files)
        ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is broken ({error}). Remove it and run the same command again.") from None


def _song(kept: dict[str, Any], number: int) -> Song:
    start, end = kept["offsets"][number : number + 2]
    return Song(
        str(kept["song_names"][number]),
        kept["tokens"][start:end],
        float(kept["seconds"][number]),
        tuple(kept["notes"][number].tolist()),
        bytes.fromhex(kept["song_contents"][number]),
    )
