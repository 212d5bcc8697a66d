"""`lakhnes evaluate`, as a user runs it."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from support import lakhnes_here, tune

from lakhnes.bridge import MidiStyle, write_midi
from lakhnes.export.measure import HELD
from lakhnes.export.prepared import write_prepared
from lakhnes.runtime import Codec, Score, Timing, parse_text, tx1, tx1_text
from lakhnes.runtime.music.score import score_from_events

KEYS = {"model", "how", "timing", "split", "loss", "ppl", "tokens", "songs", "seconds", "nats_per_second"}


def song(transposed: int) -> Score:
    """The tune in another key, so that no two songs are the same."""
    text = "\n".join(
        f"{line.rsplit('_', 1)[0]}_{int(line.rsplit('_', 1)[1]) + transposed}"
        if "NOTEON" in line and not line.startswith("NO")
        else line
        for line in tx1_text(tune()).split("\n")
    )
    return score_from_events(parse_text(text) * 2)  # 8 seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, keys in (("valid", (0, 1, 2)), ("train", (3, 4))):
        (tmp_path / "data" / split).mkdir(parents=True)
        for key in keys:
            write_midi(song(key), tmp_path / "data" / split / f"{key}.mid", MidiStyle.NES)
    return tmp_path


def test_a_model_on_midi_and_on_prepared_data_scores_the_same(folder: Path, small: Path) -> None:
    done = lakhnes_here("evaluate", small, "--data", "data", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert set(facts) >= KEYS
    assert (facts["split"], facts["timing"], facts["songs"]) == ("valid", "frames", 3)
    assert facts["ppl"] == pytest.approx(np.exp(facts["loss"]))
    assert facts["nats_per_second"] == pytest.approx(facts["loss"] * facts["tokens"] / facts["seconds"])
    assert facts["seconds"] == pytest.approx(24, abs=1)

    codec = Codec(tx1(), Timing.FRAMES)
    tokens = {f"{key}.mid": codec.encode(song(key)) for key in (2, 0, 1)}
    write_prepared(folder / "prepared", codec, {"valid": tokens})
    again = json.loads(lakhnes_here("evaluate", small, "--data", "prepared", "--json", cwd=folder).stdout)
    assert again["loss"] == pytest.approx(facts["loss"], abs=1e-9)
    told = lakhnes_here("evaluate", small, "--data", "prepared", cwd=folder).stdout
    assert f"3 songs, {facts['tokens']} tokens in 1 streams" in told
    assert f"perplexity {facts['ppl']:.5f}" in told


def test_statistics_and_memorisation(folder: Path, small: Path) -> None:
    options = ("--statistics", "--memorisation", "--songs", 3, "--seconds", 6, "--seed", 5)
    done = lakhnes_here("evaluate", small, "--data", "data", *options, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["composed"]["seeds"] == [5, 7]
    assert facts["composed"]["seconds"] == pytest.approx(18, abs=0.1)
    rows = facts["statistics"]["features"]
    assert len(rows) == 9
    assert all(0 <= row["overlap"] <= 1 and 0 <= row["ceiling"] <= 1.000001 for row in rows)
    # The valid songs are the training songs in other keys: their runs are whole voices.
    found = facts["memorisation"]
    assert found["train_songs"] == 2
    assert found["data"]["songs"] == 3
    assert found["data"]["longest"] == 23  # 24 notes of the bass in 6 seconds
    assert found["composed"]["longest"] < 23
    assert len(found["composed"]["runs"]) == 3

    told = lakhnes_here("evaluate", small, "--data", "data", *options, cwd=folder).stdout
    assert "3 composed, seeds 5 to 7, up to 6 s, temperature 1, top-p 0.99" in told
    assert "self-similarity" in told
    assert "longest runs of intervals and durations also found in 2 training songs" in told


def test_statistics_say_how_composed_songs_differ(folder: Path, small: Path) -> None:
    options = ("--statistics", "--songs", 2, "--seconds", 6, "--bpm", 140)
    done = lakhnes_here("evaluate", small, "--data", "data", *options, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["composed"]["bpm"] == 140
    found = facts["statistics"]["comparison"]
    assert (found["composed_songs"], found["human_songs"], found["games"]) == (2, 3, 3)
    for half in ("every", "open", "held"):
        assert 0 <= found[half]["value"] <= 1
    assert len(found["similarity"]) == 16
    shown = {row["name"] for row in (*found["structure"], *found["told_apart"])}
    assert "tempo stability" in shown
    assert not shown & set(HELD)  # nobody chooses by what only judges


def test_songs_of_any_system_are_measured(folder: Path) -> None:
    (folder / "theirs").mkdir()
    for key in (5, 6, 7):
        write_midi(song(key), folder / "theirs" / f"{key}.mid")
    (folder / "theirs" / "broken.mid").write_bytes(b"MThd")
    with tarfile.open(folder / "people.tar.xz", "w:xz") as archive:
        archive.add(folder / "data" / "valid", "people")
    options = ("--composed", "theirs", "--human", "people.tar.xz")
    done = lakhnes_here("evaluate", *options, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["composed"]["songs"] == 3
    assert len(facts["composed"]["skipped"]) == 1
    rows = {row["name"]: row for row in facts["statistics"]["comparison"]["structure"]}
    for name in ("dissonance P1-TR", "tempo stability", "time sounding, P1"):  # the same tune in other keys
        assert rows[name]["composed"]["mean"] == pytest.approx(rows[name]["human"]["mean"], abs=0.05)

    told = lakhnes_here("evaluate", *options, cwd=folder).stdout
    assert "songs   3 of theirs, compared at 8 s; left out: 1 files that cannot be read" in told
    assert "a classifier of 3 composed songs and 3 of people" in told
    assert "match at 16 bars" in told
    assert "held half, to judge by" in told


def test_an_exported_model_needs_no_pytorch(folder: Path) -> None:
    code = (
        "import sys; sys.argv = ['lakhnes', 'evaluate', 'nes-frames', '--data', 'data', '--statistics', "
        "'--memorisation', '--songs', '2', '--seconds', '5']\n"
        "sys.modules['torch'] = sys.modules['onnx'] = None\n"
        "from lakhnes.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_checkpoint_without_pytorch_names_the_extra(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "model.pt").write_bytes(b"")
    code = (
        "import sys; sys.argv = ['lakhnes', 'evaluate', 'run', '--data', 'data']\n"
        "sys.modules['torch'] = None\n"
        "from lakhnes.cli import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "lakhnes[train]"' in done.stderr


@pytest.mark.train
def test_a_lakhnes_checkpoint_scores_as_the_original(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    fixtures = shared / "fixtures" / "lakhnes"
    reference = json.loads((fixtures / "eval.json").read_text())
    for split in ("valid", "test"):
        run = next(r for r in reference["runs"] if r["split"] == split and r["mem_len"] == 512)
        arguments = ("evaluate", fixtures / "tiny", "--data", fixtures / "eval_data", "--split", split)
        done = lakhnes_here(*arguments, "--threads", 1, "--json", cwd=tmp_path)
        facts = json.loads(done.stdout)
        assert facts["loss"] == pytest.approx(run["loss"], abs=1e-4)
        assert facts["tokens"] == run["total_len"]
        assert facts["timing"] == "samples"


@pytest.mark.train
def test_a_checkpoint_composes_too(shared: Path, folder: Path) -> None:
    pytest.importorskip("torch")
    checkpoint = shared / "fixtures" / "lakhnes" / "tiny"
    options = ("--timing", "frames", "--statistics", "--songs", 2, "--seconds", 5, "--threads", 1, "--json")
    done = lakhnes_here("evaluate", checkpoint, "--data", "data", *options, cwd=folder)
    facts = json.loads(done.stdout)
    assert facts["timing"] == "frames"
    assert len(facts["statistics"]["features"]) == 9


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        ("nes-frames", ("--data", "nowhere"), "nowhere is no folder"),
        ("nes-frames", ("--data", "empty"), "no split 'valid'"),
        ("nes-frames", ("--data", "data", "--split", "test"), "no split 'test'"),
        ("nobody", ("--data", "data"), "no model 'nobody'"),
        ("nes-frames", ("--data", "data", "--timing", "samples"), "trained with timing frames"),
        ("nes-frames", ("--data", "raw"), "prepared in timing samples"),
        ("nes-frames", ("--data", "corrupt"), "valid-00000.npz cannot be read"),
        ("nes-frames", ("--data", "raw", "--memorisation"), "prepared in timing samples"),
        ("nes-frames", ("--data", "data", "--songs", "1", "--seconds", "2"), "Invalid value"),
        ("nes-frames", ("--data", "data", "--composed", "data"), "Invalid value"),
        ("nes-frames", (), "Invalid value"),
        ("nes-frames", ("--data", "data", "--statistics", "--bpm", "10"), "out of range"),
        ("nes-frames", ("--data", "data", "--statistics", "--human", "empty"), "no MIDI, TX1 or TX2 files"),
        ("", ("--composed", "nowhere", "--human", "data"), "nowhere is not there"),
        ("", ("--composed", "data/valid", "--human", "data", "--memorisation"), "Invalid value"),
    ],
)
def test_bad_input_is_one_sentence(folder: Path, model: str, options: tuple[str, ...], reason: str) -> None:
    (folder / "empty").mkdir()
    for name, timing in (("raw", Timing.SAMPLES), ("corrupt", Timing.FRAMES)):
        codec = Codec(tx1(), timing)
        write_prepared(folder / name, codec, {"valid": {"a": codec.encode(tune())}})
    shard = folder / "corrupt" / "valid-00000.npz"
    shard.write_bytes(shard.read_bytes()[:-40])
    done = lakhnes_here("evaluate", *([model] if model else []), *options, cwd=folder)
    settings = ("Invalid value", "trained with timing frames", "out of range")
    assert done.returncode == (2 if reason in settings else 1)
    assert done.stdout == ""
    assert reason in done.stderr
    if done.returncode == 1:
        assert done.stderr.count("\n") == 1


def test_memorisation_needs_a_train_split(folder: Path, small: Path) -> None:
    for path in (folder / "data" / "train").iterdir():
        path.unlink()
    (folder / "data" / "train").rmdir()
    done = lakhnes_here("evaluate", small, "--data", "data", "--memorisation", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no split 'train'" in done.stderr
