"""Importing checkpoints of the original LakhNES code."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lakhnes.export.archives import is_tar, open_tar
from lakhnes.export.safe_pickle import Record, StoredTensor, load_torch_file
from lakhnes.export.transformer_xl import TransformerXL
from lakhnes.export.weights import check_memory, config_of, model_of_weights, shown
from lakhnes.runtime.errors import CheckpointError
from lakhnes.runtime.model.cache_weights import CacheWeights
from lakhnes.runtime.music.timing import Timing
from lakhnes.runtime.music.vocabulary import NAMED, Vocabulary
from lakhnes.runtime.provenance import file_sha256
from lakhnes.runtime.reading import read_at_most, reading

PUBLISHED = {
    "856e2ec6db1568d6712d73703804a518616174aaf6eb419ea763bf7490b0b61c": "LakhNES (400k)",
    "b4cec0333e30be6bea04fddfef807ca426e7367c64688619b2da085ff5d1fcfb": "Lakh200k",
    "1fe9606306e9d1e8511a730ab2e67909a86d76a79e96aa90d49be90e0de75a18": "Lakh100k",
    "d137ddc03796bd247d5b200512c0464c1ab33772e7c7511de9e9b2bc7d4a2d83": "NESAug",
    "b297c5afedd6f11e5d2d4a57e89887161f29c9dada97af0d367da76b06c43e65": "NES",
}
"""SHA-256 of the archives in the LakhNES README, with their names there."""

_SPARE_BYTES = 64 << 20
"""Bytes that an archive may unpack to, beyond twice its size; the published ones unpack to 1.1 times."""

_MAX_VOCABULARY_BYTES = 1 << 20

_STEP = "Give a LakhNES checkpoint: a folder with model.pt in it, or its archive, whole."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model for PyTorch, with its source."""

    model: TransformerXL
    vocabulary: Vocabulary
    source: str
    """Name of the file."""
    source_sha256: str
    """SHA-256 of the file as given."""
    timing: Timing | None = None
    """Timing of its training data; None if the file does not state it."""
    provenance: str = ""
    """Description of the training, in a sentence."""
    recall: CacheWeights | None = None
    """Weights of the match cache, if it comes from a calibrated model."""


def load_checkpoint(path: Path) -> Checkpoint:
    """Load a LakhNES checkpoint.

    Args:
        path: a folder with `model.pt` and `vocab.txt`, a `model.pt` next to a `vocab.txt`, or an
            archive of such a folder (`.tar.gz`). Without `vocab.txt` the size determines the vocabulary.

    Raises:
        CheckpointError: if it is missing, refused, broken, or of an unsupported kind.
    """
    if not path.exists():
        raise CheckpointError(
            f"{path} is not there; give a LakhNES checkpoint: a folder with model.pt in it."
        )
    if not path.is_file() and not (path / "model.pt").is_file():
        raise CheckpointError(f"{path} has no model.pt; give the folder of a LakhNES checkpoint.")
    with _unpacked(path) as file:
        return lakhnes_checkpoint(load_torch_file(file, path), file, path)


def lakhnes_checkpoint(root: Any, file: Path, path: Path) -> Checkpoint:
    """Make a checkpoint from the result of `load_torch_file`.

    Args:
        root: the model of the LakhNES code.
        file: the `model.pt` that contains it.
        path: the user's path.

    Raises:
        CheckpointError: if it is broken, or of an unsupported kind.
    """
    if not isinstance(root, Record) or root.kind != "MemTransformerLM":
        raise CheckpointError(
            f"{path} holds no whole model of the LakhNES code; save one with torch.save(model, ...)."
        )
    source = path / "model.pt" if path.is_dir() else path
    with reading(path, CheckpointError, "It is no model that the LakhNES code made."):
        try:
            model = _model(root, source.stat().st_size)
        except CheckpointError as error:
            raise CheckpointError(f"{path} cannot be imported: {error}.") from error
        vocabulary = _vocabulary(file.with_name("vocab.txt"), model.config.n_token, path)
        digest = file_sha256(source)
    return Checkpoint(model, vocabulary, PUBLISHED.get(digest, source.name), digest)


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Yield the `model.pt` of a folder, a file or an archive."""
    with reading(path, CheckpointError, _STEP):
        packed = not path.is_dir() and is_tar(path)
    if not packed:
        yield path / "model.pt" if path.is_dir() else path
        return
    with tempfile.TemporaryDirectory() as folder:
        with reading(path, CheckpointError, "It is a broken archive; get it again."):
            _extract(path, Path(folder))
        if not Path(folder, "model.pt").is_file():
            raise CheckpointError(f"{path} has no model.pt in it; give an archive of a LakhNES checkpoint.")
        yield Path(folder, "model.pt")


def _extract(path: Path, folder: Path) -> None:
    """Unpack `model.pt` and `vocab.txt` from any place in an archive."""
    with open_tar(path, 2 * path.stat().st_size + _SPARE_BYTES) as (archive, _):
        for member in archive:
            name = Path(member.name).name
            content = archive.extractfile(member) if name in ("model.pt", "vocab.txt") else None
            if content is not None:
                with content, Path(folder, name).open("wb") as file:
                    shutil.copyfileobj(content, file)


def _vocabulary(file: Path, n_token: int, path: Path) -> Vocabulary:
    """Return the vocabulary next to a model, or the known one of that size."""
    beside = file.parent in (path, path.parent)
    where = str(file) if beside else f"{file.name} in {path}"
    if file.is_file():
        with reading(where, CheckpointError, "It is no vocabulary of TX1 or TX2 events."):
            vocabulary = Vocabulary.from_text(read_at_most(file, _MAX_VOCABULARY_BYTES).decode("utf-8-sig"))
    else:
        known = {len(make()): make for make in NAMED.values()}
        if n_token not in known:
            raise CheckpointError(f"{where} is missing, and {n_token} tokens are neither TX1's nor TX2's.")
        vocabulary = known[n_token]()
    if len(vocabulary) != n_token:
        raise CheckpointError(f"{where} has {len(vocabulary)} tokens with <S>, but the model {n_token}.")
    return vocabulary


_RENAMES = (
    ("word_emb.emb_layers.0", "embedding"),
    ("word_emb.emb_projs.0", "embedding_projection"),
    ("crit.out_layers.0", "output"),
    ("crit.out_projs.0", "output_projection"),
    ("r_w_bias", "content_bias"),
    ("r_r_bias", "position_bias"),
    ("dec_attn.qkv_net", "attention.qkv"),
    ("dec_attn.r_net", "attention.relative"),
    ("dec_attn.o_net", "attention.out"),
    ("dec_attn.layer_norm", "attention.norm"),
    ("pos_ff.CoreNet.0", "feed_forward.wide"),
    ("pos_ff.CoreNet.3", "feed_forward.narrow"),
    ("pos_ff.layer_norm", "feed_forward.norm"),
)
"""LakhNES's names of parameters, with ours."""


_SIZES = ("n_token", "n_layer", "n_head", "d_model", "d_head", "d_embed")


def _model(root: Record, file_bytes: int) -> TransformerXL:
    """Return the model with its weights.

    Raises:
        CheckpointError: for an unsupported variant, or sizes that the weights do not have.
    """
    state = root.state
    softmax, kind = state.get("sample_softmax", -1), state["attn_type"]
    if type(softmax) is not int or softmax > 0:
        raise CheckpointError("it was trained with sampled softmax; only plain softmax is supported")
    if type(kind) is not int or kind != 0:
        raise CheckpointError(f"it has attention type {shown(kind)}; only type 0 is supported")
    clusters, divisor = _child(root, "crit").state["n_clusters"], _child(root, "word_emb").state["div_val"]
    if type(clusters) is not int or clusters != 0 or type(divisor) is not int or divisor != 1:
        raise CheckpointError("it has an adaptive softmax; only plain softmax is supported")
    weights = dict(_parameters(root))
    check_memory(weights.values(), file_bytes, torch.float32)
    embedding, output = weights["embedding.weight"], weights["output.weight"]
    config = config_of(
        {name: state[name] for name in _SIZES}
        | {
            "d_inner": weights["layers.0.feed_forward.wide.weight"].size[0],
            "pre_lnorm": _child(root, "layers", "0", "dec_attn").state.get("pre_lnorm") is True,
            "clamp_len": state.get("clamp_len", -1),
            "same_length": state.get("same_length") is True,
            "tie_embedding": embedding.size == output.size and _same(embedding, output),
        }
    )
    return model_of_weights(config, weights, file_bytes)


def _same(one: StoredTensor, other: StoredTensor) -> bool:
    """Return whether two weights of one size are equal."""
    return one.place == other.place or torch.equal(one.read(torch.float32), other.read(torch.float32))


def _child(module: Record, *names: str) -> Record:
    """Return a module inside a module."""
    for name in names:
        module = module.state["_modules"][name]
        if not isinstance(module, Record):
            raise CheckpointError(f"{name} is no module")
    return module


def _parameters(module: Record, prefix: str = "") -> Iterator[tuple[str, StoredTensor]]:
    """Yield all parameters of a module, with our names."""
    for name, value in module.state["_parameters"].items():
        if isinstance(value, StoredTensor):
            full = f"{prefix}{name}"
            for theirs, ours in _RENAMES:
                full = full.replace(theirs, ours)
            yield full, value
    for name in module.state["_modules"]:
        yield from _parameters(_child(module, name), f"{prefix}{name}.")
