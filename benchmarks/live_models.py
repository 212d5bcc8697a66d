"""Models with random weights, exported by another process: PyTorch stays out of the one that is measured.

    python benchmarks/live_models.py {paper,tiny} FOLDER

Random weights alone compose hours of silence, for most tokens are long waits. So long waits are made
improbable: with a density of 3 that gives some 20 events a second at 120 BPM.
"""

import subprocess
import sys
from pathlib import Path

from lakhnes.runtime import Model

SIZES = {
    "paper": {"n_layer": 12, "n_head": 8, "d_model": 512, "d_embed": 512, "d_head": 64, "d_inner": 2048},
    "tiny": {"n_layer": 2, "n_head": 2, "d_model": 32, "d_embed": 32, "d_head": 16, "d_inner": 64},
}
MEM_LEN = {"paper": 512, "tiny": 64}
_LONG_SAMPLES = 6500
"""More than a sixteenth at 120 BPM."""
_IMPROBABLE = -8.0


def random_model(size: str, folder: Path) -> Model:
    """A model of one of the `SIZES`, int8, made in a folder."""
    subprocess.run([sys.executable, __file__, size, str(folder)], check=True)
    return Model.load(str(folder))


def main() -> None:
    """Makes one."""
    import torch

    from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model
    from lakhnes.runtime import Kind, Timing, tx1

    size, folder = sys.argv[1:]
    torch.manual_seed(0)
    network = TransformerXL(TransformerXLConfig(n_token=631, **SIZES[size])).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for token, event in enumerate(tx1().events):
            if event.kind is Kind.WAIT and event.value > _LONG_SAMPLES:
                network.output.bias[token] = _IMPROBABLE
    checkpoint = Checkpoint(network, tx1(), "random", "0" * 64)
    export_model(checkpoint, Path(folder), precision="int8", timing=Timing.FRAMES, mem_len=MEM_LEN[size])


if __name__ == "__main__":
    main()
