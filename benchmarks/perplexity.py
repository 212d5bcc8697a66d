"""Perplexity of checkpoints and exported models on a folder of NES-MDB MIDI files, by LakhNES's protocol.

    python benchmarks/perplexity.py --data nesmdb/valid --timing frames CHECKPOINT_OR_MODEL ...

A checkpoint (a folder or file that `lakhnes export` takes) is run by PyTorch: target length 128, memory 896.
An exported model is run by the runtime, every token seeing exactly the model's memory; of an export with
`--mem-len 896` the figure is close to the checkpoint's, not equal, since there tokens see a little more.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from lakhnes.bridge import read_midi
from lakhnes.export import load_checkpoint
from lakhnes.export.evaluation import evaluate_checkpoint, evaluate_exported, framed_song, parallel_streams
from lakhnes.runtime import Codec, LakhnesError, Model, Timing
from lakhnes.runtime.model_info import MODEL_FILE
from lakhnes.runtime.vocabulary import tx1


def main() -> None:
    """Prints a line of JSON for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of MIDI files")
    parser.add_argument("--timing", type=Timing, default=Timing.FRAMES, choices=list(Timing))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    codec = Codec(tx1(), args.timing)
    files = sorted(args.data.glob("*.mid"))
    songs = (framed_song(codec.encode(read_midi(file)), codec.vocabulary) for file in files)
    data, targets = parallel_streams(songs)

    def progress(done: int, total: int) -> None:
        print(f"\r{done * 100 // total:3d} %", end="", file=sys.stderr, flush=True)

    for path in args.models:
        if path.suffix == ".onnx" or (path / MODEL_FILE).is_file():
            exported = Model.load(path, threads=args.threads)
            result = evaluate_exported(exported, data, targets, progress=progress)
            how = f"{exported.info.precision}, memory {exported.info.mem_len}"
        else:
            result = evaluate_checkpoint(load_checkpoint(path).model, data, targets, progress=progress)
            how = "PyTorch, target 128, memory 896"
        figures = {"model": str(path), "how": how, "timing": args.timing, "songs": len(files)}
        figures |= {"tokens": result.tokens, "loss": result.loss, "perplexity": result.perplexity}
        print("\r" + json.dumps(figures), flush=True)


if __name__ == "__main__":
    try:
        main()
    except LakhnesError as error:
        sys.exit(str(error))
