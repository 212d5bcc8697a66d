"""Whether files are composed again the same from what they say about how they were made.

    python benchmarks/replay.py [--rounds 100] [--seed 0] [--model NAME] [--dynamic NAME] [--kept FILE]

Each round draws a command (generate, loop, form, game, continue, accompany in three modes) and random
settings, writes the piece in every format with a place for a record, draws a picture of it, and replays each
file with `lakhnes replay`. Pieces that are not the same are named with the reason; the last line counts them.
A setting that the command itself refuses is drawn again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import typer

from lakhnes.bridge import write_midi
from lakhnes.cli.app import app
from lakhnes.runtime import EXPRESSIVE_MODEL, GAME_PIECES, LakhnesError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import tune

ENDINGS = ("mid", "wav", "flac", "ogg", "vgm", "vgz", "nsf", "nsfe", "ftm.txt", "fms.txt")
TASKS = ("generate", "loop", "form", "game", "continue", "voices", "rhythm", "dynamics")
CHORDS = ("Am F C G", "Dm7 G7 Cmaj7", "C/E N.C. Gsus4")

LAKHNES: Any = typer.main.get_command(app)

Words = list[str]


def chance(rng: np.random.Generator, **options: Callable[[], object]) -> Words:
    """Some of the options; each is there half the time."""
    words: Words = []
    for name, value in options.items():
        if rng.random() < 0.5:
            given = value()
            words.append(f"--{name.replace('_', '-')}" + ("" if given is True else f"={given}"))
    return words


def steering(rng: np.random.Generator, *, bars: bool) -> Words:
    """Random options of every command that composes."""
    low = int(rng.integers(50, 65))
    words = chance(
        rng,
        temperature=lambda: round(float(rng.uniform(0.6, 1.5)), 3),
        top_k=lambda: int(rng.integers(1, 200)),
        top_p=lambda: round(float(rng.uniform(0.5, 1)), 4),
        surprise=lambda: round(float(rng.uniform(0, 3)), 2),
        scale=lambda: str(rng.choice(["a minor", "F# dorian", "0,2,4,7,9"])),
        mute=lambda: str(rng.choice(["NO", "P2", "P2,NO"])),
        range=lambda: f"P1:{low}-{low + int(rng.integers(12, 40))}",
        density=lambda: round(float(rng.uniform(-3, 3)), 2),
        repetition=lambda: round(float(rng.uniform(-3, 3)), 2),
        max_note=lambda: round(float(rng.uniform(0.2, 2)), 2),
        repetition_penalty=lambda: round(float(rng.uniform(0, 4)), 2),
        midi=lambda: "nes",
        raw_timing=lambda: True,
        instrument=lambda: str(rng.choice(["plain", "soft", "pluck", "lead", "arcade"])),
    )
    return words + (chance(rng, chords=lambda: str(rng.choice(CHORDS))) if bars else [])


def asked(task: str, rng: np.random.Generator, kept: Path) -> Words:
    """A command with random settings."""
    meter = chance(rng, meter=lambda: int(rng.integers(2, 7)))
    time_words = [f"--bpm={rng.uniform(80, 200):.2f}", *meter]
    if task == "generate":
        lengths = (["--seconds=3"], ["--tokens=80"], ["--bars=2", *time_words])
        length = lengths[int(rng.integers(3))]
        return ["generate", *length, *steering(rng, bars="--bars=2" in length)]
    if task in ("loop", "game"):
        return ["generate", f"--{task}", "--bars=2", *time_words, *steering(rng, bars=True)]
    if task == "form":
        form = str(rng.choice(["AA", "AA'B", "ABA"]))
        return ["generate", f"--form={form}", "--bars=1", *time_words, *steering(rng, bars=True)]
    only = [f"--voices={rng.choice(['P1=1,TR=3', 'P1=1,P2=2,NO=4'])}"] if rng.random() < 0.3 else []
    if task == "continue":
        length = [["--seconds=2"], ["--bars=1"]][int(rng.integers(2))]
        more = chance(rng, prompt_seconds=lambda: 2, only_new=lambda: True)
        return ["continue", str(kept), *length, *only, *more, *steering(rng, bars=True)]
    mode = ["--keep=P1,NO"] if task == "voices" else [f"--mode={task}"]
    more = [] if task == "dynamics" else chance(rng, bars=lambda: 1, bpm=lambda: int(rng.integers(90, 160)))
    return ["accompany", str(kept), *mode, *only, *more, *steering(rng, bars=task == "voices")]


def lakhnes(*words: object) -> tuple[int, str]:
    """Runs a command here; its exit code and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = LAKHNES.main([str(word) for word in words], standalone_mode=False)
        except (LakhnesError, typer.BadParameter) as error:
            return 2, str(error)
    return int(code or 0), said.getvalue().strip()


def one_round(task: str, rng: np.random.Generator, model: Words, kept: Path, folder: Path) -> list[str]:
    """Composes a piece and replays its files; a sentence for each that is not the same."""
    while True:
        words = asked(task, rng, kept)
        outputs = [f"--output={folder / f'song.{ending}'}" for ending in ENDINGS]
        code, said = lakhnes(*words, *model, f"--seed={rng.integers(1 << 32)}", *outputs)
        if code == 0:
            break
        print(f"  drawn again: {said}")
    piece = f"-{GAME_PIECES[int(rng.integers(len(GAME_PIECES)))]}" if task == "game" else ""
    files = [folder / f"song{'' if ending.startswith('nsf') else piece}.{ending}" for ending in ENDINGS]
    picture = folder / "song.png"
    code, said = lakhnes("show", files[0], "-o", picture)
    assert code == 0, said
    given = [f"--kept={kept}"] if words[0] != "generate" else []
    wrong = []
    for file in (*files, picture):
        code, said = lakhnes("replay", file, *model, *given)
        if code or not said.startswith("The notes are the same"):
            wrong.append(f"{file.name}: {said} ({' '.join(words)})")
    return wrong


def main() -> None:
    """Prints a line for each round, and the count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="nes-bars")
    parser.add_argument("--dynamic", default=EXPRESSIVE_MODEL)
    parser.add_argument("--kept", type=Path, help="music to go on from; default: a tune of the tests")
    args = parser.parse_args()
    same = files = 0
    for number in range(args.rounds):
        rng = np.random.default_rng([args.seed, number])
        task, began = TASKS[number % len(TASKS)], time.perf_counter()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            kept = args.kept or folder / "kept.mid"
            if args.kept is None:
                write_midi(tune(), kept)
            model = ["--model", args.dynamic if task == "dynamics" else args.model]
            wrong = one_round(task, rng, model, kept, folder)
        same += not wrong
        files += len(ENDINGS) + 1 - len(wrong)
        took = time.perf_counter() - began
        print(
            f"{number + 1:4} {task:9} {'not the same' if wrong else 'the same':12} {took:6.1f} s", flush=True
        )
        for sentence in wrong:
            print(f"     {sentence}", flush=True)
    print(f"the same: {same} of {args.rounds} pieces, {files} of {args.rounds * (len(ENDINGS) + 1)} files")


if __name__ == "__main__":
    main()
