"""The training side on a GPU."""

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest
from small_training import small_config, small_data

torch = pytest.importorskip("torch")

from lakhnes.export import TransformerXL  # noqa: E402
from lakhnes.export.checkpoints import LAST, read_checkpoint  # noqa: E402
from lakhnes.export.prepared import PreparedData  # noqa: E402
from lakhnes.export.training import train  # noqa: E402

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]

STEPS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return small_data(tmp_path_factory.mktemp("data"))


def run(data: PreparedData, folder: Path, **changes: Any) -> float:
    """The valid loss after some steps on the GPU."""
    folder.mkdir(exist_ok=True)
    result = train([data], folder, small_config(steps=STEPS, dropout=0, **changes))
    assert result.finished
    return result.valid


@pytest.mark.parametrize("autocast", [False, True])
def test_it_computes_what_the_cpu_does(autocast: bool) -> None:
    torch.manual_seed(0)
    sizes = small_config(d_model=64, d_inner=128, n_layer=3, dropout=0)
    here = TransformerXL(sizes.model(631))
    for parameter in here.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    there = copy.deepcopy(here).cuda()
    tokens = torch.randint(0, 631, (3, 40))
    memories: list[Any] = [None, None]
    for segment in tokens.split(20, 1):  # the second one with a memory
        losses = []
        for index, model in enumerate((here, there)):
            device = model.embedding.weight.device
            with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
                logits, memories[index] = model(segment.to(device), memories[index], mem_len=24)
            losses.append(
                torch.nn.functional.cross_entropy(logits.float()[:, :-1].mT, segment[:, 1:].to(device))
            )
            losses[-1].backward()
        tolerance = 2e-2 if autocast else 1e-3  # bfloat16; TF32
        assert losses[1].item() == pytest.approx(losses[0].item(), rel=tolerance)
    for (name, one), two in zip(here.named_parameters(), there.parameters(), strict=True):
        apart = (one.grad - two.grad.cpu()).norm() / one.grad.norm()
        assert apart < (5e-2 if autocast else 5e-3), name


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_compiled_layers_learn_what_plain_ones_do(data: PreparedData, tmp_path: Path, optimizer: str) -> None:
    plain = run(data, tmp_path / "plain", compile="off", optimizer=optimizer)
    compiled = run(data, tmp_path / "compiled", compile="on", optimizer=optimizer)
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_a_stopped_run_goes_on(data: PreparedData, tmp_path: Path) -> None:
    whole = run(data, tmp_path / "whole", compile="off")
    config, parts = small_config(steps=STEPS, dropout=0, compile="off"), tmp_path / "parts"
    parts.mkdir()
    asked = itertools.count()
    stopped = train([data], parts, config, should_stop=lambda: next(asked) >= STEPS // 2)
    assert not stopped.finished
    result = train([data], parts, config, resume=True)
    assert result.finished
    assert result.valid == pytest.approx(whole, rel=1e-4)
    assert read_checkpoint(parts / LAST)["step"] == STEPS


def test_bfloat16_learns(data: PreparedData, tmp_path: Path) -> None:
    config = small_config(steps=120, valid_every=0, bf16=True, compile="off", dropout=0.1)
    assert train([data], tmp_path, config).valid < 5.4  # nats; from ln 631 = 6.4
