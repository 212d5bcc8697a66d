import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_training import small_data
from support import lakhnes_here

torch = pytest.importorskip("torch")

from lakhnes.export.checkpoints import read_checkpoint  # noqa: E402
from lakhnes.runtime import Model  # noqa: E402

pytestmark = pytest.mark.train

SMALL = {
    "n_layer": 2,
    "d_model": 32,
    "d_inner": 32,
    "streams": 4,
    "segment": 16,
    "mem_len": 16,
    "threads": 1,
    "valid_every": 20,
    "valid_tokens": 1280,
    "log_every": 5,
    "dropout": 0.1,
}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "lakhnes.cli", *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def lakhnes(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment(), timeout=300)


def settings(**changes: object) -> list[str]:
    return [word for key, value in (SMALL | changes).items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data(tmp_path_factory.mktemp("data") / "songs").folder


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if file.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{file} did not come")


def test_a_run_becomes_a_model_that_plays(data: Path, tmp_path: Path) -> None:
    toml = tmp_path / "run.toml"
    toml.write_text('preset = "tiny"\n' + "".join(f"{key} = {value}\n" for key, value in SMALL.items()))
    done = lakhnes(
        "train",
        data,
        "-o",
        tmp_path / "run",
        "--config",
        toml,
        "--steps",
        10,
        "--export-parts",
        tmp_path / "parts",
    )
    assert done.returncode == 0, done.stderr
    assert "finished: step 10, 0.00 M tokens" in done.stdout
    assert "100.0 %  step 10" in done.stderr
    assert [part.name for part in (tmp_path / "parts").iterdir()] == ["best.pt.part000"]
    done = lakhnes("export", tmp_path / "run", "-o", tmp_path / "model", "--mem-len", 24, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["timing"] == "frames"
    assert Model.load(tmp_path / "model").info.provenance.startswith("Trained by lakhnes train on songs")
    again = ["train", data, "-o", tmp_path / "more", "--init", tmp_path / "model", "--steps", 1, "--json"]
    done = lakhnes(*again, *settings(n_head=2))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["finished"] is True


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_goes_on_to_the_same_bits(
    data: Path, tmp_path: Path, how: signal.Signals
) -> None:
    steps = 300  # it must not be over before the signal comes
    options = ["--preset", "tiny", "--steps", steps, "--json", *settings(checkpoint_minutes=0.01)]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    one = lakhnes("train", data, "-o", whole, *options)
    assert one.returncode == 0, one.stderr
    process = subprocess.Popen(
        command("train", data, "-o", parts, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    wait_for(parts / ("best.pt" if how is not signal.SIGKILL else "last.pt"), process)
    process.send_signal(how)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    step = read_checkpoint(parts / "last.pt")["step"]
    assert step < steps
    if how is not signal.SIGKILL:
        assert json.loads(said)["finished"] is False
        assert json.loads(said)["step"] == step
    two = lakhnes("train", data, "-o", parts, "--resume", "--json")
    assert two.returncode == 0, two.stderr
    first, second = (read_checkpoint(folder / "last.pt") for folder in (whole, parts))
    assert first["valid"] == second["valid"]
    for kind in ("model", "ema"):
        assert all(torch.equal(first[kind][name], second[kind][name]) for name in first[kind])


def test_wrong_use_is_one_sentence(data: Path, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        done = lakhnes_here("train", *arguments, cwd=tmp_path)
        assert done.returncode in (1, 2)
        assert not done.stdout
        assert len(done.stderr.strip().splitlines()) == 1
        return done.stderr

    run = tmp_path / "run"
    assert "lakhnes prepare" in refused(tmp_path / "none", "-o", run)
    assert "no setting 'speed'" in refused(data, "-o", run, "--set", "speed=1")
    assert "--set fast is no setting" in refused(data, "-o", run, "--set", "fast")
    assert "n_layer = 6, not 12" in refused(data, "-o", run, "--preset", "paper", "--init", "nes-6x384")
    assert "last.pt is not there" in refused(data, "-o", tmp_path / "nothing", "--resume")
    run.mkdir(exist_ok=True)
    (run / "last.pt").write_bytes(b"broken")
    assert "holds a run; go on with it by --resume" in refused(data, "-o", run)
    assert "last.pt is refused" in refused(data, "-o", run, "--resume")
    shard = data / "train-00000.npz"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    try:
        assert "train-00000.npz cannot be read" in refused(data, "-o", tmp_path / "new", "--steps", 1)
    finally:
        shard.write_bytes(whole)
