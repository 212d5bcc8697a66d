"""Settings of a training run: presets, a TOML file of plain keys, and single settings."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lakhnes.export.augment import Changes
from lakhnes.export.transformer_xl import TransformerXLConfig
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import read_at_most, reading


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All settings of a training run."""

    n_layer: int = 6
    """Number of layers."""
    n_head: int = 6
    """Attention heads per layer; d_model is divided among them."""
    d_model: int = 384
    """Width of the model."""
    d_inner: int = 1536
    """Width of the feed-forward layers."""
    pre_lnorm: bool = True
    """Whether LayerNorm comes before each block instead of after it; the model then learns to copy sooner."""
    tie_embedding: bool = True
    """Whether the output layer shares the embedding's weights."""

    streams: int = 16
    """Number of parallel streams, over all processes; a higher value needs more memory."""
    segment: int = 128
    """Tokens of each stream per step; a higher value needs more memory."""
    mem_len: int = 512
    """Tokens of memory before the segment; carried over from song to song, as in LakhNES."""
    own_memory: bool = False
    """Whether the memory is cleared at each song, as in composing; LakhNES carries it over."""
    accumulate: int = 1
    """Number of parts of a step, one after the other; a higher value needs less memory."""

    lr: float = 1e-3
    """Highest learning rate; a higher value learns faster, up to the point where training fails."""
    lr_floor: float = 0.05
    """Final learning rate, as a fraction of the highest."""
    warmup: int = 200
    """Steps in which the learning rate rises from 0."""
    steps: int = 0
    """Steps of the whole schedule; 0 for no limit."""
    tokens: int = 0
    """Tokens of the whole schedule; 0 for no limit."""
    minutes: float = 0.0
    """Minutes of training of the whole schedule; 0 for no limit."""

    optimizer: str = "adamw"
    """`adamw`, or `muon`: Muon for the matrices of layers, AdamW for the rest."""
    beta1: float = 0.9
    """AdamW's decay of the mean gradient, 0 to 1."""
    beta2: float = 0.98
    """AdamW's decay of the squared gradient, 0 to 1."""
    weight_decay: float = 0.01
    """Weight decay, on matrices only: not on LayerNorms, biases and the embedding."""
    clip: float = 0.25
    """Largest norm of the gradient; 0 for no limit."""

    dropout: float = 0.1
    """Dropout after embeddings and blocks, 0..1."""
    attention_dropout: float = 0.0
    """Dropout of attention probabilities, 0..1."""
    layer_drop: float = 0.0
    """Stochastic depth: probability of skipping the last layer, lower for earlier layers; 0..1."""
    ema: float = 0.999
    """Decay per step of the averaged weights, which are evaluated and exported; 0 for no averaging."""

    bf16: bool = True
    """Whether matrix products use bfloat16, if that is faster."""
    compile: str = "auto"
    """`on`, `off`, or `auto`: torch.compile on a GPU if it is worthwhile, and not on the CPU."""

    transpose: float = 1.0
    """Probability that a song's melodic voices move by -6..+6 semitones."""
    stretch: float = 1.0
    """Probability that a song's time is stretched by 0.95..1.05."""
    swap: float = 0.5
    """Probability that P1 and P2 are swapped."""
    subset: float = 0.5
    """Probability that only some voices of a song stay."""
    given: float = 0.0
    """In bars: probability that some voices of a song are shown at the start of each bar."""
    gap: float = 0.15
    """In bars: probability that bars of a song are shown before the bars that lead to them."""
    chords: float = 0.3
    """In bars: probability that the chords of a song are named."""
    relations: float = 0.9
    """In bars: probability that the relations of a song's bars to earlier ones are named."""
    loop: float = 0.5
    """Probability that a snippet of a song is repeated, at the start of training."""
    loop_floor: float = 0.1
    """Probability of the same after `loop_tokens`."""
    loop_tokens: int = 5_000_000
    """Tokens in which the probability falls from one to the other."""

    mixture: tuple[float, ...] = ()
    """Share of the songs from each folder of data; in proportion to their sizes if empty."""
    seed: int = 0
    """Random seed of the initial weights, the order of songs, their changes and dropout."""
    threads: int = 0
    """Cores for PyTorch; 0 for all."""
    checkpoint_minutes: float = 10.0
    """Minutes between checkpoints."""
    log_every: int = 20
    """Steps between lines of the log."""
    valid_every: int = 500
    """Steps between evaluations; 0 for the last one only."""
    valid_tokens: int = 40_960
    """Tokens of the valid split in an evaluation; a higher value gives a smaller error."""

    def __post_init__(self) -> None:
        for name in (*_RANGES, *_CHOICES):
            _check_range(name, getattr(self, name))
        if self.d_model % self.n_head or self.d_model % 2:
            raise OptionError(
                f"d_model = {self.d_model} is not even or not divisible by n_head = {self.n_head}."
            )
        if self.streams % self.accumulate:
            raise OptionError(
                f"streams = {self.streams} is not divisible by accumulate = {self.accumulate}: change one."
            )
        if not all(0 < weight < math.inf for weight in self.mixture):
            raise OptionError("mixture has a weight that is not above 0; leave that folder out.")

    @property
    def step_tokens(self) -> int:
        """Tokens per step."""
        return self.streams * self.segment

    def model(self, n_token: int) -> TransformerXLConfig:
        """Return the sizes of the model for a vocabulary."""
        return TransformerXLConfig(
            n_token=n_token,
            n_layer=self.n_layer,
            n_head=self.n_head,
            d_model=self.d_model,
            d_head=self.d_model // self.n_head,
            d_inner=self.d_inner,
            d_embed=self.d_model,
            pre_lnorm=self.pre_lnorm,
            tie_embedding=self.tie_embedding,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            layer_drop=self.layer_drop,
        )

    def changes(self, tokens_seen: int) -> Changes:
        """Return the augmentations after some tokens of training."""
        part = min(1.0, tokens_seen / self.loop_tokens)
        return Changes(
            transpose=self.transpose,
            stretch=self.stretch,
            swap=self.swap,
            subset=self.subset,
            given=self.given,
            gap=self.gap,
            chords=self.chords,
            relations=self.relations,
            loop=self.loop + part * (self.loop_floor - self.loop),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {**asdict(self), "mixture": list(self.mixture)}


_RANGES: dict[str, tuple[float, float]] = {
    "n_layer": (1, 64),
    "n_head": (1, 64),
    "d_model": (2, 8192),
    "d_inner": (1, 32768),
    "streams": (1, 4096),
    "segment": (1, 8192),
    "mem_len": (0, 16384),
    "accumulate": (1, 4096),
    "lr": (1e-8, 1),
    "lr_floor": (0, 1),
    "warmup": (0, 1e9),
    "steps": (0, 1e12),
    "tokens": (0, 1e15),
    "minutes": (0, 1e7),
    "beta1": (0, 0.99999),
    "beta2": (0, 0.99999),
    "weight_decay": (0, 10),
    "clip": (0, 1e6),
    "layer_drop": (0, 0.9),
    **dict.fromkeys(("dropout", "attention_dropout"), (0, 0.95)),
    "ema": (0, 0.999999),
    **dict.fromkeys(
        (
            "transpose",
            "stretch",
            "swap",
            "subset",
            "given",
            "gap",
            "chords",
            "relations",
            "loop",
            "loop_floor",
        ),
        (0, 1),
    ),
    "loop_tokens": (1, 1e15),
    "seed": (0, 2**32 - 1),
    "threads": (0, 1024),
    "checkpoint_minutes": (0.01, 1e5),
    "log_every": (1, 1e9),
    "valid_every": (0, 1e9),
    "valid_tokens": (0, 1e12),
}
"""Smallest and largest value of each number."""

_CHOICES = {"optimizer": ("adamw", "muon"), "compile": ("on", "off", "auto")}
"""Values of the settings that are words."""


def _check_range(name: str, value: Any) -> None:
    """Refuse a value out of the range of a setting."""
    if name in _RANGES and not _RANGES[name][0] <= value <= _RANGES[name][1]:
        low, high = _RANGES[name]
        raise OptionError(f"{name} = {_shown(value)} is out of range: give {low:g} to {high:g}.")
    if name in _CHOICES and value not in _CHOICES[name]:
        *known, last = _CHOICES[name]
        raise OptionError(f"{name} = {_shown(value)} is not known: give {', '.join(known)} or {last}.")


def _shown(value: Any) -> str:
    """Return a value from a file or the command line for a message; for tables and lists only the type."""
    if isinstance(value, str):
        return f"'{printable(value, 40)}'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 64):
        return str(value)
    kinds = {int: "a very large number", dict: "a table", list: "a list"}
    return kinds.get(type(value), f"a {type(value).__name__}")


_ENDS = ("steps", "tokens", "minutes")

SIZES = ("n_layer", "n_head", "d_model", "d_inner", "pre_lnorm", "tie_embedding")
"""Settings that the weights of a model determine."""

DEFAULT_PRESET = "nes-6x384"

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "n_layer": 2,
        "n_head": 2,
        "d_model": 64,
        "d_inner": 128,
        "streams": 32,
        "segment": 64,
        "mem_len": 64,
        "lr": 6e-3,
        "warmup": 50,
        "steps": 2000,
        "ema": 0.99,
        "loop_tokens": 500_000,
    },
    "nes-6x384": {
        "streams": 8,
        "segment": 512,
        "mem_len": 640,
        "optimizer": "muon",
        "warmup": 100,
        "steps": 10_000,
        "weight_decay": 0.05,
        "ema": 0.995,
    },
    "paper": {
        "n_layer": 12,
        "n_head": 8,
        "d_model": 512,
        "d_inner": 2048,
        "streams": 64,
        "segment": 512,
        "mem_len": 768,
        "optimizer": "muon",
        "lr": 3e-3,
        "warmup": 200,
        "steps": 10_000,
        "weight_decay": 0.05,
        "ema": 0.998,
        "loop_tokens": 20_000_000,
    },
}
"""Settings of each preset; all others have their defaults. `paper` has the size of LakhNES."""


def make_config(
    *,
    preset: str | None = None,
    file: Path | None = None,
    changes: Mapping[str, Any] | None = None,
    sizes: Mapping[str, Any] | None = None,
    minutes: float = 0.0,
) -> TrainConfig:
    """Make a configuration: a preset, then a file's settings, then single settings.

    Args:
        preset: one of `PRESETS`; `nes-6x384` if neither this nor the file names one.
        file: TOML, keys as the fields of `TrainConfig`; it may name a `preset` too.
        changes: by field; texts are read as TOML values.
        sizes: sizes of the initial weights, by field; they override the default preset.
        minutes: length of the whole schedule, if neither file nor changes set an end; 0 for the preset's.

    Raises:
        OptionError: for an unknown key, or a value of a wrong type or out of range; names the place and the
            fix.
    """
    stated = _read(file) if file else {}
    of_file = stated.pop("preset", None)
    if of_file is not None and not (isinstance(of_file, str) and of_file in PRESETS):
        raise OptionError(f"{file}: there is no preset {_shown(of_file)}; give one of {', '.join(PRESETS)}.")
    preset = preset or of_file
    if preset is not None and preset not in PRESETS:
        raise OptionError(f"There is no preset {_shown(preset)}; give one of {', '.join(PRESETS)}.")
    asked = _checked(stated, str(file)) | _checked(changes or {}, "--set")
    settings = dict(PRESETS[preset or DEFAULT_PRESET])
    for key, value in (sizes or {}).items():
        wanted = asked.get(key, settings.get(key, value) if preset else value)
        if wanted != value:
            where = f"{file}: the" if file else "The"
            raise OptionError(
                f"{where} weights to start from have {key} = {value}, not {wanted}; leave that setting or "
                "preset out, or start from other weights."
            )
    if minutes and not any(asked.get(key) for key in _ENDS):
        asked["minutes"] = float(minutes)
    if any(asked.get(key) for key in _ENDS):
        settings.pop("steps", None)
    try:
        return TrainConfig(**(settings | dict(sizes or {}) | asked))
    except OptionError as error:
        raise OptionError(f"{file}: {error}" if file else str(error)) from error


def changed_config(
    config: Mapping[str, Any], changes: Mapping[str, Any], where: str = "the checkpoint"
) -> TrainConfig:
    """Return a checkpoint's configuration with single settings changed; unknown keys are dropped.

    Args:
        config: configuration from `TrainConfig.to_dict`.
        changes: by field; texts are read as TOML values.
        where: name of the checkpoint in errors.

    Raises:
        OptionError: as in `make_config`, and for a change of the model's sizes.
    """
    asked = _checked(changes, "--set")
    known = {f.name for f in fields(TrainConfig)}
    kept = {key: value for key, value in config.items() if key in known}
    settings = _checked(kept, where)
    for key in SIZES:
        if key in asked and key in settings and asked[key] != settings[key]:
            raise OptionError(
                f"{key} is {settings[key]} in this run and cannot become {asked[key]}; start another run."
            )
    return TrainConfig(**(settings | asked))


_MAX_FILE_BYTES = 64 << 10


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise OptionError(f"{file} is not there; give a TOML file of settings.")
    with reading(file, OptionError, "A TOML file of settings has lines such as  lr = 0.001"):
        return tomllib.loads(read_at_most(file, _MAX_FILE_BYTES).decode("utf-8"))


def _checked(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return settings converted to the types of their fields, each in its range."""
    kinds = {f.name: type(f.default) for f in fields(TrainConfig)}
    result: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in kinds:
            near = get_close_matches(key, kinds, n=3, cutoff=0.4) or ["n_layer", "lr", "steps"]
            raise OptionError(
                f"{where}: there is no setting {_shown(key)}; there are others, such as {', '.join(near)}."
            )
        result[key] = _value(key, value, kinds[key], where)
        try:
            _check_range(key, result[key])
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from error
    return result


def _value(key: str, value: Any, kind: type, where: str) -> Any:
    if isinstance(value, str) and kind is not str:
        text = value
        with reading(f"{where}: {key}", OptionError, f"Give a value such as {_EXAMPLES[kind]}."):
            if len(text) > _MAX_TEXT:
                raise OptionError(
                    f"{where}: {key} = {_shown(text)} is too long; give {_EXAMPLES[kind]}, say."
                )
            try:
                value = tomllib.loads(f"x = {text}")["x"]
            except tomllib.TOMLDecodeError as error:
                raise OptionError(
                    f"{where}: {key} = {printable(text, 40)} is no value; give one such as {_EXAMPLES[kind]}."
                ) from error
    if kind is float and type(value) is int and abs(value) < 1 << 64:
        return float(value)
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    if kind is tuple and isinstance(value, list | tuple) and all(map(_is_weight, value)):
        return tuple(float(v) for v in value)
    if type(value) is not kind:
        raise OptionError(
            f"{where}: {key} = {_shown(value)} is of a wrong kind; give one such as {_EXAMPLES[kind]}."
        )
    return value


def _is_weight(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < 1 << 64)


_MAX_TEXT = 1000
"""Most characters of a value on the command line."""

_EXAMPLES = {int: "16", float: "0.1", bool: "true", str: "auto", tuple: "[1, 2]"}
