import copy
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_training import small_config, small_data

torch = pytest.importorskip("torch")

from lakhnes.export import Checkpoint, TransformerXL, load_checkpoint, open_checkpoint  # noqa: E402
from lakhnes.export.checkpoints import BEST, LAST, read_checkpoint, write_checkpoint  # noqa: E402
from lakhnes.export.curves import Log, LogRow, curves, read_log  # noqa: E402
from lakhnes.export.prepared import PreparedData, write_prepared  # noqa: E402
from lakhnes.export.run_lock import LOCK_FILE  # noqa: E402
from lakhnes.export.training import Result, TrainingProgress, train  # noqa: E402
from lakhnes.export.training_start import new_model  # noqa: E402
from lakhnes.runtime import (  # noqa: E402
    CheckpointError,
    Codec,
    DataError,
    FormatError,
    OptionError,
    Timing,
    TrainingError,
    tx1,
    tx2,
)
from lakhnes.runtime.music.vocabulary import Vocabulary  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return small_data(tmp_path_factory.mktemp("data"))


def stop_after(steps: int) -> Any:
    asked = itertools.count()
    return lambda: next(asked) >= steps


def weights(folder: Path, name: str = LAST) -> dict[str, Any]:
    state = read_checkpoint(folder / name)
    return {f"{kind} {key}": value for kind in ("model", "ema") for key, value in (state[kind] or {}).items()}


def assert_same_weights(one: Path, two: Path) -> None:
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_it_learns_and_leaves_a_model_a_log_and_curves(data: PreparedData, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    config = small_config(steps=120, valid_every=40, dropout=0.1, layer_drop=0.2, bf16=True)
    result = train([data], tmp_path, config, watch=seen.append)
    assert result.finished
    assert (result.step, result.tokens) == (120, 120 * 4 * 16)
    rows = read_log(tmp_path / "log.csv")
    valid = [row.valid for row in rows if row.valid is not None]
    assert len(valid) == 4
    assert valid[-1] == pytest.approx(result.valid, abs=1e-4)
    assert min(valid) == pytest.approx(result.best, abs=1e-4)
    assert result.best < valid[0] - 1  # nats; from ln 631 = 6.4
    assert [row.step for row in rows if row.loss is not None][:3] == [3, 6, 9]
    assert seen[-1].part == 1
    assert seen[-1].seconds_left == 0
    assert 0 < result.outside < 1
    with Image.open(tmp_path / "curves.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10
    for name in (tmp_path, tmp_path / LAST, tmp_path / BEST):
        opened = open_checkpoint(name)
        assert opened.timing is Timing.FRAMES
        assert "120 steps" in opened.provenance or name.name == BEST
    assert {path.name for path in tmp_path.iterdir()} == {LAST, BEST, "log.csv", "curves.png", LOCK_FILE}


@pytest.mark.parametrize(
    "changes",
    [{}, {"bf16": True, "dropout": 0.2, "accumulate": 2}, {"mem_len": 40}, {"optimizer": "muon"}],
)
def test_a_stopped_run_goes_on_to_the_same_bits(
    data: PreparedData, tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = small_config(**changes)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    one = train([data], whole, config)
    for stop in (2, 3, 5):
        stopped = train([data], parts, config, resume=stop > 2, should_stop=stop_after(stop))
        assert not stopped.finished
        torch.manual_seed(99)  # what else happened in between
    two = train([data], parts, config, resume=True)
    assert (one.step, two.step, one.valid) == (12, 12, two.valid)
    assert one.best == two.best
    assert_same_weights(whole, parts)
    logs = [
        [(row.step, row.valid) for row in read_log(path / "log.csv") if row.valid] for path in (whole, parts)
    ]
    assert logs[0] == logs[1]


def test_a_budget_ends_a_call_and_checkpoints_come_by_the_clock(data: PreparedData, tmp_path: Path) -> None:
    ticks = itertools.count(0.0, 1.0)
    result = train([data], tmp_path, small_config(), budget_seconds=60, now=lambda: next(ticks))
    assert not result.finished
    assert 0 < result.step < 12
    assert read_checkpoint(tmp_path / LAST)["step"] == result.step
    assert result.seconds >= 60


def test_minutes_are_a_schedule(data: PreparedData, tmp_path: Path) -> None:
    ticks = itertools.count(0.0, 1.0)
    config = small_config(steps=0, minutes=1.5)
    result = train([data], tmp_path, config, now=lambda: next(ticks))
    assert result.finished
    rates = [row.lr for row in read_log(tmp_path / "log.csv") if row.loss is not None]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.6 * config.lr


def test_parts_of_a_step_add_up_to_it(data: PreparedData, tmp_path: Path) -> None:
    results = []
    for accumulate in (1, 4):
        folder = tmp_path / str(accumulate)
        folder.mkdir()
        results.append(train([data], folder, small_config(accumulate=accumulate, dropout=0)))
    assert results[0].valid == pytest.approx(results[1].valid, abs=1e-4)


def test_weights_to_start_from_are_where_it_starts(data: PreparedData, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    start = train([data], first, small_config(ema=0))
    again = train(
        [data], second, small_config(dropout=0.3, lr=1e-8, clip=1), init=open_checkpoint(first / LAST)
    )
    assert read_log(second / "log.csv")[0].valid == pytest.approx(start.valid, abs=1e-4)
    assert again.valid == pytest.approx(start.valid, abs=1e-3)
    assert "from last.pt" in open_checkpoint(second).provenance


@pytest.mark.parametrize(("before", "after"), [(tx1(), tx2()), (tx2(), tx1())])
def test_another_vocabulary_keeps_what_was_learned(before: Vocabulary, after: Vocabulary) -> None:
    config = small_config()
    model = TransformerXL(config.model(len(before)))
    torch.nn.init.normal_(model.output.bias)
    made = new_model(config, after, Checkpoint(model, before, "before.pt", "")).eval()
    both = [event for event in after.events if event in set(before.events)]
    old, new = ([vocabulary.token(event) for event in both] for vocabulary in (before, after))
    assert len(both) == min(len(before), len(after))
    assert made.embedding.weight is made.output.weight
    said, expected = (
        m(torch.tensor([tokens[::7]]), mem_len=16)[0][0][:, tokens]
        for m, tokens in ((made, new), (model.eval(), old))
    )
    torch.testing.assert_close(said, expected)


def test_a_model_of_notes_goes_on_with_dynamics(data: PreparedData, tmp_path: Path) -> None:
    train([data], tmp_path, small_config())
    (tmp_path / "two").mkdir()
    dynamics = small_data(tmp_path / "data2", codec=Codec(tx2(), Timing.FRAMES))
    result = train([dynamics], tmp_path / "two", small_config(), init=open_checkpoint(tmp_path / LAST))
    assert result.finished
    assert open_checkpoint(tmp_path / "two").vocabulary == tx2()


def test_a_lakhnes_checkpoint_can_go_on(shared: Path, tmp_path: Path) -> None:
    init = load_checkpoint(shared / "fixtures/lakhnes/tiny")
    c = init.model.config
    config = small_config(n_layer=c.n_layer, n_head=c.n_head, d_model=c.d_model, d_inner=c.d_inner, steps=2)
    result = train([small_data(tmp_path / "data")], tmp_path, config, init=init)
    assert result.finished
    assert open_checkpoint(tmp_path).model.config.d_embed == c.d_embed


def test_no_number_stops_and_names_step_and_songs(data: PreparedData, tmp_path: Path) -> None:
    train([data], tmp_path, small_config(), should_stop=stop_after(4))
    state = read_checkpoint(tmp_path / LAST)
    state["model"]["layers.0.attention.norm.weight"][0] = float("nan")
    write_checkpoint(tmp_path / LAST, state)
    before = (tmp_path / LAST).read_bytes()
    said = r"was no number at step 5, in a batch of t\d\d\.mid.*last\.pt is as it was; .*--resume"
    with pytest.raises(TrainingError, match=said):
        train([data], tmp_path, small_config(), resume=True)
    assert (tmp_path / LAST).read_bytes() == before


TORCHRUN = """
import itertools, json, sys
from collections.abc import Callable
from pathlib import Path
from lakhnes.export.prepared import open_prepared
from lakhnes.export.train_config import changed_config
from lakhnes.export.training_start import new_model
from lakhnes.export.training import train
data, folder, config, stop, resume = sys.argv[1:]
steps = itertools.count()
result = train(
    [open_prepared(Path(data))], Path(folder), changed_config(json.loads(config), {}),
    resume=resume == "True", should_stop=lambda: next(steps) >= int(stop),
)
print(json.dumps([result.step, result.valid]))
"""


def in_two_processes(script: Path, *arguments: object) -> list[list[float]]:
    """What each of two processes says that torchrun starts."""
    script.write_text(TORCHRUN)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [*command, str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def test_two_processes_do_what_one_does(data: PreparedData, tmp_path: Path) -> None:
    config = small_config(dropout=0, accumulate=2)
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    one = train([data], alone, config)
    plain, script = json.dumps(config.to_dict()), tmp_path / "run.py"
    assert [step for step, _ in in_two_processes(script, data.folder, together, plain, 6, False)] == [6, 6]
    said = in_two_processes(script, data.folder, together, plain, 99, True)
    assert said[0] == said[1] == [12, pytest.approx(one.valid, abs=1e-4)]
    mine, theirs = (read_log(folder / "log.csv") for folder in (alone, together))
    losses = [[row.loss for row in rows if row.loss is not None] for rows in (mine, theirs)]
    assert len(losses[0]) == 4
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)


def test_data_and_settings_that_do_not_fit_are_refused(data: PreparedData, tmp_path: Path) -> None:
    def run(*folders: PreparedData, **changes: Any) -> Result:
        return train(folders, tmp_path, small_config(**changes))

    other = small_data(tmp_path / "tx2", codec=Codec(tx2(), Timing.FRAMES))
    with pytest.raises(DataError, match="prepare them alike"):
        run(data, other)
    with pytest.raises(OptionError, match="2 weights for 1 folders"):
        run(data, mixture="[1, 2]")
    with pytest.raises(OptionError, match="no end"):
        run(data, steps=0)
    few = small_data(tmp_path / "few", n_valid=2)
    with pytest.raises(DataError, match=r"valid split of .*few is too small"):
        run(few)
    none = write_prepared(tmp_path / "none", Codec(tx1(), Timing.FRAMES), {"valid": {}})
    with pytest.raises(DataError, match="no split 'train'"):
        run(none)


def test_a_run_goes_on_with_its_own_data_and_sizes_only(data: PreparedData, tmp_path: Path) -> None:
    train([data], tmp_path, small_config(), should_stop=stop_after(2))
    other = small_data(tmp_path / "other", n_train=3)
    with pytest.raises(CheckpointError, match="trained on other data"):
        train([other], tmp_path, small_config(), resume=True)
    with pytest.raises(CheckpointError, match="4 streams, not 8"):
        train([data], tmp_path, small_config(streams=8), resume=True)
    with pytest.raises(CheckpointError, match="does not fit this run"):
        train([data], tmp_path, small_config(n_layer=3), resume=True)


_HOLDS = """\
import sys, time
from collections.abc import Callable
from pathlib import Path
from lakhnes.export.run_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_has_one_run_at_a_time(data: PreparedData, tmp_path: Path) -> None:
    train([data], tmp_path, small_config(), should_stop=stop_after(2))
    before = (tmp_path / LAST).read_bytes(), (tmp_path / "log.csv").read_bytes()
    other = subprocess.Popen([sys.executable, "-c", _HOLDS, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        for resume in (True, False):
            with pytest.raises(TrainingError, match="Another `lakhnes train` is at work in"):
                train([data], tmp_path, small_config(), resume=resume)
        assert ((tmp_path / LAST).read_bytes(), (tmp_path / "log.csv").read_bytes()) == before
    finally:
        other.kill()
        other.communicate()
    assert train([data], tmp_path, small_config(), resume=True).finished, "a lock ends with its process"


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": "2"},
        {"tokens_seen": 2.5},
        {"seconds": math.inf},
        {"seconds": math.nan},
        {"best": None},
        {"ranks": []},
        {"ranks": [{"rng": {"torch": None}, "memory": [None]}]},
        {"data": {"drawn": 1}},
        {"optimizer": {"AdamW": {"state": {}, "param_groups": []}}},
        {"optimizer": None},
        {"model": {}},
        {"ema": [1]},
        {"songs": None},
    ],
    ids=str,
)
def test_a_run_believes_nothing_of_a_broken_checkpoint(
    data: PreparedData, tmp_path: Path, change: dict[str, Any]
) -> None:
    train([data], tmp_path, small_config(), should_stop=stop_after(1))
    write_checkpoint(tmp_path / LAST, read_checkpoint(tmp_path / LAST) | change)
    with pytest.raises(CheckpointError, match=r"last\.pt"):
        train([data], tmp_path, small_config(), resume=True)


def test_a_run_refuses_what_a_step_would_stumble_over(data: PreparedData, tmp_path: Path) -> None:
    train([data], tmp_path, small_config(), should_stop=stop_after(1))
    good = read_checkpoint(tmp_path / LAST)

    def refused(reason: str, change: Callable[[dict[str, Any]], None]) -> None:
        state = copy.deepcopy(good)
        change(state)
        write_checkpoint(tmp_path / LAST, state)
        with pytest.raises(CheckpointError, match=rf"last\.pt cannot be read \({reason}"):
            train([data], tmp_path, small_config(), resume=True)

    kept = next(iter(good["optimizer"].values()))["state"]
    first = next(iter(kept))
    refused(
        "the optimizer has other parameters",
        lambda state: next(iter(state["optimizer"].values()))["state"][first].update(
            {next(iter(kept[first])): torch.zeros(3, 5)}
        ),
    )
    refused("the places of its streams", lambda state: state["data"]["lengths"].append(1))
    refused("it has tokens that are not", lambda state: state["data"]["left"].fill_(60_000))
    refused("the places of its streams", lambda state: state["data"]["left"].fill_(-1))
    refused(
        "its memory is of another size",
        lambda state: state["ranks"][0].update(memory=[torch.zeros(2, 4, 16, 5)]),
    )


def test_a_log_goes_on_where_the_checkpoint_is(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for step in (10, 20, 30):
        log.add(LogRow(step, step * 8, 1.5, 1e-3, 2.0, None, 0.1, 1000.0))
    with (tmp_path / "log.csv").open("a") as file:
        file.write("40,32")  # killed while it wrote
    assert [row.step for row in Log(tmp_path, step=20).rows] == [10, 20]
    assert [row.step for row in read_log(tmp_path / "log.csv")] == [10, 20]
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="not a log"):
        Log(tmp_path, step=5)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"10,80,1.5,0.001,\xff,,,", r"log\.csv: it cannot be read"),
        (b"10,80", r"log\.csv, line 2: '10,80' is no line of a log"),
        (b"10,80,1.5,0.001,2,,0.1,1,9", r"log\.csv, line 2"),
        (b"-1,80,1.5,0.001,2,,0.1,1", r"log\.csv, line 2"),
        (b"10,80,nan,0.001,2,,0.1,1", r"log\.csv, line 2"),
        (b"10,80,1.5,0.001,1e300,,0.1,1", r"log\.csv, line 2"),
        (b"1" * 5000 + b",80,1.5,0.001,2,,0.1,1", r"log\.csv, line 2"),
        (b"\x1b[2J,80,1.5,0.001,2,,0.1,1", r"log\.csv, line 2: '\\x1b\[2J,80"),
    ],
)
def test_what_is_no_log_is_one_line(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "log.csv"
    Log(tmp_path)
    path.write_bytes(path.read_bytes() + line + b"\n10,80,1.5,0.001,2,,0.1,1\n")
    with pytest.raises(FormatError, match=reason):
        read_log(path)


def test_losses_that_were_no_numbers_stay_out_of_the_curves(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for step, loss in enumerate((3.0, math.nan, math.inf, 2.0), start=1):
        log.add(LogRow(step, step * 8, 1.5, 1e-3, loss, loss, 0.1, 1000.0))
    log.draw()
    assert [row.step for row in read_log(tmp_path / "log.csv")] == [1, 2, 3, 4]
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_curves_of_many_lines_stay_small() -> None:
    rows = [LogRow(i, i, 1.0, 1.0, 5 - i / 1000, None, 1.0, 1.0) for i in range(5000)]
    assert len(curves(rows).shapes) < 1000
    assert curves([]).shapes
