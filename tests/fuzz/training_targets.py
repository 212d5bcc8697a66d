"""The readers of the training side."""

from __future__ import annotations

import bz2
import lzma
import shutil
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from fuzz.harness import Target
from small_lakhnes import lakhnes_models, saved
from small_training import small_config, small_data

from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.export.augment import Augmenter, Changes
from lakhnes.export.augment_bars import BarAugmenter, make_augmenter
from lakhnes.export.blocks import kept_block, read_block, write_block
from lakhnes.export.checkpoints import BEST, LAST, open_checkpoint, read_checkpoint, write_parts
from lakhnes.export.cluster import Serial
from lakhnes.export.curves import LOG_FILE, curves, read_log
from lakhnes.export.machine import Machine
from lakhnes.export.prepare import prepare
from lakhnes.export.prepared import INFO_FILE, SKIPPED_FILE, open_prepared
from lakhnes.export.songs import Recipe, songs_of_files
from lakhnes.export.sources import Item
from lakhnes.export.splits import SplitRule, read_split_list
from lakhnes.export.train_config import make_config
from lakhnes.export.training import train
from lakhnes.export.training_run import TrainingRun
from lakhnes.export.training_start import valid_streams
from lakhnes.runtime import Note, Part, Score, Timing, tx1, tx1_text
from lakhnes.runtime.bars.codec import make_codec
from lakhnes.runtime.music.vocabulary import NAMED

_DIGEST = bytes(range(16))


def make_lakhnes(folder: Path) -> list[Path]:
    """Checkpoints of the LakhNES code in both containers, a folder, and packed ones."""
    with lakhnes_models() as model:
        zipped = saved(model(), folder / "zipped.pt")
        legacy = saved(model(6, pre_lnorm=True), folder / "legacy.pt", legacy=True)
    whole = folder / "whole"
    whole.mkdir()
    shutil.copy(zipped, whole / "model.pt")
    (whole / "vocab.txt").write_text(tx1().to_text(), "utf-8")
    archives = []
    for ending, mode in ((".tar.gz", "w:gz"), (".tar", "w:")):
        archives.append(folder / f"packed{ending}")
        with tarfile.open(archives[-1], mode) as archive:  # type: ignore[call-overload]
            archive.add(legacy if archives[1:] else zipped, "LakhNES/model.pt")
            archive.add(whole / "vocab.txt", "LakhNES/vocab.txt")
    return [zipped, legacy, whole, *archives]


def make_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a small run, whole and light."""
    run = folder / "run"
    run.mkdir()
    train([small_data(folder / "data", n_train=3)], run, small_config(steps=2))
    light = folder / "light.pt"
    light.write_bytes(
        b"".join(part.read_bytes() for part in sorted(write_parts(run / BEST, folder / "parts")))
    )
    return [run / BEST, run / LAST, light]


def read_ours(path: Path) -> object:
    """Open it as `export` does, and read it as a run that goes on."""
    opened = open_checkpoint(path)
    return opened, read_checkpoint(path)


def make_runs(folder: Path) -> list[Path]:
    """Folders of runs that were stopped, one with each optimiser."""
    data = small_data(folder / "data", n_train=3)
    runs = []
    for optimizer in ("adamw", "muon"):
        runs.append(folder / optimizer)
        runs[-1].mkdir()
        train([data], runs[-1], small_config(steps=2, optimizer=optimizer))
        shutil.copytree(data.folder, runs[-1] / "data")
    return runs


def read_run(path: Path) -> object:
    """Go on with a run for a step."""
    with Machine(threads=1) as machine:
        config = small_config(steps=4, optimizer=path.name)
        run = TrainingRun([open_prepared(path / "data")], path, config, machine)
        run.load(read_checkpoint(path / LAST))
        run.take(run.streams().next())
        return run.part, run.lr


def make_prepared(folder: Path) -> list[Path]:
    """Prepared data."""
    small_data(folder / "data", n_train=3, n_valid=20)
    return [folder / "data"]


_EVERY_CHANGE = Changes(transpose=1, stretch=1, swap=1, subset=1, loop=1, loop_tokens=(2, 10))


@cache
def _augmenter(events: str, timing: Timing) -> Augmenter | BarAugmenter:
    return make_augmenter(make_codec(NAMED[events](), timing))


def read_prepared(path: Path) -> object:
    """Read every split, change its songs as training does, and make the streams of an evaluation."""
    data = open_prepared(path)
    augmenter, rng = _augmenter(data.codec.vocabulary.name, data.timing), np.random.default_rng(0)
    for split in data.splits:
        for song in data.songs(split):
            augmenter.changed(song, _EVERY_CHANGE, rng)
    return valid_streams([data], 1280)


@cache
def _files() -> dict[str, bytes]:
    """Files of music."""
    beat = 22_050
    tune = Part(tuple(Note(place * beat, beat, 60 + place % 12) for place in range(40)))
    score = Score((tune, Part(), tune, Part()), 40 * beat)
    return {
        "a/song.mid": midi_bytes(score, MidiStyle.NES),
        "b/song.tx1.txt": tx1_text(score).encode(),
        "readme.txt": b"music",
    }


def make_blocks(folder: Path) -> list[Path]:
    """What a preparation keeps of some files."""
    items = [Item(name, data) for name, data in _files().items()] + [Item("c.mid", problem="no file")]
    path = folder / "block-000000.npz"
    write_block(path, _DIGEST, songs_of_files((items, Recipe())))
    return [path]


def read_one_block(path: Path) -> object:
    """Look whether it is kept, and read it."""
    return kept_block(path, _DIGEST), read_block(path)


def make_archives(folder: Path) -> list[Path]:
    """Archives of music: zips, tars."""
    paths = [folder / f"music{ending}" for ending in (".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2")]
    with zipfile.ZipFile(paths[0], "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in _files().items():
            packed.writestr(zipfile.ZipInfo(name), data)
    for name, data in _files().items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(data)
    with tarfile.open(paths[1], "w") as archive:
        archive.add(folder / "in", "music")
    with tarfile.open(paths[2], "w:gz") as archive:
        archive.add(folder / "in", "music")
    paths[3].write_bytes(lzma.compress(paths[1].read_bytes()))
    paths[4].write_bytes(bz2.compress(paths[1].read_bytes()))
    return paths


def read_archive(path: Path) -> object:
    """Prepare it beside a good file: whatever is in it, data come of it."""
    with tempfile.TemporaryDirectory() as folder:
        good, output = Path(folder, "good"), Path(folder, "data")
        good.mkdir()
        (good / "x.mid").write_bytes(_files()["a/song.mid"])
        done = prepare([path, good], output, Recipe(arrangements=1), SplitRule(valid=0), Serial())
        skipped = (output / SKIPPED_FILE).read_text("utf-8")
    assert "it cannot be read (" not in skipped, skipped  # what no reader foresees
    assert done.data.splits["train"].songs, "the good file gave no song"
    return done


_CONFIG = """\
preset = "tiny"
n_layer = 3
lr = 1e-3  # of the schedule
mixture = [1, 0.5]
bf16 = false
compile = "off"
"""


def make_configs(folder: Path) -> list[Path]:
    """A TOML file of settings."""
    (folder / "settings.toml").write_text(_CONFIG, "utf-8")
    return [folder / "settings.toml"]


def read_config(path: Path) -> object:
    """Make a configuration of it."""
    return make_config(file=path)


def make_logs(folder: Path) -> list[Path]:
    """The log of a run."""
    rows = [
        f"{step},{step * 64},{step}.5,0.001,{'' if step % 3 else 4.25},3.5,0.25,1e+04" for step in range(9)
    ]
    text = "\n".join(["step,tokens,seconds,lr,loss,valid,norm,rate", *rows, ""])
    (folder / LOG_FILE).write_text(text, "utf-8")
    return [folder / LOG_FILE]


def read_one_log(path: Path) -> object:
    """Read it and draw its curves."""
    return curves(read_log(path))


def make_lists(folder: Path) -> list[Path]:
    """A list of files and their splits."""
    text = "train a/song.mid\nvalid b/song.tx1.txt\ntest\tc d.mid\n\n"
    (folder / "splits.tsv").write_text(text, "utf-8")
    return [folder / "splits.tsv"]


TARGETS = (
    Target("lakhnes", make_lakhnes, open_checkpoint),
    Target("checkpoints", make_checkpoints, read_ours),
    Target("resume", make_runs, read_run, broken=(LAST,), names_file=False),
    Target("prepared", make_prepared, read_prepared, broken=(INFO_FILE, "*.npz")),
    Target("blocks", make_blocks, read_one_block),
    Target("archives", make_archives, read_archive),
    Target("config", make_configs, read_config),
    Target("log", make_logs, read_one_log),
    Target("splits", make_lists, read_split_list),
)
