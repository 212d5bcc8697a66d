"""Compose with plain onnxruntime and NumPy: step the model through its memory, without lakhnes's sampler.

Run `python 10_plain_onnxruntime.py [FOLDER]`; it writes events.txt.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime reads it when it is imported

import numpy as np
import onnxruntime as ort

WAITS = [*range(1, 100), *range(100, 1000, 10), *range(1000, 10_000, 100), *range(10_000, 100_001, 1000)]
PITCHES = {"P1": range(33, 109), "P2": range(33, 109), "TR": range(21, 109), "NO": range(1, 17)}
TX1 = ["<S>", *(f"WT_{wait}" for wait in WAITS)]  # 631 words; a word's position is its id
for voice, pitches in PITCHES.items():
    TX1 += [f"{voice}_NOTEOFF", *(f"{voice}_NOTEON_{pitch}" for pitch in pitches)]


def logits_of(session, info, tokens):
    """Yield float32 [V] after each token: the logits of the next one."""
    layers, heads, size, width = (info[key] for key in ("n_layer", "n_head", "mem_len", "d_head"))
    memory = np.zeros((layers, 2, 1, heads, size, width), np.float32)  # keys and values
    feeds = {f"{kind}{i}": memory[i, part] for i in range(layers) for part, kind in enumerate("kv")}
    mask = np.full((1, 1, 1, size + 1), -1e30, np.float32)
    mask[..., -1] = 0  # the token sees itself
    for place, token in enumerate(tokens):
        slot = place % size
        distance = np.append((slot - 1 - np.arange(size)) % size + 1, 0)[None]  # of each slot, and of itself
        feeds |= {"token": np.array([[token]], np.int64), "distance": distance, "mask": mask}
        logits, new = session.run(["logits", "new"], feeds)
        memory[:, :, :, :, slot] = new.reshape(layers, 2, 1, heads, width)
        mask[..., slot] = 0
        yield logits[0, 0]


def main(folder=".", count=80, seed=5):
    """Draw events by the model's own probabilities."""
    packages = find_spec("lakhnes.runtime").submodule_search_locations  # finds the package, and loads nothing
    model = Path(packages[0]) / "models/nes-frames/model.onnx"  # or any other with the vocabulary tx1
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    info = json.loads(session.get_modelmeta().custom_metadata_map["lakhnes"])
    words = TX1 if info["vocabulary"] == "tx1" else ["<S>", *info["vocabulary"].split()]
    rng, tokens = np.random.default_rng(seed), [0]  # a song begins with <S>
    for logits in logits_of(session, info, tokens):  # reads on as the list grows
        chances = np.exp(logits - logits.max(), dtype=np.float64)
        tokens.append(int(rng.choice(len(words), p=chances / chances.sum())))
        if tokens[-1] == 0 or len(tokens) > count:
            break
        print(words[tokens[-1]])
    (Path(folder) / "events.txt").write_text("\n".join(words[token] for token in tokens[1:]))


if __name__ == "__main__":
    main(*sys.argv[1:2])
