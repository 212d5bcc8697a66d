"""Importing checkpoints of the original LakhNES code."""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lakhnes.export.safe_pickle import Array, Record, load_torch_file
from lakhnes.export.transformer_xl import TransformerXL, TransformerXLConfig
from lakhnes.runtime.errors import CheckpointError
from lakhnes.runtime.vocabulary import NAMED, Vocabulary

PUBLISHED = {
    "856e2ec6db1568d6712d73703804a518616174aaf6eb419ea763bf7490b0b61c": "LakhNES (400k)",
    "b4cec0333e30be6bea04fddfef807ca426e7367c64688619b2da085ff5d1fcfb": "Lakh200k",
    "1fe9606306e9d1e8511a730ab2e67909a86d76a79e96aa90d49be90e0de75a18": "Lakh100k",
    "d137ddc03796bd247d5b200512c0464c1ab33772e7c7511de9e9b2bc7d4a2d83": "NESAug",
    "b297c5afedd6f11e5d2d4a57e89887161f29c9dada97af0d367da76b06c43e65": "NES",
}
"""SHA-256 of the archives that the LakhNES README lists, and their names there."""

_MAX_ARCHIVE_MEMBER = 1 << 30


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model for PyTorch and where it came from."""

    model: TransformerXL
    vocabulary: Vocabulary
    source: str
    """Name of the file."""
    source_sha256: str
    """Of the file as it was given."""


def load_checkpoint(path: Path) -> Checkpoint:
    """Loads a LakhNES checkpoint.

    Args:
        path: a folder with `model.pt` and `vocab.txt`, a `model.pt` with `vocab.txt` beside it, or an
            archive of such a folder (`.tar.gz`). Without `vocab.txt` the vocabulary is told by its size.

    Raises:
        CheckpointError: if it is not there, refused, broken, or of a kind that is not supported.
    """
    if not path.exists():
        raise CheckpointError(
            f"{path} is not there; give a LakhNES checkpoint: a folder with model.pt in it."
        )
    if path.is_dir() and not (path / "model.pt").is_file():
        raise CheckpointError(f"{path} has no model.pt; give the folder of a LakhNES checkpoint.")
    with _unpacked(path) as file:
        root = load_torch_file(file, path)
        if not isinstance(root, Record) or type(root).__name__ != "MemTransformerLM":
            raise CheckpointError(
                f"{path} holds no whole model of the LakhNES code; save one with torch.save(model, ...)."
            )
        try:
            model = _model(root)
        except KeyError as error:
            raise CheckpointError(f"{path} lacks {error} of a LakhNES model.") from None
        except CheckpointError as error:
            raise CheckpointError(f"{path} is not supported: {error}.") from None
        vocabulary = _vocabulary(file.with_name("vocab.txt"), model.config.n_token)
    source = path / "model.pt" if path.is_dir() else path
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    name = PUBLISHED.get(digest, source.name)
    return Checkpoint(model, vocabulary, name, digest)


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The `model.pt` of a folder, a file or an archive."""
    if path.is_dir() or not tarfile.is_tarfile(path):
        yield path / "model.pt" if path.is_dir() else path
        return
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as archive:
        for member in archive:
            name = Path(member.name).name
            if name not in ("model.pt", "vocab.txt") or not member.isfile():
                continue
            if member.size > _MAX_ARCHIVE_MEMBER:
                raise CheckpointError(f"{path} is refused: {name} in it is larger than any LakhNES model.")
            content = archive.extractfile(member)
            assert content is not None
            Path(folder, name).write_bytes(content.read())
        if not Path(folder, "model.pt").is_file():
            raise CheckpointError(f"{path} has no model.pt in it; give an archive of a LakhNES checkpoint.")
        yield Path(folder, "model.pt")


def _vocabulary(path: Path, n_token: int) -> Vocabulary:
    if path.is_file():
        try:
            vocabulary = Vocabulary.from_text(path.read_text("utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{path} is no vocabulary of TX1 or TX2 events: {error}.") from None
    else:
        known = {len(make()): make for make in NAMED.values()}
        if n_token not in known:
            raise CheckpointError(f"{path} is missing, and {n_token} tokens are neither TX1's nor TX2's.")
        vocabulary = known[n_token]()
    if len(vocabulary) != n_token:
        raise CheckpointError(f"{path} has {len(vocabulary)} tokens with <S>, but the model {n_token}.")
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
"""Names of LakhNES's parameters and ours."""


def _model(root: Record) -> TransformerXL:
    """The model with its weights.

    Raises:
        CheckpointError: for a variant that is not supported.
        KeyError: if something is missing.
    """
    state = root.state
    if state.get("sample_softmax", -1) > 0:
        raise CheckpointError("it was trained with sampled softmax; only plain softmax can be imported")
    if state["attn_type"] != 0:
        raise CheckpointError(f"it has attention type {state['attn_type']}; only type 0 can be imported")
    if _child(root, "crit").state["n_clusters"] != 0 or _child(root, "word_emb").state["div_val"] != 1:
        raise CheckpointError("it has an adaptive softmax; only plain softmax can be imported")
    weights = dict(_parameters(root))
    config = TransformerXLConfig(
        **{name: int(state[name]) for name in ("n_token", "n_layer", "n_head", "d_model", "d_head")},
        d_inner=len(weights["layers.0.feed_forward.wide.weight"]),
        d_embed=int(state["d_embed"]),
        pre_lnorm=bool(_child(root, "layers", "0", "dec_attn").state.get("pre_lnorm")),
        clamp_len=int(state.get("clamp_len", -1)),
        same_length=bool(state.get("same_length")),
        tie_embedding=np.array_equal(weights["embedding.weight"], weights["output.weight"]),
    )
    model = TransformerXL(config)
    try:
        model.load_state_dict({name: torch.tensor(w, dtype=torch.float32) for name, w in weights.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip().rstrip(".")
        raise CheckpointError(f"its weights do not fit its sizes ({reason})") from None
    return model.eval()


def _child(module: Record, *names: str) -> Record:
    """A module inside a module."""
    for name in names:
        module = module.state["_modules"][name]
        if not isinstance(module, Record):
            raise CheckpointError(f"{name} is no module")
    return module


def _parameters(module: Record, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """All parameters of a module by our names."""
    for name, value in module.state["_parameters"].items():
        if isinstance(value, np.ndarray):
            full = prefix + name
            for theirs, ours in _RENAMES:
                full = full.replace(theirs, ours)
            yield full, value
    for name in module.state["_modules"]:
        yield from _parameters(_child(module, name), f"{prefix}{name}.")
