"""A tiny model that tests make: the graph's contract in NumPy, with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime import Codec, Event, Kind, Model, ModelInfo, Timing, Vocabulary, tx1, tx2
from lakhnes.runtime.bars.codec import make_codec
from lakhnes.runtime.bars.relations import NEW
from lakhnes.runtime.model.cache_weights import FEATURES, HIDDEN, LONGEST, VIEWS, CacheWeights
from lakhnes.runtime.music.events import AFTER_BAR_VALUES
from lakhnes.runtime.music.timing import FRAME_SAMPLES
from lakhnes.runtime.music.vocabulary import bars

N_HEAD, D_HEAD = 2, 8
D_MODEL = N_HEAD * D_HEAD


class TinySession:
    """What `Model` uses of an onnxruntime session: one layer of attention over tokens and their distances."""

    def __init__(self, codec: Codec, mem_len: int, seed: int, changes: float) -> None:
        rng = np.random.default_rng(seed)
        n_token = len(codec.vocabulary)

        def weights(*shape: int) -> NDArray[np.float32]:
            return rng.normal(0, 0.7, shape).astype(np.float32)

        self._embedding = weights(n_token, D_MODEL)
        self._query, self._key, self._value = (weights(N_HEAD, D_MODEL, D_HEAD) for _ in range(3))
        self._far = weights(N_HEAD, mem_len + 1)
        self._out = 2 * weights(D_MODEL, n_token)
        self._prior = prior(codec, changes=changes)

    def run(self, names: tuple[str, ...], feeds: dict[str, Any]) -> list[NDArray[np.float32]]:
        """Logits [B, T, V] and new rows [B, 2·H, T, D]."""
        x = self._embedding[feeds["token"]]  # [B, T, M]
        query, key, value = (
            np.einsum("btm,hmd->bhtd", x, weight) for weight in (self._query, self._key, self._value)
        )
        keys = np.concatenate([feeds["k0"], key], 2)  # [B, H, S+T, D]
        values = np.concatenate([feeds["v0"], value], 2)
        scores = np.einsum("bhtd,bhsd->bhts", query, keys) / 2 + self._far[:, feeds["distance"]]
        scores = scores + feeds["mask"]
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        seen = np.einsum("bhts,bhsd->bthd", weights, values).reshape(*x.shape)
        logits = (x + seen) @ self._out / 3 + self._prior
        return [logits.astype(np.float32), np.concatenate([key, value], 1).astype(np.float32)]


def prior(
    codec: Codec, *, notes: float = 1.5, changes: float = 1.0, slope: float = 3.0
) -> NDArray[np.float32]:
    """Logits that make waits of some frames, sixteenths and some notes likely, and the end unlikely.

    Args:
        codec: of the tokens.
        notes: the logit of a note's beginning.
        changes: that of volumes and timbres.
        slope: how fast shorter waits become unlikely.
    """
    likely = {
        Kind.END: 2.5,
        Kind.NOTE_ON: notes,
        Kind.NOTE_OFF: 2.0,
        Kind.VELOCITY: changes,
        Kind.TIMBRE: changes,
        **dict.fromkeys(AFTER_BAR_VALUES, -20.0),
    }

    def logit(event: Event) -> float:
        if event.kind is Kind.RELATION:
            return 3.0 if event.value == NEW else -1.0
        if event.kind is Kind.POSITION:
            return -20.0 if event.value % 6 else 1.0
        if event.kind is not Kind.WAIT:
            return likely.get(event.kind, 0.0)
        longer = np.log(max(1, event.value) / (7 * FRAME_SAMPLES))
        return float(5.5 - max(3.0 * longer, -slope * longer))

    return np.array([logit(codec.event(token)) for token in range(len(codec.vocabulary))], np.float32)


def cache_weights(seed: int = 0) -> CacheWeights:
    """A match cache that trusts long matches."""
    rng = np.random.default_rng(seed)
    scores = np.tile(0.4 * np.arange(LONGEST + 1), (VIEWS, 1))
    gate = np.append(rng.normal(0, 0.2, HIDDEN), -1.0)
    return CacheWeights(1.1, 0.1, scores, 0.5, rng.normal(0, 0.2, (HIDDEN, FEATURES + 1)), gate)


def tiny_model_of(
    *,
    expression: bool = False,
    timing: Timing = Timing.FRAMES,
    mem_len: int = 64,
    cached: bool = True,
    seed: int = 1,
    changes: float = 1.0,
) -> Model:
    """A model of TX1, TX2 or bars that remembers little; with more `changes`, more volumes and timbres."""
    vocabulary = bars() if timing is Timing.BARS else tx2() if expression else tx1()
    info = ModelInfo(
        name="tiny",
        n_layer=1,
        n_head=N_HEAD,
        d_head=D_HEAD,
        d_model=D_MODEL,
        d_inner=1,
        mem_len=mem_len,
        precision="fp32",
        timing=timing,
        vocabulary=vocabulary,
        n_parameters=1,
        source="the tests",
        source_sha256="0" * 64,
        recall=cache_weights() if cached else None,
    )
    return Model(TinySession(make_codec(vocabulary, timing), mem_len, seed, changes), info)  # type: ignore[arg-type]


def export_tiny(folder: Path, vocabulary: Vocabulary) -> None:
    """Writes a small model in frames with random weights, for commands, which load theirs from a file."""
    import torch

    from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model

    torch.manual_seed(1)
    config = TransformerXLConfig(
        len(vocabulary), n_layer=1, n_head=2, d_model=32, d_head=16, d_inner=32, d_embed=32, pre_lnorm=True
    )
    network = TransformerXL(config).eval()
    with torch.no_grad():
        network.output.bias.copy_(
            torch.from_numpy(prior(Codec(vocabulary, Timing.FRAMES), notes=2.5, changes=3.0, slope=1.0))
        )
    folder.mkdir(parents=True)
    checkpoint = Checkpoint(network, vocabulary, folder.name, "", Timing.FRAMES)
    export_model(checkpoint, folder, mem_len=64)
