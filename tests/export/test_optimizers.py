from typing import Any

import pytest
from small_training import small_config

torch = pytest.importorskip("torch")

from lakhnes.export.optimizers import Muon, new_optimizers  # noqa: E402
from lakhnes.export.transformer_xl import TransformerXL  # noqa: E402

pytestmark = pytest.mark.train

MATRIX, BIAS, EMBEDDING = "layers.0.feed_forward.wide.weight", "output.bias", "embedding.weight"


def moved(optimizer: str, lr: float, gradient: float, **changes: Any) -> dict[str, Any]:
    """How far one step moves each parameter, whose gradients are all alike but for chance."""
    torch.manual_seed(0)
    config = small_config(optimizer=optimizer, **changes)
    model = TransformerXL(config.model(631))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = gradient * torch.randn_like(parameter)
    new_optimizers(model, config).step(lr)
    assert all(parameter.grad is None for parameter in model.parameters())
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}


@pytest.mark.parametrize("gradient", [1e-3, 1.0])
def test_muon_moves_matrices_in_all_directions_alike_and_as_far_as_adamw(gradient: float) -> None:
    steps = moved("muon", 1e-2, gradient, weight_decay=0)
    values = torch.linalg.svdvals(steps[MATRIX])
    assert values.max() / values.min() < 3  # of a matrix by chance some 6
    assert 0.1e-2 < steps[MATRIX].square().mean().sqrt() < 0.4e-2
    for name in (BIAS, EMBEDDING):
        torch.testing.assert_close(steps[name], moved("adamw", 1e-2, gradient)[name])


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_only_matrices_of_layers_decay(optimizer: str) -> None:
    plain = moved(optimizer, 1e-2, 1.0, weight_decay=0)
    decayed = moved(optimizer, 1e-2, 1.0, weight_decay=0.5)
    for name, step in plain.items():
        matrix = step.ndim == 2 and "layers." in name
        assert torch.equal(step, decayed[name]) is not matrix, name


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_rate_is_that_of_the_step(optimizer: str) -> None:
    one, two = (moved(optimizer, lr, 1.0, weight_decay=0) for lr in (1e-3, 2e-3))
    for name, step in one.items():
        torch.testing.assert_close(2 * step, two[name], atol=1e-6, rtol=1e-3)


def test_muon_in_single_precision_is_pytorchs() -> None:
    torch.manual_seed(0)
    start = [torch.randn(40, 100), torch.randn(90, 30)]
    pairs = []
    for kind in (Muon, torch.optim.Muon):
        matrices = [torch.nn.Parameter(matrix.clone()) for matrix in start]
        pairs.append((matrices, kind(matrices, 1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")))
    for _ in range(5):
        gradients = [torch.randn_like(matrix) for matrix in start]
        for matrices, optimizer in pairs:
            for matrix, gradient in zip(matrices, gradients, strict=True):
                matrix.grad = gradient.clone()
            optimizer.step()
    for ours, theirs, before in zip(pairs[0][0], pairs[1][0], start, strict=True):
        moved = (theirs - before).abs().mean()
        assert (ours - theirs).abs().mean() < 0.05 * moved  # PyTorch's rounds to 8 bits
        assert moved > 0.001
