"""Training: the loop.

References:
- Dai et al. 2019, "Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context", section 3.2:
  segments with the memory carried over.
- LakhNES `model/train.py`: streams, clipping, cosine schedule.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakhnes.export.batches import Prefetched
from lakhnes.export.checkpoints import LAST, read_checkpoint
from lakhnes.export.curves import Log, LogRow
from lakhnes.export.lakhnes_checkpoint import Checkpoint
from lakhnes.export.machine import Machine
from lakhnes.export.prepared import PreparedData
from lakhnes.export.run_lock import locked
from lakhnes.export.train_config import TrainConfig
from lakhnes.export.training_run import TrainingRun


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far a run is."""

    part: float
    """Of the schedule, 0..1."""
    row: LogRow
    """The line of the log that was just written."""
    best: float
    """Least valid loss so far, nats a token; infinite before the first evaluation."""
    seconds_left: float
    """Until the schedule ends, if it goes on as in this call."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a call of `train` ended."""

    step: int
    tokens: int
    seconds: float
    """Of training, with the calls before."""
    loss: float
    """Of the last line of the log that has one, nats a token."""
    valid: float
    """Of the last evaluation."""
    best: float
    """Least valid loss."""
    finished: bool
    """Whether the schedule is over; else the run can go on."""
    rate: float
    """Tokens a second of this call, evaluations and checkpoints left out."""
    outside: float
    """Part of this call's time, evaluations and checkpoints left out, that was not spent in the model."""


def train(
    data: Sequence[PreparedData],
    folder: Path,
    config: TrainConfig,
    *,
    init: Checkpoint | None = None,
    resume: bool = False,
    budget_seconds: float = math.inf,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Callable[[TrainingProgress], None] = lambda progress: None,
    now: Callable[[], float] = time.perf_counter,
) -> Result:
    """Trains until the schedule or the budget ends, or it is told to stop; then saves.

    Args:
        data: prepared songs; their train splits are mixed, their valid splits evaluated.
        folder: of the run, which is there; checkpoints, log and curves go into it.
        config: what to do.
        init: weights to start from, with the sizes of `config`.
        resume: whether to go on from the folder's last checkpoint.
        budget_seconds: longest time of this call.
        should_stop: asked before every step.
        watch: told each line of the log.
        now: the clock, seconds.

    Raises:
        DataError: if the data do not fit together, or a split is empty.
        OptionError: if the settings do not fit the data or the processes.
        CheckpointError: if weights or run do not fit data or settings.
        TrainingError: if another process trains in the folder, or the loss is no number any more; the last
            checkpoint stays as it is.
        OutputError: if something cannot be written.
    """
    with contextlib.ExitStack() as held:
        machine = held.enter_context(Machine(threads=config.threads))
        if machine.rank == 0:
            held.enter_context(locked(folder))
        run = TrainingRun(data, folder, config, machine, init)
        if resume:
            run.load(read_checkpoint(folder / LAST))
        clock = _Clock(now, run)
        log = Log(folder, run.step) if machine.rank == 0 else None

        def report(valid: float | None = None) -> None:
            if log is not None:
                log.add(clock.row(valid))
                watch(TrainingProgress(run.part, log.rows[-1], run.best, clock.seconds_left()))

        if run.step == 0 and config.valid_every:
            with clock.aside():
                report(run.evaluate())
        with Prefetched(run.streams()) as batches:
            while True:
                stop = should_stop() or clock.elapsed() >= budget_seconds
                save = clock.since_saved() >= 60 * config.checkpoint_minutes
                said = machine.said_by_first([clock.seconds(), float(stop), float(save)])
                run.seconds, must_stop, must_save = said
                finished = run.part >= 1
                if finished:
                    with clock.aside():
                        report(run.evaluate())
                if finished or must_stop or must_save:
                    with clock.aside():
                        run.save()
                        clock.saved()
                if finished or must_stop:
                    break
                batch = batches.next()
                with clock.model():
                    run.take(batch)
                if run.step % config.log_every == 0:
                    report()
                if config.valid_every and run.step % config.valid_every == 0 and run.part < 1:
                    with clock.aside():
                        report(run.evaluate())
        losses = [row.loss for row in log.rows if row.loss is not None] if log else []
        if log is not None:
            log.draw()
        return Result(
            step=run.step,
            tokens=run.tokens,
            seconds=run.seconds,
            loss=losses[-1] if losses else math.nan,
            valid=run.valid,
            best=run.best,
            finished=finished,
            rate=clock.rate(),
            outside=clock.outside(),
        )


class _Clock:
    """What a call's time went to."""

    def __init__(self, now: Callable[[], float], run: TrainingRun) -> None:
        self._now, self._run = now, run
        self._started = self._saved = self._row_at = now()
        self._before, self._first_token, self._row_token = run.seconds, run.tokens, run.tokens
        self._first_part = run.part
        self._model = self._aside = self._row_aside = 0.0

    def elapsed(self) -> float:
        """Seconds of this call."""
        return self._now() - self._started

    def seconds(self) -> float:
        """Seconds of the run, with the calls before."""
        return self._before + self.elapsed()

    def since_saved(self) -> float:
        """Seconds since the last checkpoint, or the start."""
        return self._now() - self._saved

    def saved(self) -> None:
        """A checkpoint was written."""
        self._saved = self._now()

    @contextlib.contextmanager
    def model(self) -> Iterator[None]:
        """Counts what is done in it as the model's time."""
        begun = self._now()
        yield
        self._model += self._now() - begun

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leaves what is done in it out of rates."""
        begun = self._now()
        yield
        self._aside += self._now() - begun

    def row(self, valid: float | None) -> LogRow:
        """A line of the log: the steps since the last one, or an evaluation."""
        run, at = self._run, self._now()
        losses, run.losses = run.losses, []
        n, spent = len(losses), at - self._row_at - (self._aside - self._row_aside)
        rate = (run.tokens - self._row_token) / spent if n and spent > 0 else None
        mean = [sum(values) / n for values in zip(*losses, strict=True)] if n else [None, None]
        if valid is None:
            self._row_at, self._row_token, self._row_aside = at, run.tokens, self._aside
        return LogRow(run.step, run.tokens, self.seconds(), run.lr, mean[0], valid, mean[1], rate)

    def seconds_left(self) -> float:
        """Until the schedule ends, at the speed of this call."""
        done = self._run.part - self._first_part
        return self.elapsed() * (1 - self._run.part) / done if done > 0 else math.inf

    def rate(self) -> float:
        """Tokens a second of this call."""
        spent = self.elapsed() - self._aside
        return (self._run.tokens - self._first_token) / spent if spent > 0 else 0.0

    def outside(self) -> float:
        """Part of this call's time that was not spent in the model."""
        spent = self.elapsed() - self._aside
        return max(0.0, 1 - self._model / spent) if spent > 0 else 0.0
