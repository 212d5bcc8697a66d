"""Optimisers for training: AdamW, or Muon for the matrices of layers with AdamW for the rest.

References:
- Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization": AdamW.
- Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".
- Liu et al. 2025, "Muon is Scalable for LLM Training": steps as large as AdamW's, so that one learning rate
  serves both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lakhnes.export.machine import bfloat16_pays
from lakhnes.export.train_config import TrainConfig


class Optimizers:
    """Several optimisers that step together, each with its own parameters."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self._parts = parts

    def step(self, lr: float) -> None:
        """Update all parameters from their gradients, then drop the gradients.

        Args:
            lr: learning rate of this step.
        """
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = lr
            part.step()
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Return the full state for continuing."""
        return {type(part).__name__: part.state_dict() for part in self._parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`: the state of each parameter; the settings stay unchanged.

        Raises:
            KeyError, ValueError: if it belongs to other optimisers or parameters.
        """
        for part in self._parts:
            found, own = state[type(part).__name__], part.state_dict()
            numbers = [group["params"] for group in own["param_groups"]]
            if [group["params"] for group in found["param_groups"]] != numbers:
                raise ValueError("the optimizer has other parameters")
            parameters = [parameter for group in part.param_groups for parameter in group["params"]]
            for number, kept in found["state"].items():
                _check_kept(kept, parameters[number], _KEPT[type(part).__name__])
            part.load_state_dict({"state": found["state"], "param_groups": own["param_groups"]})


class Muon(torch.optim.Muon):
    """PyTorch's Muon in single instead of bfloat16 precision, for CPUs that are slow with bfloat16.

    Source: `torch.optim.Muon`; Jordan et al. 2024 for the coefficients.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update the parameters from their orthogonalised gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                mean = state["momentum_buffer"].lerp_(parameter.grad, 1 - group["momentum"])
                way = parameter.grad.lerp(mean, group["momentum"]) if group["nesterov"] else mean
                lr = group["lr"]
                parameter.mul_(1 - lr * group["weight_decay"])
                step = 0.2 * math.sqrt(max(way.shape)) * lr  # as large as AdamW's
                parameter.add_(_orthogonal(way, group["ns_coefficients"], group["ns_steps"]), alpha=-step)


def _orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int) -> Tensor:
    """Return a matrix with singular values near 1, by Newton-Schulz iterations."""
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if tall else matrix
    found = found / found.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.T if tall else found


_KEPT = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "Muon": {"momentum_buffer"}}
"""State of each optimiser per parameter: tensors of its shape, and a number of steps."""


def _check_kept(kept: Mapping[str, Tensor], parameter: Tensor, names: set[str]) -> None:
    """Refuse a state that a step cannot use."""
    shapes = {name: value.shape for name, value in kept.items()}
    steps = torch.Size([])
    if shapes != {name: steps if name == "step" else parameter.shape for name in names}:
        raise ValueError("the optimizer has other parameters")
    if any(value.dtype != torch.float32 for value in kept.values()):
        raise ValueError("the optimizer has numbers of another kind")


def new_optimizers(model: nn.Module, config: TrainConfig) -> Optimizers:
    """Return the optimisers of a model; only the matrices of layers decay."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "layers." in name else others).append(parameter)
    if config.optimizer == "adamw":
        return Optimizers(_adamw(config, (matrices, config.weight_decay), (others, 0.0)))
    made = torch.optim.Muon if matrices[0].is_cuda or bfloat16_pays() else Muon
    muon = made(matrices, config.lr, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
    return Optimizers(muon, _adamw(config, (others, 0.0)))


def _adamw(config: TrainConfig, *groups: tuple[list[Tensor], float]) -> torch.optim.AdamW:
    """Return AdamW for groups of parameters, each with its weight decay."""
    given = [{"params": params, "weight_decay": decay} for params, decay in groups]
    return torch.optim.AdamW(given, config.lr, (config.beta1, config.beta2), fused=True)
