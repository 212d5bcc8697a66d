from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from lakhnes.export.train_config import PRESETS, changed_config, make_config
from lakhnes.runtime import OptionError

pytestmark = pytest.mark.train


def test_a_file_wins_over_its_preset_and_settings_over_both(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('preset = "paper"\nlr = 1\nstreams = 8\nmixture = [1, 3]\n')
    config = make_config(file=file, changes={"lr": "2e-4", "pre_lnorm": "false"})
    assert (config.n_layer, config.streams, config.lr, config.pre_lnorm) == (12, 8, 2e-4, False)
    assert config.mixture == (1.0, 3.0)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole(preset: str) -> None:
    config = make_config(preset=preset)
    assert config.steps
    assert changed_config(config.to_dict(), {}) == config


def test_minutes_are_the_schedule_where_nothing_else_is() -> None:
    assert (make_config(minutes=30).minutes, make_config(minutes=30).steps) == (30.0, 0)
    bounded = make_config(minutes=30, changes={"steps": 500})
    assert (bounded.minutes, bounded.steps) == (0.0, 500)


def test_weights_bring_their_sizes() -> None:
    sizes = {"n_layer": 3, "d_model": 60}
    assert make_config(sizes=sizes).n_layer == 3
    assert make_config(sizes=sizes, changes={"n_layer": "3"}).d_model == 60
    for asked in ({"preset": "paper"}, {"changes": {"n_layer": 6}}):
        with pytest.raises(OptionError, match="n_layer = 3, not"):
            make_config(sizes=sizes, **asked)  # type: ignore[arg-type]


def test_loops_become_rarer() -> None:
    config = make_config(changes={"loop": 0.5, "loop_floor": 0.1, "loop_tokens": 1000})
    assert [round(config.changes(seen).loop, 6) for seen in (0, 500, 1000, 9000)] == [0.5, 0.3, 0.1, 0.1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": "1"}, "no setting 'learning_rate'"),
        ({"lr": "fast"}, "lr = fast is no value; give one such as 0.1"),
        ({"streams": "1.5"}, "streams = 1.5 is of a wrong kind"),
        ({"pre_lnorm": "1"}, "pre_lnorm = 1 is of a wrong kind"),
        ({"dropout": "1.5"}, "dropout = 1.5 is out of range"),
        ({"optimizer": "sgd"}, "optimizer = 'sgd' is not known: give adamw or muon."),
        ({"compile": "maybe"}, "compile = 'maybe' is not known"),
        ({"d_model": "100", "n_head": "8"}, "not even or not divisible"),
        ({"streams": "9", "accumulate": "2"}, "not divisible by accumulate = 2"),
        ({"mixture": "[1, 0]"}, "not above 0"),
        ({"lr": "nan"}, "lr = nan is out of range"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message.replace("[", r"\[")):
        make_config(changes=changes)


def test_a_run_keeps_its_sizes() -> None:
    config = make_config().to_dict()
    assert changed_config(config, {"lr": "1e-4"}).lr == 1e-4
    with pytest.raises(OptionError, match="n_layer is 6 in this run"):
        changed_config(config, {"n_layer": "7"})
    assert changed_config(config | {"of_the_future": 1}, {}) == make_config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset = [1]", "there is no preset a list"),
        ('preset = "huge"', "there is no preset 'huge'"),
        ("preset = {a = 1}", "there is no preset a table"),
        ("x = " + "[" * 2000, "cannot be read"),
        (".".join("a" * 9000) + " = 1", "there is no setting 'a'"),
        ("lr." + ".".join("a" * 9000) + " = 1", "lr = a table is of a wrong kind"),
        ("steps = 0x" + "f" * 9000, "steps = a very large number is out of range"),
        ("steps = " + "9" * 9000, "cannot be read"),
        ("lr = " + "9" * 400, "lr = a very large number is of a wrong kind"),
        ("lr = 1979-05-27", "lr = a date is of a wrong kind"),
        ("lr = nan", "lr = nan is out of range"),
        ("mixture = [1, inf]", "mixture has a weight"),
        ("mixture = [[1]]", "mixture = a list is of a wrong kind"),
        ("n_layer = 0", "n_layer = 0 is out of range"),
        ("d_model = 7", "d_model = 7 is not even"),
        ('optimizer = "\\u001b[2J"', r"optimizer = '\\x1b\[2J' is not known"),
        ('"\\u001b" = 1', r"there is no setting '\\x1b'"),
        ("lr = 1\nlr = 2", "cannot be read"),
        ("# " + "x" * 70_000, "larger than 64 KiB"),
    ],
)
def test_an_error_of_a_file_names_it(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(OptionError, match=rf"run\.toml.*{message}") as refused:
        make_config(file=file)
    assert len(str(refused.value)) < 500
    file.write_bytes(b"lr = 1e-3 # \xff")
    with pytest.raises(OptionError, match=r"run\.toml cannot be read"):
        make_config(file=file)


def test_what_is_no_toml_is_said(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is not there"):
        make_config(file=tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("lr: 3")
    with pytest.raises(OptionError, match=r"bad\.toml cannot be read \(.*line 1"):
        make_config(file=tmp_path / "bad.toml")
    with pytest.raises(OptionError, match="no preset 'huge'"):
        make_config(preset="huge")
