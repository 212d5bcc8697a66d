"""The machine of a training run: the CPU or a GPU, in one process or in several from torchrun."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor


class Machine:
    """The device of this process and its rank; use it as a context.

    Attributes:
        rank: number of this process; process 0 writes and prints.
        world: number of processes.
        device: device of the model.
        name: name of the kind of device.
    """

    def __init__(self, *, threads: int = 0) -> None:
        """Detect the device, and set the number of cores for PyTorch.

        Args:
            threads: cores; 0 for all, shared among the processes.
        """
        self.rank = int(os.environ.get("RANK", "0"))
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.cuda = torch.cuda.is_available()
        self.device = (
            torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if self.cuda else torch.device("cpu")
        )
        self.name = torch.cuda.get_device_name(self.device) if self.cuda else "cpu"
        if self.cuda:
            torch.cuda.set_device(self.device)
            torch.set_float32_matmul_precision("high")  # TF32
        elif threads or self.world > 1:
            torch.set_num_threads(threads or max(1, (os.cpu_count() or 1) // self.world))

    def __enter__(self) -> Machine:
        if self.world > 1:
            dist.init_process_group("nccl" if self.cuda else "gloo")
        return self

    def __exit__(self, *_: object) -> None:
        if self.world > 1:
            dist.destroy_process_group()

    def autocast(self, bf16: bool) -> AbstractContextManager[Any]:
        """Return bfloat16 for matrix products if wanted and faster, or no change."""
        enabled = bf16 and (self.cuda or bfloat16_pays())
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """Return an array on the device; a GPU may still work on the last one."""
        tensor = torch.from_numpy(array).contiguous()
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.cuda else tensor

    def fetched(self, values: Tensor) -> Callable[[], list[float]]:
        """Return a function for later access to values of the device, which does not wait for later work."""
        if not self.cuda:
            return values.tolist
        host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()

        def read() -> list[float]:
            done.synchronize()
            result: list[float] = host.tolist()
            return result

        return read

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all processes."""
        if self.world > 1:
            dist.all_reduce(values)
            values /= self.world
        return values

    def said_by_first(self, values: list[float]) -> list[float]:
        """Return the first process's values, in all processes."""
        if self.world == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        result: list[float] = shared.tolist()
        return result

    def gathered(self, value: Any) -> list[Any]:
        """Return the values of all processes, in all processes."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values


@cache
def bfloat16_pays() -> bool:
    """Return whether this CPU multiplies matrices faster in bfloat16 than in single precision.

    Many CPUs have no bfloat16 and take thirty times as long, so both are timed for some milliseconds.
    """

    def seconds(kind: torch.dtype) -> float:
        matrix = torch.ones(256, 256, dtype=kind)
        tries = []
        for _ in range(3):
            begun = time.perf_counter()
            matrix @ matrix
            tries.append(time.perf_counter() - begun)
        return min(tries)

    return seconds(torch.bfloat16) < seconds(torch.float32)
