"""What an exported model says about itself: the metadata inside the ONNX file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from lakhnes.runtime.timing import Timing
from lakhnes.runtime.vocabulary import NAMED, Vocabulary

FORMAT_VERSION = 1
"""Version of the graph contract and of these metadata; a runtime reads its own and older ones."""

METADATA_KEY = "lakhnes"
"""Key of the ONNX metadata property that holds them, as JSON."""

MODEL_FILE = "model.onnx"
"""Name of the graph in a model folder."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """An exported model's description."""

    name: str
    """What users call it."""
    n_layer: int
    n_head: int
    d_head: int
    d_model: int
    d_inner: int
    mem_len: int
    """Slots of the memory: how many earlier tokens a token sees."""
    precision: str
    """`fp32` or `int8` weights; activations and memory are float32."""
    timing: Timing
    """How its tokens count time."""
    vocabulary: Vocabulary
    n_parameters: int
    """Of the trained model."""
    source: str
    """The checkpoint that it was made from."""
    source_sha256: str
    provenance: str = ""
    """How it was trained, in a sentence."""
    parity: dict[str, float] = field(default_factory=dict)
    """Differences from PyTorch that the export measured."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a vocabulary that has a name goes by it."""
        vocabulary = self.vocabulary.name
        if vocabulary not in NAMED:
            vocabulary = self.vocabulary.to_text()
        plain = {name: value for name, value in asdict(self).items() if name != "vocabulary"}
        return {"format_version": FORMAT_VERSION, "vocabulary": vocabulary, **plain}

    def to_json(self) -> str:
        """The text that goes into the file."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Reads `to_json`.

        Raises:
            ValueError: with the reason, also for a newer format version.
        """
        try:
            plain = json.loads(text)
            version = plain.pop("format_version")
            if version > FORMAT_VERSION:
                raise ValueError(
                    f"it has model format {version}, newer than this lakhnes's {FORMAT_VERSION}: update it"
                )
            named = plain.pop("vocabulary")
            vocabulary = NAMED[named]() if named in NAMED else Vocabulary.from_text(named)
            return cls(vocabulary=vocabulary, timing=Timing(plain.pop("timing")), **plain)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"its metadata are broken ({error}): export it again") from None
