"""The metadata of an exported model, inside its ONNX file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

from lakhnes.runtime.errors import ModelError
from lakhnes.runtime.model.cache_weights import CacheWeights
from lakhnes.runtime.music.timing import Timing, has_timing
from lakhnes.runtime.music.vocabulary import NAMED, Vocabulary

FORMAT_VERSION = 1
"""Version of the graph contract and of these metadata; a runtime reads its own and older ones."""

METADATA_KEY = "lakhnes"
"""Key of the ONNX metadata property that stores them, as JSON."""

MODEL_FILE = "model.onnx"
"""Name of the graph in a model folder."""

MOST_EVENTS = 1 << 15
"""Most events of a vocabulary."""

_MOST_TEXT = 1 << 20
"""Most characters of the metadata."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Metadata of an exported model."""

    name: str
    """Name for users."""
    n_layer: int
    n_head: int
    d_head: int
    d_model: int
    d_inner: int
    mem_len: int
    """Slots of the memory: the number of earlier tokens that a token sees."""
    precision: str
    """`fp32`, `int8` or `int4` weights; activations and memory are float32."""
    timing: Timing
    """Unit of time of its tokens."""
    vocabulary: Vocabulary
    n_parameters: int
    """Number of parameters of the trained model."""
    source: str
    """The checkpoint that the export read."""
    source_sha256: str
    provenance: str = ""
    """Description of the training, in a sentence."""
    parity: dict[str, float] = field(default_factory=dict)
    """Differences from PyTorch that the export measured."""
    recall: CacheWeights | None = None
    """Weights of the match cache, if calibrated; see `lakhnes calibrate`."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; a named vocabulary is stored by its name."""
        vocabulary = self.vocabulary.name
        if vocabulary not in NAMED:
            vocabulary = self.vocabulary.to_text()
        plain = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("vocabulary", "recall")
        }
        recall = self.recall.to_dict() if self.recall else None
        return {"format_version": FORMAT_VERSION, "vocabulary": vocabulary, **plain, "recall": recall}

    def to_json(self) -> str:
        """Return the text for the file."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str, source: Path | str = "The model") -> ModelInfo:
        """Read the text of `to_json`; unknown fields are ignored.

        Args:
            text: the content of the metadata.
            source: the file's name in errors.

        Raises:
            ModelError: if the format is newer than this version's.
            Exception: any, for a broken text; `reading` turns it into one error.
        """
        if len(text) > _MOST_TEXT:
            raise ValueError("its metadata are too long")
        plain = json.loads(text)
        if not isinstance(plain, dict):
            raise ValueError("its metadata are of something else")
        version = plain["format_version"]
        if type(version) is int and version > FORMAT_VERSION:
            raise ModelError(
                f"{source} has model format {version!s:.20}, newer than this lakhnes's {FORMAT_VERSION}. "
                "Update lakhnes."
            )
        _check_fields(plain)
        vocabulary = _vocabulary(plain["vocabulary"])
        parity = {str(name): float(value) for name, value in plain.get("parity", {}).items()}
        if not all(map(isfinite, parity.values())):
            raise ValueError("its parity is no number")
        recall = CacheWeights.from_dict(plain["recall"]) if plain.get("recall") else None
        given = {name: plain.get(name, "") for name in _FIELDS if name not in ("format_version", "timing")}
        timing = Timing(plain["timing"])
        if not has_timing(vocabulary, timing):
            raise ValueError("its vocabulary and its timing do not fit together")
        return cls(vocabulary=vocabulary, timing=timing, parity=parity, recall=recall, **given)


def _check_fields(plain: dict[str, Any]) -> None:
    """Refuse fields with a wrong type or out of range."""
    for name, (kind, largest) in _FIELDS.items():
        value = plain.get(name, "" if name == "provenance" else None)
        if type(value) is not kind or (isinstance(value, int) and not 0 < value <= largest):
            raise ValueError(f"its {name} is {value!r:.40}")


def _vocabulary(named: str) -> Vocabulary:
    """Return the vocabulary of a name, or of a text that lists its events."""
    vocabulary = NAMED[named]() if named in NAMED else Vocabulary.from_text(named)
    if len(vocabulary) > MOST_EVENTS:
        raise ValueError(f"its vocabulary has more than {MOST_EVENTS} events")
    return vocabulary


_FIELDS: dict[str, tuple[type, int]] = {
    "format_version": (int, FORMAT_VERSION),
    "name": (str, 0),
    "n_layer": (int, 256),
    "n_head": (int, 256),
    "d_head": (int, 1 << 16),
    "d_model": (int, 1 << 16),
    "d_inner": (int, 1 << 20),
    "mem_len": (int, 1 << 16),
    "precision": (str, 0),
    "timing": (str, 0),
    "n_parameters": (int, 1 << 40),
    "source": (str, 0),
    "source_sha256": (str, 0),
    "provenance": (str, 0),
}
"""Type of each field, and for numbers the largest value; the least is 1."""
