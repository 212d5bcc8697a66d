"""Music for the console, out of the commands that write files."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from nes_machines import Nsf, differing, log_frames, nsf_frames
from support import lakhnes_here, tune

from lakhnes.apu import registers_of, vgm_bytes
from lakhnes.apu.console import play_nsf, read_nsf, score_on_frames
from lakhnes.runtime.music.texts import read_text, tx2_text

FASTER = "A console has 60.0988 frames a second, and the song's are 60: there it is 0.16 % faster."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.tx2.txt").write_text(tx2_text(tune()))
    (tmp_path / "b.vgm").write_bytes(vgm_bytes(replace(registers_of(tune()), loop=44_100)))
    return tmp_path


@pytest.mark.parametrize("command", ["convert", "render"])
def test_files_for_the_console(folder: Path, command: str) -> None:
    outputs = [word for ending in ("nsf", "nsfe", "nes") for word in ("-o", f"c.{ending}")]
    texts = ("--title", "Walk", "--author", "Ada", "--licence", "CC0")
    done = lakhnes_here(command, "a.tx2.txt", *outputs, *texts, cwd=folder)
    assert (done.returncode, done.stderr) == (0, FASTER + "\n")
    data = (folder / "c.nsf").read_bytes()
    nsf = Nsf(data)
    assert (nsf.title, nsf.author, nsf.licence) == ("Walk", "Ada", "CC0")
    frames, _ = nsf_frames(data, 240)
    assert differing(frames, log_frames(registers_of(score_on_frames(tune())[0]), 240)) == []
    assert (folder / "c.nes").read_bytes()[:4] == b"NES\x1a"
    assert (folder / "c.nsfe").read_bytes()[:4] == b"NSFE"


def test_an_album_of_several_sources(folder: Path) -> None:
    done = lakhnes_here("convert", "a.tx2.txt", "b.vgm", "-o", "album.nsf", "--json", cwd=folder)
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["files"] == ["album.nsf"]
    assert result["seconds"] == pytest.approx(2 * tune().seconds)
    assert result["remarks"] == [f"a: {FASTER}", f"b: {FASTER}"]
    nsf = Nsf((folder / "album.nsf").read_bytes())
    assert (nsf.n_songs, nsf.title) == (2, "album")
    assert b"a\0b\0" in nsf.rest


def test_several_songs_go_into_no_other_file(folder: Path) -> None:
    done = lakhnes_here("convert", "a.tx2.txt", "b.vgm", "-o", "c.nsf", "-o", "c.mid", cwd=folder)
    assert done.returncode == 1
    assert "c.mid holds one song; write 2 into a .nsf, .nsfe or .nes." in done.stderr
    assert not list(folder.glob("c.*"))


def test_a_game_s_music_is_an_album_and_a_file_for_each_piece(folder: Path, small: Path) -> None:
    outputs = [word for ending in ("nsf", "fms.txt", "ogg", "mid") for word in ("-o", f"game.{ending}")]
    asked = ("--game", "--bars", "2", "--bpm", "150", "--seed", "1", "--model", str(small), "--json")
    done = lakhnes_here("generate", *asked, *outputs, cwd=folder)
    assert done.returncode == 0, done.stderr
    pieces = ("layer3", "layer2", "layer1", "fanfare", "game-over")
    single = {f"game-{piece}.{ending}" for piece in pieces for ending in ("fms.txt", "ogg", "mid")}
    assert set(json.loads(done.stdout)["files"]) == {"game.nsf", *single}
    nsf = Nsf((folder / "game.nsf").read_bytes())
    assert nsf.n_songs == 5
    assert b"layer3\0layer2\0layer1\0fanfare\0game-over\0" in nsf.rest
    bar = round(4 * 60 / 150 * 44_100)
    sound = (folder / "game-layer2.ogg").read_bytes()
    start = int(re.search(rb"LOOPSTART=(\d+)", sound)[1])
    assert start == 2 * bar
    assert int(re.search(rb"LOOPLENGTH=(\d+)", sound)[1]) == 2 * bar
    assert b"LOOPSTART" not in (folder / "game-fanfare.ogg").read_bytes()
    looped = play_nsf(read_nsf(folder / "game.nsf"), 1).log
    assert looped.loop is not None
    assert looped.length - looped.loop == pytest.approx(2 * bar, abs=2000)
    assert 'LoopPoint="1"' in (folder / "game-layer1.fms.txt").read_text()


@pytest.mark.parametrize("also", [("--loop",), ("--form", "AB"), ("--count", "2")])
def test_a_game_s_music_has_its_own_structure(folder: Path, also: tuple[str, ...]) -> None:
    done = lakhnes_here("generate", "--game", "--bars", "4", *also, "-o", "g.nsf", cwd=folder)
    assert done.returncode == 2
    assert "--loop, --form and --count" in " ".join(done.stderr.split())


def test_a_game_s_music_has_bars(folder: Path) -> None:
    done = lakhnes_here("generate", "--game", "-o", "g.nsf", cwd=folder)
    assert done.returncode == 2
    assert "add --bars" in " ".join(done.stderr.split())


def test_a_chip_of_a_cartridge_has_a_volume(folder: Path) -> None:
    writes = ((0x9000, 0x7F), (0x9001, 253), (0x9002, 0x80))
    code = b"".join(bytes((0xA9, value, 0x8D)) + address.to_bytes(2, "little") for address, value in writes)
    program, speed = code + b"\x60", (16_666).to_bytes(2, "little")
    play = 0x8000 + len(code)
    header = b"NESM\x1a\x01\x01\x01\x00\x80\x00\x80" + play.to_bytes(2, "little") + bytes(96)
    (folder / "v.nsf").write_bytes(header + speed + bytes(11) + b"\x01" + bytes(4) + program)
    peaks = []
    for volume in ("1", "0.5", "0"):
        done = lakhnes_here(
            "render", "v.nsf", "--length", "1", "--volume", f"VRC6:{volume}", "-o", "v.wav", cwd=folder
        )
        assert (done.returncode, done.stderr) == (0, "")
        peaks.append(float(np.abs(soundfile.read(folder / "v.wav")[0]).max()))
    assert peaks[0] > 0.05
    assert peaks[1] == pytest.approx(peaks[0] / 2, rel=0.01)
    assert peaks[2] == 0
    wrong = lakhnes_here("render", "v.nsf", "--length", "1", "--volume", "VRC6:2", "-o", "v.wav", cwd=folder)
    assert wrong.returncode == 2 or wrong.returncode == 1
    assert "VRC6 cannot have volume 2" in " ".join(wrong.stderr.split())


def test_generate_fills_an_album(folder: Path, small: Path) -> None:
    done = lakhnes_here(
        *("generate", "--model", small, "--seconds", "2", "--seed", "7", "--count", "3"),
        *("-o", "s.nes", "-o", "s.nsf", "-o", "s.mid"),
        cwd=folder,
    )
    assert done.returncode == 0
    assert {path.name for path in folder.glob("s*")} == {
        *("s.nes", "s.nsf"),
        *(f"s-00{number}.mid" for number in (1, 2, 3)),
    }
    assert Nsf((folder / "s.nsf").read_bytes()).n_songs == 3


def test_an_nsf_is_read_back(folder: Path) -> None:
    assert lakhnes_here("convert", "a.tx2.txt", "b.vgm", "-o", "album.nsf", cwd=folder).returncode == 0
    options = ("--song", "2", "-o", "c.wav", "-o", "c.nes", "--json")
    done = lakhnes_here("render", "album.nsf", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seconds"] == pytest.approx(tune().seconds, rel=0.01)
    done = lakhnes_here("convert", "album.nsf", "-o", "c.tx2.txt", "--length", "3", cwd=folder)
    assert done.returncode == 0, done.stderr
    notes = [note.pitch for note in read_text(folder / "c.tx2.txt").parts[0].notes]
    assert notes == [note.pitch for note in tune().parts[0].notes][: len(notes)]
    assert len(notes) == 6
    for options, reason in (
        (("album.nsf", "--song", "3"), "album.nsf has no song 3; give 1 to 2."),
        (
            ("a.tx2.txt", "--song", "1"),
            "a.tx2.txt holds one song; give --song and --length for NSF files only.",
        ),
    ):
        done = lakhnes_here("render", *options, "-o", "d.wav", cwd=folder)
        assert done.returncode != 0
        assert reason in done.stderr


def test_rows_for_trackers_go_out_and_come_in(folder: Path) -> None:
    done = lakhnes_here(
        *("convert", "a.tx2.txt", "-o", "a.ftm.txt", "-o", "a.fms.txt", "--title", "Walk"), cwd=folder
    )
    assert done.returncode == 0
    text = (folder / "a.ftm.txt").read_text()
    assert 'TITLE           "Walk"' in text
    (folder / "theirs.txt").write_text("\ufeff" + text)
    for source in ("a.ftm.txt", "theirs.txt", "a.fms.txt"):
        done = lakhnes_here("convert", source, "-o", "b.tx2.txt", cwd=folder)
        assert done.returncode == 0, done.stderr
        back = read_text(folder / "b.tx2.txt")
        assert [[n.pitch for n in p.notes] for p in back.parts] == [
            [n.pitch for n in p.notes] for p in tune().parts
        ]
