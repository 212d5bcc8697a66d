"""Volumes and timbres composed by the model `expressive`, from the command line."""

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from support import lakhnes_here

from lakhnes.runtime import EXPRESSIVE_MODEL, Model, Voice, list_models, read_text


def lakhnes(*arguments: object, folder: Path) -> None:
    done = lakhnes_here(*arguments, cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory, small: Path) -> Path:
    folder = tmp_path_factory.mktemp("song")
    options = ("--model", small, "--bpm", 140, "--bars", 4, "--seed", 3)
    lakhnes("generate", *options, "-o", "a.mid", "-o", "a.tx1.txt", folder=folder)
    return folder


def test_it_is_in_the_package() -> None:
    path = list_models()[EXPRESSIVE_MODEL]
    assert path.with_name("MODEL_CARD.md").is_file()
    assert Model.load(EXPRESSIVE_MODEL).codec.vocabulary.has_expression


def test_notes_stay_and_dynamics_are_composed(song: Path) -> None:
    lakhnes(
        "accompany",
        "a.tx1.txt",
        "--mode",
        "dynamics",
        "-o",
        "b.tx2.txt",
        "-o",
        "b.wav",
        "--seed",
        1,
        folder=song,
    )
    before, after = read_text(song / "a.tx1.txt"), read_text(song / "b.tx2.txt")
    for voice in Voice:
        old, new = ([(n.onset, n.length, n.pitch) for n in s.parts[voice].notes] for s in (before, after))
        assert new == old
    assert sum(len(part.changes) for part in after.parts) > 40
    assert len({note.velocity for part in after.parts for note in part.notes}) > 3
    lakhnes("render", "a.tx1.txt", "-o", "a.wav", folder=song)
    flat, alive = (soundfile.read(song / name)[0] for name in ("a.wav", "b.wav"))
    assert np.abs(alive).max() > 0.01
    assert len(flat) != len(alive) or np.abs(flat - alive).max() > 0.01


def test_in_midi_they_are_controllers(song: Path, dynamic: Path) -> None:
    options = ("--model", dynamic, "--mode", "dynamics", "--seed", 1)
    lakhnes("accompany", "a.mid", *options, "-o", "c.mid", folder=song)
    sent = [m for track in mido.MidiFile(song / "c.mid").tracks for m in track if m.type == "control_change"]
    assert {11, 12} <= {message.control for message in sent}
    assert mido.MidiFile(song / "c.mid").length == pytest.approx(
        mido.MidiFile(song / "a.mid").length, abs=0.1
    )


def test_it_composes_notes_too_and_on_a_grid(tmp_path: Path, dynamic: Path) -> None:
    options = ("--model", dynamic, "--bpm", 120, "--bars", 4, "--seed", 3)
    lakhnes("generate", *options, "-o", "a.tx2.txt", "-o", "a.mid", folder=tmp_path)
    score = read_text(tmp_path / "a.tx2.txt")
    assert score.n_notes
    row = 60 * 44_100 / 120 / 4
    onsets = [note.onset for part in score.parts for note in part.notes]
    assert all(abs(onset - row * round(onset / row)) <= 1 for onset in onsets)
    volumes = [change.sample for part in score.parts for change in part.changes]
    assert any(abs(at - row * round(at / row)) > 700 for at in volumes), "volumes change between the rows"
