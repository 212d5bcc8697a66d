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
    """Progress of a run."""

    part: float
    """Fraction of the schedule completed, 0..1."""
    row: LogRow
    """The newest line of the log."""
    best: float
    """Lowest valid loss so far, nats a token; infinite before the first evaluation."""
    seconds_left: float
    """Seconds until the schedule ends, at the speed of this call."""


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a call of `train`."""

    step: int
    tokens: int
    seconds: float
    """Seconds of training, including earlier calls."""
    loss: float
    """Training loss of the last line of the log that has one, nats a token."""
    valid: float
    """Valid loss of the last evaluation, nats a token."""
    best: float
    """Lowest valid loss, nats a token."""
    finished: bool
    """Whether the schedule is complete; if not, the run can continue."""
    rate: float
    """Tokens a second of this call, without evaluations and checkpoints."""
    outside: float
    """Fraction of this call's time outside the model, without evaluations and checkpoints."""


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
    """Train until the schedule or the budget ends, or until told to stop; then save.

    Args:
        data: prepared songs; their train splits are mixed, their valid splits evaluated.
        folder: existing folder of the run, for checkpoints, log and curves.
        config: the settings.
        init: initial weights, with the sizes of `config`.
        resume: whether to continue from the folder's last checkpoint.
        budget_seconds: longest time of this call.
        should_stop: called before every step.
        watch: called with each line of the log.
        now: the clock, in seconds.

    Raises:
        DataError: if the data are inconsistent, or a split is empty.
        OptionError: if the settings do not fit the data or the processes.
        CheckpointError: if weights or run do not fit data or settings.
        TrainingError: if another process trains in the folder, or the loss is no longer a number; the last
            checkpoint stays unchanged.
        OutputError: if a file cannot be written.
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
    """The clock of a call: where its time went."""

    def __init__(self, now: Callable[[], float], run: TrainingRun) -> None:
        self._now, self._run = now, run
        self._started = self._saved = self._row_at = now()
        self._before, self._first_token, self._row_token = run.seconds, run.tokens, run.tokens
        self._first_part = run.part
        self._model = self._aside = self._row_aside = 0.0

    def elapsed(self) -> float:
        """Return the seconds of this call."""
        return self._now() - self._started

    def seconds(self) -> float:
        """Return the seconds of the run, including earlier calls."""
        return self._before + self.elapsed()

    def since_saved(self) -> float:
        """Return the seconds since the last checkpoint, or since the start."""
        return self._now() - self._saved

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._saved = self._now()

    @contextlib.contextmanager
    def model(self) -> Iterator[None]:
        """Count the time inside this context as the model's."""
        begun = self._now()
        yield
        self._model += self._now() - begun

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the time inside this context out of rates."""
        begun = self._now()
        yield
        self._aside += self._now() - begun

    def row(self, valid: float | None) -> LogRow:
        """Return a line of the log, for the steps since the last line or for an evaluation."""
        run, at = self._run, self._now()
        losses, run.losses = run.losses, []
        n, spent = len(losses), at - self._row_at - (self._aside - self._row_aside)
        rate = (run.tokens - self._row_token) / spent if n and spent > 0 else None
        mean = [sum(values) / n for values in zip(*losses, strict=True)] if n else [None, None]
        if valid is None:
            self._row_at, self._row_token, self._row_aside = at, run.tokens, self._aside
        return LogRow(run.step, run.tokens, self.seconds(), run.lr, mean[0], valid, mean[1], rate)

    def seconds_left(self) -> float:
        """Return the seconds until the schedule ends, at the speed of this call."""
        done = self._run.part - self._first_part
        return self.elapsed() * (1 - self._run.part) / done if done > 0 else math.inf

    def rate(self) -> float:
        """Return the tokens a second of this call."""
        spent = self.elapsed() - self._aside
        return (self._run.tokens - self._first_token) / spent if spent > 0 else 0.0

    def outside(self) -> float:
        """Return the fraction of this call's time outside the model."""
        spent = self.elapsed() - self._aside
        return max(0.0, 1 - self._model / spent) if spent > 0 else 0.0
