"""Preparation: music files to prepared data, on one core or many machines.

Files are read one by one and processed in blocks. The result of a block is kept in its own file in
DATA/unfinished, so an interrupted preparation continues where it stopped. When all blocks exist, songs are
split, copies are left out, and the shards are written. The result does not depend on the worker of a block.
"""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from lakhnes.export.blocks import kept_block, read_block, write_block
from lakhnes.export.cluster import Executor
from lakhnes.export.prepared import (
    INFO_FILE,
    SKIPPED_FILE,
    SPLITS,
    PreparedData,
    ShardWriter,
    open_prepared,
    write_info,
)
from lakhnes.export.songs import FileSongs, Recipe, songs_of_files
from lakhnes.export.sources import Item, Sources
from lakhnes.export.splits import SplitRule
from lakhnes.runtime.errors import DataError, OutputError
from lakhnes.runtime.files import real_name, write_whole
from lakhnes.runtime.music.events import Voice

UNFINISHED = "unfinished"
"""Folder of blocks, inside an incomplete data folder."""

BLOCK_FILES = 32
BLOCK_BYTES = 2 << 20
"""Most files of a block, and the bytes from which it is full."""


@dataclass(slots=True)
class PreparationProgress:
    """Progress of a preparation."""

    part: float = 0.0
    """Share of the sources read, 0..1."""
    files: int = 0
    """Number of processed files."""
    songs: int = 0
    """Number of songs from them, including copies."""
    seconds: float = 0.0
    """Seconds of music."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """Result of a preparation."""

    data: PreparedData
    files: int
    """Number of music files."""
    skipped: int
    """Number of files without a song; `skipped.tsv` lists them."""
    copies: int
    """Number of songs left out because another file has the same notes, possibly in another key."""


@dataclass(slots=True)
class _Tally:
    files: int = 0
    copies: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def prepare(
    paths: Sequence[Path],
    folder: Path,
    recipe: Recipe,
    rule: SplitRule,
    executor: Executor,
    *,
    progress: Callable[[PreparationProgress], None] = lambda progress: None,
) -> Preparation:
    """Convert music files to prepared data.

    Args:
        paths: files, folders and archives.
        folder: data folder. If it is an unfinished one, the preparation continues: blocks of unchanged files
            with the same recipe are not processed again.
        recipe: conversion of files to songs.
        rule: split of each song.
        executor: executor of the work; the caller closes it.
        progress: called after each block.

    Raises:
        DataError: if the sources contain no music, or none that can be used.
        OutputError: if the folder contains something else, or cannot be written.
    """
    sources = Sources(paths)
    unfinished = folder / UNFINISHED
    made = _open_folder(folder, unfinished)
    n_blocks = _make_blocks(sources, unfinished, recipe, executor, progress)
    tally = _Tally()
    writers = {split: ShardWriter(folder, split) for split in SPLITS}
    _write_songs((unfinished / _block_name(number) for number in range(n_blocks)), writers, rule, tally)
    splits = {split: info for split, writer in writers.items() if (info := writer.close()).songs}
    if not splits:
        shutil.rmtree(unfinished)
        if made:
            folder.rmdir()
        raise DataError(_nothing(paths, tally.skipped))
    rows = [("file", "reason"), *tally.skipped]
    write_whole(folder / SKIPPED_FILE, "".join(f"{name}\t{reason}\n" for name, reason in rows).encode())
    options = {
        "sources": [real_name(path) for path in paths],
        **recipe.to_dict(),
        "split": "list" if rule.listed else rule.mode,
        "valid_share": rule.valid,
        "test_share": rule.test,
    }
    counts = {"read": tally.files, "skipped": len(tally.skipped), "copies": tally.copies}
    write_info(folder, recipe.codec, splits, options, f"lakhnes {version('lakhnes')}", counts)
    shutil.rmtree(unfinished)
    return Preparation(open_prepared(folder), tally.files, len(tally.skipped), tally.copies)


def _nothing(paths: Sequence[Path], skipped: Sequence[tuple[str, str]]) -> str:
    where = ", ".join(map(str, paths))
    if not skipped:
        return (
            f"There is no music in {where}: no MIDI, TX1 or TX2 file. Give a folder or an archive with some."
        )
    name, reason = skipped[0]
    files = "The one file" if len(skipped) == 1 else f"None of the {len(skipped)} files"
    return f"{files} of music in {where} gave a song; {name}: {reason}."


def _open_folder(folder: Path, unfinished: Path) -> bool:
    """Create the data folder, or find an unfinished one; return whether it was created."""
    try:
        if (folder / INFO_FILE).is_file() and not unfinished.is_dir():
            raise OutputError(f"{folder} holds prepared data already. Give another folder, or remove it.")
        there = folder.exists()
        if there and not unfinished.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty. Give another folder.")
        unfinished.mkdir(parents=True, exist_ok=True)
        for place in (folder, unfinished):
            for left in place.glob(".lakhnes-*"):  # temporary files of an earlier, killed preparation
                left.unlink()
        for split in SPLITS:
            for shard in folder.glob(f"{split}-*.npz"):
                shard.unlink()
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be a folder of data: {error.strerror}. Give another place."
        ) from None
    return not there


def _block_name(number: int) -> str:
    return f"block-{number:06d}.npz"


def _make_blocks(
    sources: Sources,
    unfinished: Path,
    recipe: Recipe,
    executor: Executor,
    progress: Callable[[PreparationProgress], None],
) -> int:
    """Process the blocks that are not kept yet; return the number of all blocks."""
    n_blocks = 0
    out: deque[tuple[int, bytes]] = deque()
    done = PreparationProgress()

    def tasks() -> Iterator[tuple[list[Item], Recipe]]:
        nonlocal n_blocks
        for number, items in enumerate(_blocks(sources)):
            digest = _digest(items, recipe)
            path = unfinished / _block_name(number)
            n_blocks = number + 1
            if (kept := kept_block(path, digest)) is not None:
                tell(kept)
            else:
                out.append((number, digest))
                yield items, recipe

    def tell(files: Sequence[FileSongs]) -> None:
        done.part = sources.done_bytes / max(1, sources.total_bytes)
        done.files += len(files)
        done.songs += sum(len(file.songs) for file in files)
        done.seconds += sum(song.seconds for file in files for song in file.songs)
        progress(done)

    for files in executor.map(songs_of_files, tasks()):
        number, digest = out.popleft()
        write_block(unfinished / _block_name(number), digest, files)
        tell(files)
    return n_blocks


def _blocks(sources: Sources) -> Iterator[list[Item]]:
    block: list[Item] = []
    size = 0
    for item in sources:
        block.append(item)
        size += len(item.data)
        if len(block) == BLOCK_FILES or size >= BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _digest(items: Sequence[Item], recipe: Recipe) -> bytes:
    """Return a hash of everything that the songs of a block depend on."""
    digest = blake2b(digest_size=16)
    head = [version("lakhnes"), recipe.to_dict(), [(i.name, i.problem, len(i.data)) for i in items]]
    digest.update(json.dumps(head).encode())
    for item in items:
        digest.update(item.data)
    return digest.digest()


def _write_songs(
    blocks: Iterator[Path], writers: dict[str, ShardWriter], rule: SplitRule, tally: _Tally
) -> None:
    """Pass the songs of all blocks to the writers of their splits; of copies only the first."""
    known: set[bytes] = set()
    for path in blocks:
        for file in read_block(path):
            tally.files += 1
            if file.problem:
                tally.skipped.append((file.name, file.problem))
                continue
            writer = writers[rule.split(file.name, file.content)]
            fresh = [song for song in file.songs if not song.content or song.content not in known]
            for song in fresh:
                notes = dict(zip((voice.name for voice in Voice), song.notes, strict=True))
                writer.add(song.name, song.tokens, song.seconds, notes)
            known.update(song.content for song in fresh if song.content)
            tally.copies += len(file.songs) - len(fresh)
            if not fresh:
                tally.skipped.append((file.name, "a copy: other files have the same notes"))
