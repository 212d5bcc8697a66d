"""The training side: data, the PyTorch model, checkpoints, ONNX export, evaluation.

This package owns everything that needs PyTorch or onnx; the rest of the project never imports it. Start at
`transformer_xl.py` for the model, `training.py` for the loop, `checkpoints.py` for input and `exporter.py`
for output.
Names that need PyTorch load on first use, because data and exported models do not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakhnes.export.checkpoints import open_checkpoint
    from lakhnes.export.exporter import export_model, measure_parity
    from lakhnes.export.lakhnes_checkpoint import Checkpoint, load_checkpoint
    from lakhnes.export.onnx_graph import PRECISIONS
    from lakhnes.export.transformer_xl import TransformerXL, TransformerXLConfig

__all__ = [
    "PRECISIONS",
    "Checkpoint",
    "TransformerXL",
    "TransformerXLConfig",
    "export_model",
    "load_checkpoint",
    "measure_parity",
    "open_checkpoint",
]

_HOMES = {
    "PRECISIONS": "onnx_graph",
    "Checkpoint": "lakhnes_checkpoint",
    "TransformerXL": "transformer_xl",
    "TransformerXLConfig": "transformer_xl",
    "export_model": "exporter",
    "load_checkpoint": "lakhnes_checkpoint",
    "measure_parity": "exporter",
    "open_checkpoint": "checkpoints",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
