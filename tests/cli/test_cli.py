"""The command as a user runs it, in processes of its own."""

import gzip
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import pytest
from support import lakhnes_here, tune

from lakhnes.bridge import MidiStyle, read_midi, write_midi
from lakhnes.cli import options
from lakhnes.runtime import find_model, read_text, tx1_text, tx2_text
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling
from lakhnes.runtime.music.timing import FRAME_SAMPLES


def lakhnes(*arguments: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lakhnes.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


def fails(*arguments: object, cwd: Path, code: int = 1) -> str:
    """Runs what cannot be done; returns the message, which is short and no traceback."""
    before = sorted(cwd.rglob("*"))
    done = lakhnes_here(*arguments, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert sorted(cwd.rglob("*")) == before
    if code == 1:
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("lakhnes: ")
    return done.stderr


def test_generate_writes_the_same_song_for_a_seed(tmp_path: Path) -> None:
    arguments = ("generate", "--seconds", 6, "--seed", 7)
    done = lakhnes(*arguments, "-o", "a.mid", "-o", "a.tx1.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "seed    7" in done.stdout
    assert "model   nes-bars (int8)" in done.stdout
    assert "length  6.0 s" in done.stdout
    assert lakhnes(*arguments, "-o", "b.mid", cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert read_text(tmp_path / "a.tx1.txt").length == 6 * 44_100


def test_generate_as_json_in_nes_style_on_the_frames(tmp_path: Path, small: Path) -> None:
    done = lakhnes_here(
        "generate", "--model", small, "--seconds", 5, "--midi", "nes", "-o", "a.mid", "--json", cwd=tmp_path
    )
    result = json.loads(done.stdout)
    assert done.stderr == ""
    score = read_midi(tmp_path / "a.mid")
    assert result["files"] == ["a.mid"]
    assert result["seconds"] == score.seconds == 5.0
    assert sum(result["notes"].values()) == score.n_notes
    onsets = sorted(note.onset for part in score.parts for note in part.notes)
    assert all((onset - onsets[0]) % FRAME_SAMPLES == 0 for onset in onsets)
    again = lakhnes_here(
        "generate",
        "--model",
        small,
        "--seconds",
        5,
        "--seed",
        result["seed"],
        "--midi",
        "nes",
        "-o",
        "b.mid",
        cwd=tmp_path,
    )
    assert again.returncode == 0
    assert read_midi(tmp_path / "b.mid") == score


def test_without_an_output_the_file_is_named_by_its_seed(tmp_path: Path, small: Path) -> None:
    assert (
        lakhnes_here("generate", "--model", small, "--tokens", 50, "--seed", 11, cwd=tmp_path).returncode == 0
    )
    assert os.listdir(tmp_path) == ["lakhnes-11.mid"]


def test_many_songs_are_numbered_and_each_has_its_seed(tmp_path: Path) -> None:
    arguments = (
        "generate",
        "--seconds",
        2,
        "--seed",
        5,
        "--count",
        3,
        "-o",
        "a.mid",
        "-o",
        "a.tx1.txt",
        "--json",
    )
    done = lakhnes_here(*arguments, cwd=tmp_path)
    result = json.loads(done.stdout)
    assert [row["seed"] for row in result["songs"]] == [5, 6, 7]
    names = [f"a-00{i}.{ending}" for i in (1, 2, 3) for ending in ("mid", "tx1.txt")]
    assert sorted(os.listdir(tmp_path)) == names
    assert all(read_text(tmp_path / name).seconds == 2.0 for name in names if name.endswith("txt"))
    for seed, number in ((5, 1), (7, 3)):  # one that is liked comes back by its seed
        lakhnes_here("generate", "--seconds", 2, "--seed", seed, "-o", f"again-{seed}.tx1.txt", cwd=tmp_path)
        again = (tmp_path / f"again-{seed}.tx1.txt").read_bytes()
        assert again == (tmp_path / f"a-00{number}.tx1.txt").read_bytes()


def test_steering(tmp_path: Path, small: Path) -> None:
    options = ("--key", "c major pentatonic", "--mute", "NO,P2", "--range", "P1:C5-C4", "--max-note", 0.25)
    done = lakhnes_here(
        "generate",
        "--model",
        small,
        "--seconds",
        5,
        "-o",
        "a.tx1.txt",
        *options,
        "--density",
        1,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    score = read_text(tmp_path / "a.tx1.txt")
    assert not score.parts[1].notes
    assert not score.parts[3].notes
    notes = [note for part in score.parts for note in part.notes]
    assert {note.pitch % 12 for note in notes} <= {0, 2, 4, 7, 9}
    assert all(60 <= note.pitch <= 72 for note in score.parts[0].notes)
    assert all(note.length <= 0.25 * 44_100 for note in notes)


def test_continue_keeps_the_song_and_goes_on(tmp_path: Path, small: Path) -> None:
    write_midi(tune(), tmp_path / "a.mid", MidiStyle.NES)
    common = ("continue", "--model", small, "a.mid", "--seconds", 3, "--seed", 2, "--midi", "nes")
    done = lakhnes_here(*common, "-o", "b.mid", cwd=tmp_path)
    assert "prompt  4.0 s, perplexity" in done.stdout
    whole = read_midi(tmp_path / "b.mid")
    assert whole.seconds == 7.0
    assert whole.parts[1].notes[:4] == tune().parts[1].notes
    result = json.loads(lakhnes_here(*common, "-o", "c.mid", "--only-new", "--json", cwd=tmp_path).stdout)
    assert result["seconds"] == 3.0
    assert result["prompt_perplexity"] > 1
    assert lakhnes_here(*common, "-o", "d.mid", "--prompt-seconds", 1, cwd=tmp_path).returncode == 0
    assert read_midi(tmp_path / "d.mid").parts[1].notes[:4] == tune().parts[1].notes


def test_going_on_from_the_end_of_what_has_volumes(tmp_path: Path, small: Path) -> None:
    lines = [
        "P1_NOTEON_60",
        "P1_VELOCITY_9",
        "WT_66150",
        "P1_VELOCITY_4",
        "WT_22050",
        "P1_NOTEOFF",
        "WT_44100",
    ]
    (tmp_path / "a.tx2.txt").write_text("\n".join([*lines, "P1_TIMBRE_2"]) + "\n")
    for seconds in (0.5, 1, 2, 9):
        common = (
            "continue",
            "--model",
            small,
            "a.tx2.txt",
            "--seconds",
            1,
            "--seed",
            4,
            "--prompt-seconds",
            seconds,
        )
        done = lakhnes_here(*common, "-o", "b.tx2.txt", cwd=tmp_path)
        if seconds > 1:
            assert (done.returncode, done.stderr) == (0, "")
            assert (
                read_text(tmp_path / "b.tx2.txt").parts[0].notes[0]
                == read_text(tmp_path / "a.tx2.txt").parts[0].notes[0]
            )
        else:
            assert "no notes" in done.stderr


def test_accompany_in_both_modes(tmp_path: Path, small: Path) -> None:
    write_midi(tune(), tmp_path / "a.mid", MidiStyle.NES)
    common = ("accompany", "--model", small, "a.mid", "--seed", 2, "--midi", "nes")
    assert lakhnes_here(*common, "--keep", "P1,NO", "-o", "b.mid", cwd=tmp_path).returncode == 0
    around = read_midi(tmp_path / "b.mid")
    assert (around.parts[0], around.parts[3]) == (tune().parts[0], tune().parts[3])
    assert lakhnes_here(*common, "--mode", "rhythm", "-o", "c.mid", cwd=tmp_path).returncode == 0
    rhythm = read_midi(tmp_path / "c.mid")
    assert rhythm.parts[3] == tune().parts[3]
    assert [len(part.notes) for part in rhythm.parts] == [len(part.notes) for part in tune().parts]


def test_midi_of_any_kind_is_converted(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "whole.mid")
    content = (tmp_path / "whole.mid").read_bytes()
    for name, data in (
        ("a.kar", content),
        ("a.smf", content),
        ("noending", content),
        ("a.mid.gz", gzip.compress(content)),
        ("short.mid", content[:-40]),
    ):
        (tmp_path / name).write_bytes(data)
        done = lakhnes_here("convert", name, "-o", "b.mid", "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        remarks = json.loads(done.stdout)["remarks"]
        said = [remark for remark in remarks if "beat" not in remark]
        assert len(said) == (name == "short.mid"), "files of ours need no words"
        assert read_midi(tmp_path / "b.mid").parts[0].notes


def test_the_user_says_which_track_a_voice_plays(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "a.mid")
    done = lakhnes_here(
        "convert", "a.mid", "-o", "b.mid", "--voices", "P1=Triangle,TR=1", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Triangle plays 'Pulse 1'." in json.loads(done.stdout)["remarks"]
    before, after = read_midi(tmp_path / "a.mid"), read_midi(tmp_path / "b.mid")
    assert [n.onset for n in after.parts[2].notes] == [n.onset for n in before.parts[0].notes]
    said = fails("convert", "a.mid", "-o", "c.mid", "--voices", "P1=Oboe", cwd=tmp_path, code=2)
    assert "There is no track 'Oboe'; the file has 1 'Pulse 1'" in said
    (tmp_path / "a.tx1.txt").write_text("P1_NOTEON_60\nWT_735\n")
    said = fails("convert", "a.tx1.txt", "-o", "c.mid", "--voices", "P1=1", cwd=tmp_path, code=2)
    assert "has no tracks" in said


def test_notes_of_a_frame_stay_that_long_on_a_grid(tmp_path: Path) -> None:
    hats = "".join(
        f"NO_NOTEON_15\nWT_{FRAME_SAMPLES}\nNO_NOTEOFF\nWT_{7 * FRAME_SAMPLES}\n" for _ in range(64)
    )
    (tmp_path / "hats.tx1.txt").write_text(hats)
    assert lakhnes_here("convert", "hats.tx1.txt", "-o", "hats.mid", cwd=tmp_path).returncode == 0
    (noise,) = (part for part in read_midi(tmp_path / "hats.mid").parts if part.notes)
    assert len(noise.notes) == 64
    assert all(abs(note.length - FRAME_SAMPLES) < 60 for note in noise.notes)


def test_convert_between_all_formats(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "a.mid", MidiStyle.NES)
    assert (
        lakhnes_here("convert", "a.mid", "-o", "b.tx2.txt", "-o", "b.tx1.txt", cwd=tmp_path).returncode == 0
    )
    assert (tmp_path / "b.tx2.txt").read_text() == tx2_text(tune()) + "\n"
    assert (tmp_path / "b.tx1.txt").read_text() == tx1_text(tune()) + "\n"
    assert lakhnes_here("convert", "b.tx2.txt", "-o", "c.mid", "--midi", "nes", cwd=tmp_path).returncode == 0
    assert read_midi(tmp_path / "c.mid") == tune()
    done = lakhnes_here("convert", "c.mid", "-o", "d.mid", "--timing", "frames", cwd=tmp_path)
    assert "wrote d.mid: 4.0 s" in done.stdout
    done = lakhnes_here("convert", "d.mid", "-o", "e.tx1.txt", cwd=tmp_path)
    assert " plays " not in done.stderr, "what a file of ours is, its names say"


def test_models_lists_the_builtin_one(tmp_path: Path) -> None:
    text = lakhnes_here("models", cwd=tmp_path).stdout
    assert "nes-bars (default)" in text
    assert "11.8 M parameters" in text
    listed = json.loads(lakhnes_here("models", "--json", cwd=tmp_path).stdout)
    model = next(row for row in listed if row["name"] == "nes-bars")
    assert model["precision"] == "int8"
    assert model["megabytes"] < 20
    assert len(model["source_sha256"]) == 64


def test_models_of_the_user_are_found_and_broken_ones_named(
    tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "data"
    for name in ("mine", "broken"):
        (home / "lakhnes/models" / name).mkdir(parents=True)
    shutil.copy(find_model(small), home / "lakhnes/models/mine/model.onnx")
    (home / "lakhnes/models/broken/model.onnx").write_bytes(b"nothing")
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    listed = json.loads(lakhnes_here("models", "--json", cwd=tmp_path).stdout)
    rows = {row["name"]: row for row in listed}
    assert set(rows) == {"mine", "broken", "expressive", "lakhnes", "nes-bars", "nes-frames"}
    assert "cannot be read" in rows["broken"]["error"]
    calibrated = {name for name, row in rows.items() if row.get("recall")}
    assert calibrated == {"expressive", "lakhnes", "nes-bars", "nes-frames"}
    done = lakhnes_here("generate", "--model", "mine", "--tokens", 9, "-o", "a.mid", cwd=tmp_path)
    assert done.returncode == 0


def test_bad_input_is_named_in_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.mid").touch()
    whole = tmp_path / "whole.mid"
    write_midi(tune(), whole)
    (tmp_path / "cut.mid").write_bytes(whole.read_bytes()[:30])
    (tmp_path / "bad.tx1.txt").write_text("WT_3\nP9_NOTEON_60\n")
    (tmp_path / "silent.tx1.txt").write_text("WT_300\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "no.onnx").write_text("no")
    for name in ("loop.mid", "loop.wav", "loop.png", "loop"):
        (tmp_path / name).symlink_to(name)
    long = "n" * 300
    for arguments, message in (
        (("convert", "empty.mid", "-o", "a.tx1.txt"), "empty.mid: empty; give a MIDI file."),
        (("convert", "cut.mid", "-o", "a.tx1.txt"), "cut.mid: damaged, and no note can be read"),
        (("convert", "bad.tx1.txt", "-o", "a.mid"), "bad.tx1.txt, line 2: unknown event 'P9_NOTEON_60'"),
        (("convert", "nope.mid", "-o", "a.mid"), "nope.mid is not there"),
        (("convert", "model", "-o", "a.mid"), "model is no file"),
        (("convert", "whole.mid", "-o", "a.gif"), "a.gif has no ending that says a format"),
        (("convert", "whole.mid", "-o", "x/a.mid"), "there is no folder x"),
        (("convert", "whole.mid", "-o", "whole.mid"), "whole.mid would be overwritten by what is made of it"),
        (("continue", "silent.tx1.txt", "-o", "a.mid"), "The prompt has no notes"),
        (("generate", "-o", "a.xyz"), "a.xyz has no ending"),
        (("generate", "--model", "nope"), "There is no model 'nope'"),
        (("generate", "--model", "model"), "model has no model.onnx in it"),
        (("generate", "--model", "no.onnx"), "no.onnx cannot be read"),
        (
            ("convert", "whole.mid", "-o", "loop.mid"),
            "loop.mid cannot be written: its links lead in",
        ),
        (("convert", "whole.mid", "-o", "loop/a.mid"), "there is no folder loop"),
        (("convert", "whole.mid", "-o", f"{long}.mid"), "cannot be written: File name too long"),
        (("render", "whole.mid", "-o", "loop.wav"), "loop.wav cannot be written: its links lead in a circle"),
        (("show", "whole.mid", "-o", "loop.png"), "loop.png cannot be written: its links lead in a circle"),
        (("generate", "--bpm", "120", "--bars", "1", "-o", "loop.mid"), "loop.mid cannot be written"),
        (("convert", "loop.mid", "-o", "a.mid"), "loop.mid is not there"),
        (("render", "loop.mid", "-o", "a.wav"), "loop.mid is not there"),
        (("convert", f"{long}.mid", "-o", "a.mid"), "File name too long"),
        (("generate", "--model", long), "File name too long"),
        (("generate", "--model", "loop"), "There is no model 'loop'"),
    ):
        assert message in fails(*arguments, cwd=tmp_path)


def test_settings_out_of_range_are_2_and_a_sentence(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "a.mid")
    for arguments, message in (
        (("accompany", "a.mid", "--keep", "P1,P2,TR,NO", "-o", "b.mid"), "All four voices are kept"),
        (("accompany", "a.mid", "--keep", "P7", "-o", "b.mid"), "'P7' names no voices"),
        (("generate", "--scale", "x minor"), "'x minor' is no scale"),
        (("generate", "--bpm", "120", "--chords", "Am Fqq"), "'Fqq' is no chord"),
        (("generate", "--repetition", "9", "--model", "nes-frames"), "A repetition of 9 is out of range"),
        (("generate", "--range", "P1:9"), "'P1:9' is no range"),
        (("generate", "--range", "P1:H4-C5"), "'P1:H4-C5' is no range"),
        (("generate", "--mute", "P1,P2,TR,NO"), "leave one unmuted"),
        (
            ("accompany", "a.mid", "--keep", "P1,NO", "--mute", "P2,TR", "-o", "b.mid"),
            "leave one unmuted",
        ),
        (("generate", "--range", "P1:120-127"), "P1 has no pitch from 120 to 127"),
        (("generate", "--density", "99"), "density of 99.0 is out of range"),
        (("generate", "--temperature", "-1"), "Temperature -1.0 is out of range"),
        (("generate", "--temperature", "nan"), "Temperature nan is out of range"),
        (("generate", "--top-p", "3"), "top-p 3.0 is out of range"),
        (("generate", "--bpm", "9999", "--bars", "4"), "9999 BPM is out of range"),
        (("convert", "a.mid", "-o", "b.mid", "--bpm", "5"), "5 BPM is out of range"),
        (("render", "a.mid", "-o", "b.wav", "--rate", "5"), "5 Hz is not made"),
        (("render", "a.mid", "-o", "b.wav", "--bits", "5"), "5 bits is not made"),
        (("render", "a.mid", "-o", "b.wav", "--pan", "P1:3"), "cannot be panned to 3"),
        (("render", "a.mid", "-o", "b.wav", "--fade", "9999"), "cannot fade for 9999 s"),
        (("show", "a.mid", "-o", "b.png", "--width", "9"), "9 pixels wide is not made"),
    ):
        errors = fails(*arguments, cwd=tmp_path, code=2)
        assert errors.startswith("lakhnes: ")
        assert errors.count("\n") == 1
        assert message in errors


def test_what_comes_from_a_file_is_printed_without_control_characters(tmp_path: Path) -> None:
    midi = mido.MidiFile()
    midi.add_track("\x1b[2J\x07red\x1b[31m" + "long" * 500)
    midi.tracks[0] += [
        mido.Message("note_on", note=60),
        mido.Message("note_on", note=60, velocity=0, time=99),
    ]
    midi.save(tmp_path / "a.mid")
    (tmp_path / "a\x1b[31m.mid").write_bytes((tmp_path / "a.mid").read_bytes())
    (tmp_path / "bad\x1b]0;x\x07.mid").touch()
    for arguments in (
        ("convert", "a.mid", "-o", "b.mid"),
        ("convert", "a\x1b[31m.mid", "-o", "c\x1b[31m.mid"),
        ("convert", "bad\x1b]0;x\x07.mid", "-o", "b.mid"),
        ("show", "a.mid", "-o", "b.png"),
        ("generate", "--model", "\x1b[31m"),
    ):
        done = lakhnes_here(*arguments, cwd=tmp_path)
        said = done.stdout + done.stderr
        assert said
        assert "Traceback" not in said
        assert all(line.isprintable() for line in said.splitlines()), said
        assert all(len(line) < 500 for line in done.stderr.splitlines())


def test_all_subcommands_print_by_the_one_function() -> None:
    for path in Path(options.__file__).parent.glob("*.py"):
        if path.name != "printing.py":
            assert not re.search(r"typer\.echo|click\.echo|\bprint\(", path.read_text("utf-8")), path.name


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    for arguments in (
        ("nonsense",),
        ("generate", "--seconds", "abc"),
        ("generate", "--seconds", "-1"),
        ("generate", "--seconds", "nan"),
        ("generate", "--seconds", "inf"),
        ("generate", "--max-note", "nan"),
        ("generate", "--seconds", "1e300"),
        ("accompany", "a.mid", "-o", "b.mid"),
        ("accompany", "a.mid", "-o", "b.mid", "--mode", "rhythm", "--keep", "P1"),
        ("generate", "--seconds", "1", "--tokens", "5"),
        ("generate", "--midi", "gm"),
        ("convert", "a.mid"),
    ):
        fails(*arguments, cwd=tmp_path, code=2)


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path, small: Path) -> None:
    def small_files_only() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = lakhnes(
        "generate", "--model", small, "--seconds", 3, "-o", "a.mid", cwd=tmp_path, preexec_fn=small_files_only
    )
    assert done.returncode == 1
    assert "a.mid cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_away_is_no_error_to_show(tmp_path: Path) -> None:
    command = f"{sys.executable} -m lakhnes.cli models --json | true"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "lakhnes.cli", "generate", "--seconds", "3000", "-o", "a.mid"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(2)
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert output == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.train
def test_export_makes_a_model_that_generates(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    source = shared / "fixtures/lakhnes/tiny_legacy"
    done = lakhnes_here("export", source, "-o", "tiny", "--mem-len", 32, "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert (result["folder"], result["timing"], result["mem_len"], result["vocabulary"]) == (
        "tiny",
        "samples",
        32,
        "tx1",
    )
    assert result["parity"]["max_difference"] < 1e-4
    assert (
        lakhnes_here("generate", "--model", "tiny", "--tokens", 40, "-o", "a.mid", cwd=tmp_path).returncode
        == 0
    )
    (tmp_path / "evil.pt").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    assert "evil.pt is refused" in fails("export", "evil.pt", "-o", "out", cwd=tmp_path)
    assert "nope is not there" in fails("export", "nope", "-o", "out", cwd=tmp_path)


@pytest.mark.train
def test_export_without_pytorch_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = lakhnes("export", "x", "-o", "y", cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert done.stderr == 'lakhnes: lakhnes export needs an extra: run  pip install "lakhnes[train]"\n'


def test_options_draw_as_the_library_does() -> None:
    assert Sampling(options.TEMPERATURE, options.TOP_K or None, options.TOP_P) == USUAL_SAMPLING


def test_the_environment_may_allow_a_single_thread() -> None:
    assert options.usual_threads({"OMP_NUM_THREADS": "1"}) == 1
    cores = min(2, os.cpu_count() or 1)
    for said in ("", "8", "0", "2,1", "nonsense"):
        assert options.usual_threads({"OMP_NUM_THREADS": said}) == (1 if said == "0" else cores)
