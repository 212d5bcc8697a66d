"""Tokens a second of the training presets, the share of time outside the model, the ratio to a plain loop.

    python benchmarks/train.py [--data DATA] [--presets tiny nes-6x384 paper] [--steps 6]

Without DATA the songs are made up. The plain loop is in LakhNES's manner: songs as lists of TX1 lines that
are changed as texts whenever they come, single precision, AdamW without fusing, queries, keys and values
of the whole memory in one product, distances shifted by copying. Both loops run in turns in one process, with
the same sizes, streams and memory, full from the start; a figure is the best of some turns.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lakhnes.export.batches import Prefetched
from lakhnes.export.machine import Machine
from lakhnes.export.prepared import PreparedData, open_prepared, write_prepared
from lakhnes.export.train_config import PRESETS, TrainConfig, make_config
from lakhnes.export.training_run import TrainingRun
from lakhnes.export.transformer_xl import TransformerXLConfig, sinusoids
from lakhnes.runtime import Codec, Note, Part, Score, Timing, tx1
from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Voice


def made_up(folder: Path) -> PreparedData:
    """Songs of random loops."""
    codec, rng = Codec(tx1(), Timing.FRAMES), np.random.default_rng(0)
    songs = {}
    for number in range(80):
        parts = []
        for voice in Voice:
            low, high = VOCABULARY_PITCHES[voice][0], VOCABULARY_PITCHES[voice][-1]
            tune, beat = rng.integers(low + 6, max(low + 7, high - 6), 16), 735 * int(rng.integers(4, 13))
            parts.append(Part(tuple(Note(i * beat, beat - 735, int(tune[i % 16])) for i in range(120))))
        length = max(part.notes[-1].end for part in parts)
        songs[f"{number:02d}"] = codec.encode(Score.of(parts, length))
    return write_prepared(folder, codec, {"train": songs, "valid": songs})


def changed_lines(lines: list[str]) -> list[str]:
    """The augmentations on lines of text, one by one."""
    if random.random() < 0.5:
        kept = random.sample([voice.name for voice in Voice], random.randint(1, 4))
        lines = [line for line in lines if line[:2] == "WT" or line[:2] in kept]
    if random.random() < 0.5:
        other = {"P1": "P2", "P2": "P1"}
        lines = [other.get(line[:2], line[:2]) + line[2:] for line in lines]
    semitones, factor, changed = random.randint(-6, 6), random.uniform(0.95, 1.05), []
    for line in lines:
        head, _, number = line.rpartition("_")
        if head == "WT":
            changed.append(f"WT_{max(1, round(int(number) * factor))}")
        elif "NOTEON" in head and head[:2] != "NO":
            pitch = int(number) + semitones
            if pitch in VOCABULARY_PITCHES[Voice[head[:2]]]:
                changed.append(f"{head}_{pitch}")
        else:
            changed.append(line)
    return changed


class PlainStreams:
    """Streams of songs as lines of text."""

    def __init__(self, data: PreparedData, config: TrainConfig) -> None:
        self.songs = [[str(data.codec.event(int(t))) for t in song] for song in data.songs("train")]
        events = data.vocabulary.events
        self.ids = {str(event): token for token, event in enumerate(events)}
        self.vocabulary, self.config = data.vocabulary, config
        self.left: list[list[int]] = [[0] for _ in range(config.streams)]

    def next(self) -> tuple[Tensor, Tensor]:
        """The next segment and its successors, int64 [streams, segment]."""
        n = self.config.segment
        rows = []
        for stream, left in enumerate(self.left):
            while len(left) <= n:
                left = left + [self.id(line) for line in changed_lines(random.choice(self.songs))] + [0]
            rows.append(left[: n + 1])
            self.left[stream] = left[n:]
        whole = torch.tensor(rows)
        return whole[:, :-1], whole[:, 1:]

    def id(self, line: str) -> int:
        """The token of a line; a wait that is not there is the nearest one."""
        if line not in self.ids:
            line = f"WT_{self.vocabulary.nearest_wait(int(line[3:]))}"
        return self.ids[line]


class PlainLayer(nn.Module):
    """A layer as LakhNES computes it."""

    def __init__(self, c: TransformerXLConfig) -> None:
        super().__init__()
        self.c = c
        self.qkv = nn.Linear(c.d_model, 3 * c.d_model, bias=False)
        self.relative = nn.Linear(c.d_model, c.d_model, bias=False)
        self.out = nn.Linear(c.d_model, c.d_model, bias=False)
        self.norms = nn.ModuleList(nn.LayerNorm(c.d_model) for _ in range(2))
        self.feed = nn.Sequential(
            nn.Linear(c.d_model, c.d_inner),
            nn.ReLU(inplace=True),
            nn.Dropout(c.dropout),
            nn.Linear(c.d_inner, c.d_model),
            nn.Dropout(c.dropout),
        )
        self.drop = nn.Dropout(c.dropout)

    def forward(self, x: Tensor, memory: Tensor, r: Tensor, u: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """X [T, B, d_model] to the same; LakhNES has time first."""
        c = self.c
        n_query, n_stream = x.shape[:2]
        everything = self.norms[0](torch.cat([memory, x]))
        n_key = len(everything)
        query, key, value = self.qkv(everything).chunk(3, -1)
        shape = (n_stream, c.n_head, c.d_head)
        query, key, value = (
            query[-n_query:].view(n_query, *shape),
            key.view(n_key, *shape),
            value.view(n_key, *shape),
        )
        relative = self.relative(r).view(n_key, c.n_head, c.d_head)
        contents = torch.einsum("ibnd,jbnd->ijbn", query + u, key)
        distances = torch.einsum("ibnd,jnd->ijbn", query + v, relative)
        padded = torch.cat([distances.new_zeros(n_query, 1, n_stream, c.n_head), distances], 1)
        distances = padded.view(n_key + 1, n_query, n_stream, c.n_head)[1:].view_as(distances)
        scores = (contents + distances).mul_(c.d_head**-0.5)
        scores = scores.float().masked_fill(mask[:, :, None, None], -float("inf")).type_as(scores)
        heads = torch.einsum("ijbn,jbnd->ibnd", F.softmax(scores, 1), value)
        x = x + self.drop(self.out(heads.reshape(n_query, n_stream, -1)))
        result: Tensor = x + self.feed(self.norms[1](x))
        return result


class PlainLoop:
    """Training in the manner of LakhNES."""

    def __init__(self, data: PreparedData, config: TrainConfig) -> None:
        self.streams, self.config = PlainStreams(data, config), config
        c = self.c = config.model(len(data.vocabulary))
        self.embedding = nn.Embedding(c.n_token, c.d_model)
        self.layers = nn.ModuleList(PlainLayer(c) for _ in range(c.n_layer))
        self.u, self.v = (nn.Parameter(torch.zeros(c.n_head, c.d_head)) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(c.n_token))
        self.drop = nn.Dropout(c.dropout)
        nn.init.normal_(self.embedding.weight, 0, 0.02)
        self.parameters = [*self.embedding.parameters(), *self.layers.parameters(), self.u, self.v, self.bias]
        self.optimizer = torch.optim.AdamW(self.parameters, config.lr, foreach=False)
        shape = (config.mem_len, config.streams, c.d_model)
        self.memory = [torch.zeros(shape) for _ in range(c.n_layer)]

    def step(self) -> None:
        """One step."""
        tokens, targets = (x.t().contiguous() for x in self.streams.next())
        n_query, n_key = len(tokens), len(tokens) + self.config.mem_len
        mask = torch.triu(torch.ones(n_query, n_key, dtype=torch.bool), 1 + self.config.mem_len)
        r = self.drop(sinusoids(torch.arange(n_key - 1, -1, -1), self.c))
        x = self.drop(self.embedding(tokens) * self.c.d_model**0.5)
        kept = []
        for layer, memory in zip(self.layers, self.memory, strict=True):
            kept.append(torch.cat([memory, x])[-self.config.mem_len :].detach())
            x = layer(x, memory, r, self.u, self.v, mask)
        self.memory = kept
        logits = F.linear(self.drop(x), self.embedding.weight, self.bias)
        self.optimizer.zero_grad()
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        loss.item()
        nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        self.optimizer.step()


def turns(run: TrainingRun, plain: PlainLoop | None, steps: int) -> Iterator[tuple[float, float, float]]:
    """Seconds of steps of ours, of them outside the model, and of steps of the plain loop, in turns."""
    with Prefetched(run.streams()) as batches:
        for _ in range(2 + run.config.mem_len // run.config.segment):
            run.take(batches.next())
        if plain is not None:
            plain.step()
        while True:
            begun, model = time.perf_counter(), 0.0
            for _ in range(steps):
                batch = batches.next()
                at = time.perf_counter()
                run.take(batch)
                model += time.perf_counter() - at
            run.settle()
            ours = time.perf_counter() - begun
            begun = time.perf_counter()
            for _ in range(steps if plain is not None else 0):
                plain.step()
            yield ours, ours - model, time.perf_counter() - begun


def main() -> None:
    """Prints a line of JSON for each preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of prepared songs (TX1)")
    parser.add_argument("--presets", nargs="+", default=["tiny", "nes-6x384"], choices=list(PRESETS))
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], help="settings, key=value")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = open_prepared(args.data) if args.data else made_up(Path(folder))
        for preset in args.presets:
            changes = {"valid_tokens": 1280, "threads": args.threads} | dict(s.split("=") for s in args.set)
            config = make_config(preset=preset, changes=changes)
            with Machine(threads=config.threads) as machine:
                run = TrainingRun([data], Path(folder), config, machine)
                plain = None if machine.cuda else PlainLoop(data, config)
                found = [
                    turn for _, turn in zip(range(args.turns), turns(run, plain, args.steps), strict=False)
                ]
            tokens = args.steps * config.step_tokens
            ours, theirs = min(found)[0], min(turn[2] for turn in found)
            figures = {
                "preset": preset,
                "device": machine.device.type,
                "threads": torch.get_num_threads(),
                "memory": config.mem_len,
                "tokens_per_second": round(tokens / ours),
                "outside_percent": round(100 * sum(t[1] for t in found) / sum(t[0] for t in found), 2),
            }
            if plain is not None:
                figures |= {
                    "plain_tokens_per_second": round(tokens / theirs),
                    "ratio": round(theirs / ours, 2),
                }
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
