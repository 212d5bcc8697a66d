"""`lakhnes render`, and VGM and sound from the other commands, as a user runs them."""

import gzip
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import lakhnes_here, tune

from lakhnes.apu import RegisterMode, read_vgm, registers_of, vgm_bytes
from lakhnes.runtime.music.texts import tx1_text, tx2_text


def lakhnes_with(limit_bytes: int, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process whose files may have so many bytes and no more."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-m", "lakhnes.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=limited)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.tx2.txt").write_text(tx2_text(tune()))
    (tmp_path / "a.tx1.txt").write_text(tx1_text(tune()))
    (tmp_path / "a.vgm").write_bytes(vgm_bytes(registers_of(tune())))
    return tmp_path


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """What unpacks to far more than a song has."""
    return gzip.compress(bytes(1 << 28), 9)


def test_render_makes_sound_of_texts_and_vgm(folder: Path) -> None:
    for source in ("a.tx2.txt", "a.vgm"):
        done = lakhnes_here("render", source, "-o", "b.wav", "-o", "b.flac", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"wrote b.wav, b.flac: {tune().seconds:.1f} s\n"
        wav, flac = (soundfile.read(folder / f"b.{ending}")[0] for ending in ("wav", "flac"))
        np.testing.assert_array_equal(wav, flac)
        assert len(wav) == tune().length
        assert 0.05 < np.abs(wav).max() < 0.8


def test_render_takes_every_setting(folder: Path) -> None:
    options = (
        "--rate 96000 --bits 24 --stereo --pan TR:0.5 --mixer legacy --filters famicom --fade 1 --normalize"
    )
    done = lakhnes_here(
        "render", "a.tx1.txt", "-o", "b.wav", *options.split(), "--instrument", "pluck", cwd=folder
    )
    assert (done.returncode, done.stderr) == (0, "")
    with soundfile.SoundFile(folder / "b.wav") as sound:
        assert (sound.samplerate, sound.channels, sound.subtype) == (96_000, 2, "PCM_24")
        left, right = sound.read().T
    assert not np.array_equal(left, right)
    assert max(np.abs(left).max(), np.abs(right).max()) == pytest.approx(10 ** (-1 / 20), rel=1e-3)


def test_stems_are_four_files(folder: Path) -> None:
    done = lakhnes_here("render", "a.tx2.txt", "-o", "b.wav", "--stems", cwd=folder)
    assert done.returncode == 0
    assert sorted(path.name for path in folder.glob("b*")) == ["b-NO.wav", "b-P1.wav", "b-P2.wav", "b-TR.wav"]
    assert all(soundfile.read(path)[0].any() for path in folder.glob("b-*.wav"))


def test_a_render_says_what_it_did_as_json(folder: Path) -> None:
    done = lakhnes_here("render", "a.vgm", "-o", "b.wav", "--json", "--loops", "2", cwd=folder)
    result = json.loads(done.stdout)
    assert result["files"] == ["b.wav"]
    assert result["seconds"] == tune().seconds
    assert result["remarks"] == ["a.vgm has no loop; it is played once."]


def test_a_loop_is_played_as_often_as_asked(folder: Path) -> None:
    from dataclasses import replace

    log = registers_of(tune())
    (folder / "loop.vgm").write_bytes(vgm_bytes(replace(log, loop=log.length // 2)))
    assert lakhnes_here("render", "loop.vgm", "-o", "b.wav", "--loops", "3", cwd=folder).returncode == 0
    assert soundfile.info(folder / "b.wav").frames == log.length + 2 * (log.length - log.length // 2)


def test_convert_goes_to_vgm_and_back(folder: Path) -> None:
    assert lakhnes_here("convert", "a.tx2.txt", "-o", "b.vgm", "-o", "b.vgz", cwd=folder).returncode == 0
    log = read_vgm(folder / "b.vgm").log
    np.testing.assert_array_equal(log.values, registers_of(tune()).values)
    assert log.tags.title == "b"
    assert gzip.decompress((folder / "b.vgz").read_bytes()) == (folder / "b.vgm").read_bytes()
    assert lakhnes_here("convert", "b.vgz", "-o", "c.tx2.txt", cwd=folder).returncode == 0
    assert (folder / "c.tx2.txt").read_text() == (folder / "a.tx2.txt").read_text() + "\n"


def test_registers_may_be_legacy(folder: Path) -> None:
    done = lakhnes_here("convert", "a.tx1.txt", "-o", "b.vgm", "--registers", "legacy", cwd=folder)
    assert done.returncode == 0
    from support import without_expression

    expected = registers_of(without_expression(tune()), RegisterMode.LEGACY)
    log = read_vgm(folder / "b.vgm").log
    np.testing.assert_array_equal(log.values, expected.values)
    np.testing.assert_array_equal(log.samples, expected.samples)


def test_notes_without_dynamics_get_them_from_instruments(folder: Path) -> None:
    sounds = {}
    for name in ("plain", "soft", "pluck", "lead", "arcade"):
        assert (
            lakhnes_here("render", "a.tx1.txt", "-o", "b.wav", "--instrument", name, cwd=folder).returncode
            == 0
        )
        sounds[name] = (folder / "b.wav").read_bytes()
    assert len(set(sounds.values())) == len(sounds)
    lakhnes_here("render", "a.tx1.txt", "-o", "b.wav", cwd=folder)
    assert (folder / "b.wav").read_bytes() == sounds["lead"]


def test_convert_plays_plainly_so_that_notes_come_back(folder: Path) -> None:
    assert lakhnes_here("convert", "a.tx1.txt", "-o", "b.vgm", cwd=folder).returncode == 0
    assert lakhnes_here("convert", "b.vgm", "-o", "c.tx1.txt", cwd=folder).returncode == 0
    assert (folder / "c.tx1.txt").read_text() == (folder / "a.tx1.txt").read_text() + "\n"


def test_nothing_is_written_over_what_is_no_file(folder: Path) -> None:
    (folder / "b-NO.wav").mkdir()
    done = lakhnes_here("render", "a.tx2.txt", "-o", "b.wav", "--stems", cwd=folder)
    assert done.returncode == 1
    assert "b-NO.wav cannot be written" in done.stderr
    assert not list(folder.glob("b-P*"))
    os.mkfifo(folder / "pipe.wav")
    done = lakhnes_here("render", "a.tx2.txt", "-o", "pipe.wav", cwd=folder)
    assert "there is something of that name" in done.stderr
    assert (folder / "pipe.wav").is_fifo()


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_a_disk_that_takes_no_more_is_said_in_a_sentence(folder: Path, ending: str) -> None:
    done = lakhnes_with(100_000, "render", "a.tx2.txt", "-o", f"b.{ending}", folder=folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"lakhnes: b.{ending} cannot be written: ")
    assert done.stderr.count("\n") == 1
    assert not list(folder.glob("*b.*"))
    assert not list(folder.glob(".lakhnes*"))


def test_generate_writes_sound_beside_notes(folder: Path, small: Path) -> None:
    done = lakhnes_here(
        "generate",
        "--model",
        small,
        "--seconds",
        "4",
        "--seed",
        "7",
        "-o",
        "s.wav",
        "-o",
        "s.vgm",
        "-o",
        "s.mid",
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "No steady beat was found; its timing stays raw.\n")
    assert soundfile.info(folder / "s.wav").duration == pytest.approx(4, abs=0.05)
    assert {path.name for path in folder.glob("s.*")} == {"s.wav", "s.vgm", "s.mid"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.tx2.txt", "-o", "b.wav", "--rate", "7"], "7 Hz is not made; give one of 44100, 48000, 96000"),
        (["a.tx2.txt", "-o", "b.wav", "--bits", "12"], "12 bits is not made; give 16 or 24"),
        (
            ["a.tx2.txt", "-o", "b.wav", "--pan", "P1:nan"],
            "P1 cannot be panned to nan; give -1 (left) to 1 (right)",
        ),
        (["a.tx2.txt", "-o", "b.wav", "--pan", "P1:left"], "'P1:left' is no place"),
        (["a.tx2.txt", "-o", "b.wav", "--pan", "P9:0"], "no channel 'P9'"),
        (["a.tx2.txt", "-o", "b.wav", "--stems", "--stereo"], "A stem is mono"),
        (["a.tx2.txt", "-o", ".wav"], "an ending without a name"),
        (["a.tx2.txt", "-o", "b.wav", "-o", "here/b.wav"], "are one file"),
        (["long.vgm", "-o", "b.wav"], "13.5 hours are too long for a sound file"),
        (["a.tx2.txt", "-o", "b.wav", "--instrument", "kazoo"], "kazoo"),
        (["a.tx2.txt", "-o", "b.mid"], "b.mid is no sound; end it in .wav, .flac or .ogg"),
        (["a.tx2.txt", "-o", "b.mp3"], "no ending that says a format; use .mid"),
        (["a.tx2.txt", "-o", "nowhere/b.wav"], "there is no folder nowhere"),
        (["no.vgm", "-o", "b.wav"], "no.vgm is not there"),
        (["cut.vgm", "-o", "b.wav"], "cut.vgm"),
        (["other.vgm", "-o", "b.wav"], "other.vgm"),
        (["bomb.vgz", "-o", "b.wav"], "bomb.vgz"),
        (["b.flac", "-o", "b.wav"], "notes cannot be read from it"),
    ],
)
def test_what_cannot_be_rendered_is_said_in_one_sentence(
    folder: Path, bomb: bytes, arguments: list[str], message: str
) -> None:
    whole = (folder / "a.vgm").read_bytes()
    (folder / "cut.vgm").write_bytes(whole[:100])
    other = bytearray(whole)
    other[0x84:0x88] = bytes(4)
    other[0x0C:0x10] = (3_579_545).to_bytes(4, "little")
    (folder / "other.vgm").write_bytes(other)
    (folder / "bomb.vgz").write_bytes(bomb)
    (folder / "b.flac").touch()
    (folder / "here").symlink_to(folder)
    waits = b"\x61\xff\xff" * 32_769 + b"\x66"
    (folder / "long.vgm").write_bytes(whole[:0xC0] + waits)
    before = sorted(folder.iterdir())
    done = lakhnes_here("render", *arguments, cwd=folder)
    assert done.returncode == (2 if any(word.startswith("--") for word in arguments) else 1)
    assert done.stderr.startswith("lakhnes: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert sorted(folder.iterdir()) == before
