"""Measures composing beside the original LakhNES and the memory bus, in one interleaved run.

    python benchmarks/compose.py [--json] [--rounds N]

For the built-in model's sizes and for paper size (12 layers of 512, random weights), memory of 512 full, one
thread, medians over rounds:

- legacy: the sampler of 2019: PyTorch, hidden states as memory, keys and values of all of it projected anew
- fp32, int8: this runtime, a step at a time; batch 4 and 16: so many songs at once (int8 weights)
- prompt: 512 tokens through `prefill` (int8), into an empty memory and into a full one
- limit: bytes that a token must read, divided by the bandwidth at which a dot product reads such an amount

Then the models of the package, as they come, each with its own memory full; and many songs of the built-in
model, in each way to compose them. All but the batch give each song as it is by itself.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch

from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model
from lakhnes.runtime import (
    SAMPLE_RATE,
    Model,
    Request,
    Sampling,
    Song,
    Timing,
    compose_song,
    compose_together,
    parse_scale,
    side_by_side,
    tx1,
)
from lakhnes.runtime.compose.arrange import Arrangement
from lakhnes.runtime.decode.processors import Density, Scale
from lakhnes.runtime.decode.rhythm import MaxLength
from lakhnes.runtime.model.catalog import list_models

MEM_LEN = 512
MANY_SECONDS = 10
SIZES = {
    "nes-6x384": {
        "n_layer": 6,
        "n_head": 6,
        "d_model": 384,
        "d_head": 64,
        "d_inner": 1536,
        "pre_lnorm": True,
    },
    "paper 12x512": {"n_layer": 12, "n_head": 8, "d_model": 512, "d_head": 64, "d_inner": 2048},
}


def seconds(action: Callable[[], object], times: int) -> float:
    """Mean seconds of one call."""
    started = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - started) / times


def bandwidth(n_bytes: int) -> float:
    """Bytes a second that one thread reads from an amount of memory of this size."""
    amount = torch.ones(max(1, n_bytes // 4))
    return max(amount.nbytes / seconds(lambda: torch.dot(amount, amount), 3) for _ in range(7))


def bytes_per_token(config: TransformerXLConfig, weight_bytes: int) -> int:
    """What a step reads: weights, keys and values, and the keys of distances."""
    width = config.n_head * config.d_head
    weights = 4 * width * config.d_model + 2 * config.d_model * config.d_inner
    per_layer = weights * weight_bytes + 4 * width * (2 * MEM_LEN + MEM_LEN + 1)
    return config.n_layer * per_layer + config.n_token * config.d_model * weight_bytes


def measure(name: str, rounds: int) -> dict[str, object]:
    """All figures of one size."""
    torch.manual_seed(0)
    config = TransformerXLConfig(n_token=631, d_embed=SIZES[name]["d_model"], **SIZES[name])  # type: ignore[arg-type]
    reference = TransformerXL(config).eval()
    checkpoint = Checkpoint(reference, tx1(), "random", "0" * 64)
    models = {}
    for precision in ("fp32", "int8"):
        with TemporaryDirectory() as folder:
            export_model(checkpoint, Path(folder), precision=precision, timing=Timing.FRAMES)
            models[precision] = Model.load(folder)
    memory = torch.randn(config.n_layer, 1, MEM_LEN, config.d_model)
    token = torch.tensor([[5]])

    @torch.no_grad()
    def legacy_step() -> None:
        reference(token, memory, mem_len=MEM_LEN)

    prompt = np.random.default_rng(0).integers(1, 631, MEM_LEN)
    for model in models.values():
        model.prefill(prompt)
    batches = {size: models["int8"].batch(size) for size in (4, 16)}
    for size, batch in batches.items():
        batch.prefill(np.tile(prompt, (size, 1)), chunk=64)
    steps: list[float] = []
    took: dict[str, list[float]] = {
        key: [] for key in ("legacy", "fp32", "int8", "batch 4", "batch 16", "prompt, empty", "prompt, full")
    }

    def timed_step() -> None:
        started = time.perf_counter()
        models["int8"].step(5)
        steps.append(time.perf_counter() - started)

    for _ in range(rounds):
        took["legacy"].append(seconds(legacy_step, 3))
        took["fp32"].append(seconds(lambda: models["fp32"].step(5), 30))
        took["int8"].append(seconds(timed_step, 60))
        for size, batch in batches.items():
            tokens = np.full(size, 5)
            took[f"batch {size}"].append(seconds(lambda b=batch, t=tokens: b.step(t), 10) / size)  # type: ignore[misc]
        models["int8"].reset()
        for state in ("empty", "full"):
            took[f"prompt, {state}"].append(seconds(lambda: models["int8"].prefill(prompt), 1))
    medians = {key: median(values) for key, values in took.items()}
    limits = {}
    for precision, weight_bytes in (("fp32", 4), ("int8", 1)):
        n_bytes = bytes_per_token(config, weight_bytes)
        limits[precision] = n_bytes / bandwidth(n_bytes)
    return {
        "size": name,
        "ms": {key: value * 1e3 for key, value in medians.items()},
        "ratio_to_legacy": {k: medians["legacy"] / v for k, v in medians.items() if "prompt" not in k},
        "fraction_of_limit": {key: limit / medians[key] for key, limit in limits.items()},
        "step_jitter": {
            "p50_ms": float(np.percentile(steps, 50)) * 1e3,
            "p99_ms": float(np.percentile(steps, 99)) * 1e3,
            "max_ms": max(steps) * 1e3,
        },
    }


def shipped_steps() -> dict[str, float]:
    """Milliseconds of a step of each model of the package, its memory full."""
    steps = {}
    for name, path in list_models().items():
        model = Model.load(path)
        rng = np.random.default_rng(0)
        model.prefill(rng.integers(1, len(model.info.vocabulary), model.info.mem_len))
        steps[name] = 1e3 * median(seconds(lambda m=model: m.step(5), 30) for _ in range(9))  # type: ignore[misc]
    return steps


def sampling_seconds() -> float:
    """Drawing a token under three wishes."""
    model = Model.load()
    vocabulary = model.info.vocabulary
    wishes = (
        Scale(vocabulary, parse_scale("a minor")),
        Density(vocabulary, 0.5),
        MaxLength(model.codec, 44_100),
    )
    rng = np.random.default_rng(0)
    song = Song(model.codec, rng, sampling=Sampling(), max_tokens=10**9, processors=wishes)
    logits = rng.normal(0, 3, (64, len(vocabulary))).astype(np.float32)
    turn = iter(range(10**9))
    return min(seconds(lambda: song.take(logits[next(turn) % 64]), 500) for _ in range(5))


def _one_song(seed: int, model: Model | None = None) -> float:
    """Composes one of the many songs; its length in seconds."""
    length = MANY_SECONDS * SAMPLE_RATE
    arrangement = compose_song(model or Model.load(), Request(seed=seed), length_samples=length)
    for _ in arrangement:
        pass
    return arrangement.score().seconds


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def many_songs(count: int, rounds: int = 2) -> dict[str, dict[str, float]]:
    """Songs a minute, and processor seconds a song, of each way to compose many songs."""
    model, seeds = Model.load(), range(count)

    def side(width: int | None) -> None:
        def begin(twin: Model, seed: int) -> Arrangement:
            return compose_song(twin, Request(seed=seed), length_samples=MANY_SECONDS * SAMPLE_RATE)

        side_by_side(model, seeds, begin, width=width)

    def processes() -> None:
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            list(pool.map(_one_song, seeds))

    def batch() -> None:
        length = MANY_SECONDS * SAMPLE_RATE
        begun = [compose_song(model, Request(seed=seed), length_samples=length) for seed in seeds]
        songs = [arrangement.composer.song for arrangement in begun]
        list(compose_together(model, songs, width=8))

    ways: dict[str, Callable[[], object]] = {
        "one after the other": lambda: side(1),
        "side by side, in threads": lambda: side(None),
        "a process for each core": processes,
        "one batch of up to eight": batch,
    }
    walls: dict[str, list[float]] = {way: [] for way in ways}
    busy: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, compose in ways.items():
            wall, processor = time.perf_counter(), _processor_seconds()
            compose()
            walls[way].append(time.perf_counter() - wall)
            busy[way].append(_processor_seconds() - processor)
    return {
        way: {
            "songs_a_minute": 60 * count / median(walls[way]),
            "processor_seconds_a_song": median(busy[way]) / count,
        }
        for way in ways
    }


def start_up() -> dict[str, float]:
    """A whole `lakhnes generate` of one event: seconds, and peak megabytes as Linux counts them."""
    code = (
        "import sys; from lakhnes.cli import main\n"
        "try: main()\n"
        "finally: print(*[s.split()[1] for s in open('/proc/self/status') if 'VmHWM' in s], file=sys.stderr)"
    )
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, "generate", "--tokens", "1", "-o", str(Path(folder, "a.mid"))]
        runs = []
        for _ in range(3):
            started = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append((time.perf_counter() - started, float(done.stderr.split()[-1]) / 1024))
    return {"seconds": min(wall for wall, _ in runs), "peak_mb": max(peak for _, peak in runs)}


def print_songs(ways: dict[str, dict[str, float]]) -> None:
    """Prints how fast each way composes many songs."""
    if ways:
        print(f"\nmany songs of {MANY_SECONDS} s, built-in model")
    for way, row in ways.items():
        busy = row["processor_seconds_a_song"]
        print(f"  {way:25s} {row['songs_a_minute']:6.1f} a minute, {busy:5.2f} s of the processor each")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--songs", type=int, default=8, help=f"songs of {MANY_SECONDS} s; 0 for none")
    parser.add_argument("--only-songs", action="store_true")
    args = parser.parse_args()
    if args.only_songs:
        print_songs(many_songs(args.songs, rounds=min(args.rounds, 3)))
        return
    torch.set_num_threads(1)
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    result = {
        "machine": f"{cpu}, {os.cpu_count()} cores, one thread",
        "sizes": [measure(name, args.rounds) for name in SIZES],
        "shipped_ms": shipped_steps(),
        "sampling_us": sampling_seconds() * 1e6,
        "start_up": start_up(),
        "many_songs": many_songs(args.songs) if args.songs else {},
    }
    if args.json:
        print(json.dumps(result, indent=1))
        return
    print(result["machine"])
    for size in result["sizes"]:  # type: ignore[attr-defined]
        print(f"\n{size['size']}, memory of {MEM_LEN} full")
        for key in ("legacy", "fp32", "int8", "batch 4", "batch 16"):
            ms, ratio = size["ms"][key], size["ratio_to_legacy"][key]
            limit = size["fraction_of_limit"].get(key)
            share = f"  {limit:4.0%} of the bandwidth limit" if limit else ""
            print(f"  {key:9s} {ms:8.3f} ms a token {1e3 / ms:7.0f} tokens/s {ratio:6.1f} x{share}")
        for key in ("prompt, empty", "prompt, full"):
            print(f"  {key} memory: {size['ms'][key] / 1e3:.3f} s for {MEM_LEN} tokens")
        jitter = size["step_jitter"]
        spread = ", ".join(f"{name} {jitter[f'{name}_ms']:.2f}" for name in ("p50", "p99", "max"))
        print(f"  int8 step {spread} ms")
    print("\nthe models of the package, memory full")
    for name, ms in result["shipped_ms"].items():  # type: ignore[attr-defined]
        print(f"  {name:10s} {ms:7.3f} ms a token {1e3 / ms:7.0f} tokens/s")
    print_songs(result["many_songs"])  # type: ignore[arg-type]
    print(f"\ndrawing under three wishes {result['sampling_us']:.1f} us a token")
    started = result["start_up"]
    print(f"start-up to the first event {started['seconds']:.2f} s, peak {started['peak_mb']:.0f} MB")  # type: ignore[index]


if __name__ == "__main__":
    main()
