"""Tempo and bars from the command line, as another library reads them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from simulated import KINDS, simulate
from support import lakhnes_here

from lakhnes.bridge import MidiStyle, write_midi
from lakhnes.runtime import BeatGrid, Note, Part, Score, TimeSignature

symusic = pytest.importorskip("symusic")


def four_bars(folder: Path, model: Path, bpm: int) -> None:
    """Composes four bars into `a.mid`."""
    options = ("--model", model, "--bpm", bpm, "--bars", 4, "--seed", 1, "-o", "a.mid")
    assert lakhnes_here("generate", *options, cwd=folder).returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A song of 150 BPM or so, exact to the sample and without a grid."""
    write_midi(simulate(KINDS["straight"], 1, bars=12).score, tmp_path / "a.mid", MidiStyle.NES)
    return tmp_path


def onsets(path: Path) -> list[int]:
    return sorted(note.time for track in symusic.Score(path).tracks for note in track.notes)


@pytest.mark.parametrize(("bpm", "meter"), [(140, 4), (97.5, 3)])
def test_songs_composed_to_a_tempo_are_on_it(tmp_path: Path, small: Path, bpm: float, meter: int) -> None:
    options = ("--bpm", bpm, "--bars", 4, "--meter", meter, "--count", 3, "--seed", 1)
    done = lakhnes_here("generate", "--model", small, *options, "-o", "s.mid", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    files = sorted(tmp_path.glob("s-*.mid"))
    assert len(files) == 3
    for file in files:
        read = symusic.Score(file)
        assert [round(tempo.qpm, 2) for tempo in read.tempos] == [bpm]
        assert [s.numerator for s in read.time_signatures] == [meter]
        assert onsets(file)
        assert all(onset % 120 == 0 for onset in onsets(file))
        ends = [note.time + note.duration for track in read.tracks for note in track.notes]
        assert max(ends) <= 4 * meter * 480


def test_a_loop_goes_on_at_its_start(tmp_path: Path, small: Path) -> None:
    from lakhnes.apu import read_vgm

    options = ("--bpm", 140, "--bars", 3, "--loop", "--seed", 1)
    done = lakhnes_here("generate", "--model", small, *options, "-o", "s.vgm", "-o", "s.mid", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    log = read_vgm(tmp_path / "s.vgm").log
    assert log.loop == 0
    assert log.length == round(3 * 4 * 60 / 140 * 44_100)
    assert all(onset % 120 == 0 for onset in onsets(tmp_path / "s.mid"))


def test_sections_come_back_bar_for_bar(tmp_path: Path, small: Path) -> None:
    options = ("--bpm", 140, "--bars", 2, "--form", "AABA'", "--seed", 5, "--count", 2)
    done = lakhnes_here("generate", "--model", small, *options, "-o", "s.mid", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for number, row in enumerate(json.loads(done.stdout)["songs"], 1):
        assert row["seconds"] == pytest.approx(8 * 4 * 60 / 140, abs=0.01)
        section = 2 * 4 * 480
        read = symusic.Score(tmp_path / f"s-{number:03d}.mid")
        notes = [(track.name, n.time, n.pitch) for track in read.tracks for n in track.notes]
        assert all(time % 120 == 0 for _, time, _ in notes)
        first, second = (
            sorted((name, time % section, pitch) for name, time, pitch in notes if time // section == place)
            for place in (0, 1)
        )
        assert first
        assert first == second


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (("--form", "AB"), "--bars 8"),
        (("--form", "AB", "--bpm", 90, "--seconds", 9), "--bars 8"),
        (("--loop", "--bpm", 90), "--bars 8"),
        (("--bars", 4, "--model", "nes-frames"), "--bpm 120"),
        (("--meter", "6/8", "--model", "nes-frames"), "--bpm 120"),
        (("--meter", "9"), "give 2 to 7"),
        (("--meter", "7/8", "--bpm", 90), "7/8"),
        (("--meter", "nonsense", "--bpm", 90), "is no meter"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, options: tuple[object, ...], missing: str) -> None:
    done = lakhnes_here("generate", *options, "-o", "s.mid", cwd=tmp_path)
    assert done.returncode == 2
    assert missing in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_song_without_a_tempo_gets_its_own(folder: Path) -> None:
    assert lakhnes_here("convert", "a.mid", "-o", "b.mid", cwd=folder).returncode == 0
    truth = simulate(KINDS["straight"], 1, bars=12)
    bpm = symusic.Score(folder / "b.mid").tempos[0].qpm
    assert min(abs(bpm / (truth.bpms[0] * factor) - 1) for factor in (0.25, 0.5, 1, 2, 4)) < 0.005
    assert sum(onset % 60 == 0 for onset in onsets(folder / "b.mid")) > 0.95 * len(onsets(folder / "b.mid"))


def test_raw_timing_keeps_every_moment(folder: Path) -> None:
    assert lakhnes_here("convert", "a.mid", "-o", "b.mid", "--raw-timing", cwd=folder).returncode == 0
    assert symusic.Score(folder / "b.mid").tempos[0].qpm == pytest.approx(120)
    truth: Score = simulate(KINDS["straight"], 1, bars=12).score
    moments = sorted(note.onset for part in truth.parts for note in part.notes)
    for onset, sample in zip(onsets(folder / "b.mid"), moments, strict=True):
        assert abs(onset * 44_100 / 960 - sample) <= 23


def test_a_song_can_be_played_at_another_tempo_and_counted_in_other_beats(folder: Path) -> None:
    for name, options in {"b": (), "c": ("--bpm", "100"), "d": ("--double",), "e": ("--half",)}.items():
        assert lakhnes_here("convert", "a.mid", "-o", f"{name}.mid", *options, cwd=folder).returncode == 0
    own, slow, double, half = (symusic.Score(folder / f"{name}.mid") for name in "bcde")
    assert slow.tempos[0].qpm == pytest.approx(100)
    assert double.tempos[0].qpm == pytest.approx(2 * own.tempos[0].qpm, rel=1e-4)
    assert half.tempos[0].qpm == pytest.approx(own.tempos[0].qpm / 2, rel=1e-4)
    apart = [b - a for a, b in zip(onsets(folder / "b.mid"), onsets(folder / "d.mid"), strict=True)]
    assert apart[-1] > apart[0]


def test_what_has_no_beat_cannot_be_played_at_another_tempo(tmp_path: Path) -> None:
    (tmp_path / "a.tx1.txt").write_text("P1_NOTEON_60\nWT_9000\nP1_NOTEOFF\nWT_100\n")
    done = lakhnes_here("convert", "a.tx1.txt", "-o", "b.mid", "--bpm", "100", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "lakhnes: No steady beat was found in the song, so its timing cannot be changed.\n"
    )
    plain = lakhnes_here("convert", "a.tx1.txt", "-o", "b.mid", cwd=tmp_path)
    assert plain.returncode == 0
    assert "No steady beat was found; its timing stays raw." in plain.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--bars", "4", "--model", "nes-frames"), 2, "--bpm"),
        (("--bpm", "140", "--loop"), 2, "--bars"),
        (("--bpm", "140", "--bars", "1", "--loop"), 2, "A loop needs two bars at least"),
        (("--bpm", "140", "--bars", "4", "--seconds", "9"), 2, "one of"),
        (("--bpm", "1000", "--bars", "4"), 2, "1000 BPM is out of range; give 20 to 400"),
    ],
)
def test_tempi_that_cannot_be_are_refused(
    tmp_path: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    done = lakhnes_here("generate", *options, "-o", "s.mid", cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ("continue", "--seconds", "6"),
        ("continue", "--seconds", "6", "--only-new", "--prompt-seconds", "3"),
        ("accompany", "--keep", "P1"),
    ],
)
def test_what_is_composed_to_a_song_with_a_tempo_keeps_it(
    tmp_path: Path, small: Path, command: tuple[str, ...]
) -> None:
    four_bars(tmp_path, small, 133)
    name, *options = command
    done = lakhnes_here(name, "--model", small, "a.mid", "-o", "b.mid", "--seed", "2", *options, cwd=tmp_path)
    assert done.returncode == 0
    read = symusic.Score(tmp_path / "b.mid")
    assert [round(tempo.qpm, 2) for tempo in read.tempos] == [133]
    assert onsets(tmp_path / "b.mid")
    assert sum(onset % 120 == 0 for onset in onsets(tmp_path / "b.mid")) > 0.97 * len(
        onsets(tmp_path / "b.mid")
    )


def test_a_meter_is_a_number_or_a_fraction(tmp_path: Path, small: Path) -> None:
    common = ("generate", "--model", small, "--bpm", "200", "--bars", "1", "--seed", "1")
    for name, meter in (("a", "3"), ("b", "6/8"), ("c", "3/4")):
        assert lakhnes_here(*common, "--meter", meter, "-o", f"{name}.mid", cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "c.mid").read_bytes()


@pytest.mark.parametrize(
    ("meters", "end", "first"),
    [
        ([(0, 4)], 7.9, 8),  # the prompt ends just before a bar line
        ([(0, 4)], 8, 8),
        ([(0, 4)], 5, 4),  # it ends within a bar, in which the new music begins
        ([(0, 4)], 7.5, 8),  # the new music rests up to the bar line
        ([(0, 1), (1, 4)], 8.9, 9),  # after a pick-up
        ([(0, 4), (8, 3)], 13.9, 14),  # after bars of another length
    ],
)
@pytest.mark.parametrize("length", [("--bars", "2"), ("--seconds", "3")])
def test_only_what_is_new_begins_with_the_bar_of_its_first_note(
    tmp_path: Path,
    small: Path,
    meters: list[tuple[int, int]],
    end: float,
    first: int,
    length: tuple[str, str],
) -> None:
    """Places are in beats; `first` is the bar line that becomes the first one of the new music."""
    signatures = tuple(TimeSignature(480 * beat, numerator) for beat, numerator in meters)
    grid = replace(BeatGrid.steady(150), signatures=signatures)
    beat = grid.sample(480)
    notes = tuple(Note(i * beat, round(min(1, end - i) * beat), 60 + i % 5) for i in range(math.ceil(end)))
    prompt = Score((Part(notes), Part(), Part(), Part()), round(end * beat))
    write_midi(prompt, tmp_path / "a.mid", MidiStyle.DAW, grid)
    common = ("continue", "--model", small, "a.mid", *length, "--seed", "2")
    for options in (("-o", "whole.mid"), ("--only-new", "-o", "new.mid")):
        done = lakhnes_here(*common, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    continued = onsets(tmp_path / "whole.mid")[len(notes) :]
    assert onsets(tmp_path / "new.mid") == [onset - 480 * first for onset in continued]
    assert min(onsets(tmp_path / "new.mid")) < 480 * meters[-1][1]
    read = symusic.Score(tmp_path / "new.mid")
    assert [(s.time, s.numerator) for s in read.time_signatures] == [(0, meters[-1][1])]
    assert [(tempo.time, round(tempo.qpm)) for tempo in read.tempos] == [(0, 150)]


def test_only_what_is_new_begins_in_its_first_bar(tmp_path: Path, small: Path) -> None:
    four_bars(tmp_path, small, 150)
    common = ("continue", "--model", small, "a.mid", "--bars", "2", "--seed", "2")
    assert lakhnes_here(*common, "--only-new", "-o", "new.mid", cwd=tmp_path).returncode == 0
    assert lakhnes_here(*common, "-o", "whole.mid", cwd=tmp_path).returncode == 0
    bars = [symusic.Score(tmp_path / f"{name}.mid").end() / (4 * 480) for name in ("new", "whole")]
    assert bars[0] == pytest.approx(2, abs=0.1)
    assert bars[1] == pytest.approx(6, abs=0.1)
    assert min(onsets(tmp_path / "new.mid")) < 4 * 480
    assert onsets(tmp_path / "whole.mid")[: len(onsets(tmp_path / "a.mid"))] == onsets(tmp_path / "a.mid")
