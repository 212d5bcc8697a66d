"""The optimisers of training: AdamW, or Muon for the matrices of layers with AdamW for the rest.

References:
- Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization": AdamW.
- Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".
- Liu et al. 2025, "Muon is Scalable for LLM Training": steps as large as AdamW's, so that one learning rate
  does for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lakhnes.export.train_config import TrainConfig


class Optimizers:
    """Several optimisers, each with parameters of its own, that step together."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self._parts = parts

    def step(self, lr: float) -> None:
        """Moves all parameters along their gradients, which are dropped.

        Args:
            lr: learning rate of this step.
        """
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = lr
            part.step()
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """All that they need to go on."""
        return {type(part).__name__: part.state_dict() for part in self._parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state_dict`: what they keep of each parameter; their settings stay as they are.

        Raises:
            KeyError, ValueError: if it is of other optimisers or parameters.
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


_KEPT = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "Muon": {"momentum_buffer"}}
"""What each optimiser keeps of a parameter: tensors of its shape, and a number of steps."""


def _check_kept(kept: Mapping[str, Tensor], parameter: Tensor, names: set[str]) -> None:
    """Refuses what a step would not get along with."""
    shapes = {name: value.shape for name, value in kept.items()}
    steps = torch.Size([])
    if shapes != {name: steps if name == "step" else parameter.shape for name in names}:
        raise ValueError("the optimizer has other parameters")
    if any(value.dtype != torch.float32 for value in kept.values()):
        raise ValueError("the optimizer has numbers of another kind")


def new_optimizers(model: nn.Module, config: TrainConfig) -> Optimizers:
    """What moves a model's parameters; only the matrices of layers decay."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "layers." in name else others).append(parameter)
    if config.optimizer == "adamw":
        return Optimizers(_adamw(config, (matrices, config.weight_decay), (others, 0.0)))
    muon = torch.optim.Muon(
        matrices, config.lr, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    return Optimizers(muon, _adamw(config, (others, 0.0)))


def _adamw(config: TrainConfig, *groups: tuple[list[Tensor], float]) -> torch.optim.AdamW:
    """AdamW for groups of parameters, each with its weight decay."""
    given = [{"params": params, "weight_decay": decay} for params, decay in groups]
    return torch.optim.AdamW(given, config.lr, (config.beta1, config.beta2), fused=True)
