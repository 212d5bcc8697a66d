"""Train a tiny model on music that this example makes, export it, and compose with it.

Run `pip install "lakhnes[train]"`, then `python 09_train.py [FOLDER]`; it writes the folders data,
run and model, and trained.mid. So small a model learns little; docs/training.md is about large ones.
"""

import sys
from pathlib import Path

import numpy as np

from lakhnes.bridge import write_midi
from lakhnes.export import export_model, open_checkpoint
from lakhnes.export.prepared import write_prepared
from lakhnes.export.train_config import make_config
from lakhnes.export.training import train
from lakhnes.runtime import Codec, Model, Note, Part, Request, Score, Timing, compose_song, tx1

BEAT = 6 * 735  # samples: six of the console's frames


def tune(seed: int) -> Score:
    """Return a melody of eight notes that repeats, over a bass."""
    pitches = np.random.default_rng(seed).choice([60, 62, 64, 67, 69, 72], 8).tolist()
    lead = tuple(Note(i * BEAT, BEAT - 735, pitches[i % 8]) for i in range(64))
    bass = tuple(Note(i * 2 * BEAT, BEAT, pitches[2 * i % 8] - 24) for i in range(32))
    return Score((Part(lead), Part(), Part(bass), Part()), 64 * BEAT)


folder = Path(*sys.argv[1:2])
codec = Codec(tx1(), Timing.FRAMES)
songs = {
    name: {f"{name}{i}": codec.encode(tune(start + i)) for i in range(12)}
    for name, start in [("train", 0), ("valid", 99)]
}
data = write_prepared(folder / "data", codec, songs)

small = {"d_model": 32, "d_inner": 64, "streams": 4, "segment": 32, "mem_len": 32, "steps": 60, "warmup": 5}
config = make_config(
    preset="tiny", changes={**small, "valid_every": 30, "valid_tokens": 1000, "log_every": 30}
)
(folder / "run").mkdir(exist_ok=True)
result = train([data], folder / "run", config, watch=lambda now: print(f"{now.part:.0%}"))
print(f"{result.step} steps, {result.valid:.2f} nats a token")

export_model(open_checkpoint(folder / "run"), folder / "model", mem_len=64)
song = compose_song(Model.load(folder / "model"), Request(seed=1), max_tokens=100, max_samples=4 * 44_100)
for _ in song:
    pass
write_midi(song.score(), folder / "trained.mid")
