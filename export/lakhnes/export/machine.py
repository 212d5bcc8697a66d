"""Where training runs: the CPU or a GPU, in one process or in several that torchrun started."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor


class Machine:
    """The device of this process and its place among the others; use it as a context.

    Attributes:
        rank: number of this process, 0 for the one that writes and speaks.
        world: number of processes.
        device: where the model is.
        name: of that kind of device.
    """

    def __init__(self, *, threads: int = 0) -> None:
        """Finds out; sets the number of cores that PyTorch uses.

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
        """Matrix products in bfloat16, or as they are."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """An array on the device; to a GPU while it still works on the last one."""
        tensor = torch.from_numpy(array).contiguous()
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.cuda else tensor

    def fetched(self, values: Tensor) -> Callable[[], list[float]]:
        """Values of the device, to be had later without waiting for what it was told to do after them."""
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
        """The mean over all processes."""
        if self.world > 1:
            dist.all_reduce(values)
            values /= self.world
        return values

    def said_by_first(self, values: list[float]) -> list[float]:
        """What the first process says, in all of them."""
        if self.world == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        result: list[float] = shared.tolist()
        return result

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes, in all of them."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values
