import resource
from pathlib import Path
from typing import Any

import pytest
from small_training import small_config, small_data

torch = pytest.importorskip("torch")

from lakhnes.export import export_model, open_checkpoint  # noqa: E402
from lakhnes.export.checkpoints import (  # noqa: E402
    BEST,
    LAST,
    read_checkpoint,
    write_checkpoint,
    write_parts,
)
from lakhnes.export.exporter import reference_logits  # noqa: E402
from lakhnes.export.training import train  # noqa: E402
from lakhnes.runtime import CheckpointError, Model, ModelError, OutputError, Timing, tx1  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train([small_data(folder / "data")], folder, small_config())
    return folder


def test_ours_opens_with_averaged_weights(run: Path) -> None:
    opened, state = open_checkpoint(run / LAST), read_checkpoint(run / LAST)
    assert opened.vocabulary == tx1()
    assert opened.timing is Timing.FRAMES
    assert "12 steps" in opened.provenance
    for name, weight in opened.model.state_dict().items():
        assert torch.equal(weight, state["ema"][name])
    assert not torch.equal(state["ema"]["content_bias"], state["model"]["content_bias"])
    assert not opened.model.training


def test_a_runs_folder_is_its_best(run: Path) -> None:
    assert open_checkpoint(run).source == BEST
    assert "optimizer" not in read_checkpoint(run / BEST)


def test_every_kind_opens(run: Path, shared: Path, tmp_path: Path) -> None:
    assert open_checkpoint("nes-frames").timing is Timing.FRAMES
    assert open_checkpoint(shared / "fixtures/lakhnes/tiny").timing is None
    assert open_checkpoint(shared / "fixtures/lakhnes/tiny_legacy/model.pt").source == "model.pt"
    info = export_model(open_checkpoint(run), tmp_path / "mine", mem_len=24)
    assert info.timing is Timing.FRAMES
    assert info.provenance.startswith("Trained by lakhnes train on data")
    for place in (tmp_path / "mine", tmp_path / "mine/model.onnx"):
        assert open_checkpoint(place).source == "mine"
    Model.load(tmp_path / "mine")


def test_parts_join_to_a_lighter_checkpoint(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakhnes.export.checkpoints.PART_BYTES", 20_000)
    parts = write_parts(run / LAST, tmp_path / "parts")
    assert len(parts) > 1
    assert [part.stat().st_size for part in parts[:-1]] == [20_000] * (len(parts) - 1)
    joined = tmp_path / "joined.pt"
    joined.write_bytes(b"".join(part.read_bytes() for part in sorted(parts)))
    assert joined.stat().st_size < (run / LAST).stat().st_size
    tokens = list(range(0, 600, 10))
    one, two = (reference_logits(open_checkpoint(p).model, tokens, 16) for p in (run / LAST, joined))
    assert abs(one - two).max() < 0.01


def test_what_is_no_checkpoint_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing-of-the-kind is not there"):
        open_checkpoint("nothing-of-the-kind")
    with pytest.raises(CheckpointError, match="is not there"):
        open_checkpoint(tmp_path / "none.pt")
    whole = (run / LAST).read_bytes()
    for name, content in {"cut.pt": whole[: len(whole) // 2], "text.pt": b"hello", "empty.pt": b""}.items():
        (tmp_path / name).write_bytes(content)
        for read in (open_checkpoint, read_checkpoint):
            with pytest.raises(CheckpointError, match=name):
                read(tmp_path / name)
    torch.save({"format": "lakhnes-train 9"}, tmp_path / "new.pt")
    with pytest.raises(CheckpointError, match="format 'lakhnes-train 9'"):
        open_checkpoint(tmp_path / "new.pt")
    state = read_checkpoint(run / BEST)
    state["model_config"]["d_model"] = 20
    write_checkpoint(tmp_path / "sizes.pt", state)
    with pytest.raises(CheckpointError, match="do not fit its sizes"):
        open_checkpoint(tmp_path / "sizes.pt")


def test_it_is_read_to_the_bit_as_pytorch_does(run: Path) -> None:
    for name in (LAST, BEST):
        ours, theirs = read_checkpoint(run / name), torch.load(run / name, weights_only=True)
        assert list(ours) == list(theirs)
        compare(ours, theirs)


def compare(one: Any, other: Any) -> None:
    if isinstance(other, torch.Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    elif isinstance(other, dict | list | tuple):
        pairs = (
            [(one[k], other[k]) for k in other] if isinstance(other, dict) else zip(one, other, strict=True)
        )
        assert len(one) == len(other)
        for mine, theirs in pairs:
            compare(mine, theirs)
    else:
        assert (type(one), repr(one)) == (type(other), repr(other))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_config": None}, "cannot be read"),
        ({"model_config": {"n_layer": 2}}, "cannot be read"),
        ({"events": ["tx1"]}, "its events are a list"),
        ({"events": {}}, "its events are a dict"),
        ({"events": "tx9"}, "its events are 'tx9'"),
        ({"timing": 3}, "its timing is 3"),
        ({"provenance": None}, "its provenance is None"),
        ({"ema": {"content_bias": 1}}, "its weights are missing"),
        ({"ema": {}}, "its weights do not fit its sizes"),
        ({"ema": None, "model": None}, "its weights are missing"),
    ],
)
def test_what_a_checkpoint_states_is_checked(
    run: Path, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    write_checkpoint(tmp_path / "odd.pt", read_checkpoint(run / BEST) | change)
    with pytest.raises(CheckpointError, match=rf"odd\.pt .*{reason}"):
        open_checkpoint(tmp_path / "odd.pt")


@pytest.mark.parametrize(
    ("size", "value"),
    [
        ("n_layer", 1 << 40),
        ("n_layer", 200),
        ("n_head", 0),
        ("d_model", -2),
        ("d_inner", 1 << 19),
        ("d_head", 8.0),
        ("d_embed", True),
        ("n_token", "631"),
        ("dropout", float("nan")),
        ("pre_lnorm", 1),
        ("clamp_len", 1 << 60),
    ],
)
def test_sizes_of_ours_are_compared_with_its_weights(
    run: Path, tmp_path: Path, size: str, value: object
) -> None:
    state = read_checkpoint(run / BEST)
    state["model_config"][size] = value
    write_checkpoint(tmp_path / "odd.pt", state)
    with pytest.raises(CheckpointError, match=r"odd\.pt is broken: its (n_|d_|weights|dropout|pre_l|clamp)"):
        open_checkpoint(tmp_path / "odd.pt")


def test_tensors_over_the_same_numbers_take_no_more_than_the_file(run: Path, tmp_path: Path) -> None:
    numbers = torch.zeros(1 << 22)
    many = {str(place): numbers[place:] for place in range(20)}
    write_checkpoint(tmp_path / "odd.pt", read_checkpoint(run / BEST) | {"optimizer": many})
    with pytest.raises(CheckpointError, match=r"odd\.pt is refused: .*far more than the file"):
        read_checkpoint(tmp_path / "odd.pt")
    assert open_checkpoint(tmp_path / "odd.pt").source == "odd.pt", "what is not needed is not read"


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))  # type: ignore[return-value]


def test_a_pickle_with_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": "lakhnes-train 1", "model": Bomb()}, tmp_path / "bomb.pt")
    for read in (open_checkpoint, read_checkpoint):
        with pytest.raises(CheckpointError, match=r"bomb\.pt"):
            read(tmp_path / "bomb.pt")
    assert not (tmp_path / "exploded").exists()


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / LAST
    write_checkpoint(path, {"step": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"last\.pt cannot be written: File too large"):
            write_checkpoint(path, {"step": 2, "weights": torch.zeros(1_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_checkpoint(path)["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == [LAST]
