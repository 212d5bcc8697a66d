import resource
from pathlib import Path

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
    assert open_checkpoint("nes-6x384").timing is Timing.FRAMES
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
