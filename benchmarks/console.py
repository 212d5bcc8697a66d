"""Measure the size and speed of music for the console, and compare it with the register log.

`python benchmarks/console.py FOLDER_OR_FILE ...` makes an NSF of every song (MIDI, VGM, text), plays it on
the compiled 6502 and prints frames that differ from the log, cycles of the longest frame, and bytes a minute
without and with references.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from lakhnes.apu import registers_of
from lakhnes.apu.console import frames_of, nsf_bytes, score_on_frames
from lakhnes.apu.console.frames import Frames
from lakhnes.apu.console.nsf_reader import parse_nsf
from lakhnes.apu.console.packing import pack
from lakhnes.apu.console.processor import Processor
from lakhnes.apu.instruments import instrument_set
from lakhnes.apu.register_log import RegisterLog
from lakhnes.runtime import LakhnesError
from lakhnes.studio.music_files import read_music

TRIGGERS = (0x01, 0x03, 0x05, 0x07, 0x0B, 0x0F, 0x11, 0x17)
"""Registers in which a write does something though it holds the same."""


def song_of(path: Path) -> tuple[Frames, RegisterLog | None]:
    """A song on frames, and its log where that says what each frame has."""
    music = read_music(path)
    if isinstance(music.origin, RegisterLog):
        return frames_of(music.origin), None
    score, _ = score_on_frames(music.origin, music.grid)
    instruments = instrument_set("plain" if score.has_expression else "lead")
    log = registers_of(score, instruments=instruments)
    return frames_of(log, on_frames=True), log


def played(song: Frames) -> tuple[list[list[tuple[int, int]]], int]:
    """The writes of each frame as a 6502 makes them, and the cycles of the longest frame."""
    file = parse_nsf(nsf_bytes([song]), "song")
    processor = Processor(file.image, file.windows)
    processor.call(file.init, 0, int(file.pal))
    processor.take()
    frames, longest = [], 0
    for _ in song.frames:
        before = processor.state.clock
        processor.call(file.play)
        longest = max(longest, processor.state.clock - before)
        _, addresses, values = processor.take()
        frames.append([(int(a) - 0x4000, int(v)) for a, v in zip(addresses, values, strict=True)])
    return frames, longest


def differing(frames: list[list[tuple[int, int]]], log: RegisterLog) -> int:
    """Frames after which registers differ from the log's, or whose triggers do."""
    wanted: list[list[tuple[int, int]]] = [[] for _ in frames]
    for sample, register, value in zip(log.samples, log.registers, log.values, strict=True):
        wanted[min(int(sample) // 735, len(frames) - 1)].append((int(register), int(value)))
    ours, theirs, count = {}, {}, 0
    for made, asked in zip(frames, wanted, strict=True):
        ours.update(made)
        theirs.update(asked)
        triggers = [[write for write in some if write[0] in TRIGGERS] for some in (made, asked)]
        count += triggers[0] != triggers[1] or any(ours.get(r) != v for r, v in theirs.items())
    return count


def main() -> None:
    """Prints a line for each song, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only every so many files of a folder")
    args = parser.parse_args()
    paths = [
        file
        for path in args.paths
        for file in (sorted(path.iterdir())[:: args.every] if path.is_dir() else [path])
    ]
    rows = []
    for path in paths:
        try:
            song, log = song_of(path)
        except LakhnesError as error:
            print(error, file=sys.stderr)
            continue
        frames, longest = played(song)
        wrong = 0 if log is None else differing(frames, log)
        sizes = [len(pack([song], references=references).data) for references in (False, True)]
        minutes = song.seconds / 60
        rows.append((len(frames), wrong, longest, minutes, *sizes))
        print(
            f"{path.name[:44]:44} {len(frames):6} frames, {wrong} differ, {longest:5} cycles,"
            f" {sizes[0] / minutes:7.0f} -> {sizes[1] / minutes:6.0f} bytes a minute"
        )
    if rows:
        frames, wrong, longest, minutes, before, after = np.array(rows).T
        sizes = [size.sum() / minutes.sum() for size in (before, after)]
        print(f"{len(rows)} songs, {frames.sum():.0f} frames, {wrong.sum():.0f} differ")
        print(f"at most {longest.max():.0f} cycles; {sizes[0]:.0f} -> {sizes[1]:.0f} bytes a minute")


if __name__ == "__main__":
    main()
