"""From files of music to prepared data, on one core or many machines.

Files are read one after the other and go out in blocks; what a block gave is kept in a file of its own in
DATA/unfinished, so that an interrupted preparation goes on where it was. When all blocks are there, songs are
split, copies are left out, and the shards are written. Nothing of the result depends on who did which block.
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
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.music.events import Voice

UNFINISHED = "unfinished"
"""Folder of blocks in a folder of data that is not complete."""

BLOCK_FILES = 32
BLOCK_BYTES = 2 << 20
"""A block has at most so many files, and is full when they have so many bytes."""


@dataclass(slots=True)
class PreparationProgress:
    """How far a preparation is."""

    part: float = 0.0
    """Share of the sources that was read, 0..1."""
    files: int = 0
    """Files that are done."""
    songs: int = 0
    """Songs that they gave, copies too."""
    seconds: float = 0.0
    """Of music."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What came of a preparation."""

    data: PreparedData
    files: int
    """Files of music that were there."""
    skipped: int
    """Files that gave no song; `skipped.tsv` lists them."""
    copies: int
    """Songs that were left out because another file has the same notes, maybe in another key."""


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
    """Makes prepared data of files of music.

    Args:
        paths: files, folders and archives.
        folder: to make. One that an interrupted preparation left is gone on with: what was kept of files
            that are still the same, and were read with the same recipe, is not done again.
        recipe: how files become songs.
        rule: which song goes into which split.
        executor: who does it; the caller closes it.
        progress: told after each block.

    Raises:
        DataError: if there is no music in the sources, or none that can be used.
        OutputError: if the folder holds something else, or cannot be written.
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
        "sources": [path.resolve().name for path in paths],
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
    """Makes the folder of the data, or finds an unfinished one; whether it made it."""
    try:
        if (folder / INFO_FILE).is_file() and not unfinished.is_dir():
            raise OutputError(f"{folder} holds prepared data already. Give another folder, or remove it.")
        there = folder.exists()
        if there and not unfinished.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty. Give another folder.")
        unfinished.mkdir(parents=True, exist_ok=True)
        for place in (folder, unfinished):
            for left in place.glob(".lakhnes-*"):  # what was being written when an earlier one was killed
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
    """Makes the blocks that are not kept yet; returns how many there are in all."""
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
    """A hash of all that the songs of a block depend on."""
    digest = blake2b(digest_size=16)
    head = [version("lakhnes"), recipe.to_dict(), [(i.name, i.problem, len(i.data)) for i in items]]
    digest.update(json.dumps(head).encode())
    for item in items:
        digest.update(item.data)
    return digest.digest()


def _write_songs(
    blocks: Iterator[Path], writers: dict[str, ShardWriter], rule: SplitRule, tally: _Tally
) -> None:
    """Gives the songs of all blocks to the writers of their splits, of copies only the first."""
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
