"""How files were made, and composing them again, from the command line."""

import json
import shutil
from pathlib import Path

import mido
import pytest
from support import lakhnes_here, tune

from lakhnes.bridge import write_midi
from lakhnes.cli.app import app
from lakhnes.cli.recording import SETTINGS
from lakhnes.runtime import GAME_PIECES, Model, Provenance, file_sha256
from lakhnes.runtime.provenance import record_in
from lakhnes.studio.music_files import Forms, Music, read_music, write_music

HELD = ("mid", "wav", "flac", "ogg", "vgm", "vgz", "nsf", "nsfe", "ftm.txt", "fms.txt")
"""Endings of formats that have a place for a record."""
PLACELESS = ("nes", "tx1.txt", "tx2.txt")

MORE = ("--temperature", 1.2, "--chords", "Am  F", "--range", "P1:60-84", "--density", -1, "--mute", "NO")
TASKS = {
    "generate": ("generate", "--bpm", 130, "--bars", 2, *MORE),
    "loop": ("generate", "--bpm", 140, "--bars", 2, "--loop", "--meter", "3/4"),
    "form": ("generate", "--bpm", 150, "--bars", 1, "--form", "AA'B", "--scale", "a minor"),
    "continue": ("continue", "any.mid", "--seconds", 2, "--only-new", "--voices", "P1=lead,TR=3"),
    "voices": ("accompany", "any.mid", "--keep", "P1,NO", "--midi", "nes"),
    "rhythm": ("accompany", "any.mid", "--mode", "rhythm", "--bars", 1),
    "dynamics": ("accompany", "any.mid", "--mode", "dynamics"),
}


def lakhnes(*arguments: object, folder: Path, code: int = 0) -> str:
    done = lakhnes_here(*arguments, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 or done.stdout else done.stderr


def bring(folder: Path) -> None:
    """A file of somebody, with names of their own."""
    write_midi(tune(), folder / "any.mid")
    midi = mido.MidiFile(folder / "any.mid")
    for track, name in zip(midi.tracks[1:], ("Anna's lead", "Harmony", "Bass", "Drums"), strict=True):
        track[0].name = name
    midi.save(folder / "any.mid")


def outputs(name: str, endings: tuple[str, ...]) -> list[str]:
    return [word for ending in endings for word in ("-o", f"{name}.{ending}")]


@pytest.fixture(scope="module", params=TASKS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A folder with a song in every format, the folder of its model, and the task."""
    task = str(request.param)
    model = request.getfixturevalue("dynamic" if task == "dynamics" else "small")
    folder = tmp_path_factory.mktemp(task)
    bring(folder)
    options = ("--model", model, "--seed", 5, *outputs("song", (*HELD, *PLACELESS)))
    lakhnes(*TASKS[task], *options, "--title", "Anna's song", folder=folder)
    return folder, model, task


def kept_of(task: str) -> tuple[str, ...]:
    return ("--kept", "any.mid") if "any.mid" in TASKS[task] else ()


def test_every_format_with_a_place_says_how_it_was_made(made: tuple[Path, Path, str]) -> None:
    folder, model, task = made
    plain = [json.loads(lakhnes("provenance", f"song.{e}", "--json", folder=folder)) for e in HELD]
    assert all(each == plain[0] for each in plain)
    record = Provenance.from_text(json.dumps(plain[0]), "song")
    assert record.task == TASKS[task][0]
    assert record.seed == 5
    assert record.model_sha256 == file_sha256(model / "model.onnx")
    assert record.kept == ((file_sha256(folder / "any.mid"),) if kept_of(task) else ())
    text = record.to_text()
    for private in ("any.mid", "Anna", str(folder), str(model.parent), str(Path.home())):
        assert private not in text


def test_it_is_composed_again_the_same(made: tuple[Path, Path, str]) -> None:
    folder, model, task = made
    for ending in HELD[list(TASKS).index(task) % 3 :: 3]:
        options = ("--model", model, *kept_of(task), "-o", f"again-{ending}.tx2.txt")
        said = lakhnes("replay", f"song.{ending}", *options, folder=folder)
        assert said.startswith("The notes are the same"), said
        again = (folder / f"again-{ending}.tx2.txt").read_text()
        assert again == (folder / "song.tx2.txt").read_text()


def test_settings_are_the_options_that_differ(tmp_path: Path, small: Path) -> None:
    options = ("--model", small, "--top-p", 0.99, "-o", "a.mid")
    lakhnes(*TASKS["generate"], *options, "--seed", 0, folder=tmp_path)
    settings = json.loads(lakhnes("provenance", "a.mid", "--json", folder=tmp_path))["settings"]
    assert settings == {
        "bpm": 130.0,
        "bars": 2,
        "temperature": 1.2,
        "chords": "Am F",
        "range": ["P1:60-84"],
        "density": -1.0,
        "mute": "NO",
    }
    said = lakhnes("provenance", "a.mid", folder=tmp_path)
    assert "--density -1.0" in said
    assert "seed       0" in said


def test_names_of_tracks_become_numbers(tmp_path: Path, small: Path) -> None:
    bring(tmp_path)
    options = ("--model", small, "--seconds", 1, "--voices", "P1=lead,NO=Drums+Bass,P2=none", "-o", "a.mid")
    lakhnes("continue", "any.mid", *options, folder=tmp_path)
    settings = json.loads(lakhnes("provenance", "a.mid", "--json", folder=tmp_path))["settings"]
    assert settings["voices"] == "P1=1,NO=4+3,P2=none"


def test_no_option_with_a_name_or_a_path_is_recorded() -> None:
    """An option is either a setting, or known here as none."""
    import typer

    others = {"source", "output", "count", "seed", "model", "title", "author", "licence", "help"}
    others |= {"no_provenance", "as_json"}
    group = typer.main.get_command(app)
    for name in ("generate", "continue", "accompany"):
        parameters = {one.name for one in group.commands[name].params}  # type: ignore[attr-defined]
        assert parameters - SETTINGS == others & parameters


@pytest.mark.parametrize("ending", [*HELD, "png", "svg"])
def test_a_file_can_be_silent(tmp_path: Path, small: Path, ending: str) -> None:
    files = ("-o", "a.mid", *(() if ending in ("png", "svg") else ("-o", f"b.{ending}")))
    silent = "--no-provenance"
    lakhnes("generate", "--model", small, "--tokens", 40, *files, silent, folder=tmp_path)
    lakhnes("generate", "--model", small, "--tokens", 40, "-o", "told.mid", folder=tmp_path)
    if ending in ("png", "svg"):
        lakhnes("show", "told.mid", "-o", f"b.{ending}", silent, folder=tmp_path)
    said = lakhnes("provenance", f"b.{ending}", folder=tmp_path, code=1)
    assert "does not say how it was made" in said
    if ending not in ("png", "svg"):
        lakhnes("convert", "told.mid", "-o", f"c.{ending}", silent, folder=tmp_path)
        assert b"lakhnes provenance" not in (tmp_path / f"c.{ending}").read_bytes()
        lakhnes("provenance", f"c.{ending}", folder=tmp_path, code=1)


def test_conversion_and_pictures_carry_it_over(tmp_path: Path, small: Path) -> None:
    options = ("--bpm", 150, "--bars", 2, "--seed", 3)
    lakhnes("generate", "--model", small, *options, "-o", "a.mid", folder=tmp_path)
    written = json.loads(lakhnes("provenance", "a.mid", "--json", folder=tmp_path))
    lakhnes("show", "a.mid", "-o", "a.png", "-o", "a.svg", folder=tmp_path)
    lakhnes("render", "a.mid", "--stereo", "-o", "b.wav", "-o", "b.flac", "-o", "b.ogg", folder=tmp_path)
    lakhnes("convert", "a.mid", *outputs("b", ("mid", "vgm", "nsf", "ftm.txt", "fms.txt")), folder=tmp_path)
    lakhnes("convert", "b.mid", "-o", "c.mid", "--bpm", 100, folder=tmp_path)
    for name in (
        "a.png",
        "a.svg",
        "b.wav",
        "b.flac",
        "b.ogg",
        "b.mid",
        "b.vgm",
        "b.nsf",
        "b.ftm.txt",
        "c.mid",
    ):
        assert json.loads(lakhnes("provenance", name, "--json", folder=tmp_path)) == {
            **written,
            "converted": True,
        }
        said = lakhnes("replay", name, "--model", small, folder=tmp_path)
        assert said == f"The notes are the same as those that {name} was made of.\n"


def test_songs_of_one_file_each_have_their_own(tmp_path: Path, small: Path) -> None:
    options = ("--model", small, "--seed", 8, "--count", 2, "--tokens", 40)
    lakhnes("generate", *options, "-o", "a.nsf", "-o", "b.mid", folder=tmp_path)
    songs = json.loads(lakhnes("provenance", "a.nsf", "--json", folder=tmp_path))["songs"]
    assert [song["seed"] for song in songs] == [8, 9]
    assert songs[1] == json.loads(lakhnes("provenance", "b-002.mid", "--json", folder=tmp_path))
    assert "song       2" in lakhnes("provenance", "a.nsf", folder=tmp_path)
    again = ("--model", small, "-o", "again.mid")
    said = lakhnes("replay", "a.nsf", "--song", 2, *again, folder=tmp_path)
    assert said == "The notes are the same as those of a.nsf.\nwrote again.mid\n"
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "b-002.mid").read_bytes()
    assert "give --song 1 to 2" in lakhnes("replay", "a.nsf", "--song", 3, folder=tmp_path, code=2)
    lakhnes("convert", "b-001.mid", "any.mid", "-o", "mixed.nsf", folder=brought(tmp_path))
    said = lakhnes("replay", "mixed.nsf", "--song", 2, folder=tmp_path, code=1)
    assert "Song 2 of mixed.nsf does not say how it was made" in said


def brought(folder: Path) -> Path:
    bring(folder)
    return folder


def test_a_games_pieces_are_composed_again(tmp_path: Path) -> None:
    options = ("--game", "--bpm", 180, "--bars", 2, "--seed", 4)
    lakhnes("generate", *options, "-o", "a.mid", "-o", "a.nsf", folder=tmp_path)
    record = json.loads(lakhnes("provenance", "a-fanfare.mid", "--json", folder=tmp_path))
    assert record["piece"] == "fanfare"
    said = lakhnes("replay", "a-fanfare.mid", "-o", "b.mid", folder=tmp_path)
    assert said.startswith("The notes are the same as those of a-fanfare.mid.\nwrote b-layer3.mid, ")
    for piece in GAME_PIECES:
        assert (tmp_path / f"b-{piece}.mid").read_bytes() == (tmp_path / f"a-{piece}.mid").read_bytes()
    assert (
        lakhnes("replay", "a.nsf", "--song", 5, folder=tmp_path)
        == "The notes are the same as those of a.nsf.\n"
    )


@pytest.fixture
def song(tmp_path: Path, small: Path) -> Path:
    bring(tmp_path)
    lakhnes("continue", "any.mid", "--model", small, "--seconds", 2, "-o", "a.mid", folder=tmp_path)
    return tmp_path


def test_the_kept_file_must_be_given(song: Path, small: Path) -> None:
    asked = ("replay", "a.mid", "--model", small)
    said = lakhnes(*asked, folder=song, code=1)
    assert f"Give that file with --kept; its SHA-256 is {file_sha256(song / 'any.mid')}." in said
    said = lakhnes(*asked, "--kept", "a.mid", folder=song, code=1)
    assert "a.mid is not the file that was kept" in said
    shutil.copy(song / "any.mid", song / "renamed.mid")
    said = lakhnes(*asked, "--kept", "renamed.mid", "--json", folder=song)
    assert json.loads(said) == {
        "same": True,
        "reason": "The notes are the same as those of a.mid.",
        "files": [],
    }


def test_a_file_nobody_kept_is_refused(tmp_path: Path, small: Path) -> None:
    bring(tmp_path)
    lakhnes("generate", "--model", small, "--tokens", 40, "-o", "a.mid", folder=tmp_path)
    said = lakhnes("replay", "a.mid", "--model", small, "--kept", "any.mid", folder=tmp_path, code=2)
    assert "leave out --kept" in said


def test_another_model_is_the_reason(song: Path, small: Path, dynamic: Path) -> None:
    said = lakhnes("replay", "a.mid", "--kept", "any.mid", folder=song, code=1)
    assert "composed by the model 'small', which is not here; give its folder with --model." in said
    said = lakhnes("replay", "a.mid", "--kept", "any.mid", "--model", dynamic, folder=song, code=1)
    sha256 = file_sha256(small / "model.onnx")
    assert (
        f"The notes are not those of a.mid: the model is another one (its file should have SHA-256 {sha256})"
        in said
    )


def rewrite(path: Path, **changes: object) -> None:
    """The same file with other fields in its record."""
    midi = mido.MidiFile(path)
    (text,) = (message for message in midi.tracks[0] if message.type == "text" and record_in(message.text))
    text.text = json.dumps({**json.loads(text.text), **changes})
    midi.save(path)


def test_another_version_is_the_reason(song: Path, small: Path) -> None:
    rewrite(song / "a.mid", lakhnes="0.0.1", seed=99)
    said = lakhnes("replay", "a.mid", "--kept", "any.mid", "--model", small, folder=song, code=1)
    assert "The notes are not those of a.mid: lakhnes 0.0.1 composed it, and this is " in said


def test_a_file_that_was_changed_since_is_found_out(song: Path, small: Path) -> None:
    midi = mido.MidiFile(song / "a.mid")
    next(message for message in midi.tracks[1] if message.type == "note_on").note += 1
    midi.save(song / "a.mid")
    said = lakhnes("replay", "a.mid", "--kept", "any.mid", "--model", small, folder=song, code=1)
    assert said == "The same notes were composed again, but a.mid was changed since.\n"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": "app", "edits": 3}, "a.mid was made in the app and edited 3 times by hand"),
        ({"task": "play"}, "a.mid was composed live (lakhnes play)"),
        ({"task": "orchestrate"}, "made by a command that this lakhnes does not know"),
        ({"piece": "layer9"}, "unknown piece 'layer9'"),
        ({"settings": {"output": "b.mid"}}, "the setting 'output', which lakhnes continue cannot take"),
        ({"settings": {"model": "x"}}, "the setting 'model'"),
        ({"settings": {"loop": True}}, "the setting 'loop'"),
        ({"settings": {"only-new": "yes"}}, "the setting 'only-new'"),
        ({"settings": {"seconds": True}}, "the setting 'seconds'"),
        ({"settings": {"seconds": "many"}}, "its record cannot be used ('many' is not a valid float"),
        ({"settings": {"scale": "purple"}}, "its record cannot be used ("),
        (
            {"seed": -1},
            "The record in a.mid: it cannot be read (its seed is -1). The music itself can be read.",
        ),
        ({"version": 9}, "newer lakhnes (record version 9); update"),
        ({"settings": {"chords": "C" * 20_000}}, "more than 16384 characters"),
        ({"model": "../../../secret"}, "the model '../../../secret', which is not here"),
    ],
)
def test_what_cannot_be_composed_again_says_why(
    song: Path, small: Path, changes: dict[str, object], sentence: str
) -> None:
    rewrite(song / "a.mid", **changes)
    model = () if "model" in changes else ("--model", small)
    said = lakhnes("replay", "a.mid", "--kept", "any.mid", *model, "-o", "b.mid", folder=song, code=1)
    assert sentence in said
    assert not (song / "b.mid").exists()


def test_music_with_a_damaged_record_is_still_read(song: Path) -> None:
    rewrite(song / "a.mid", seed="\x1b[2J")
    assert read_music(song / "a.mid").score()[0].n_notes
    said = json.loads(lakhnes("convert", "a.mid", "-o", "b.vgm", "--json", folder=song))
    assert any("The record in a: it cannot be read" in remark for remark in said["remarks"])
    assert not read_music(song / "b.vgm").record
    said = lakhnes("provenance", "a.mid", folder=song, code=1)
    assert "\x1b" not in said


def test_files_of_others_say_nothing(tmp_path: Path) -> None:
    bring(tmp_path)
    assert "does not say how it was made" in lakhnes("provenance", "any.mid", folder=tmp_path, code=1)
    assert "is not there" in lakhnes("provenance", "none.mid", folder=tmp_path, code=1)
    (tmp_path / "a.wav").write_bytes(b"nothing")
    assert "cannot be read" in lakhnes("provenance", "a.wav", folder=tmp_path, code=1)
    write_music({tmp_path / "a.nes": Music(tune())}, Forms())
    assert "have no place for it" in lakhnes("provenance", "a.nes", folder=tmp_path, code=1)


def test_legacy_registers_write_no_texts(tmp_path: Path, small: Path) -> None:
    lakhnes("generate", "--model", small, "--tokens", 40, "-o", "a.mid", folder=tmp_path)
    lakhnes("convert", "a.mid", "--registers", "legacy", "-o", "b.vgm", folder=tmp_path)
    assert b"Gd3 " not in (tmp_path / "b.vgm").read_bytes()


def test_a_model_knows_its_file(small: Path) -> None:
    model = Model.load(small)
    assert model.sha256 == model.twin().sha256 == file_sha256(small / "model.onnx")
