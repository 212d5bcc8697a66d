"""`lakhnes show`, as a user runs it."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import lakhnes_here, tune

from lakhnes.apu import registers_of, vgm_bytes
from lakhnes.bridge import MidiStyle, write_midi
from lakhnes.runtime import Score
from lakhnes.runtime.music.texts import tx1_text, tx2_text
from lakhnes.runtime.time.grid import BeatGrid


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.tx2.txt").write_text(tx2_text(tune()))
    (tmp_path / "a.tx1.txt").write_text(tx1_text(tune()))
    (tmp_path / "a.vgm").write_bytes(vgm_bytes(registers_of(tune())))
    write_midi(tune(), tmp_path / "a.mid", MidiStyle.NES)
    return tmp_path


def notes_in(path: Path) -> list[tuple[str, ...]]:
    """Class, place and width of the notes in an SVG."""
    names = ("class", "x", "y", "width")
    return [
        tuple(item.attrib[name] for name in names)
        for item in ET.parse(path).iter("{http://www.w3.org/2000/svg}rect")
        if item.attrib["class"] in ("P1", "P2", "TR", "NO")
    ]


def test_every_kind_of_music_is_drawn(folder: Path) -> None:
    for source in ("a.mid", "a.tx1.txt", "a.tx2.txt", "a.vgm"):
        done = lakhnes_here("show", source, "-o", f"{source}.svg", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"wrote {source}.svg: 4.0 s\n"
        svg = (folder / f"{source}.svg").read_text()
        assert "<title>a</title>" in svg
    assert len(notes_in(folder / "a.mid.svg")) == tune().n_notes + 4
    assert notes_in(folder / "a.mid.svg") == notes_in(folder / "a.tx2.txt.svg")
    assert len(notes_in(folder / "a.vgm.svg")) == tune().n_notes + 4


def test_png_and_svg_in_one_go(folder: Path) -> None:
    done = lakhnes_here("show", "a.mid", "-o", "b.png", "-o", "b.svg", "--width", "900", "--dark", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "wrote b.png, b.svg: 4.0 s\n"
    with Image.open(folder / "b.png") as image:
        assert image.width == 900
        grey = np.asarray(image.convert("L"))
    assert grey[0, 0] < 40
    assert grey.std() > 5
    assert ET.parse(folder / "b.svg").getroot().attrib["height"] == str(len(grey))


def test_bars_of_a_tempo_and_a_part_of_the_song(folder: Path) -> None:
    done = lakhnes_here(
        "show",
        "a.mid",
        "-o",
        "b.svg",
        "--bpm",
        "120",
        "--meter",
        "3",
        "--from",
        "1.5",
        "--to",
        "3",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    texts = [item.text for item in ET.parse(folder / "b.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert texts[1] == "0:01.5 to 0:03.0 of 0:04.0   ·   3 bars at 120 BPM   ·   44 notes"
    assert "2" in texts
    assert "3" not in texts


def test_a_midi_file_on_a_grid_is_drawn_in_its_bars(folder: Path) -> None:
    write_midi(tune(), folder / "g.mid", MidiStyle.DAW, BeatGrid.steady(120))
    assert lakhnes_here("show", "g.mid", "-o", "b.svg", cwd=folder).returncode == 0
    assert "2 bars at 120 BPM" in (folder / "b.svg").read_text()
    assert 'class="bar"' in (folder / "b.svg").read_text()


def test_a_song_of_nothing_has_a_picture(folder: Path) -> None:
    (folder / "empty.tx1.txt").write_text("WT_1")
    write_midi(Score(), folder / "empty.mid")
    for source in ("empty.tx1.txt", "empty.mid"):
        done = lakhnes_here("show", source, "-o", "b.png", cwd=folder)
        assert done.returncode == 0, done.stderr
        with Image.open(folder / "b.png") as image:
            assert image.width == 1600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.mid", "-o", "b.jpg"], "b.jpg has no ending that says a kind of picture; use .png or .svg"),
        (["a.mid", "-o", "b.png", "-o", "b"], "b has no ending"),
        (["a.mid", "-o", "nowhere/b.png"], "nowhere/b.png cannot be written"),
        (["a.mid", "-o", "taken.svg"], "taken.svg cannot be written"),
        (["no.mid", "-o", "b.png"], "no.mid is not there"),
        (["cut.mid", "-o", "b.png"], "cut.mid"),
        (["b.flac", "-o", "b.png"], "notes cannot be read from it"),
        (["long.tx1.txt", "-o", "b.png"], "40:00.0 of music would be a picture"),
        (["a.mid", "-o", "b.png", "--width", "100"], "100 pixels wide is not made; give 400 to 4000"),
        (["a.mid", "-o", "b.png", "--from", "9"], "The song ends at 4.0 s; give a start before that"),
        (["a.mid", "-o", "b.png", "--from", "2", "--to", "1"], "No music lies from 2 s to 1 s"),
        (["a.mid", "-o", "b.png", "--to", "1e-300"], "No music lies from 0 s to 1e-300 s"),
        (["a.mid", "-o", "b.png", "--bpm", "7"], "7 BPM is out of range"),
        (["a.mid", "-o", "b.png", "--bpm", "120", "--meter", "99"], "99 beats is out of range"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(
    folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "cut.mid").write_bytes((folder / "a.mid").read_bytes()[:40])
    (folder / "b.flac").touch()
    (folder / "taken.svg").mkdir()
    (folder / "long.tx1.txt").write_text(f"P1_NOTEON_60\nWT_{40 * 60 * 44_100}\nP1_NOTEOFF\n")
    before = sorted(folder.rglob("*"))
    done = lakhnes_here("show", *arguments, cwd=folder)
    setting = "would be a picture" in message or any(word.startswith("--") for word in arguments)
    assert done.returncode == (2 if setting else 1)
    assert done.stderr.startswith("lakhnes: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert done.stdout == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", "--help"], []),
        (["show", "a.mid", "-o", "b.svg"], ["lakhnes.bridge", "numpy"]),
        (["show", "a.mid", "-o", "b.png"], ["PIL", "lakhnes.bridge", "numpy"]),
    ],
)
def test_only_what_is_needed_is_loaded(folder: Path, arguments: list[str], expected: list[str]) -> None:
    code = (
        "import atexit, sys; from lakhnes.cli import main; names = {'PIL', 'numpy', 'lakhnes.bridge'}; "
        "atexit.register(lambda: print(sorted(names & set(sys.modules)))); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == str(expected)
