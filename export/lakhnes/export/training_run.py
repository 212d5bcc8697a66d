"""A training run: its model, one training step, and its state in checkpoints."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lakhnes.export.batches import StreamPosition, TrainingBatch, TrainingStreams
from lakhnes.export.checkpoint_evaluation import evaluate_checkpoint
from lakhnes.export.checkpoints import BEST, LAST, write_checkpoint
from lakhnes.export.lakhnes_checkpoint import Checkpoint
from lakhnes.export.machine import Machine
from lakhnes.export.optimizers import new_optimizers
from lakhnes.export.prepared import PreparedData
from lakhnes.export.train_config import TrainConfig
from lakhnes.export.training_start import new_model, valid_streams
from lakhnes.runtime.errors import CheckpointError, DataError, OptionError, TrainingError
from lakhnes.runtime.files import real_name
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import reading

_NAMED_SONGS = 12
"""Most songs of a bad batch that an error names."""

_Unread = tuple[int, tuple[str, ...], Callable[[], list[float]]]
"""A step, its songs, and a function that returns its loss and gradient norm."""


class TrainingRun:
    """The state of a training run.

    Attributes:
        step: steps so far.
        tokens: tokens seen so far, over all streams and processes.
        seconds: seconds of training so far.
        best: lowest valid loss so far.
        valid: the last valid loss.
        losses: loss and gradient norm of each checked step that is not in the log yet.
    """

    def __init__(
        self,
        data: Sequence[PreparedData],
        folder: Path,
        config: TrainConfig,
        machine: Machine,
        init: Checkpoint | None = None,
    ) -> None:
        """Start at step 0; see `training.train`."""
        self.folder, self.config, self.machine = folder, config, machine
        self._data, self._songs = data, [one.songs("train") for one in data]
        self._codec = data[0].codec
        self._check_data()
        self._valid = valid_streams(data, config.valid_tokens)
        self._started_from = init.source if init else ""
        torch.manual_seed(config.seed)
        self.model = new_model(config, self._codec.vocabulary, init).to(machine.device)
        self.averaged = copy.deepcopy(self.model).requires_grad_(False) if config.ema else self.model
        self._optimizers = new_optimizers(self.model, config)
        self._parallel: nn.Module = self.model
        if machine.world > 1:
            self._parallel = DistributedDataParallel(self.model)
        torch.manual_seed(config.seed + 1 + machine.rank)  # of dropout
        self._memory: list[Tensor | None] = [None] * config.accumulate
        self._position: StreamPosition | None = None
        self._unread: _Unread | None = None
        self._to_compile = config.compile == "on" or (config.compile == "auto" and machine.cuda)
        self.step = self.tokens = 0
        self.seconds = 0.0
        self.best = self.valid = math.inf
        self.losses: list[tuple[float, float]] = []

    @property
    def part(self) -> float:
        """Fraction of the schedule completed, 0..1."""
        c = self.config
        parts = [
            done / whole
            for done, whole in ((self.step, c.steps), (self.tokens, c.tokens), (self.seconds, 60 * c.minutes))
            if whole
        ]
        return min(1.0, max(parts))

    @property
    def lr(self) -> float:
        """Learning rate of the next step: a linear rise, then half a cosine down to the floor."""
        c = self.config
        wave = 0.5 * (1 + math.cos(math.pi * self.part))
        return c.lr * min(1.0, (self.step + 1) / max(1, c.warmup)) * (c.lr_floor + (1 - c.lr_floor) * wave)

    def streams(self) -> TrainingStreams:
        """Return the batches from here."""
        c = self.config
        return TrainingStreams(
            self._songs,
            self._codec,
            c.changes,
            streams=c.streams,
            segment=c.segment,
            seed=c.seed,
            mixture=c.mixture,
            start=self._position,
        )

    def take(self, batch: TrainingBatch) -> None:
        """Run one training step.

        Raises:
            TrainingError: if the loss of a step is not a number; on a GPU the step before is checked.
        """
        c, machine = self.config, self.machine
        n = c.streams // machine.world
        mine = slice(machine.rank * n, (machine.rank + 1) * n)
        tokens, targets, starts = (
            machine.tensor(array[mine]) for array in (batch.tokens, batch.targets, batch.starts)
        )  # [B, T]
        total = torch.zeros((), device=machine.device)
        parts = zip(*(whole.chunk(c.accumulate) for whole in (tokens, targets, starts)), strict=True)
        for index, (segment, wanted, begun) in enumerate(parts):
            with self._synchronised(index == c.accumulate - 1):
                with machine.autocast(c.bf16):
                    logits, self._memory[index] = self._forward(segment, self._memory[index], begun)
                    loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten()) / c.accumulate
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), c.clip or math.inf)
        self._optimizers.step(self.lr)
        self._average()
        unread = self._unread
        self._unread = (self.step, batch.songs, machine.fetched(machine.mean(torch.stack([total, norm]))))
        self.step += 1
        self.tokens += c.step_tokens
        self._position = batch.after
        self._read(unread if machine.cuda else self._unread)  # a GPU works on meanwhile
        if not machine.cuda:
            self._unread = None

    def settle(self) -> None:
        """Check the last step.

        Raises:
            TrainingError: if its loss is not a number.
        """
        self._read(self._unread)
        self._unread = None

    def _read(self, unread: _Unread | None) -> None:
        if unread is None:
            return
        step, songs, read = unread
        loss, norm = read()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            named = ", ".join(songs[:_NAMED_SONGS]) + (", .." if len(songs) > _NAMED_SONGS else "")
            what = "loss" if not math.isfinite(loss) else "gradient"
            raise TrainingError(
                f"The {what} was no number at step {step + 1}, in a batch of {named}. {self.folder / LAST} "
                "is as it was; go on from it with --resume and a lower rate, such as --set lr=0.0003."
            )
        self.losses.append((loss, norm))

    def _forward(self, segment: Tensor, memory: Tensor | None, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [B, T, V] and the next memory; compiled once the memory is full and keeps its size.

        Layers are compiled separately: they are alike, so one compilation serves all.
        """
        mem_len = self.config.mem_len
        if self._to_compile and memory is not None and memory.shape[2] == mem_len:
            for layer in self.model.layers:
                layer.compile()
            self._to_compile = False
        seen = starts if self.config.own_memory else None
        logits, kept = self._parallel(segment, memory, mem_len=mem_len, starts=seen)
        return logits, kept

    def _synchronised(self, last: bool) -> AbstractContextManager[Any]:
        """Return a context that averages gradients of several processes only in the last part of a step."""
        if isinstance(self._parallel, DistributedDataParallel) and not last:
            return self._parallel.no_sync()
        return nullcontext()

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the model's, faster in the first steps."""
        if self.averaged is not self.model:
            decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.model.parameters()), 1 - decay)

    def evaluate(self) -> float:
        """Return the valid loss of the averaged weights, nats a token; save them if it is the lowest.

        It uses the precision and memory of training: a guide, faster than the protocol of `lakhnes evaluate`.

        Raises:
            OutputError: if they cannot be written.
        """
        self.settle()
        if self.machine.rank == 0:
            with self.machine.autocast(self.config.bf16):
                mem_len = self.config.mem_len
                own = self.config.own_memory
                self.valid = evaluate_checkpoint(
                    self.averaged, *self._valid, mem_len=mem_len, own_memory=own
                ).loss
        self.model.train()
        (self.valid,) = self.machine.said_by_first([self.valid])
        if self.valid < self.best:
            self.best = self.valid
            if self.machine.rank == 0:
                write_checkpoint(self.folder / BEST, self._public())
        return self.valid

    def save(self) -> None:
        """Write the full state of the run.

        Raises:
            OutputError: if it cannot be written; the earlier checkpoint stays.
        """
        self.settle()
        rng = {"torch": torch.get_rng_state()}
        if self.machine.cuda:
            rng["cuda"] = torch.cuda.get_rng_state()
        memory = [None if rows is None else rows.cpu() for rows in self._memory]
        ranks = self.machine.gathered({"rng": rng, "memory": memory})
        position = self._position
        if self.machine.rank == 0:
            state = {
                "optimizer": self._optimizers.state_dict(),
                "ranks": ranks,
                "data": position.to_dict() if position else None,
                "songs": [[len(songs), len(songs.tokens)] for songs in self._songs],
            }
            write_checkpoint(self.folder / LAST, self._public() | state)

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint of `save`.

        Raises:
            CheckpointError: if it is broken, or from other data, sizes or processes.
        """
        path = self.folder / LAST
        if state.get("songs") != [[len(songs), len(songs.tokens)] for songs in self._songs]:
            raise CheckpointError(
                f"{path} was trained on other data; give the same folders in the same order."
            )
        with reading(path, CheckpointError, "It does not fit this run, or is broken; start another run."):
            self.model.load_state_dict(state["model"])
            if state["ema"] is not None and self.averaged is not self.model:
                self.averaged.load_state_dict(state["ema"])
            self._optimizers.load_state_dict(state["optimizer"])
            position = StreamPosition.from_dict(state["data"]) if state["data"] else None
            if position is not None and len(position.left) != self.config.streams:
                raise CheckpointError(
                    f"{path} has {len(position.left)} streams, not {self.config.streams}; keep their number."
                )
            if position is not None and max(map(max, position.left)) >= len(self._codec.vocabulary):
                raise ValueError("it has tokens that are not in the vocabulary")
            self._position = position
            self._load_rank(state["ranks"])
            self.step, self.tokens = _count(state["step"]), _count(state["tokens_seen"])
            self.best, self.valid = _number(state["best"]), _number(state["valid"])
            self.seconds = _number(state["seconds"])
            if not 0 <= self.seconds < math.inf:
                raise ValueError("its time is none")
            self._started_from = printable(str(state["started_from"])[:200])

    def _load_rank(self, ranks: Sequence[Mapping[str, Any]]) -> None:
        """Restore random state and memory of this process.

        Share the memory out again if processes changed.
        """
        machine, n_parts = self.machine, self.config.accumulate
        if len(ranks) == machine.world:
            rng = ranks[machine.rank]["rng"]
            torch.set_rng_state(rng["torch"])
            if machine.cuda and "cuda" in rng:
                torch.cuda.set_rng_state(rng["cuda"])
        rows = [part for rank in ranks for part in rank["memory"]]
        if any(part is None for part in rows):
            return
        whole = torch.cat(rows, 1)  # [L, streams, M, d_model]
        c = self.config
        if (whole.ndim, *whole.shape[:2], whole.shape[-1]) != (4, c.n_layer, c.streams, c.d_model):
            raise ValueError("its memory is of another size")
        if not whole.is_floating_point():
            raise ValueError("its memory has numbers of another kind")
        mine = whole.chunk(machine.world, 1)[machine.rank]
        mine = mine[:, :, max(0, mine.shape[2] - self.config.mem_len) :]
        self._memory = [part.contiguous().to(machine.device) for part in mine.chunk(n_parts, 1)]

    def _public(self) -> dict[str, Any]:
        """Return the description in a checkpoint, for programs that use the model."""
        return {
            "model_config": asdict(self.model.config),
            "events": self._codec.vocabulary.name,
            "timing": self._codec.timing.value,
            "model": self.model.state_dict(),
            "ema": self.averaged.state_dict() if self.averaged is not self.model else None,
            "step": self.step,
            "tokens_seen": self.tokens,
            "seconds": self.seconds,
            "best": self.best,
            "valid": self.valid,
            "train_config": self.config.to_dict(),
            "started_from": self._started_from,
            "provenance": self._provenance(),
        }

    def _provenance(self) -> str:
        names = ", ".join(dict.fromkeys(real_name(one.folder) for one in self._data))
        start = f" from {self._started_from}" if self._started_from else ""
        c = self.config
        return (
            f"Trained{start} by lakhnes train on {names}: {self.step} steps, {self.tokens / 1e6:.2f} M "
            f"tokens, {self.seconds / 3600:.2f} h on {self.machine.name}; {c.streams} x {c.segment} "
            f"tokens a step, memory {c.mem_len}, lr {c.lr:g}, dropout {c.dropout:g}, seed {c.seed}."
        )

    def _check_data(self) -> None:
        c, world = self.config, self.machine.world
        for one in self._data[1:]:
            if (one.vocabulary, one.timing) != (self._codec.vocabulary, self._codec.timing):
                raise DataError(
                    f"{one.folder} has {one.vocabulary.name} in {one.timing}, but {self._data[0].folder} "
                    f"{self._codec.vocabulary.name} in {self._codec.timing}; prepare them alike."
                )
        if c.mixture and len(c.mixture) != len(self._data):
            raise OptionError(
                f"mixture has {len(c.mixture)} weights for {len(self._data)} folders; give one each."
            )
        if c.streams % (world * c.accumulate):
            raise OptionError(
                f"streams = {c.streams} is not divisible by {world} processes x accumulate = {c.accumulate}."
            )
        if not (c.steps or c.tokens or c.minutes):
            raise OptionError("The schedule has no end; give steps, tokens or minutes.")


def _count(value: object) -> int:
    """Return a number of steps or tokens from a checkpoint."""
    if type(value) is not int or not 0 <= value < 1 << 60:
        raise ValueError("a number of steps or tokens is none")
    return value


def _number(value: object) -> float:
    """Return seconds or a loss from a checkpoint; a loss may be infinite or nan."""
    if not isinstance(value, int | float):
        raise ValueError("a time or a loss is no number")
    return float(value)
