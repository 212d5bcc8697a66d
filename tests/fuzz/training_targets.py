"""The readers of the training side."""

from __future__ import annotations

from pathlib import Path

from fuzz.harness import Target
from small_training import small_data

from lakhnes.export.prepared import open_prepared
from lakhnes.export.train_config import make_config


def make_prepared(folder: Path) -> list[Path]:
    """Prepared data."""
    small_data(folder / "data", n_train=3, n_valid=2)
    return [folder / "data"]


def read_prepared(path: Path) -> object:
    """Read every split."""
    data = open_prepared(path)
    return [data.songs(split) for split in data.splits]


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


TARGETS = (
    Target("prepared", make_prepared, read_prepared),
    Target("config", make_configs, read_config),
)
