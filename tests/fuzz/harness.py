"""Broken files for readers: thousands of variants of good files, and what a reader makes of each.

A reader may succeed or raise a `LakhnesError`; the message is one line of plain characters, under 500 of
them, and names the file. All else is a fault: another exception, a `MemoryError` too, a mistake of our own
behind the error, 10 s of processor time, 1 GB of memory, the death of the process. Inputs are read in a child
process with limits, so that none of these ends the test, and each is told by its seed:

    PYTHONPATH=tests python -m fuzz.harness training blocks --inputs 10000
    PYTHONPATH=tests python -m fuzz.harness training blocks --seed 1234 --keep FOLDER

`training` is the module `fuzz.training_targets`, whose `TARGETS` are the readers.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from fuzz.mutations import mutated

from lakhnes.runtime.errors import LakhnesError

SHORT_INPUTS = 200
"""Inputs for each reader in a normal test run."""

LONG_INPUTS = int(os.environ.get("LAKHNES_FUZZ_INPUTS", "10000"))
"""Inputs for each reader in a slow test run."""

MAX_PROCESSOR_SECONDS = 10
MAX_SECONDS = 180.0
"""Longest that an input may take by the clock: more, because other programs may keep the processor busy."""

MAX_MEMORY_BYTES = 1 << 30
"""Most memory that the process may hold."""

MAX_MESSAGE = 500

_ADDRESS_BYTES = 6 << 30
"""Address space on top of what the process starts with; protects the machine."""

_MISTAKES = (NameError, AssertionError, ImportError, NotImplementedError, SyntaxError)
"""What no broken file causes, only broken code, where our own code raises it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A reader."""

    name: str
    make: Callable[[Path], list[Path]]
    """Writes good inputs into an empty folder and returns their paths: files, or folders of files. A function
    at the top of a module, so that the child process finds it; likewise `read`."""
    read: Callable[[Path], object]
    """Reads the variant of one of them as the program does."""
    broken: tuple[str, ...] = ("*",)
    """Patterns of the names of the files that are broken, where an input is a folder."""
    names_file: bool = True
    """Whether an error must name the input, or a file in it."""
    short_inputs: int = SHORT_INPUTS
    """Inputs in a normal test run; fewer where each takes long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reader made of one input."""

    seed: int
    kind: str
    """`read`, `refused`, or what was wrong."""
    detail: str = ""
    seconds: float = 0.0
    memory_bytes: int = 0
    """Most that the process held."""


@dataclass(slots=True)
class Report:
    """What a reader made of all inputs."""

    target: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Outcome] = field(default_factory=list)
    slowest: Outcome | None = None
    memory_bytes: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.counts[outcome.kind] += 1
        if outcome.kind not in ("read", "refused"):
            self.faults.append(outcome)
        if self.slowest is None or outcome.seconds > self.slowest.seconds:
            self.slowest = outcome
        self.memory_bytes = max(self.memory_bytes, outcome.memory_bytes)

    def __str__(self) -> str:
        slowest = f", slowest {self.slowest.seconds:.2f} s (seed {self.slowest.seed})" if self.slowest else ""
        counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.counts.items()))
        lines = [
            f"{self.target}: {sum(self.counts.values()):,} inputs: {counts}; {len(self.faults)} faults"
            f"{slowest}, most memory {self.memory_bytes / 2**20:.0f} MiB"
        ]
        lines += [f"  seed {fault.seed}: {fault.kind}: {fault.detail[-1500:]}" for fault in self.faults[:20]]
        return "\n".join(lines)


def run(target: Target, inputs: int, *, first: int = 0) -> Report:
    """Have a reader read broken inputs.

    Args:
        target: the reader.
        inputs: how many.
        first: seed of the first one; the others count up from there.
    """
    report = Report(target.name)
    seed = first
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        while seed < first + inputs:  # Ctrl-C ends it, with a report of what came so far
            seed = _batch(target, seed, first + inputs, Path(folder), report)
    return report


def make_input(good: list[Path], seed: int, folder: Path, broken: tuple[str, ...] = ("*",)) -> Path:
    """Write the variant of one good input that a seed stands for.

    Args:
        good: files or folders.
        seed: any number.
        folder: for the variant.
        broken: patterns of the names of the files to break, where an input is a folder.
    """
    rng = Random(seed)
    source = good[rng.randrange(len(good))]
    path = folder / source.name
    if source.is_file():
        path.write_bytes(mutated(source.read_bytes(), rng, source.name))
        return path
    shutil.copytree(source, path)
    files = sorted({file for pattern in broken for file in path.rglob(pattern) if file.is_file()})
    for file in rng.sample(files, 1 if rng.random() < 0.9 else min(2, len(files))):
        kind = rng.randrange(40)
        data = file.read_bytes()
        if kind == 0:
            file.unlink()
        elif kind == 1:
            file.unlink()
            file.mkdir()
        elif kind == 2:
            other = rng.choice(files)
            file.write_bytes(other.read_bytes() if other.is_file() else b"")
        else:
            file.write_bytes(mutated(data, rng, file.name))
    return path


def _batch(target: Target, seed: int, end: int, folder: Path, report: Report) -> int:
    """Read inputs in a child process until all are done or one ends it; returns the next seed."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    scratch = folder / f"from-{seed}"
    scratch.mkdir()
    child = context.Process(target=_work, args=(target, seed, end, scratch, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(120):
            raise RuntimeError(f"{target.name}: no process in 120 s")
        ready = ours.recv()  # the good inputs are made
        if ready is not None:
            raise RuntimeError(f"{target.name}: its good inputs fail\n{ready}")
        while seed < end:
            begun = time.monotonic()
            if not (
                ours.poll(MAX_SECONDS / 2) or ours.poll(MAX_SECONDS / 2)
            ):  # not for one pause of the machine
                report.add(Outcome(seed, "hang", f"over {MAX_SECONDS:.0f} s", time.monotonic() - begun))
                return seed + 1
            outcome = ours.recv()
            report.add(outcome)
            seed += 1
            if outcome.memory_bytes > MAX_MEMORY_BYTES:
                return seed  # with a fresh process, as the most that this one held stays
    except EOFError:
        child.join()
        code = child.exitcode or 0
        if code == -getattr(signal, "SIGPROF", 0):
            report.add(Outcome(seed, "hang", f"over {MAX_PROCESSOR_SECONDS} s of the processor"))
        else:
            report.add(Outcome(seed, "death", f"exit code {code}"))
        return seed + 1
    finally:
        child.kill()
        child.join()
        ours.close()
        shutil.rmtree(scratch, ignore_errors=True)
    return seed


def _work(target: Target, seed: int, end: int, scratch: Path, report: Connection) -> None:
    """The child process: one outcome for each seed."""
    temporary = scratch / "tmp"
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, for as long as it lives
    try:
        (scratch / "good").mkdir()
        good = target.make(scratch / "good")
        for path in good:
            target.read(path)
    except Exception:
        report.send(traceback.format_exc())
        return
    _limit()
    report.send(None)
    for number in range(seed, end):
        folder = scratch / "input"
        folder.mkdir()
        path = make_input(good, number, folder, target.broken)
        _reset_peak()
        report.send(_outcome(target, number, path))
        shutil.rmtree(folder)


def _outcome(target: Target, seed: int, path: Path) -> Outcome:
    _alarm(MAX_PROCESSOR_SECONDS)
    begun = time.monotonic()
    try:
        target.read(path)
        kind, detail = "read", ""
    except LakhnesError as error:
        kind, detail = _judged(error, path if target.names_file else None)
    except BaseException:
        kind, detail = "exception", traceback.format_exc()
    seconds = time.monotonic() - begun
    _alarm(0)
    peak = _peak_bytes()
    if peak > MAX_MEMORY_BYTES and kind in ("read", "refused"):
        kind, detail = "memory", f"{peak >> 20} MiB; {detail}"
    return Outcome(seed, kind, detail, seconds, peak)


def _judged(error: LakhnesError, path: Path | None) -> tuple[str, str]:
    """Whether an error is one that a user should see."""
    message = str(error)
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, _MISTAKES) and _is_ours(behind):
            return "mistake", "".join(traceback.format_exception(error))
        behind = behind.__cause__ or behind.__context__
    if len(message) >= MAX_MESSAGE:
        return "message", f"{len(message)} characters: {message}"
    if not message.isprintable():
        return "message", f"with control characters: {message!r}"
    if path is not None and path.name not in message:
        return "message", f"names no file: {message}"
    return "refused", message


def _is_ours(error: BaseException) -> bool:
    """Whether our own code raised an exception, rather than a library that it calls."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and str(frames[-1].f_globals.get("__name__")).startswith("lakhnes.")


def _limit() -> None:
    try:
        import resource

        in_use = next(
            int(line.split()[1]) << 10
            for line in Path("/proc/self/status").read_text("ascii").splitlines()
            if line.startswith("VmSize")
        )
        resource.setrlimit(resource.RLIMIT_AS, (in_use + _ADDRESS_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError):  # neither Linux nor like it: without this safety
        return


def _alarm(seconds: int) -> None:
    """Have the system end this process when it has used the processor for so long; 0 for never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:  # then the peak is that of all inputs so far
        return


def _peak_bytes() -> int:
    try:
        status = Path("/proc/self/status").read_text("ascii")
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    except OSError:
        return 0


def targets(side: str) -> Mapping[str, Target]:
    """The readers of one side, by name."""
    found: tuple[Target, ...] = importlib.import_module(f"fuzz.{side}_targets").TARGETS
    return {target.name: target for target in found}


def main(arguments: list[str] | None = None) -> int:
    """Fuzz one reader from the command line, or keep the input of one seed."""
    parser = argparse.ArgumentParser(description="Gives broken files to a reader.")
    parser.add_argument("side", help="training, runtime, console or model: the module of targets")
    parser.add_argument("target", nargs="*", help="readers; all without one")
    parser.add_argument("--inputs", type=int, default=LONG_INPUTS)
    parser.add_argument("--first", type=int, default=0, help="seed of the first input")
    parser.add_argument("--seed", type=int, help="read this one input here, without limits")
    parser.add_argument("--keep", type=Path, help="folder for the input of --seed")
    asked = parser.parse_args(arguments)
    known = targets(asked.side)
    if unknown := set(asked.target) - set(known):
        parser.error(f"no reader {', '.join(sorted(unknown))}; give some of {', '.join(known)}")
    faults = 0
    for name in asked.target or known:
        if asked.seed is None:
            report = run(known[name], asked.inputs, first=asked.first)
            print(report, flush=True)  # noqa: T201
            faults += len(report.faults)
        else:
            _one(known[name], asked.seed, asked.keep)
    return int(faults > 0)


def _one(target: Target, seed: int, keep: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        good = target.make(Path(folder))
        keep = keep or Path(folder, "input")
        keep.mkdir(parents=True, exist_ok=True)
        path = make_input(good, seed, keep, target.broken)
        result: Any = target.read(path)
        print(f"{path}: {result!r:.500}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
