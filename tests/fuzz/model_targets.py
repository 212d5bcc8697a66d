"""The readers of models: the graph that plays, and the weights that training goes on from."""

from __future__ import annotations

from pathlib import Path

import torch
from fuzz.harness import Target

from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model
from lakhnes.export.onnx_weights import read_weights
from lakhnes.runtime import Model, tx1

SIZES = {"n_layer": 1, "n_head": 2, "d_model": 16, "d_head": 8, "d_inner": 16, "d_embed": 16}


def make_models(folder: Path) -> list[Path]:
    """A small one of each precision."""
    torch.manual_seed(1)
    paths = []
    for precision in ("fp32", "int8", "int4"):
        config = TransformerXLConfig(len(tx1()), **SIZES, pre_lnorm=precision == "int8")
        checkpoint = Checkpoint(TransformerXL(config).eval(), tx1(), "x", "0" * 64)
        export_model(checkpoint, folder / precision, precision=precision, mem_len=16)
        paths.append((folder / precision / "model.onnx").rename(folder / f"{precision}.onnx"))
    return paths


def read_network(path: Path) -> object:
    """Load it and compose an event."""
    return Model.load(path).step(0)


TARGETS = (
    Target("network", make_models, read_network),
    Target("weights", make_models, read_weights),
)
