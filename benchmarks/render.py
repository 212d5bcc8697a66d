"""How fast and how clean the sound chip is.

    python benchmarks/render.py [--json] [SONG.vgm ...]

On a minute of our own four-voice music, and on the VGM files that are given: times real time of rendering,
with and without filters and file writing, medians over rounds; of silence; the cost of blocks of 256 frames;
the first sound of a process; total alias of a 12.5 % pulse at 2 kHz below 18 kHz; the error of its pitch.
Beside them what other renderers reached when the project began.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from statistics import median

import numpy as np

from lakhnes.apu.register_log import RegisterLog
from lakhnes.apu.registers import registers_of
from lakhnes.apu.render import Filters, Renderer, Writes, render
from lakhnes.apu.sound_files import SoundSettings, write_sound
from lakhnes.apu.vgm import read_vgm
from lakhnes.runtime import SAMPLE_RATE, Note, Part, Score

ROUNDS = 9
PEERS = {
    "game-music-emu": (627, -48.7),
    "libvgm (NSFPlay core)": (112, -23.4),
    "NSFPlay": (85, -27.7),
    "VGMPlay (the renderer of LakhNES 2019)": (31, -22.5),
}
"""Times real time and alias in dB."""


def song() -> RegisterLog:
    """A minute for four voices at 150 beats a minute: melody, broken chords, bass, drums."""
    row, rows = 4_410, 600
    chords = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
    chord = [chords[i // 32 % 4] for i in range(rows)]
    melody = [
        Note(i * row, 2 * row - 400, chord[i][i // 2 % 3] + 12 + 12 * (i % 8 == 6)) for i in range(0, rows, 2)
    ]
    broken = [Note(i * row, row, chord[i][i % 3] + 12, 9) for i in range(rows)]
    bass = [Note(i * row, 2 * row, chord[i][0] - 12 * (i % 4 == 0)) for i in range(0, rows, 2)]
    drums = [Note(i * row, row // 2, (3, 14, 9, 14)[i // 2 % 4]) for i in range(0, rows, 2)]
    parts = [Part(tuple(notes)) for notes in (melody, broken, bass, drums)]
    return registers_of(Score.of(parts, rows * row))


def silence() -> RegisterLog:
    """An hour without a write."""
    none = np.zeros(0, np.uint8)
    return RegisterLog(np.zeros(0, np.int64), none, none, 3600 * SAMPLE_RATE)


def seconds(action, rounds: int = ROUNDS) -> float:  # type: ignore[no-untyped-def]
    """Median seconds of an action."""
    action()
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        took.append(time.perf_counter() - started)
    return median(took)


def consume(log: RegisterLog, filters: Filters) -> None:
    """Renders and forgets."""
    for _ in render(log, filters=filters):
        pass


def speeds(log: RegisterLog) -> dict[str, float]:
    """Times real time."""
    return {
        "no filters": log.seconds / seconds(lambda: consume(log, Filters.FLAT)),
        "filters": log.seconds / seconds(lambda: consume(log, Filters.NES)),
        "filters, WAV": log.seconds / seconds(lambda: write_sound(BytesIO(), log, SoundSettings())),
    }


def block_share(log: RegisterLog) -> dict[str, float]:
    """Cost of blocks of 256 frames in live use: microseconds, and percent of their time."""
    renderer = Renderer()
    clocks = log.samples * log.clock_hz // SAMPLE_RATE
    took = []
    for _ in range(2_000):
        first, last = np.searchsorted(clocks, [renderer.clock, renderer.clock_of(renderer.frame + 256)])
        writes = Writes(clocks[first:last], log.registers[first:last], log.values[first:last])
        started = time.perf_counter()
        renderer.render_block(writes, 256)
        took.append(time.perf_counter() - started)
    us = float(np.median(took)) * 1e6
    return {
        "us": us,
        "percent": us / (256 / SAMPLE_RATE * 1e6) * 100,
        "p99_us": float(np.percentile(took, 99)) * 1e6,
    }


def tone() -> tuple[np.ndarray, float]:
    """Ten seconds of a pulse of 12.5 % near 2 kHz without filters, and its frequency by the register."""
    writes = ((0x15, 1), (0x00, 0x3F), (0x01, 0x08), (0x02, 54), (0x03, 0))
    log = RegisterLog(
        np.zeros(len(writes), np.int64),
        np.array([register for register, _ in writes], np.uint8),
        np.array([value for _, value in writes], np.uint8),
        10 * SAMPLE_RATE,
    )
    sound = np.concatenate(list(render(log, filters=Filters.FLAT))).astype(np.float64)
    return sound[SAMPLE_RATE : 9 * SAMPLE_RATE], log.clock_hz / (16 * 55)


def alias_db(sound: np.ndarray, hz: float) -> float:
    """Power below 18 kHz that lies beside the harmonics, to that of the harmonics."""
    power = np.abs(np.fft.rfft((sound - sound.mean()) * np.blackman(len(sound)))) ** 2
    bins = np.arange(len(power)) * SAMPLE_RATE / len(sound)
    near = np.abs(bins - np.rint(bins / hz) * hz) < 5
    low = (bins > 20) & (bins < 18_000)
    return float(10 * np.log10(power[low & ~near].sum() / power[low & near].sum()))


def pitch_error_cents(sound: np.ndarray, hz: float) -> float:
    """How far the fundamental lies from its register, by the phase it gains over four seconds."""
    half = len(sound) // 2
    turn = np.exp(-2j * np.pi * hz / SAMPLE_RATE * np.arange(half)) * np.hanning(half)
    phase = np.angle(
        (sound[half:] * turn).sum()
        / (sound[:half] * turn).sum()
        * np.exp(-2j * np.pi * hz / SAMPLE_RATE * half)
    )
    found = hz + phase / (2 * np.pi) * SAMPLE_RATE / half
    return float(1200 * np.log2(found / hz))


def first_call() -> float:
    """Seconds from nothing to the first block in a process that renders for the first time."""
    code = (
        "import time; t = time.perf_counter()\n"
        "from lakhnes.apu.render import Renderer, Writes\n"
        "Renderer().render_block(Writes(), 256); print(time.perf_counter() - t)"
    )
    command = [sys.executable, "-c", code]
    return min(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(4))


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("songs", nargs="*", type=Path, metavar="SONG.vgm")
    args = parser.parse_args()
    sound, hz = tone()
    still = silence()
    logs = {"our own minute": song(), **{path.stem: read_vgm(path).log for path in args.songs}}
    result = {
        "machine": f"{platform.processor() or platform.machine()}, one thread of {os.cpu_count()}",
        "times_real_time": {name: speeds(log) for name, log in logs.items()},
        "silence": still.seconds / seconds(lambda: consume(still, Filters.NES), 3),
        "block_of_256": block_share(logs["our own minute"]),
        "first_call_seconds": first_call(),
        "alias_db": alias_db(sound, hz),
        "pitch_error_cents": pitch_error_cents(sound, hz),
    }
    if args.json:
        print(json.dumps(result, indent=1))
        return
    print(result["machine"])
    for name, row in result["times_real_time"].items():  # type: ignore[attr-defined]
        print(f"{name[:40]:40s} " + ", ".join(f"{key} {value:.0f} x" for key, value in row.items()))
    print(f"silence {result['silence']:.0f} x")
    print(
        "block of 256 frames {us:.1f} us, {percent:.2f} % of its time, p99 {p99_us:.1f} us".format(
            **result["block_of_256"]
        )
    )  # type: ignore[arg-type]
    print(f"first sound of a process after {result['first_call_seconds']:.2f} s")
    print(f"alias {result['alias_db']:.1f} dB, pitch error {result['pitch_error_cents']:.4f} cents")
    print("others: " + "; ".join(f"{name} {x} x, {db} dB" for name, (x, db) in PEERS.items()))


if __name__ == "__main__":
    main()
