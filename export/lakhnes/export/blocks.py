"""Results of a preparation for each block of files, kept until it is complete."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lakhnes.export.arrays import read_arrays
from lakhnes.export.songs import EncodedSong, FileSongs
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import reading

_KINDS = {
    "digest": "|u1",
    **dict.fromkeys(("names", "contents", "problems", "song_names", "song_contents"), "U"),
    **dict.fromkeys(("file_of_song", "notes", "offsets"), "<i8"),
    "seconds": "<f8",
    "tokens": "<u2",
}
"""The arrays of a block; `notes` has four numbers per song."""


def write_block(path: Path, digest: bytes, files: Sequence[FileSongs]) -> None:
    """Write the songs of a block of files.

    Args:
        path: path of the block's file.
        digest: hash of the files and the recipe.
        files: songs of each file.

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
        "notes": np.array([song.notes for _, song in songs], np.int64).reshape(-1),
        "tokens": np.concatenate([np.zeros(0, np.uint16), *tokens]),
        "offsets": np.cumsum([0, *map(len, tokens)], dtype=np.int64),
    }
    write_whole(path, partial(_save, arrays=arrays))


def _save(file: BinaryIO, arrays: dict[str, Any]) -> None:
    np.savez(file, **arrays)


def kept_block(path: Path, digest: bytes) -> list[FileSongs] | None:
    """Return the songs of a block, if its file exists, is whole and has this hash."""
    if not path.is_file():
        return None
    try:
        found, files = _read(path)
    except DataError:  # for any damage, the block is made again
        return None
    return files if found == digest else None


def read_block(path: Path) -> list[FileSongs]:
    """Return the songs of a block.

    Raises:
        DataError: if its file is broken.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[bytes, list[FileSongs]]:
    """Return the hash of a block, and the songs of its files."""
    with reading(path, DataError, "Remove it and run the same command again."):
        kept = read_arrays(path, _KINDS)
        plain = {name: array.tolist() for name, array in kept.items() if name not in ("digest", "tokens")}
        _check(plain, len(kept["tokens"]))
        songs: dict[int, tuple[EncodedSong, ...]] = {}
        for place, group in groupby(enumerate(plain["file_of_song"]), lambda pair: pair[1]):
            songs[place] = tuple(_song(plain, kept["tokens"], number) for number, _ in group)
        files = zip(plain["names"], plain["contents"], plain["problems"], strict=True)
        return kept["digest"].tobytes(), [
            FileSongs(printable(name), bytes.fromhex(content), songs.get(place, ()), printable(problem))
            for place, (name, content, problem) in enumerate(files)
        ]


def _check(plain: dict[str, list[Any]], n_tokens: int) -> None:
    """Refuse inconsistent lists."""
    n_songs, offsets, places = len(plain["seconds"]), plain["offsets"], plain["file_of_song"]
    fits = (
        {len(plain[name]) for name in ("song_names", "song_contents", "file_of_song")} == {n_songs}
        and len(plain["notes"]) == 4 * n_songs
        and len(offsets) == n_songs + 1
        and (offsets[0], offsets[-1]) == (0, n_tokens)
        and all(one <= two for one, two in pairwise(offsets))
        and all(one <= two for one, two in pairwise(places))
        and all(0 <= place < len(plain["names"]) for place in places)
        and all(0 <= seconds < math.inf for seconds in plain["seconds"])
        and all(0 <= count <= n_tokens for count in plain["notes"])
    )
    if not fits:
        raise ValueError("its arrays do not fit together")


def _song(plain: dict[str, list[Any]], tokens: NDArray[np.uint16], number: int) -> EncodedSong:
    first, second, third, fourth = plain["notes"][4 * number : 4 * number + 4]
    return EncodedSong(
        printable(plain["song_names"][number]),
        tokens[plain["offsets"][number] : plain["offsets"][number + 1]],
        plain["seconds"][number],
        (first, second, third, fourth),
        bytes.fromhex(plain["song_contents"][number]),
    )
