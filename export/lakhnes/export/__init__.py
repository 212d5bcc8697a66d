"""The training side: checkpoint import, the PyTorch model, ONNX export.

Owns everything that needs PyTorch or onnx; the rest of the project never imports it. Start at
`transformer_xl.py` for the model, `lakhnes_checkpoint.py` for what comes in, `exporter.py` for what goes out.
"""

from lakhnes.export.exporter import PRECISIONS, export_model, measure_parity
from lakhnes.export.lakhnes_checkpoint import Checkpoint, load_checkpoint
from lakhnes.export.transformer_xl import TransformerXL, TransformerXLConfig

__all__ = [
    "PRECISIONS",
    "Checkpoint",
    "TransformerXL",
    "TransformerXLConfig",
    "export_model",
    "load_checkpoint",
    "measure_parity",
]
